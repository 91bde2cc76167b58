"""Long work in a run of a page: it gives way when its visitor asks for something else."""

from __future__ import annotations

from concurrent.futures import Future, wait
from typing import TypeVar

import streamlit as st

Made = TypeVar("Made")

GLANCE = 0.03
"""Seconds between two looks at whether the visitor has asked for something else."""


def give_way() -> None:
    """End this run of the page here if its visitor has asked for something else; long work asks now and then."""
    st.session_state.get("here")  # streamlit ends a run at any look at the session's state


def awaited(made: Future[Made]) -> Made:
    """What is made on another thread, once it is there; this run gives way meanwhile."""
    give_way()
    while not wait([made], GLANCE).done:
        give_way()
    return made.result()
