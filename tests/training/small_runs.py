"""Small sets of digits, small networks, and whole runs gathered up."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tasklab.data import ImageSet, load
from tasklab.models import NetworkSpec, build_network
from tasklab.system import System
from tasklab.tasks import INT, RBC, TRA, DeepBE, Task
from tasklab.training import EpochEvent, Recipe, TrainingEvent, fit

TASKS: dict[str, Task] = {"tra": TRA(), "rbc": RBC(), "deepbe": DeepBE(), "int": INT()}


def digits(n: int = 300, split: str = "train") -> ImageSet:
    return load("digits", split).subset(n)


def system_of(task: Task, *, width: int = 8, seed: int = 0) -> System:
    data = load("digits")
    spec = NetworkSpec(arch="small_cnn", in_shape=data.shape, outputs=task.width, mean=data.mean, std=data.std,
                       scale=task.unit, centre=task.centre, width=width)
    return System(build_network(spec, seed=seed), task)


def trained(
    task: Task, recipe: Recipe, *, train: ImageSet | None = None, validation: ImageSet | None = None,
    run: Path | None = None, width: int = 8, stop: int | None = None,
) -> tuple[System, list[TrainingEvent]]:
    """A fresh system through a run; with ``stop``, its consumer leaves after so many events."""
    system = system_of(task, width=width)
    events = fit(system, train or digits(), recipe, validation=validation, run=run)
    if stop is None:
        return system, list(events)
    seen = [next(events) for _ in range(stop)]
    events.close()
    return system, seen


def weights(system: System) -> dict[str, Tensor]:
    return system.network.state_dict()


def equal_weights(a: System, b: System) -> bool:
    first, second = weights(a), weights(b)
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def without_seconds(events: Iterable[TrainingEvent]) -> list[str]:
    """Events as text (where nan equals nan) less the time they took."""
    return [repr(dataclasses.replace(event, seconds=0.0)) for event in events]


def epochs(events: Iterable[TrainingEvent]) -> list[EpochEvent]:
    return [event for event in events if isinstance(event, EpochEvent)]


def logged(rows: list[dict[str, Any]]) -> list[str]:
    return [repr(EpochEvent(**row | {"seconds": 0.0})) for row in rows]
