"""One attack on many images against one system, computed once and cached."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray
from torch import Tensor

from lab_ui.basics.refusal import Refused
from lab_ui.basics.waiting import give_way
from lab_ui.results.growing import Part, Progress, Seen, Stage, begin, pending, stages, steps_of
from lab_ui.results.picture_attacks import HASH, at_stage, check, is_slow
from lab_ui.visitor import catalogue
from tasklab.attacks import PGD, AttackStep, Settings, attack
from tasklab.attacks.objectives import as_objective
from tasklab.data import DATASETS, ImageSet
from tasklab.embedding import read_features, read_outputs
from tasklab.experiments.scenario import Scenario
from tasklab.system import System
from tasklab.tasks import Task

STOPS = 11, 6
"""How many iterates of an attack are kept at most, the first and the last included: for one image, for many."""

QUICK_PIXELS = 150_000
"""Number of pixels × images × steps that small networks get through in a moment."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """What an attack did to some images.

    Attributes:
        key: identifies the batch.
        task: decodes the outputs.
        rows: indices of the images in the test set.
        labels: their classes ``(N,)``.
        images: the attacked images ``(N, C, H, W)``.
        outputs: ``(N, K)`` before and after the attack.
        decoded: labels ``(N,)`` before and after; -1 is None.
        zero: share, 0 to 1, of the correctly classified images whose gradient was exactly 0 at every step.
        unmoved: share of them that the attack returned without any change.
        steps: numbers ``(T,)`` of the iterates that are kept: first 0, the clean image; last the attack's result.
        features: of these iterates ``(T, N, D)``; None where they were not requested.
        iterates: outputs of these iterates ``(T, N, K)``; None where they were not requested.
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
        """The labels ``(N,)`` of outputs ``(N, K)``; -1 is None."""
        return np.asarray(self.task.codec.decode(torch.from_numpy(outputs)).numpy(), dtype=np.int64)


def first(scenario: Scenario, name: str) -> tuple[int, ...]:
    """Indices of the first n images of the test set; with a target, of those of other classes.

    Raises:
        Refused: the system was not trained for such images.
    """
    images = pictures(scenario.data, name)
    rows = range(min(scenario.n, len(images)))
    return tuple(i for i in rows if scenario.target is None or int(images.labels[i]) != scenario.target)


def pictures(dataset: str, name: str) -> ImageSet:
    """The test set, for a system that was trained for such images.

    Raises:
        Refused: the system was not trained for them.
    """
    images, spec = catalogue.test_set(dataset), getattr(catalogue.system(name).network, "spec", None)
    if images is None or spec is None or images.shape != spec.in_shape:
        raise Refused("This system was not trained for images of this size.")
    return images


def attacked(scenario: Scenario, name: str, title: str, rows: Sequence[int], *, iterates: bool = False) -> Batch:
    """Attack some images with a scenario's attack and its one objective.

    Args:
        scenario: data set, attack and objective.
        name: of the system.
        title: its heading, for sentences.
        rows: indices of the images in the test set.
        iterates: whether to keep iterates of the attack, too.

    Raises:
        ValueError: one sentence: the combination has no meaning.
    """
    settings = _checked(scenario, name, title, rows)
    return _attacked(name, catalogue.stamp(name), scenario.data, _joined(rows), settings, scenario.target, iterates,
                     catalogue.system(name), pictures(scenario.data, name), lambda step: give_way())


def start(slug: str, wanted: Mapping[Hashable, tuple[Scenario, str, str]]) -> tuple[Seen, dict[Any, Batch | str]]:
    """Attack the first images of the test set in the background, once for each key.

    Args:
        slug: of the page, or of a section of it.
        wanted: key to a scenario with one objective, the name of a system, and its heading for sentences. The
            scenarios differ in nothing but their objectives.

    Returns:
        How far the work is, and for each key what has been found so far, the sentence that says why there is nothing,
        or `growing.PENDING`.
    """
    refused: dict[Any, Batch | str] = {}
    parts, identity, scenario = [], [], None
    for key, (scenario, name, title) in wanted.items():
        try:
            rows = first(scenario, name)
            settings = _checked(scenario, name, title, rows)
        except ValueError as error:
            refused[key] = str(error)
            continue
        arguments = (name, catalogue.stamp(name), scenario.data, _joined(rows))
        identity.append((*arguments, repr(settings), scenario.target))
        parts.append(Part(keys=(key,), make=_making(arguments, settings, scenario.target, catalogue.system(name),
                                                    pictures(scenario.data, name))))
    assert scenario is not None
    plan = stages(scenario, slow=is_slow_on_many(scenario))
    seen = begin(slug, repr(identity), scenario.attack, parts, plan)
    return seen, {key: refused.get(key, result) for key, result in pending(list(wanted), seen.results).items()}


def is_slow_on_many(scenario: Scenario) -> bool:
    """Whether the attack on many images takes longer than a moment; then it begins with few steps."""
    pixels = scenario.n * steps_of(scenario) * math.prod(DATASETS[scenario.data].shape)
    return is_slow(scenario) or pixels > QUICK_PIXELS


def _making(
    arguments: tuple[str, str, str, str], settings: Settings, target: int | None, system: System, images: ImageSet
) -> Callable[[Stage, Progress], list[Batch]]:
    """A function that makes the batch of one system at a stage."""
    return lambda stage, progress: [
        _attacked(*arguments, at_stage(settings, stage, settings.eps), target, False, system, images, progress)]


def _checked(scenario: Scenario, name: str, title: str, rows: Sequence[int]) -> Settings:
    """The settings of a scenario's attack on images that it can be made on.

    Raises:
        Refused: it cannot; the sentence says what to try instead.
    """
    (objective,) = scenario.aims
    check(scenario, objective, catalogue.system(name).task, title)
    if not rows:
        raise Refused("No image is left to attack: all are of the target class. Choose another target.")
    if scenario.target is not None and any(int(pictures(scenario.data, name).labels[row]) == scenario.target
                                           for row in rows):
        raise Refused("The target is the image's own class. Choose another target.")
    return scenario.settings(objective)


@st.cache_data(max_entries=60, show_spinner=False, hash_funcs=HASH)
def _attacked(
    name: str, stamp: str, dataset: str, indices: str, settings: Settings, target: int | None, iterates: bool,
    _system: System, _images: ImageSet, _progress: Progress,
) -> Batch:
    rows = tuple(int(row) for row in indices.split())
    system, images = _system, _images
    x, y = images.x(list(rows)), images.labels[list(rows)]
    targets = None if target is None else torch.full_like(y, target)
    # Only an attack with one trajectory for each image can be drawn; restarts and several parts have more than one.
    single = (isinstance(settings, PGD) and settings.restarts == 1
              and as_objective(settings.objective).parts(system.task) == 1)
    kept_steps = _kept_steps(settings.steps, len(rows)) if single and iterates else ()
    now, kept = x.clone(), [x.clone()]

    def record(event: AttackStep) -> None:
        _progress(event)
        if kept_steps:
            now[event.example] = event.images
            if event.index in kept_steps:
                kept.append(now.clone())

    result = attack(system, x, y, settings, targets=targets, indices=torch.tensor(rows), progress=record)
    if iterates:
        missing = len(kept_steps) + 1 - len(kept)  # an attack that ended early keeps its last iterate
        kept += [now.clone()] * max(0, missing)
        kept.append(result.images)
    stacked = torch.cat(kept) if iterates else x[:0]
    shape = (len(kept), len(rows), -1)
    return Batch(
        key=f"{stamp} {dataset} {indices} {settings} {target}", task=system.task, rows=rows, labels=y,
        images=result.images,
        outputs=(system.read(x), system.read(result.images)),
        decoded=(result.clean_decoded, result.decoded), zero=result.share(result.zero_gradient),
        unmoved=result.share(result.unmoved), steps=(0, *kept_steps, settings.steps) if iterates else (),
        features=read_features(system, stacked).reshape(shape) if iterates else None,
        iterates=read_outputs(system, stacked).reshape(shape) if iterates else None,
    )


def _joined(rows: Sequence[int]) -> str:
    """Indices as one string, which a cache hashes faster than a long tuple."""
    return " ".join(map(str, rows))


def _kept_steps(steps: int, pictures: int) -> tuple[int, ...]:
    """Numbers of the steps to keep, evenly spaced, without the first and the last iterate."""
    spaced = np.linspace(0, steps, min(steps + 1, STOPS[pictures > 1])).round().astype(int).tolist()
    return tuple(step for step in spaced if 0 < step < steps)
