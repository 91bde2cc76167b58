"""Histograms of the numbers on which decisions depend, before and after an attack; and outcomes as stacked bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tasklab.evaluation.counts import Outcomes
from tasklab.figures.decisions import Numbers, Reading
from tasklab.figures.style import BLUE, GREY, LOOKS, faded, frame, label
from tasklab.figures.words import in_words

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Trace = dict[str, Any]

PATTERN = {"shape": "/", "size": 6, "solidity": 0.35}
BINS = 44
"""Approximate number of bars."""


def decision_histogram(
    reading: Reading, *, window: tuple[float, float] | None = None, height: int = 230, legend: bool = False
) -> Figure:
    """A histogram: a line for the clean images, bars for the attacked ones in the colours of their outcomes.

    Args:
        reading: from `read_decisions`.
        window: both ends of the axis, by default ``reading.window``; numbers beyond are counted in the outermost bars.
        height: in pixels.
        legend: whether the figure has a legend.
    """
    low, high = reading.window if window is None else window
    edges = _edges(low, high, reading.threshold or 0.0)
    middles, width = (edges[:-1] + edges[1:]) / 2, edges[1] - edges[0]
    n = max(1, len(reading.before))
    traces: list[Trace] = []
    tops = [np.zeros(len(middles))]
    for kind in ("correct", "abnormal", "wrong"):
        here = reading.now[np.array([k == kind for k in reading.kinds], dtype=bool)]
        shares = _count(here, edges) / n
        look = LOOKS[kind]
        marker: Trace = {"color": look.colour, "line": {"width": 0}}
        if kind == "abnormal":
            marker |= {"color": faded(GREY, 0.25), "pattern": PATTERN | {"fgcolor": GREY}}
        tops.append(tops[-1] + shares)
        traces.append({
            "type": "bar", "name": look.word, "x": middles, "y": shares, "base": tops[-2], "width": width * 0.96,
            "marker": marker, "hovertemplate": f"%{{x:.4~g}}: %{{y:.1%}} {look.word}<extra></extra>",
        })
    if reading.after is not None:
        clean = _count(reading.before, edges) / n
        tops.append(clean)
        traces.append({
            "type": "scatter", "mode": "lines", "name": "before", "x": np.repeat(edges, 2),
            "y": np.concatenate([[0.0], np.repeat(clean, 2), [0.0]]), "hoverinfo": "skip",
            "line": {"color": GREY, "width": 2.5},
        })
    top = 1.12 * max(float(np.max(t)) for t in tops) or 1.0
    layout = _layout(reading, (float(edges[0]), float(edges[-1])), top, height, legend)
    return in_words(_figure(traces, layout), describe_decisions("Histogram", reading))


def outcome_stack(rows: Sequence[tuple[str, Outcomes]], *, height: int | None = None, legend: bool = False) -> Figure:
    """A bar for each row, divided into the shares of correct, wrong and None.

    Args:
        rows: name of a row and its outcomes.
        height: in pixels; by default it grows with the number of rows.
        legend: whether the figure has a legend.

    >>> outcome_stack([("TRA", Outcomes(correct=3, wrong=1, abnormal=0))]).data[0].x
    (0.75,)
    """
    names = [label(name) for name, _ in rows]
    shares = {
        "correct": [o.accuracy.value for _, o in rows], "wrong": [o.error.value for _, o in rows],
        "abnormal": [o.alarm.value for _, o in rows],
    }
    traces: list[Trace] = []
    for kind in LOOKS:
        look = LOOKS[kind]
        marker: Trace = {"color": look.colour, "line": {"width": 0}}
        if kind == "abnormal":
            marker |= {"color": faded(GREY, 0.25), "pattern": PATTERN | {"fgcolor": GREY}}
        traces.append({
            "type": "bar", "orientation": "h", "name": look.word, "x": tuple(shares[kind]), "y": names,
            "marker": marker, "hovertemplate": f"%{{y}}: %{{x:.1%}} {look.word}<extra></extra>",
            "text": [f"{look.sign} {100 * share:.0f} %" if share >= 0.14 else "" for share in shares[kind]],
            "textposition": "inside", "insidetextanchor": "middle", "textangle": 0,
            "textfont": {"size": 15} | ({"color": "#000000" if kind == "wrong" else "#ffffff"}
                                        if kind != "abnormal" else {}),
        })
    across = {"range": [0, 1], "visible": False}
    up = {"autorange": "reversed", "tickfont": {"size": 15}}
    layout = frame(height or 40 * len(rows) + 34 * legend, legend=legend, xaxis=across, yaxis=up)
    return in_words(_figure(traces, layout | {"barmode": "stack", "bargap": 0.25}), describe_outcomes(rows))


def describe_decisions(name: str, reading: Reading) -> str:
    """What `decision_histogram` shows, in words; ``name`` is that of the system."""
    n = len(reading.before)
    if not n:
        return f"{name}: no images."
    parts = [f"{name}, {n} images, {reading.axis}.", f"Median {np.median(reading.before):.4g}"]
    if reading.after is not None:
        parts[-1] += f" before, {np.median(reading.after):.4g} after"
    parts[-1] += "."
    if reading.rails:
        parts.append("Rails at " + " and ".join(f"{rail:g}" for rail in sorted(reading.rails)) + ".")
    parts.append(", ".join(f"{reading.kinds.count(kind)} {LOOKS[kind].word}" for kind in LOOKS) + ".")
    return " ".join(parts)


def describe_outcomes(rows: Sequence[tuple[str, Outcomes]]) -> str:
    """What `outcome_stack` shows, in words: a sentence for each bar.

    >>> describe_outcomes([("TRA", Outcomes(correct=3, wrong=1, abnormal=0))])
    'TRA, 4 images: 75 % correct, 25 % wrong, 0 % None.'
    """
    return " ".join(
        f"{name}, {o.n} images: {100 * o.accuracy.value:.0f} % {LOOKS['correct'].word}, {100 * o.error.value:.0f} % "
        f"{LOOKS['wrong'].word}, {100 * o.alarm.value:.0f} % {LOOKS['abnormal'].word}." for name, o in rows)


def _edges(low: float, high: float, origin: float) -> Numbers:
    """Edges of the bars at round numbers from low to high; one is at the origin, so that no bar lies across it."""
    rough = (high - low) / BINS
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= rough)
    first, last = math.floor((low - origin) / step), math.ceil((high - origin) / step)
    return origin + step * np.arange(first, last + 1, dtype=np.float64)


def _count(values: Numbers, edges: Numbers) -> Numbers:
    """Number of values in each bar, its upper edge included: a value at the threshold is not beyond it."""
    bars = np.searchsorted(edges, values, side="left") - 1
    return np.bincount(bars.clip(0, len(edges) - 2), minlength=len(edges) - 1).astype(np.float64)


def _layout(reading: Reading, ends: tuple[float, float], top: float, height: int, legend: bool) -> Trace:
    shapes: list[Trace] = []
    for low, high, kind in reading.bands:
        start, stop = max(low, ends[0]), min(high, ends[1])
        if stop > start:
            fill: Trace = {"own": {"fillcolor": faded(BLUE, 0.16)}, "class": {"fillcolor": faded(GREY, 0.16)},
                           "None": {"fillcolor": "rgba(0,0,0,0)"}}[kind]
            shapes.append({"type": "rect", "name": kind, "layer": "below", "line": {"width": 0}, "x0": start,
                           "x1": stop, "yref": "paper", "y0": 0, "y1": 1} | fill)
    marks = [("rail", rail, "dot") for rail in reading.rails]
    if reading.threshold is not None:
        marks.append(("threshold", reading.threshold, "solid"))
    for name, x, dash in marks:
        if ends[0] <= x <= ends[1]:
            shapes.append({"type": "line", "name": name, "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1,
                           "line": {"color": GREY, "width": 2.5 if name == "rail" else 2, "dash": dash}})
    across: Trace = {"range": list(ends), "title": {"text": reading.axis, "font": {"size": 14}}, "tickformat": "~r"}
    shown = [(position, text) for position, text in reading.ticks if ends[0] <= position <= ends[1]]
    if shown:
        pace = max(1, math.ceil(len(shown) / 11))  # distance of the labelled ticks, counted from the tick “0”
        origin = next((i for i, (_, text) in enumerate(reading.ticks) if text == "0"), 0)
        keep = [reading.ticks[i] for i in range(origin % pace, len(reading.ticks), pace) if reading.ticks[i] in shown]
        across |= {"tickvals": [position for position, _ in keep], "ticktext": [text for _, text in keep]}
    up = {"range": [0, top], "tickformat": ".0%", "nticks": 4}
    return frame(height, legend=legend, xaxis=across, yaxis=up) | {"shapes": shapes, "bargap": 0, "barmode": "overlay"}


def _figure(traces: list[Trace], layout: Trace) -> Figure:
    import plotly.graph_objects as go

    return go.Figure({"data": traces, "layout": layout})
