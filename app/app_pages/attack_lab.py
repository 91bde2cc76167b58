"""The attack lab: one picture, several systems, one attack, aimed at different things, with ε to drag."""

from __future__ import annotations

from typing import Any

import streamlit as st

from lab_ui.basics.lab import Lab
from lab_ui.basics.words import AIMS, title
from lab_ui.parts import live
from lab_ui.results import picture_attacks
from lab_ui.results.picture_attacks import TOGETHER, Found
from lab_ui.shell import controls, frame
from lab_ui.visitor import catalogue
from tasklab.experiments.scenario import Scenario
from tasklab.experiments.sweep import Sweep
from tasklab.figures.live.sweep import scene_data, scene_html
from tasklab.figures.live.trajectory import trajectory_data, trajectory_html
from tasklab.text import in_markdown

OPENING = {"data": "digits", "image": controls.PICTURE["digits"], "systems": ["tra", "deepbe", "int", "rbc"],
           "attack": "PGD", "steps": 10, "norm": "linf", "criterion": "misclassified", "target": "any other"}
"""What the lesson's sentences are true of."""

LESSON = (
    frame.Step("Drag ε up from 0. The attack climbs the training loss, as in the paper. Where a system is fitted, that "
               "loss has no gradient, and nothing happens.", OPENING | {"eps": 0.0, "train": True, "margin": False}),
    frame.Step("One line changed: the same attack aims at the decision. Now every system breaks.",
               OPENING | {"eps": 0.2, "train": True, "margin": True}),
    frame.Step("Drag ε and watch INT's output slide along the number line: through a gap it reads None.",
               OPENING | {"eps": 0.0, "train": False, "margin": True, "systems": ["int"]}),
    frame.Step("Make the attack count only if another class is read: a None raises an alarm.",
               OPENING | {"eps": 0.2, "train": False, "margin": True, "criterion": "evaded"}),
    frame.Step("How one step is made: gradient, sign, step, projection. Play it at the end of the page.",
               OPENING | {"eps": 0.2, "train": True, "margin": True}),
)
STRIP = 12
"""Pictures side by side above the scene."""


def page() -> None:
    """Pictures, scene, steps, files."""
    lab = frame.open_page("attack_lab", lesson=LESSON)
    scenario = controls.attack(lab, one_objective=False)
    if not scenario.aims:
        st.info("Pick at least one aim on the left, and the attack begins.")
        return
    if not lab.lecture:
        live.strip(lab.pictures, _around(lab), lab.image, key="attack_lab_strip", on_pick=_pick)
    fine = _fine(scenario)
    found = _found(lab, scenario, st.empty(), fine=fine)
    there = {pair: cell for pair, cell in found.items() if isinstance(cell, Sweep)}
    if not there:
        for sentence in dict.fromkeys(cell for cell in found.values() if isinstance(cell, str)):
            st.info(in_markdown(sentence))
        return
    _scene(lab, scenario, found, fine=fine)
    way = _player(lab, scenario, list(there))
    files: dict[str, Any] = {"eps_drag.html": (_SceneFile(found, lab, scenario.eps), "ε to drag (one HTML file)")}
    if way is not None:
        files["steps.html"] = (lambda: trajectory_html(way[0], **way[1]), "Step by step (one HTML file)")
    frame.close_page(lab, code=scenario.to_code(list(there)), tables={"attack": lambda: picture_attacks.table(found)},
                     files=files)


def _slow(scenario: Scenario) -> bool:
    """Whether an answer takes seconds: more stops then come when they are asked for by hand."""
    return scenario.attack not in TOGETHER or any(catalogue.is_large(name) for name in scenario.systems)


def _fine(scenario: Scenario) -> bool:
    """Whether the scene has asked for many ε."""
    return bool(st.session_state.get("attack_lab_fine") == picture_attacks.fine_key(scenario))


def _stops(scenario: Scenario, *, fine: bool) -> tuple[float, ...]:
    """The ε that are worked out, beside the one asked for."""
    radii, together = scenario.radii, scenario.attack in TOGETHER
    if fine:
        return radii.many if together else radii.few
    some = _slow(scenario) or scenario.eps == 0  # no others follow, or there would be nothing to drag over before
    return radii.few if together and some else ()


def _found(lab: Lab, scenario: Scenario, working: Any, *, fine: bool) -> Found:
    """The answers; where they take a while, a word in that place on what is worked on."""
    slow = _slow(scenario)
    found = picture_attacks.answers(
        scenario, lab, _stops(scenario, fine=fine),
        progress=lambda share, words: working.progress(share, words) if slow else None,
    )
    working.empty()
    return found


@st.fragment  # what it says by itself stops no run of the page: a click, whose run had just begun, would be lost
def _scene(lab: Lab, scenario: Scenario, found: Found, *, fine: bool) -> None:
    """The scene itself, and the two buttons that pin it."""
    if controls.eps_now(lab.data) != scenario.eps:  # its hand has rested elsewhere
        st.rerun()
    working = st.empty()  # in every run, so that what follows keeps its place
    if _fine(scenario) and not fine:
        found |= _found(lab, scenario, working, fine=True)  # for the files and tables of the page too
        fine = True
    key = None if fine else picture_attacks.fine_key(scenario)
    ask = key is not None and _slow(scenario)
    data = scene_data(**picture_attacks.words(found, lab), eps=scenario.eps, title="Attack lab",
                      coming=() if ask else _stops(scenario, fine=True))
    pinned = st.session_state.get("attack_lab_pinned")
    live.scene(data | {"finer": key, "ask": ask, "pinned": pinned}, key="attack_lab_scene", on_eps=_keep_eps,
               on_finer=_keep_fine)
    if lab.lecture:
        return
    with st.container(horizontal=True):
        st.button("Pin this as A", on_click=_pin, args=(picture_attacks.pin(scenario, found, lab),),
                  key="attack_lab_pin", help="Keep what is read now, and compare it with whatever you change")
        if pinned:
            st.button("Unpin A", on_click=_pin, args=(None,), key="attack_lab_unpin")


def _player(lab: Lab, scenario: Scenario, pairs: list[tuple[str, str]]) -> tuple[Any, dict[str, Any]] | None:
    """PGD's way, step by step, for one system and one aim."""
    st.subheader("Step by step", anchor=False)
    if scenario.attack not in TOGETHER:
        st.caption(f"{scenario.attack} does not climb as PGD does. Choose PGD or FGSM to see its steps.")
        return None
    names, aims = list(dict.fromkeys(n for n, _ in pairs)), list(dict.fromkeys(a for _, a in pairs))
    with st.container(horizontal=True):
        name = st.selectbox("System", names, index=len(names) - 1, key="attack_lab_walk_system", width=240,
                            format_func=lambda name: title(lab.key(name)))
        aim = st.selectbox("Aimed at", aims, index=len(aims) - 1, key="attack_lab_walk_aim", width=240,
                           format_func=lambda aim: AIMS[aim])
    try:
        way = picture_attacks.way(scenario, name, lab.key(name), aim)
    except ValueError as error:
        st.info(in_markdown(error))
        return None
    words = {"title": title(lab.key(name)), "aim": AIMS[aim], "names": lab.pictures.classes}
    live.player(trajectory_data(way, **words), key="attack_lab_player")
    return way, words


class _SceneFile:
    """The scene as one file, made when it is asked for."""

    def __init__(self, found: Found, lab: Lab, eps: float) -> None:
        self.found, self.lab, self.eps = found, lab, eps

    def __call__(self) -> str:
        return scene_html(**picture_attacks.words(self.found, self.lab), eps=self.eps, title="One picture under attack")


def _around(lab: Lab) -> range:
    """The places of the strip: a page of it that holds the present picture."""
    first = lab.image - lab.image % STRIP
    return range(first, min(first + STRIP, len(lab.pictures)))


def _pick(place: int) -> None:
    st.session_state["image"] = place


def _keep_eps(eps: float) -> None:
    st.session_state["eps"] = eps


def _keep_fine(key: str) -> None:
    st.session_state["attack_lab_fine"] = key


def _pin(view: dict[str, Any] | None) -> None:
    st.session_state["attack_lab_pinned"] = view


page()
