"""The controls of the page “Decision regions”, all of them URL parameters: points, tasks and the attacked point."""

from __future__ import annotations

from typing import Any, Final

import streamlit as st

from lab_ui.basics.words import GAP_HELP, GAPS, SYSTEMS
from lab_ui.panels import task_controls
from lab_ui.parts.events import sent_value
from lab_ui.results.plane_systems import Plane, nearest
from lab_ui.shell import controls
from tasklab.data import DATASETS
from tasklab.data.points import SPREAD
from tasklab.tasks import TASKS, make_task

URL: Final = "query-params"
HELP = {
    "points": "What the networks learn: each point is an image of two pixels, whose grey values are its x and its y. "
    "Choose another set to see other borders.",
    "tasks": "The same network is trained for each kind of answer. Compare where each system answers None, and where "
    "the gradient of its training loss is exactly 0.",
    "eps": "How far an attack may move a point along each axis; the square is 1 wide. With a larger ε, borders that "
    "are further away come within reach.",
    "point": "The training point that is attacked. You can also click anywhere in a square; the nearest point is "
    "taken.",
    "alpha": "The length of the gap between two intervals. The longer it is, the wider are the stripes between two "
    "classes.",
    "beta": "The length of an interval. The longer it is, the narrower are the stripes between two classes beside it.",
    "gap": GAP_HELP,
    "S": "How far from 0 RBC's loss wants every bit to be. Change it to see whether the regions change, and where the "
    "gradient is exactly 0. The paper uses 350.",
    "loss": "The loss that DeepBE is trained with. mse: the squared error of the original work. hinge: the hinge loss "
    "that the paper states. bce: the cross-entropy of each bit. They differ in where their gradient is 0.",
    "code": "Which codeword stands for which class. binary: the class's number in binary. gray: one class and the next "
    "differ in a single bit. It decides which border each bit draws.",
}
SETS = ("moons", "circles", "blobs", "spirals")

POINT = {"moons": 14, "circles": 3, "blobs": 8, "spirals": 5}
"""Index of the attacked point that each set opens with."""


def planes() -> tuple[tuple[Plane, ...], float]:
    """The settings of the systems to train, one for each chosen task, and ε."""
    with st.sidebar:
        name = st.pills("Points", SETS, default="blobs", required=True, key="regions_set", bind=URL,
                        on_change=_another_set, help=HELP["points"])
        names = st.pills("Tasks side by side", list(SYSTEMS.values()), selection_mode="multi", default=["TRA", "INT"],
                         key="regions_tasks", bind=URL, help=HELP["tasks"])
        eps = st.slider("ε, the size of the change", 0.01, 0.5, 0.25, 0.01, key="regions_eps", bind=URL,
                        help=HELP["eps"])
        keys = [key for key in TASKS if SYSTEMS[key] in names]
        settings = {key: _settings(key, DATASETS[name].num_classes) for key in keys}
        with st.expander("More settings"):
            epochs = st.slider("Epochs", 5, 200, 60, 5, key="regions_epochs", bind=URL,
                               help="How often the network sees every point. With few epochs, the systems are shown "
                                    "half trained.")
            n = st.select_slider("Number of points", (50, 100, 200, 300, 500, 1000), 300, key="regions_n", bind=URL,
                                 help="How many points the systems learn from. Fewer train faster.")
            noise = st.slider("Noise", 0.0, 0.15, SPREAD["blobs"], 0.005, format="%.3f", key="regions_noise", bind=URL,
                              help="How far the points are scattered (standard deviation). With more noise, the "
                                   "classes overlap more.")
            scaled = st.segmented_control("Output layer", ("scaled", "paper"), default="scaled", required=True,
                                          key="regions_form", bind=URL,
                                          help="scaled: the last layer is scaled to S or to the length of the line. "
                                          "paper: its outputs begin near 0 and have to grow, so training with a large "
                                          "S takes longer.")
            seed = controls.seed()
    classes = DATASETS[name].num_classes
    tasks = [make_task(key, num_classes=classes, parametrisation=scaled, **settings[key]) for key in keys]
    return tuple(Plane(data=name, n=n, noise=noise, seed=seed, epochs=epochs, task=task) for task in tasks), eps


def point(plane: Plane) -> int:
    """The control “Point under attack”: the index of a training point."""
    last = plane.n - 1
    if st.session_state.get("regions_point", 0) > last:
        st.session_state["regions_point"] = last
    with st.sidebar:
        index: int = st.number_input(f"Point under attack (0 to {last})", 0, last, min(POINT["blobs"], last), 1,
                                     key="regions_point", bind=URL, help=HELP["point"])
    return index


def picked(key: str, plane: Plane) -> None:
    """After a click in a chart: select the training point nearest to it.

    Args:
        key: of the chart.
        plane: the settings of its system.
    """
    if chosen := (sent_value(key, "selection") or {}).get("points"):
        st.session_state["regions_point"] = nearest(plane, chosen[0]["x"], chosen[0]["y"])


def _settings(key: str, classes: int) -> dict[str, Any]:
    """Draw the controls of a task's own settings.

    Args:
        key: name of the task.
        classes: number of classes.

    Returns:
        Arguments of `make_task`.
    """
    if not TASKS[key].asked():
        return {}
    with st.expander(SYSTEMS[key], expanded=key in ("int", "rbc")):
        if key not in ("int", "rbc", "deepbe"):  # these have controls made for the plane
            return task_controls.settings(key, classes, f"regions_{key}_")
        if key == "int":
            return {
                "alpha": float(st.slider("α, the gap", 0, 16, 4, key="regions_alpha", bind=URL, help=HELP["alpha"])),
                "beta": float(st.slider("β, the interval", 1, 32, 16, key="regions_beta", bind=URL, help=HELP["beta"])),
                "gap": GAPS[st.segmented_control("A gap means", list(GAPS), default="None", required=True,
                                                 key="regions_gap", bind=URL, help=HELP["gap"])],
            }
        settings: dict[str, Any] = {}
        if key == "rbc":
            settings["S"] = float(st.select_slider("S, RBC's margin", (1, 3, 10, 30, 100, 350, 1000), 350,
                                                   key="regions_s", bind=URL, help=HELP["S"]))
        else:
            settings["loss_form"] = st.segmented_control("DeepBE's loss", ("hinge", "mse", "bce"), default="mse",
                                                         required=True, key="regions_loss", bind=URL,
                                                         help=HELP["loss"])
        bits = st.slider(f"Bits of {SYSTEMS[key]}", 1, 6, 2, key=f"regions_{key}_bits", bind=URL,
                         help="How many bits an answer has. With more bits than the classes need, some codewords "
                         "belong to no class: there the answer is None.")
        code = st.segmented_control(f"Code of {SYSTEMS[key]}", ("binary", "gray"), default="binary", required=True,
                                    key=f"regions_{key}_code", bind=URL, help=HELP["code"])
        return settings | {"bits": max(bits, (classes - 1).bit_length()), "code": code}


def _another_set() -> None:
    """After a change of the set of points: its own noise and attacked point."""
    name = st.session_state["regions_set"]
    st.session_state["regions_noise"], st.session_state["regions_point"] = SPREAD[name], POINT[name]
