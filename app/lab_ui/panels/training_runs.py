"""Trainings to look at: those recorded with the shipped systems, and the visitor's own, live or done."""

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
"""What an event must tell to be drawn; other numbers may be missing or None."""

OBJECTIVES = {"own_loss_accuracy": "train", "robust_accuracy": "margin"}


@dataclass(frozen=True, kw_only=True, eq=False)
class RunView:
    """One training.

    Attributes:
        key: what it goes by in the page's controls: a system's name, or a job's id.
        title: what it is called there.
        training: its settings.
        epochs, steps: what is known so far, as dicts.
        state: of a job; "recorded" for a recorded one.
        metrics: rows of the card, once it is measured.
        kept: the epoch whose weights were kept, once that is known.
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
        """How many epochs there will be."""
        return self.training.recipe.epochs

    def at(self, eps: float) -> dict[str, float | None] | None:
        """Accuracies of the test set, clean and under attack with a radius, or None where they were not measured."""
        card = {"metrics": list(self.metrics)}
        clean = figure(card, "clean")
        rows = {field: figure(card, "pgd", objective, eps) for field, objective in OBJECTIVES.items()}
        if clean is None or None in rows.values():
            return None
        found: dict[str, float | None] = {"accuracy": clean["accuracy"]}
        found |= {field: row["accuracy"] for field, row in rows.items() if row is not None}
        return found | {ZERO: rows["own_loss_accuracy"]["zero_gradient"] if rows["own_loss_accuracy"] else None}


def recorded_runs(dataset: str) -> dict[str, RunView]:
    """The recorded trainings of a data set."""
    found = {}
    for name, entry in recorded().items():
        training = Training.from_dict(entry["settings"])
        if training.data != dataset:
            continue
        defence = training.recipe.defence
        found[name] = RunView(
            key=name, training=training, state="recorded", epochs=tuple(entry["epochs"]),
            title=training_controls.named(training.task)
            + (f", {training_controls.against(defence)}" if defence else ""),
            metrics=tuple(entry["metrics"]), kept=entry["epoch"],
        )
    order = {f"{dataset}-{key}": place for place, key in enumerate(("tra", "deepbe", "deepbe-hinge", "int", "rbc"))}
    return dict(sorted(found.items(), key=lambda item: (order.get(item[0], len(order)), item[0])))


def own_runs(dataset: str) -> dict[str, RunView]:
    """The present visitor's trainings on a data set, the newest first."""
    found = {}
    for view in jobs.mine("train"):
        if view.settings.get("data") != dataset:
            continue
        try:
            training = Training.from_dict(view.settings)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            continue  # its box says what becomes of it
        card = own_systems.card_of(view.folder)
        found[view.id] = RunView(
            key=view.id, title=str(view.settings["name"]).removeprefix(f"{dataset}-"),
            training=training, state=view.state,
            epochs=tuple(event for event in view.events if event["event"] == "epoch" and _is_whole(event, EPOCH)),
            steps=tuple(event for event in view.events if event["event"] == "step" and _is_whole(event, STEP)),
            metrics=tuple(card.get("metrics", ())), kept=card.get("epoch"),
        )
    return found


def _is_whole(event: Mapping[str, Any], needed: tuple[str, ...]) -> bool:
    """Whether what a file says of an epoch or a step can be drawn."""
    numbers = {key: value for key, value in event.items() if key not in ("event", "message", "best", "at")}
    real = all(value is None or (isinstance(value, int | float) and abs(value) < 1e9) for value in numbers.values())
    counts = [key for key in needed if key in ("epoch", "epochs", "step", "steps")]
    return real and all(numbers.get(key) is not None for key in needed) and all(numbers[key] >= 1 for key in counts)


def sweeps(runs: Mapping[str, RunView]) -> list[dict[float, RunView]]:
    """Groups of finished trainings that differ in S alone, by S; those with most values of S first."""
    groups: dict[str, dict[float, RunView]] = {}
    for run in runs.values():
        if run.training.task.name != "rbc" or not run.metrics:
            continue
        told = run.training.to_dict()
        size = told["task"].pop("S")
        rest = {key: value for key, value in told.items() if key not in ("name", "attacked", "eps", "watch")}
        groups.setdefault(json.dumps(rest, sort_keys=True), {}).setdefault(size, run)
    return sorted((group for group in groups.values() if len(group) > 1), key=len, reverse=True)

