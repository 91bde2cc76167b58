"""Jobs of the kind "download": download a data set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

EVENTS = 300
"""Approximate number of events that a download logs."""


def check(settings: dict[str, Any]) -> dict[str, Any]:
    """Check the settings ``data``, the name of a data set, and ``root``, the folder of data sets (None: the usual one).

    Raises:
        ValueError: an unknown setting or data set.
    """
    from tasklab.data import DATASETS

    settings = {"data": None, "root": None} | settings
    if unknown := sorted(settings.keys() - {"data", "root"}):
        raise ValueError(f"expected settings of a download among data, root, got {', '.join(unknown)}")
    if settings["data"] not in DATASETS:
        raise ValueError(f"expected a data set, one of {', '.join(DATASETS)}, got {settings['data']!r}")
    return settings


def run(settings: dict[str, Any], folder: Path) -> Iterator[dict[str, Any]]:
    """Run `tasklab.data.download` and yield some of its events."""
    from tasklab.data import download

    logged, message = -1.0, ""
    for event in download(settings["data"], settings["root"]):
        progress = event.done / event.total if event.total else 1.0
        if progress - logged >= 1 / EVENTS or event.message != message or progress == 1.0:
            logged, message = progress, event.message
            yield {"event": "bytes", "progress": round(progress, 4), "message": event.message, "done": event.done,
                   "total": event.total}
