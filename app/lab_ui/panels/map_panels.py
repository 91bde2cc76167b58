"""The parts of the page “Feature map”: the map, its quality, attacks on it, picked images, and downloads."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from lab_ui.basics.lab import Lab
from lab_ui.basics.words import HELP, aimed
from lab_ui.parts.live_map import Moves, living_map, sheet_of_images
from lab_ui.parts.thumbnails import Sheet, chip, image_tag, sheet
from lab_ui.results import batch_attacks, feature_maps, lesson_facts
from lab_ui.results.batch_attacks import Batch
from lab_ui.results.feature_maps import Forming, Points
from lab_ui.shell import frame, take_away
from lab_ui.visitor import catalogue
from tasklab import figures
from tasklab.attacks.registry import import_lines
from tasklab.data import DATASETS, ImageSet
from tasklab.data.radii import eps_said
from tasklab.embedding import PCA, TSNE, Map
from tasklab.evaluation.counts import outcomes
from tasklab.experiments.scenario import Scenario
from tasklab.figures import Landed, Stops
from tasklab.figures.describing import with_article
from tasklab.figures.live.sweep import how
from tasklab.figures.maps import describe_map
from tasklab.figures.style import LOOKS, outcome_of
from tasklab.tasks import Task
from tasklab.text import in_markdown, unbroken

SHOWN = 18
"""Largest number of picked images that are shown."""

GUESSES = ("in other classes", "between the classes", "where they were")
STYLE = """<style>
.map-side h2 { font-size: 1.15rem; padding: 0; margin: 0.4rem 0 0.2rem; }
.map-side p { margin: 0 0 0.4rem; }
.map-side .lab-chip { font-size: 0.95rem; padding: 0 0.4rem; }
.map-one { display: flex; gap: 0.6rem; }
.map-side .map-one img { width: 5rem; }
.map-picked { display: grid; grid-template-columns: repeat(auto-fill, minmax(4.6rem, 1fr)); gap: 0.5rem; }
.map-picked a { color: inherit; text-decoration: none; display: block; text-align: center; }
.map-picked a:hover img, .map-picked a:focus-visible img { outline: 3px solid currentColor; }
</style>"""


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """What the page shows.

    Attributes:
        name: of the system.
        called: its heading.
        kind: ``"t-SNE"``, ``"PCA"`` or ``"Outputs"``.
        points: what the map is made from.
        forming: the map that is being computed, or finished.
        map: the finished map; None where it was not finished when this run of the page began.
        one: the attack on the scenario's image.
        many: the attack on the first n images.
    """

    name: str
    called: str
    kind: str
    points: Points
    forming: Forming
    map: Map | None
    one: Batch | None = None
    many: Batch | None = None

    @property
    def line(self) -> Task | None:
        """The task, where the map is its line of intervals; else None."""
        task = catalogue.system(self.name).task
        return task if self.kind == "Outputs" and task.line is not None else None

    @property
    def key(self) -> str:
        """A key for the map, for caches and for the browser."""
        return f"{catalogue.stamp(self.name)} {self.kind} {self.forming.settings!r} {len(self.points.labels)}"

    def positions(self, batch: Batch) -> NDArray[np.float64]:
        """Positions on the map of a batch's iterates ``(T, N, 2)``."""
        return _positions(self.key, batch.key, self, batch)

    def decoded(self, batch: Batch) -> NDArray[np.int64]:
        """The labels read in a batch's iterates ``(T, N)``; -1 is None."""
        assert batch.iterates is not None
        return np.stack([batch.decode(z) for z in batch.iterates])


@st.cache_data(max_entries=64, show_spinner=False)
def _positions(map_key: str, batch_key: str, _view: View, _batch: Batch) -> NDArray[np.float64]:
    chart = _view.map
    values = _batch.features if space(_view.kind) == "features" else _batch.iterates
    assert chart is not None and values is not None
    known = all(row < len(chart) for row in _batch.rows)
    rows = np.array(_batch.rows) if known else None
    first = chart.place(values[0], rows) if rows is None else chart.positions[rows]
    rest = values[1:].reshape(-1, values.shape[-1])
    later = chart.place(rest, None if rows is None else np.tile(rows, len(values) - 1))
    return np.concatenate([first[None], later.reshape(len(values) - 1, len(_batch.rows), 2)])


def space(kind: str) -> feature_maps.Space:
    """Whether a map shows features or outputs."""
    return "outputs" if kind == "Outputs" else "features"


def lead(kind: str) -> str:
    """The sentence to remember about a kind of map; HTML."""
    if kind == "t-SNE":
        return ("Images that the network finds similar lie close together. t-SNE preserves <b>neighbours</b>, not "
                "distances.")
    if kind == "PCA":
        return "The map shows the two directions in which the features vary most. <b>Straight</b> lines stay straight."
    return "The decision is made from these outputs: <b>here</b> an attack has to cross a border."


def draw(lab: Lab, view: View) -> None:
    """Draw the map, finished or not yet."""
    forming, classes, points = view.forming, lab.pictures.classes, view.points
    n = len(points.labels)
    if view.map is None:
        positions = forming.frames[-1] if forming.frames else _first_look(lab, view)
        caption = f"iteration {forming.iteration} of {forming.total}" if forming.total else "looking for neighbours …"
    else:
        positions = view.map.positions
        caption = f"{view.kind} of {n} images"
    stops, moves = _stops(view), _moves(view)
    what = "outputs" if view.kind == "Outputs" else f"{view.kind} of the features"
    alt = f"{view.called}, {what}, {n} images"
    if view.map is not None:
        alt = describe_map(alt, points.labels, classes, landed=_landed(moves), stops=stops,
                                   accuracy=forming.accuracy)
    shown = sheet_of_images(_images(lab.data, n, lab.pictures), key="feature_map_sheet")
    living_map(
        positions, points.labels, classes, points.decoded, key="feature_map_living", alt=alt, caption=caption,
        name=view.key, sheet=shown, moves=moves, stops=stops,
        frames=forming.frames if view.map is not None and isinstance(forming.settings, TSNE) else (),
        forming=None if view.map is not None else max(0, len(forming.frames) - 1), line=view.line,
        height=760 if lab.lecture else 540, on_pick=_keep, on_open=_open,
    )


@st.cache_data(max_entries=8, show_spinner=False)
def _images(dataset: str, n: int, _test: ImageSet) -> Sheet:
    return sheet(_test.subset(n).x())


def quality(view: View) -> None:
    """Draw a sentence on the quality of the map."""
    forming, words = view.forming, ""
    if view.map is None:
        words = "The map is forming. It began as PCA, and now neighbours are moving together."
    else:
        words = f"<b>{100 * forming.accuracy:.0f} %</b> of the images lie among images of their own class."
        if view.kind == "t-SNE":
            words += (f" Trustworthiness is {forming.trust:.2f}; it would be 1 if all neighbours on the map were "
                      "neighbours in the network, too.")
        elif view.map.explained is not None and view.map.width > 1:
            words += f" The map shows {100 * sum(view.map.explained):.0f} % of the variance."
    st.html(f'<p class="lab-lesson">{unbroken(words)}</p>')


def under_attack(lab: Lab, scenario: Scenario, view: View) -> View:
    """Attack the scenario's image and, after the first guess, the first n images.

    Returns:
        The view with the results, for the map.
    """
    try:
        one = batch_attacks.attacked(scenario, view.name, view.called, (scenario.image,), iterates=True)
        rows = tuple(row for row in batch_attacks.first(scenario, view.name) if row < len(view.points.labels))
    except ValueError as error:
        st.info(in_markdown(error))
        return view
    aim, classes = aimed(scenario, scenario.aims[0])[0], lab.pictures.classes
    label, end = int(one.labels[0]), int(one.decoded[1][0])
    pictures = (image_tag(lab.pictures.x(scenario.image), f"image {scenario.image}, {with_article(classes[label])}"),
                image_tag(one.images, "the same, attacked"))
    st.html(
        f'<div class="lab-page map-side"><h2>Image {scenario.image} under attack</h2><p>Aimed at {aim}: '
        f"{_label_html(int(one.decoded[0][0]), classes)} → {chip(end, label, classes)}. The numbers mark its path on "
        "the map.</p>"
        f'<div class="map-one">{"".join(pictures)}</div></div>{STYLE}'
    )
    view = dataclasses.replace(view, one=one)
    with st.container(key="feature_map_many", gap="small"):
        return _many(scenario, view, rows)


def _many(scenario: Scenario, view: View, rows: tuple[int, ...]) -> View:
    """Attack many images, after the first guess; the view with the result."""
    question = f"Now the same attack is made on {len(rows)} images. Where do they land on the map of {view.called}?"
    guess = frame.predict("feature_map", question, GUESSES)
    if not guess.shown:
        return view
    with st.spinner("Attacking …"):
        many = batch_attacks.attacked(scenario, view.name, view.called, rows, iterates=True)
    ends = outcomes(many.decoded[1], many.labels)
    counts = dict(zip(GUESSES, (ends.wrong, ends.abnormal, ends.correct), strict=True))
    most = max(counts, key=counts.__getitem__)
    guess.verdict(most, f"{most} for {counts[most]} of {ends.n}")
    st.html(
        f'<div class="lab-page map-side"><h2>{len(rows)} images under attack</h2><p>Drag the slider to follow them '
        f"step by step. At the end, {ends.correct} are read as their class, {ends.wrong} as another class, and "
        f"{ends.abnormal} as None.</p></div>"
    )
    frame.badge(n=len(rows), aim=aimed(scenario, scenario.aims[0])[0],
                how=f"{how(scenario.settings(scenario.aims[0]))}, ε = {eps_said(scenario.eps, number=True)}",
                zero=many.zero, verdict="masked" if many.zero > 0.1 else None, help=HELP["badge"])
    return dataclasses.replace(view, many=many)


def way(lab: Lab, scenario: Scenario, view: View) -> str:
    """What is read at the stops of the attack on the scenario's image."""
    if view.one is None:
        return ""
    labels = [int(label) for label in view.decoded(view.one)[:, 0]]
    return f"Image {scenario.image} is read as {lesson_facts.path(labels, lab.pictures.classes)}."


def spread(view: View) -> str:
    """How much of the features' variance the map shows, and how well it keeps classes apart."""
    if view.map is None or view.map.explained is None:
        return ""
    return (f"The map shows {100 * sum(view.map.explained):.0f} % of the variance, and "
            f"{100 * view.forming.accuracy:.0f} % of the images lie among images of their own class.")


def picked(lab: Lab, scenario: Scenario, view: View) -> None:
    """Draw the picked images and the labels read in them; each is a link to the attack lab."""
    kept = st.session_state.get("feature_map_picked", ())
    rows = [row for row in kept if row < len(view.points.labels)]
    if not rows:
        st.caption("Move the pointer to a point to see its image, draw a line around several points to see all their "
                   "images, or click on one to attack it.")
        return
    points, many, classes = view.points, view.many, lab.pictures.classes
    index = {row: i for i, row in enumerate(many.rows)} if many is not None else {}
    before = [outcome_of(int(points.decoded[row]), int(points.labels[row])) for row in rows]
    words = f"before the attack: {_counted(before)}"
    if many is not None and index.keys() & set(rows):
        after = [outcome_of(int(many.decoded[1][index[row]]), int(points.labels[row])) for row in rows if row in index]
        words += f"<br>after it: {_counted(after)}"
    cells = []
    for row in rows[:SHOWN]:
        label, first = int(points.labels[row]), int(points.decoded[row])
        shown, last = lab.pictures.x(row), first
        if many is not None and row in index:
            shown, last = many.images[index[row] : index[row] + 1], int(many.decoded[1][index[row]])
        link = dataclasses.replace(scenario, image=row, objectives=Scenario.objectives).link("attack_lab", base=".")
        read_as = f"{_label_html(first, classes)} → " if last != first else ""
        alt = f"image {row}, {with_article(classes[label])}"
        cells.append(
            f'<a href="{html.escape(link)}" target="_self" title="Image {row} in the attack lab">'
            f"{image_tag(shown, alt)}<span>{read_as}{chip(last, label, classes)}"
            "</span></a>"
        )
    st.html(
        f'<div class="lab-page map-side"><h2>{len(rows)} image{"s" * (len(rows) > 1)} picked</h2><p>{words}</p>'
        f'<div class="map-picked">{"".join(cells)}</div></div>{STYLE}'
    )


def table(view: View) -> pd.DataFrame:
    """One row for each image; −1 is None."""
    chart, points = view.map, view.points
    assert chart is not None
    columns = {"picture": range(len(points.labels)), "label": points.labels, "decoded": points.decoded,
               "x": chart.positions[:, 0], "y": chart.positions[:, 1]}
    whole = pd.DataFrame(columns)
    if view.many is not None:
        ends = view.positions(view.many)[-1]
        moved = pd.DataFrame({"picture": view.many.rows, "decoded_attacked": view.many.decoded[1].numpy(),
                              "x_attacked": ends[:, 0], "y_attacked": ends[:, 1]})
        whole = whole.merge(moved, on="picture", how="left")
    return whole


class MapFile:
    """The map as one interactive HTML file, made on request."""

    def __init__(self, lab: Lab, scenario: Scenario, view: View) -> None:
        self.classes, self.view = lab.pictures.classes, view
        n = len(view.points.labels)
        self.title = (f"{view.called}, {view.kind} · {DATASETS[lab.data].title} · n = {n} · "
                      f"{how(scenario.settings(scenario.aims[0]))}, aimed at "
                      f"{aimed(scenario, scenario.aims[0])[0]} · ε = {eps_said(scenario.eps, number=True)}")

    def __call__(self) -> str:
        view, moves = self.view, _moves(self.view)
        chart = view.map
        assert chart is not None
        landed = _landed(moves)
        figure = figures.feature_map(chart.positions, view.points.labels, self.classes, decoded=view.points.decoded,
                                     landed=landed, stops=_stops(view), line=view.line, height=800)
        return take_away.FigurePage(figure, self.title)()


def code(lab: Lab, scenario: Scenario, view: View) -> str:
    """Python that makes this map, and places the attacked images on it, with the library alone."""
    points = "read_features" if space(view.kind) == "features" else "read_outputs"
    settings = view.forming.settings
    made = "PCA()" if isinstance(settings, PCA) else f"TSNE(perplexity={settings.perplexity:g}, seed={settings.seed})"
    lines = [
        "from tasklab import data, figures, zoo",
        *import_lines(scenario.kind, "attack"),
        f"from tasklab.embedding import {made.split('(')[0]}, embed, neighbour_accuracy, {points}",
        "",
        f'test = data.load("{lab.data}", "test")',
        f'system = zoo.load("{view.name}")',
        f"shown = test.subset({len(view.points.labels)})",
        f"chart = embed({points}(system, shown.x()), {made})",
        "accuracy = neighbour_accuracy(chart.positions, shown.labels.numpy())",
        'print(f"{accuracy:.1%} lie among their own class")',
    ]
    batch = view.many or view.one
    if batch is not None:
        rows = list(batch.rows)
        chosen = f"range({len(rows)})" if rows == list(range(len(rows))) else repr(rows)
        objective = f'"{scenario.climbed(scenario.aims[0])}"'
        lines += [
            "",
            f"rows = torch.tensor({chosen})",
            f"settings = {scenario.attack}({scenario.arguments(objective)})",
            "result = attack(system, test.x(rows), test.labels[rows], settings, indices=rows"
            + (")" if scenario.target is None else
               f", targets=torch.full_like(rows, {scenario.target}))"),
            f"landed = chart.place({points}(system, result.images), rows)",
            'print(f"{result.accuracy:.1%} of them still correct")',
        ]
        lines = ["import torch", "", *lines]
    return "\n".join(lines)


def _first_look(lab: Lab, view: View) -> NDArray[np.float64]:
    """The positions that t-SNE begins with, shown until its first frame is there."""
    chart = feature_maps.forming(lab.data, view.name, space(view.kind), PCA()).map
    return chart.positions if chart is not None else np.zeros((len(view.points.labels), 2))


def _stops(view: View) -> Stops | None:
    """The attack on the scenario's image, as the map draws it."""
    if view.one is None:
        return None
    return Stops(positions=view.positions(view.one)[:, 0], decoded=view.decoded(view.one)[:, 0],
                 label=int(view.one.labels[0]), steps=view.one.steps)


def _moves(view: View) -> Moves | None:
    """The attack on many images, as the map draws it."""
    if view.many is None:
        return None
    return Moves(rows=view.many.rows, positions=view.positions(view.many), decoded=view.decoded(view.many),
                 numbers=view.many.steps)


def _landed(moves: Moves | None) -> Landed | None:
    """Where the attack on many images ends."""
    if moves is None:
        return None
    return Landed(rows=moves.rows, positions=moves.positions[-1], decoded=moves.decoded[-1])


def _label_html(decoded: int, classes: Sequence[str]) -> str:
    return html.escape("None" if decoded < 0 else classes[decoded])


def _counted(kinds: Sequence[Any]) -> str:
    """The number of each outcome, with its sign and word."""
    return ", ".join(f"{LOOKS[kind].sign} {kinds.count(kind)} {LOOKS[kind].word}" for kind in LOOKS)


def _keep(rows: list[int], step: int) -> None:
    st.session_state["feature_map_picked"] = rows


def _open(row: int) -> None:
    frame.leave_for("attack_lab", {"image": row})
