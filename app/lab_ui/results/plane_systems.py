"""Systems for points in the plane: trained while the page shows it, cached when trained, then read and attacked."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass

import streamlit as st
import torch

from tasklab import data
from tasklab.attacks import attack
from tasklab.attacks.presets import plane_attack
from tasklab.data import ImageSet
from tasklab.evaluation.counts import Outcomes, outcomes
from tasklab.experiments.plane import CrossSection, PlaneTrajectory, Regions, cross_section, plane_trajectory, regions
from tasklab.system import System, new_system
from tasklab.tasks import Task
from tasklab.training import Recipe, TrainingDiverged, TrainingEvent, fit

FRAMES = 24
"""How often a training run is drawn, from the first step to the last."""

PATIENCE = 0.1
"""Seconds of training after which the run is drawn, even on a slow machine."""

LIVE = 60
"""Cells along each side of the plane while a system is in training."""

KEPT = 48
"""Number of trained systems that are kept, shared by all visitors."""

AIMS = ("train", "margin")
"""The two objectives of the attacks on this page."""


@dataclass(frozen=True, kw_only=True)
class Plane:
    """All settings of one trained system.

    Attributes:
        data: name of the set of points.
        n: number of training points, and of test points.
        noise: standard deviation of the points.
        seed: of points, weights and training.
        epochs: passes over the training points.
        task: codec and loss.
    """

    data: str
    n: int
    noise: float
    seed: int
    epochs: int
    task: Task

    @property
    def points(self) -> ImageSet:
        """The training points."""
        return self.split("train")

    def split(self, name: str) -> ImageSet:
        """The training points ("train"), or as many test points ("test")."""
        return data.load(self.data, name, n=self.n, noise=self.noise, seed=self.seed)

    @property
    def recipe(self) -> Recipe:
        """The recipe of the training."""
        return Recipe(epochs=self.epochs, batch_size=50, lr=0.02, weight_decay=0.0, seed=self.seed)

    def fresh(self) -> System:
        """The system before training."""
        return new_system(self.task, self.points, arch="mlp", width=32, seed=self.seed)


class PlaneRun:
    """One training run that advances only when it is asked to. A lock lets one run of the page use it at a time.

    Attributes:
        plane: its settings.
        system: the system in training.
        trouble: one sentence, where the training has failed.
        step: number of steps done.
        steps: number of steps in all.
        done: whether it has ended.
    """

    def __init__(self, plane: Plane) -> None:
        self.plane, self.system, self.trouble = plane, plane.fresh(), ""
        self._events: Generator[TrainingEvent, None, None] = fit(self.system, plane.points, plane.recipe)
        self.step, self.steps = 0, plane.epochs * (plane.n // plane.recipe.batch_size)
        self.done = False
        self._lock = threading.Lock()

    def advance(self, least: float = 0.0) -> None:
        """Train until it is time to draw again; a finished system is added to the cache.

        Args:
            least: seconds to train at least: where drawing takes long, there are fewer images.
        """
        with self._lock:
            if not self.done:
                self._advance(least)

    def _advance(self, least: float) -> None:
        most = max(1, self.steps // FRAMES)
        began, target = time.perf_counter(), self.step + min(most, max(1, self.step))  # the first images come fast
        try:
            while (seconds := time.perf_counter() - began) < least or (self.step < target and seconds < PATIENCE):
                self.step = max(self.step, getattr(next(self._events), "step", 0))
        except StopIteration:
            self.done = True
        except TrainingDiverged:
            self.done = True
            self.trouble = "The training failed: the loss is no longer a finite number. Try another seed."
        self.system.network.eval()
        if self.done and not self.trouble:
            _cache().put(self.plane, self.system)

    def read(self, objective: str) -> Regions:
        """The label and the gradient of an objective at positions of the plane, for the system as it is now."""
        with self._lock:
            return regions(self.system, side=LIVE, objective=objective)

    def stop(self) -> None:
        """End the run; a system that is not fully trained is not kept."""
        with self._lock:
            self._events.close()
            self.done = True


class _Cache:
    """Trained systems by their settings; the least recently used one is dropped first."""

    def __init__(self) -> None:
        self._systems: OrderedDict[Plane, System] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, plane: Plane) -> System | None:
        with self._lock:
            if plane in self._systems:
                self._systems.move_to_end(plane)
            return self._systems.get(plane)

    def drop(self, plane: Plane) -> None:
        with self._lock:
            self._systems.pop(plane, None)

    def put(self, plane: Plane, system: System) -> None:
        system.network.requires_grad_(False)
        with self._lock:
            self._systems[plane] = system
            while len(self._systems) > KEPT:
                self._systems.popitem(last=False)


@st.cache_resource(show_spinner=False)
def _cache() -> _Cache:
    return _Cache()


def trained(plane: Plane) -> System | None:
    """The system, if it has been trained already; else None."""
    return _cache().get(plane)


def forget(chosen: tuple[Plane, ...]) -> None:
    """Drop systems from the cache, so that they are trained again."""
    for plane in chosen:
        _cache().drop(plane)


def _system(plane: Plane) -> System:
    """The trained system; trained again where it has been dropped from the cache in the meantime."""
    run = PlaneRun(plane)
    while (system := trained(plane)) is None and not run.done:
        run.advance()
    assert system is not None
    return system


@dataclass(frozen=True, kw_only=True, eq=False)
class PointUnderAttack:
    """One point under attack, aimed at the training loss and at the margin.

    Attributes:
        trajectories: one for each of `AIMS`.
        section: from the point in the direction in which the attack on the margin moved it, 1.6 times ε far; None where
            it was not moved.
    """

    trajectories: tuple[PlaneTrajectory, ...]
    section: CrossSection | None


@st.cache_data(max_entries=300, show_spinner=False, hash_funcs={Plane: repr})
def read(plane: Plane, objective: str) -> Regions:
    """The label and the gradient of an objective at each position of the plane, for the trained system."""
    return regions(_system(plane), side=180, objective=objective)


@st.cache_data(max_entries=1000, show_spinner=False, hash_funcs={Plane: repr})
def follow(plane: Plane, point: int, eps: float) -> PointUnderAttack:
    """Attack one training point."""
    system, x, label = _system(plane), plane.points.x(point)[0], int(plane.points.labels[point])
    trajectories = tuple(plane_trajectory(system, x, label, plane_attack(eps, aim)) for aim in AIMS)
    margin = trajectories[AIMS.index("margin")].points
    shift = margin[-1] - margin[0]
    end = margin[0] + shift * (1.6 * eps / float(shift.abs().max())) if bool(shift.any()) else None
    section = None if end is None else cross_section(system, margin[0], end.clamp(0, 1), label)
    return PointUnderAttack(trajectories=trajectories, section=section)


@st.cache_data(max_entries=300, show_spinner=False, hash_funcs={Plane: repr})
def under_attack(plane: Plane, eps: float) -> dict[str, tuple[Outcomes, float]]:
    """Outcomes of all test points: without an attack ("clean") and after the attack on each of `AIMS`.

    Returns:
        For each, the outcomes and the share, 0 to 1, of correctly classified points whose gradient was exactly 0.
    """
    system, test = _system(plane), plane.split("test")
    by_aim = {"clean": (outcomes(system.predict(test.x()), test.labels), 0.0)}
    for aim in AIMS:
        result = attack(system, test.x(), test.labels, plane_attack(eps, aim))
        right = result.clean_decoded == test.labels
        zero = float(result.zero_gradient[right].float().mean()) if bool(right.any()) else 0.0
        by_aim[aim] = outcomes(result.decoded, test.labels), zero
    return by_aim


def nearest(plane: Plane, x: float, y: float) -> int:
    """Index of the training point nearest to a position in the plane."""
    return int((plane.points.x() - torch.tensor([x, y])).square().sum(dim=1).argmin())
