"""Systems and pictures, loaded once for everybody; what does not load becomes a sentence."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from tasklab import data, zoo
from tasklab.checkpoint import CheckpointError
from tasklab.data import DataMissing, ImageSet
from tasklab.system import System

DATASETS = ("digits", "mnist")


def systems(dataset: str) -> tuple[dict[str, str], list[str]]:
    """The systems of a data set, key to name, and a sentence for each file that does not read."""
    found, troubles = {}, []
    for name in zoo.names():
        try:
            of = zoo.card(name)["data"]["name"]
        except (CheckpointError, OSError):
            troubles.append(f"The file of system “{name}” is damaged and was left out; replace it with a whole copy.")
            continue
        if of == dataset:
            found[name.removeprefix(f"{dataset}-")] = name
    order = {key: place for place, key in enumerate(("tra", "deepbe", "int", "rbc"))}
    return dict(sorted(found.items(), key=lambda item: (order.get(item[0], len(order)), item[0]))), troubles


def system(name: str) -> System:
    """A system by name, ready to be attacked.

    Raises:
        ValueError: one sentence: it is gone, or its file is not whole.
    """
    file = zoo.path(name)
    try:
        return _system(str(file), file.stat().st_mtime_ns)
    except (CheckpointError, OSError):
        raise ValueError(f"The file of system “{name}” is damaged; replace it with a whole copy.") from None


def stamp(name: str) -> str:
    """What changes when the file of a system does."""
    file = zoo.path(name)
    return f"{file}@{file.stat().st_mtime_ns}"


@st.cache_resource(max_entries=24, show_spinner=False)
def _system(file: str, changed: int) -> System:
    return System.load(Path(file))


def test_set(dataset: str) -> ImageSet | None:
    """The test pictures, or None where the data set has to be downloaded (again)."""
    try:
        return data.load(dataset, "test")
    except DataMissing:
        return None


def offer_download(dataset: str) -> None:
    """One sentence, one button, a progress bar; then the page starts again with the pictures."""
    info = data.DATASETS[dataset]
    st.info(
        f"{info.title} is not on this machine yet: {info.download_bytes / 1e6:.0f} MB to download, once. "
        "Digits need no download."
    )
    if not st.button(f"Download {info.title}", type="primary"):
        return
    bar = st.progress(0.0, text=f"Asking for {info.title} …")
    try:
        for event in data.download(dataset):
            bar.progress(event.done / max(event.total, 1), text=event.message)
    except data.DownloadError as error:
        bar.empty()
        st.error(f"{error}.")
        return
    st.rerun()
