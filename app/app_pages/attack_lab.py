"""The page “Attack lab”: one image, several systems, one attack with several objectives, and ε to drag.

A second view shows the plane around the image that two attacks span, with a point to drag.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import streamlit as st

from lab_ui.basics.lab import Lab
from lab_ui.basics.words import aimed, title
from lab_ui.parts import live
from lab_ui.results import growing, lesson_facts, picture_attacks
from lab_ui.results.picture_attacks import Sweeps
from lab_ui.shell import controls, frame, menus
from lab_ui.visitor import catalogue
from tasklab.data import DATASETS
from tasklab.data.radii import eps_said
from tasklab.experiments.ground import finer_ground
from tasklab.experiments.scenario import Scenario
from tasklab.experiments.sweep import Sweep
from tasklab.experiments.trajectory import PLAYED
from tasklab.figures.live.ground import ground_data, ground_html
from tasklab.figures.live.sweep import scene_data, scene_html
from tasklab.figures.live.trajectory import trajectory_data, trajectory_html
from tasklab.text import in_markdown

GROUND = "the plane around the image"
VIEWS = ("ε to drag", GROUND)
"""The two ways in which the page shows an attack."""

STRIP = 12
"""Number of small images above the figure."""


def page() -> None:
    """Draw the strip of images, the figure with ε to drag, the player and the downloads."""
    lab = frame.open_page("attack_lab")
    scenario = controls.attack(lab, one_objective=False)
    if not lab.lecture:
        live.strip(lab.pictures, _around(lab), lab.image, key="attack_lab_strip", on_pick=_pick)
    with st.container(horizontal=True):
        view = st.segmented_control("View", VIEWS, default=VIEWS[0], required=True, key="view", bind=controls.URL,
                                    label_visibility="collapsed")
        seen_by = _ground_system(lab, scenario) if view == GROUND else None
    if seen_by is not None:
        _ground(lab, scenario, seen_by)
        return
    if not scenario.aims:
        st.info(f"Pick at least one aim {lab.controls}, and the attack begins.")
        return
    fine = _fine(scenario)
    slow = picture_attacks.is_slow(scenario)
    seen, sweeps = picture_attacks.start_sweeps(
        scenario, lab, _stops(scenario, slow=slow, fine=fine), _finer(scenario) if fine else ())
    growing.show(lab.slug, seen)
    if fine and seen.whole:
        st.session_state["attack_lab_made"] = _made_key(scenario)
    attacked = {pair: cell for pair, cell in sweeps.items() if isinstance(cell, Sweep)}
    if not attacked:
        if not seen.finished:
            live.former_scene("attack_lab_scene")
            frame.close_page(lab)
            return
        for sentence in dict.fromkeys(cell for cell in sweeps.values() if isinstance(cell, str)):
            st.info(in_markdown(sentence))
        return
    named = {(title(lab.key(name)), aim): cell for (name, aim), cell in attacked.items()}
    frame.tell(lab, own_loss=lambda: lesson_facts.own_loss(named, scenario.eps),
               both=lambda: lesson_facts.both(named, scenario.eps),
               way=lambda: lesson_facts.way(named, lab.pictures.classes),
               evaded=lambda: lesson_facts.evaded(named, scenario.eps))
    _scene(lab, scenario, sweeps, slow=slow, fine=fine)
    growing.step_back()
    if not seen.finished:  # what follows belongs to the steps of the result
        frame.close_page(lab)
        return
    scenario = growing.as_far_as(scenario, seen)
    with st.container(key="attack_lab_steps", gap="small"):
        played = _player(lab, scenario, list(attacked))
    files: dict[str, Any] = {"eps_drag.html": (_SceneFile(scenario, sweeps, lab), "ε to drag (one HTML file)")}
    if played is not None:
        about = f"{played[1]['title']} · {DATASETS[lab.data].title}, image {lab.image} · ε = {eps_said(scenario.eps)}"
        files["steps.html"] = (lambda: trajectory_html(played[0], **played[1] | {"title": about}),
                               "Step by step (one HTML file)")
    frame.close_page(lab, code=scenario.to_code(list(attacked)), files=files,
                     tables={"attack": lambda: picture_attacks.table(sweeps)})


def _fine(scenario: Scenario) -> bool:
    """Whether many values of ε have been requested for this attack."""
    return bool(st.session_state.get("attack_lab_fine") == picture_attacks.fine_key(scenario))


def _made_key(scenario: Scenario) -> str:
    """A key for all values of ε of one attack; they are in the cache once they have been made."""
    return repr(dataclasses.replace(scenario, eps=0.0))


def _stops(scenario: Scenario, *, slow: bool, fine: bool) -> tuple[float, ...] | None:
    """The values of ε that are shown first, beside the scenario's own; None where all of them are there already."""
    if fine and not slow and st.session_state.get("attack_lab_made") == _made_key(scenario):
        return None
    at_once = slow or scenario.eps == 0  # no others follow by themselves, or there is nothing to drag yet
    return scenario.radii.few if scenario.kind.takes_eps_per_example and at_once else ()


def _finer(scenario: Scenario) -> tuple[float, ...]:
    """The values of ε that are shown on request."""
    return scenario.radii.many if scenario.kind.takes_eps_per_example else scenario.radii.few


@st.fragment  # a request that the figure sends by itself must not end a run of the page that a click has just begun
def _scene(lab: Lab, scenario: Scenario, sweeps: Sweeps, *, slow: bool, fine: bool) -> None:
    """Draw the figure with ε to drag, and the buttons that pin a view."""
    if controls.eps_now(lab.data) != scenario.eps or _fine(scenario) != fine:  # dragged, or more ε are requested
        st.rerun()
    key = None if fine else picture_attacks.fine_key(scenario)
    finer = _finer(scenario)
    data = scene_data(**picture_attacks.scene_arguments(scenario, sweeps, lab), eps=scenario.eps, title="Attack lab",
                      coming=() if slow and not fine else finer)
    pinned = st.session_state.get("attack_lab_pinned")
    live.scene(data | {"finer": key, "ask": _price(scenario, finer) if slow and not fine else "", "pinned": pinned},
               key="attack_lab_scene", on_eps=_keep_eps, on_finer=_keep_fine)
    if lab.lecture:
        return
    with st.container(horizontal=True):
        st.button("Pin this as A", on_click=_pin, args=(picture_attacks.pin(scenario, sweeps, lab),),
                  key="attack_lab_pin", help="Keeps the present answers as A, to compare them with the answers after "
                                             "you change something.")
        if pinned:
            st.button("Unpin A", on_click=_pin, args=(None,), key="attack_lab_unpin")


def _price(scenario: Scenario, finer: Sequence[float]) -> str:
    """What other values of ε cost, in steps."""
    attacks = len(scenario.systems) * len(scenario.aims)
    if scenario.kind.takes_eps_per_example:
        return f"{len(finer)} values in one batch, {attacks * scenario.steps:,} steps"
    return f"{attacks * len(finer) * scenario.steps:,} steps"


def _ground_system(lab: Lab, scenario: Scenario) -> str:
    """The control for the system whose plane is drawn."""
    names = [lab.key(name) for name in scenario.systems]
    return lab.systems[menus.one(st.selectbox, "System", menus.named(names), names[-1], key="attack_lab_ground_system",
                                 width=320, label_visibility="collapsed")]


def _ground(lab: Lab, scenario: Scenario, name: str) -> None:
    """Draw the plane around the image for one system, and its downloads."""
    if scenario.kind not in PLAYED:
        st.info("The plane is spanned by the paths of attacks that climb step by step, as PGD and FGSM do. "
                f"{scenario.attack} does not; choose one of these two {lab.controls}.")
        return
    if scenario.eps == 0:
        st.info("With ε = 0 no attack can leave the image, so there is no plane to span. Choose a larger ε.")
        return
    try:
        with st.spinner("Computing the plane …") if catalogue.is_large(name) else nullcontext():
            coarse = picture_attacks.ground(scenario, name, lab.key(name), side=picture_attacks.COARSE)
    except ValueError as error:
        st.info(in_markdown(error))
        return
    frame.tell(lab, ground=lambda: lesson_facts.ground(coarse.paths, title(lab.key(name)), lab.pictures.classes))
    _plane(lab, scenario, name)
    system, side = catalogue.system(name), picture_attacks.fine_side(lab.pictures)
    heading = f"The plane around {DATASETS[lab.data].title}, image {lab.image} · ε = {eps_said(scenario.eps)}"
    words = _ground_words(lab, name) | {"heading": heading}
    frame.close_page(lab, code=picture_attacks.ground_code(scenario, name, side=side), files={
        "ground.html": (lambda: ground_html(finer_ground(system, coarse, side=side), **words),
                        "The plane, with a point to drag (one HTML file)")})


@st.fragment  # as for the figure with ε to drag
def _plane(lab: Lab, scenario: Scenario, name: str) -> None:
    """Draw the plane with the point to drag: few places at first, more as soon as they are requested."""
    key = picture_attacks.ground_key(scenario, name)
    fine, large = st.session_state.get("attack_lab_ground_fine") == key, catalogue.is_large(name)
    side = picture_attacks.fine_side(lab.pictures) if fine else picture_attacks.COARSE
    with st.spinner("Computing more places …") if fine and large else nullcontext():
        seen = picture_attacks.ground(scenario, name, lab.key(name), side=side)
    data = ground_data(seen, **_ground_words(lab, name)) | {"finer": None if fine else key, "ask": large and not fine}
    live.ground(data, key="attack_lab_ground", on_finer=_keep_ground_fine)


def _ground_words(lab: Lab, name: str) -> dict[str, Any]:
    return {"heading": "The plane around one image", "title": title(lab.key(name)), "classes": lab.pictures.classes}


def _player(lab: Lab, scenario: Scenario, pairs: list[tuple[str, str]]) -> tuple[Any, dict[str, Any]] | None:
    """Draw the steps of PGD for one system and one objective.

    Returns:
        The trajectory and the words of the player, for the download; None where nothing is played.
    """
    st.subheader("Step by step", anchor=False)
    if scenario.kind not in PLAYED:
        st.caption(f"{scenario.attack} does not climb step by step. Choose PGD or FGSM to see the steps of an attack.")
        return None
    keys = [lab.key(name) for name in dict.fromkeys(name for name, _ in pairs)]
    aims = {aim: aimed(scenario, aim)[0] for _, aim in pairs}
    with st.container(horizontal=True):
        name = lab.systems[menus.one(st.selectbox, "System", menus.named(keys), keys[-1], key="attack_lab_walk_system",
                                     width=320)]
        aim = menus.one(st.selectbox, "Aimed at", aims, list(aims)[-1], key="attack_lab_walk_aim", width=240)
    try:
        steps = picture_attacks.trajectory(scenario, name, lab.key(name), aim)
    except ValueError as error:
        st.info(in_markdown(error))
        return None
    falls = aim == "margin" and not scenario.targeted  # what an attack climbs is its negative
    words: dict[str, Any] = {
        "title": title(lab.key(name)), "aim": f"{'minus ' * falls}{aims[aim]}", "names": lab.pictures.classes}
    live.player(trajectory_data(steps, **words), key="attack_lab_player")
    return steps, words


class _SceneFile:
    """The figure as one HTML file, made on request."""

    def __init__(self, scenario: Scenario, sweeps: Sweeps, lab: Lab) -> None:
        self.scenario, self.sweeps, self.lab = scenario, sweeps, lab

    def __call__(self) -> str:
        arguments = picture_attacks.scene_arguments(self.scenario, self.sweeps, self.lab)
        title = f"{DATASETS[self.lab.data].title}, image {self.lab.image} under attack"
        return scene_html(**arguments, eps=self.scenario.eps, title=title)


def _around(lab: Lab) -> range:
    """Indices of the images in the strip; the present one is among them."""
    first = lab.image - lab.image % STRIP
    return range(first, min(first + STRIP, len(lab.pictures)))


def _pick(index: int) -> None:
    st.session_state["image"] = index


def _keep_eps(eps: float) -> None:
    st.session_state["eps"] = eps


def _keep_fine(key: str) -> None:
    st.session_state["attack_lab_fine"] = key


def _keep_ground_fine(key: str) -> None:
    st.session_state["attack_lab_ground_fine"] = key


def _pin(view: dict[str, Any] | None) -> None:
    st.session_state["attack_lab_pinned"] = view


page()
