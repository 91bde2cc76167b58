"""Bisection: the point nearest to an image that still fools, on the way back from one that does."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tasklab.attacks.geometry import per_row


def to_boundary(
    images: Tensor, adversarial: Tensor, fools: Callable[[Tensor], Tensor], halvings: int, *,
    between: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Draw adversarial images back towards the clean ones, as far as they still fool.

    Args:
        images: the clean images, float32 ``(rows, C, H, W)``.
        adversarial: images that fool, of the same shape.
        fools: says of images ``(rows, C, H, W)`` which of them fool, bool ``(rows,)``.
        halvings: how often the way between the two is halved.
        between: the point at a share ``(rows,)`` of the way from the clean image, 0, to the adversarial one, 1; by
            default on the straight line.

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
