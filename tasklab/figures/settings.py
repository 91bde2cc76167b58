"""Accuracies over a setting that was varied, with intervals over seeds or images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tasklab.evaluation.statistics import Mean, Share
from tasklab.figures.line_chart import apart, lines
from tasklab.figures.panels import panels

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

WIDE = 20.0
"""From this ratio of the largest value to the smallest on, the axis is logarithmic."""

Measured = Mapping[str, Share | Mean]


def over_setting(points: Sequence[tuple[Mapping[str, Any], Measured]], over: str) -> Figure:
    """A line for each quantity over one setting, in a panel for each combination of the others.

    Args:
        points: the settings of each point, and what was measured there, by name of the quantity; shares in 0..1.
        over: the setting across.

    Raises:
        ValueError: nothing was measured.
    """
    groups: dict[str, list[tuple[Any, Measured]]] = {}
    for settings, measured in points:
        others = ", ".join(f"{name} = {value}" for name, value in settings.items() if name != over)
        if measured:
            groups.setdefault(others, []).append((settings[over], measured))
    if not groups:
        raise ValueError("expected at least one point with a measurement, got none; finish a training run first")
    charts = {title: _chart(group, over) for title, group in groups.items()}
    return next(iter(charts.values())) if len(charts) == 1 else panels(charts)


def _chart(points: Sequence[tuple[Any, Measured]], over: str) -> Figure:
    """One panel."""
    values = [value for value, _ in points]
    is_number = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    across = [float(value) if is_number else index for index, value in enumerate(values)]
    names = dict.fromkeys(name for _, measured in points for name in measured)
    curves, spread = {}, {}
    for name in names:
        known = [(x, measured[name]) for x, (_, measured) in zip(across, points, strict=True) if name in measured]
        ends = [share.interval if share.n > 1 else (share.value, share.value) for _, share in known]
        curves[name] = ([x for x, _ in known], [100 * share.value for _, share in known])
        spread[name] = ([100 * low for low, _ in ends], [100 * high for _, high in ends])
    log = is_number and min(across) > 0 and max(across) / min(across) >= WIDE
    figure = lines(curves, x=over, y="images, %", spread=spread, log_x=log, y_range=(-2, 103), height=380)
    texts = {x: f"{value:g}" if is_number else str(value) for x, value in zip(across, values, strict=True)}
    ticks = apart(across, log=log) if is_number else across
    figure.update_xaxes(tickvals=ticks, ticktext=[texts[x] for x in ticks])
    return figure
