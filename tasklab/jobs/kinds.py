"""The kinds of jobs there are. A new one is a module with two functions and one line here.

``check(settings) -> settings`` fills in defaults and raises ValueError or TypeError in one sentence;
``run(settings, folder) -> iterator of events`` does the work, keeps what it makes in the folder, and goes on from there
when it is called again. An event is a plain dict; these keys mean something to whoever shows it: ``event`` (its kind),
``progress`` (0 to 1, of the whole job), ``message`` (one sentence), ``step`` (a number that grows; a resumed run that
repeats a step replaces what it logged from that step on).
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

KINDS = {
    "train": "tasklab.jobs.training",
    "download": "tasklab.jobs.downloading",
    "report": "tasklab.jobs.reporting",
}
"""Where each kind lives; it is imported when it is first needed."""


def check(kind: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a job of that kind, whole and checked.

    Raises:
        ValueError: no such kind, or settings that it refuses.
    """
    if not isinstance(settings, dict):
        raise ValueError(f"expected settings as a dict, got {type(settings).__name__}")
    return dict(_module(kind).check(settings))


def stream(kind: str, settings: dict[str, Any], folder: Path) -> Iterator[dict[str, Any]]:
    """The job's events, as it happens."""
    events: Iterator[dict[str, Any]] = _module(kind).run(settings, folder)
    return events


def _module(kind: str) -> Any:
    if kind not in KINDS:
        raise ValueError(f"expected a kind of job among {', '.join(KINDS)}, got {kind!r}")
    return importlib.import_module(KINDS[kind])
