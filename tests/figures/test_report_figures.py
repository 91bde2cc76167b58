"""Curves show the numbers they are given, with their intervals; lights are told apart without colour."""

from __future__ import annotations

import math

import pytest
import torch

from tasklab import figures, zoo
from tasklab.evaluation.honesty import LEVELS, Assessment, Check
from tasklab.evaluation.report_file import kept_report
from tasklab.evaluation.statistics import Share, wilson
from tasklab.figures.report import (
    CURVE_PENS,
    LIGHTS,
    QUESTIONS,
    accuracy_curves,
    check_lights,
    describe_curves,
    distance_curves,
    value_of,
)

CURVES = {"margin": {0.1: Share(20, 100), 0.0: Share(99, 100)}, "train": {0.0: Share(99, 100), 0.1: Share(80, 100)}}
ZEROS = {"train": {0.1: 0.8}, "margin": {0.1: 0.0}}


def test_points_bands_and_zeros_are_the_numbers_given() -> None:
    figure = accuracy_curves(CURVES, zeros=ZEROS, names={"train": "training loss"}, marks={"here": 0.1})
    lines = {trace.name: trace for trace in figure.data if trace.yaxis is None and trace.mode == "lines+markers"}
    assert set(lines) == {"margin", "training loss"}
    assert list(lines["margin"].x) == [0.0, 0.1] and list(lines["margin"].y) == [99.0, 20.0]
    band = next(trace for trace in figure.data if trace.legendgroup == "margin" and trace.fill == "toself")
    low, high = wilson(20, 100)
    assert band.y[1] == pytest.approx(100 * high) and band.y[2] == pytest.approx(100 * low)
    below = {trace.name: list(trace.y) for trace in figure.data if trace.yaxis == "y2"}
    assert below == {"margin": [0.0], "training loss": [80.0]}
    assert "20 of 100" in lines["margin"].customdata[1]
    assert figure.layout.shapes[0].x0 == 0.1
    assert "yaxis2" not in accuracy_curves(CURVES).to_dict()["layout"]


def test_a_curve_keeps_its_pen_whichever_others_are_there_and_no_two_are_alike() -> None:
    pens = list(CURVE_PENS.values())
    assert len({pen[1:] for pen in pens}) == len({pen[0] for pen in pens}) == len(pens)
    alone = accuracy_curves({"train": CURVES["train"]})
    both = accuracy_curves(CURVES)
    assert alone.data[1].line.color == next(t for t in both.data if t.name == "train").line.color
    made_up = accuracy_curves({"margin": CURVES["margin"], "mine": CURVES["train"]})
    assert len({trace.line.color for trace in made_up.data if trace.mode == "lines+markers"}) == 2


def test_curves_in_words() -> None:
    words = describe_curves(CURVES, names={"train": "training loss"})
    assert "training loss: 99 % at ε = 0, 80 % at ε = 0.1." in words


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one curve"):
        accuracy_curves({})
    for distances in ({}, {"a": []}):
        with pytest.raises(ValueError, match="at least one system"):
            distance_curves(distances)


def test_stairs_of_distances_end_where_nothing_was_found() -> None:
    values = torch.tensor([0.3, 0.1, math.inf, 0.0])
    figure = distance_curves({"a": values, "margin": [0.2]}, most=0.25)
    stair = figure.data[0]
    assert list(stair.x) == pytest.approx([0.0, 0.1, 0.25]) and list(stair.y) == [75.0, 50.0, 50.0]
    assert stair.line.shape == "hv"
    assert distance_curves({"a": values}).data[0].y[-1] == 25.0


def made(level: str, figure: float | None = 0.123) -> Check:
    return Check(name=f"{level} check", level=level, figure=figure, threshold="warn: over 1 %",  # type: ignore[arg-type]
                 sentence=f"A sentence about {level}.")


def test_lights_show_level_figure_threshold_and_sentence_of_every_check() -> None:
    assessment = Assessment(
        attack="pgd", objective="margin", eps=0.1, steps=20, restarts=1, accuracy=Share(2, 4), lowest=Share(1, 4),
        checks=tuple(made(level) for level in LEVELS),
    )
    cells = check_lights(assessment).data[0].cells.values
    assert [cells[0][i] for i in range(4)] == [f"<b>{LIGHTS[level].sign} {level}</b>" for level in LEVELS]
    assert list(cells[2]) == ["12.3 %"] * 4 and list(cells[3]) == ["warn: over 1 %"] * 4
    assert cells[4][3] == "A sentence about fail."
    assert len({light.sign for light in LIGHTS.values()}) == len({light.colour for light in LIGHTS.values()}) == 4
    assert value_of(made("not run", None)) == "–" and value_of(made("pass", -0.01)) == "−1.0 %"


def test_the_figures_are_public() -> None:
    assert {"accuracy_curves", "check_lights", "distance_curves"} <= set(figures.__all__)


@pytest.mark.parametrize("name", sorted({check.name for name in zoo.names() for assessment in (
    kept_report(name) or pytest.fail(name)).assessments.values() for check in assessment.checks}))
def test_every_check_is_shown_as_a_question(name: str) -> None:
    assert QUESTIONS[name].endswith("?")
