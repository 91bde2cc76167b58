"""Curves of the shipped systems' trainings, recorded once and shipped beside them.

``python -m tasklab.jobs.recording FOLDER`` repeats the trainings as jobs in a folder, each watched under attack, and
writes ``curves.json``; it can be stopped and goes on, and takes up what the folder holds already.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from tasklab import zoo

FILE = "curves.json"
KEPT = ("loss", "train_accuracy", "accuracy", "abnormal", "robust_accuracy", "own_loss_accuracy",
        "own_loss_zero_gradient", "zero_gradient_share", "best", "seconds")
"""The fields of an `EpochEvent` that are kept."""

WATCH = {"eps": 0.2, "steps": 20, "images": 200}
SHORT = {"n": 4000, "attacked": 200, "recipe": {"epochs": 10, "batch_size": 64, "average": 0.99}}
EXTRA: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "digits-rbc-s1": ("digits-rbc", {"S": 1.0}, {}),
    **{f"digits-rbc-unscaled-s{S:g}": ("digits-rbc", {"S": S, "parametrisation": "paper"}, {})
       for S in (1.0, 10.0, 100.0, 350.0)},
    "mnist-tra-short": ("mnist-tra", {}, SHORT),
    "mnist-rbc-short": ("mnist-rbc", {}, SHORT),
}
"""Trainings of systems that are not shipped: that of a shipped one, with other settings of the task, or of the rest."""


def recorded(*, where: Path | None = None) -> dict[str, dict[str, Any]]:
    """The recorded trainings, by name of the system.

    Args:
        where: the folder of ``curves.json``; by default that of the shipped systems.

    Returns:
        For each: ``settings`` (of `tasklab.jobs.training.Training`), ``epochs`` (a list of dicts with the fields
        `KEPT`; accuracies are of the validation set), ``metrics`` (as in a card, of the test set), ``epoch`` (the one
        kept) and ``versions``. Nothing where nothing was recorded.
    """
    return copy.deepcopy(_recorded(str((where or zoo.folder()) / FILE)))


@lru_cache(maxsize=4)
def _recorded(file: str) -> dict[str, dict[str, Any]]:
    if not Path(file).is_file():
        return {}
    found: dict[str, dict[str, Any]] = json.loads(Path(file).read_text())
    for entry in found.values():
        columns = entry["epochs"]
        entry["epochs"] = [
            {"epoch": place + 1} | {key: values[place] for key, values in columns.items()}
            for place in range(len(columns["loss"]))
        ]
    return found


def settings_of(name: str) -> dict[str, Any]:
    """The settings of a job that repeats the training of a shipped system, watched."""
    original, changes, others = EXTRA.get(name, (name, {}, {}))
    card = zoo.card(original)
    return {
        "name": name, "data": card["data"]["name"], "task": card["task"] | changes, "recipe": card["recipe"],
        "arch": card["network"]["arch"], "width": card["network"]["width"], "stairs": card["network"]["stairs"],
        "contrast": card["network"].get("contrast"),
        "watch": WATCH, "attacked": 400, "eps": [0.1, 0.2, 0.3],
    } | others


def gather(folder: Path) -> dict[str, dict[str, Any]]:
    """What the finished jobs of a folder recorded, as it is shipped: columns of rounded numbers."""
    from tasklab.jobs.folder import Job
    from tasklab.jobs.training import RESULT

    found = {}
    for place in sorted(folder.iterdir()):
        if not (place / RESULT).is_file():
            continue
        job = Job(place)
        epochs = [event for event in job.events() if event["event"] == "epoch"]
        card = zoo.card(Path(RESULT).stem, where=place)
        found[place.name] = {
            "settings": job.settings,
            "epochs": {key: [_rounded(event[key]) for event in epochs] for key in KEPT},
            "metrics": card["metrics"], "epoch": card["epoch"], "versions": card["versions"],
        }
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing, then write the file."""
    parser = argparse.ArgumentParser(prog="python -m tasklab.jobs.recording", description="Record training curves.")
    parser.add_argument("folder", type=Path, help="of the jobs")
    parser.add_argument("names", nargs="*", help="systems (default: digits, and extra ones)")
    parser.add_argument("--to", type=Path, default=zoo.folder(), help=f"folder of {FILE} (default: the shipped one)")
    args = parser.parse_args(arguments)
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported, as the shipped systems were made
    from tasklab.jobs.folder import Job, JobError
    from tasklab.jobs.running import run

    for name in args.names or [*zoo.names("digits"), *EXTRA]:
        place = args.folder / name
        try:
            job = Job(place)
            job.resume()
        except JobError:
            job = Job.create(place, "train", settings_of(name))
        for event in run(job):
            if event["event"] in ("epoch", "measure"):
                sys.stdout.write(f"{name}: {event['message']}\n")
                sys.stdout.flush()
    file = args.to / FILE
    file.write_text(json.dumps(gather(args.folder), separators=(",", ":")).replace('},"', '},\n"') + "\n")
    sys.stdout.write(f"{file}\n")
    return 0


def _rounded(value: Any) -> Any:
    return round(value, 5) if isinstance(value, float) else value


if __name__ == "__main__":
    raise SystemExit(main())
