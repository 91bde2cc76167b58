"""Folders of jobs in shared storage that need not be a disk: any that fsspec knows, such as ``s3://BUCKET/PATH``.

A machine works on a folder of its own, and `Store` copies changed files to the storage and back. A file is copied
completely or not at all, and older files first, so that the storage is never in a state in which a killed process could
not have left a disk.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

from tasklab import files
from tasklab.lock import Locked

LEASE = "lease.json"
OWN = ("lock", LEASE)
"""Names of files that are not carried: they are about one machine, or about the storage."""

CHANGING = ("size", "ETag", "mtime", "LastModified", "created")
"""Properties of a file in a storage by which new content is noticed."""

BEAT = 5.0
"""Seconds between two signs of life of a lease's holder."""

SILENCE = 4 * BEAT
"""Seconds without a sign of life after which a lease's holder counts as dead."""

SETTLE = 0.5
"""Seconds after which two processes that took a lease at the same moment check which of them has it."""


class Store:
    """Folders in shared storage, each under a name.

    Args:
        url: as fsspec reads it, such as ``file:///mnt/jobs``, ``s3://bucket/jobs`` or ``memory://jobs``.

    Raises:
        ValueError: fsspec knows no such storage, or the package for it is not installed.
    """

    def __init__(self, url: str) -> None:
        import fsspec

        try:
            self.system, self.root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise ValueError(f"expected an address of shared storage, got {url!r}: {error}") from None
        self.url = url
        self._seen: dict[tuple[Path, str], dict[str, tuple[Any, ...]]] = {}
        self._pulled: dict[tuple[Path, str], dict[str, tuple[str, ...]]] = {}

    def push(self, folder: Path, name: str, only: Iterable[str] = (".",)) -> None:
        """Copy to the storage what has changed in a folder since the last push or pull, and remove what was removed.

        Args:
            folder: on this machine.
            name: of the folder in the storage.
            only: names of the files and folders in it that are carried.
        """
        seen, remote = self._known(folder, name)
        here = dict(pair for each in only for pair in _files(folder, each))
        for relative, path in sorted(here.items(), key=lambda item: item[1].stat().st_mtime_ns):
            try:
                signature, content = _signature(path), path.read_bytes()
            except FileNotFoundError:  # it was replaced or removed just now
                continue
            if seen.get(relative) != signature:
                self._write(f"{name}/{relative}", content)
                seen[relative] = signature
                remote[relative] = _changing(self.system.info(self._path(f"{name}/{relative}")))
        for relative in [each for each in seen if each not in here]:
            with contextlib.suppress(FileNotFoundError):
                self.system.rm_file(self._path(f"{name}/{relative}"))
            del seen[relative]
            remote.pop(relative, None)

    def pull(self, folder: Path, name: str) -> None:
        """Copy from the storage what has changed there since the last pull; files removed there are removed here.

        Args:
            folder: on this machine; made if it is not there.
            name: of the folder in the storage.
        """
        seen, remote = self._known(folder, name)
        base = self._path(name)
        self.system.invalidate_cache()
        there = {}
        for path, about in self.system.find(base, detail=True).items():
            relative = str(PurePosixPath(path).relative_to(PurePosixPath(base)))
            if PurePosixPath(relative).name not in OWN:
                there[relative] = _changing(about)
        for relative, signature in there.items():
            if remote.get(relative) != signature:
                with contextlib.suppress(FileNotFoundError):
                    files.write_bytes(folder / relative, self.system.cat_file(f"{base}/{relative}"))
                    remote[relative], seen[relative] = signature, _signature(folder / relative)
        for relative in [each for each in seen if each not in there]:
            (folder / relative).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # it holds other files
                for parent in PurePosixPath(relative).parents[:-1]:
                    (folder / parent).rmdir()
            del seen[relative]
            remote.pop(relative, None)

    def lease(self, name: str, *, beat: float = BEAT) -> Lease:
        """The lock of a folder in the storage, for use in a ``with`` statement.

        Args:
            name: of the folder.
            beat: seconds between two signs of life.
        """
        return Lease(self, name, beat)

    def copy_in(self, file: Path, name: str) -> None:
        """Carry a single file to the storage, unless it has one of that name."""
        if not self.system.exists(self._path(name)):
            self._write(name, file.read_bytes())

    def remove(self, name: str) -> None:
        """Remove a folder from the storage, if it is there."""
        for known in (self._seen, self._pulled):
            for key in [key for key in known if key[1] == name]:
                del known[key]
        with contextlib.suppress(FileNotFoundError):
            self.system.rm(self._path(name), recursive=True)

    def read(self, name: str) -> bytes | None:
        """The content of a file in the storage; None where it is not there."""
        self.system.invalidate_cache()
        try:
            return bytes(self.system.cat_file(self._path(name)))
        except FileNotFoundError:
            return None

    def _known(self, folder: Path, name: str) -> tuple[dict[str, tuple[Any, ...]], dict[str, tuple[str, ...]]]:
        """The files as they were here, and there, when they were last carried."""
        return self._seen.setdefault((folder, name), {}), self._pulled.setdefault((folder, name), {})

    def _write(self, name: str, content: bytes) -> None:
        path = self._path(name)
        if "file" in self.system.protocol:
            files.write_bytes(path, content)
        else:  # in an object store, a file is there once it is there as a whole
            self.system.pipe_file(path, content)

    def _path(self, name: str) -> str:
        return f"{self.root.rstrip('/')}/{name}"


class Lease:
    """A lock in shared storage, whose holder gives signs of life; one that is silent for `SILENCE` is dead.

    The clocks of two machines are never compared: a waiting machine measures how long the lease stays unchanged.

    Args:
        store: the storage.
        name: of the folder that is locked.
        beat: seconds between two signs of life; four of them without one are silence.

    Raises:
        Locked: (on entering) somebody alive holds it.
    """

    def __init__(self, store: Store, name: str, beat: float = BEAT) -> None:
        self.store, self.file, self.beat = store, f"{name}/{LEASE}", beat
        self.token, self.number = secrets.token_hex(8), 0
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Lease:
        before, since = self.store.read(self.file), time.monotonic()
        while before is not None and time.monotonic() - since < SILENCE / BEAT * self.beat:
            time.sleep(self.beat / 4)
            now = self.store.read(self.file)
            if now is not None and now != before:
                raise Locked(f"another machine holds {self.file} in {self.store.url}")
            before = now
        self._sign()
        time.sleep(min(SETTLE, self.beat / 4))
        if self._holder() != self.token:
            raise Locked(f"another machine holds {self.file} in {self.store.url}")
        self._thread = threading.Thread(target=self._live, daemon=True, name="lease")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        if self._holder() == self.token:
            with contextlib.suppress(FileNotFoundError):
                self.store.system.rm_file(self.store._path(self.file))

    def _live(self) -> None:
        while not self._over.wait(self.beat):
            with contextlib.suppress(OSError):  # storage that does not answer for a moment
                self._sign()

    def _sign(self) -> None:
        self.number += 1
        self.store._write(self.file, json.dumps({"holder": self.token, "sign": self.number}).encode())

    def _holder(self) -> str | None:
        try:
            return str(json.loads(self.store.read(self.file) or b"")["holder"])
        except (ValueError, KeyError, TypeError):
            return None


def _files(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    """The files to carry that are at this name in a folder or below it, by their relative names."""
    for path in (folder / name, *(folder / name).rglob("*")):
        if path.is_file() and path.name not in OWN and not path.name.startswith("."):
            yield path.relative_to(folder).as_posix(), path


def _signature(path: Path) -> tuple[Any, ...]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino


def _changing(about: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(about.get(key)) for key in CHANGING)
