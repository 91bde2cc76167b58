"""The server's disk: its failures as sentences, and the removal of folders that nobody has visited for long."""

from __future__ import annotations

import contextlib
import errno
import logging
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from lab_ui.visitor.limits import EXPIRY_DAYS

_log = logging.getLogger(__name__)

OURS = {"jobs", "systems"}
"""The only entries that a visitor's folder has."""

FULL = (errno.ENOSPC, errno.EDQUOT)
SHUT = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR)


def trouble(error: OSError) -> str:
    """A failure of the disk as one sentence for the visitor, without paths of the server.

    >>> trouble(OSError(errno.ENOSPC, "No space left on device", "/srv/jobs/1"))
    'The disk of this machine is full, so this could not be kept; tell whoever looks after it, and try again later.'
    """
    if error.errno in FULL:
        what = "The disk of this machine is full"
    elif error.errno in SHUT:
        what = "The folder of jobs and systems on this machine cannot be written to"
    else:
        what = f"The disk of this machine failed ({error.strerror or type(error).__name__})"
    return f"{what}, so this could not be kept; tell whoever looks after it, and try again later."


def expire(root: Path, active: Iterable[str] = ()) -> list[str]:
    """Remove the folders of visitors who have not come for `EXPIRY_DAYS`. Anything but a visitor's folder stays.

    Args:
        root: the folder of all visitors.
        active: visitors who have jobs that wait or run; their folders stay.

    Returns:
        Names of the folders that were removed.
    """
    spared, removed = set(active), []
    limit = time.time() - EXPIRY_DAYS * 86_400
    for folder in _entries(root):
        if folder.name in spared or folder.is_symlink():
            continue
        entries = _entries(folder)
        if not entries or not {entry.name for entry in entries} <= OURS or _last_visit(folder) > limit:
            continue
        shutil.rmtree(folder, ignore_errors=True)
        removed.append(folder.name)
    if removed:
        _log.info("removed the folders of %d visitor(s) who had not come for %g days", len(removed), EXPIRY_DAYS)
    return removed


def _last_visit(folder: Path) -> float:
    """The latest modification in a visitor's folder, in seconds since 1970; each visit touches the folder itself."""
    times = [0.0]
    for path in (folder, *_entries(folder), *_entries(folder / "jobs"), *_entries(folder / "systems")):
        with contextlib.suppress(OSError):
            times.append(path.stat().st_mtime)
    return max(times)


def _entries(folder: Path) -> list[Path]:
    """The entries of a folder, sorted; empty where it cannot be read."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
