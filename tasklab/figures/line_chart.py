"""Line charts, such as losses over outputs, or accuracies over ε or S."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tasklab.figures.style import BLUE, GREY, ORANGE, frame, label

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

PENS = (
    (BLUE, "solid", "circle"), (ORANGE, "dash", "x"), (GREY, "dot", "square-open"), ("#3f9a6b", "dashdot", "diamond"),
    ("#a05cc4", "longdash", "triangle-up"), ("#b8860b", "longdashdot", "star"),
)
"""Colour, dash and marker of the curves in turn; any two differ in more than the colour."""


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
    across_axis: dict[str, Any] = shown | {"title": {"text": x}} | ({"type": "log"} if log_x else {})
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

    return go.Figure({"data": traces, "layout": layout})
