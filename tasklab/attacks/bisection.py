"""Bisection between a clean image and an adversarial one, for the nearest point that still fools the network."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tasklab.attacks.geometry import per_row


def to_boundary(
    images: Tensor, adversarial: Tensor, fools: Callable[[Tensor], Tensor], halvings: int, *,
    between: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Move adversarial images towards the clean ones for as long as they still fool the network.

    Args:
        images: the clean images, float32 ``(rows, C, H, W)``.
        adversarial: images that fool the network, of the same shape.
        fools: tells which of the images ``(rows, C, H, W)`` fool the network, bool ``(rows,)``.
        halvings: how often the segment between the two is halved.
        between: maps a share ``(rows,)``, 0 at the clean image and 1 at the adversarial one, to a point between them;
            by default on the straight line.

    Returns:
        The nearest point of each row that was seen to fool; ``adversarial`` itself where none was.

    >>> clean, far = torch.zeros(1, 1), torch.ones(1, 1)
    >>> float(to_boundary(clean, far, lambda x: x[:, 0] > 0.3, halvings=10)) < 0.301
    True
    """
    low = torch.zeros(len(images), dtype=torch.float32, device=images.device)
    high = torch.ones_like(low)
    best = adversarial
    for _ in range(halvings if len(images) else 0):
        middle = (low + high) / 2
        x = images + per_row(middle, images) * (adversarial - images) if between is None else between(middle)
        success = fools(x)
        best = torch.where(per_row(success, x), x, best)
        low, high = torch.where(success, low, middle), torch.where(success, middle, high)
    return best
