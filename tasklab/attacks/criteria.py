"""When an attack has succeeded, and by how much; this depends on margins alone, not on the attack's objective."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from tasklab.codecs import ABNORMAL
from tasklab.codecs.base import TINY

Criterion = Literal["misclassified", "evaded"]
CRITERIA: tuple[Criterion, ...] = ("misclassified", "evaded")

ROUNDING = 16 * 2.0**-23
"""What rounding may do to outputs, relative to their size and per square root of the number of layers.

The same image gives outputs that differ in their last digits with the rows beside it in the batch, the number of
threads and the processor. On the shipped systems of digits, other batch sizes take less than a third of the tolerance,
which ``tests/attacks/test_rounding.py`` asserts; the rest is a reserve for other processors and deeper networks.
"""


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


def success_margin(criterion: Criterion, margins: Tensor, labels: Tensor, targets: Tensor | None = None) -> Tensor:
    """How far an image is beyond the decision, judged by its margins.

    Args:
        criterion, labels, targets: as in `succeeded`.
        margins: float32 ``(N, classes)``.

    Returns:
        float32 ``(N,)``, in the units of the margins: positive iff it is a success, else minus what is missing.
    """
    if targets is not None:
        return margins.gather(1, targets[:, None]).squeeze(1)
    if criterion == "misclassified":
        lost = -margins.gather(1, labels[:, None]).squeeze(1)
        return torch.where(lost == 0, TINY, lost)  # a tie that went to another class
    return margins.scatter(1, labels[:, None], -torch.inf).amax(dim=1)


def tolerance(z: Tensor, unit: float, depth: int) -> Tensor:
    """The margin below which a success may be due to rounding: ``ROUNDING · √depth · max(unit, max_k |z_k|)``.

    This assumes that outputs are not small differences of far larger numbers, as in a network whose last layer
    magnifies rounding errors to the size of its outputs.

    Args:
        z: outputs float32 ``(N, K)``.
        unit: the task's natural unit, such as S for RBC.
        depth: layers with weights that an image passes through.

    Returns:
        float32 ``(N,)``, in the units of ``z``.
    """
    return ROUNDING * math.sqrt(depth) * z.abs().amax(dim=1).clamp_min(unit)
