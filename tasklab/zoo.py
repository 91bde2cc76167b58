"""The shipped systems: a folder of checkpoints, each with its card."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from tasklab.checkpoint import CheckpointError, read_metadata
from tasklab.system import System

SUFFIX = ".safetensors"


def folder() -> Path:
    """Where the shipped systems lie: inside the installed package, or beside it in a clone."""
    inside = Path(__file__).parent / "_pretrained"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "pretrained"


def names(dataset: str | None = None, *, where: Path | None = None) -> tuple[str, ...]:
    """The names of the systems there, all or those of one data set, sorted.

    Args:
        dataset: such as ``"mnist"``.
        where: another folder of checkpoints.
    """
    found = sorted(path.stem for path in (where or folder()).glob(f"*{SUFFIX}"))
    return tuple(name for name in found if dataset is None or card(name, where=where)["data"]["name"] == dataset)


def card(name: str, *, where: Path | None = None) -> dict[str, Any]:
    """A system's card alone, without its weights.

    Raises:
        ValueError: no such system; the message lists those there are.
        CheckpointError: a file without a readable card.
    """
    return _card(str(_path(name, where)))


def load(name: str, *, where: Path | None = None) -> System:
    """The system of that name, on the CPU, in evaluation mode.

    Raises:
        ValueError: no such system; the message lists those there are.
        CheckpointError: a file that does not hold a whole system.
    """
    return System.load(_path(name, where))


def _path(name: str, where: Path | None) -> Path:
    path = (where or folder()) / f"{name}{SUFFIX}"
    if name not in names(where=where):
        raise ValueError(f"expected a system among {', '.join(names(where=where)) or 'none'}, got {name!r}")
    return path


@lru_cache(maxsize=256)
def _card(path: str) -> dict[str, Any]:
    try:
        found = json.loads(read_metadata(path)["tasklab"])
        if not isinstance(found["data"]["name"], str):
            raise TypeError
    except (KeyError, TypeError, json.JSONDecodeError):
        raise CheckpointError(
            f"{Path(path).name}: expected a card that names its data set, got none; try another copy"
        ) from None
    return dict(found)
