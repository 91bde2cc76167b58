"""What is slow the first time in a process, done while nobody waits for it."""

from __future__ import annotations

import importlib
import threading
import time

import streamlit as st

PAUSE = 1.0
"""Seconds in which the page that was asked for is sent, and others may come."""


@st.cache_resource(show_spinner=False)
def warm() -> None:
    """Import in the background, once, what most pages need: the first of them would wait seconds for torch."""
    threading.Thread(target=_load, daemon=True, name="warming").start()


def _load() -> None:
    time.sleep(PAUSE)
    for name in ("tasklab.attacks", "tasklab.figures", "tasklab.zoo", "plotly.graph_objects"):
        importlib.import_module(name)
