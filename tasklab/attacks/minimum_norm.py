"""Shared by attacks that look for the smallest perturbation: their settings, and the bisection at their end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from tasklab.attacks.bisection import to_boundary
from tasklab.attacks.candidates import Candidates
from tasklab.attacks.geometry import project_l2
from tasklab.attacks.settings import Settings
from tasklab.checks import check_whole, keep
from tasklab.models.fast import PLAIN, Plan


@dataclass(frozen=True, kw_only=True)
class MinimumNorm(Settings):
    """Settings of attacks that look for the nearest image that fools; its distance is the result's ``distance``.

    Args:
        eps: the distance up to which a success counts; by default any. An image whose nearest success is farther away
            is returned projected onto the ball, and counts as not fooled.
        halvings: how often the segment between the clean and the adversarial image is halved at the end, to find the
            boundary on it.

    The rest is as in `Settings`. Distances depend on exact outputs, so the network is run as given by default.
    """

    allows_infinite_eps: ClassVar[bool] = True
    eps: float = math.inf
    halvings: int = 16
    plan: Plan | Literal["auto"] = PLAIN

    def __post_init__(self) -> None:
        super().__post_init__()
        keep(self, halvings=check_whole("halvings", self.halvings, low=0))

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain values; an infinite ε is None."""
        return super().to_dict() | ({"eps": None} if self.eps == math.inf else {})


def finish(candidates: Candidates, settings: MinimumNorm) -> Candidates:
    """Move each success back to the boundary by bisection, and project images outside the ball onto it."""
    group, runner = candidates.group, candidates.runner
    fooled = ((candidates.best_margin > 0) & candidates.attacked).nonzero().squeeze(1)
    clean, adversarial = group.images[fooled], candidates.best_images[fooled]
    labels, targets = group.labels[fooled], None if group.targets is None else group.targets[fooled]

    def fools(x: Tensor) -> Tensor:
        return runner.confirmed_margin(x, runner.read(x), labels, targets) > 0

    images = candidates.best_images.clone()
    images[fooled] = to_boundary(clean, adversarial, fools, settings.halvings)
    if settings.eps < math.inf:
        images = within(images, group.images, settings.eps, settings.norm)
    candidates.replace_best(images)
    return candidates


def within(x: Tensor, origin: Tensor, eps: float, norm: str) -> Tensor:
    """``x`` projected onto the ball around ``origin``."""
    return torch.clamp(x, origin - eps, origin + eps) if norm == "linf" else project_l2(x, origin, eps)
