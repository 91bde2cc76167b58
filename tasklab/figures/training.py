"""The course of a training run: accuracies without attack and under two attacks, and the loss, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tasklab.figures.line_chart import PENS, lines
from tasklab.figures.style import GREY, faded, frame
from tasklab.figures.words import in_words

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Rows = Sequence[Mapping[str, Any]]
"""Events as dicts with the fields of `tasklab.training.EpochEvent`, as a job writes them."""

CURVES = {
    "accuracy": "no attack",
    "robust_accuracy": "attack on the decision",
    "own_loss_accuracy": "attack on the training loss",
}
"""Field of an `EpochEvent` to the name of its curve; the pens are those of `lines`, in this order."""

ZERO = "own_loss_zero_gradient"
ZERO_NAME = "gradient of the loss exactly 0"
FLOOR = 1e-6
"""Smaller losses are drawn at this value: the axis is logarithmic, and some losses are exactly 0."""

SMOOTH = 25
"""Losses of steps are drawn as running means over 1/25 of all steps, because single steps vary too much."""

TICKS = 3
"""Most ticks on the axis of the loss, which is low."""

SPLIT = (0.27, 0.36)
"""Upper end of the panel of losses, and lower end of that of accuracies, as shares of the height."""


def training_figure(
    epochs: Rows, *, total: int | None = None, steps: Rows = (), height: int = 400, legend: bool = True
) -> Figure:
    """Accuracies on the validation images (top) and the training loss (bottom) over the epochs.

    Args:
        epochs: events of the finished epochs; accuracies from 0 to 1. Fields that are missing or None are not drawn.
        total: number of epochs in all; by default as many as are finished.
        steps: events with ``step``, ``steps`` and ``loss``; without them the losses of the epochs are drawn.
        height: in pixels.
        legend: whether the figure has a legend.

    >>> rows = [{"epoch": 1, "accuracy": 0.5, "loss": 0.3}, {"epoch": 2, "accuracy": 0.9, "loss": 0.01}]
    >>> [trace.name for trace in training_figure(rows).data if trace.name]
    ['no attack', 'training loss']
    """
    total = total or max([int(row["epochs"]) if "epochs" in row else int(row["epoch"]) for row in epochs] or [1])
    traces = [{"type": "scatter", "x": [None], "y": [None], "showlegend": False, "hoverinfo": "skip"}]  # draws the axes
    traces += _zero(epochs)
    traces += [trace for index, field in enumerate(CURVES) for trace in _accuracy(epochs, field, index)]
    across, losses = _losses(epochs, steps, total)
    traces.append({
        "type": "scatter", "mode": "lines", "name": "training loss", "x": across, "y": losses, "yaxis": "y2",
        "line": {"color": GREY, "width": 2}, "showlegend": False, "hovertemplate": "loss %{y:.3g}<extra></extra>",
    })
    grid = {"showgrid": True, "gridcolor": faded(GREY, 0.25)}
    xaxis = grid | {"title": {"text": "epoch"}, "range": [0, total + 0.4], "anchor": "y2"}
    yaxis = grid | {"range": [-2, 103], "domain": [SPLIT[1], 1]} | _percent()
    layout = frame(height, legend=legend, xaxis=xaxis, yaxis=yaxis)
    layout["yaxis2"] = layout["yaxis"] | {
        "domain": [0, SPLIT[0]], "type": "log", "title": {"text": "loss", "font": {"size": 14}}, **_decades(losses),
    }
    layout |= {"hovermode": "x unified"}
    layout["margin"] = layout["margin"] | {"t": 62 if legend else 6}
    import plotly.graph_objects as go

    return in_words(go.Figure({"data": traces, "layout": layout}), describe_training(epochs))


def describe_training(epochs: Rows) -> str:
    """One or two sentences that say what `training_figure` shows.

    >>> describe_training([{"epoch": 3, "accuracy": 0.98, "own_loss_accuracy": 0.7, "robust_accuracy": 0.0}])
    'After epoch 3: no attack 98 %, attack on the decision 0 %, attack on the training loss 70 %.'
    """
    if not epochs:
        return "No epoch is finished yet."
    last = epochs[-1]
    parts = [f"{name} {100 * last[field]:.0f} %" for field, name in CURVES.items() if last.get(field) is not None]
    if last.get(ZERO) is not None:
        parts.append(f"{ZERO_NAME} for {100 * last[ZERO]:.0f} % of the images classified correctly")
    return f"After epoch {last['epoch']}: {', '.join(parts)}."


def sweep_figure(points: Mapping[float, Mapping[str, float | None]]) -> Figure:
    """Accuracies in % over the margin S, on a logarithmic axis.

    Args:
        points: S to fields of `CURVES` and `ZERO`, 0 to 1; None where it was not measured. `ZERO` is a
            share of the correctly classified images; it is drawn as a share of all images, where the accuracy is known.

    Raises:
        ValueError: there are no points.
    """
    if not points:
        raise ValueError("expected at least one point, got none; train a system for each value first")
    import plotly.graph_objects as go

    rows: Rows = [dict(points[size]) | {"S": size} for size in sorted(points)]
    curves = {}
    for field, name in CURVES.items():
        known = [row for row in rows if row.get(field) is not None]
        if known:
            curves[name] = ([row["S"] for row in known], [100 * row[field] for row in known])
    figure = lines(curves, x="S", y="images, %", log_x=True, y_range=(-2, 103), height=360)
    return in_words(go.Figure([*_zero(rows, over="S"), *figure.data], figure.layout), describe_sweep(points))


def describe_sweep(points: Mapping[float, Mapping[str, float | None]]) -> str:
    """What `sweep_figure` shows, in words."""
    sentences = []
    for value, point in sorted(points.items()):
        parts = [f"{name} {100 * share:.0f} %" for field, name in CURVES.items()
                 if (share := point.get(field)) is not None]
        sentences.append(f"S = {value:g}: {', '.join(parts)}")
    return "; ".join(sentences) + "."


def _of_all(row: Mapping[str, Any], field: str) -> float:
    """A field as a share of all images, 0 to 1."""
    return float(row[field] * (row["accuracy"] if field == ZERO else 1))


def _percent() -> dict[str, Any]:
    shares = (0, 25, 50, 75, 100)
    return {"tickvals": list(shares), "ticktext": [f"{share} %" for share in shares]}


def _accuracy(epochs: Rows, field: str, index: int) -> list[dict[str, Any]]:
    known = [row for row in epochs if row.get(field) is not None]
    if not known:
        return []
    colour, dash, symbol = PENS[index]
    return [{
        "type": "scatter", "mode": "lines+markers", "name": CURVES[field], "x": [row["epoch"] for row in known],
        "y": [100 * row[field] for row in known], "line": {"color": colour, "dash": dash, "width": 3},
        "marker": {"color": colour, "symbol": symbol, "size": 9}, "hovertemplate": "%{y:.1f} %",
    }]


def _zero(rows: Rows, over: str = "epoch") -> list[dict[str, Any]]:
    """The share of images that are classified correctly and have a gradient of exactly 0, as a filled area."""
    known = [row for row in rows if row.get(ZERO) is not None and row.get("accuracy") is not None]
    if not known:
        return []
    return [{
        "type": "scatter", "mode": "lines", "name": ZERO_NAME, "x": [row[over] for row in known],
        "y": [100 * _of_all(row, ZERO) for row in known], "line": {"width": 0, "color": GREY}, "fill": "tozeroy",
        "fillcolor": faded(GREY, 0.3), "hovertemplate": "%{y:.1f} %",
    }]


def _decades(losses: Sequence[float]) -> dict[str, Any]:
    """Range and ticks of a logarithmic axis that is low: powers of ten, three at most."""
    low, high = (math.log10(each(losses or [1.0])) for each in (min, max))
    first, last = math.floor(low + 1e-9), math.ceil(high - 1e-9)
    last = max(last, first + 1)
    powers = range(first, last + 1, max(1, math.ceil((last - first) / (TICKS - 1))))
    return {"range": [first - 0.1, last + 0.1], "tickvals": [10.0**power for power in powers],
            "ticktext": [f"10<sup>{power}</sup>" for power in powers]}


def _losses(epochs: Rows, steps: Rows, total: int) -> tuple[list[float], list[float]]:
    if not steps:
        known = [row for row in epochs if row.get("loss") is not None]
        return [float(row["epoch"]) for row in known], [max(row["loss"], FLOOR) for row in known]
    values = [row["loss"] for row in steps]
    window = max(1, len(values) // SMOOTH)
    means = [sum(part) / len(part) for part in (values[max(0, i + 1 - window) : i + 1] for i in range(len(values)))]
    return [total * row["step"] / row["steps"] for row in steps], [max(mean, FLOOR) for mean in means]
