"""Maps as figures: classes by colour, marker and name, attacked images where they land, an attack's stops in order."""

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
from tasklab.tasks import Line, Task

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Trace = dict[str, Any]
Places = NDArray[np.float64]

COLOURS = ("#cc0018", "#007854", "#3c48fc", "#e46c00", "#a818c0", "#a89054", "#606084", "#fc18b4", "#cc7890", "#0090fc")
"""Of classes: each at a contrast of 3 with white and with the dark ground, and apart for every kind of sight."""

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x", "star", "hexagon", "hourglass",
           "pentagon")
"""Of classes: with the colours, 110 pairs before one comes again."""

HALO = {"color": "#1a1a1a", "shadow": ", ".join(["0 0 4px #ffffff"] * 4)}
"""Of words among the points: they read on any colour, on a light page and on a dark one."""

NAMED = 20
"""With more classes than this, their names would cover the map."""

MERGED = 0.075
"""Stops nearer than this to the one before share its marker; the map is 2 wide."""

REACHES = (1.12, 1.5, 2.0, 3.0, 5.0, 8.0)
"""How far the picture reaches, so that it does not jump with every new point."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Landed:
    """Where attacked images land on a map.

    Attributes:
        rows: integers ``(M,)``, the map's points that they began as.
        positions: ``(M, 2)``.
        decoded: ``(M,)``, what they are read as now.
    """

    rows: ArrayLike
    positions: ArrayLike
    decoded: ArrayLike


@dataclass(frozen=True, kw_only=True, eq=False)
class Stops:
    """One image on its way through an attack.

    Attributes:
        positions: ``(T, 2)``, the clean image first.
        decoded: ``(T,)``, what each stop is read as.
        label: the true class.
        steps: the number of each stop, by default 0, 1, 2, …
    """

    positions: ArrayLike
    decoded: ArrayLike
    label: int
    steps: Sequence[int] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """What part of the map's plane is drawn: it becomes the square from -1 to 1, or for a line, that wide."""

    centre: Places
    half: Places

    @staticmethod
    def around(positions: ArrayLike, line: bool = False) -> Window:
        """The smallest one that holds the positions; both axes alike, except for a line."""
        points = np.asarray(positions, dtype=np.float64)
        low, high = points.min(axis=0), points.max(axis=0)
        half = (high - low) / 2
        half = half if line else np.full(2, half.max())
        return Window(centre=(low + high) / 2, half=np.where(half > 0, half, 1.0))

    def __call__(self, positions: ArrayLike) -> Places:
        """Positions ``(N, 2)`` in the window's own units."""
        found: Places = (np.asarray(positions, dtype=np.float64).reshape(-1, 2) - self.centre) / self.half
        return found


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
    height: int = 560,
) -> Figure:
    """Points of a map, one trace per class (or outcome), to be hovered, clicked and lassoed.

    Args:
        positions: ``(N, 2)`` of the map.
        labels: ``(N,)``, true classes.
        classes: the name of each.
        decoded: ``(N,)``, what each is read as; needed for ``colour="outcome"``.
        landed: attacked images; then they are the points, and the clean ones stay behind as dots.
        stops: of one attack, numbered; 0 is the clean image.
        colour: what colour and marker tell.
        line: an interval task whose outputs are the map: its intervals are drawn, and the axis is theirs.
        height: in pixels.

    Returns:
        A figure whose points carry ``customdata = [row, label, name, what it is read as]``.

    Raises:
        ValueError: labels, rows or decoded labels that do not fit the positions.
    """
    places, y, read = _checked(positions, labels, classes, decoded, colour)
    window = map_window(places, line)
    home = window(places)
    rows, now, seen = _shown(home, read, landed, window)
    traces: list[Trace] = []
    if landed is not None:
        traces.append(_dots(home, y if colour == "class" else None))
    traces += _groups(rows, now, y[rows], seen, classes, colour)
    if len(classes) <= NAMED and line is None:
        traces.append(_names(home, y, classes))
    if stops is not None:
        traces += _way(stops, window, classes)
    return _figure(traces, _layout(_reach(traces, line is not None), height, line, window, classes))


def map_window(positions: ArrayLike, line: Task | None = None) -> Window:
    """The window of a map; for the outputs of an interval system it holds all intervals."""
    places = np.asarray(positions, dtype=np.float64)
    return Window.around(places if line is None else _ends(line, places), line=line is not None)


def merged_stops(stops: Stops, window: Window) -> tuple[Places, list[int], list[str]]:
    """Places in the window, decoded labels and numbers; neighbours on one spot that are read alike share a stop.

    >>> walk = Stops(positions=[[0, 0], [0, 0], [1, 1]], decoded=[3, 3, 5], label=3)
    >>> merged_stops(walk, Window.around([[-1, -1], [1, 1]]))[2]
    ['0–1', '2']
    """
    places, decoded = window(stops.positions), _ints(stops.decoded)
    steps = list(range(len(places))) if stops.steps is None else list(stops.steps)
    groups: list[list[int]] = []
    for i, place in enumerate(places):
        first = groups[-1][0] if groups else -1
        if groups and decoded[i] == decoded[first] and math.dist(place, places[first]) < MERGED:
            groups[-1].append(i)
        else:
            groups.append([i])
    words = [str(steps[g[0]]) if len(g) == 1 else f"{steps[g[0]]}–{steps[g[-1]]}" for g in groups]
    first_of = [g[0] for g in groups]
    return places[first_of], [decoded[i] for i in first_of], words


def describe_map(
    title: str, labels: ArrayLike, classes: Sequence[str], *, accuracy: float | None = None,
    landed: Landed | None = None, stops: Stops | None = None,
) -> str:
    """What `feature_map` shows, in words.

    >>> describe_map("PCA of 3 pictures", [0, 1, 1], ["cat", "dog"], accuracy=1.0)
    'PCA of 3 pictures, 2 classes. 100 % lie among pictures of their own class.'
    """
    y = np.asarray(labels)
    parts = [f"{title}, {len(np.unique(y))} classes."]
    if accuracy is not None:
        parts.append(f"{100 * accuracy:.0f} % lie among pictures of their own class.")
    if landed is not None:
        told = [outcome_of(int(d), int(y[int(r)])) for d, r in zip(_ints(landed.decoded), _ints(landed.rows),
                                                                    strict=True)]
        counts = ", ".join(f"{told.count(each)} {LOOKS[each].word}" for each in LOOKS)
        parts.append(f"{len(told)} attacked pictures: {counts}.")
    if stops is not None:
        decoded = _ints(stops.decoded)
        heard = ", ".join("None" if d < 0 else classes[d] for d, _ in itertools.groupby(decoded))
        parts.append(f"One attack, {with_article(classes[stops.label])}, on its way read as {heard}.")
    return " ".join(parts)


def _groups(
    rows: NDArray[np.int64], now: Places, labels: NDArray[np.int64], read: NDArray[np.int64] | None,
    classes: Sequence[str], colour: str,
) -> list[Trace]:
    heard = [""] * len(rows) if read is None else ["None" if d < 0 else classes[d] for d in read]
    data = [[int(r), int(k), classes[k], word] for r, k, word in zip(rows, labels, heard, strict=True)]
    if colour == "class":
        member = labels
        looks = [(k, str(name), COLOURS[k % len(COLOURS)], SYMBOLS[k % len(SYMBOLS)]) for k, name in enumerate(classes)]
    else:
        assert read is not None
        kinds: list[Outcome] = list(LOOKS)
        member = np.array([kinds.index(outcome_of(int(d), int(k))) for d, k in zip(read, labels, strict=True)], int)
        looks = [(i, LOOKS[kind].word, LOOKS[kind].colour, LOOKS[kind].symbol) for i, kind in enumerate(kinds)]
    said = "" if read is None else ", read as %{customdata[3]}"
    traces: list[Trace] = []
    for which, name, ink, symbol in looks:
        here = np.flatnonzero(member == which)
        traces.append({
            "type": "scatter", "mode": "markers", "name": name, "x": now[here, 0], "y": now[here, 1],
            "customdata": [data[i] for i in here], "ids": [str(int(rows[i])) for i in here],
            "marker": {"color": ink, "symbol": symbol, "size": 9, "opacity": 0.85},
            "unselected": {"marker": {"opacity": 0.2}}, "selected": {"marker": {"opacity": 1}},
            "hovertemplate": "picture %{customdata[0]}, a %{customdata[2]}" + said + "<extra></extra>",
        })
    return traces


def _dots(home: Places, labels: NDArray[np.int64] | None) -> Trace:
    inks = GREY if labels is None else [COLOURS[k % len(COLOURS)] for k in labels]
    return {"type": "scatter", "mode": "markers", "name": "before", "x": home[:, 0], "y": home[:, 1],
            "hoverinfo": "skip", "unselected": {"marker": {"opacity": 0.25}},
            "marker": {"color": inks, "size": 4, "opacity": 0.25}}


def _names(home: Places, labels: NDArray[np.int64], classes: Sequence[str]) -> Trace:
    """Each class's name at the point of its own that is nearest to all others of it."""
    here = {k: home[labels == k] for k in range(len(classes)) if (labels == k).any()}
    middles = {k: points[np.abs(points - np.median(points, axis=0)).sum(axis=1).argmin()] for k, points in here.items()}
    size = 26 if all(len(name) == 1 for name in classes) else 18
    return {"type": "scatter", "mode": "text", "name": "classes", "hoverinfo": "skip",
            "x": [float(p[0]) for p in middles.values()], "y": [float(p[1]) for p in middles.values()],
            "text": [f"<b>{classes[k]}</b>" for k in middles], "textfont": HALO | {"size": size}}


def _way(stops: Stops, window: Window, classes: Sequence[str]) -> list[Trace]:
    """The way as a line, and its stops as numbered markers."""
    spots, decoded, words = merged_stops(stops, window)
    looks = [look_of(d, stops.label) for d in decoded]
    return [
        {"type": "scatter", "mode": "lines", "name": "way", "x": spots[:, 0], "y": spots[:, 1], "hoverinfo": "skip",
         "line": {"color": GREY, "width": 3}},
        {"type": "scatter", "mode": "markers+text", "name": "stops", "x": spots[:, 0], "y": spots[:, 1],
         "text": [f"<b>{word}</b>" for word in words], "textposition": "top center", "textfont": HALO | {"size": 17},
         "customdata": [["None" if d < 0 else classes[d], look.word] for d, look in zip(decoded, looks, strict=True)],
         "hovertemplate": "step %{text}: read as %{customdata[0]}<extra></extra>",
         "marker": {"size": 17, "color": [look.colour for look in looks], "symbol": [look.symbol for look in looks],
                    "line": {"width": 2, "color": "#ffffff"}}, "unselected": {"marker": {"opacity": 1}}},
    ]


def _layout(
    reach: tuple[float, float], height: int, line: Task | None, window: Window, classes: Sequence[str],
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
    layout = frame(height, legend=False, xaxis=across, yaxis=up)
    layout |= {"dragmode": "lasso", "clickmode": "event+select", "shapes": shapes, "hovermode": "closest",
               "newselection": {"line": {"color": GREY, "width": 2}}, "margin": {"l": 4, "r": 4, "t": 4, "b": 4}}
    return layout


def _reach(traces: list[Trace], line: bool) -> tuple[float, float]:
    """How far each axis goes: one of `REACHES`; beyond the last, points are out of the picture."""
    most = [max((float(np.abs(np.asarray(t[axis], float)).max()) for t in traces if len(t[axis])), default=1.0)
            for axis in ("x", "y")]
    stops = [next((stop for stop in REACHES if value <= stop / 1.05), REACHES[-1]) for value in most]
    return (stops[0], REACHES[0]) if line else (max(stops), max(stops))


def _ends(line: Task, places: Places) -> Places:
    """The corners of the line's picture: all intervals and all outputs."""
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
    if landed is None:
        return np.arange(len(home)), home, read
    rows, there, seen = np.asarray(landed.rows, int), window(landed.positions), np.asarray(landed.decoded, int)
    if not len(rows) == len(there) == len(seen) or (len(rows) and not 0 <= rows.min() <= rows.max() < len(home)):
        raise ValueError(f"expected one position and decoded label for each row of 0..{len(home) - 1}, got "
                         f"{len(rows)} rows, {len(there)} positions and {len(seen)} labels")
    return rows, there, seen


def _checked(
    positions: ArrayLike, labels: ArrayLike, classes: Sequence[str], decoded: ArrayLike | None, colour: str
) -> tuple[Places, NDArray[np.int64], NDArray[np.int64] | None]:
    places, y = np.asarray(positions, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    if places.ndim != 2 or places.shape[1] != 2 or not len(places) or not np.isfinite(places).all():
        raise ValueError(f"expected finite positions (N, 2), got shape {places.shape}; try embed(points, PCA())")
    if y.shape != (len(places),) or not 0 <= y.min() <= y.max() < len(classes):
        raise ValueError(f"expected {len(places)} labels in 0..{len(classes) - 1}, got shape {y.shape}")
    read = None if decoded is None else np.asarray(decoded, dtype=np.int64)
    if read is not None and read.shape != y.shape:
        raise ValueError(f"expected one decoded label for each of {len(y)} points, got shape {read.shape}")
    if colour not in ("class", "outcome") or (colour == "outcome" and read is None):
        raise ValueError(f"expected colour 'class', or 'outcome' with decoded labels, got {colour!r}")
    return places, y, read


def _ints(values: ArrayLike) -> list[int]:
    return [int(v) for v in np.asarray(values).reshape(-1)]


def _figure(traces: list[Trace], layout: Trace) -> Figure:
    import plotly.graph_objects as go

    return go.Figure({"data": traces, "layout": layout})
