"""What writers that were killed left behind: files that were to be moved into place once they were whole."""

from __future__ import annotations

import contextlib
import logging
import re
import time
from collections.abc import Iterable
from pathlib import Path

_log = logging.getLogger(__name__)

PART = r"\.(?P<name>.+)\.(?:[0-9]{1,10}|[0-9a-z_]{8})"
"""The name of an unfinished file: a dot, the name it is to have, and a process id or eight characters."""

OLD = 3600.0
"""Seconds after which nobody can still be writing a file."""


def sweep(folder: Path, names: Iterable[str] | None = None, *, older: float = OLD) -> int:
    """Remove the unfinished files of a folder.

    Args:
        folder: nothing happens where there is none.
        names: of the files they were to become; by default any that ends as those of a run or a job do.
        older: how many seconds ago they must have been written last; 0 for whoever knows that nobody writes here.

    Returns:
        How many were removed.
    """
    wanted, removed = None if names is None else set(names), 0
    with contextlib.suppress(OSError):
        for part in list(folder.iterdir()):
            found = re.fullmatch(PART, part.name)
            if found is None or not _fits(found["name"], wanted):
                continue
            with contextlib.suppress(OSError):
                if part.is_file() and time.time() - part.stat().st_mtime >= older:
                    part.unlink()
                    removed += 1
    if removed:
        _log.info("removed %d unfinished file(s) from %s", removed, folder)
    return removed


def _fits(name: str, wanted: set[str] | None) -> bool:
    return name.endswith((".safetensors", ".json", ".jsonl")) if wanted is None else name in wanted
