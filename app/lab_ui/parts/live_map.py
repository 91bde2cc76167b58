"""A map of features that is animated in the browser: it forms, follows an attack, and points on it can be picked."""

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

from lab_ui.parts.events import sent_value
from lab_ui.parts.thumbnails import Sheet
from tasklab.figures.maps import COLOURS, NAMED, REACHES, SYMBOLS, Stops, Window, map_window, merged_stops
from tasklab.figures.style import LOOKS
from tasklab.tasks import Task

WEB = Path(__file__).parent / "web"
UNIT = 10000
"""Positions are sent as 16-bit integers in units of 1/10000 of half the window."""
HTML = """
<div class="map">
  <div class="bar">
    <button type="button" class="play">▶ Watch it form</button>
    <label class="steps" hidden>Step <input type="range" min="0" max="0" value="0" step="1">
      <output></output></label>
    <button type="button" class="go" aria-label="Play the attack" title="Play the attack">▶</button>
    <select class="paint" aria-label="What the colours mean"><option value="class">colour: true class</option>
      <option value="outcome">colour: right, wrong or None</option></select>
    <select class="choose" aria-label="Pick a class"></select>
  </div>
  <p class="said"></p>
  <canvas tabindex="0" role="application" aria-describedby="map-keys"></canvas>
  <p class="keys" id="map-keys">The arrow keys go from point to point or, together with Shift, to the next image; Enter
    opens the image in the attack lab.</p>
  <div class="tip" hidden><span class="thumb" hidden></span><span class="words"></span></div>
  <p class="heard" role="status"></p>
</div>
"""

_map = st.components.v2.component(
    "tasklab_map", html=HTML, css=(WEB / "living_map.css").read_text(encoding="utf-8"),
    js=(WEB / "living_map.js").read_text(encoding="utf-8"),
)

_sheet = st.components.v2.component("tasklab_sheet", js=(WEB / "sheet.js").read_text(encoding="utf-8"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Moves:
    """Many images under an attack, step by step.

    Attributes:
        rows: indices ``(M,)`` of the map's points that move.
        positions: on the map after each step ``(T, M, 2)``; the first are those of the clean images.
        decoded: labels read after each step ``(T, M)``; -1 is None.
        numbers: of the steps ``(T,)``, beginning with 0.
    """

    rows: Sequence[int]
    positions: NDArray[np.float64]
    decoded: NDArray[np.int64]
    numbers: Sequence[int]


def sheet_of_images(sheet: Sheet, *, key: str) -> str:
    """Send the images of a map's points to the browser, once for all maps of the same images.

    Args:
        sheet: the images, in the order of the map's points.
        key: of the component, which draws nothing.

    Returns:
        The name by which `living_map` finds them.
    """
    name = hashlib.sha256(sheet.source.encode()).hexdigest()[:16]
    _sheet(key=key, data={"name": name} | asdict(sheet))
    return name


def living_map(
    positions: NDArray[np.float64], labels: ArrayLike, classes: Sequence[str], decoded: ArrayLike, *, key: str,
    alt: str, caption: str, name: str, sheet: str, frames: Sequence[NDArray[np.float64]] = (),
    forming: int | None = None, moves: Moves | None = None, stops: Stops | None = None, line: Task | None = None,
    height: int = 600, on_pick: Callable[[list[int], int], None], on_open: Callable[[int], None],
) -> None:
    """Draw a map. Points that another map of the same images has shown before move to their new positions.

    Args:
        positions: ``(N, 2)``, of the finished map or of the newest frame of one that is forming.
        labels: true classes ``(N,)``.
        classes: names of the classes.
        decoded: labels read ``(N,)``; -1 is None.
        key: of the component.
        alt: description of the map for those who do not see it.
        caption: a line under the map.
        name: tells the map from others, so that the browser knows when it is another one.
        sheet: name of the points' images, from `sheet_of_images`.
        frames: positions while the map formed, to be played again.
        forming: number of the frame, for a map that is still forming; else None.
        moves: images that an attack moves; they add a slider for the step.
        stops: one image under attack, drawn as numbered stops.
        line: a task with intervals, where the map is its line of outputs.
        height: in pixels.
        on_pick: called with the rows inside a lasso and the number of the step shown.
        on_open: called with the row of a point that was clicked.
    """
    window = map_window(positions, line)
    shared: list[NDArray[np.float64]] = [window(positions)]
    data: dict[str, Any] = {
        "map": name, "sheet": sheet, "rows": list(range(len(positions))),
        "labels": _ints(labels), "decoded": _ints(decoded),
        "classes": list(classes), "names": len(classes) <= NAMED and line is None, "alt": alt, "said": caption,
        "colours": [COLOURS[k % len(COLOURS)] for k in range(len(classes))], "forming": forming is not None,
        "frame": forming, "height": height,
        "symbols": [SYMBOLS[k % len(SYMBOLS)] for k in range(len(classes))], "home": _packed(shared[0]),
        "looks": [asdict(LOOKS[kind]) for kind in ("correct", "wrong", "abnormal")],
        "frames": [_packed(Window.around(frame)(frame)) for frame in frames],
    }
    if moves is not None:
        steps = [window(positions_at) for positions_at in moves.positions]
        shared += steps
        packed = [_packed(step) for step in steps]
        data["steps"] = {"rows": list(moves.rows), "places": packed, "decoded": moves.decoded.tolist(),
                         "numbers": list(moves.numbers)}
        data["stepsId"] = hashlib.sha256("".join(packed).encode()).hexdigest()[:16]
    if stops is not None:
        spots, readings, words = merged_stops(stops, window)
        shared.append(spots)
        data["stops"] = {"places": _packed(spots), "decoded": readings, "numbers": words, "label": stops.label}
    if line is not None and line.line is not None:
        ends = [window(np.array([[low, 0.0], [high, 0.0]]))[:, 0].tolist()
                for low, high in zip(line.line.lower, line.line.upper, strict=True)]
        data["bands"] = [[low, high, k] for k, (low, high) in enumerate(ends)]
    data["reach"] = [max(_reach(points[:, axis]) for points in shared) for axis in (0, 1)]

    def picked() -> None:
        if (sent := sent_value(key, "picked")) is not None:
            on_pick([int(row) for row in sent["rows"]], int(sent["step"]))

    def opened() -> None:
        if (row := sent_value(key, "opened")) is not None:
            on_open(int(row))

    _map(key=key, data=data, on_picked_change=picked, on_opened_change=opened)


def _reach(values: NDArray[np.float64]) -> float:
    """How far an axis reaches to hold all but a few points; rounded up to a stop, so that it rarely changes."""
    end = float(np.quantile(np.abs(values), 0.98)) if len(values) > 50 else float(np.abs(values).max(initial=0.0))
    return next((stop for stop in (0.5, 0.65, 0.8, 0.95, 1.12, 1.3, *REACHES[1:]) if end <= stop / 1.06), REACHES[-1])


def _packed(positions: NDArray[np.float64]) -> str:
    """Positions as base64 of little-endian 16-bit integers."""
    return base64.b64encode((positions * UNIT).clip(-32767, 32767).round().astype("<i2").tobytes()).decode()


def _ints(values: ArrayLike) -> list[int]:
    return [int(v) for v in np.asarray(values).reshape(-1)]
