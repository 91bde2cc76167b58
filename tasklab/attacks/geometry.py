"""Balls, boxes and random starts: the geometry of an ε-ball inside [0, 1].

Radii and step sizes are numbers, or tensors ``(rows,)`` with one number for each row.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tasklab.attacks.settings import MAX_RESTARTS, Norm

MAX_INDEX = 2**63 // MAX_RESTARTS
"""An example's number must be below it, so that the number and a restart fit into one word of a random key."""


def bounds(x: Tensor, eps: float | Tensor, norm: Norm) -> tuple[Tensor, Tensor]:
    """The box to clamp to: [0, 1], cut to ``x ± eps`` under Linf. Computed once per attack."""
    if norm == "linf":
        radius = broadcast(eps, x)
        return (x - radius).clamp_min(0), (x + radius).clamp_max(1)
    return torch.zeros_like(x), torch.ones_like(x)


def rescale(direction: Tensor, length: float | Tensor) -> Tensor:
    """Scale each row of ``direction`` to the L2 length ``length``; a row of zeros stays as it is."""
    largest = direction.flatten(1).abs().amax(dim=1)
    nonzero = largest > 0
    unit = direction / per_row(torch.where(nonzero, largest, 1), direction)  # so that no square under- or overflows
    norm = unit.flatten(1).norm(dim=1)
    return unit * per_row(torch.where(nonzero, length / norm.clamp_min(1), 0), unit)


def project_l2(x: Tensor, centre: Tensor, eps: float | Tensor) -> Tensor:
    """The nearest point of the L2 ball around ``centre``, row by row."""
    away = x - centre
    norm = away.flatten(1).norm(dim=1)
    return torch.where(per_row(norm > eps, x), centre + rescale(away, eps), x)


def step(x: Tensor, gradient: Tensor, origin: Tensor, box: tuple[Tensor, Tensor], *, eps: float | Tensor,
         step_size: float | Tensor, norm: Norm) -> Tensor:
    """One ascent step of length ``step_size``, projected to the ball and the box."""
    if norm == "linf":
        return torch.clamp(x + broadcast(step_size, x) * gradient.sign(), *box)
    return torch.clamp(project_l2(x + rescale(gradient, step_size), origin, eps), *box)


def random_start(
    origin: Tensor, box: tuple[Tensor, Tensor], *, eps: float | Tensor, norm: Norm, seed: int, example: Tensor,
    restart: Tensor,
) -> Tensor:
    """A uniform point of the ball, clamped to the box, that depends on (seed, example, restart) alone."""
    size = origin[0].numel() if len(origin) else 0
    noise = np.empty((len(origin), size), dtype=np.float32)
    radius = np.empty(len(origin), dtype=np.float32)
    for row, (n, r) in enumerate(zip(example.tolist(), restart.tolist(), strict=True)):
        generator = np.random.Generator(np.random.Philox(key=(seed, n * MAX_RESTARTS + r)))
        if norm == "linf":
            noise[row] = generator.random(size, dtype=np.float32) * 2 - 1
        else:
            noise[row] = generator.standard_normal(size, dtype=np.float32)
            radius[row] = generator.random() ** (1 / size)
    draw = torch.from_numpy(noise).reshape(origin.shape).to(origin.device)
    if norm == "linf":
        return torch.clamp(origin + broadcast(eps, origin) * draw, *box)
    return torch.clamp(origin + rescale(draw, eps * torch.from_numpy(radius).to(origin.device)), *box)


def in_float32(size: float | Tensor) -> float | Tensor:
    """A number as it is; one number for each row in float32, the precision of images."""
    return size.float() if isinstance(size, Tensor) else size


def broadcast(size: float | Tensor, like: Tensor) -> float | Tensor:
    """A number as it is; one number for each row in a shape that multiplies images ``like (rows, …)``."""
    return per_row(size, like) if isinstance(size, Tensor) else size


def per_row(values: Tensor, like: Tensor) -> Tensor:
    """``values (rows,)`` in a shape that multiplies images ``like (rows, …)``."""
    return values.reshape(-1, *(1,) * (like.ndim - 1))


def row_norm(x: Tensor, norm: str) -> Tensor:
    """The Linf or L2 norm of each row of ``x (rows, …)``, float32 ``(rows,)``."""
    flat = x.flatten(1)
    return flat.abs().amax(dim=1) if norm == "linf" else flat.norm(dim=1)
