"""Names in figures are shown as they are: plotly takes its texts for HTML, with links."""

from __future__ import annotations

import plotly.graph_objects as go
import pytest

from tasklab.evaluation.counts import Outcomes
from tasklab.evaluation.statistics import Share
from tasklab.figures import accuracy_curves, distance_curves
from tasklab.figures.histograms import outcome_stack
from tasklab.figures.line_chart import lines
from tasklab.text import in_html, in_markdown, one_line

NAME = '<a href="http://example.org">![7](http://example.org)</a>'


@pytest.mark.parametrize("figure", [
    accuracy_curves({NAME: {0.1: Share(3, 4)}, "b": {0.1: Share(1, 4)}}, marks={NAME: 0.1}),
    distance_curves({NAME: [0.1, 0.2], "b": [0.1]}),
    outcome_stack([(NAME, Outcomes(correct=3, wrong=1, abnormal=0))]),
    lines({NAME: ([0, 1], [1, 0])}, x="x", y="y", marks={NAME: 1}),
], ids=["accuracy", "distances", "outcomes", "lines"])
def test_a_name_is_no_html(figure: go.Figure) -> None:
    described = str(go.Figure(figure).update_layout(meta=None))  # the words are escaped where they are shown
    assert "&lt;a href" in described and "<a href" not in described


def test_text_is_short_on_one_line_and_not_interpreted() -> None:
    odd = NAME + "\n\x1b[31m\ud800" + "x" * 1000
    for shown in (one_line(odd, 60), in_html(odd, 60), in_markdown(odd, 60)):
        assert "\n" not in shown and "\x1b" not in shown and "\ud800" not in shown and len(shown) < 150
    assert "<" not in in_html(odd)
    assert "![" not in in_markdown(odd) and "://" not in in_markdown(odd)
