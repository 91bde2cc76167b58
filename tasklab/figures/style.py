"""The look of each outcome (colour, marker, word), and the layout that all figures share."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tasklab.codecs import ABNORMAL
from tasklab.text import in_html, one_line

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

BLUE = "#1f78c8"
ORANGE = "#e0700a"
GREY = "#8a8a8a"
"""Each at a contrast of at least 3 with white and with black."""

LENGTHS = {"height", "xshift", "yshift", "ax", "ay"}
"""Properties of a layout and of its annotations that are lengths in pixels."""

Outcome = Literal["correct", "wrong", "abnormal"]


@dataclass(frozen=True, kw_only=True)
class Look:
    """How an outcome is shown; never by colour alone.

    Attributes:
        colour: of lines and markers, ``#rrggbb``.
        fill: the same colour, transparent.
        symbol: plotly's name of the marker.
        sign: the marker as a character.
        word: the outcome in a word.
    """

    colour: str
    fill: str
    symbol: str
    sign: str
    word: str


def faded(colour: str, alpha: float) -> str:
    """A colour ``#rrggbb`` with an opacity from 0 to 1.

    >>> faded("#ff0080", 0.5)
    'rgba(255,0,128,0.5)'
    """
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


LOOKS: dict[Outcome, Look] = {
    "correct": Look(colour=BLUE, fill=faded(BLUE, 0.4), symbol="diamond", sign="●", word="correct"),
    "wrong": Look(colour=ORANGE, fill=faded(ORANGE, 0.45), symbol="x", sign="✕", word="wrong"),
    "abnormal": Look(colour=GREY, fill=faded(GREY, 0.3), symbol="square-x-open", sign="▨", word="None"),
}
"""The look of each outcome, the same in every figure and on every page."""


def outcome_of(decoded: int, label: int) -> Outcome:
    """The outcome of one example.

    Args:
        decoded: the label that was read; -1 for None.
        label: the true class.

    >>> outcome_of(3, 3), outcome_of(5, 3), outcome_of(-1, 3)
    ('correct', 'wrong', 'abnormal')
    """
    if decoded == ABNORMAL:
        return "abnormal"
    return "correct" if decoded == label else "wrong"


def look_of(decoded: int, label: int) -> Look:
    """The look of one example's outcome."""
    return LOOKS[outcome_of(decoded, label)]


def label(text: object) -> str:
    """A name escaped for plotly, which reads its texts as HTML; shortened to 60 characters.

    >>> label('<a href="x">7</a>')
    '&lt;a href=&quot;x&quot;&gt;7&lt;/a&gt;'
    """
    return in_html(text, 60)


def frame(height: int, *, legend: bool, xaxis: dict[str, Any], yaxis: dict[str, Any]) -> dict[str, Any]:
    """The layout that all figures share: transparent, large type, narrow margins, no zooming.

    Args:
        height: in pixels.
        legend: whether the figure has a legend.
        xaxis: further settings of the x axis.
        yaxis: further settings of the y axis.
    """
    fixed = {"fixedrange": True, "automargin": True, "showgrid": False, "zeroline": False}
    return {
        "xaxis": fixed | {"tickfont": {"size": 15}, "tickangle": 0} | xaxis,
        "yaxis": fixed | {"tickfont": {"size": 13}} | yaxis,
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 30 if legend else 6, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"size": 15},
        "showlegend": legend,
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "barmode": "overlay",
        "bargap": 0.15,
        "dragmode": False,
        "hoverlabel": {"font": {"size": 15}},
    }


def titled(figure: Figure, title: str) -> Figure:
    """A copy of a figure with a title above it, for a file that is read without the page that explains it.

    Args:
        figure: it is not changed.
        title: plain text; it is broken into lines.

    >>> titled(blank("nothing"), "RBC · MNIST · n = 100").layout.title.text
    'RBC · MNIST · n = 100'
    """
    import plotly.graph_objects as go

    lines = textwrap.wrap(one_line(title), 80)
    copy, room = go.Figure(figure), 26 * len(lines) + 12
    layout = copy.layout
    layout.title = {"text": "<br>".join(in_html(line) for line in lines), "x": 0.01, "xanchor": "left", "y": 1,
                    "yref": "container", "yanchor": "top", "pad": {"t": 10}, "font": {"size": 17}}
    layout.margin.t = (layout.margin.t or 0) + room
    if layout.height:
        layout.height += room
    return copy


def enlarged(figure: Figure, factor: float) -> Figure:
    """A copy of a figure that is higher, with larger type, markers and lines, for the last row of a lecture hall.

    Args:
        figure: it is not changed.
        factor: how much larger; the width is that of the page.

    >>> larger = enlarged(blank("nothing", height=300), 1.5)
    >>> larger.layout.height, larger.layout.xaxis.tickfont.size, larger.data[0].textfont.size
    (450.0, 22.5, 27.0)
    """
    import plotly.graph_objects as go

    copy = go.Figure(figure)
    size = {"font": {"size": copy.layout.font.size or 12}}  # where it is not set, the page's own theme would set it
    for part in (copy.layout.legend, *(axis.title for axis in (*copy.select_xaxes(), *copy.select_yaxes()))):
        if part.font.size is None:
            part.update(size)
    return go.Figure(_scaled(copy.to_dict(), factor))


def _scaled(part: Any, factor: float, inside: str = "") -> Any:
    """A part of a figure, the value of the property ``inside``, with all lengths in pixels multiplied by a factor."""
    if isinstance(part, (list, tuple)):
        return [_scaled(each, factor, inside) for each in part]
    if not isinstance(part, dict):
        return part
    kinds = {"marker": {"size"}, "margin": {"l", "r", "t", "b"}, "line": {"width"}, "layout": LENGTHS,
             "annotations": LENGTHS}
    lengths = {"size"} if inside.endswith("font") else kinds.get(inside, set())
    return {key: _times(value, factor) if key in lengths else _scaled(value, factor, key)
            for key, value in part.items()}


def _times(length: Any, factor: float) -> Any:
    """A length in pixels, or one for each point, multiplied by a factor; anything else as it is."""
    if isinstance(length, (list, tuple)):
        return [_times(each, factor) for each in length]
    return length if isinstance(length, (str, bool, dict, type(None))) else length * factor


def blank(words: str, height: int = 330) -> Figure:
    """A figure that only says why it is empty, for a panel whose numbers are missing.

    Args:
        words: such as ``"not made"``.
        height: in pixels.
    """
    import plotly.graph_objects as go

    hidden = {"showticklabels": False, "ticks": "", "range": [-1, 1]}
    text = {"type": "scatter", "mode": "text", "x": [0], "y": [0], "text": [label(words)], "hoverinfo": "skip",
            "textfont": {"size": 18}, "showlegend": False}
    return go.Figure({"data": [text], "layout": frame(height, legend=False, xaxis=hidden, yaxis=hidden)})
