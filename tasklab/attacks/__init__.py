"""Attacks on any task: what to climb, when it has succeeded, and the loop that climbs."""

from __future__ import annotations

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
from tasklab.attacks.result import AttackResult
from tasklab.attacks.settings import Settings
from tasklab.attacks.square import Square

__all__ = [
    "APGD",
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
    "stream",
    "succeeded",
    "success_margin",
    "towards_features",
]
