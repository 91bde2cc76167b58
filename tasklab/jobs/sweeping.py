"""A sweep: a training run for every combination of some settings and every seed, each a job in a folder of its own."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasklab.checkpoint import read_card
from tasklab.evaluation.statistics import Mean, Share
from tasklab.jobs.executing import Assignment, job_in
from tasklab.jobs.folder import Job
from tasklab.jobs.training import RESULT
from tasklab.jobs.training_settings import Training

FIXED = ("seed", "defence")
"""Settings of a recipe that a sweep does not vary: the seed has its own option, and a defence has several parts."""


@dataclass(frozen=True)
class Quantity:
    """A quantity that is measured for each system.

    Args:
        attack, objective: the names in a row of a card; the objective is None on clean images.
        eps: in pixel units; 0 on clean images.
    """

    attack: str
    objective: str | None
    eps: float

    def __str__(self) -> str:
        """
        >>> str(Quantity("pgd", "margin", 0.1)), str(Quantity("clean", None, 0.0))
        ('pgd on margin, ε = 0.1', 'clean')
        """
        return self.attack if self.objective is None else f"{self.attack} on {self.objective}, ε = {self.eps:g}"


@dataclass(frozen=True, kw_only=True)
class Point:
    """One combination of settings, and what was measured there.

    Attributes:
        settings: each varied setting with its value.
        seeds: of the training runs that are done.
        measured: each quantity over these seeds: a share of the test images with its Wilson interval for one seed, the
            mean with its interval by Student's t for several.
    """

    settings: Mapping[str, Any]
    seeds: tuple[int, ...]
    measured: Mapping[Quantity, Share | Mean]


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """The training runs of a sweep, in order, in a folder.

    Args:
        folder: of the jobs.
        varied: name of a setting of the task or of the recipe, to its values.
        base: everything else; its recipe has the first seed.
        seeds: how many training runs there are of each combination.

    Raises:
        ValueError: a setting that neither the task nor the recipe has, no values, or a value that is refused.
    """

    folder: Path
    varied: Mapping[str, Sequence[Any]]
    base: Training
    seeds: int = 1

    def __post_init__(self) -> None:
        if not self.varied or not all(self.varied.values()):
            raise ValueError("expected at least one setting to vary, with its values, got none; try S=1,10,100")
        _ = self.trainings

    @property
    def combinations(self) -> list[dict[str, Any]]:
        """The varied settings of each point, the last one varying fastest."""
        every = {name: list(dict.fromkeys(values)) for name, values in self.varied.items()}
        return [dict(zip(every, values, strict=True)) for values in itertools.product(*every.values())]

    @property
    def trainings(self) -> list[Training]:
        """All training runs, point by point."""
        return [self._training(settings, seed) for settings in self.combinations for seed in self._seeds]

    @property
    def missing(self) -> dict[str, str]:
        """The training runs that are not done, by name, each with the reason."""
        reasons = {}
        for training in self.trainings:
            path = self.folder / training.name
            state = Job(path).state if (path / "job.json").is_file() else "not begun"
            if state != "done":
                outcome = Job(path).outcome if state == "failed" else None
                reasons[training.name] = outcome.message if outcome else state
        return reasons

    def assignments(self) -> list[Assignment]:
        """A job for each training run, made where there is none, for an `Executor` to carry out.

        Raises:
            ValueError: the folder holds other jobs under the same names.
        """
        return [Assignment(job=job_in(self.folder / training.name, "train", training.to_dict()))
                for training in self.trainings]

    def points(self) -> list[Point]:
        """Every combination with the measurements so far."""
        return [self._point(settings) for settings in self.combinations]

    @property
    def _seeds(self) -> range:
        return range(self.base.recipe.seed, self.base.recipe.seed + self.seeds)

    def _training(self, settings: Mapping[str, Any], seed: int) -> Training:
        task, recipe = self.base.task, self.base.recipe
        of_task = {each.name for each in dataclasses.fields(task) if each.init} - {"num_classes"}
        of_recipe = {each.name for each in dataclasses.fields(recipe) if each.init} - set(FIXED)
        for name in settings:
            if name not in of_task | of_recipe:
                raise ValueError(f"expected a setting of the task or the recipe, got {name!r}; try one of "
                                 f"{', '.join(sorted(of_task | of_recipe))}")
        words = [f"{name}{_word(value)}" for name, value in settings.items()] + [f"seed{seed}"]
        return dataclasses.replace(
            self.base, name="-".join([self.base.name, *words]), seeds=1,
            task=dataclasses.replace(task, **{name: each for name, each in settings.items() if name in of_task}),
            recipe=dataclasses.replace(
                recipe, seed=seed, **{name: each for name, each in settings.items() if name in of_recipe}),
        )

    def _point(self, settings: Mapping[str, Any]) -> Point:
        rows: dict[Quantity, list[dict[str, Any]]] = {}
        seeds = []
        for seed in self._seeds:
            path = self.folder / self._training(settings, seed).name
            if not (path / "job.json").is_file() or Job(path).state != "done":
                continue
            seeds.append(seed)
            for row in read_card(path / RESULT).get("metrics", []):
                rows.setdefault(Quantity(row["attack"], row["objective"], row["eps"]), []).append(row)
        return Point(settings=settings, seeds=tuple(seeds), measured={
            quantity: Share(each[0]["correct"], each[0]["n"]) if len(each) == 1
            else Mean(tuple(row["accuracy"] for row in each), within=(0, 1))
            for quantity, each in rows.items()
        })


def _word(value: Any) -> str:
    """A value as part of a file's name.

    >>> _word(0.001), _word("bce"), _word(350.0)
    ('0.001', 'bce', '350')
    """
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return re.sub(r"[^\w.+-]", "_", text)
