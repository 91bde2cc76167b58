"""The zoo: trained systems by name, from folders of checkpoints with their cards.

These are the shipped systems and those in the folder that the environment variable ``TASKLAB_ZOO`` names. Where both
folders have a system of the same name, the latter is used.
"""

from __future__ import annotations

import copy
import logging
import os
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from tasklab.checkpoint import CheckpointError, read_card
from tasklab.system import System

_log = logging.getLogger(__name__)

SUFFIX = ".safetensors"


@cache
def folder() -> Path:
    """The folder of the shipped systems: inside the installed package, or beside it in a clone of the repository."""
    inside = Path(__file__).parent / "_pretrained"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "pretrained"


def folders() -> tuple[Path, ...]:
    """The folders in which systems are looked for: the one that ``TASKLAB_ZOO`` names, if any, then the shipped one."""
    own = os.environ.get("TASKLAB_ZOO")
    return (Path(own).expanduser(), folder()) if own else (folder(),)


def names(dataset: str | None = None, *, where: Path | None = None) -> tuple[str, ...]:
    """The names of all systems, or of those of one data set, sorted.

    Args:
        dataset: such as ``"mnist"``.
        where: a folder to look in, instead of `folders`.
    """
    every = sorted({file.stem for each in _folders(where) for file in each.glob(f"*{SUFFIX}")})
    return tuple(name for name in every if dataset is None or _is_of(name, dataset, where))


def dataset_of(name: str, *, where: Path | None = None) -> str:
    """The data set of a system, from its card; the weights are not checked.

    Raises:
        ValueError: there is no such system; the message lists the systems that there are.
        CheckpointError: the file has no readable card, or the card names no data set.
    """
    file = path(name, where=where)
    dataset = _read(file, whole=False).get("data", {}).get("name")
    if dataset is None:
        raise CheckpointError(f"{file.name}: expected a card that names its data set, got none; try another copy")
    return str(dataset)


def card(name: str, *, where: Path | None = None) -> dict[str, Any]:
    """A system's card; the file is compared with its digest first.

    Returns:
        The card as rebuilt by `tasklab.card`: every part except task and network may be missing.

    Raises:
        ValueError: there is no such system; the message lists the systems that there are.
        CheckpointError: the file does not hold a whole system.
    """
    return copy.deepcopy(shared_card(path(name, where=where)))


def shared_card(file: Path) -> dict[str, Any]:
    """The card in a file, as from `card`, but cached until the file changes; it must not be changed.

    Raises:
        CheckpointError: the file does not hold a whole system.
    """
    return _read(file, whole=True)


def load(name: str, *, where: Path | None = None) -> System:
    """The system of this name, on the CPU, in evaluation mode.

    Raises:
        ValueError: there is no such system; the message lists the systems that there are.
        CheckpointError: the file does not hold a whole system.
    """
    return System.load(path(name, where=where))


def path(name: str, *, where: Path | None = None) -> Path:
    """The file of the system of this name.

    Raises:
        ValueError: there is no such system; the message lists the systems that there are.
    """
    if name and name == Path(name).name:
        for each in _folders(where):
            if (file := each / f"{name}{SUFFIX}").is_file():
                return file
    raise ValueError(f"expected a system among {', '.join(names(where=where)) or 'none'}, got {name!r}")


def find(name_or_path: str) -> Path:
    """The file of a system that is given by its name, or by the path of its file.

    Raises:
        ValueError: neither a name nor a path that ends as a system's file does.
    """
    return Path(name_or_path) if name_or_path.endswith(SUFFIX) else path(name_or_path)


def _folders(where: Path | None) -> tuple[Path, ...]:
    return folders() if where is None else (where,)


def _is_of(name: str, dataset: str, where: Path | None) -> bool:
    try:
        return dataset_of(name, where=where) == dataset
    except (CheckpointError, OSError) as error:
        _log.warning("left out: %s", error)
        return False


def _read(file: Path, *, whole: bool) -> dict[str, Any]:
    content = _card(str(file), file.stat().st_mtime_ns, file.stat().st_size, whole)
    if isinstance(content, str):
        raise CheckpointError(content)
    return content


@lru_cache(maxsize=256)
def _card(file: str, changed: int, size: int, whole: bool) -> dict[str, Any] | str:
    """A card, or the sentence that says why it cannot be read, so that a damaged file is not read again either."""
    try:
        return read_card(file, whole=whole)
    except CheckpointError as error:
        return str(error)
