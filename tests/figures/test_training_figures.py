"""Figures of a training: what is drawn is what happened, also before anything has."""

from __future__ import annotations

import doctest
import math
import sys
from itertools import pairwise
from typing import Any

import pytest

from tasklab.evaluation.statistics import Share
from tasklab.figures.line_chart import lines
from tasklab.figures.settings import over_setting
from tasklab.figures.training import (
    CURVES,
    ZERO,
    ZERO_NAME,
    describe_sweep,
    describe_training,
    sweep_figure,
    training_figure,
)

EPOCHS: list[dict[str, Any]] = [
    {"epoch": 1, "epochs": 4, "loss": 0.5, "accuracy": 0.6, "own_loss_accuracy": 0.1, "robust_accuracy": 0.05,
     ZERO: 0.2},
    {"epoch": 2, "epochs": 4, "loss": 0.0, "accuracy": 0.9, "own_loss_accuracy": 0.7, "robust_accuracy": 0.0,
     ZERO: 0.8},
]


def traces(figure: Any) -> dict[str, Any]:
    return {trace.name: trace for trace in figure.data if trace.name}


def test_it_draws_what_happened() -> None:
    result = traces(training_figure(EPOCHS))
    assert set(result) == {*CURVES.values(), ZERO_NAME, "training loss"}
    for field, name in CURVES.items():
        assert list(result[name].y) == [pytest.approx(100 * row[field]) for row in EPOCHS]
    assert list(result[ZERO_NAME].y) == [pytest.approx(12), pytest.approx(72)], "of all images, as the curves are"
    assert result["training loss"].y[0] == 0.5
    assert all(y > 0 for y in result["training loss"].y), "a loss of 0 has a place on a logarithmic axis"


def test_the_axis_shows_how_far_it_will_go() -> None:
    assert training_figure(EPOCHS).layout.xaxis.range[1] == pytest.approx(4.4)
    assert training_figure(EPOCHS, total=10).layout.xaxis.range[1] == pytest.approx(10.4)
    assert training_figure([]).layout.xaxis.range[1] == pytest.approx(1.4)


@pytest.mark.parametrize(("first", "last"), [(3.0, 1e-6), (0.5, 0.4), (1.0, 1.0), (20.0, 0.001), (1e-3, 1e-3)])
def test_the_axis_of_the_loss_has_few_ticks_and_holds_every_loss(first: float, last: float) -> None:
    rows = [{"epoch": k + 1, "loss": loss, "accuracy": 0.5} for k, loss in enumerate((first, last))]
    axis = training_figure(rows).layout.yaxis2
    low, high = axis.range
    assert low <= math.log10(last) <= math.log10(first) <= high
    inside = [tick for tick in axis.tickvals if low <= math.log10(tick) <= high]
    assert 1 <= len(inside) <= 3 and len(axis.ticktext) == len(axis.tickvals)


def test_no_two_curves_are_told_by_colour_alone() -> None:
    result = [trace for name, trace in traces(training_figure(EPOCHS)).items() if name in CURVES.values()]
    assert len({trace.line.dash for trace in result}) == len({trace.marker.symbol for trace in result}) == len(CURVES)


def test_what_was_not_measured_is_not_drawn() -> None:
    rows = [{"epoch": 1, "loss": 0.1, "accuracy": 0.5, "robust_accuracy": None}, {"epoch": 2, "accuracy": 0.6}]
    result = traces(training_figure(rows))
    assert set(result) == {"no attack", "training loss"}
    assert list(result["training loss"].x) == [1.0]
    assert set(traces(training_figure([]))) == {"training loss"}


def test_losses_of_steps_are_means_at_their_place() -> None:
    steps = [{"epoch": 1, "step": i, "steps": 100, "loss": float(i % 2)} for i in range(1, 101)]
    loss = traces(training_figure(EPOCHS, steps=steps))["training loss"]
    assert loss.x[-1] == 4.0
    assert loss.x[49] == 2.0
    assert list(loss.y)[10:] == [pytest.approx(0.5)] * 90, "a window of four steps smooths an alternating loss"


def test_it_is_said_in_words() -> None:
    assert describe_training([]) == "No epoch is finished yet."
    text = describe_training(EPOCHS)
    assert "After epoch 2" in text
    assert "attack on the training loss 70 %" in text
    assert "80 % of the images classified correctly" in text


POINTS = {350.0: {"accuracy": 0.98, "own_loss_accuracy": 0.7, "robust_accuracy": 0.0},
          1.0: {"accuracy": 0.97, "own_loss_accuracy": 0.8, "robust_accuracy": 0.01, ZERO: 0.81}}


def test_a_sweep_is_ordered_and_labelled_by_its_values() -> None:
    figure = sweep_figure(POINTS)
    result = traces(figure)
    assert list(result["no attack"].x) == [1.0, 350.0]
    assert list(result["no attack"].y) == [pytest.approx(97), pytest.approx(98)]
    assert (list(result[ZERO_NAME].x), list(result[ZERO_NAME].y)) == ([1.0], [pytest.approx(97 * 0.81)])
    assert list(figure.layout.xaxis.ticktext) == ["1", "350"]
    assert figure.layout.xaxis.type == "log"
    assert describe_sweep(POINTS).startswith("S = 1: no attack 97 %, attack on the decision 1 %")
    assert not math.isnan(sum(result["no attack"].y))


def test_no_curve_of_a_sweep_hides_another() -> None:
    """Where the gradient is 0 an attack on the loss changes nothing: both shares are the same, and both are seen."""
    figure = sweep_figure({size: {"accuracy": 0.8, "own_loss_accuracy": 0.8, "robust_accuracy": 0.8, ZERO: 1.0}
                           for size in (1.0, 350.0)})
    area, *curves = figure.data
    assert (area.name, area.fill, area.line.width) == (ZERO_NAME, "tozeroy", 0), "an area, behind the curves"
    assert [curve.name for curve in curves] == list(CURVES.values())
    assert len({curve.marker.symbol for curve in curves}) == len({curve.line.dash for curve in curves}) == len(curves)


@pytest.mark.parametrize("values", [
    (1, 10, 100, 350), (1, 2, 3, 4, 5, 6, 7, 350), (0.001, 300, 340, 345, 350), (5,), tuple(range(1, 1001, 7)),
])
def test_labels_of_a_logarithmic_axis_have_room(values: tuple[float, ...]) -> None:
    share = Share(1, 2)
    figures = [
        lines({"a": (values, values)}, x="x", y="y", log_x=True),
        sweep_figure({float(value): {"accuracy": 0.5} for value in values}),
        over_setting([({"S": value}, {"accuracy": share}) for value in values], "S"),
    ]
    for axis in (figure.layout.xaxis for figure in figures):
        if axis.type == "log":
            places = [math.log10(value) for value in axis.tickvals]
            assert min(values) <= axis.tickvals[0] and axis.tickvals[-1] <= max(values)
            gaps = [right - left for left, right in pairwise(places)]
            assert all(gap >= 0.1 * (math.log10(max(values)) - math.log10(min(values))) for gap in gaps)
            assert [float(text) for text in axis.ticktext] == list(axis.tickvals)
            assert len(axis.tickvals) > 1 or len(values) == 1
    assert figures[0].layout.xaxis.type == figures[1].layout.xaxis.type == "log"


def test_no_sweep_is_an_error_with_a_way_on() -> None:
    with pytest.raises(ValueError, match="expected at least one point"):
        sweep_figure({})


def test_examples() -> None:
    assert doctest.testmod(sys.modules["tasklab.figures.training"]).failed == 0
