"""The systems and test sets that a visitor can look at, loaded once for all visitors.

These are the shipped systems, those in the folder that ``TASKLAB_ZOO`` names, and the visitor's own, with short names
such as ``my-rbc``. A file that cannot be loaded becomes a sentence on the page.
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
"""Architectures that a processor runs without a noticeable delay."""

NAME = re.compile(r"[\w.-]{1,80}")
"""The names that are safe in titles, links, HTML and code; a file with another name is left out."""

NETWORKS = tuple(f"{network}-" for network in words.NETWORKS)


def offered() -> tuple[str, ...]:
    """The data sets for which there is a system, shipped or the visitor's own; digits and MNIST always."""
    with_systems = {"digits", "mnist", *(dataset for dataset in DATASETS if own_systems.files(dataset))}
    for name in zoo.names():
        try:
            with_systems.add(zoo.dataset_of(name))
        except (CheckpointError, OSError):
            continue
    return tuple(dataset for dataset in DATASETS if dataset in with_systems)


def systems(dataset: str) -> tuple[dict[str, str], list[str]]:
    """The systems of a data set, and a sentence for each file that was left out.

    Returns:
        Short name (key) to full name, the shipped ones first; and the sentences.
    """
    by_key, troubles = {}, []
    own = own_systems.files(dataset)
    for name in zoo.names():
        if not NAME.fullmatch(name):
            troubles.append(f"The system “{one_line(name, 40)}” was left out; its file needs a name of up to 80 "
                            "letters, digits, dots, hyphens and underscores.")
            continue
        try:
            dataset_of_file = zoo.dataset_of(name)
        except (CheckpointError, OSError):
            troubles.append(f"The file of system “{name}” is damaged and was left out; replace it with an undamaged "
                            "copy.")
            continue
        if dataset_of_file == dataset and name not in own:
            by_key[name.removeprefix(f"{dataset}-")] = name
    order = {key: index for index, key in enumerate(words.SYSTEMS)}
    shipped = dict(sorted(by_key.items(), key=lambda item: (
        item[0].startswith(NETWORKS), order.get(item[0].removeprefix(NETWORKS[0]), len(order)), item[0])))
    readable = []
    for name, path in own.items():
        try:
            zoo.shared_card(path)
            readable += [name] * bool(NAME.fullmatch(name))
        except (CheckpointError, OSError):
            troubles.append(f"The file of your system “{one_line(name, 40)}” is damaged and was left out; it can be "
                            "removed on the page “Train”.")
    return shipped | {name.removeprefix(f"{dataset}-"): name for name in readable}, troubles


def file(name: str) -> Path:
    """The file of a system; the visitor's own come first.

    Raises:
        ValueError: there is no such system; the message lists the systems that there are.
    """
    return own_systems.path(name) or zoo.path(name)


def system(name: str) -> System:
    """A system by name, ready to be attacked. It is shared by all visitors, so it must not be changed.

    Raises:
        ValueError: one sentence: there is no such system, or its file is damaged.
    """
    own = own_systems.path(name)
    path = own or zoo.path(name)
    try:
        return (_shipped if own is None else _own)(str(path), path.stat().st_mtime_ns)
    except (CheckpointError, OSError):
        raise ValueError(f"The file of system “{name}” is damaged; replace it with an undamaged copy.") from None


def is_large(name: str) -> bool:
    """Whether a system's network is slow on a processor; False for one that cannot be loaded."""
    try:
        spec = getattr(system(name).network, "spec", None)
    except (ValueError, OSError):
        return False
    return spec is not None and spec.arch not in SMALL


def card(name: str) -> dict[str, Any]:
    """A system's card, read without its weights. It is shared by all visitors, so it must not be changed.

    Raises:
        ValueError: one sentence: there is no such system, or its file is damaged.
    """
    try:
        return zoo.shared_card(file(name))
    except OSError:
        raise ValueError(f"expected the file of system {one_line(name, 40)!r}, got none that can be read") from None


def stamp(name: str) -> str:
    """A cache key for a system: the path and the modification time of its file.

    It changes when the file does, and differs between visitors whose own systems share a name.
    """
    path = file(name)
    return f"{path}@{path.stat().st_mtime_ns}"


@st.cache_resource(max_entries=32, show_spinner=False)
def _shipped(file: str, changed: int) -> System:
    return System.load(Path(file))


@st.cache_resource(max_entries=16, ttl=600, show_spinner=False)  # visitors' own systems, used for a short time only
def _own(file: str, changed: int) -> System:
    return System.load(Path(file))


def test_set(dataset: str) -> ImageSet | None:
    """The test set; None where the data set has to be downloaded first, or again."""
    try:
        return data.load(dataset, "test")
    except DataMissing:
        return None


def offer_download(dataset: str) -> None:
    """A button that starts a download, and its progress; when it is done, the page runs again with the images."""
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
