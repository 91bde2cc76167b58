"""Visitors of the app, jobs of their own, and a scheduler that is ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
import torch
from streamlit.testing.v1 import AppTest

from lab_ui.results import growing
from lab_ui.visitor import identity, jobs
from lab_ui.visitor.scheduler import Scheduler

APP = Path(__file__).parents[2] / "app" / "streamlit_app.py"
TOKENS = {name: (name * 43)[:43] for name in ("ann", "bob")}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of a page waits for its attacks, as nobody looks again here, which a browser would do.

    It holds where it is imported: whoever visits pages from another folder than this one imports it, too.
    """
    for name in ("PATIENCE", "LONGER", "AWAY"):
        monkeypatch.setattr(growing, name, 600.0)


def visit(page: str, who: str = "ann", **query: str | list[str]) -> AppTest:
    """A page as one visitor sees it."""
    at = AppTest.from_file(str(APP), default_timeout=120)
    at.session_state[identity.KEPT] = TOKENS[who]
    for key, value in query.items():
        at.query_params[key] = value
    at.switch_page(f"app_pages/{page}.py")
    return clean(at.run())


def clean(at: AppTest) -> AppTest:
    assert not at.exception, [e.message for e in at.exception]
    return at


def sentences(at: AppTest) -> list[str]:
    return [e.value for kind in (at.info, at.warning, at.error) for e in kind]


def until(true: Callable[[], Any], seconds: float = 180.0) -> Any:
    """Wait for something to become true, and give it back."""
    end = time.monotonic() + seconds
    while not (result := true()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)
    return result


@contextmanager
def own_jobs(monkeypatch: pytest.MonkeyPatch, folder: Path, *, fresh: bool = False) -> Iterator[None]:
    """Jobs of one test alone, ended with it, and threads given back; with no answer kept from before if ``fresh``."""
    monkeypatch.setenv("TASKLAB_JOBS", str(folder))
    threads = torch.get_num_threads()
    st.session_state.clear()
    if fresh:
        st.cache_resource.clear()
        st.cache_data.clear()
    try:
        yield
    finally:
        jobs.scheduler().close()
        st.session_state.clear()
        torch.set_num_threads(threads)


@contextmanager
def scheduling(root: Path, **settings: Any) -> Iterator[Scheduler]:
    """A scheduler, closed at the end."""
    result = Scheduler(root, **settings)
    try:
        yield result
    finally:
        result.close()
