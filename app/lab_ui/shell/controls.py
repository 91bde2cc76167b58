"""The controls that pages share. Their values are URL parameters, so a link opens the same view again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import streamlit as st

from lab_ui.basics.lab import Lab
from lab_ui.basics.words import AIM_NOTES, AIMS, HELP, aim_words, linked, title
from lab_ui.shell import address, menus
from lab_ui.visitor import catalogue
from tasklab.attacks.registry import ATTACKS, choices, fields_of
from tasklab.data import DATASETS, ImageSet
from tasklab.data.info import radii_of
from tasklab.data.radii import Radii, eps_said
from tasklab.experiments.scenario import Scenario

PICTURE = {"digits": 54, "mnist": 0, "cifar10": 16, "cifar100": 58}
"""Index of the image that each data set opens with: one where the objective decides whether the attack succeeds."""

MANY = {"digits": 200, "mnist": 200, "cifar10": 50, "cifar100": 50}
"""Number of images that a page begins with: as many as a processor attacks in a few seconds."""

KEEPS = ("best", "last", "first")

STEP_STOPS = (1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 40, 50, 70, 100, 200, 300, 500, 1000)

URL: Final = "query-params"
ANY_OTHER = "any other"
"""The option of the control “Target” that means an untargeted attack."""


def dataset(*, every: bool = False) -> str:
    """The control “Data set”; its name.

    Args:
        every: whether to offer all data sets, not only those for which there is a trained system.
    """
    options = {each: DATASETS[each].title for each in (catalogue.DATASETS if every else catalogue.offered())}
    return menus.one(st.segmented_control, "Data set", options, "digits", key="data", required=True, wrap=True,
                     help=HELP["dataset"], on_change=_open_dataset)


def asked_for() -> str:
    """The data set that is selected, or named in the URL, before its control is drawn."""
    name = str(st.session_state.get("data") or st.query_params.get("data", "digits"))
    return name if name in catalogue.DATASETS else "digits"


def picture(name: str, images: ImageSet) -> int:
    """The controls of the image: its index in the test set, and buttons to the next one of a class."""
    last = len(images) - 1
    if st.session_state.get("image", 0) > last:
        st.session_state["image"] = last
    index: int = st.number_input(f"Image (0 to {last})", 0, last, PICTURE[name], 1, key="image", bind=URL,
                                 help=HELP["image"])
    any_class = "any class"
    only = st.session_state.get("only", any_class)
    label = images.classes.index(only) if only in images.classes else None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox("Go to the next", (any_class, *images.classes), key="only", help=HELP["only"], width=130)
        st.button("◀", on_click=_next_picture, args=(images, index, -1, label), help="Previous image",
                  key="picture_back")
        st.button("▶", on_click=_next_picture, args=(images, index, 1, label), help="Next image", key="picture_next")
    return index


def systems(available: dict[str, str]) -> tuple[str, ...]:
    """The control “Systems side by side”; full names of those selected.

    Where all that were selected belong to another data set, the first four of this one are selected instead.

    Args:
        available: short name (key) to full name.
    """
    keys = menus.several("Systems side by side", menus.named(available), list(available)[:4], key="systems",
                         help=HELP["systems"], placeholder="Pick a system")
    about(tuple(available[key] for key in keys), available)
    return tuple(available[key] for key in keys)


def about(names: Sequence[str], available: Mapping[str, str]) -> None:
    """A line of links to the pages on systems.

    Args:
        names: full names of the systems.
        available: short name (key) to full name.
    """
    keys = {name: key for key, name in available.items()}
    if names:
        links = " · ".join(linked(name, title(keys[name])) for name in names)
        st.html(f'<p class="lab-about">About {links}</p>')


def seed() -> int:
    """The control “Seed”: the seed of all random numbers."""
    value: int = st.number_input("Seed", 0, 9999, 0, key="seed", bind=URL, help=HELP["seed"])
    return value


def many(images: ImageSet) -> int:
    """The control “Images”: how many of the first images of the test set are used."""
    stops = [stop for stop in (50, 100, 200, 400, 1000) if stop <= len(images)]
    n: int = st.select_slider("Images", stops, MANY[images.name], key="n", bind=URL, help=HELP["n"])
    return n


def objective(default: str = "margin") -> str:
    """The control “The attack aims at”: one objective, by the library's name."""
    name = menus.one(st.selectbox, "The attack aims at", AIMS, default, key="objective", help=HELP["aims"])
    attack, target = (st.session_state.get(key, "") for key in ("attack", "target"))
    st.caption(aim_words(attack, name, targeted=target not in ("", ANY_OTHER))[1])
    return name


def attack(
    lab: Lab, *, one_objective: bool = True, default: str = "margin", n: bool = False, targets: bool = True
) -> Scenario:
    """Draw the controls of the attack in the sidebar, and return the scenario made of them and of the scenario bar.

    Only settings that the chosen attack has are offered. Contradictions that remain are resolved by `Scenario`, and the
    page says how.

    Args:
        lab: values of the scenario bar.
        one_objective: whether to draw the control for one objective; else the switches of `aims` are drawn.
        default: the objective to begin with.
        n: whether to ask for a number of images.
        targets: whether to offer a target class.
    """
    classes = DATASETS[lab.data].classes
    with st.sidebar:
        eps = _eps(radii(lab.data))
        kind = st.selectbox("Attack", list(ATTACKS), list(ATTACKS).index("PGD"), key="attack", bind=URL,
                            help=HELP["attack"], on_change=_quick_steps)
        st.caption(ATTACKS[kind].note)
        fields, values = fields_of(kind), dict[str, Any]()
        if "steps" in fields:
            values["steps"] = st.select_slider("Steps", STEP_STOPS, 10, key="steps", bind=URL, help=HELP["steps"])
        if "objective" in fields:
            values["objectives"] = (objective(default),) if one_objective else aims()
        pictures = many(lab.pictures) if n else Scenario.n
        with st.expander("More settings"):
            values |= _more(kind, classes if targets else (), radii(lab.data).usual)
    scenario = Scenario(data=lab.data, image=lab.image, systems=lab.chosen, attack=kind, eps=eps, seed=lab.seed,
                        n=pictures, **values)
    for sentence in scenario.sentences:
        st.info(sentence)
    return scenario


def _more(kind: str, classes: Sequence[str], usual: float) -> dict[str, Any]:
    """Draw the less common controls that the attack has.

    Args:
        kind: name of the attack.
        classes: names of the classes to aim at; empty where the page offers no target.
        usual: an ε that is usual on the data set.

    Returns:
        Field of `Scenario` to value. Fields without a control are left out, so the defaults of `Scenario` hold.
    """
    fields, values = fields_of(kind), dict[str, Any]()
    if "step_size" in fields:
        values["step_size"] = st.number_input("Step size", 0.0001, 1.0, None, usual / 20, format="%.4g", key="step",
                                             bind=URL, help=HELP["step"], placeholder="2.5·ε/steps")
    norms = choices(kind, "norm")
    if len(norms) > 1:
        values["norm"] = st.segmented_control("Norm", norms, default="linf", required=True, key="norm", bind=URL,
                                             help=HELP["norm"], on_change=_fit_eps)
    else:
        values["norm"] = norms[0]
        st.caption(f"{kind} measures ε in the norm {norms[0]} alone.")
    if "random_start" in fields:
        values["random_start"] = st.toggle("Random start", False, key="start", bind=URL, help=HELP["start"])
    if "restarts" in fields and values.get("random_start", True):
        values["restarts"] = st.number_input("Restarts", 1, 10, 1, key="restarts", bind=URL, help=HELP["restarts"])
    if "criterion" in fields:
        values["criterion"] = st.selectbox("Success is", choices(kind, "criterion"), key="criterion", bind=URL,
                                          help=HELP["criterion"])
    if "targeted" in fields and classes:
        _keep_to("target", (ANY_OTHER, *classes))
        target = st.selectbox("Target", (ANY_OTHER, *classes), key="target", bind=URL, help=HELP["target"])
        values["target"] = None if target == ANY_OTHER else classes.index(target)
    if keeps := [keep for keep in KEEPS if keep in choices(kind, "keep")]:
        _keep_to("keep", keeps)
        values["keep"] = st.selectbox("Keep", keeps, key="keep", bind=URL, help=HELP["keep"])
    return values


def _keep_to(key: str, options: Sequence[str]) -> None:
    """Delete a widget's value from the session where it is not among its options."""
    if st.session_state.get(key, options[0]) not in options:
        del st.session_state[key]


def radii(data: str) -> Radii:
    """The usual ε of a data set, in the norm that is selected, or in the only norm that the attack has."""
    kind = st.session_state.get("attack") or st.query_params.get("attack", "PGD")
    norms = choices(kind if kind in ATTACKS else "PGD", "norm")
    norm = st.session_state.get("norm") or st.query_params.get("norm", norms[0])
    return radii_of(data, norm if norm in norms else norms[0])


def eps_now(data: str) -> float:
    """The present ε: the slider's value, rounded to one of the data set's stops where it is close to them."""
    usual, eps = radii(data), float(st.session_state["eps"])
    return usual.nearest(eps) if usual.fits(eps) else eps


def _eps(usual: Radii) -> float:
    """The slider of ε, with a caption in levels of 255 for photographs.

    The slider is not bound to the URL, because its range differs between data sets: to Streamlit, a slider with another
    range is another widget, which would start from the ε in the URL and leave it there. So the URL parameter is read
    and written here.
    """
    if (in_address := address.opening("eps")) is not None:
        st.session_state["eps"] = _number(in_address[0]) if in_address else usual.usual
    if not 0 <= st.session_state.get("eps", usual.usual) <= usual.most:
        st.session_state["eps"] = usual.usual
    st.session_state["eps_radii"] = usual
    fine = usual.per > 100
    chosen = st.slider("ε, the size of the change", 0.0, usual.most, usual.usual, 1 / usual.per, key="eps",
                      persist_state="session", help=HELP["eps"], format="%.4f" if fine else None)
    eps = usual.nearest(chosen) if usual.fits(chosen) else chosen
    address.write("eps", None if eps == usual.usual else str(eps))
    if fine:
        st.caption(f"ε = {eps_said(eps)} of the way from black to white")
    return eps


def _number(text: str) -> float:
    """A number from the URL; NaN where it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def aims(main: tuple[str, ...] = Scenario.objectives) -> tuple[str, ...]:
    """A switch for each objective; the names of those that are on.

    Args:
        main: objectives that are on at first; all others are off, and stand behind “More aims”.
    """
    st.markdown(":small[The attack aims at]", help=HELP["aims"])
    chosen = [aim for aim in main if _aim(aim, True)]
    with st.expander("More aims"):
        chosen += [aim for aim in AIMS if aim not in main and _aim(aim, False)]
    return tuple(chosen)


def _aim(aim: str, default: bool) -> bool:
    on: bool = st.toggle(AIMS[aim], default, key=aim, bind=URL, help=AIM_NOTES[aim])
    return on


def _next_picture(images: ImageSet, index: int, direction: int, label: int | None) -> None:
    """Select the next image of a class, or of any class; after the last image comes the first.

    Args:
        images: the test set.
        index: of the present image.
        direction: +1 forwards, -1 backwards.
        label: the class; None for any.
    """
    for distance in range(1, len(images) + 1):
        candidate = (index + direction * distance) % len(images)
        if label is None or int(images.labels[candidate]) == label:
            st.session_state["image"] = candidate
            return


def _open_dataset() -> None:
    """After a change of the data set: its own image, its own number of images, classes, and its usual ε."""
    data = st.session_state["data"]
    st.session_state["image"], st.session_state["n"] = PICTURE[data], MANY[data]
    for key in ("target", "only", "outputs_class", "draw_label"):
        st.session_state.pop(key, None)
    usual = radii(data)
    if usual != st.session_state.get("eps_radii", usual):
        st.session_state["eps"] = usual.usual


def _fit_eps() -> None:
    """After a change of the norm: an ε in the same ratio to the usual one as before."""
    usual = radii(st.session_state.get("data", "digits"))
    before = st.session_state.get("eps_radii", usual)
    eps = usual.like(st.session_state.get("eps", usual.usual), before)
    st.session_state["eps"] = eps if usual.fits(eps) else usual.usual


def _quick_steps() -> None:
    """After a change of the attack: its own number of steps, and an ε in the range of its norm."""
    quick = ATTACKS[st.session_state["attack"]].quick_steps
    st.session_state["steps"] = min(STEP_STOPS, key=lambda stop: abs(stop - quick))
    _fit_eps()
