"""Line charts, such as losses over outputs, or accuracies over ε or S."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tasklab.figures.style import BLUE, GREY, ORANGE, frame, label
from tasklab.figures.words import in_words

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

PENS = (
    (BLUE, "solid", "circle"), (ORANGE, "dash", "x"), (GREY, "dot", "square-open"), ("#3f9a6b", "dashdot", "diamond"),
    ("#a05cc4", "longdash", "triangle-up"), ("#b8860b", "longdashdot", "star"),
)
"""Colour, dash and marker of the curves in turn; any two differ in more than the colour."""


ROOM = 0.1
"""Share of an axis that two labelled values keep from each other."""

MANY = 8
"""More values than these are not labelled one by one on a logarithmic axis; powers of ten are."""


def apart(values: Iterable[float], *, log: bool = False) -> list[float]:
    """Those of the values that can be labelled on an axis without touching each other: both ends, and some between.

    Args:
        values: in any order; on a logarithmic axis those that are not positive are left out.
        log: whether the axis is logarithmic.

    >>> apart([1, 2, 3, 10, 100, 350], log=True)
    [1, 2, 10, 100, 350]
    >>> apart([1, 2, 3, 10, 100, 350])
    [1, 100, 350]
    """
    scaled = math.log10 if log else float
    ordered = sorted({value for value in values if value > 0 or not log})
    least = ROOM * (scaled(ordered[-1]) - scaled(ordered[0])) if ordered else 0.0
    kept = ordered[:1]
    for value in ordered[1:]:
        if scaled(value) - scaled(kept[-1]) >= least:
            kept.append(value)
    return [*kept[:-1], ordered[-1]] if len(kept) > 1 else kept


def lines(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    x: str,
    y: str,
    marks: Mapping[str, float] | None = None,
    spread: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    log_x: bool = False,
    y_range: tuple[float, float] | None = None,
    markers: bool = True,
    height: int = 330,
) -> Figure:
    """A line for each curve, which differ in colour, dash and marker.

    Args:
        curves: name to its x values and its y values, of one length.
        x: title of the x axis, with the unit.
        y: title of the y axis, with the unit.
        marks: name of a vertical line to its x value.
        spread: name of a curve to the lower and the upper ends of its intervals.
        log_x: whether the x axis is logarithmic.
        y_range: both ends of the y axis; by default what the curves need.
        markers: whether each value gets a marker.
        height: in pixels.

    Raises:
        ValueError: there are no curves, or a curve has not as many x values as y values.

    >>> figure = lines({"loss": ([0, 1, 2], [4, 1, 0])}, x="output", y="loss", marks={"S": 1})
    >>> figure.data[0].name, len(figure.layout.shapes)
    ('loss', 1)
    """
    if not curves or any(len(across) != len(up) for across, up in curves.values()):
        raise ValueError("expected at least one curve, with as many values across as up")
    traces: list[dict[str, Any]] = []
    for index, (name, (across, up)) in enumerate(curves.items()):
        colour, dash, symbol = PENS[index % len(PENS)]
        traces.append({
            "type": "scatter", "mode": "lines+markers" if markers else "lines", "name": label(name), "x": list(across),
            "y": list(up), "line": {"color": colour, "dash": dash, "width": 3},
            "marker": {"color": colour, "symbol": symbol, "size": 10}, "hovertemplate": "%{y:.4g}",
        })
        if spread and name in spread:
            low, high = spread[name]
            traces[-1]["error_y"] = {
                "type": "data", "symmetric": False, "color": colour, "thickness": 1.5, "width": 4,
                "array": [top - value for top, value in zip(high, up, strict=True)],
                "arrayminus": [value - bottom for bottom, value in zip(low, up, strict=True)],
            }
    marks = marks or {}
    shown = {"showgrid": True, "gridcolor": "rgba(138,138,138,0.25)"}
    across_axis: dict[str, Any] = shown | {"title": {"text": x}}
    if log_x:
        across_axis |= {"type": "log"} | _labels([value for across, _ in curves.values() for value in across])
    up_axis: dict[str, Any] = shown | {"title": {"text": y}} | ({"range": list(y_range)} if y_range else {})
    layout = frame(height, legend=len(curves) > 1, xaxis=across_axis, yaxis=up_axis) | {
        "shapes": [
            {"type": "line", "x0": value, "x1": value, "yref": "paper", "y0": 0, "y1": 1,
             "line": {"color": GREY, "width": 2, "dash": "dot"},
             "label": {"text": label(name), "textposition": "end", "textangle": 0, "xanchor": "left",
                       "font": {"size": 14}}}
            for name, value in marks.items()
        ],
        "hovermode": "x unified",
    }
    import plotly.graph_objects as go

    return in_words(go.Figure({"data": traces, "layout": layout}), describe_lines(curves, x=x, y=y))


def describe_lines(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, x: str, y: str) -> str:
    """What `lines` shows, in words: where each curve begins and ends, and between which values it runs.

    >>> describe_lines({"loss": ([0, 1, 2], [4, 1, 0])}, x="output", y="loss")
    'Across: output. Up: loss. loss: 4 at 0, 0 at 2; between 0 and 4.'
    """
    sentences = [f"Across: {x}. Up: {y}."]
    for name, (across, up) in curves.items():
        if len(up):
            sentences.append(f"{name}: {up[0]:.4g} at {across[0]:.4g}, {up[-1]:.4g} at {across[-1]:.4g}; between "
                             f"{min(up):.4g} and {max(up):.4g}.")
    return " ".join(sentences)


def _labels(values: Sequence[float]) -> dict[str, Any]:
    """The ticks of a logarithmic axis."""
    known = sorted({value for value in values if value > 0})
    if len(known) > MANY:
        powers = range(math.ceil(math.log10(known[0])), math.floor(math.log10(known[-1])) + 1)
        known = [10.0**power for power in powers] if len(powers) > 1 else known
    ticks = apart(known, log=True)
    return {"tickvals": ticks, "ticktext": [f"{value:g}" for value in ticks]}
