"""The shipped systems, and one's own: folders of checkpoints, each with its card.

The environment variable ``TASKLAB_ZOO`` names a further folder, of one's own systems; where both hold a name, one's own
is meant.
"""

from __future__ import annotations

import copy
import logging
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from tasklab.checkpoint import CheckpointError, read_card
from tasklab.system import System

_log = logging.getLogger(__name__)

SUFFIX = ".safetensors"


def folder() -> Path:
    """Where the shipped systems lie: inside the installed package, or beside it in a clone."""
    inside = Path(__file__).parent / "_pretrained"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "pretrained"


def folders() -> tuple[Path, ...]:
    """Where systems are looked for: the folder that ``TASKLAB_ZOO`` names, if it does, then the shipped ones."""
    own = os.environ.get("TASKLAB_ZOO")
    return (Path(own).expanduser(), folder()) if own else (folder(),)


def names(dataset: str | None = None, *, where: Path | None = None) -> tuple[str, ...]:
    """The names of the systems there, all or those of one data set, sorted.

    Args:
        dataset: such as ``"mnist"``.
        where: look in this folder alone, instead of in `folders`.
    """
    found = sorted({file.stem for place in _places(where) for file in place.glob(f"*{SUFFIX}")})
    return tuple(name for name in found if dataset is None or _is_of(name, dataset, where))


def dataset_of(name: str, *, where: Path | None = None) -> str:
    """The data set of a system, from its card; the weights are not looked at.

    Raises:
        ValueError: no such system; the message lists those there are.
        CheckpointError: a file without a readable card, or one that names no data set.
    """
    file = path(name, where=where)
    found = _read(file, whole=False).get("data", {}).get("name")
    if found is None:
        raise CheckpointError(f"{file.name}: expected a card that names its data set, got none; try another copy")
    return str(found)


def card(name: str, *, where: Path | None = None) -> dict[str, Any]:
    """A system's card alone; the file is compared with its digest.

    Returns:
        The card as `tasklab.card` lets it pass: every part but task and network may be missing.

    Raises:
        ValueError: no such system; the message lists those there are.
        CheckpointError: a file that does not hold a whole system.
    """
    return copy.deepcopy(shared_card(path(name, where=where)))


def shared_card(file: Path) -> dict[str, Any]:
    """The card in a file as `card` gives it, read once for as long as the file stays the same; not to be altered.

    Raises:
        CheckpointError: a file that does not hold a whole system.
    """
    return _read(file, whole=True)


def load(name: str, *, where: Path | None = None) -> System:
    """The system of that name, on the CPU, in evaluation mode.

    Raises:
        ValueError: no such system; the message lists those there are.
        CheckpointError: a file that does not hold a whole system.
    """
    return System.load(path(name, where=where))


def path(name: str, *, where: Path | None = None) -> Path:
    """The file of the system of that name.

    Raises:
        ValueError: no such system; the message lists those there are.
    """
    if name and name == Path(name).name:
        for place in _places(where):
            if (file := place / f"{name}{SUFFIX}").is_file():
                return file
    raise ValueError(f"expected a system among {', '.join(names(where=where)) or 'none'}, got {name!r}")


def _places(where: Path | None) -> tuple[Path, ...]:
    return folders() if where is None else (where,)


def _is_of(name: str, dataset: str, where: Path | None) -> bool:
    try:
        return dataset_of(name, where=where) == dataset
    except (CheckpointError, OSError) as error:
        _log.warning("left out: %s", error)
        return False


def _read(file: Path, *, whole: bool) -> dict[str, Any]:
    found = _card(str(file), file.stat().st_mtime_ns, file.stat().st_size, whole)
    if isinstance(found, str):
        raise CheckpointError(found)
    return found


@lru_cache(maxsize=256)
def _card(file: str, changed: int, size: int, whole: bool) -> dict[str, Any] | str:
    """A card, or the sentence that says why there is none: a file that does not read is not read again either."""
    try:
        return read_card(file, whole=whole)
    except CheckpointError as error:
        return str(error)
