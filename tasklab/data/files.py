"""Where the data sets are on disk, in torchvision's folders, and whether they are complete."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from .errors import DataDamaged, DataMissing
from .info import info_of


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """One file of a data set: its path under the data root, its size in bytes and its md5."""

    path: str
    size: int
    md5: str


def _files(folder: str, *rows: tuple[str, int, str]) -> tuple[DataFile, ...]:
    return tuple(DataFile(path=f"{folder}/{name}", size=size, md5=md5) for name, size, md5 in rows)


FILES: dict[str, tuple[DataFile, ...]] = {
    "mnist": _files(
        "MNIST/raw",
        ("train-images-idx3-ubyte", 47040016, "6bbc9ace898e44ae57da46a324031adb"),
        ("train-labels-idx1-ubyte", 60008, "a25bea736e30d166cdddb491f175f624"),
        ("t10k-images-idx3-ubyte", 7840016, "2646ac647ad5339dbf082846283269ea"),
        ("t10k-labels-idx1-ubyte", 10008, "27ae3e4e09519cfbb04c329615203637"),
    ),
    "cifar10": _files(
        "cifar-10-batches-py",
        ("data_batch_1", 31035704, "c99cafc152244af753f735de768cd75f"),
        ("data_batch_2", 31035320, "d4bba439e000b95fd0a9bffe97cbabec"),
        ("data_batch_3", 31035999, "54ebc095f3ab1f0389bbae665268c751"),
        ("data_batch_4", 31035696, "634d18415352ddfa80567beed471001a"),
        ("data_batch_5", 31035623, "482c414d41f54cd18b22e5b47cb7c3cb"),
        ("test_batch", 31035526, "40351d587109b95175f43aff81a1287e"),
        ("batches.meta", 158, "5ff9c542aee3614f3951f8cda6e48888"),
    ),
    "cifar100": _files(
        "cifar-100-python",
        ("train", 155249918, "16019d7e3df5f24257cddd939b257f8d"),
        ("test", 31049707, "f0ef6b0ae62326f3e7ffdfab6717acfc"),
        ("meta", 1473, "7973b15100ade9c7d40fb424638fde48"),
    ),
}
"""The files of each set that has to be fetched."""


def data_root(root: str | os.PathLike[str] | None = None) -> Path:
    """The folder that holds the data sets.

    Args:
        root: a folder, or None for ``TASKLAB_DATA`` from the environment, else ``tasklab/data`` in the user's cache
            (``XDG_CACHE_HOME``, else ``~/.cache``).

    Returns:
        an absolute path, which need not exist.

    >>> data_root("/data").name
    'data'
    """
    if root is None:
        root = os.environ.get("TASKLAB_DATA") or None
    if root is None:
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        root = Path(cache) / "tasklab" / "data"
    return Path(os.path.abspath(Path(root).expanduser()))


def available(name: str, root: str | os.PathLike[str] | None = None) -> bool:
    """Whether a data set can be loaded here, judged by the names and sizes of its files.

    Args:
        name: a key of `DATASETS`.
        root: see `data_root`.

    Raises:
        ValueError: if there is no data set of this name.

    >>> available("digits")
    True
    """
    info_of(name)
    return not _incomplete(name, data_root(root))


def check_files(name: str, root: Path) -> None:
    """Raise DataMissing if files are absent, DataDamaged if a size or md5 is not the official one."""
    title = info_of(name).title
    if all(not (root / file.path).is_file() for file in FILES[name]):
        raise DataMissing(f"{title} is not in {root}; download it with `tasklab data {name}`")
    bad = _incomplete(name, root) or [file for file in FILES[name] if md5_of(root / file.path) != file.md5]
    if bad:
        raise damaged(name, root / bad[0].path)


def damaged(name: str, path: Path) -> DataDamaged:
    """The error for a file of a set that is not the official one."""
    title = info_of(name).title
    fault = f"{title} is damaged: {path} is not the official file"
    return DataDamaged(f"{fault}; replace it with `tasklab data {name} --force`")


def md5_of(path: Path) -> str:
    """The md5 of a file, as hex digits."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _incomplete(name: str, root: Path) -> list[DataFile]:
    """The files that are absent or not of their official size."""

    def size(path: Path) -> int:
        try:
            return path.stat().st_size if path.is_file() else -1
        except OSError:
            return -1

    return [file for file in FILES.get(name, ()) if size(root / file.path) != file.size]
