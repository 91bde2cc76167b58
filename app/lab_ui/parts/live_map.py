"""A map that moves in the browser: it forms, follows an attack step by step, and is lassoed and clicked."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import ArrayLike, NDArray

from lab_ui.parts.events import word_from
from tasklab.figures.maps import COLOURS, NAMED, REACHES, SYMBOLS, Stops, Window, map_window, merged_stops
from tasklab.figures.style import LOOKS
from tasklab.tasks import Task

WEB = Path(__file__).parent / "web"
UNIT = 10000
HTML = """
<div class="map">
  <div class="bar">
    <button type="button" class="play">▶ Watch it form</button>
    <label class="steps" hidden>Step <input type="range" min="0" max="0" value="0" step="1">
      <output></output></label>
    <button type="button" class="go" aria-label="Play the attack" title="Play the attack">▶</button>
    <select class="paint" aria-label="What colours tell"><option value="class">colour: true class</option>
      <option value="outcome">colour: what is read</option></select>
    <select class="choose" aria-label="Pick a class"></select>
  </div>
  <p class="said"></p>
  <canvas role="img"></canvas>
  <div class="tip" hidden></div>
</div>
"""

_map = st.components.v2.component(
    "tasklab_map", html=HTML, css=(WEB / "living_map.css").read_text(encoding="utf-8"),
    js=(WEB / "living_map.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Moves:
    """Many pictures under an attack, step by step.

    Attributes:
        rows: the map's points ``(M,)`` that move.
        positions: ``(T, M, 2)``.
        decoded: ``(T, M)``.
        numbers: of the steps ``(T,)``; the first is the clean picture.
    """

    rows: Sequence[int]
    positions: NDArray[np.float64]
    decoded: NDArray[np.int64]
    numbers: Sequence[int]


def living_map(
    positions: NDArray[np.float64], labels: ArrayLike, classes: Sequence[str], decoded: ArrayLike, *, key: str,
    alt: str, said: str, name: str, frames: Sequence[NDArray[np.float64]] = (), forming: int | None = None,
    moves: Moves | None = None, stops: Stops | None = None, line: Task | None = None, height: int = 600,
    on_pick: Callable[[list[int], int], None], on_open: Callable[[int], None],
) -> None:
    """Draw a map; points of a map before it, of the same pictures, move to their new places.

    Args:
        positions: ``(N, 2)`` of the map, or of the frame it has come to.
        labels, classes, decoded: true classes ``(N,)``, their names, and what the pictures are read as ``(N,)``.
        key: of the component.
        alt: the same in words.
        said: a line under the map.
        name: of the map: another one, another name.
        frames: of its formation, to be watched again.
        forming: the number of the frame, for a map that is on its way.
        moves: pictures that an attack moves; it adds a slider.
        stops: of one attack.
        line: an interval task whose outputs are the map.
        on_pick: called with the rows inside a lasso and the step at which they were.
        on_open: called with the row that was clicked.
    """
    window = map_window(positions, line)
    shared: list[NDArray[np.float64]] = [window(positions)]
    data: dict[str, Any] = {
        "map": name, "rows": list(range(len(positions))), "labels": _ints(labels), "decoded": _ints(decoded),
        "classes": list(classes), "names": len(classes) <= NAMED and line is None, "alt": alt, "said": said,
        "colours": [COLOURS[k % len(COLOURS)] for k in range(len(classes))], "forming": forming is not None,
        "frame": forming, "height": height,
        "symbols": [SYMBOLS[k % len(SYMBOLS)] for k in range(len(classes))], "home": _packed(shared[0]),
        "looks": [asdict(LOOKS[kind]) for kind in ("correct", "wrong", "abnormal")],
        "frames": [_packed(Window.around(frame)(frame)) for frame in frames],
    }
    if moves is not None:
        there = [window(each) for each in moves.positions]
        shared += there
        packed = [_packed(each) for each in there]
        data["steps"] = {"rows": list(moves.rows), "places": packed, "decoded": moves.decoded.tolist(),
                         "numbers": list(moves.numbers)}
        data["stepsId"] = hashlib.sha256("".join(packed).encode()).hexdigest()[:16]
    if stops is not None:
        spots, heard, words = merged_stops(stops, window)
        shared.append(spots)
        data["stops"] = {"places": _packed(spots), "decoded": heard, "numbers": words, "label": stops.label}
    if line is not None and line.line is not None:
        ends = [window(np.array([[low, 0.0], [high, 0.0]]))[:, 0].tolist()
                for low, high in zip(line.line.lower, line.line.upper, strict=True)]
        data["bands"] = [[low, high, k] for k, (low, high) in enumerate(ends)]
    data["reach"] = [max(_reach(each[:, axis]) for each in shared) for axis in (0, 1)]

    def picked() -> None:
        if (told := word_from(key, "picked")) is not None:
            on_pick([int(row) for row in told["rows"]], int(told["step"]))

    def opened() -> None:
        if (row := word_from(key, "opened")) is not None:
            on_open(int(row))

    _map(key=key, data=data, on_picked_change=picked, on_opened_change=opened)


def _reach(values: NDArray[np.float64]) -> float:
    """How far an axis goes to hold all but a few, in steps, so that the picture does not jump with every new point."""
    most = float(np.quantile(np.abs(values), 0.98)) if len(values) > 50 else float(np.abs(values).max(initial=0.0))
    return next((stop for stop in (0.5, 0.65, 0.8, 0.95, 1.12, 1.3, *REACHES[1:]) if most <= stop / 1.06), REACHES[-1])


def _packed(places: NDArray[np.float64]) -> str:
    return base64.b64encode((places * UNIT).clip(-32767, 32767).round().astype("<i2").tobytes()).decode()


def _ints(values: ArrayLike) -> list[int]:
    return [int(v) for v in np.asarray(values).reshape(-1)]
