"""Jobs of kind "download": bring a data set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

EVENTS = 300
"""About how many events a download logs."""


def check(settings: dict[str, Any]) -> dict[str, Any]:
    """``data``: the set's name; ``root``: the folder of the sets, None for the usual one."""
    from tasklab.data import DATASETS

    settings = {"data": None, "root": None} | settings
    if unknown := sorted(settings.keys() - {"data", "root"}):
        raise ValueError(f"expected settings of a download among data, root, got {', '.join(unknown)}")
    if settings["data"] not in DATASETS:
        raise ValueError(f"expected a data set, one of {', '.join(DATASETS)}, got {settings['data']!r}")
    return settings


def run(settings: dict[str, Any], folder: Path) -> Iterator[dict[str, Any]]:
    """`tasklab.data.download`, its events thinned out."""
    from tasklab.data import download

    shown, said = -1.0, ""
    for event in download(settings["data"], settings["root"]):
        progress = event.done / event.total if event.total else 1.0
        if progress - shown >= 1 / EVENTS or event.message != said or progress == 1.0:
            shown, said = progress, event.message
            yield {"event": "bytes", "progress": round(progress, 4), "message": event.message, "done": event.done,
                   "total": event.total}
