"""The drawing pad, which hands over a drawing as strokes that `tasklab.data.draw_strokes` turns into an image."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from lab_ui.parts.events import sent_value
from tasklab.codecs import ABNORMAL
from tasklab.data import Stroke, digit_strokes

WEB = Path(__file__).parent / "web"
BRUSH = 0.1
MOST_POINTS = 4000
KEPT = "draw_kept"


def _arc(x: float, y: float, radius: float, begin: float, end: float) -> Stroke:
    """Part of a circle, from one angle to another."""
    angles = [begin + (end - begin) * k / 24 for k in range(25)]
    return tuple((x + radius * math.cos(angle), y + radius * math.sin(angle)) for angle in angles)


FACE = (_arc(0.5, 0.5, 0.36, 0, 2 * math.pi), ((0.37, 0.4), (0.37, 0.42)), ((0.63, 0.4), (0.63, 0.42)),
        _arc(0.5, 0.5, 0.2, 0.15 * math.pi, 0.85 * math.pi))
"""The strokes of a smiling face: a drawing that is no digit."""

_pad = st.components.v2.component(
    "tasklab_pad",
    html=(WEB / "pad.html").read_text(encoding="utf-8"),
    css=(WEB / "pad.css").read_text(encoding="utf-8"),
    js=(WEB / "pad.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A drawing.

    Attributes:
        strokes: points (x, y) of each stroke, in [0, 1].
        brush: width of the pen, as a share of the pad.
        example: the digit, while the strokes are still those of the example, or `ABNORMAL` for the one that shows no
            digit; else None.
    """

    strokes: tuple[Stroke, ...]
    brush: float = BRUSH
    example: int | None = None


@dataclass(frozen=True, kw_only=True)
class _Kept:
    """The present drawing of a session.

    Attributes:
        turn: counts the examples; it comes back with what the browser sends.
        example: what the pad began with; None for an empty one.
        drawing: what is drawn.
    """

    turn: int
    example: int | None
    drawing: Drawing


def drawing_pad(example: int | None) -> Drawing:
    """Show the pad.

    A drawing is kept when the page is left; choosing another example replaces it.

    Args:
        example: digit that the pad begins with, or `ABNORMAL` for a face; None for an empty pad.

    Returns:
        What is drawn on it now.
    """
    strokes = () if example is None else FACE if example == ABNORMAL else digit_strokes(example)
    kept: _Kept | None = st.session_state.get(KEPT)
    if kept is None or kept.example != example:
        turn = 0 if kept is None else kept.turn + 1  # so that strokes still on their way from the browser are ignored
        kept = _Kept(turn=turn, example=example, drawing=Drawing(strokes=strokes, example=example))
    data = {"token": kept.turn, "strokes": kept.drawing.strokes, "brush": kept.drawing.brush}
    sent = _pad(key="draw_pad", data=data, on_drawn_change=lambda: None).get("drawn")
    if isinstance(sent, dict) and sent.get("token") == kept.turn and (drawing := parsed(sent)):
        drawing = dataclasses.replace(drawing, example=example if drawing.strokes == strokes else None)
        kept = dataclasses.replace(kept, drawing=drawing)
    st.session_state[KEPT] = kept
    return kept.drawing


def sending_pad(submit: str, on_sent: Callable[[Drawing | None], None], *, token: int) -> None:
    """Show an empty pad with a button that sends what is drawn. Nothing is kept of it here.

    Args:
        submit: label of the button.
        on_sent: called with the drawing before the page runs again; with None where what was sent is no drawing.
        token: the pad is emptied when this number changes.
    """

    def sent() -> None:
        value = sent_value("room_pad", "sent")
        on_sent(parsed(value) if isinstance(value, dict) else None)

    _pad(key="room_pad", data={"token": token, "strokes": (), "brush": BRUSH, "submit": submit}, on_sent_change=sent,
         on_drawn_change=lambda: None)


def parsed(sent: dict[str, Any]) -> Drawing | None:
    """The drawing in what a browser sent. It is checked, because anybody can send anything; None if it is not valid.

    >>> parsed({"brush": 0.1, "strokes": [[[0.25, 0.5], [0.75, 0.5]]]})
    Drawing(strokes=(((0.25, 0.5), (0.75, 0.5)),), brush=0.1, example=None)
    >>> parsed({"brush": 0.1, "strokes": [[[0.25, "x"]]]}) is None
    True
    """
    try:
        brush = float(sent["brush"])
        strokes = tuple(tuple((float(x), float(y)) for x, y in stroke) for stroke in sent["strokes"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    coordinates = [value for stroke in strokes for point in stroke for value in point]
    valid = all(math.isfinite(value) and 0 <= value <= 1 for value in coordinates) and all(strokes)
    if not valid or not 0.01 <= brush <= 0.5 or len(coordinates) > 2 * MOST_POINTS:
        return None
    return Drawing(strokes=strokes, brush=brush)
