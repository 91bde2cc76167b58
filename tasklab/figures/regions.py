"""Decision regions in the plane: the label read at each position, where an objective is flat, and attacks.

In full colour, with dots, the gradient of the objective is exactly zero; in faint colour, with arrows along it, it is
not. Positions that are read as None are hatched in grey.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tasklab.codecs import ABNORMAL
from tasklab.experiments.plane import PlaneTrajectory, Regions
from tasklab.figures.pictures import Pixels, to_png
from tasklab.figures.style import GREY, frame, look_of
from tasklab.figures.words import in_words
from tasklab.text import in_html

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Trace = dict[str, Any]
Mask = NDArray[np.bool_]

CLASS_COLOURS = (
    "#8f4fd0", "#00866b", "#b8860b", "#d6336c", "#0a8aa6", "#6f7f12", "#a0522d", "#c23ad0", "#2f8f3a", "#d02b2b",
)
"""Colours of classes: not the blue of correct or the orange of wrong; contrast at least 3 to white and to black."""

CLASS_SYMBOLS = ("circle", "square", "triangle-up", "diamond")
"""Markers of points of each class."""

ARROWS = 21
"""Arrows and dots along each side."""

PIXELS = 540
"""Approximate side in pixels of the image in the background."""

FLAT, SLOPED, EDGE = 0.66, 0.24, 0.95
"""Opacity of a class's colour: where the gradient is zero, where it is not, and along the edge of flat areas."""

INK, PAPER = "#101418", "#ffffff"

UNSELECTED = {"marker": {"opacity": 1}}
"""Style of points that are not selected: a click on one point does not change the others."""


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
    """The unit square as one system classifies it.

    Args:
        regions: from `tasklab.experiments.plane.regions`.
        classes: the names of its classes.
        points: float32 ``(N, 2)`` in [0, 1], of up to four classes.
        labels: their classes, int64 ``(N,)``.
        trajectories: attacks that all start at the same point.
        marked: float32 ``(2,)``, a point that gets a ring.
        eps: half the side of the square in which attacks stay; it is drawn around the attacked point.
        picks: number of invisible squares along each side that can be hovered over and clicked.
        height: in pixels; the square fills it.

    Raises:
        ValueError: there are points of more classes than there are markers.
    """
    if points is not None and regions.task.num_classes > len(CLASS_SYMBOLS):
        raise ValueError(f"expected points of at most {len(CLASS_SYMBOLS)} classes to draw, got "
                         f"{regions.task.num_classes}; try 'blobs'")
    traces: list[Trace] = [_field(regions)]
    if points is not None and labels is not None:
        traces += _points(points, labels, classes)
    if picks:
        traces.append(_picks(regions, picks, classes))
    if marked is not None:
        traces.append(_ring("marked", *marked.tolist()))
    for trajectory in trajectories:
        traces += _steps(trajectory)
    for trajectory in trajectories:
        traces += _end(trajectory)
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
    layout["annotations"] = _words(regions, classes, trajectories)
    import plotly.graph_objects as go

    figure = go.Figure({"data": traces, "layout": layout})
    return in_words(figure, describe_regions("Decision regions", regions, trajectories, classes))


def region_pixels(regions: Regions, side: int = PIXELS) -> Pixels:
    """The background of `plane` as pixels, transparent so that it can be read on white and on black.

    Args:
        regions: from `tasklab.experiments.plane.regions`.
        side: approximate number of pixels along each side; each grid cell gets a whole number of them.

    Returns:
        uint8 ``(side, side, 4)``, the top row first.
    """
    scale = max(1, round(side / regions.side))
    decoded = regions.decoded.cpu().numpy()
    kinds = np.unique(decoded)
    best = _smooth(decoded == kinds[0], scale)
    read = np.zeros(best.shape, dtype=np.uint16)  # which of the kinds
    for index, k in enumerate(kinds[1:].tolist(), start=1):
        mask = _smooth(decoded == k, scale)
        read[mask > best] = index
        best = np.maximum(best, mask)
    flat = dark = (_smooth(regions.flat.cpu().numpy(), scale) > 127) & (kinds >= 0)[read]
    if ABNORMAL in kinds:
        y, x = np.ogrid[: len(read), : len(read)]
        dark = flat | (((x + y) % 14 < 3) & (kinds == ABNORMAL)[read])
    look = read + np.uint16(len(kinds)) * dark
    look[_edge(flat)] += len(kinds)
    pixels: Pixels = _colours(kinds.tolist())[look].view(np.uint8).reshape(*look.shape, 4)
    return pixels[::-1].copy()


def _colours(kinds: Sequence[int]) -> NDArray[np.uint32]:
    """Four bytes for each label where it is faint, then for each where it is full, then for each along an edge."""
    opacity = ((SLOPED, 0.0), (FLAT, 0.6), (EDGE, 0.0))  # of a class, and of None, where lines alone are seen
    looks = [[*_rgb(GREY), round(255 * none)] if k == ABNORMAL else [*_rgb(class_colour(k)), round(255 * alpha)]
             for alpha, none in opacity for k in kinds]
    return np.array(looks, dtype=np.uint8).view(np.uint32)[:, 0]


def class_colour(k: int) -> str:
    """The colour of a class; from the eleventh class on, colours come again."""
    return CLASS_COLOURS[k % len(CLASS_COLOURS)]


def name_of(classes: Sequence[str], k: int) -> str:
    """The name of a class; its number where there are fewer names."""
    return classes[k] if k < len(classes) else str(k)


def data_url(pixels: Pixels) -> str:
    """Pixels as a PNG in a data URL, for a figure or a page."""
    return "data:image/png;base64," + base64.b64encode(to_png(pixels)).decode()


def describe_regions(
    name: str, regions: Regions, trajectories: Sequence[PlaneTrajectory] = (), classes: Sequence[str] = "ABCD"
) -> str:
    """What `plane` shows, in words, with the arguments of `plane`; ``name`` is that of the system."""
    sentences = [
        f"{name}: the square is read as {shares_in_words(regions, classes)}. "
        f"The gradient of the {climbed(regions.objective)} is exactly zero on {_percent(regions.flat_share)} "
        "of what is read as a class."
    ]
    for trajectory in trajectories:
        label, aim = name_of(classes, trajectory.label), climbed(trajectory.objective)
        start = f"An attack on a point of class {label} that maximises the {aim}"
        if trajectory.zero_gradient:
            sentences.append(f"{start} finds no gradient and stays where it is.")
        else:
            end = "None" if trajectory.end == ABNORMAL else name_of(classes, trajectory.end)
            sentences.append(f"{start} ends after {len(trajectory.points) - 1} steps, read as {end}.")
    return " ".join(sentences)


@dataclass(frozen=True, kw_only=True, eq=False)
class Arrows:
    """Where arrows along the gradient stand, and dots where it is zero; nothing where None is read.

    Attributes:
        x, y: positions in the unit square.
        zero: whether the gradient is exactly zero.
        angle: in degrees, clockwise from up; 0 for dots.
        read: the class that is read.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    zero: Mask
    angle: NDArray[np.float64]
    read: NDArray[np.int64]


def arrows(regions: Regions, count: int = ARROWS) -> Arrows:
    """At most ``count`` arrows and dots along each side."""
    grid = np.unique(np.floor((np.arange(count) + 0.5) / count * regions.side).astype(int))
    rows, columns = (index.ravel() for index in np.meshgrid(grid, grid, indexing="ij"))
    keep = regions.decoded.cpu().numpy()[rows, columns] >= 0
    rows, columns = rows[keep], columns[keep]
    gradient = regions.gradient.cpu().numpy()[rows, columns].astype(np.float64)
    zero = regions.flat.cpu().numpy()[rows, columns]
    return Arrows(
        x=(columns + 0.5) / regions.side, y=(rows + 0.5) / regions.side, zero=zero,
        angle=np.where(zero, 0.0, np.degrees(np.arctan2(gradient[:, 0], gradient[:, 1]))),
        read=regions.decoded.cpu().numpy()[rows, columns],
    )


def shares_in_words(regions: Regions, classes: Sequence[str]) -> str:
    """The share of the square that is read as each class; with many classes, only those that occur are named."""
    every = range(regions.task.num_classes)
    shares = [(name_of(classes, k), float((regions.decoded == k).float().mean())) for k in every]
    kept = [(name, share) for name, share in shares if share > 0 or len(every) <= len(CLASS_SYMBOLS)]
    return ", ".join(f"{name} {_percent(share)}" for name, share in [*kept, ("None", regions.none_share)])


def _field(regions: Regions) -> Trace:
    """`arrows` as markers."""
    marks = arrows(regions)
    colours = np.array([class_colour(k) for k in marks.read.tolist()], dtype=object)
    return {
        "type": "scatter", "mode": "markers", "name": "gradient", "hoverinfo": "skip", "x": marks.x, "y": marks.y,
        "marker": {
            "symbol": np.where(marks.zero, "circle", "arrow").astype(object), "angle": marks.angle,
            "size": np.where(marks.zero, 4, 9), "line": {"width": 0}, "color": np.where(marks.zero, PAPER, colours),
        },
        "unselected": UNSELECTED,
    }


def _points(points: Tensor, labels: Tensor, classes: Sequence[str]) -> list[Trace]:
    """The points of each class with its own marker."""
    xy, y = points.cpu().numpy(), labels.cpu().numpy()
    return [
        {"type": "scatter", "mode": "markers", "name": f"points of class {classes[k]}", "hoverinfo": "skip",
         "x": xy[y == k, 0], "y": xy[y == k, 1],
         "marker": {"symbol": CLASS_SYMBOLS[k], "size": 7, "color": class_colour(k),
                    "line": {"width": 1, "color": PAPER}}, "unselected": UNSELECTED}
        for k in np.unique(y).tolist()
    ]


def _picks(regions: Regions, count: int, classes: Sequence[str]) -> Trace:
    """Invisible markers that say on hover what is read, and that can be clicked."""
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


def _steps(trajectory: PlaneTrajectory) -> list[Trace]:
    """An attack's steps on a light line with a dark outline, and a ring at its start; nothing where it did not move."""
    if not trajectory.moved:
        return []
    x, y = trajectory.points[:, 0].tolist(), trajectory.points[:, 1].tolist()
    base = {"type": "scatter", "x": x, "y": y, "hoverinfo": "skip"}
    name, dash = climbed(trajectory.objective), "dot" if trajectory.objective == "train" else "solid"
    step = {"size": 6, "color": PAPER, "line": {"width": 1, "color": INK}}
    return [
        base | {"mode": "lines", "name": f"{name}, outline", "line": {"color": INK, "width": 6}},
        base | {"mode": "lines+markers", "name": name, "line": {"color": PAPER, "width": 3, "dash": dash},
                "marker": step, "unselected": UNSELECTED},
        _ring(f"{name}, start", *trajectory.points[0].tolist()),
    ]


def _ring(name: str, x: float, y: float) -> Trace:
    ring = {"symbol": "circle", "size": 15, "color": PAPER, "line": {"width": 4, "color": INK}}
    return {"type": "scatter", "mode": "markers", "name": name, "x": [x], "y": [y], "hoverinfo": "skip", "marker": ring,
            "unselected": UNSELECTED}


def _end(trajectory: PlaneTrajectory) -> list[Trace]:
    """The last point of an attack, with the marker of its outcome."""
    x, y = trajectory.points[-1].tolist()
    look, name = look_of(trajectory.end, trajectory.label), climbed(trajectory.objective)
    base = {"type": "scatter", "mode": "markers", "x": [x], "y": [y], "hoverinfo": "skip", "unselected": UNSELECTED}
    ground = {"symbol": "circle", "size": 26, "color": PAPER, "line": {"width": 2, "color": INK}}
    sign = {"symbol": look.symbol, "size": 13, "color": look.colour, "line": {"width": 2, "color": look.colour}}
    return [base | {"name": f"{name}, ground", "marker": ground}, base | {"name": f"{name}, end", "marker": sign}]


def climbed(objective: str) -> str:
    """An objective in words."""
    return "training loss" if objective == "train" else objective


def labelled_places(regions: Regions, clear: Sequence[PlaneTrajectory] = ()) -> list[tuple[int, float, float]]:
    """Each label that is read, None included, with the x and y at which its region is widest; the largest first.

    Args:
        regions: what is read where.
        clear: attacks whose steps are not to be written over, where a region has room elsewhere.
    """
    read = regions.decoded.cpu().numpy()
    step = max(1, regions.side // 64)
    read = read[::step, ::step]
    free = _away_from(clear, len(read))
    kinds, sizes = np.unique(read, return_counts=True)
    ordered = kinds[np.argsort(-sizes, kind="stable")].tolist()
    widest = {k: _widest_cell((read == k) & free) or _widest_cell(read == k) for k in ordered}
    return [(k, (cell[1] + 0.5) / read.shape[1], (cell[0] + 0.5) / read.shape[0])
            for k, cell in widest.items() if cell is not None]


def _away_from(trajectories: Sequence[PlaneTrajectory], side: int, room: float = 0.08) -> Mask:
    """Cells of a grid whose middle is further away than ``room`` from every step of some attacks."""
    at = (np.arange(side) + 0.5) / side
    free = np.ones((side, side), dtype=bool)
    for x, y in (point for trajectory in trajectories for point in trajectory.points.tolist()):
        free &= (at[None, :] - x) ** 2 + (at[:, None] - y) ** 2 > room**2
    return free


def _words(
    regions: Regions, classes: Sequence[str], trajectories: Sequence[PlaneTrajectory]
) -> list[dict[str, Any]]:
    """The name of each class, and None, written where its region is widest."""
    return [
        {"x": x, "y": y, "showarrow": False, "borderpad": 1, "borderwidth": 2, "bgcolor": "rgba(255,255,255,0.8)",
         "text": "<b>None</b>" if k == ABNORMAL else f"<b>{in_html(name_of(classes, k), 60)}</b>",
         "font": {"size": 15 if k == ABNORMAL else 20, "color": INK},
         "bordercolor": GREY if k == ABNORMAL else class_colour(k)}
        for k, x, y in labelled_places(regions, trajectories)
    ]


def _widest_cell(mask: Mask) -> tuple[int, int] | None:
    """Row and column of a cell that is left when the mask is eroded from all edges; None for a mask under 8 cells."""
    if mask.sum() < 8:
        return None
    remaining = np.pad(mask, 1)
    while True:
        core = remaining.copy()
        for axis in (0, 1):
            for shift in (-1, 1):
                core &= np.roll(remaining, shift, axis)
        if not core.any():
            break
        remaining = core
    rows, columns = np.nonzero(remaining)
    middle = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
    return int(rows[middle]) - 1, int(columns[middle]) - 1


def _edge(mask: Mask) -> Mask:
    """The outermost two pixels of the mask; the edge of the image does not count as one of the mask."""
    inside = np.pad(mask, 2, mode="edge")
    for _ in range(2):
        core = inside.copy()
        for axis in (0, 1):
            for shift in (-1, 1):
                core &= np.roll(inside, shift, axis)
        inside = core
    return mask & ~inside[2:-2, 2:-2]


def _smooth(mask: Mask, scale: int) -> NDArray[np.uint8]:
    """A mask enlarged ``scale`` times, as grey values: 255 inside, with smooth edges."""
    from PIL import Image

    size = (mask.shape[1] * scale, mask.shape[0] * scale)
    return np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR))


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if math.isfinite(share) else "–"
