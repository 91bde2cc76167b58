"""The kinds of jobs. A new kind is a module with two functions, and a line here.

``check(settings) -> settings`` fills in defaults, and raises ValueError or TypeError with one sentence;
``run(settings, folder) -> iterator of events`` does the work, writes its results to the folder, and continues from them
when it is called again. An event is a plain dict. These keys are used for display: ``event`` (its kind), ``progress``
(0 to 1, of the whole job), ``message`` (one sentence), ``step`` (an increasing number; a resumed run that repeats a
step replaces the events logged from that step on).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasklab.evaluation.robustness import Progress

KINDS = {
    "train": "tasklab.jobs.training",
    "seed": "tasklab.jobs.seeding",
    "download": "tasklab.jobs.downloading",
    "report": "tasklab.jobs.reporting",
    "attack": "tasklab.jobs.attacking",
    "cell": "tasklab.paper.cell_jobs",
    "work": "tasklab.paper.cell_jobs",
}
"""Kind to its module, which is imported on first use."""

watching: ContextVar[Callable[[Progress], object] | None] = ContextVar("watching", default=None)
"""Called between two events of a job of this process, at each step of an attack that takes long; None for nobody."""


def check(kind: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a job of this kind, checked, with defaults filled in.

    Raises:
        ValueError: there is no such kind, or the settings are not valid.
    """
    if not isinstance(settings, dict):
        raise ValueError(f"expected settings as a dict, got {type(settings).__name__}")
    return dict(_module(kind).check(settings))


def stream(kind: str, settings: dict[str, Any], folder: Path) -> Iterator[dict[str, Any]]:
    """Run a job of this kind; its events."""
    events: Iterator[dict[str, Any]] = _module(kind).run(settings, folder)
    return events


def _module(kind: str) -> Any:
    if kind not in KINDS:
        raise ValueError(f"expected a kind of job among {', '.join(KINDS)}, got {kind!r}")
    return importlib.import_module(KINDS[kind])
