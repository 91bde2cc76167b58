"""Record the curves of the shipped systems' training runs, which `tasklab.curves` reads.

``python -m tasklab.jobs.recording FOLDER`` repeats the training runs as jobs in a folder, attacking after each epoch,
and writes ``curves.json``. It can be stopped and resumed; jobs that are finished are not repeated.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasklab import files, strict_json, zoo
from tasklab.console import prepare_streams, say
from tasklab.curves import FILE, KEPT
from tasklab.data import DATASETS

WATCH = {"steps": 20, "images": 200}
STEPS: dict[str, Any] = {"batch_size": 64, "average": 0.99, "precision": "float32"}
SHORT: dict[str, Any] = {"n": 4000, "attacked": 200, "recipe": STEPS | {"epochs": 10}}
PHOTOGRAPHS = {"data": "cifar10", "arch": "small_cnn", "width": 32, "n": 5000, "attacked": 200,
               "recipe": STEPS | {"epochs": 15, "flip": True, "crop": 4}}
HUNDRED = PHOTOGRAPHS | {"data": "cifar100", "n": 20_000}
EXTRA: dict[str, tuple[str | None, dict[str, Any], dict[str, Any]]] = {
    "digits-rbc-s1": ("digits-rbc", {"S": 1.0}, {}),
    **{f"digits-rbc-unscaled-s{S:g}": ("digits-rbc", {"S": S, "parametrisation": "paper"}, {})
       for S in (1.0, 10.0, 100.0, 350.0)},
    "mnist-tra-short": ("mnist-tra", {}, SHORT),
    "mnist-rbc-short": ("mnist-rbc", {}, SHORT),
    "cifar10-tra-short": (None, {"task": "tra", "num_classes": 10}, PHOTOGRAPHS),
    "cifar10-rbc-short": (None, {"task": "rbc", "num_classes": 10}, PHOTOGRAPHS),
    "cifar100-tra-short": (None, {"task": "tra", "num_classes": 100}, HUNDRED),
    "cifar100-rbc-short": (None, {"task": "rbc", "num_classes": 100}, HUNDRED),
}
"""Recorded training runs of systems that are not shipped: the shipped system whose settings they begin with, or None;
changed settings of the task; and other changed settings."""


def settings_of(name: str) -> dict[str, Any]:
    """The settings of a job that repeats the training of a shipped system or makes one of `EXTRA`, with attacks."""
    original, task, others = EXTRA.get(name, (name, {}, {}))
    settings = ({"task": task} if original is None else _of_card(zoo.card(original), task)) | others
    radii = DATASETS[settings["data"]].radii
    watched = {"watch": WATCH | {"eps": radii.usual}, "attacked": 400, "eps": list(radii.measured)}
    return watched | settings | {"name": name}


def _of_card(card: dict[str, Any], task: dict[str, Any]) -> dict[str, Any]:
    """How a shipped system was trained, with other settings of its task."""
    if "recipe" not in card or "name" not in card.get("data", {}):
        raise ValueError("expected a card with a recipe and a data set, got one without; try a shipped system")
    network = card["network"]
    return {
        "data": card["data"]["name"], "task": card["task"] | task, "recipe": card["recipe"], "arch": network["arch"],
        "width": network["width"], "contrast": network.get("contrast"),
        "start": card.get("start", {}).get("name"),
    }


def gather(folder: Path) -> dict[str, dict[str, Any]]:
    """The curves of all finished jobs in a folder, by name, as columns of rounded numbers."""
    from tasklab.jobs.folder import Job
    from tasklab.jobs.training import RESULT

    curves = {}
    for path in sorted(folder.iterdir()):
        if not (path / RESULT).is_file():
            continue
        job = Job(path)
        epochs = [event for event in job.events() if event["event"] == "epoch"]
        card = zoo.card(Path(RESULT).stem, where=path)
        curves[path.name] = {
            "settings": job.settings,
            "epochs": {key: [_rounded(event[key]) for event in epochs] for key in KEPT},
            "metrics": card.get("metrics", []), "epoch": card.get("epoch"), "versions": card.get("versions", {}),
        }
    return curves


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the jobs that are not finished, then write the file."""
    parser = argparse.ArgumentParser(prog="python -m tasklab.jobs.recording", description="Record training curves.")
    parser.add_argument("folder", type=Path, help="of the jobs")
    parser.add_argument("names", nargs="*", help="systems (default: digits, and extra ones)")
    parser.add_argument("--to", type=Path, default=zoo.folder(), help=f"folder of {FILE} (default: the shipped one)")
    args = parser.parse_args(arguments)
    prepare_streams()
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported, as the shipped systems were made
    from tasklab.jobs.folder import Job, JobError
    from tasklab.jobs.running import run

    for name in args.names or [*zoo.names("digits"), *EXTRA]:
        path = args.folder / name
        try:
            job = Job(path)
            job.resume()
        except JobError:
            job = Job.create(path, "train", settings_of(name))
        for event in run(job):
            if event["event"] in ("epoch", "measure"):
                say(f"{name}: {event['message']}")
    file = args.to / FILE
    kept = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    curves = dict(sorted((kept | gather(args.folder)).items()))
    files.write_text(file, strict_json.dumps(curves, separators=(",", ":")).replace('},"', '},\n"') + "\n")
    say(str(file))
    return 0


def _rounded(value: Any) -> Any:
    return round(value, 5) if isinstance(value, float) else value


if __name__ == "__main__":
    raise SystemExit(main())
