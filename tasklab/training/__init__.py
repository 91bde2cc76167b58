"""Training as a stream of events: recipes, defences, runs that stop and resume."""

from __future__ import annotations

from tasklab.training.defences import Adversarial, Defence, GaussianNoise, UniformNoise
from tasklab.training.loop import EpochEvent, StepEvent, TrainingDiverged, TrainingEvent, Watch, fit
from tasklab.training.recipe import Recipe
from tasklab.training.run import Run, RunError

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
]
