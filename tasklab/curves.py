"""Curves of the shipped systems' training runs, recorded by `tasklab.jobs.recording` and shipped beside them."""

from __future__ import annotations

import copy
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from tasklab import zoo

FILE = "curves.json"
KEPT = ("loss", "train_accuracy", "accuracy", "abnormal", "robust_accuracy", "own_loss_accuracy",
        "own_loss_zero_gradient", "zero_gradient_share", "best", "seconds")
"""The fields of an `EpochEvent` that are kept."""


def recorded(*, where: Path | None = None) -> dict[str, dict[str, Any]]:
    """The recorded training runs, by name of the system.

    Args:
        where: the folder of ``curves.json``; by default that of the shipped systems.

    Returns:
        For each: ``settings`` (of `tasklab.jobs.training.Training`), ``epochs`` (a list of dicts with the fields
        `KEPT`; accuracies are of the validation set), ``metrics`` (as in a card, of the test set), ``epoch`` (the one
        kept) and ``versions``. Empty where nothing was recorded.
    """
    return copy.deepcopy(_recorded(str((where or zoo.folder()) / FILE)))


@lru_cache(maxsize=4)
def _recorded(file: str) -> dict[str, dict[str, Any]]:
    if not Path(file).is_file():
        return {}
    curves: dict[str, dict[str, Any]] = json.loads(Path(file).read_text(encoding="utf-8"))
    for entry in curves.values():
        columns = entry["epochs"]
        entry["epochs"] = [
            {"epoch": index + 1} | {key: values[index] for key, values in columns.items()}
            for index in range(len(columns["loss"]))
        ]
    return curves
