"""Systems of points in the plane: trained before everybody's eyes, kept once trained, read and attacked."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass

import streamlit as st
import torch

from tasklab import data
from tasklab.attacks import PGD, attack
from tasklab.data import ImageSet
from tasklab.evaluation.counts import Outcomes, outcomes
from tasklab.experiments.plane import CrossSection, PlaneTrajectory, Regions, cross_section, plane_trajectory, regions
from tasklab.system import System, new_system
from tasklab.tasks import Task
from tasklab.training import Recipe, TrainingDiverged, TrainingEvent, fit

FRAMES = 24
"""Pictures of a training run, from the first step to the last."""

PATIENCE = 0.2
"""Seconds of training after which a picture is drawn, however slow the machine is."""

KEPT = 48
"""Trained systems kept for everybody."""

AIMS = ("train", "margin")


@dataclass(frozen=True, kw_only=True)
class Plane:
    """Everything that fixes one trained system."""

    data: str
    n: int
    noise: float
    seed: int
    epochs: int
    task: Task

    @property
    def points(self) -> ImageSet:
        """What it is trained on."""
        return self.split("train")

    def split(self, name: str) -> ImageSet:
        """The training points, or as many to test on."""
        return data.load(self.data, name, n=self.n, noise=self.noise, seed=self.seed)

    @property
    def recipe(self) -> Recipe:
        """How it is trained."""
        return Recipe(epochs=self.epochs, batch_size=50, lr=0.02, weight_decay=0.0, seed=self.seed)

    def fresh(self) -> System:
        """The system before training."""
        return new_system(self.task, self.points, arch="mlp", width=32, seed=self.seed)


class PlaneRun:
    """One run that goes on bit by bit, and stops when nobody asks for more.

    Where two runs of the page are at it, one waits for the other.
    """

    def __init__(self, plane: Plane) -> None:
        self.plane, self.system, self.trouble = plane, plane.fresh(), ""
        self._events: Generator[TrainingEvent, None, None] = fit(self.system, plane.points, plane.recipe)
        self.step, self.steps = 0, plane.epochs * (plane.n // plane.recipe.batch_size)
        self.done = False
        self._lock = threading.Lock()

    def advance(self) -> None:
        """Train until the next picture is due; a finished system goes onto the shelf."""
        with self._lock:
            if not self.done:
                self._advance()

    def _advance(self) -> None:
        began, due = time.perf_counter(), self.step + max(1, self.steps // FRAMES)
        try:
            while self.step < due and time.perf_counter() - began < PATIENCE:
                self.step = max(self.step, getattr(next(self._events), "step", 0))
        except StopIteration:
            self.done = True
        except TrainingDiverged:
            self.done, self.trouble = True, "The training ran away: its loss is no longer a number. Try another seed."
        self.system.network.eval()
        if self.done and not self.trouble:
            _shelf().put(self.plane, self.system)

    def stop(self) -> None:
        """Let go of it; what is half trained goes nowhere."""
        with self._lock:
            self._events.close()
            self.done = True


class _Shelf:
    """Trained systems by their settings, the least used one dropped first."""

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
def _shelf() -> _Shelf:
    return _Shelf()


def trained(plane: Plane) -> System | None:
    """The system, if somebody trained it already."""
    return _shelf().get(plane)


def forget(chosen: tuple[Plane, ...]) -> None:
    """Take systems off the shelf, so that they are trained again."""
    for plane in chosen:
        _shelf().drop(plane)


def _system(plane: Plane) -> System:
    """The system; trained now, should it have been dropped meanwhile."""
    run = PlaneRun(plane)
    while (found := trained(plane)) is None and not run.done:
        run.advance()
    assert found is not None
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class PointUnderAttack:
    """One point under attack, aimed at the training loss and at the margin.

    Attributes:
        trajectories: one for each of `AIMS`.
        section: from the point along the way of the attack on the margin, and as far again; None if it did not move.
    """

    trajectories: tuple[PlaneTrajectory, ...]
    section: CrossSection | None


@st.cache_data(max_entries=300, show_spinner=False, hash_funcs={Plane: repr})
def read(plane: Plane, objective: str) -> Regions:
    """The plane as the trained system reads it."""
    return regions(_system(plane), side=180, objective=objective)


@st.cache_data(max_entries=1000, show_spinner=False, hash_funcs={Plane: repr})
def follow(plane: Plane, point: int, eps: float) -> PointUnderAttack:
    """Attack one training point."""
    system, x, label = _system(plane), plane.points.x(point)[0], int(plane.points.labels[point])
    ways = tuple(plane_trajectory(system, x, label, settings(eps, aim)) for aim in AIMS)
    margin = ways[AIMS.index("margin")].points
    away = margin[-1] - margin[0]
    far = margin[0] + away * (1.6 * eps / float(away.abs().max())) if bool(away.any()) else None
    return PointUnderAttack(
        trajectories=ways, section=None if far is None else cross_section(system, margin[0], far.clamp(0, 1), label)
    )


@st.cache_data(max_entries=300, show_spinner=False, hash_funcs={Plane: repr})
def under_attack(plane: Plane, eps: float) -> dict[str, tuple[Outcomes, float]]:
    """All test points: outcomes before an attack ("clean") and after each, with the share that had no gradient."""
    system, test = _system(plane), plane.split("test")
    found = {"clean": (outcomes(system.predict(test.x()), test.labels), 0.0)}
    for aim in AIMS:
        result = attack(system, test.x(), test.labels, settings(eps, aim))
        right = result.clean_decoded == test.labels
        zero = float(result.zero_gradient[right].float().mean()) if bool(right.any()) else 0.0
        found[aim] = outcomes(result.decoded, test.labels), zero
    return found


def settings(eps: float, aim: str) -> PGD:
    """The attack of this page."""
    return PGD(eps=eps, steps=20, step_size=eps / 10, random_start=False, objective=aim)


def nearest(plane: Plane, x: float, y: float) -> int:
    """The training point nearest to a place."""
    return int((plane.points.x() - torch.tensor([x, y])).square().sum(dim=1).argmin())
