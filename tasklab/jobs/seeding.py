"""Jobs of the kind "seed": train a system with one of several seeds, in ``folder/run``; a job "train" measures it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from tasklab.jobs.executing import Assignment, Event, Executor, job_in
from tasklab.jobs.training import seed_folder, train_seed
from tasklab.jobs.training_settings import Training

RUN = "run"
"""Name of the run folder inside a job's folder."""

EVENTS = 50
"""Approximate number of training steps that a job logs."""


def check(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a `Training` with a single seed, with every default filled in.

    Raises:
        ValueError: a value that is refused, or several seeds.
    """
    training = Training.from_dict(settings)
    if training.seeds != 1:
        raise ValueError(f"expected a training run with a single seed, got seeds={training.seeds}")
    return training.to_dict()


def run(settings: dict[str, Any], folder: Path) -> Iterator[Event]:
    """Train in ``folder/run``; the events are those of `tasklab.jobs.training.train` until the end of the training."""
    training = Training.from_dict(settings)
    with contextlib.closing(train_seed(training, training.recipe.seed, folder / RUN)) as events:
        for event in events:
            if event["event"] == "epoch":
                yield event | {"progress": round(event["epoch"] / event["epochs"], 4)}
            elif event["step"] % max(1, event["steps"] // EVENTS) == 0:
                yield event | {"progress": round(event["step"] / event["steps"], 4)}


def train_seeds(training: Training, folder: Path, executor: Executor) -> Generator[Event, None, None]:
    """Train several seeds as jobs of their own, then measure the first one's system, as `train` does with a single job.

    Args:
        training: the training run.
        folder: of the jobs; the folder of the last one, which measures, has the name of the system.
        executor: carries out the jobs.

    Yields:
        The events of the executor; places are counted as in `names_of`.
    """
    whole = job_in(folder / training.name, "train", training.to_dict())
    if whole.state != "done":
        seeds = {seed: _seed_job(training, seed, folder) for seed in training.all_seeds if training.seeds > 1}
        yield from executor.carry_out(list(seeds.values()))
        for seed, each in seeds.items():
            if each.job.state != "done":
                return
            made, wanted = each.job.folder / RUN, seed_folder(whole.folder / RUN, seed, training)
            if made.exists():
                os.replace(made, wanted)
    for event in executor.carry_out([Assignment(job=whole)]):
        yield event | {"place": len(names_of(training)) - 1}


def names_of(training: Training) -> list[str]:
    """The names of the jobs of `train_seeds`; the last one has the name of the system."""
    return [f"{training.name}-seed{seed}" for seed in training.all_seeds if training.seeds > 1] + [training.name]


def _seed_job(training: Training, seed: int, folder: Path) -> Assignment:
    alone = dataclasses.replace(training, seeds=1, recipe=dataclasses.replace(training.recipe, seed=seed))
    return Assignment(job=job_in(folder / f"{training.name}-seed{seed}", "seed", alone.to_dict()))
