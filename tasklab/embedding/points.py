"""The points of a map: penultimate features or outputs of a system, computed batch by batch."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasklab.checks import check_whole
from tasklab.system import System

Points = NDArray[np.float32]


def read_features(system: System, x: Tensor, *, batch_size: int = 512) -> Points:
    """Penultimate features float32 ``(N, D)`` of images ``(N, C, H, W)`` in [0, 1], without gradients.

    Raises:
        TypeError: the system has no features.
    """
    size = check_whole("batch_size", batch_size, low=1, hint=512)
    with torch.no_grad():
        parts = [system.features(part).cpu() for part in torch.split(x, size)]
    return _numbers(torch.cat(parts))


def read_outputs(system: System, x: Tensor, *, batch_size: int = 512) -> Points:
    """Outputs float32 ``(N, K)`` of images ``(N, C, H, W)`` in [0, 1], without gradients."""
    return _numbers(system.read(x, batch_size=batch_size).cpu())


def _numbers(values: Tensor) -> Points:
    numbers: Points = values.float().numpy()
    return numbers
