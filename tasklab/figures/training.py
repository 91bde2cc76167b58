"""How a training went: accuracies, clean and under two attacks, and the loss, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tasklab.figures.line_chart import PENS, lines
from tasklab.figures.style import GREY, faded, frame

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Rows = Sequence[Mapping[str, Any]]
"""Events as dicts, such as `tasklab.training.EpochEvent`'s or those of a job."""

CURVES = {
    "accuracy": "no attack",
    "robust_accuracy": "attack on the decision",
    "own_loss_accuracy": "attack on the training loss",
}
"""The accuracies shown, by field of an `EpochEvent`, and what they are called; their pens are those of `lines`."""

ZERO = "own_loss_zero_gradient"
ZERO_NAME = "gradient of the loss exactly 0"
FLOOR = 1e-6
"""Losses below are drawn here: the axis is logarithmic, and some losses are exactly 0."""

SMOOTH = 25
"""Losses of steps are drawn as means over this part of them: single steps jump too much to be read."""

SPLIT = (0.27, 0.36)
"""Where the losses end and the accuracies begin, in parts of the height."""


def training_figure(
    epochs: Rows, *, total: int | None = None, steps: Rows = (), height: int = 400, legend: bool = True
) -> Figure:
    """Accuracies of the validation images above, the training loss below, over one axis of epochs.

    Args:
        epochs: what is known of each finished epoch; fields that are missing or None are left out.
        total: how many epochs there will be; by default as many as there are.
        steps: losses between the epochs (``epoch``, ``step``, ``steps``, ``loss``); without them those of the epochs.
        height: in pixels.
        legend: whether to name the curves.

    >>> rows = [{"epoch": 1, "accuracy": 0.5, "loss": 0.3}, {"epoch": 2, "accuracy": 0.9, "loss": 0.01}]
    >>> [trace.name for trace in training_figure(rows).data if trace.name]
    ['no attack', 'training loss']
    """
    total = total or max([int(row["epochs"]) if "epochs" in row else int(row["epoch"]) for row in epochs] or [1])
    traces = [{"type": "scatter", "x": [None], "y": [None], "showlegend": False, "hoverinfo": "skip"}]  # keeps the axes
    traces += _zero(epochs) + [trace for place, field in enumerate(CURVES) for trace in _accuracy(epochs, field, place)]
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
        "domain": [0, SPLIT[0]], "type": "log", "range": None, "ticktext": None, "tickvals": None, "nticks": 4,
        "exponentformat": "power", "title": {"text": "loss", "font": {"size": 14}},
    }
    layout |= {"hovermode": "x unified"}
    layout["margin"] = layout["margin"] | {"t": 62 if legend else 6}
    import plotly.graph_objects as go

    return go.Figure({"data": traces, "layout": layout})


def describe_training(epochs: Rows) -> str:
    """One or two sentences that say what `training_figure` shows.

    >>> describe_training([{"epoch": 3, "accuracy": 0.98, "own_loss_accuracy": 0.7, "robust_accuracy": 0.0}])
    'After epoch 3: no attack 98 %, attack on the decision 0 %, attack on the training loss 70 %.'
    """
    if not epochs:
        return "No epoch is finished yet."
    last = epochs[-1]
    said = [f"{name} {100 * last[field]:.0f} %" for field, name in CURVES.items() if last.get(field) is not None]
    if last.get(ZERO) is not None:
        said.append(f"{ZERO_NAME} for {100 * last[ZERO]:.0f} % of the images read correctly")
    return f"After epoch {last['epoch']}: {', '.join(said)}."


def sweep_figure(points: Mapping[float, Mapping[str, float]]) -> Figure:
    """Accuracies over the margin S, in %, over a logarithmic axis.

    Args:
        points: by S, some of the fields of `CURVES` and `ZERO`, between 0 and 1; the last, a share
            of the images read correctly, is drawn as one of all, where their accuracy is known.

    Raises:
        ValueError: no point at all.
    """
    if not points:
        raise ValueError("expected at least one point, got none; train a system for each value first")
    names = CURVES | {ZERO: ZERO_NAME}
    curves = {}
    for field, name in names.items():
        there = {value: _of_all(point, field) for value, point in sorted(points.items())
                 if point.get(field) is not None and (field != ZERO or point.get("accuracy") is not None)}
        if there:
            curves[name] = (list(there), [100 * share for share in there.values()])
    figure = lines(curves, x="S", y="pictures, %", log_x=True, y_range=(-2, 103), height=360)
    values = sorted(points)
    figure.update_xaxes(tickvals=values, ticktext=[f"{value:g}" for value in values])
    return figure


def describe_sweep(points: Mapping[float, Mapping[str, float]]) -> str:
    """The same points in words."""
    said = []
    for value, point in sorted(points.items()):
        parts = [f"{name} {100 * point[field]:.0f} %" for field, name in CURVES.items() if point.get(field) is not None]
        said.append(f"S = {value:g}: {', '.join(parts)}")
    return "; ".join(said) + "."


def _of_all(row: Mapping[str, Any], field: str) -> float:
    """A field as a share of all images."""
    return float(row[field] * (row["accuracy"] if field == ZERO else 1))


def _percent() -> dict[str, Any]:
    shares = (0, 25, 50, 75, 100)
    return {"tickvals": list(shares), "ticktext": [f"{share} %" for share in shares]}


def _accuracy(epochs: Rows, field: str, place: int) -> list[dict[str, Any]]:
    there = [row for row in epochs if row.get(field) is not None]
    if not there:
        return []
    colour, dash, symbol = PENS[place]
    return [{
        "type": "scatter", "mode": "lines+markers", "name": CURVES[field], "x": [row["epoch"] for row in there],
        "y": [100 * row[field] for row in there], "line": {"color": colour, "dash": dash, "width": 3},
        "marker": {"color": colour, "symbol": symbol, "size": 9}, "hovertemplate": "%{y:.1f} %",
    }]


def _zero(epochs: Rows) -> list[dict[str, Any]]:
    """The share of images read correctly and without a gradient: a ground that the curve of the own loss rests on."""
    there = [row for row in epochs if row.get(ZERO) is not None and row.get("accuracy") is not None]
    if not there:
        return []
    return [{
        "type": "scatter", "mode": "lines", "name": ZERO_NAME, "x": [row["epoch"] for row in there],
        "y": [100 * _of_all(row, ZERO) for row in there], "line": {"width": 0, "color": GREY}, "fill": "tozeroy",
        "fillcolor": faded(GREY, 0.3), "hovertemplate": "%{y:.1f} %",
    }]


def _losses(epochs: Rows, steps: Rows, total: int) -> tuple[list[float], list[float]]:
    if not steps:
        there = [row for row in epochs if row.get("loss") is not None]
        return [float(row["epoch"]) for row in there], [max(row["loss"], FLOOR) for row in there]
    values = [row["loss"] for row in steps]
    window = max(1, len(values) // SMOOTH)
    means = [sum(part) / len(part) for part in (values[max(0, i + 1 - window) : i + 1] for i in range(len(values)))]
    return [total * row["step"] / row["steps"] for row in steps], [max(mean, FLOOR) for mean in means]
