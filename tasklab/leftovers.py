"""Removing unfinished files that were left behind when the process that wrote them was killed."""

from __future__ import annotations

import contextlib
import logging
import re
import time
from collections.abc import Iterable
from pathlib import Path

_log = logging.getLogger(__name__)

PART = r"\.(?P<name>.+)\.(?:[0-9]{1,10}|[0-9a-z_]{8})"
"""The name of an unfinished file: a dot, its final name, a dot, and a process id or eight characters."""

OLD = 3600.0
"""Seconds since the last write after which a file is taken as abandoned."""


def sweep(folder: Path, names: Iterable[str] | None = None, *, older: float = OLD) -> int:
    """Remove the unfinished files of a folder.

    Args:
        folder: where to look; nothing happens if there is no such folder.
        names: final names of the files; by default all with a suffix that runs and jobs use.
        older: least number of seconds since the last write; 0 only where no other process writes in the folder.

    Returns:
        The number of files removed.
    """
    final_names, removed = None if names is None else set(names), 0
    with contextlib.suppress(OSError):
        for part in list(folder.iterdir()):
            match = re.fullmatch(PART, part.name)
            if match is None or not _fits(match["name"], final_names):
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
