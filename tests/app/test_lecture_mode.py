"""Lecture mode: figures grow with the type, and no sentence speaks of controls that are hidden."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from visitors import sentences, visit

from lab_ui.basics.lab import place_of_controls
from lab_ui.parts.charts import LECTURE

APP = Path(__file__).parents[2] / "app"
REFUSED = [
    ("attack_lab", {"train": "false", "margin": "false"}),
    ("attack_lab", {"attack": "CW", "view": "the plane around the image"}),
    ("transfer", {"systems": "tra"}),
    ("transfer", {"train": "false", "margin": "false"}),
    ("draw", {"train": "false", "margin": "false"}),
]
"""Pages with a query that they answer with a sentence on what to choose."""


def specs(page: str, **query: str) -> list[dict[str, Any]]:
    """The plotly figures of a page."""
    return [json.loads(chart.proto.spec) for chart in visit(page, **query).main.get("plotly_chart")]


@pytest.mark.parametrize(("page", "query"), [
    ("train", {"train_revealed": "true"}), ("systems", {"system": "digits-rbc"}),
    ("robust", {"robust_revealed": "true"}),
])
def test_every_figure_is_higher_and_its_type_larger(page: str, query: dict[str, str]) -> None:
    usual, large = specs(page, **query), specs(page, **query, lecture="true")
    assert len(usual) == len(large) > 1
    for before, after in zip(usual, large, strict=True):
        layout, larger = before["layout"], after["layout"]
        assert larger["height"] == pytest.approx(LECTURE * layout["height"])
        for axis in [name for name in layout if name.startswith(("xaxis", "yaxis"))]:
            assert larger[axis]["tickfont"]["size"] == pytest.approx(LECTURE * layout[axis]["tickfont"]["size"])
            assert larger[axis]["title"]["font"]["size"] >= LECTURE * 14, "the page's theme would make it small"
        assert larger["legend"]["font"]["size"] >= LECTURE * 14
        assert [trace.get("y") for trace in before["data"]] == [trace.get("y") for trace in after["data"]]


def test_figures_are_drawn_in_one_place() -> None:
    drawn = [path.name for path in APP.rglob("*.py") if ".plotly_chart(" in path.read_text(encoding="utf-8")]
    assert drawn == ["charts.py"]


@pytest.mark.parametrize(("page", "query"), REFUSED, ids=lambda part: part if isinstance(part, str) else "")
def test_what_is_hidden_is_not_on_the_left(page: str, query: dict[str, str]) -> None:
    usual, large = sentences(visit(page, **query)), sentences(visit(page, **query, lecture="true"))
    assert [sentence for sentence in usual if place_of_controls(lecture=False) in sentence]
    assert large == [sentence.replace(place_of_controls(lecture=False), place_of_controls(lecture=True))
                     for sentence in usual]


def test_the_place_of_the_controls_is_named_in_one_place() -> None:
    """But for a chart on the left in a lesson, and the help of a button that lecture mode does not have."""
    naming = {
        path.name for path in APP.rglob("*.py") for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "on the left" in node.value
        and not node.value.startswith("Draw ")
    }
    assert naming == {"lab.py", "lessons.py", "train.py"}
