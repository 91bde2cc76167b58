"""What is slow the first time in a process: done while nobody waits for it, or with a word to those who do."""

from __future__ import annotations

import gc
import importlib
import sys
import threading
import time

import streamlit as st

PAUSE = 1.0
"""Seconds in which the page that was asked for is sent, and others may come."""

_word = st.components.v2.component(  # a component: what shows them is fetched while the imports go on
    "tasklab_preload", html='<p role="status">One moment: PyTorch is being loaded, once for everybody.</p>',
    css="p { margin: 0; font-size: 1.1rem; }", js="export default function () {}",
)


_ready = threading.Event()
_kept = 0
"""Modules there were when `keep` last did its work."""


@st.cache_resource(show_spinner=False)
def warm() -> None:
    """Import in the background, once, what most pages need: the first of them would wait seconds for torch."""
    threading.Thread(target=_later, daemon=True, name="preload").start()


def wait() -> None:
    """Import now what most pages need, with a word while that takes its time."""
    place = st.empty()  # in every run, so that what follows keeps its place
    if not _ready.is_set():
        with place:
            _word(key="preload")
        _load()
        place.empty()


def keep() -> None:
    """Once modules have come by the hundred, take all there is out of the collector's way.

    Streamlit collects after each run, and a walk through the half a million objects of torch and plotly holds every
    thread for a quarter of a second.
    """
    global _kept
    if len(sys.modules) >= _kept + 100:
        gc.freeze()
        _kept = len(sys.modules)


def _later() -> None:
    time.sleep(PAUSE)
    _load()
    importlib.import_module("pandas")  # for tables, which come when they are asked for


def _load() -> None:
    for name in ("tasklab.attacks", "tasklab.figures", "tasklab.zoo", "plotly.graph_objects"):
        importlib.import_module(name)
    _ready.set()
