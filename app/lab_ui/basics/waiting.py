"""Long work in a run of a page: the run ends early when the visitor has changed something meanwhile."""

from __future__ import annotations

from concurrent.futures import Future, wait
from typing import TypeVar

import streamlit as st

Result = TypeVar("Result")

POLL = 0.03
"""Seconds between two checks whether the visitor has changed something."""


def give_way() -> None:
    """End this run of the page if its visitor has started another one. Long work calls this now and then."""
    st.session_state.get("here")  # any access to the session state lets streamlit end a run that is out of date


def awaited(future: Future[Result]) -> Result:
    """Wait for a result from another thread, and end this run meanwhile if the visitor starts another one."""
    give_way()
    while not wait([future], POLL).done:
        give_way()
    return future.result()
