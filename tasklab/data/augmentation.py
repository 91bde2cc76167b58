"""Augmentation of whole batches at once: horizontal flips, and padding with random crops."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor


def augment(
    x: Tensor,
    *,
    flip: bool = False,
    crop: int = 0,
    padding: Literal["reflect", "zeros"] = "reflect",
    generator: torch.Generator,
) -> Tensor:
    """Flip and shift each image of a batch at random, on the batch's own device.

    Args:
        x: ``(N, C, H, W)``, any type (uint8 or float).
        flip: mirror each image left to right with probability 1/2.
        crop: pad by this many pixels on all four sides and cut ``(H, W)`` out at random, which shifts each image by
            -crop..crop pixels in each direction.
        padding: what fills the edge: the image mirrored about its outermost pixels, or zeros.
        generator: the source of randomness, on any device.

    Returns:
        ``(N, C, H, W)``, a new tensor of the same type on the same device.

    Raises:
        ValueError: x is not a batch of images, crop does not fit the images, or padding is unknown.

    >>> x = torch.arange(4.0).reshape(1, 1, 1, 4)
    >>> augment(x, flip=True, generator=torch.Generator().manual_seed(1)).flatten().tolist()
    [3.0, 2.0, 1.0, 0.0]
    """
    if x.ndim != 4:
        raise ValueError(f"expected images (N, C, H, W), got {tuple(x.shape)}; try x[None] for a single image")
    if padding not in ("reflect", "zeros"):
        raise ValueError(f"expected padding 'reflect' or 'zeros', got {padding!r}; try 'reflect'")
    n, channels, height, width = x.shape
    if crop < 0 or (crop and crop >= min(height, width)):
        raise ValueError(f"expected crop in 0..{min(height, width) - 1} for {height}×{width} images, got {crop}; try 2")
    if not flip and not crop:
        return x.clone()

    def draw(low: int, high: int) -> Tensor:
        return torch.randint(low, high, (n, 1), generator=generator, device=generator.device).to(x.device)

    rows = torch.arange(height, device=x.device).expand(n, height)
    columns = torch.arange(width, device=x.device).expand(n, width)
    if flip:
        columns = torch.where(draw(0, 2) == 1, width - 1 - columns, columns)
    if crop:
        rows = rows + draw(-crop, crop + 1)
        columns = columns + draw(-crop, crop + 1)
    source = _reflect(rows, height)[:, :, None] * width + _reflect(columns, width)[:, None, :]  # (N, H, W)
    flat = source.reshape(n, 1, height * width).expand(n, channels, height * width)
    out = x.reshape(n, channels, height * width).gather(2, flat).reshape(x.shape)
    if crop and padding == "zeros":
        inside = _inside(rows, height)[:, :, None] & _inside(columns, width)[:, None, :]  # (N, H, W)
        out.masked_fill_(~inside[:, None], 0)
    return out


def _reflect(positions: Tensor, size: int) -> Tensor:
    """Positions outside 0..size-1, mirrored about the outermost pixels."""
    positions = positions.abs()
    return torch.where(positions >= size, 2 * (size - 1) - positions, positions)


def _inside(positions: Tensor, size: int) -> Tensor:
    return (positions >= 0) & (positions < size)
