"""The page “Decision regions”: the plane as each system reads it, where a loss is flat, and attacks on points."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from lab_ui.basics.lab import Lab
from lab_ui.basics.waiting import give_way
from lab_ui.basics.words import SYSTEMS
from lab_ui.panels import plane_controls, plane_views
from lab_ui.parts.charts import plot
from lab_ui.results import lesson_facts, plane_systems
from lab_ui.results.plane_systems import Plane, PlaneRun
from lab_ui.shell import frame
from tasklab.data import DATASETS
from tasklab.experiments.plane import Regions
from tasklab.figures import outcome_stack, plane
from tasklab.figures.cross_sections import cut, describe_cut
from tasklab.figures.regions import describe_regions
from tasklab.text import in_markdown

if TYPE_CHECKING:
    from plotly.graph_objects import Figure
    from streamlit.delta_generator import DeltaGenerator

FIELDS = {words: aim for aim, words in plane_views.AIM_WORDS.items()}
GUESSES = ("in every square", "only where the colour is faint", "in none")

def page() -> None:
    """Draw the controls; then the training of the systems or, once they are trained, their charts and the attacks."""
    lab = frame.open_page("regions", bar=())
    st.html(plane_views.STYLE)
    chosen, eps = plane_controls.planes()
    if not chosen:
        st.info(f"Pick at least one task {lab.controls}.")
        return
    point = plane_controls.point(chosen[0])
    runs = _runs([each for each in chosen if plane_systems.trained(each) is None])
    troubles = [f"{SYSTEMS[run.plane.task.name]}: {run.trouble}" for run in runs if run.trouble]
    for sentence in troubles:
        st.warning(in_markdown(sentence))
    if troubles:
        return
    if runs:
        _train(chosen, dict(zip((run.plane for run in runs), runs, strict=True)))
        return
    _show(lab, chosen, eps, point)


def _runs(waiting: list[Plane]) -> list[PlaneRun]:
    """The training runs of this session; runs for other settings are ended.

    Args:
        waiting: settings of the systems that are not trained yet.
    """
    runs: dict[Plane, PlaneRun] = st.session_state.setdefault("regions_runs", {})
    for each in [each for each in runs if each not in waiting]:
        runs.pop(each).stop()
    if any(each not in runs for each in waiting):
        st.session_state["regions_stopped"] = False
    for each in waiting:
        if each not in runs:
            runs[each] = PlaneRun(each)
    return [runs[each] for each in waiting]


def _train(chosen: tuple[Plane, ...], runs: Mapping[Plane, PlaneRun]) -> None:
    """Train and draw the systems, image by image; run the page again once all are trained.

    A click anywhere ends this run of the page, and the next one goes on where it was, or holds the image if the click
    was on “Stop”.

    Args:
        chosen: all systems to draw.
        runs: the training runs of those that are not trained yet.
    """
    stopped, head = bool(st.session_state.get("regions_stopped")), st.empty()
    with st.container(horizontal=True, vertical_alignment="bottom", border=False):
        field = _field()
        if stopped:
            st.button("Go on", on_click=_stop, args=(False,), type="primary", key="regions_go", width=110)
        else:
            st.button("Stop", on_click=_stop, args=(True,), type="primary", key="regions_stop", width=110)
        with st.container(width=240):
            progress = st.empty()
    _legend()
    slots = {}
    for column, each in _columns(chosen):
        with column, st.container(border=True, gap="xsmall", height="stretch"):
            plane_views.heading(each.task)
            slots[each] = st.empty()
    by_plane = {each: plane_systems.read(each, field) for each in chosen if each not in runs}

    def draw() -> float:
        """Draw everything as it is at this moment; how many seconds that took."""
        began = time.perf_counter()
        by_plane.update({each: run.read(field) for each, run in runs.items()})
        share = min(run.step / run.steps for run in runs.values())
        progress.progress(share, text=f"epoch {int(share * chosen[0].epochs)} of {chosen[0].epochs}")
        with head.container():
            frame.headline("Decision regions", _lead({each: by_plane[each] for each in chosen}, field))
        for each, slot in slots.items():
            with slot:
                plane_views.live(by_plane[each], each)
        return time.perf_counter() - began

    seconds = draw()
    while not stopped and not all(run.done for run in runs.values()):
        for run in runs.values():
            run.advance(2 * seconds / len(runs))
            give_way()
        seconds = draw()
        stopped = bool(st.session_state.get("regions_stopped"))
    if not stopped:
        st.rerun()


def _columns(chosen: tuple[Plane, ...]) -> Iterator[tuple[DeltaGenerator, Plane]]:
    """Each system with a column to draw it in, two in a row."""
    for begin in range(0, len(chosen), 2):
        yield from zip(st.columns(2), chosen[begin : begin + 2], strict=False)


def _field() -> str:
    """The control of the arrows; drawn during training, too, so that its value is kept."""
    return FIELDS[st.segmented_control(
        "The arrows show an attack on the", list(FIELDS), default="training loss", required=True, key="regions_field",
        bind="query-params", help="Each arrow shows which way such an attack would go. The paper's attack climbs the "
        "training loss. The margin says how far the answer is from changing; an attack on it aims at the decision.")]


def _stop(stopped: bool) -> None:
    st.session_state["regions_stopped"] = stopped


def _again(chosen: tuple[Plane, ...]) -> None:
    plane_systems.forget(chosen)
    st.session_state["regions_stopped"] = False


def _show(lab: Lab, chosen: tuple[Plane, ...], eps: float, point: int) -> None:
    """Draw the trained systems, the attacks on one point and on all test points, and the downloads."""
    head = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom", border=False):
        field = _field()
        st.button("Train again", on_click=_again, args=(chosen,),
                  help="Trains the systems again from the beginning, so that you can watch it.")
    with head:
        frame.headline("Decision regions", _lead({each: plane_systems.read(each, field) for each in chosen}, field))
    _legend()
    guess = frame.predict("regions", "An attack starts at the ringed point and climbs the training loss. Where does it "
                                     "reach another answer?", GUESSES)
    shown = guess.shown
    if guess.made:
        _judge(guess, chosen, eps, point)
    charts: dict[str, Figure] = {}
    with st.container(key="regions_squares"):
        for column, each in _columns(chosen):
            with column, st.container(border=True, gap="xsmall", height="stretch"):
                plane_views.heading(each.task)
                charts |= _square(each, field, point, eps, shown)
    frame.tell(lab, flat=lambda: lesson_facts.flat(
        {SYSTEMS[each.task.name]: plane_systems.read(each, field).flat_share for each in chosen},
        plane_views.AIM_WORDS[field],
    ))
    if shown:
        st.subheader("The same attacks on points that were not used in training", anchor=False)
        for column, each in _columns(chosen):
            with column, st.container(border=True, gap="xsmall"):
                _all_points(each, eps)
    frame.close_page(lab, code=_code(chosen, eps, point),
                     figures={name: (chart, f"{SYSTEMS[name.split()[0]]} · {_about(chosen[0], point, eps)}")
                              for name, chart in charts.items()},
                     tables={"regions": lambda: _table(chosen, eps)})


def _about(each: Plane, point: int, eps: float) -> str:
    """Points and attacks in the title of a figure in a file."""
    return (f"{DATASETS[each.data].title}, n = {each.n} training points · point {point} under PGD, 20 steps, aimed at "
            f"the training loss and at the margin · ε = {eps:g}")


def _judge(guess: frame.Guess, chosen: tuple[Plane, ...], eps: float, point: int) -> None:
    """Draw the verdict on the first guess."""
    label = int(chosen[0].points.labels[point])
    away = [SYSTEMS[each.task.name] for each in chosen
            if any(walk.objective == "train" and walk.end != label
                   for walk in plane_systems.follow(each, point, eps).trajectories)]
    answer = GUESSES[0 if len(away) == len(chosen) else 1 if away else 2]
    guess.verdict(answer, f"in {' and '.join(away)}" if away else "in none")


def _legend() -> None:
    st.html(
        '<p class="lab-key"><span>▸ faint colour: there is a gradient, and it points this way</span>'
        "<span>• full colour: the gradient is exactly 0</span><span>▨ None: no class at all</span>"
        "<span>○ the point under attack</span><span>┄ as far as ε lets an attack go</span></p>"
    )


def _lead(by_plane: Mapping[Plane, Regions], field: str) -> str:
    """What the charts show, in a sentence or two; HTML."""
    sentences = [f"{SYSTEMS[each.task.name]} divides the plane into stripes, and between them it answers <b>None</b>."
                 for each, seen in by_plane.items() if each.task.line is not None and seen.none_share > 0]
    flat = ", ".join(f"<b>{SYSTEMS[each.task.name]} {100 * seen.flat_share:.0f} %</b>"
                     for each, seen in by_plane.items())
    sentences.append(f"Share of the area read as a class where the gradient of the {plane_views.AIM_WORDS[field]} is "
                     f"exactly 0: {flat}.")
    return " ".join(sentences)


def _square(each: Plane, field: str, point: int, eps: float, shown: bool) -> dict[str, Figure]:
    """Draw one system: the plane, the result of each attack on the point, and the cross-section.

    Returns:
        Name to figure, for the downloads.
    """
    name, classes, read = SYSTEMS[each.task.name], each.points.classes, plane_systems.read(each, field)
    followed = plane_systems.follow(each, point, eps) if shown else None
    trajectories = followed.trajectories if followed is not None else ()
    figure, line = _figures(each, field, point, eps, shown)
    charts, key = {f"{each.task.name} plane": figure}, f"regions_plane_{each.task.name}"
    with st.container(key=f"regions_square_{each.task.name}"):  # the style keeps it a square, however narrow
        plot(figure, key=key, on_select=lambda: plane_controls.picked(key, each), selection_mode="points",
             alt=describe_regions(name, read, trajectories, classes), height="stretch")
    if shown:
        st.html(plane_views.verdict(trajectories, classes))
    if line is not None and followed is not None and followed.section is not None:
        st.caption("A cross-section from the point in the direction of the attack on the margin. The curve of the "
                   "training loss is thick where its gradient is exactly 0.")
        plot(line, key=f"regions_cut_{each.task.name}", alt=f"{name}. {describe_cut(followed.section, classes)}")
        charts[f"{each.task.name} cut"] = line
    return charts


@st.cache_resource(max_entries=60, show_spinner=False, hash_funcs={Plane: repr})
def _figures(each: Plane, field: str, point: int, eps: float, shown: bool) -> tuple[Figure, Figure | None]:
    """A system's plane and, once shown, the cross-section; shared by all visitors, so they must not be changed."""
    points, followed = each.points, plane_systems.follow(each, point, eps) if shown else None
    figure = plane(
        plane_systems.read(each, field), classes=points.classes, points=points.x(), labels=points.labels,
        trajectories=followed.trajectories if followed is not None else (), marked=points.x(point)[0], eps=eps,
        picks=25, height=plane_views.SIDE,
    )
    if followed is None or followed.section is None:
        return figure, None
    return figure, cut(followed.section, classes=points.classes, height=200)


def _all_points(each: Plane, eps: float) -> None:
    """Draw the outcomes of the test points before and after each attack."""
    results, name = plane_systems.under_attack(each, eps), SYSTEMS[each.task.name]
    names = {"clean": "before", "train": "training loss", "margin": "margin"}
    rows = [(words, results[aim][0]) for aim, words in names.items()]
    plane_views.heading(each.task)
    words = "; ".join(f"{when}: {o.correct} correct, {o.wrong} wrong, {o.abnormal} None of {o.n}" for when, o in rows)
    plot(outcome_stack(rows), key=f"regions_stack_{each.task.name}", alt=f"{name}, {words}.")
    plane_views.badge(results, eps)


def _table(chosen: tuple[Plane, ...], eps: float) -> pd.DataFrame:
    """One row for each system."""
    rows = []
    for each in chosen:
        results, train = plane_systems.under_attack(each, eps), plane_systems.read(each, "train")
        rows.append({
            "task": each.task.name, "none_share": train.none_share, "flat_share": train.flat_share,
            "n": results["clean"][0].n, "eps": eps, "clean": results["clean"][0].accuracy.value,
            "own_loss": results["train"][0].accuracy.value, "margin": results["margin"][0].accuracy.value,
            "zero_gradient": results["train"][1],
        })
    return pd.DataFrame(rows)


def _code(chosen: tuple[Plane, ...], eps: float, point: int) -> str:
    """Python that trains and attacks these systems with the library alone."""
    first, recipe = chosen[0], chosen[0].recipe
    points = f"n={first.n}, noise={first.noise:g}, seed={first.seed}"
    return "\n".join([
        "from tasklab import data",
        "from tasklab.attacks.presets import plane_attack",
        "from tasklab.experiments.plane import plane_trajectory, regions",
        "from tasklab.figures.regions import plane",
        "from tasklab.system import new_system",
        f"from tasklab.tasks import {', '.join(type(each.task).__name__ for each in chosen)}",
        "from tasklab.training import Recipe, fit",
        "",
        f'points = data.load("{first.data}", "train", {points})',
        f"x, y = points.x({point})[0], int(points.labels[{point}])",
        f"recipe = Recipe(epochs={recipe.epochs}, batch_size={recipe.batch_size}, lr={recipe.lr}, "
        f"weight_decay={recipe.weight_decay}, seed={recipe.seed})",
        "",
        "found, ends = {}, {}",
        "for task in [",
        *(f"    {each.task!r}," for each in chosen),
        "]:",
        f'    system = new_system(task, points, arch="mlp", width=32, seed={first.seed})',
        "    for event in fit(system, points, recipe):",
        "        pass",
        "    found[task.name] = regions(system, side=180)",
        '    for objective in ("train", "margin"):',
        f"        attack = plane_attack({eps:g}, objective)  # PGD-20 in steps of ε/10",
        "        ends[task.name, objective] = plane_trajectory(system, x, y, attack).end  # -1 is None",
        '    print(task.name, f"None {found[task.name].none_share:.1%}, gradient 0 {found[task.name].flat_share:.1%}")',
        f"# plane(found[{first.task.name!r}], points=points.x(), labels=points.labels).show()",
    ])


page()
