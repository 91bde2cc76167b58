"""Several figures as one: each in a panel of its own, with a title above it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tasklab.figures.style import label

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def panels(
    figures: Mapping[str, Figure], *, across: int = 2, row: int = 380, head: int = 45, gap: float = 0.1
) -> Figure:
    """Arrange figures with one pair of axes each, row by row; each name has one entry in the legend.

    Args:
        figures: title to figure; at least one.
        across: panels in a row.
        row: height of a row in pixels.
        head: the part of the height above a panel, for its title.
        gap: between two panels, as a share of the whole width.

    Raises:
        ValueError: there are no figures.

    >>> from tasklab.figures.line_chart import lines
    >>> one = lines({"a": ([0, 1], [1, 2]), "b": ([0, 1], [2, 1])}, x="x", y="y")
    >>> both = panels({"left": one, "right": one})
    >>> [trace.yaxis for trace in both.data], [trace.showlegend for trace in both.data]
    (['y', 'y', 'y2', 'y2'], [True, True, False, False])
    """
    import plotly.graph_objects as go

    if not figures:
        raise ValueError("expected at least one figure, got none")
    columns = min(across, len(figures))
    rows = -(-len(figures) // columns)
    width, height = (1 - gap * (columns - 1)) / columns, row * rows
    traces: list[dict[str, Any]] = []
    layout: dict[str, Any] = next(iter(figures.values())).layout.to_plotly_json()
    layout |= {"annotations": [], "shapes": [], "height": height + 60, "margin": {"l": 8, "r": 8, "t": 60, "b": 8}}
    named: set[str] = set()
    for index, (title, figure) in enumerate(figures.items()):
        end = str(index + 1) if index else ""
        left, top = (width + gap) * (index % columns), 1 - (index // columns) / rows
        bottom = top - (1 / rows) + 70 / height
        axes = figure.layout.to_plotly_json()
        layout[f"xaxis{end}"] = axes["xaxis"] | {"domain": [left, left + width], "anchor": f"y{end}"}
        layout[f"yaxis{end}"] = axes["yaxis"] | {"domain": [bottom, top - head / height], "anchor": f"x{end}"}
        if "scaleanchor" in axes["yaxis"]:
            layout[f"yaxis{end}"] |= {"scaleanchor": f"x{end}"}
        layout["annotations"].append({
            "text": f"<b>{label(title)}</b>", "xref": "paper", "yref": "paper", "x": left + width / 2, "y": top,
            "xanchor": "center", "yanchor": "top", "showarrow": False, "font": {"size": 16},
        })
        for trace in figure.data:
            name = trace.name or ""
            shown = layout["showlegend"] and trace.showlegend is not False and name not in named
            traces.append(trace.to_plotly_json() | {"xaxis": f"x{end}", "yaxis": f"y{end}", "legendgroup": name,
                                                    "showlegend": bool(shown)})
            named.add(name)
    layout["legend"] = {"orientation": "h", "y": 1 + 12 / height, "yanchor": "bottom", "x": 0}
    return go.Figure({"data": traces, "layout": layout})
