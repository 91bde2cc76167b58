"""Imports that take seconds the first time: made in the background, or with a message while a visitor waits."""

from __future__ import annotations

import gc
import importlib
import sys
import threading
import time

import streamlit as st

PAUSE = 1.0
"""Seconds to wait before the background imports, so that the first page is sent before they slow it down."""

_message = st.components.v2.component(  # a component, so that the browser fetches that code during the imports
    "tasklab_preload", html='<p role="status">One moment: PyTorch is being loaded, once for everybody.</p>',
    css="p { margin: 0; font-size: 1.1rem; }", js="export default function () {}",
)


_ready = threading.Event()
_frozen = 0
"""Number of imported modules when `freeze` last called `gc.freeze`."""


@st.cache_resource(show_spinner=False)
def warm() -> None:
    """Start importing what most pages need, once per server and in the background; torch alone takes seconds."""
    threading.Thread(target=_load_later, daemon=True, name="preload").start()


def wait() -> None:
    """Import what most pages need and return when it is there; a message is shown meanwhile."""
    slot = st.empty()  # drawn in every run, so that the elements below keep their position
    if not _ready.is_set():
        with slot:
            _message(key="preload")
        _load()
        slot.empty()


def freeze() -> None:
    """Call `gc.freeze` when at least 100 modules have been imported since the last call.

    Without this, each full garbage collection would go through the half a million objects of torch and plotly, which
    blocks every thread for a quarter of a second.
    """
    global _frozen
    if len(sys.modules) >= _frozen + 100:
        gc.freeze()
        _frozen = len(sys.modules)


def _load_later() -> None:
    time.sleep(PAUSE)
    _load()
    importlib.import_module("pandas")  # needed for tables, which are drawn on request
    importlib.import_module("torch._dynamo")  # torch imports it for the first optimizer, and takes a second for it


def _load() -> None:
    for name in ("tasklab.attacks", "tasklab.figures", "tasklab.zoo", "plotly.graph_objects"):
        importlib.import_module(name)
    _ready.set()
