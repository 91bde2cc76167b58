"""One attack on many pictures by one system, kept for as long as its settings are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray
from torch import Tensor

from lab_ui.basics.refusal import Refused
from lab_ui.basics.waiting import give_way
from lab_ui.results.picture_attacks import check
from lab_ui.visitor import catalogue
from tasklab.attacks import PGD, AttackStep, Settings, attack
from tasklab.attacks.building import ATTACKS
from tasklab.attacks.objectives import as_objective
from tasklab.data import ImageSet
from tasklab.embedding import read_features, read_outputs
from tasklab.experiments.scenario import Scenario
from tasklab.tasks import Task

HASH: dict[Any, Any] = dict.fromkeys(ATTACKS.values(), repr)

STOPS = 11, 6
"""Of an attack's iterates, so many are kept at most, the first and the last among them: of one picture, of many."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """What an attack did to some pictures.

    Attributes:
        key: tells it from all others.
        task: says what outputs mean.
        rows: the pictures' places in the test set.
        labels: their classes ``(N,)``.
        images: the attacked pictures ``(N, C, H, W)``.
        outputs: ``(N, K)`` before and after.
        decoded: ``(N,)`` before and after.
        zero: share of the correct pictures for which the attack never had a gradient.
        unmoved: share of them that came back bit for bit.
        steps: the iterates kept: 0 is the picture as it is, the last one what the attack hands back.
        features, iterates: ``(T, N, D)`` and ``(T, N, K)``, features and outputs of these; None where not asked for.
    """

    key: str
    task: Task
    rows: tuple[int, ...]
    labels: Tensor
    images: Tensor
    outputs: tuple[Tensor, Tensor]
    decoded: tuple[Tensor, Tensor]
    zero: float
    unmoved: float
    steps: tuple[int, ...] = ()
    features: NDArray[np.float32] | None = None
    iterates: NDArray[np.float32] | None = None

    def decode(self, outputs: NDArray[np.float32]) -> NDArray[np.int64]:
        """What outputs ``(N, K)`` are read as."""
        return np.asarray(self.task.codec.decode(torch.from_numpy(outputs)).numpy(), dtype=np.int64)


def first(scenario: Scenario, name: str) -> tuple[int, ...]:
    """The first n pictures of the test set; with a target, those of other classes.

    Raises:
        Refused: a system that was not trained for such pictures.
    """
    images = pictures(scenario.data, name)
    rows = range(min(scenario.n, len(images)))
    return tuple(i for i in rows if scenario.target is None or int(images.labels[i]) != scenario.target)


def pictures(dataset: str, name: str) -> ImageSet:
    """The test pictures, if the system was trained for such.

    Raises:
        Refused: one sentence, if it was not.
    """
    images, spec = catalogue.test_set(dataset), getattr(catalogue.system(name).network, "spec", None)
    if images is None or spec is None or images.shape != spec.in_shape:
        raise Refused("This system was not trained for pictures of this size.")
    return images


def attacked(scenario: Scenario, name: str, title: str, rows: Sequence[int], *, iterates: bool = False) -> Batch:
    """The attack of a scenario, aimed at its one objective, on some pictures.

    Args:
        scenario: data, attack, objective.
        name, title: of the system.
        rows: places in the test set.
        iterates: whether the way there is wanted too.

    Raises:
        ValueError: one sentence: a combination that means nothing.
    """
    (objective,) = scenario.aims
    check(scenario, objective, catalogue.system(name).task, title)
    if not rows:
        raise Refused("No picture is left to attack: all are of the target class. Choose another target.")
    if scenario.target is not None and any(int(pictures(scenario.data, name).labels[row]) == scenario.target
                                           for row in rows):
        raise Refused("The target is the picture's own class. Choose another target.")
    return _attacked(name, catalogue.stamp(name), scenario.data, _told(rows), scenario.settings(objective),
                     scenario.target, iterates)


@st.cache_data(max_entries=60, show_spinner=False, hash_funcs=HASH)
def _attacked(
    name: str, stamp: str, dataset: str, told: str, settings: Settings, target: int | None, iterates: bool
) -> Batch:
    rows = tuple(int(row) for row in told.split())
    system, images = catalogue.system(name), catalogue.test_set(dataset)
    assert images is not None
    x, y = images.x(list(rows)), images.labels[list(rows)]
    targets = None if target is None else torch.full_like(y, target)
    # One path for each picture: a random start and several rows have no single way that could be drawn.
    single = (isinstance(settings, PGD) and settings.restarts == 1
              and as_objective(settings.objective).parts(system.task) == 1)
    wanted = _wanted(settings.steps, len(rows)) if single and iterates else ()
    now, kept = x.clone(), [x.clone()]

    def record(event: AttackStep) -> None:
        give_way()
        if wanted:
            now[event.example] = event.images
            if event.index in wanted:
                kept.append(now.clone())

    result = attack(system, x, y, settings, targets=targets, indices=torch.tensor(rows), progress=record)
    if iterates:
        missing = len(wanted) + 1 - len(kept)  # an attack that is through early stays where it is
        kept += [now.clone()] * max(0, missing)
        kept.append(result.images)
    stops = torch.cat(kept) if iterates else x[:0]
    shape = (len(kept), len(rows), -1)
    return Batch(
        key=f"{stamp} {dataset} {told} {settings} {target}", task=system.task, rows=rows, labels=y,
        images=result.images,
        outputs=(system.read(x), system.read(result.images)),
        decoded=(result.clean_decoded, result.decoded), zero=result.share(result.zero_gradient),
        unmoved=result.share(result.unmoved), steps=(0, *wanted, settings.steps) if iterates else (),
        features=read_features(system, stops).reshape(shape) if iterates else None,
        iterates=read_outputs(system, stops).reshape(shape) if iterates else None,
    )


def _told(rows: Sequence[int]) -> str:
    """Places as one word: a long tuple takes longer to look up."""
    return " ".join(map(str, rows))


def _wanted(steps: int, pictures: int) -> tuple[int, ...]:
    """The steps between the picture and the end that are kept."""
    places = np.linspace(0, steps, min(steps + 1, STOPS[pictures > 1])).round().astype(int).tolist()
    return tuple(place for place in places if 0 < place < steps)
