"""Maps of features or outputs as figures: points by class, attacked images, the stops of an attack."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tasklab.figures.describing import with_article
from tasklab.figures.style import GREY, LOOKS, Outcome, faded, frame, look_of, outcome_of
from tasklab.figures.words import in_words
from tasklab.tasks import Line, Task

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Trace = dict[str, Any]
Places = NDArray[np.float64]

COLOURS = ("#cc0018", "#007854", "#3c48fc", "#e46c00", "#a818c0", "#a89054", "#606084", "#fc18b4", "#cc7890", "#0090fc")
"""Colours of classes: contrast at least 3 to white and to the dark background; distinct for the colour-blind, too."""

PAPER_COLOURS = ("red", "green", "blue", "orange", "purple", "brown", "gray", "pink", "olive", "cyan")
"""The colours of the classes in the paper's Figure 3."""

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x", "star", "hexagon", "hourglass",
           "pentagon")
"""Markers of classes: with the colours there are 110 pairs before one is repeated."""

HALO = {"color": "#1a1a1a", "shadow": ", ".join(["0 0 4px #ffffff"] * 4)}
"""Style of text among the points, which can be read on any colour, on a light page and on a dark one."""

NAMED = 20
"""Largest number of classes whose names are written on the map; more would cover it."""

MERGED = 0.075
"""A stop that is nearer than this to the one before shares its marker; the map is 2 wide."""

SIDES = {"top center": np.array([0.0, 0.1]), "bottom center": np.array([0.0, -0.1]),
         "middle right": np.array([0.12, 0.0]), "middle left": np.array([-0.12, 0.0])}
"""The sides of a stop on which its number can be written, the preferred one first, and how far away its middle is."""

ROOMY = 0.15
"""A number that is further than this from all else has room enough."""

REACHES = (1.12, 1.5, 2.0, 3.0, 5.0, 8.0)
"""The values that half an axis's length can have; there are few, so that it rarely changes."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Landed:
    """The positions of attacked images on a map.

    Attributes:
        rows: indices ``(M,)`` of the map's points that were attacked.
        positions: ``(M, 2)``, after the attack.
        decoded: labels read after the attack ``(M,)``; -1 is None.
    """

    rows: ArrayLike
    positions: ArrayLike
    decoded: ArrayLike


@dataclass(frozen=True, kw_only=True, eq=False)
class Stops:
    """One image at several steps of an attack.

    Attributes:
        positions: on the map ``(T, 2)``, the clean image first.
        decoded: label read at each stop ``(T,)``; -1 is None.
        label: the true class.
        steps: number of the step at each stop; by default 0, 1, 2, …
    """

    positions: ArrayLike
    decoded: ArrayLike
    label: int
    steps: Sequence[int] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """The part of the map that is drawn; calling it maps that part to the square from -1 to 1.

    Attributes:
        centre: of the part ``(2,)``, in the map's units.
        half: half its width and height ``(2,)``.
    """

    centre: Places
    half: Places

    @staticmethod
    def around(positions: ArrayLike, line: bool = False) -> Window:
        """The smallest window that holds the positions; a square, except for a line of outputs."""
        points = np.asarray(positions, dtype=np.float64)
        low, high = points.min(axis=0), points.max(axis=0)
        half = (high - low) / 2
        half = half if line else np.full(2, half.max())
        return Window(centre=(low + high) / 2, half=np.where(half > 0, half, 1.0))

    def __call__(self, positions: ArrayLike) -> Places:
        """Positions ``(N, 2)`` in the units of the window."""
        scaled: Places = (np.asarray(positions, dtype=np.float64).reshape(-1, 2) - self.centre) / self.half
        return scaled


def feature_map(
    positions: ArrayLike,
    labels: ArrayLike,
    classes: Sequence[str],
    *,
    decoded: ArrayLike | None = None,
    landed: Landed | None = None,
    stops: Stops | None = None,
    colour: Literal["class", "outcome"] = "class",
    line: Task | None = None,
    inks: Sequence[str] = COLOURS,
    height: int = 560,
    legend: bool = False,
) -> Figure:
    """The points of a map, one trace for each class or outcome, which can be hovered over, clicked and lassoed.

    Args:
        positions: of the points ``(N, 2)``.
        labels: true classes ``(N,)``.
        classes: names of the classes.
        decoded: labels read ``(N,)``, -1 for None; needed for ``colour="outcome"``.
        landed: attacked images; they become the points, and the clean ones become small dots.
        stops: one image at the steps of an attack, numbered; 0 is the clean image.
        colour: whether colour and marker show the class or the outcome.
        line: a task with intervals whose outputs are the map; the intervals are drawn and label the axis.
        inks: the colours of the classes.
        height: in pixels.
        legend: whether the figure has a legend.

    Returns:
        A figure whose points have ``customdata = [row, label, name of the class, name of the class read]``.

    Raises:
        ValueError: the labels, rows or decoded labels do not fit the positions.
    """
    points, y, read = _checked(positions, labels, classes, decoded, colour)
    window = map_window(points, line)
    home = window(points)
    rows, now, seen = _shown(home, read, landed, window)
    traces: list[Trace] = []
    if landed is not None:
        traces.append(_dots(home, y if colour == "class" else None))
    traces += _groups(rows, now, y[rows], seen, classes, colour, inks)
    if len(classes) <= NAMED and line is None:
        traces.append(_names(home, y, classes))
    if stops is not None:
        traces += _attack(stops, window, classes)
    figure = _figure(traces, _layout(_reach(traces, line is not None), height, line, window, classes, legend))
    words = describe_map(f"Map of {len(points)} images", y, classes, landed=landed, stops=stops)
    return in_words(figure, words)


def map_window(positions: ArrayLike, line: Task | None = None) -> Window:
    """The window of a map; for the outputs of a task with intervals, it holds all intervals."""
    points = np.asarray(positions, dtype=np.float64)
    return Window.around(points if line is None else _ends(line, points), line=line is not None)


def merged_stops(stops: Stops, window: Window) -> tuple[Places, list[int], list[str]]:
    """Stops in the units of the window; successive ones at about the same position with the same label are merged.

    Returns:
        Positions ``(M, 2)``, labels read, and numbers such as “3” or “3–5”.

    >>> attack = Stops(positions=[[0, 0], [0, 0], [1, 1]], decoded=[3, 3, 5], label=3)
    >>> merged_stops(attack, Window.around([[-1, -1], [1, 1]]))[2]
    ['0–1', '2']
    """
    positions, decoded = window(stops.positions), _ints(stops.decoded)
    steps = list(range(len(positions))) if stops.steps is None else list(stops.steps)
    groups: list[list[int]] = []
    for i, position in enumerate(positions):
        first = groups[-1][0] if groups else -1
        if groups and decoded[i] == decoded[first] and math.dist(position, positions[first]) < MERGED:
            groups[-1].append(i)
        else:
            groups.append([i])
    words = [str(steps[g[0]]) if len(g) == 1 else f"{steps[g[0]]}–{steps[g[-1]]}" for g in groups]
    first_of = [g[0] for g in groups]
    return positions[first_of], [decoded[i] for i in first_of], words


def describe_map(
    title: str, labels: ArrayLike, classes: Sequence[str], *, accuracy: float | None = None,
    landed: Landed | None = None, stops: Stops | None = None,
) -> str:
    """What `feature_map` shows, in words; ``accuracy`` is that of neighbours, 0 to 1.

    >>> describe_map("PCA of 3 images", [0, 1, 1], ["cat", "dog"], accuracy=1.0)
    'PCA of 3 images, 2 classes. 100 % lie among images of their own class.'
    """
    y = np.asarray(labels)
    parts = [f"{title}, {len(np.unique(y))} classes."]
    if accuracy is not None:
        parts.append(f"{100 * accuracy:.0f} % lie among images of their own class.")
    if landed is not None:
        ends = [outcome_of(int(d), int(y[int(r)])) for d, r in zip(_ints(landed.decoded), _ints(landed.rows),
                                                                    strict=True)]
        counts = ", ".join(f"{ends.count(kind)} {LOOKS[kind].word}" for kind in LOOKS)
        parts.append(f"{len(ends)} attacked images: {counts}.")
    if stops is not None:
        decoded = _ints(stops.decoded)
        readings = ", ".join("None" if d < 0 else classes[d] for d, _ in itertools.groupby(decoded))
        parts.append(f"One attack, {with_article(classes[stops.label])}, on its way read as {readings}.")
    return " ".join(parts)


def _groups(
    rows: NDArray[np.int64], now: Places, labels: NDArray[np.int64], read: NDArray[np.int64] | None,
    classes: Sequence[str], colour: str, inks: Sequence[str],
) -> list[Trace]:
    """The points, one trace for each class or each outcome."""
    names = [""] * len(rows) if read is None else ["None" if d < 0 else classes[d] for d in read]
    data = [[int(r), int(k), classes[k], word] for r, k, word in zip(rows, labels, names, strict=True)]
    if colour == "class":
        member = labels
        looks = [(k, str(name), inks[k % len(inks)], SYMBOLS[k % len(SYMBOLS)]) for k, name in enumerate(classes)]
    else:
        assert read is not None
        kinds: list[Outcome] = list(LOOKS)
        member = np.array([kinds.index(outcome_of(int(d), int(k))) for d, k in zip(read, labels, strict=True)], int)
        looks = [(i, LOOKS[kind].word, LOOKS[kind].colour, LOOKS[kind].symbol) for i, kind in enumerate(kinds)]
    suffix = "" if read is None else ", read as %{customdata[3]}"
    traces: list[Trace] = []
    for which, name, ink, symbol in looks:
        here = np.flatnonzero(member == which)
        traces.append({
            "type": "scatter", "mode": "markers", "name": name, "x": now[here, 0], "y": now[here, 1],
            "customdata": [data[i] for i in here], "ids": [str(int(rows[i])) for i in here],
            "marker": {"color": ink, "symbol": symbol, "size": 9, "opacity": 0.85},
            "unselected": {"marker": {"opacity": 0.2}}, "selected": {"marker": {"opacity": 1}},
            "hovertemplate": "image %{customdata[0]}, a %{customdata[2]}" + suffix + "<extra></extra>",
        })
    return traces


def _dots(home: Places, labels: NDArray[np.int64] | None) -> Trace:
    """The clean images as small dots."""
    inks = GREY if labels is None else [COLOURS[k % len(COLOURS)] for k in labels]
    return {"type": "scatter", "mode": "markers", "name": "before", "x": home[:, 0], "y": home[:, 1],
            "hoverinfo": "skip", "unselected": {"marker": {"opacity": 0.25}},
            "marker": {"color": inks, "size": 4, "opacity": 0.25}}


def _names(home: Places, labels: NDArray[np.int64], classes: Sequence[str]) -> Trace:
    """The name of each class, at that one of its points which is nearest to their median."""
    here = {k: home[labels == k] for k in range(len(classes)) if (labels == k).any()}
    middles = {k: points[np.abs(points - np.median(points, axis=0)).sum(axis=1).argmin()] for k, points in here.items()}
    size = 26 if all(len(name) == 1 for name in classes) else 18
    return {"type": "scatter", "mode": "text", "name": "classes", "hoverinfo": "skip", "showlegend": False,
            "x": [float(p[0]) for p in middles.values()], "y": [float(p[1]) for p in middles.values()],
            "text": [f"<b>{classes[k]}</b>" for k in middles], "textfont": HALO | {"size": size}}


def _attack(stops: Stops, window: Window, classes: Sequence[str]) -> list[Trace]:
    """The stops of an attack as numbered markers, joined by a line."""
    spots, decoded, words = merged_stops(stops, window)
    looks = [look_of(d, stops.label) for d in decoded]
    return [
        {"type": "scatter", "mode": "lines", "name": "way", "showlegend": False, "x": spots[:, 0], "y": spots[:, 1],
         "hoverinfo": "skip", "line": {"color": GREY, "width": 3}},
        {"type": "scatter", "mode": "markers+text", "name": "stops", "x": spots[:, 0], "y": spots[:, 1],
         "text": [f"<b>{word}</b>" for word in words], "textposition": label_sides(spots),
         "textfont": HALO | {"size": 17},
         "customdata": [["None" if d < 0 else classes[d], look.word] for d, look in zip(decoded, looks, strict=True)],
         "hovertemplate": "step %{text}: read as %{customdata[0]}<extra></extra>",
         "marker": {"size": 17, "color": [look.colour for look in looks], "symbol": [look.symbol for look in looks],
                    "line": {"width": 2, "color": "#ffffff"}}, "unselected": {"marker": {"opacity": 1}}},
    ]


def label_sides(spots: Places) -> list[str]:
    """Where the number of each stop is written: on the side that is furthest from other stops and numbers.

    Args:
        spots: ``(M, 2)``, in the units of the window.

    >>> label_sides(np.array([[0.0, 0.0], [0.05, 0.1]]))
    ['bottom center', 'top center']
    """
    written: list[Places] = []
    sides = []
    for index, spot in enumerate(spots):
        others = [*np.delete(spots, index, axis=0), *written]
        room = {side: min((math.dist(spot + shift, other) for other in others), default=1.0)
                for side, shift in SIDES.items()}
        side = max(room, key=lambda each: min(room[each], ROOMY))
        written.append(spot + SIDES[side])
        sides.append(side)
    return sides


def _layout(
    reach: tuple[float, float], height: int, line: Task | None, window: Window, classes: Sequence[str], legend: bool,
) -> Trace:
    hidden = {"showticklabels": False, "showgrid": False, "zeroline": False, "ticks": ""}
    across: Trace = hidden | {"range": [-reach[0], reach[0]]}
    up: Trace = hidden | {"range": [-reach[1], reach[1]]}
    shapes: list[Trace] = []
    if line is None:
        up["scaleanchor"] = "x"
    else:
        intervals = _line(line)
        ends = [window(np.array([[low, 0], [high, 0]]))[:, 0] for low, high in
                zip(intervals.lower, intervals.upper, strict=True)]
        shapes = [
            {"type": "rect", "name": "interval", "layer": "below", "line": {"width": 0}, "x0": float(low),
             "x1": float(high), "y0": -1.06, "y1": 1.06, "fillcolor": faded(COLOURS[k % len(COLOURS)], 0.14)}
            for k, (low, high) in enumerate(ends)
        ]
        every = max(1, math.ceil(len(ends) / NAMED))
        across |= {"showticklabels": True, "tickvals": [float(e.mean()) for e in ends][::every],
                   "ticktext": list(classes[: len(ends)])[::every]}
    layout = frame(height, legend=legend, xaxis=across, yaxis=up)
    layout |= {"dragmode": "lasso", "clickmode": "event+select", "shapes": shapes, "hovermode": "closest",
               "newselection": {"line": {"color": GREY, "width": 2}},
               "margin": {"l": 4, "r": 4, "t": 34 if legend else 4, "b": 4}}
    return layout


def _reach(traces: list[Trace], line: bool) -> tuple[float, float]:
    """Half the length of each axis: one of `REACHES`. Points beyond the last of them are not visible."""
    extents = [max((float(np.abs(np.asarray(t[axis], float)).max()) for t in traces if len(t[axis])), default=1.0)
            for axis in ("x", "y")]
    stops = [next((stop for stop in REACHES if value <= stop / 1.05), REACHES[-1]) for value in extents]
    return (stops[0], REACHES[0]) if line else (max(stops), max(stops))


def _ends(line: Task, places: Places) -> Places:
    """Two corners of a map that is a number line, so that all intervals and all outputs are inside."""
    intervals = _line(line)
    low, high = min(intervals.lower[0], places[:, 0].min()), max(intervals.upper[-1], places[:, 0].max())
    return np.array([[low, -0.55], [high, 0.55]])


def _line(task: Task) -> Line:
    if task.line is None:
        raise ValueError(f"expected line as an interval task, got {task.name}; try make_task('int')")
    return task.line


def _shown(
    home: Places, read: NDArray[np.int64] | None, landed: Landed | None, window: Window
) -> tuple[NDArray[np.int64], Places, NDArray[np.int64] | None]:
    """Rows, positions and labels of the points to draw: the attacked images, or else all images."""
    if landed is None:
        return np.arange(len(home)), home, read
    rows, ends, seen = np.asarray(landed.rows, int), window(landed.positions), np.asarray(landed.decoded, int)
    if not len(rows) == len(ends) == len(seen) or (len(rows) and not 0 <= rows.min() <= rows.max() < len(home)):
        raise ValueError(f"expected one position and decoded label for each row of 0..{len(home) - 1}, got "
                         f"{len(rows)} rows, {len(ends)} positions and {len(seen)} labels")
    return rows, ends, seen


def _checked(
    positions: ArrayLike, labels: ArrayLike, classes: Sequence[str], decoded: ArrayLike | None, colour: str
) -> tuple[Places, NDArray[np.int64], NDArray[np.int64] | None]:
    points, y = np.asarray(positions, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points) or not np.isfinite(points).all():
        raise ValueError(f"expected finite positions (N, 2), got shape {points.shape}; try embed(points, PCA())")
    if y.shape != (len(points),) or not 0 <= y.min() <= y.max() < len(classes):
        raise ValueError(f"expected {len(points)} labels in 0..{len(classes) - 1}, got shape {y.shape}")
    read = None if decoded is None else np.asarray(decoded, dtype=np.int64)
    if read is not None and read.shape != y.shape:
        raise ValueError(f"expected one decoded label for each of {len(y)} points, got shape {read.shape}")
    if colour not in ("class", "outcome") or (colour == "outcome" and read is None):
        raise ValueError(f"expected colour 'class', or 'outcome' with decoded labels, got {colour!r}")
    return points, y, read


def _ints(values: ArrayLike) -> list[int]:
    return [int(v) for v in np.asarray(values).reshape(-1)]


def _figure(traces: list[Trace], layout: Trace) -> Figure:
    import plotly.graph_objects as go

    return go.Figure({"data": traces, "layout": layout})
