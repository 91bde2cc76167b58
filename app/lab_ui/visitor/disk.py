"""The disk: what its failures are called on a page, and what nobody has visited for long."""

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
"""What a visitor's folder holds, and nothing else."""

FULL = (errno.ENOSPC, errno.EDQUOT)
SHUT = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR)


def trouble(error: OSError) -> str:
    """A failure of the disk as one sentence for a visitor, without the server's paths.

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
    """Remove the folders of visitors who have not come for `EXPIRY_DAYS`; what is not a visitor's folder stays.

    Args:
        root: the folder of all visitors.
        active: visitors who have jobs that wait or run.

    Returns:
        Whose folders were removed.
    """
    spared, removed = set(active), []
    before = time.time() - EXPIRY_DAYS * 86_400
    for place in _entries(root):
        if place.name in spared or place.is_symlink():
            continue
        inside = _entries(place)
        if not inside or not {each.name for each in inside} <= OURS or _last_visit(place) > before:
            continue
        shutil.rmtree(place, ignore_errors=True)
        removed.append(place.name)
    if removed:
        _log.info("removed the folders of %d visitor(s) who had not come for %g days", len(removed), EXPIRY_DAYS)
    return removed


def _last_visit(place: Path) -> float:
    """When something in a visitor's folder changed last, in seconds of the epoch; a visit touches the folder itself."""
    times = [0.0]
    for each in (place, *_entries(place), *_entries(place / "jobs"), *_entries(place / "systems")):
        with contextlib.suppress(OSError):
            times.append(each.stat().st_mtime)
    return max(times)


def _entries(folder: Path) -> list[Path]:
    """What is in a folder, in order; nothing where there is none that can be read."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
