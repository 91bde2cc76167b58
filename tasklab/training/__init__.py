"""Training as a stream of events: recipes, defences, and runs that can be stopped and resumed."""

from __future__ import annotations

from tasklab.training.defences import Adversarial, Defence, GaussianNoise, UniformNoise
from tasklab.training.events import EpochEvent, StepEvent, TrainingDiverged, TrainingEvent, Watch
from tasklab.training.loop import fit
from tasklab.training.recipe import Recipe
from tasklab.training.run import Run, RunError
from tasklab.training.starting import start_from

__all__ = [
    "Adversarial",
    "Defence",
    "EpochEvent",
    "GaussianNoise",
    "Recipe",
    "Run",
    "RunError",
    "StepEvent",
    "TrainingDiverged",
    "TrainingEvent",
    "UniformNoise",
    "Watch",
    "fit",
    "start_from",
]
