"""Attacks on any task: what to climb, when it has succeeded, and the loop that climbs."""

from __future__ import annotations

from tasklab.attacks.criteria import CRITERIA, closeness, succeeded
from tasklab.attacks.engine import Step, attack, stream
from tasklab.attacks.objectives import OBJECTIVES, Objective
from tasklab.attacks.result import AttackResult
from tasklab.attacks.settings import FGSM, PGD

__all__ = [
    "CRITERIA",
    "FGSM",
    "OBJECTIVES",
    "PGD",
    "AttackResult",
    "Objective",
    "Step",
    "attack",
    "closeness",
    "stream",
    "succeeded",
]
