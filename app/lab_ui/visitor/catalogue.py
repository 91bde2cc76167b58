"""Systems and pictures, loaded once for everybody; what does not load becomes a sentence.

Beside the shipped systems, and those in the folder that ``TASKLAB_ZOO`` names, each visitor finds the systems of their
own, with keys such as ``my-rbc``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import streamlit as st

from lab_ui.basics import words
from lab_ui.visitor import jobs, own_systems
from tasklab import data, zoo
from tasklab.checkpoint import CheckpointError
from tasklab.data import DataMissing, ImageSet
from tasklab.system import System
from tasklab.text import in_markdown, one_line

DATASETS = ("digits", "mnist", "cifar10", "cifar100")
SMALL = ("small_cnn", "mlp")
"""Networks that a processor runs at once."""

NAME = re.compile(r"[\w.-]{1,80}")
"""A system's name as it may stand in titles, links, HTML and code; a file that has another is left out."""

NETWORKS = tuple(f"{network}-" for network in words.NETWORKS)


def offered() -> tuple[str, ...]:
    """The data sets for which there is a system, shipped or one's own; those of digits always."""
    there = {"digits", "mnist", *(of for of in DATASETS if own_systems.files(of))}
    for name in zoo.names():
        try:
            there.add(zoo.dataset_of(name))
        except (CheckpointError, OSError):
            continue
    return tuple(of for of in DATASETS if of in there)


def systems(dataset: str) -> tuple[dict[str, str], list[str]]:
    """The systems of a data set, key to name, and a sentence for each file that does not read."""
    found, troubles = {}, []
    mine = own_systems.files(dataset)
    for name in zoo.names():
        if not NAME.fullmatch(name):
            troubles.append(f"The system “{one_line(name, 40)}” was left out; its file needs a name of up to 80 "
                            "letters, digits, dots, hyphens and underscores.")
            continue
        try:
            of = zoo.dataset_of(name)
        except (CheckpointError, OSError):
            troubles.append(f"The file of system “{name}” is damaged and was left out; replace it with a whole copy.")
            continue
        if of == dataset and name not in mine:
            found[name.removeprefix(f"{dataset}-")] = name
    order = {key: place for place, key in enumerate(words.SYSTEMS)}
    shipped = dict(sorted(found.items(), key=lambda item: (
        item[0].startswith(NETWORKS), order.get(item[0].removeprefix(NETWORKS[0]), len(order)), item[0])))
    whole = []
    for name, where in mine.items():
        try:
            zoo.shared_card(where)
            whole += [name] * bool(NAME.fullmatch(name))
        except (CheckpointError, OSError):
            troubles.append(f"The file of your system “{one_line(name, 40)}” is damaged and was left out; it can be "
                            "removed on the page “Train”.")
    return shipped | {name.removeprefix(f"{dataset}-"): name for name in whole}, troubles


def file(name: str) -> Path:
    """The file of a system, one's own first.

    Raises:
        ValueError: no such system; the message lists those there are.
    """
    return own_systems.path(name) or zoo.path(name)


def system(name: str) -> System:
    """A system by name, ready to be attacked; shared, never to be altered.

    Raises:
        ValueError: one sentence: it is gone, or its file is not whole.
    """
    mine = own_systems.path(name)
    where = mine or zoo.path(name)
    try:
        return (_shipped if mine is None else _own)(str(where), where.stat().st_mtime_ns)
    except (CheckpointError, OSError):
        raise ValueError(f"The file of system “{name}” is damaged; replace it with a whole copy.") from None


def is_large(name: str) -> bool:
    """Whether a processor needs seconds for what a small network does at once; not for one that does not load."""
    try:
        spec = getattr(system(name).network, "spec", None)
    except (ValueError, OSError):
        return False
    return spec is not None and spec.arch not in SMALL


def card(name: str) -> dict[str, Any]:
    """A system's card, without its weights; shared, never to be altered.

    Raises:
        ValueError: one sentence: it is gone, or its file is not whole.
    """
    try:
        return zoo.shared_card(file(name))
    except OSError:
        raise ValueError(f"expected the file of system {one_line(name, 40)!r}, got none that can be read") from None


def stamp(name: str) -> str:
    """What changes when the file of a system does, and differs between visitors whose systems share a name."""
    where = file(name)
    return f"{where}@{where.stat().st_mtime_ns}"


@st.cache_resource(max_entries=32, show_spinner=False)
def _shipped(file: str, changed: int) -> System:
    return System.load(Path(file))


@st.cache_resource(max_entries=16, ttl=600, show_spinner=False)  # those of visitors, who come and go
def _own(file: str, changed: int) -> System:
    return System.load(Path(file))


def test_set(dataset: str) -> ImageSet | None:
    """The test pictures, or None where the data set has to be downloaded (again)."""
    try:
        return data.load(dataset, "test")
    except DataMissing:
        return None


def offer_download(dataset: str) -> None:
    """One sentence, one button, then a job; when it is done the page starts again with the pictures."""
    info = data.DATASETS[dataset]
    if not any(view.active and view.settings["data"] == dataset for view in jobs.mine("download")):
        st.info(
            f"{info.title} is not on this machine yet: {info.download_bytes / 1e6:.0f} MB to download, once. "
            "Digits need no download."
        )
        if st.button(f"Download {info.title}", type="primary", key="download"):
            try:
                jobs.start("download", {"data": dataset})
            except ValueError as error:
                st.error(in_markdown(error))
                return
            st.rerun()
    jobs.show("download")
