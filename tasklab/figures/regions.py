"""Decision regions in the plane: what each place is read as, where a loss is flat, and where attacks go.

Full colour means that the objective's gradient is exactly zero there (dots: nowhere to go), pale colour that it has one
(arrows: the way that the attack goes). What is read as None is hatched grey.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tasklab.codecs import ABNORMAL
from tasklab.experiments.plane import PlaneTrajectory, Regions
from tasklab.figures.pictures import Pixels, to_png
from tasklab.figures.style import GREY, frame, look_of

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Trace = dict[str, Any]
Mask = NDArray[np.bool_]

CLASS_COLOURS = ("#8f4fd0", "#00866b", "#b8860b", "#d6336c")
"""Of classes: neither the blue of correct nor the orange of wrong, with a contrast of 3 to white and to black."""

CLASS_SYMBOLS = ("circle", "square", "triangle-up", "diamond")

ARROWS = 21
"""Arrows and dots along each side."""

PIXELS = 540
"""About the side of the picture under the figure."""

FLAT, SLOPED, EDGE = 0.66, 0.24, 0.95
"""How dense a class's colour is: without a gradient, with one, along the edge of what is flat."""

INK, PAPER = "#101418", "#ffffff"

SAME = {"marker": {"opacity": 1}}
"""A click on one place leaves the others as they are."""


def plane(
    regions: Regions,
    *,
    classes: Sequence[str] = "ABCD",
    points: Tensor | None = None,
    labels: Tensor | None = None,
    trajectories: Sequence[PlaneTrajectory] = (),
    marked: Tensor | None = None,
    eps: float | None = None,
    picks: int = 0,
    height: int = 520,
) -> Figure:
    """The unit square as one system reads it.

    Args:
        regions: as `tasklab.experiments.plane.regions` found them, for up to four classes.
        classes: their names.
        points, labels: float32 ``(N, 2)`` and int64 ``(N,)``, drawn with each class's own marker.
        trajectories: attacks on one and the same point.
        marked: float32 ``(2,)``, a point to put a ring around.
        eps: radius of the square within which attacks stay, drawn around the point.
        picks: invisible squares along each side, to be hovered and clicked.
        height: in pixels; the square fills it.

    Raises:
        ValueError: more classes than there are colours.
    """
    if regions.task.num_classes > len(CLASS_COLOURS):
        raise ValueError(
            f"expected at most {len(CLASS_COLOURS)} classes to draw, got {regions.task.num_classes}; try 'blobs'"
        )
    traces: list[Trace] = [_field(regions, ARROWS)]
    if points is not None and labels is not None:
        traces += _points(points, labels, classes)
    if picks:
        traces.append(_picks(regions, picks, classes))
    if marked is not None:
        traces.append(_ring("marked", *marked.tolist()))
    for each in trajectories:
        traces += _way(each)
    for each in trajectories:
        traces += _end(each)
    axis = {"range": [0, 1], "visible": False, "constrain": "domain"}
    layout = frame(height, legend=False, xaxis=axis, yaxis=axis | {"scaleanchor": "x"})
    layout["margin"] = {"l": 0, "r": 0, "t": 0, "b": 0}
    layout["images"] = [{"source": data_url(region_pixels(regions)), "xref": "x", "yref": "y", "x": 0, "y": 1,
                         "sizex": 1, "sizey": 1, "sizing": "stretch", "layer": "below"}]
    layout["shapes"] = [{"type": "rect", "name": "edge", "x0": 0, "x1": 1, "y0": 0, "y1": 1,
                         "line": {"color": GREY, "width": 1}}]
    centre = trajectories[0].points[0] if trajectories else marked
    if eps is not None and centre is not None:
        x, y = centre.tolist()
        layout["shapes"].append({"type": "rect", "name": "eps", "x0": max(0, x - eps), "x1": min(1, x + eps),
                                 "y0": max(0, y - eps), "y1": min(1, y + eps),
                                 "line": {"color": GREY, "width": 2, "dash": "dot"}})
    layout["annotations"] = _words(regions, classes)
    import plotly.graph_objects as go

    return go.Figure({"data": traces, "layout": layout})


def region_pixels(regions: Regions, side: int = PIXELS) -> Pixels:
    """The ground of `plane` as pixels: see-through, so that it reads on white and on black.

    Args:
        regions: what to draw.
        side: about how many pixels along each side; a cell becomes a whole number of them, with rounded corners.

    Returns:
        uint8 ``(side, side, 4)``, the top row first.
    """
    scale = max(1, round(side / regions.side))
    decoded = regions.decoded.cpu().numpy()
    kinds = np.array([ABNORMAL, *range(regions.task.num_classes)])
    read = kinds[np.argmax([_smooth(decoded == k, scale) for k in kinds], axis=0)]
    flat = (_smooth(regions.flat.cpu().numpy(), scale) > 127) & (read >= 0)
    pixels = np.zeros((*read.shape, 4), dtype=np.uint8)
    for k in range(regions.task.num_classes):
        here = read == k
        pixels[here, :3] = _rgb(CLASS_COLOURS[k])
        pixels[here, 3] = round(255 * SLOPED)
    pixels[flat, 3] = round(255 * FLAT)
    pixels[_edge(flat), 3] = round(255 * EDGE)
    y, x = np.indices(read.shape)
    none = read == ABNORMAL
    pixels[none, :3] = _rgb(GREY)
    pixels[none & ((x + y) % 14 < 3), 3] = round(255 * 0.6)
    return pixels[::-1].copy()


def data_url(pixels: Pixels) -> str:
    """Pixels as a PNG within an address, for a figure or a page."""
    return "data:image/png;base64," + base64.b64encode(to_png(pixels)).decode()


def describe_regions(
    name: str, regions: Regions, trajectories: Sequence[PlaneTrajectory] = (), classes: Sequence[str] = "ABCD"
) -> str:
    """What `plane` shows, in words."""
    shares = [
        f"{classes[k]} {_percent(float((regions.decoded == k).float().mean()))}"
        for k in range(regions.task.num_classes)
    ]
    said = [
        f"{name}: the square is read as {', '.join(shares)}, None {_percent(regions.none_share)}. "
        f"The gradient of the {_climbed(regions.objective)} is exactly zero on {_percent(regions.flat_share)} "
        "of what is read as a class."
    ]
    for each in trajectories:
        start = f"An attack on a point of class {classes[each.label]} that climbs the {_climbed(each.objective)}"
        if each.zero_gradient:
            said.append(f"{start} finds no gradient and stays.")
        else:
            end = "None" if each.end == ABNORMAL else classes[each.end]
            said.append(f"{start} ends after {len(each.points) - 1} steps, read as {end}.")
    return " ".join(said)


def _field(regions: Regions, count: int) -> Trace:
    """Arrows along the gradient, dots where there is none; nothing where None is read."""
    at = np.floor((np.arange(count) + 0.5) / count * regions.side).astype(int)
    rows, columns = (each.ravel() for each in np.meshgrid(at, at, indexing="ij"))
    read = regions.decoded.cpu().numpy()[rows, columns]
    keep = read >= 0
    rows, columns, read = rows[keep], columns[keep], read[keep]
    gradient = regions.gradient.cpu().numpy()[rows, columns].astype(np.float64)
    still = (gradient == 0).all(axis=1)
    angle = np.degrees(np.arctan2(gradient[:, 0], gradient[:, 1]))  # clockwise from up
    return {
        "type": "scatter", "mode": "markers", "name": "gradient", "hoverinfo": "skip",
        "x": (columns + 0.5) / regions.side, "y": (rows + 0.5) / regions.side,
        "marker": {
            "symbol": np.where(still, "circle", "arrow").astype(object), "angle": np.where(still, 0.0, angle),
            "size": np.where(still, 4, 9), "line": {"width": 0},
            "color": np.where(still, PAPER, np.array(CLASS_COLOURS, dtype=object)[read]),
        },
        "unselected": SAME,
    }


def _points(points: Tensor, labels: Tensor, classes: Sequence[str]) -> list[Trace]:
    places, y = points.cpu().numpy(), labels.cpu().numpy()
    return [
        {"type": "scatter", "mode": "markers", "name": f"points of class {classes[k]}", "hoverinfo": "skip",
         "x": places[y == k, 0], "y": places[y == k, 1],
         "marker": {"symbol": CLASS_SYMBOLS[k], "size": 7, "color": CLASS_COLOURS[k],
                    "line": {"width": 1, "color": PAPER}}, "unselected": SAME}
        for k in np.unique(y).tolist()
    ]


def _picks(regions: Regions, count: int, classes: Sequence[str]) -> Trace:
    at = (np.arange(count) + 0.5) / count
    y, x = (each.ravel() for each in np.meshgrid(at, at, indexing="ij"))
    rows, columns = (np.floor(v * regions.side).astype(int) for v in (y, x))
    read = regions.decoded.cpu().numpy()[rows, columns]
    margin = regions.margin.cpu().numpy()[rows, columns]
    flat = regions.flat.cpu().numpy()[rows, columns]
    words = [
        "read as None" if k < 0 else
        f"read as {classes[k]}, margin {m:.3g}<br>gradient {'exactly 0' if f else 'not 0'}"
        for k, m, f in zip(read.tolist(), margin.tolist(), flat.tolist(), strict=True)
    ]
    hidden = {"marker": {"opacity": 0}}
    return {
        "type": "scatter", "mode": "markers", "name": "places", "x": x, "y": y,
        "text": np.array(words, dtype=object), "hovertemplate": "%{text}<extra></extra>",
        "marker": {"symbol": "square", "size": 16, "opacity": 0}, "selected": hidden, "unselected": hidden,
    }


def _way(each: PlaneTrajectory) -> list[Trace]:
    """A light line on a dark one, its steps, and a ring where it starts; nothing for an attack that did not move."""
    if not each.moved:
        return []
    base = {"type": "scatter", "x": each.points[:, 0].tolist(), "y": each.points[:, 1].tolist(), "hoverinfo": "skip"}
    name, dash = _climbed(each.objective), "dot" if each.objective == "train" else "solid"
    step = {"size": 6, "color": PAPER, "line": {"width": 1, "color": INK}}
    return [
        base | {"mode": "lines", "name": f"{name}, outline", "line": {"color": INK, "width": 6}},
        base | {"mode": "lines+markers", "name": name, "line": {"color": PAPER, "width": 3, "dash": dash},
                "marker": step, "unselected": SAME},
        _ring(f"{name}, start", *each.points[0].tolist()),
    ]


def _ring(name: str, x: float, y: float) -> Trace:
    ring = {"symbol": "circle", "size": 15, "color": PAPER, "line": {"width": 4, "color": INK}}
    return {"type": "scatter", "mode": "markers", "name": name, "x": [x], "y": [y], "hoverinfo": "skip", "marker": ring,
            "unselected": SAME}


def _end(each: PlaneTrajectory) -> list[Trace]:
    """What became of the point, in the marker of its outcome."""
    x, y = each.points[-1].tolist()
    look, name = look_of(each.end, each.label), _climbed(each.objective)
    base = {"type": "scatter", "mode": "markers", "x": [x], "y": [y], "hoverinfo": "skip", "unselected": SAME}
    ground = {"symbol": "circle", "size": 26, "color": PAPER, "line": {"width": 2, "color": INK}}
    sign = {"symbol": look.symbol, "size": 13, "color": look.colour, "line": {"width": 2, "color": look.colour}}
    return [base | {"name": f"{name}, ground", "marker": ground}, base | {"name": f"{name}, end", "marker": sign}]


def _climbed(objective: str) -> str:
    return "training loss" if objective == "train" else objective


def _words(regions: Regions, classes: Sequence[str]) -> list[dict[str, Any]]:
    """The name of each class, and None, where it has most room."""
    read = regions.decoded.cpu().numpy()
    step = max(1, regions.side // 64)
    read = read[::step, ::step]
    words = []
    for k in (*range(regions.task.num_classes), ABNORMAL):
        found = _roomiest(read == k)
        if found is None:
            continue
        row, column = found
        words.append({
            "x": (column + 0.5) / read.shape[1], "y": (row + 0.5) / read.shape[0], "showarrow": False,
            "text": "<b>None</b>" if k == ABNORMAL else f"<b>{classes[k]}</b>", "borderpad": 1,
            "font": {"size": 15 if k == ABNORMAL else 20, "color": INK}, "bgcolor": "rgba(255,255,255,0.8)",
            "bordercolor": GREY if k == ABNORMAL else CLASS_COLOURS[k], "borderwidth": 2,
        })
    return words


def _roomiest(mask: Mask) -> tuple[int, int] | None:
    """A place that stays when the mask is eaten from its edges; the square's own edge eats too. None if empty."""
    if mask.sum() < 8:
        return None
    left = np.pad(mask, 1)
    while True:
        core = left.copy()
        for axis in (0, 1):
            for way in (-1, 1):
                core &= np.roll(left, way, axis)
        if not core.any():
            break
        left = core
    rows, columns = np.nonzero(left)
    middle = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
    return int(rows[middle]) - 1, int(columns[middle]) - 1


def _edge(mask: Mask) -> Mask:
    """The mask's outermost two pixels; the picture's own edge is not one."""
    inside = np.pad(mask, 2, mode="edge")
    for _ in range(2):
        core = inside.copy()
        for axis in (0, 1):
            for way in (-1, 1):
                core &= np.roll(inside, way, axis)
        inside = core
    return mask & ~inside[2:-2, 2:-2]


def _smooth(mask: Mask, scale: int) -> NDArray[np.uint8]:
    """A mask as many times as large, 255 inside, with soft edges where its cells end."""
    from PIL import Image

    size = (mask.shape[1] * scale, mask.shape[0] * scale)
    return np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR))


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if math.isfinite(share) else "–"
