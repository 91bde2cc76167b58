"""Attacks on any task: what to maximise, when it has succeeded, and the loop that maximises.

A new attack is one file in this folder that registers itself; see `tasklab.attacks.registry`.
"""

from __future__ import annotations

import importlib
import pkgutil

from tasklab.attacks.apgd import APGD
from tasklab.attacks.candidates import AttackStep
from tasklab.attacks.criteria import CRITERIA, succeeded, success_margin
from tasklab.attacks.cw import CW
from tasklab.attacks.engine import attack, stream
from tasklab.attacks.fab import FAB
from tasklab.attacks.features import towards_features
from tasklab.attacks.hopskipjump import HopSkipJump
from tasklab.attacks.noise import Noise
from tasklab.attacks.objectives import OBJECTIVES, Objective
from tasklab.attacks.pgd import FGSM, PGD
from tasklab.attacks.registry import ATTACKS, register
from tasklab.attacks.result import AttackResult
from tasklab.attacks.settings import Settings
from tasklab.attacks.square import Square

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = [
    "APGD",
    "ATTACKS",
    "CRITERIA",
    "CW",
    "FAB",
    "FGSM",
    "OBJECTIVES",
    "PGD",
    "AttackResult",
    "AttackStep",
    "HopSkipJump",
    "Noise",
    "Objective",
    "Settings",
    "Square",
    "attack",
    "register",
    "stream",
    "succeeded",
    "success_margin",
    "towards_features",
]
