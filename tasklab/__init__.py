"""tasklab: build, train, attack and understand task-aware classification systems."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tasklab.version import __version__ as __version__

if TYPE_CHECKING:
    from tasklab.attacks import FGSM, PGD, AttackResult, Objective, attack, stream
    from tasklab.checkpoint import CheckpointError
    from tasklab.codecs import ABNORMAL, Argmax, Binary, Codec, Interval
    from tasklab.data import ImageSet
    from tasklab.data import load as load_data
    from tasklab.evaluation import evaluate, transfer
    from tasklab.system import System, new_system
    from tasklab.tasks import INT, RBC, TRA, DeepBE, Task, make_task
    from tasklab.training import Adversarial, GaussianNoise, Recipe, UniformNoise
    from tasklab.training.loop import fit
    from tasklab.zoo import load

_HOMES = {
    "tasklab.attacks": ("FGSM", "PGD", "AttackResult", "Objective", "attack", "stream"),
    "tasklab.checkpoint": ("CheckpointError",),
    "tasklab.codecs": ("ABNORMAL", "Argmax", "Binary", "Codec", "Interval"),
    "tasklab.data": ("ImageSet", "load_data"),
    "tasklab.evaluation": ("evaluate", "transfer"),
    "tasklab.system": ("System", "new_system"),
    "tasklab.tasks": ("INT", "RBC", "TRA", "DeepBE", "Task", "make_task"),
    "tasklab.training": ("Adversarial", "GaussianNoise", "Recipe", "UniformNoise", "fit"),
    "tasklab.zoo": ("load",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ABNORMAL",
    "FGSM",
    "INT",
    "PGD",
    "RBC",
    "TRA",
    "Adversarial",
    "Argmax",
    "AttackResult",
    "Binary",
    "CheckpointError",
    "Codec",
    "DeepBE",
    "GaussianNoise",
    "ImageSet",
    "Interval",
    "Objective",
    "Recipe",
    "System",
    "Task",
    "UniformNoise",
    "attack",
    "evaluate",
    "fit",
    "load",
    "load_data",
    "make_task",
    "new_system",
    "stream",
    "transfer",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that ``import tasklab`` alone imports nothing heavy."""
    if name not in _HOME:
        raise AttributeError(f"module 'tasklab' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), "load" if name == "load_data" else name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
