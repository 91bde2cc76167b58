"""The studies of a folder's systems, in one file beside them: measured once, shown at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from tasklab import files, strict_json, zoo
from tasklab.evaluation.statistics import Share
from tasklab.evaluation.study import CURVES, FORMAT, standing

FILE = "reports.json"
"""Studies by the system's name; ``file`` in each is the digest of the checkpoint that was studied."""


def kept_study(name: str, *, file: Path | None = None) -> dict[str, Any] | None:
    """The study of a system, or None where there is none of this very checkpoint.

    Args:
        name: of a system in the zoo.
        file: its checkpoint; by default the one that the zoo finds.

    Raises:
        ValueError: no such system.
    """
    file = zoo.path(name) if file is None else file
    place = file.parent / FILE
    if not place.is_file():
        return None
    study = _read(str(place), place.stat().st_mtime_ns).get(name)
    whole = study is not None and study.get("file") == digest(file) and study.get("format") == FORMAT
    return study if whole else None


def keep_studies(studies: Mapping[str, dict[str, Any]], folder: Path) -> Path:
    """Add studies to a folder's file, in place of those that it held of the same systems; one line for each."""
    place = folder / FILE
    found = {**(_load(place) if place.is_file() else {}), **studies}
    lines = [f"{json.dumps(name)}:{strict_json.dumps(found[name], separators=(',', ':'), ensure_ascii=False)}"
             for name in sorted(found)]
    files.write_text(place, "{\n" + ",\n".join(lines) + "\n}\n")
    return place


def digest(file: Path) -> str:
    """What tells one checkpoint from another: the first half of its SHA-256."""
    return _digest(str(file), file.stat().st_mtime_ns)


def curves_of(study: Mapping[str, Any]) -> dict[str, dict[float, Share]]:
    """By curve and ε, the share of a study's pictures that withstood; ε = 0 are the clean ones.

    Where only another class counts as a success, None withstands.
    """
    found: dict[str, dict[float, Share]] = {}
    for curve in (*CURVES, "square"):
        rows = [row for row in study["rows"] if row["curve"] == curve]
        if rows:
            clean = study["clean"]
            start = clean["correct"] + (clean["abnormal"] if rows[0]["criterion"] == "evaded" else 0)
            found[curve] = {0.0: Share(start, clean["n"])}
            found[curve] |= {row["eps"]: Share(standing(row), row["n"]) for row in rows}
    return found


def zeros_of(study: Mapping[str, Any]) -> dict[str, dict[float, float]]:
    """By curve and ε, the share of correct pictures for which the attack never had a gradient, where it asked for one.

    A study without a correct picture has none.
    """
    found: dict[str, dict[float, float]] = {}
    for row in study["rows"]:
        if row["zero_gradient"] is not None and row["clean"]:
            found.setdefault(row["curve"], {})[row["eps"]] = row["zero_gradient"] / row["clean"]
    return found


def row_of(study: Mapping[str, Any], curve: str, eps: float) -> dict[str, Any] | None:
    """One row of a study, or None."""
    return next((row for row in study["rows"] if row["curve"] == curve and row["eps"] == eps), None)


def distances_of(study: Mapping[str, Any]) -> torch.Tensor:
    """float32 ``(N,)``: the smallest ε found for each picture, infinite where none was."""
    return torch.tensor([float("inf") if found is None else found for found in study["distances"]], dtype=torch.float32,
                        device="cpu")


@lru_cache(maxsize=8)
def _read(place: str, changed: int) -> dict[str, Any]:
    try:
        return _load(Path(place))
    except ValueError:
        return {}


def _load(place: Path) -> dict[str, Any]:
    found = json.loads(place.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError(f"expected studies by name in {place}, got {type(found).__name__}; try tasklab report")
    return found


@lru_cache(maxsize=256)
def _digest(file: str, changed: int) -> str:
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:32]
