"""The controls that pages share. Their values live in the URL, so a link repeats the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import streamlit as st

from lab_ui.basics.lab import Lab
from lab_ui.basics.words import AIM_NOTES, AIMS, ATTACK_NOTES, HELP
from lab_ui.visitor import catalogue
from tasklab.attacks.building import ATTACKS, choices, fields_of
from tasklab.data import DATASETS, ImageSet
from tasklab.data.info import radii_of
from tasklab.data.radii import Radii, eps_said
from tasklab.experiments.scenario import Scenario

PICTURE = {"digits": 54, "mnist": 20, "cifar10": 16, "cifar100": 58}
"""The picture each data set opens with: one on which the aim makes the difference."""

MANY = {"digits": 200, "mnist": 200, "cifar10": 50, "cifar100": 50}
"""So many pictures a page of many begins with: what a processor attacks in a few seconds."""

STEPS = {"FGSM": 1, "PGD": 10, "APGD": 20, "Square": 300, "FAB": 20, "CW": 100, "HopSkipJump": 10, "Noise": 100}
"""The steps, or queries, that each attack opens with."""

KEEPS = ("best", "last", "first")

STEP_STOPS = (1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 40, 50, 70, 100, 200, 300, 500, 1000)

URL = "query-params"
ANY_OTHER = "any other"
"""No target."""


def dataset(*, every: bool = False) -> str:
    """Which data set: one of those for which there is a system, or of all."""
    there = catalogue.DATASETS if every else catalogue.offered()
    if st.session_state.get("data", "digits") not in there:
        del st.session_state["data"]
    found: str = st.segmented_control(
        "Data set", there, default="digits", required=True, key="data", bind=URL, help=HELP["dataset"],
        on_change=_open,
    )
    return found


def asked_for() -> str:
    """The data set that is asked for, before its control is drawn."""
    found = str(st.session_state.get("data") or st.query_params.get("data", "digits"))
    return found if found in catalogue.DATASETS else "digits"


def picture(name: str, images: ImageSet) -> int:
    """Which picture of the test set."""
    last = len(images) - 1
    if st.session_state.get("image", 0) > last:
        st.session_state["image"] = last
    index: int = st.number_input(f"Picture (0 to {last})", 0, last, PICTURE[name], 1, key="image", bind=URL,
                                 help=HELP["image"])
    any_class = "any class"
    only = st.session_state.get("only", any_class)
    wanted = images.classes.index(only) if only in images.classes else None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox("Go to the next", (any_class, *images.classes), key="only", help=HELP["only"], width=130)
        st.button("◀", on_click=_go, args=(images, index, -1, wanted), help="Previous picture", key="picture_back")
        st.button("▶", on_click=_go, args=(images, index, 1, wanted), help="Next picture", key="picture_next")
    return index


def systems(there: dict[str, str]) -> tuple[str, ...]:
    """Which systems, by name; those of another data set make room for the first of this one."""
    kept = st.session_state.get("systems")
    if kept and not set(kept) & set(there):
        st.session_state["systems"] = list(there)[:4]
    keys = st.multiselect(
        "Systems side by side", list(there), default=list(there)[:4], key="systems", bind=URL, help=HELP["systems"],
        placeholder="Pick a system",
    )
    return tuple(there[key] for key in keys)


def seed() -> int:
    """The seed of everything random."""
    found: int = st.number_input("Seed", 0, 9999, 0, key="seed", bind=URL, help=HELP["seed"])
    return found


def many(images: ImageSet) -> int:
    """How many of the first test pictures."""
    stops = [stop for stop in (50, 100, 200, 400, 1000) if stop <= len(images)]
    found: int = st.select_slider("Pictures", stops, MANY[images.name], key="n", bind=URL, help=HELP["n"])
    return found


def objective(default: str = "margin") -> str:
    """One objective."""
    found: str = st.selectbox("The attack aims at", list(AIMS), list(AIMS).index(default), key="objective", bind=URL,
                              format_func=lambda name: name, help=HELP["aims"])
    st.caption(AIM_NOTES[found])
    return found


def attack(
    lab: Lab, *, one_objective: bool = True, default: str = "margin", n: bool = False, targets: bool = True
) -> Scenario:
    """The attack's controls in the sidebar, and the scenario that they and the bar make.

    Args:
        lab: the page.
        one_objective: whether to ask for a single objective; else the page asks by itself, with `aims`.
        default: the objective to begin with.
        n: whether the page looks at many pictures.
        targets: whether the page can aim at a class.

    Only what the attack has is offered; what contradicts itself nevertheless is settled, and said on the page.
    """
    classes = DATASETS[lab.data].classes
    with st.sidebar:
        eps = _eps(radii(lab.data))
        kind = st.selectbox("Attack", list(ATTACKS), 1, key="attack", bind=URL, help=HELP["attack"],
                            on_change=_typical_steps)
        if kind not in ("FGSM", "PGD"):
            st.caption(ATTACK_NOTES[kind])
        has, found = fields_of(kind), dict[str, Any]()
        if "steps" in has:
            found["steps"] = st.select_slider("Steps", STEP_STOPS, 10, key="steps", bind=URL, help=HELP["steps"])
        if "objective" in has:
            found["objectives"] = (objective(default),) if one_objective else aims()
        pictures = many(lab.pictures) if n else Scenario.n
        with st.expander("More settings"):
            found |= _more(kind, classes if targets else (), radii(lab.data).usual)
    scenario = Scenario(data=lab.data, image=lab.image, systems=lab.chosen, attack=kind, eps=eps, seed=lab.seed,
                        n=pictures, **found)
    for sentence in scenario.sentences:
        st.info(sentence)
    return scenario


def _more(kind: str, classes: Sequence[str], usual: float) -> dict[str, Any]:
    """The rarer controls, as far as the attack has them; of the rest the scenario's own values hold."""
    has, found = fields_of(kind), dict[str, Any]()
    if "step_size" in has:
        found["step_size"] = st.number_input("Step size", 0.0001, 1.0, None, usual / 20, format="%.4g", key="step",
                                             bind=URL, help=HELP["step"], placeholder="2.5·ε/steps")
    norms = choices(kind, "norm")
    if len(norms) > 1:
        found["norm"] = st.segmented_control("Norm", norms, default="linf", required=True, key="norm", bind=URL,
                                             help=HELP["norm"], on_change=_fit_eps)
    else:
        found["norm"] = norms[0]
        st.caption(f"{kind} measures ε in the norm {norms[0]} alone.")
    if "random_start" in has:
        found["random_start"] = st.toggle("Random start", False, key="start", bind=URL, help=HELP["start"])
    if "restarts" in has and found.get("random_start", True):
        found["restarts"] = st.number_input("Restarts", 1, 10, 1, key="restarts", bind=URL, help=HELP["restarts"])
    found["criterion"] = st.selectbox("Success is", choices(kind, "criterion"), key="criterion", bind=URL,
                                      help=HELP["criterion"])
    if "targeted" in has and classes:
        _keep_to("target", (ANY_OTHER, *classes))
        target = st.selectbox("Target", (ANY_OTHER, *classes), key="target", bind=URL, help=HELP["target"])
        found["target"] = None if target == ANY_OTHER else classes.index(target)
    if keeps := [keep for keep in KEEPS if keep in choices(kind, "keep")]:
        _keep_to("keep", keeps)
        found["keep"] = st.selectbox("Keep", keeps, key="keep", bind=URL, help=HELP["keep"])
    return found


def _keep_to(key: str, there: Sequence[str]) -> None:
    """Forget a value that a control does not offer any more."""
    if st.session_state.get(key, there[0]) not in there:
        del st.session_state[key]


def radii(data: str) -> Radii:
    """The ε that are customary on a data set, in the norm that is chosen, or that the attack alone has."""
    kind = st.session_state.get("attack") or st.query_params.get("attack", "PGD")
    norms = choices(kind if kind in ATTACKS else "PGD", "norm")
    norm = st.session_state.get("norm") or st.query_params.get("norm", norms[0])
    return radii_of(data, norm if norm in norms else norms[0])


def eps_now(data: str) -> float:
    """ε as the slider, or whoever else was asked last, has it."""
    usual, eps = radii(data), float(st.session_state["eps"])
    return usual.nearest(eps) if usual.fits(eps) else eps


def _eps(usual: Radii) -> float:
    """The slider of ε, and what it means in levels of a photograph.

    Its ends differ between data sets. A bound slider with other ends is another one to streamlit: it would take the
    address's ε for its own, and leave it there; so the address is read and written here.
    """
    there = st.query_params.get("eps")
    opened = "eps_address" not in st.session_state  # or else what differs is a way back in the browser's history
    if there is not None if opened else there != st.session_state["eps_address"]:
        st.session_state["eps"] = usual.usual if there is None else _number(there)
    if not 0 <= st.session_state.get("eps", usual.usual) <= usual.most:
        st.session_state["eps"] = usual.usual
    fine = usual.per > 100
    found = st.slider("ε, the size of the change", 0.0, usual.most, usual.usual, 1 / usual.per, key="eps",
                      persist_state="session", help=HELP["eps"], format="%.4f" if fine else None)
    eps = usual.nearest(found) if usual.fits(found) else found
    said = st.session_state["eps_address"] = None if eps == usual.usual else str(eps)
    if said is None:
        st.query_params.pop("eps", None)
    elif said != there:
        st.query_params["eps"] = said
    if fine:
        st.caption(f"ε = {eps_said(eps)} of the way from black to white")
    return eps


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def aims(main: tuple[str, ...] = Scenario.objectives) -> tuple[str, ...]:
    """Several objectives: switches, in the URL by the library's names."""
    st.markdown(":small[The attack aims at]", help=HELP["aims"])
    chosen = [aim for aim in main if _aim(aim, True)]
    with st.expander("More aims"):
        chosen += [aim for aim in AIMS if aim not in main and _aim(aim, False)]
    return tuple(chosen)


def _aim(aim: str, default: bool) -> bool:
    found: bool = st.toggle(AIMS[aim], default, key=aim, bind=URL, help=AIM_NOTES[aim])
    return found


def _go(images: ImageSet, index: int, way: int, wanted: int | None) -> None:
    """To the next picture in one direction that shows the wanted class; round the end of the set."""
    for away in range(1, len(images) + 1):
        place = (index + way * away) % len(images)
        if wanted is None or int(images.labels[place]) == wanted:
            st.session_state["image"] = place
            return


def _open() -> None:
    """Another data set opens with its own picture, its own classes, and an ε that is usual there."""
    data = st.session_state["data"]
    st.session_state["image"], st.session_state["n"] = PICTURE[data], MANY[data]
    for key in ("target", "only", "outputs_class", "draw_label"):
        st.session_state.pop(key, None)
    _fit_eps()


def _fit_eps() -> None:
    """An ε that means something for the data set and the norm."""
    usual = radii(st.session_state.get("data", "digits"))
    if not usual.fits(st.session_state.get("eps", usual.usual)):
        st.session_state["eps"] = usual.usual


def _typical_steps() -> None:
    """Another attack opens with its own number of steps, and an ε of its own norm."""
    st.session_state["steps"] = STEPS[st.session_state["attack"]]
    _fit_eps()
