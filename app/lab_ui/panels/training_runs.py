"""The training runs that the page “Train” can show: those recorded with shipped systems, and the visitor's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab_ui.panels import training_controls
from lab_ui.visitor import jobs, own_systems
from tasklab.curves import recorded
from tasklab.evaluation.cards import figure
from tasklab.figures.training import ZERO
from tasklab.jobs.training import Training

EPOCH = ("epoch", "epochs", "accuracy")
STEP = ("epoch", "step", "steps", "loss")
"""Fields that an event needs in order to be drawn; all others may be missing or None."""

OBJECTIVES = {"own_loss_accuracy": "train", "robust_accuracy": "margin"}


@dataclass(frozen=True, kw_only=True, eq=False)
class RunView:
    """One training run.

    Attributes:
        key: value of the page's controls: a system's name, or a job's id.
        title: text in the page's controls.
        training: its settings.
        epochs: events of the epochs so far, as dicts.
        steps: events of the steps so far, as dicts.
        state: of the job; "recorded" for a recorded run.
        metrics: rows of the card, once the system has been measured.
        kept: number of the epoch whose weights were kept, once it is known.
    """

    key: str
    title: str
    training: Training
    epochs: tuple[dict[str, Any], ...]
    steps: tuple[dict[str, Any], ...] = ()
    state: str
    metrics: tuple[dict[str, Any], ...] = ()
    kept: int | None = None

    @property
    def total(self) -> int:
        """The number of epochs in all."""
        return self.training.recipe.epochs

    def at(self, eps: float) -> dict[str, float | None] | None:
        """Accuracies on the test set, 0 to 1, without attack and under attack; None where they were not measured.

        Args:
            eps: size of the attacks.
        """
        card = {"metrics": list(self.metrics)}
        clean = figure(card, "clean")
        rows = {field: figure(card, "pgd", objective, eps) for field, objective in OBJECTIVES.items()}
        if clean is None or None in rows.values():
            return None
        values: dict[str, float | None] = {"accuracy": clean["accuracy"]}
        values |= {field: row["accuracy"] for field, row in rows.items() if row is not None}
        return values | {ZERO: rows["own_loss_accuracy"]["zero_gradient"] if rows["own_loss_accuracy"] else None}


def recorded_runs(dataset: str) -> dict[str, RunView]:
    """The recorded runs of a data set, by name."""
    runs = {}
    for name, entry in recorded().items():
        training = Training.from_dict(entry["settings"])
        if training.data != dataset:
            continue
        defence = training.recipe.defence
        runs[name] = RunView(
            key=name, training=training, state="recorded", epochs=tuple(entry["epochs"]),
            title=training_controls.named(training.task)
            + (f", {training_controls.against(defence)}" if defence else ""),
            metrics=tuple(entry["metrics"]), kept=entry["epoch"],
        )
    order = {f"{dataset}-{key}": index for index, key in enumerate(("tra", "deepbe", "deepbe-hinge", "int", "rbc"))}
    return dict(sorted(runs.items(), key=lambda item: (order.get(item[0], len(order)), item[0])))


def own_runs(dataset: str) -> dict[str, RunView]:
    """The present visitor's runs on a data set, by id, the newest first."""
    runs = {}
    for view in jobs.mine("train"):
        if view.settings.get("data") != dataset:
            continue
        try:
            training = Training.from_dict(view.settings)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            continue  # the box of the job says what is wrong with it
        card = own_systems.card_of(view.folder)
        runs[view.id] = RunView(
            key=view.id, title=str(view.settings["name"]).removeprefix(f"{dataset}-"),
            training=training, state=view.state,
            epochs=tuple(event for event in view.events if event["event"] == "epoch" and _is_whole(event, EPOCH)),
            steps=tuple(event for event in view.events if event["event"] == "step" and _is_whole(event, STEP)),
            metrics=tuple(card.get("metrics", ())), kept=card.get("epoch"),
        )
    return runs


def _is_whole(event: Mapping[str, Any], needed: tuple[str, ...]) -> bool:
    """Whether an event from a file has all numbers that are needed, and no others than plausible ones."""
    numbers = {key: value for key, value in event.items() if key not in ("event", "message", "best", "at")}
    real = all(value is None or (isinstance(value, int | float) and abs(value) < 1e9) for value in numbers.values())
    counts = [key for key in needed if key in ("epoch", "epochs", "step", "steps")]
    return real and all(numbers.get(key) is not None for key in needed) and all(numbers[key] >= 1 for key in counts)


def sweeps(runs: Mapping[str, RunView]) -> list[dict[float, RunView]]:
    """Groups of finished runs that differ in S alone, each S to its run; the group with most values of S first."""
    groups: dict[str, dict[float, RunView]] = {}
    for run in runs.values():
        if run.training.task.name != "rbc" or not run.metrics:
            continue
        settings = run.training.to_dict()
        size = settings["task"].pop("S")
        rest = {key: value for key, value in settings.items() if key not in ("name", "attacked", "eps", "watch")}
        groups.setdefault(json.dumps(rest, sort_keys=True), {}).setdefault(size, run)
    return sorted((group for group in groups.values() if len(group) > 1), key=len, reverse=True)

