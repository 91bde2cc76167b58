"""Systems of one linear layer on 2×2 images around grey, for which every attack's optimum is known."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tasklab.system import System
from tasklab.tasks import RBC, Task

EAST, NORTH = (1.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 1.0)
"""Two directions with no pixel in common."""


def linear(weights: tuple[float, ...], task: Task | None = None, size: float = 10.0) -> System:
    """``z = size · w · (x − ½)`` read as one bit, or by ``task``."""
    task = task or RBC(num_classes=2, S=1)
    layer = nn.Linear(4, task.width)
    with torch.no_grad():
        layer.weight.copy_(size * torch.tensor(weights).expand(task.width, 4))
        layer.bias.copy_(-0.5 * layer.weight.sum(dim=1))
    return System(nn.Sequential(nn.Flatten(), layer), task)


def grey_images(n: int = 200, reach: float = 0.2, seed: int = 0) -> Tensor:
    """Images within ``reach`` of grey, far from the ends of [0, 1]."""
    draw = torch.rand(n, 1, 2, 2, generator=torch.Generator().manual_seed(seed))
    return 0.5 + reach * (2 * draw - 1)


def sides(images: Tensor, weights: tuple[float, ...]) -> Tensor:
    """``w · (x − ½)``."""
    return ((images.flatten(1) - 0.5) * torch.tensor(weights)).sum(dim=1)
