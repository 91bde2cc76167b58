"""Downloading data sets, only on request: into a temporary folder, where they are checked and then moved into place.

The addresses, checksums and unpacking are torchvision's. The bytes are fetched here, so that an interrupted download
can be resumed, a silent server times out, and progress is a stream of events, which a caller may stop consuming at any
time to stop the download.
"""

from __future__ import annotations

import gzip
import http.client
import logging
import os
import shutil
import ssl
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

from .errors import DataMissing, DownloadError
from .files import FILES, available, check_files, data_root, md5_of
from .info import DataInfo, info_of
from .loading import forget

_log = logging.getLogger(__name__)

_CHUNK = 1 << 18
_TIMEOUT = 30.0  # seconds of silence
_TRIES = 3  # per address, when a transfer breaks midway
_STALE = 24 * 3600.0  # seconds after which a temporary folder is taken for abandoned


@dataclass(frozen=True, kw_only=True)
class DownloadEvent:
    """The progress of a download.

    Args:
        name: the data set.
        done, total: bytes fetched so far and in all; equal only in the last event.
        message: one sentence for a person.
    """

    name: str
    done: int
    total: int
    message: str


@dataclass(frozen=True, kw_only=True)
class _Archive:
    """One file to fetch, from the first address that gives the right bytes."""

    filename: str
    md5: str
    urls: tuple[str, ...]


def download(name: str, root: str | os.PathLike[str] | None = None, *, force: bool = False) -> Iterator[DownloadEvent]:
    """Download a data set, for as long as the events are consumed.

    Until the files are complete and checked they are in a temporary folder inside root, so two processes may download
    the same set at once, and an interrupted download leaves nothing behind.

    Args:
        name: a key of `DATASETS`; sets that need no download give a single event.
        root: see `data_root`.
        force: fetch even if the files seem to be there, and replace them.

    Returns:
        an iterator over events; after the last one, ``available(name, root)`` is True.

    Raises:
        DownloadError: the set did not arrive complete, as one sentence says; it can be tried again.
        ValueError: there is no data set of this name.

    >>> [event.message for event in download("digits")]
    ['Digits (8×8) needs no download']
    """
    info, folder = info_of(name), data_root(root)
    return _download(info, folder, force)


def _download(info: DataInfo, root: Path, force: bool) -> Iterator[DownloadEvent]:
    name, total = info.name, info.download_bytes
    if not info.needs_download:
        yield DownloadEvent(name=name, done=0, total=0, message=f"{info.title} needs no download")
        return
    if available(name, root) and not force:
        yield DownloadEvent(name=name, done=total, total=total, message=f"{info.title} is already in {root}")
        return
    try:
        root.mkdir(parents=True, exist_ok=True)
        _sweep(name, root)
        wanted, free = total + info.disk_bytes, shutil.disk_usage(root).free
        if free < wanted:
            raise DownloadError(
                f"{info.title} needs {wanted / 1e6:.0f} MB in {root}, where {free / 1e6:.0f} MB are free; "
                "free some space, or set TASKLAB_DATA to another folder"
            )
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=root, ignore_cleanup_errors=True) as temporary:
            yield from _fetch_all(info, Path(temporary))
            yield DownloadEvent(name=name, done=total - 1, total=total, message=f"Unpacking {info.title}")
            _unpack(info, Path(temporary))
            _move(name, Path(temporary), root)
    except OSError as error:
        fault = f"{info.title} could not be written to {root} ({_reason(error)})"
        raise DownloadError(f"{fault}; free some space, or set TASKLAB_DATA to another folder") from error
    forget()
    _log.info("%s is in %s", info.title, root)
    yield DownloadEvent(name=name, done=total, total=total, message=f"{info.title} is in {root}")


def _archives(name: str) -> list[_Archive]:
    """The files to fetch, with torchvision's addresses and checksums."""
    from torchvision import datasets

    if name == "mnist":
        return [
            _Archive(filename=file, md5=md5, urls=tuple(mirror + file for mirror in datasets.MNIST.mirrors))
            for file, md5 in datasets.MNIST.resources
        ]
    kind = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[name]
    return [_Archive(filename=kind.filename, md5=kind.tgz_md5, urls=(kind.url,))]


def _fetch_all(info: DataInfo, folder: Path) -> Iterator[DownloadEvent]:
    """Fetch every archive of a set into a folder."""
    before, total = 0, info.download_bytes
    for archive in _archives(info.name):
        target = folder / archive.filename
        reasons: dict[str, str] = {}  # why each address gave nothing
        for url in archive.urls:
            target.unlink(missing_ok=True)
            host = urlparse(url).netloc
            message = f"Fetching {archive.filename} from {host}"
            for _ in range(_TRIES):
                try:
                    for have in _fetch(url, target, limit=total + (1 << 20)):
                        done = min(before + have, total - 1)
                        yield DownloadEvent(name=info.name, done=done, total=total, message=message)
                except (http.client.HTTPException, TimeoutError, ConnectionError, ssl.SSLError) as error:
                    reasons[host] = _reason(error)  # broken off midway: resume from there
                    _log.warning("%s: %s", url, reasons[host])
                    continue
                except urllib.error.URLError as error:
                    reasons[host] = _reason(error)
                else:
                    reasons[host] = "what arrived is not the official file"
                break
            if target.exists() and md5_of(target) == archive.md5:
                break
            _log.warning("%s: %s", url, reasons[host])
        else:
            tried = "; ".join(f"{host}: {why}" for host, why in reasons.items())
            raise DownloadError(
                f"{info.title} did not arrive: {archive.filename} ({tried}); "
                f"check the connection and try `tasklab data {info.name}` again"
            )
        before += target.stat().st_size


def _fetch(url: str, target: Path, limit: int) -> Iterator[int]:
    """Fetch one file, resuming an earlier try if the server allows it; yields the number of bytes fetched so far."""
    have = target.stat().st_size if target.exists() else 0
    headers = {"User-Agent": "tasklab"} | ({"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT) as response:
        resumed = response.status == http.client.PARTIAL_CONTENT
        have = have if resumed else 0
        length = response.length  # the number of bytes still to come, as the server says, or None
        expected = None if length is None else have + length
        with open(target, "ab" if resumed else "wb") as stream:
            while chunk := response.read(_CHUNK):
                stream.write(chunk)
                have += len(chunk)
                if have > limit:
                    raise urllib.error.URLError("far more arrived than the file holds")
                yield have
    if expected is not None and have < expected:
        raise ConnectionError(f"the connection broke off after {have} of {expected} bytes")


def _unpack(info: DataInfo, folder: Path) -> None:
    """Unpack every archive into torchvision's folders, and check every unpacked file."""
    from torchvision.datasets.utils import extract_archive

    inside = Path(FILES[info.name][0].path).parent if info.name == "mnist" else Path()
    (folder / inside).mkdir(parents=True, exist_ok=True)
    try:
        for archive in _archives(info.name):
            if info.name == "mnist":  # a single packed file, named by what it unpacks to
                shutil.move(folder / archive.filename, folder / inside / archive.filename)
            extract_archive(str(folder / inside / archive.filename), str(folder / inside), remove_finished=True)
        check_files(info.name, folder)
    except (DataMissing, EOFError, gzip.BadGzipFile, tarfile.TarError, zlib.error) as error:
        raise DownloadError(
            f"{info.title} arrived, but does not hold the official files; try `tasklab data {info.name}` again"
        ) from error


def _move(name: str, folder: Path, root: Path) -> None:
    """Move a complete set into place: its folder in one step or, where the folder exists already, file by file."""
    top = Path(FILES[name][0].path).parts[0]
    try:
        os.rename(folder / top, root / top)
    except OSError:
        for file in FILES[name]:
            (root / file.path).parent.mkdir(parents=True, exist_ok=True)
            os.replace(folder / file.path, root / file.path)


def _sweep(name: str, root: Path) -> None:
    """Remove the temporary folders of processes that were killed long ago."""
    for folder in root.glob(f".{name}-*"):
        if time.time() - folder.stat().st_mtime > _STALE:
            shutil.rmtree(folder, ignore_errors=True)


def _reason(error: Exception) -> str:
    """The cause of a failure, in a few words."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    if isinstance(error, TimeoutError):
        return f"no answer within {_TIMEOUT:.0f} s"
    if isinstance(error, urllib.error.URLError):
        return _reason(error.reason) if isinstance(error.reason, OSError) else str(error.reason)
    if isinstance(error, http.client.IncompleteRead):
        return "the connection broke off"
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
