"""A lock that a process holds for as long as it lives: the system takes it back however the process ends."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from types import TracebackType

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class Locked(RuntimeError):
    """Somebody else holds the lock."""


class Lock:
    """An exclusive lock on a file, to be used in a ``with``; the file then holds the process id of its holder.

    Args:
        path: made if it is not there, and left behind.
        patience: seconds to wait for a holder that is about to leave.
    """

    def __init__(self, path: Path, patience: float = 0.0) -> None:
        self.path, self.patience = path, patience
        self._file = -1

    def __enter__(self) -> Lock:
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        until = time.monotonic() + self.patience
        while not _take(self._file, shared=False):
            if time.monotonic() >= until:
                self.release()
                raise Locked(f"another process holds {self.path}")
            time.sleep(0.02)
        with contextlib.suppress(OSError):  # the number is for a person; a full disk does not take the lock away
            os.ftruncate(self._file, 0)
            os.write(self._file, str(os.getpid()).encode())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def __del__(self) -> None:
        self.release()  # of somebody who never came to its end

    def release(self) -> None:
        """Give the lock back, if it is held."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock on a file."""
    try:
        file = os.open(path, os.O_RDWR)
    except OSError:  # there is none, or it is no file: nobody can hold it
        return False
    try:
        return not _take(file, shared=True)
    finally:
        with contextlib.suppress(OSError):
            os.close(file)


def _take(file: int, *, shared: bool) -> bool:
    """Try to lock an open file; closing it gives the lock back."""
    try:
        if sys.platform == "win32":
            os.lseek(file, 1 << 20, os.SEEK_SET)  # a byte beyond the text, which stays readable
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
            os.lseek(file, 0, os.SEEK_SET)
        else:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
