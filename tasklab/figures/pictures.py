"""Images as pixels: enlarged without blur, and perturbations amplified until they can be seen."""

from __future__ import annotations

import io

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasklab.checks import check_whole

Pixels = NDArray[np.uint8]


def picture(x: Tensor, scale: int = 1) -> Pixels:
    """An image enlarged without smoothing: every pixel becomes a square.

    Args:
        x: float ``(C, H, W)`` or ``(1, C, H, W)`` in [0, 1], with one channel or three; other values are clipped.
        scale: side of a square in pixels, at least 1.

    Returns:
        uint8 ``(H·scale, W·scale)`` for one channel, ``(H·scale, W·scale, 3)`` for three.

    Raises:
        ValueError: the shape or the scale is another.

    >>> picture(torch.tensor([[[0.0, 1.0]]]), scale=2).tolist()
    [[0, 0, 255, 255], [0, 0, 255, 255]]
    """
    x = _one(x)
    scale = check_whole("scale", scale, low=1)
    pixels = (x.detach().cpu().float().clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    pixels = pixels.repeat(scale, axis=1).repeat(scale, axis=2)  # (C, H·scale, W·scale)
    return np.ascontiguousarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))


def amplification(clean: Tensor, attacked: Tensor) -> float:
    """The factor k for `perturbation` at which the largest change just reaches black or white, cut to 2 digits.

    Args:
        clean: float ``(C, H, W)`` or ``(1, C, H, W)`` in [0, 1].
        attacked: the same after an attack.

    Returns:
        ``0.5 / max |attacked − clean|``, and 1 where nothing changed.

    >>> amplification(torch.zeros(1, 2, 2), torch.full((1, 2, 2), 0.1))
    5.0
    """
    largest = float((_one(attacked) - _one(clean)).abs().max())
    if largest == 0:
        return 1.0
    k = 0.5 / largest
    unit = 10.0 ** (np.floor(np.log10(k)) - 1)
    return float(np.floor(k / unit + 1e-4) * unit)


def perturbation(clean: Tensor, attacked: Tensor, k: float | None = None, scale: int = 1) -> Pixels:
    """The change of each pixel, k times as large, around middle grey: brighter where the attack added light.

    Args:
        clean: float ``(C, H, W)`` or ``(1, C, H, W)`` in [0, 1].
        attacked: the same after an attack.
        k: the factor; by default `amplification`.
        scale: as in `picture`.

    Returns:
        Pixels as from `picture`.

    >>> perturbation(torch.zeros(1, 1, 2), torch.tensor([[[0.0, 0.5]]]), k=1).tolist()
    [[128, 255]]
    """
    k = amplification(clean, attacked) if k is None else k
    return picture(0.5 + k * (_one(attacked) - _one(clean)), scale)


def to_png(pixels: Pixels) -> bytes:
    """The bytes of a PNG file with these pixels."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def _one(x: Tensor) -> Tensor:
    """One image as ``(C, H, W)``, with or without a batch dimension of 1."""
    x = x[0] if x.ndim == 4 and len(x) == 1 else x
    if x.ndim != 3 or len(x) not in (1, 3):
        raise ValueError(f"expected one image (C, H, W) with 1 or 3 channels, got shape {tuple(x.shape)}; try x[0]")
    return x
