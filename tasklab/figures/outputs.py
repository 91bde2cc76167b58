"""One image's outputs, before and after an attack: bars (TRA), bit gauges (RBC, DeepBE) or a number line (INT)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tasklab.checks import as_whole
from tasklab.codecs import ABNORMAL
from tasklab.figures.describing import describe_outputs
from tasklab.figures.style import BLUE, GREY, LOOKS, faded, frame, look_of
from tasklab.figures.words import in_words
from tasklab.tasks import Line, Task

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Outputs = Tensor | Sequence[float]
Trace = dict[str, Any]

CLEAN = {"symbol": "circle-open", "size": 13, "color": GREY, "line": {"width": 3, "color": GREY}}
HATCH = {"shape": "/", "size": 7, "solidity": 0.25, "fgcolor": GREY, "bgcolor": "rgba(0,0,0,0)"}


def outputs_figure(
    task: Task, clean: Outputs, attacked: Outputs | None = None, *, label: int, height: int = 230, legend: bool = True
) -> Figure:
    """The figure that fits the task: `output_bars`, `bit_gauges` or `number_line`.

    Args:
        task: decodes the outputs.
        clean: outputs ``(K,)`` or ``(1, K)`` of the clean image.
        attacked: outputs of the attacked image; None where there is none.
        label: the true class.
        height: in pixels.
        legend: whether the figure has a legend.

    Raises:
        ValueError: the outputs are not those of one example of this task, or the task has no such class.

    >>> from tasklab.tasks import make_task
    >>> outputs_figure(make_task("int"), [24.0], [37.5], label=1).layout.height
    230
    """
    draw = number_line if task.line is not None else bit_gauges if task.gauges is not None else output_bars
    figure = draw(task, clean, attacked, label=label, height=height, legend=legend)
    return in_words(figure, describe_outputs(task, clean, attacked, label=label))


def output_bars(
    task: Task, clean: Outputs, attacked: Outputs | None = None, *, label: int, height: int = 230, legend: bool = True,
    most: int = 10,
) -> Figure:
    """A bar for each class, the largest of which is read; open circles are the outputs before the attack.

    Args:
        task: decodes the outputs.
        clean: outputs ``(K,)`` or ``(1, K)`` of the clean image.
        attacked: outputs of the attacked image; None where there is none.
        label: the true class.
        height: in pixels.
        legend: whether the figure has a legend.
        most: largest number of classes that are drawn: the label, and those with the largest outputs before or after.
    """
    before, after, now = _read(task, clean, attacked, label)
    decoded = _decode(task, now)
    before, now = _scores(task, before), _scores(task, now)
    classes = list(range(task.num_classes))
    if len(classes) > most:
        size = [math.inf if k == label else max(before[k], now[k]) for k in classes]
        classes = sorted(sorted(classes, key=lambda k: -size[k])[:most])
    looks = [look_of(decoded, label) if k == decoded else None for k in classes]
    x = list(range(len(classes)))
    names = [str(k) for k in classes]
    traces: list[Trace] = [{
        "type": "bar", "name": "outputs" if after is None else "after", "x": x, "y": [now[k] for k in classes],
        "marker": {"color": [look.colour if look else faded(GREY, 0.55) for look in looks]},
        "text": [look.sign if look else "" for look in looks], "textposition": "outside", "cliponaxis": False,
        "customdata": names, "hovertemplate": "class %{customdata}: %{y:.3g}<extra></extra>",
    }]
    if after is not None:
        traces.append(_markers("before", x, [before[k] for k in classes], CLEAN | {"size": 9}) | {
            "customdata": names, "hovertemplate": "class %{customdata} before: %{y:.3g}<extra></extra>",
        })
    values = [v[k] for v in (before, now) for k in classes]
    low, high = min(0.0, *values), max(0.0, *values)
    room = 0.16 * ((high - low) or 1.0)
    across = {"tickvals": x, "ticktext": [_own(name, k == label) for name, k in zip(names, classes, strict=True)]}
    up = {"range": [low - room / 2, high + room], "showticklabels": False, "zeroline": True, "zerolinecolor": GREY}
    return _figure(traces, frame(height, legend=legend, xaxis=across, yaxis=up))


def bit_gauges(
    task: Task, clean: Outputs, attacked: Outputs | None = None, *, label: int, height: int = 230, legend: bool = True
) -> Figure:
    """A gauge for each bit: threshold, rails, the half that the label needs (blue), and the output before and after.

    Rails are drawn at ±S for RBC, and at 0 and 1 for DeepBE. Under each gauge is the value of the bit.

    Args:
        task: decodes the outputs.
        clean: outputs ``(K,)`` or ``(1, K)`` of the clean image.
        attacked: outputs of the attacked image; None where there is none.
        label: the true class.
        height: in pixels.
        legend: whether the figure has a legend.
    """
    gauges = task.gauges
    if gauges is None:
        raise ValueError(f"expected a task of bits, got {task.name}; try outputs_figure")
    before, after, now = _read(task, clean, attacked, label)
    threshold, rail = gauges.threshold, gauges.rail
    reach = 1.25 * max(rail or 1.0, *(abs(v - threshold) for v in before + now))
    signs = [2 * bit - 1 for bit in gauges.rows[label]]
    bits = list(range(gauges.width))
    traces: list[Trace] = [
        {"type": "bar", "name": name, "x": bits, "y": [side * s * reach for s in signs], "base": threshold,
         "width": 0.8, "marker": {"color": colour, "line": {"width": 0}}, "hoverinfo": "skip"}
        for name, side, colour in (
            ("needed by the label", 1, faded(BLUE, 0.22)), ("the other side", -1, faded(GREY, 0.1))
        )
    ]
    heights = {threshold: "threshold", threshold - rail: "rail", threshold + rail: "rail"}
    shapes = [
        {"type": "line", "name": name, "x0": -0.5, "x1": gauges.width - 0.5, "y0": value, "y1": value,
         "line": {"color": GREY, "width": 2, "dash": "dot" if name == "rail" else "solid"}}
        for value, name in heights.items()
    ]
    hover = {"customdata": [str(i + 1) for i in bits], "hovertemplate": "bit %{customdata}: %{y:.4g}<extra></extra>"}
    shift = 0.0 if after is None else 0.17
    left, right = [b - shift for b in bits], [b + shift for b in bits]
    if after is not None:
        traces.append(_lines(_between(left, right), _between(before, now)))
    traces.append(_markers("output" if after is None else "before", left, before, CLEAN) | hover)
    if after is not None:
        kept = [(v > threshold) == (s > 0) for v, s in zip(after, signs, strict=True)]
        looks = [LOOKS["correct" if k else "wrong"] for k in kept]
        marker = {"symbol": [look.symbol for look in looks], "color": [look.colour for look in looks], "size": 14}
        traces.append(_markers("after", right, after, marker) | hover)
    words = [_bit_word(b > threshold, n > threshold) for b, n in zip(before, now, strict=True)]
    across = {"range": [-0.55, gauges.width - 0.45], "tickvals": bits, "ticktext": words}
    up = {"range": [threshold - reach, threshold + reach], "tickvals": sorted(heights), "tickformat": "~r"}
    return _figure(traces, frame(height, legend=legend, xaxis=across, yaxis=up) | {"shapes": shapes})


def number_line(
    task: Task, clean: Outputs, attacked: Outputs | None = None, *, label: int, height: int = 230, legend: bool = True
) -> Figure:
    """The number line with an interval for each class, hatched where None is read; the output before (top) and after.

    Outputs that lie further outside than the length of the line are drawn at the edge, as an arrowhead with the value.

    Args:
        task: decodes the outputs.
        clean: outputs ``(K,)`` or ``(1, K)`` of the clean image.
        attacked: outputs of the attacked image; None where there is none.
        label: the true class.
        height: in pixels.
        legend: whether the figure has a legend.
    """
    line = task.line
    if line is None:
        raise ValueError(f"expected a task of intervals, got {task.name}; try outputs_figure")
    before, after, now = _read(task, clean, attacked, label)
    lower, upper = line.lower, line.upper
    decoded = _decode(task, now)
    low, high = line_ends(line, [before[0], now[0]])
    ends = list(zip(lower, upper, strict=True))
    centres = [(a + b) / 2 for a, b in ends]
    fills = [faded(GREY, 0.2)] * task.num_classes
    fills[label] = faded(BLUE, 0.4)
    if decoded not in (ABNORMAL, label):
        fills[decoded] = LOOKS["wrong"].fill
    traces = [_band("interval of a class", ends, {"color": fills, "line": {"width": 0}}) | {
        "showlegend": False, "customdata": [[k, a, b] for k, (a, b) in enumerate(ends)],
        "hovertemplate": "class %{customdata[0]}: %{customdata[1]:g} to %{customdata[2]:g}<extra></extra>",
    }]
    between, last = list(zip(upper[:-1], lower[1:], strict=True)), line.end
    if line.floor:
        below = [*between, (upper[-1], last)] if line.alpha else []
        traces.append(_band("gap, read as the class below", below, {"color": faded(GREY, 0.08)}) | {
            "hoverinfo": "skip"
        })
        between = []
    gaps = [(a, b) for a, b in [(low, lower[0]), *between, (last, high)] if b > a]
    hatched = {"pattern": HATCH, "color": "rgba(0,0,0,0)", "line": {"width": 0}}
    traces.append(_band("None", gaps, hatched) | {"hovertemplate": "None<extra></extra>"})
    top, bottom = (0.5, 0.5) if after is None else (0.74, 0.26)
    if after is not None:
        traces.append(_lines([_within(before[0], low, high), _within(now[0], low, high)], [top, bottom]))
    name = "output" if after is None else "before"
    traces.append(_output_marker(before[0], top, (low, high), name, CLEAN | {"size": 16}))
    if after is not None:
        look = look_of(decoded, label)
        marker = {"symbol": look.symbol, "color": look.colour, "size": 16, "line": {"width": 3, "color": look.colour}}
        traces.append(_output_marker(now[0], bottom, (low, high), "after", marker))
    every = max(1, math.ceil(task.num_classes / 20))
    shown = [k for k in range(task.num_classes) if k % every == 0 or k == label]
    across = {"range": [low, high], "tickvals": [centres[k] for k in shown],
              "ticktext": [_own(str(k), k == label) for k in shown]}
    up = {"range": [0, 1], "visible": False}
    return _figure(traces, frame(height, legend=legend, xaxis=across, yaxis=up) | {"bargap": 0})


def _figure(traces: list[Trace], layout: dict[str, Any]) -> Figure:
    import plotly.graph_objects as go

    return go.Figure({"data": traces, "layout": layout})


def _markers(name: str, x: Sequence[float], y: Sequence[float], marker: dict[str, Any]) -> Trace:
    return {"type": "scatter", "mode": "markers", "name": name, "x": x, "y": y, "marker": marker}


def _lines(x: Sequence[float | None], y: Sequence[float | None]) -> Trace:
    return {"type": "scatter", "mode": "lines", "x": x, "y": y, "line": {"color": GREY, "width": 2},
            "hoverinfo": "skip", "showlegend": False}


def _band(name: str, ends: list[tuple[float, float]], marker: dict[str, Any]) -> Trace:
    """A vertical band from each lower to each upper end."""
    return {"type": "bar", "name": name, "x": [(a + b) / 2 for a, b in ends], "y": [1.0] * len(ends),
            "width": [b - a for a, b in ends], "marker": marker}


def _read(
    task: Task, clean: Outputs, attacked: Outputs | None, label: int
) -> tuple[list[float], list[float] | None, list[float]]:
    """The outputs before, those after or None, and the latest of them.

    Raises:
        ValueError: they are not the outputs of one example, or the task has no such class.
    """
    if not 0 <= (-1 if (number := as_whole(label)) is None else number) < task.num_classes:
        raise ValueError(f"expected a label in 0..{task.num_classes - 1}, got {label!r}")
    before = _values(task, clean)
    after = None if attacked is None else _values(task, attacked)
    return before, after, before if after is None else after


def _values(task: Task, z: Outputs) -> list[float]:
    values = torch.as_tensor(z, dtype=torch.float32).detach().cpu().reshape(-1)
    if len(values) != task.width:
        raise ValueError(f"expected the {task.width} outputs of one example of {task.name}, got {len(values)}")
    if not bool(values.isfinite().all()):
        raise ValueError(f"expected finite outputs to draw, got {values.tolist()}")
    return [float(v) for v in values]


def _decode(task: Task, values: list[float]) -> int:
    return int(task.codec.decode(torch.tensor([values])))


def _scores(task: Task, values: list[float]) -> list[float]:
    return [float(v) for v in task.scores(torch.tensor([values]))[0]]


def _own(text: str, own: bool) -> str:
    """The text under an axis; that of the label is marked."""
    return f"<b>{text}</b><br>▲" if own else text


def _bit_word(before: bool, now: bool) -> str:
    """A bit's value, or its change."""
    return f"{now:d}" if before == now else f"<b>{before:d}→{now:d}</b>"


def _between(first: Sequence[float], second: Sequence[float]) -> list[float | None]:
    """Coordinates of separate lines, each from a value of the first to its partner in the second."""
    return [v for a, b in zip(first, second, strict=True) for v in (a, b, None)]


def line_ends(line: Line, values: list[float]) -> tuple[float, float]:
    """Both ends of the drawn part of the number line: all intervals, and outputs up to the line's length outside."""
    start, stop = line.lower[0], line.upper[-1]
    room = 0.04 * line.span
    low = max(min(start, *values) - room, start - line.span)
    high = min(max(stop, *values) + room, stop + line.span)
    return low, high


def _within(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _output_marker(value: float, height: float, ends: tuple[float, float], name: str, marker: dict[str, Any]) -> Trace:
    """A marker at the output or, where that lies outside the figure, an arrowhead with the value at the edge."""
    low, high = ends
    trace = {"cliponaxis": False, "hovertemplate": f"{name}: {value:.4g}<extra></extra>"}
    if low <= value <= high:
        return _markers(name, [value], [height], marker) | trace
    edge, side, position = (low, "left", "middle right") if value < low else (high, "right", "middle left")
    return _markers(name, [edge], [height], marker | {"symbol": f"triangle-{side}"}) | trace | {
        "mode": "markers+text", "text": [f" {value:.4g} "], "textposition": position,
    }
