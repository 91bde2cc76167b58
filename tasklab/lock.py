"""A lock between processes, which the operating system releases when its holder ends, however that happens."""

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
    """Another process holds the lock."""


class Lock:
    """An exclusive lock on a file, for use in a ``with`` statement; the file contains the process id of its holder.

    Args:
        path: of the file, which is made if needed and not removed afterwards.
        patience: seconds to wait while another process holds the lock.

    Raises:
        Locked: (on entering) another process still holds the lock.
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
        with contextlib.suppress(OSError):  # the number is only for people; on a full disk the lock holds all the same
            os.ftruncate(self._file, 0)
            os.write(self._file, str(os.getpid()).encode())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def __del__(self) -> None:
        self.release()  # for a lock that was never exited

    def release(self) -> None:
        """Release the lock, if it is held."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


def is_held(path: Path) -> bool:
    """Whether a running process holds the lock on a file."""
    try:
        file = os.open(path, os.O_RDWR)
    except OSError:  # there is no such file, so nobody can hold the lock
        return False
    try:
        return not _take(file, shared=True)
    finally:
        with contextlib.suppress(OSError):
            os.close(file)


def _take(file: int, *, shared: bool) -> bool:
    """Try to lock an open file; whether it worked. Closing the file releases the lock."""
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
