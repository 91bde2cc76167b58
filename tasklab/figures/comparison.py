"""A published table beside what was measured: three bars in each of its cells, with their numbers and a word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasklab.evaluation.statistics import Share
from tasklab.figures.style import BLUE, GREY, ORANGE, faded, frame, label
from tasklab.figures.words import in_words
from tasklab.text import in_html

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

ROW = 104
"""Height of a row in pixels."""

BARS: dict[str, tuple[float, dict[str, Any]]] = {
    "published": (-0.33, {"color": faded(GREY, 0.12), "line": {"color": GREY, "width": 1.5}}),
    "measured": (-0.1, {"color": faded(BLUE, 0.4), "line": {"color": BLUE, "width": 1.5}}),
    "adaptive": (0.13, {"color": faded(ORANGE, 0.15), "line": {"color": ORANGE, "width": 1.5},
                        "pattern": {"shape": "/", "fgcolor": ORANGE, "size": 6, "solidity": 0.25}}),
}
"""Each bar's place in a cell and its look: framed, filled or hatched."""

WIDTH = 0.9
"""The length of a bar of 100 %, in widths of a cell."""


SHORT = 50
"""In percent; the number of a shorter bar stands beside it."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One cell of the table.

    Attributes:
        published: in percent; None where the paper has no number.
        measured: the same, measured here; None where it was not.
        adaptive: the accuracy under attacks on the decision; None if they were not made, or without an attack.
        arrows: after each of the three numbers, whether it rose or fell; empty where nothing is compared.
        word: the verdict on the measured number, or what is missing.
        note: a sentence that is shown on hover.
    """

    published: float | None
    measured: Share | None
    adaptive: Share | None
    arrows: tuple[str, str, str] = ("", "", "")
    word: str = ""
    note: str = ""

    @property
    def shown(self) -> dict[str, tuple[float, str] | None]:
        """Percentage and text of each bar; None where there is none."""
        percents = [self.published, *(None if share is None or not share.n else 100 * share.value
                                      for share in (self.measured, self.adaptive))]
        return {name: None if percent is None else (percent, f"{percent:.1f}{arrow}")
                for name, percent, arrow in zip(BARS, percents, self.arrows, strict=True)}


def comparison(
    rows: Mapping[str, Sequence[Compared]], columns: Sequence[str], *, height: int | None = None
) -> Figure:
    """The table as a figure: rows and columns as published, and in each cell the three numbers as bars.

    Args:
        rows: by their names, of one line or more, each with one cell for each column.
        columns: their names.
        height: in pixels; by default it grows with the number of rows.

    Raises:
        ValueError: there are no rows, or rows of another length.

    >>> cell = Compared(published=99.3, measured=Share(64, 100), adaptive=Share(0, 100), word="masked")
    >>> figure = comparison({"RBC": [cell]}, ["PGD"])
    >>> [trace.name for trace in figure.data if trace.type == "bar"]
    ['published', 'measured', 'adaptive']
    """
    import plotly.graph_objects as go

    if not rows or any(len(cells) != len(columns) for cells in rows.values()):
        raise ValueError(f"expected rows of {len(columns)} cells, got {[len(cells) for cells in rows.values()]}")
    places = [(x, y, cell) for y, cells in enumerate(rows.values()) for x, cell in enumerate(cells)]
    traces: list[dict[str, Any]] = [{
        "type": "heatmap", "x": list(range(len(columns))), "y": list(range(len(rows))), "zmin": 0, "zmax": 1,
        "z": [[0] * len(columns) for _ in rows], "colorscale": [[0, faded(GREY, 0.06)], [1, faded(GREY, 0.06)]],
        "showscale": False, "xgap": 3, "ygap": 3, "hovertemplate": "%{customdata}<extra></extra>",
        "customdata": [[in_html(cell.note) for cell in cells] for cells in rows.values()],
    }]
    text: list[tuple[float, float, str]] = []
    for name, (offset, look) in BARS.items():
        bars = [(x, y + offset, shown) for x, y, cell in places if (shown := cell.shown[name]) is not None]
        traces.append({
            "type": "bar", "name": name, "orientation": "h", "y": [y for _, y, _ in bars], "width": 0.19,
            "x": [WIDTH * percent / 100 for _, _, (percent, _) in bars], "base": [x - WIDTH / 2 for x, _, _ in bars],
            "marker": look, "hoverinfo": "skip",
        })
        text += [(x - WIDTH / 2 + (WIDTH * percent / 100 if percent < SHORT else 0), y, f" {words}")
                 for x, y, (percent, words) in bars]
    text += [(x - WIDTH / 2, y + 0.36, f" <i>{label(cell.word)}</i>") for x, y, cell in places if cell.word]
    traces.append({
        "type": "scatter", "mode": "text", "x": [x for x, _, _ in text], "y": [y for _, y, _ in text],
        "text": [words for *_, words in text], "textposition": "middle right", "textfont": {"size": 13},
        "hoverinfo": "skip", "showlegend": False,
    })
    across = {"side": "top", "tickvals": list(range(len(columns))), "ticktext": [label(name) for name in columns],
              "range": [-0.5, len(columns) - 0.5]}
    down = {"tickvals": list(range(len(rows))), "ticktext": [_lines(name) for name in rows],
            "range": [len(rows) - 0.5, -0.5], "tickfont": {"size": 14}}
    layout = frame(height or 90 + ROW * len(rows), legend=True, xaxis=across, yaxis=down)
    layout["legend"] |= {"y": 1 + 40 / (ROW * len(rows)), "traceorder": "normal"}
    layout["margin"] |= {"t": 70}
    figure = go.Figure({"data": traces, "layout": layout | {"bargap": 0}})
    return in_words(figure, describe_comparison(rows, columns))


def _lines(name: str) -> str:
    return "<br>".join(map(label, name.split("\n")))


def describe_comparison(rows: Mapping[str, Sequence[Compared]], columns: Sequence[str]) -> str:
    """The table in words, a sentence for each row."""
    sentences = []
    for name, cells in rows.items():
        parts = []
        for column, cell in zip(columns, cells, strict=True):
            numbers = [f"{which} {shown[1]} %" for which, shown in cell.shown.items() if shown is not None]
            parts.append(f"{column}: {', '.join([*numbers, *filter(None, [cell.word])])}")
        sentences.append(f"{name.replace(chr(10), ', ')}. {'; '.join(parts)}.")
    return " ".join(sentences)
