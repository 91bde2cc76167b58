"""When an attack has succeeded, and by how much: judged from margins, apart from what the attack climbs."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from tasklab.codecs import ABNORMAL
from tasklab.codecs.base import TINY

Criterion = Literal["misclassified", "evaded"]
CRITERIA: tuple[Criterion, ...] = ("misclassified", "evaded")


def succeeded(criterion: Criterion, decoded: Tensor, labels: Tensor, targets: Tensor | None = None) -> Tensor:
    """Which decoded labels are a success.

    Args:
        criterion: ``"misclassified"``: another label or `ABNORMAL`; ``"evaded"``: another *class*, for `ABNORMAL`
            raises an alarm.
        decoded, labels: int64 ``(N,)``.
        targets: with targets, success is decoding to the target, whatever the criterion.

    Returns:
        bool ``(N,)``.
    """
    if targets is not None:
        return decoded == targets
    return (decoded != labels) & ((decoded != ABNORMAL) | (criterion == "misclassified"))


def closeness(criterion: Criterion, margins: Tensor, labels: Tensor, targets: Tensor | None = None) -> Tensor:
    """How near margins ``(N, classes)`` are to success: float32 ``(N,)``, larger is nearer, positive iff reached."""
    if targets is not None:
        return margins.gather(1, targets[:, None]).squeeze(1)
    if criterion == "misclassified":
        lost = -margins.gather(1, labels[:, None]).squeeze(1)
        return torch.where(lost == 0, TINY, lost)  # a tie that went to another class
    return margins.scatter(1, labels[:, None], -torch.inf).amax(dim=1)
