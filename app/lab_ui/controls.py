"""The attack lab's controls. Their values live in the URL, so a link repeats the page."""

from __future__ import annotations

import streamlit as st

from lab_ui import shelf
from lab_ui.setup import Setup
from lab_ui.words import AIM_NOTES, AIMS, HELP
from tasklab.data import ImageSet

PICTURE = {"digits": 54, "mnist": 20}
"""The picture each data set opens with: one on which the aim makes the difference."""

MAIN_AIMS = ("train", "margin")
URL = "query-params"


def dataset() -> str:
    """Which data set."""
    return st.segmented_control(
        "Data set", shelf.DATASETS, default="digits", required=True, key="data", bind=URL, help=HELP["dataset"],
        on_change=_open,
    )


def setup(name: str, images: ImageSet, systems: dict[str, str]) -> Setup:
    """All other controls, drawn in order, and what they say."""
    index = _picture(name, images)
    eps = st.slider("ε, the size of the change", 0.0, 0.5, 0.2, 0.01, key="eps", bind=URL, help=HELP["eps"])
    attack = st.segmented_control("Attack", ("FGSM", "PGD"), default="PGD", required=True, key="attack", bind=URL,
                                  help=HELP["attack"])
    single = attack == "FGSM"
    steps = st.slider("Steps", 1, 50, 10, key="steps", bind=URL, help=HELP["steps"], disabled=single)
    st.markdown(":small[The attack aims at]", help=HELP["aims"])
    aims = [aim for aim in MAIN_AIMS if _aim(aim, True)]
    keys = st.multiselect(
        "Systems side by side", list(systems), default=list(systems)[:4], key="systems", bind=URL,
        help=HELP["systems"], placeholder="Pick a system",
    )
    with st.expander("More aims"):
        more = [aim for aim in AIMS if aim not in MAIN_AIMS and _aim(aim, False)]
    with st.expander("More settings"):
        step_size = st.number_input("Step size", 0.001, 1.0, None, 0.01, format="%.3f", key="step", bind=URL,
                                    help=HELP["step"], placeholder="2.5·ε/steps", disabled=single)
        norm = st.segmented_control("Norm", ("linf", "l2"), default="linf", required=True, key="norm", bind=URL,
                                    help=HELP["norm"])
        start = st.toggle("Random start", False, key="start", bind=URL, help=HELP["start"], disabled=single)
        restarts = st.number_input("Restarts", 1, 10, 1, key="restarts", bind=URL, help=HELP["restarts"],
                                   disabled=single or not start)
        seed = st.number_input("Seed", 0, 9999, 0, key="seed", bind=URL, help=HELP["seed"],
                               disabled=single or not start)
        criterion = st.selectbox("Success is", ("misclassified", "evaded"), key="criterion", bind=URL,
                                 help=HELP["criterion"])
        target = st.selectbox("Target", ("any other", *images.classes), key="target", bind=URL, help=HELP["target"])
        keep = st.selectbox("Keep", ("best", "last", "first"), key="keep", bind=URL, help=HELP["keep"],
                            disabled=single)
    return Setup(
        dataset=name, image=index, systems=tuple(systems[key] for key in keys), aims=(*aims, *more), attack=attack,
        eps=eps, steps=steps, step_size=step_size, norm=norm, random_start=start, restarts=restarts,
        criterion=criterion, target=None if target == "any other" else images.classes.index(target), keep=keep,
        seed=seed,
    )


def _aim(aim: str, default: bool) -> bool:
    """A switch for one aim; in the URL it goes by the library's name."""
    return st.toggle(AIMS[aim], default, key=aim, bind=URL, help=AIM_NOTES[aim])


def _picture(name: str, images: ImageSet) -> int:
    last = len(images) - 1
    if st.session_state.get("image", 0) > last:
        st.session_state["image"] = last
    index = st.number_input(f"Picture (0 to {last})", 0, last, PICTURE[name], 1, key="image", bind=URL,
                            help=HELP["image"])
    any_class = "any class"
    only = st.session_state.get("only", any_class)
    wanted = None if only == any_class else images.classes.index(only)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox("Go to the next", (any_class, *images.classes), key="only", help=HELP["only"], width=130)
        st.button("◀", on_click=_go, args=(images, index, -1, wanted), help="Previous picture")
        st.button("▶", on_click=_go, args=(images, index, 1, wanted), help="Next picture")
    return index


def _go(images: ImageSet, index: int, way: int, wanted: int | None) -> None:
    """To the next picture in one direction that shows the wanted class; round the end of the set."""
    for away in range(1, len(images) + 1):
        place = (index + way * away) % len(images)
        if wanted is None or int(images.labels[place]) == wanted:
            st.session_state["image"] = place
            return


def _open() -> None:
    """Another data set opens with its own picture."""
    st.session_state["image"] = PICTURE[st.session_state["data"]]
