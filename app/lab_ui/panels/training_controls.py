"""The controls of the page “Train”, all of them URL parameters, and the `Training` that they describe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

from lab_ui.basics.words import SYSTEMS
from lab_ui.panels import task_controls
from lab_ui.shell import menus
from lab_ui.visitor import catalogue, jobs
from lab_ui.visitor.places import ray_address
from tasklab.data import DATASETS
from tasklab.data.radii import eps_said
from tasklab.jobs.training import Training
from tasklab.models import ARCHITECTURES
from tasklab.tasks import TASKS, Task, make_task
from tasklab.training import Adversarial, Defence, GaussianNoise, Recipe, UniformNoise, Watch

URL: Final = "query-params"
FRESH = "fresh weights"
"""The option of the control “Start from” that is no system."""

SIZES = {"digits": (200, 500, 1097), "mnist": (1000, 2000, 5000, 10_000, 20_000, 55_000),
         "cifar10": (1000, 2000, 5000, 10_000, 20_000, 45_000), "cifar100": (5000, 10_000, 20_000, 45_000)}
OPENS_WITH = {"digits": 1097, "mnist": 5000, "cifar10": 5000, "cifar100": 20_000}
SPEED = {"cifar10": 0.9, "cifar100": 0.9}
"""Data sets on which training takes long: milliseconds for an image in an epoch, with the default network on one
core."""

DEFENCES = ("none", "adversarial", "gaussian", "uniform")
STRETCH = (0.3, 0.7)
WATCHED = 100
"""Number of validation images that are attacked after each epoch."""

HELP = {
    "task": "The form in which the network answers. " + " ".join(
        f"{kind.title}: {kind.summary}" for kind in TASKS.values()),
    "defence": "What is done to the images before the network learns from them. adversarial: they are attacked "
    "again in every step. gaussian, uniform: random noise.",
    "eps": "How much any pixel may change during training (0 is black, 1 is white; 8/255 is 0.031). A larger ε "
    "trains against larger changes, and usually costs accuracy without an attack.",
    "sigma": "The standard deviation of the noise (0 is black, 1 is white). A larger σ trains against larger changes.",
    "inner": "What the attacks during training aim at: the margin, or the training loss as in the paper. On images "
    "that the system has learned well, the training loss may leave them no gradient to follow.",
    "epochs": "How often the network sees every image. With more, training takes longer and the system learns more.",
    "n": "How many images the network learns from. With fewer, training is faster and the system less accurate.",
    "start": "A trained system to start from instead of random weights, for example to train it again with a defence. "
    "Its last layer is kept if the task is the same; otherwise a new one is fitted to its features.",
    "arch": "The small one trains in seconds on this machine; the others need a graphics card.",
    "width": "How many channels the small network has. A wider network can learn more, but takes longer to train.",
    "contrast": "The grey values from 0.3 to 0.7 are stretched to the range from black to white, so that an attack of "
    "up to 0.3 hardly changes a black or a white pixel. It helps where images are nearly black and white.",
    "parametrisation": "scaled: the output layer is scaled to S (or to the length of the line), so the same learning "
    "rate suits every S. paper: it is not scaled, as published, and training with a large S is slow.",
    "average": "The trained system keeps a running average of the weights; this is its decay. A larger value averages "
    "over more steps; 0 keeps the weights of the last step.",
    "inset": "INT: how far inside the interval training aims, as a share of its length. A larger inset keeps outputs "
    "away from the borders.",
    "flip": "In every epoch a random half of the photographs is mirrored: a truck that drives left is still a truck.",
    "crop": "In every epoch each photograph is shifted at random, by at most this many pixels. The network then "
    "depends less on where an object is.",
    "batch": "How many images the network sees before its weights change. Larger batches make fewer, but "
    "steadier steps.",
    "lr": "How far each step changes the weights. A larger rate learns faster, but may never settle.",
    "inner_steps": "How many steps each attack during training takes. More make it stronger and training slower.",
    "watch": "After each epoch, the first validation images are attacked with this ε (PGD, 10 steps), once along the "
    "training loss, once along the decision margin.",
}


def controls(dataset: str, seed: int) -> Training:
    """Draw all controls.

    Args:
        dataset: name of the data set.
        seed: of the training.

    Returns:
        The training that they describe, not yet named by the visitor.

    Raises:
        ValueError: one sentence: the settings contradict each other.
    """
    name: str = st.selectbox("Task", list(TASKS), list(TASKS).index("rbc"), key="train_task", bind=URL,
                             help=HELP["task"], format_func=SYSTEMS.__getitem__, on_change=_typical)
    usual, info = TASKS[name].typical, DATASETS[dataset]
    radii, photographs = info.radii, info.shape[0] == 3
    settings = task_controls.settings(name, info.num_classes, "train_")
    epochs = st.slider("Epochs", 1, 100, usual.epochs, key="train_epochs", bind=URL, help=HELP["epochs"])
    size = st.select_slider("Training images", SIZES[dataset], OPENS_WITH[dataset], key=f"train_n_{dataset}",
                            bind=URL, help=HELP["n"])
    defence = _defence(dataset)
    with st.expander("More settings"):
        settings["parametrisation"] = st.selectbox(
            "Output layer", ("scaled", "paper"), key="train_parametrisation", bind=URL, help=HELP["parametrisation"]
        )
        start = _start(dataset)
        if start:
            network = catalogue.card(start)["network"]
            arch, width, contrast = network["arch"], network["width"], network["contrast"]
        else:
            arch = st.selectbox("Network", [a.name for a in ARCHITECTURES.values() if a.input_dims == 3],
                                key="train_arch", bind=URL, help=HELP["arch"])
            width = st.select_slider("Network width", (4, 8, 16, 32, 64), 32, key="train_width", bind=URL,
                                     help=HELP["width"], disabled=not ARCHITECTURES[arch].has_width)
            contrast = None
        flip, crop = False, 0
        if photographs:
            flip = st.toggle("Mirror half of the images", True, key="train_flip", bind=URL, help=HELP["flip"])
            crop = st.slider("Shift by up to", 0, 8, 4, key="train_crop", bind=URL, help=HELP["crop"],
                             format="%d pixels")
        elif not start and st.toggle("Stretch contrast", key="train_contrast", bind=URL, help=HELP["contrast"]):
            contrast = STRETCH
        rate = st.number_input("Learning rate", 1e-5, 1.0, usual.lr, 0.001, format="%.4f", key="train_lr", bind=URL,
                               help=HELP["lr"])
        batch = st.select_slider("Images per step", (16, 32, 64, 128), 32, key="train_batch", bind=URL,
                                 help=HELP["batch"])
        average = st.select_slider("Average of the weights", (0.0, 0.9, 0.99, 0.999), 0.99, key="train_average",
                                   bind=URL, help=HELP["average"])
        inset = st.slider("Inset", 0.0, 0.45, usual.inset, 0.05, key="train_inset", bind=URL, help=HELP["inset"],
                          disabled=not TASKS[name].has_inset)
        watched = _eps("ε of the attacks after each epoch", "train_watch", dataset, HELP["watch"], among=radii.some)
        device = _device()
    recipe = Recipe(epochs=epochs, batch_size=batch, lr=rate, defence=defence, average=average, flip=flip, crop=crop,
                    inset=inset if TASKS[name].has_inset else 0.0, seed=seed)
    return Training(
        name="my-system", data=dataset, n=None if size >= info.sizes[0] else size,
        task=make_task(name, num_classes=info.num_classes, **settings), recipe=recipe, arch=arch,
        width=width if ARCHITECTURES[arch].has_width else 32, device=device,
        contrast=tuple(contrast) if contrast else None, start=start,
        start_file=None if start is None else str(catalogue.file(start)),
        watch=Watch(eps=watched, steps=10, images=WATCHED), eps=radii.measured,
    )


def described(training: Training) -> str:
    """A training run in a few words."""
    task, recipe = training.task, training.recipe
    parts = [named(task), f"{training.n or DATASETS[training.data].sizes[0]:,} images of {training.data}",
             f"{recipe.epochs} epoch{'s' * (recipe.epochs > 1)}"]
    if training.start:
        parts.append(f"started from {training.start}")
    elif training.contrast:
        parts.append("contrast stretched")
    return ", ".join(parts + ([against(recipe.defence)] if recipe.defence else []))


def takes(training: Training) -> str:
    """An estimate of how long a training run takes on one core; empty where it is short.

    >>> takes(Training(data="cifar10", n=5000, recipe=Recipe(epochs=20, batch_size=32))), takes(Training())
    ('about 2 minutes', '')
    """
    if training.data not in SPEED or training.device != "cpu":
        return ""
    if training.arch != "small_cnn":
        return "hours on a processor"
    recipe = training.recipe
    passes = 1 + (recipe.defence.steps if isinstance(recipe.defence, Adversarial) else 0)
    pictures = (training.n or DATASETS[training.data].sizes[0]) * recipe.epochs * passes
    minutes = max(1, round(pictures * SPEED[training.data] * (training.width / 32) ** 1.5 / 60_000))
    if minutes >= 90:
        return f"about {round(minutes / 60)} hours"
    return f"about {minutes} minute{'s' * (minutes > 1)}"


def named(task: Task) -> str:
    """A task's name with its main settings.

    >>> named(make_task("rbc", S=10, parametrisation="paper")), named(make_task("tra"))
    ('RBC (S = 10, not scaled)', 'TRA')
    """
    settings = task.to_dict()
    parts = [asked.apart.format(settings[name]) for name, asked in task.asked().items() if asked.apart]
    parts.append("not scaled" if task.parametrisation == "paper" else "")
    inside = ", ".join(filter(None, parts))
    return f"{SYSTEMS[task.name]} ({inside})" if inside else SYSTEMS[task.name]


def short_name(training: Training) -> str:
    """A suggestion for the name of the system.

    >>> short_name(Training(recipe=Recipe(defence=GaussianNoise(sigma=0.1))))
    'rbc-s350-gn'
    """
    task, defence = training.task, training.recipe.defence
    settings = task.to_dict()
    layer = {"scaled": "", "paper": "unscaled"}[task.parametrisation]
    against = {"adversarial": "at", "gaussian": "gn", "uniform": "un"}[defence.name] if defence else ""
    return "-".join(filter(None, [task.name, f"s{settings['S']:g}" if "S" in settings else "", layer, against]))


def _eps(label: str, key: str, dataset: str, words: str, *, among: Sequence[float] = ()) -> float:
    """A control of ε whose range fits the data set; photographs of each data set have a value of their own."""
    radii = DATASETS[dataset].radii
    if radii.per <= 100:
        step = among[1] if among else 1 / radii.per
        return float(st.slider(label, 0.0, radii.most, radii.usual, step, key=key, bind=URL, help=words))
    eps: float = st.select_slider(label, among or radii.many, radii.usual, format_func=eps_said, bind=URL, help=words,
                                    key=f"{key}_{dataset}")
    return eps


def _defence(dataset: str) -> Defence | None:
    """Draw the controls of the defence; None for no defence."""
    kind = st.selectbox("Defence", DEFENCES, key="train_defence", bind=URL, help=HELP["defence"])
    if kind == "none":
        return None
    if kind == "gaussian":
        return GaussianNoise(sigma=st.slider("Noise σ", 0.0, 0.5, 0.1, 0.01, key="train_sigma", bind=URL,
                                             help=HELP["sigma"]))
    eps = _eps("ε in training", "train_eps", dataset, HELP["eps"])
    if kind == "uniform":
        return UniformNoise(eps=eps)
    inner = st.segmented_control("Training attacks climb", ("margin", "train"), default="margin", required=True,
                                 key="train_inner", bind=URL, help=HELP["inner"])
    steps = st.slider("Inner steps", 1, 20, 7, key="train_inner_steps", bind=URL,
                      help=HELP["inner_steps"])
    return Adversarial(eps=eps, steps=steps, objective=inner)


def _start(dataset: str) -> str | None:
    """Draw the choice of a fitted system to start from; its name, None for `FRESH`."""
    keys, _ = catalogue.systems(dataset)
    key = menus.one(st.selectbox, "Start from", {FRESH: FRESH} | menus.named(keys), FRESH, key=f"train_start_{dataset}",
                    help=HELP["start"])
    return keys.get(key)


def _device() -> str:
    """The device to train on; asked only where the jobs have a GPU."""
    import torch

    if ray_address():
        name = "graphics processor of the cluster" if jobs.scheduler().gpus else ""
    else:
        name = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    if not name:
        return "cpu"
    device: str = st.selectbox("Device", ("cpu", "cuda"), key="train_device",
                              format_func={"cpu": "processor", "cuda": name}.__getitem__)
    return device


def against(defence: Defence) -> str:
    """The defence of a training run in a few words."""
    if isinstance(defence, Adversarial):
        what = "training loss" if defence.objective == "train" else "margin"
        return f"against attacks on its {what} (ε = {eps_said(defence.eps)})"
    if isinstance(defence, GaussianNoise):
        return f"on Gaussian noise (σ = {defence.sigma:g})"
    return f"on uniform noise (ε = {eps_said(defence.eps)})"  # type: ignore[attr-defined]


def _typical() -> None:
    """After a change of the task: its own number of epochs, learning rate and inset."""
    usual = TASKS[st.session_state["train_task"]].typical
    for key, value in (("epochs", usual.epochs), ("lr", usual.lr), ("inset", usual.inset)):
        st.session_state[f"train_{key}"] = value
