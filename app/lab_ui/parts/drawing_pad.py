"""The drawing pad: what somebody drew, as strokes that the library draws again."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from tasklab.data import Stroke, digit_strokes

WEB = Path(__file__).parent / "web"
BRUSH = 0.1
MOST_POINTS = 4000
KEPT = "draw_kept"

_pad = st.components.v2.component(
    "tasklab_pad",
    html=(WEB / "pad.html").read_text(encoding="utf-8"),
    css=(WEB / "pad.css").read_text(encoding="utf-8"),
    js=(WEB / "pad.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Strokes and the width of the pen; ``example`` is the digit, if they are still the example's own."""

    strokes: tuple[Stroke, ...]
    brush: float = BRUSH
    example: int | None = None


@dataclass(frozen=True, kw_only=True)
class _Kept:
    turn: int
    example: int | None
    drawing: Drawing


def drawing_pad(example: int | None) -> Drawing:
    """Show the pad, with an example on it or empty, and say what is drawn by now.

    What was drawn stays when the page is left; another example replaces it.
    """
    given = () if example is None else digit_strokes(example)
    kept: _Kept | None = st.session_state.get(KEPT)
    if kept is None or kept.example != example:
        turn = 0 if kept is None else kept.turn + 1  # what is on its way from the browser belongs to an earlier turn
        kept = _Kept(turn=turn, example=example, drawing=Drawing(strokes=given, example=example))
    data = {"token": kept.turn, "strokes": kept.drawing.strokes, "brush": kept.drawing.brush}
    said = _pad(key="draw_pad", data=data, on_drawn_change=lambda: None).get("drawn")
    if isinstance(said, dict) and said.get("token") == kept.turn and (drawn := understood(said)):
        own = example if drawn.strokes == given else None
        kept = dataclasses.replace(kept, drawing=dataclasses.replace(drawn, example=own))
    st.session_state[KEPT] = kept
    return kept.drawing


def understood(said: dict[str, Any]) -> Drawing | None:
    """What a browser sent as a drawing, or None if it is none: anybody can send anything.

    >>> understood({"brush": 0.1, "strokes": [[[0.25, 0.5], [0.75, 0.5]]]})
    Drawing(strokes=(((0.25, 0.5), (0.75, 0.5)),), brush=0.1, example=None)
    >>> understood({"brush": 0.1, "strokes": [[[0.25, "x"]]]}) is None
    True
    """
    try:
        brush = float(said["brush"])
        strokes = tuple(tuple((float(x), float(y)) for x, y in stroke) for stroke in said["strokes"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    parts = [part for stroke in strokes for point in stroke for part in point]
    fine = all(math.isfinite(part) and 0 <= part <= 1 for part in parts) and all(strokes)
    if not fine or not 0.01 <= brush <= 0.5 or len(parts) > 2 * MOST_POINTS:
        return None
    return Drawing(strokes=strokes, brush=brush)
