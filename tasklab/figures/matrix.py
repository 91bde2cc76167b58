"""Transfer rates as a matrix of threats and victims, with the share of images that each attack left unchanged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from tasklab.evaluation.statistics import Share
from tasklab.evaluation.transfer_result import NOISE, OTHERS, Filter, Line, TransferResult
from tasklab.figures.outputs import HATCH
from tasklab.figures.style import GREY, ORANGE, faded, frame, label
from tasklab.figures.words import in_words

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

WORDS = {OTHERS: "all others together", NOISE: "noise of the same ε"}
"""Names of the rows that do not belong to a single threat."""

Last = Literal["unmoved", "zero_gradient"]
IDLE: dict[Last, str] = {"unmoved": "unchanged", "zero_gradient": "no gradient"}
"""Names of the last column."""

FULL = 0.75
"""Opacity of a cell with a rate of 100 %; text can still be read on it, on white and on black."""


def transfer_figure(
    result: TransferResult, images: Filter = "both", *, names: Mapping[str, str] | None = None,
    height: int | None = None,
) -> Figure:
    """The matrix: a row for each threat, a column for each victim; the last column shows the unchanged images, hatched.

    Args:
        result: from `tasklab.evaluation.transfer`.
        images: which images count.
        names: name of a system to the name that is shown.
        height: in pixels; by default it grows with the number of rows.
    """
    figure = rates_figure(result.lines(images), result.victims, names=names, height=height)
    return in_words(figure, describe_transfer(result, images, names=names))


def rates_figure(
    lines: Sequence[Line], victims: Sequence[str], *, last: Last = "unmoved", names: Mapping[str, str] | None = None,
    height: int | None = None,
) -> Figure:
    """The matrix from its lines.

    Args:
        lines: one for each row.
        victims: the columns, in their order.
        last: what the last column shows: the images that the attack returned unchanged, or those without a gradient.
        names, height: as in `transfer_figure`.
    """
    import plotly.graph_objects as go

    called = {name: label(words) for name, words in (WORDS | dict(names or {})).items()}
    called |= {name: label(name) for name in (*victims, *(line.name for line in lines)) if name not in called}
    across, down = list(range(len(victims))), list(range(len(lines)))
    column = len(victims) + 0.25
    rates = [[line.rates[victim] for victim in victims] for line in lines]
    hover = [[f"{called.get(line.name, line.name)} shown to {called.get(victim, victim)}: {_long(line.rates[victim])}"
              for victim in victims] for line in lines]
    idle: list[Share | None] = [getattr(line, last) for line in lines]
    bars = [share.value if share and share.n else 0.0 for share in idle]
    text: list[tuple[float, int, str]] = [(x, y, _percent(rates[y][x])) for y in down for x in across]
    text += [(column, y, _percent(share)) for y, share in enumerate(idle) if share is not None]
    traces: list[dict[str, Any]] = [
        {"type": "heatmap", "x": across, "y": down, "z": [[share.value for share in row] for row in rates],
         "zmin": 0, "zmax": 1, "colorscale": [[0, faded(ORANGE, 0)], [1, faded(ORANGE, FULL)]], "showscale": False,
         "xgap": 3, "ygap": 3, "customdata": hover, "hovertemplate": "%{customdata}<extra></extra>"},
        {"type": "bar", "name": IDLE[last], "orientation": "h", "y": down, "x": [0.9 * share for share in bars],
         "base": column - 0.45, "width": 0.8, "hoverinfo": "skip", "showlegend": False,
         "marker": {"pattern": HATCH, "color": faded(GREY, 0.15), "line": {"width": 0}}},
        {"type": "scatter", "mode": "text", "x": [x for x, _, _ in text], "y": [y for _, y, _ in text],
         "text": [words for *_, words in text], "textfont": {"size": 18}, "hoverinfo": "skip", "showlegend": False},
    ]
    columns = {"side": "top", "tickvals": [*across, column], "range": [-0.5, column + 0.5],
               "ticktext": [*(called.get(victim, victim) for victim in victims), IDLE[last]],
               "title": {"text": "shown to", "standoff": 4}}
    rows = {"tickvals": down, "ticktext": [called.get(line.name, line.name) for line in lines],
            "range": [len(lines) - 0.5, -0.5], "tickfont": {"size": 15}, "title": {"text": "found against"}}
    layout = frame(height or 110 + 52 * len(lines), legend=False, xaxis=columns, yaxis=rows)
    return go.Figure({"data": traces, "layout": layout | {"bargap": 0}})


def describe_transfer(
    result: TransferResult, images: Filter = "both", *, names: Mapping[str, str] | None = None
) -> str:
    """The matrix in words, a sentence for each row, with the arguments of `transfer_figure`."""
    called = WORDS | dict(names or {})
    sentences = []
    for line in result.lines(images):
        rates = ", ".join(f"{called.get(v, v)} {_percent(share)}" for v, share in line.rates.items())
        unmoved = f"; {_percent(line.unmoved)} unchanged" if line.unmoved is not None else ""
        sentences.append(f"From {called.get(line.name, line.name)}: {rates}{unmoved}.")
    return " ".join(["Share of images that fool each system.", *sentences])


def _percent(share: Share | None) -> str:
    return "–" if share is None or not share.n else f"{100 * share.value:.0f} %"


def _long(share: Share) -> str:
    """A share with its count, percentage and 95 % interval."""
    if not share.n or math.isnan(share.value):
        return "no image counts"
    low, high = share.interval
    return f"{share.count} of {share.n}, {100 * share.value:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
