"""What attacks that look for the smallest perturbation share: their settings, and the way back towards the image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from tasklab.attacks.geometry import per_row, project_l2
from tasklab.attacks.rows import Rows
from tasklab.attacks.settings import Settings
from tasklab.checks import check_whole, keep
from tasklab.models.fast import PLAIN, Plan


@dataclass(frozen=True, kw_only=True)
class Nearest(Settings):
    """Settings of attacks that look for the nearest image that fools; the result's ``distance`` is the answer.

    Args:
        eps: how far a success may be to count; by default any distance. An image whose nearest success is farther
            comes back cut to the ball, and not fooled.
        halvings: of the segment between the image and what was found, on which the boundary is sought at the end.

    The rest is as in `Settings`; distances want exact outputs, so the network is run as given by default.
    """

    boundless: ClassVar[bool] = True
    eps: float = math.inf
    halvings: int = 16
    plan: Plan | Literal["auto"] = PLAIN

    def __post_init__(self) -> None:
        super().__post_init__()
        keep(self, halvings=check_whole("halvings", self.halvings, low=0))

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain values; an infinite ε is None."""
        return super().to_dict() | ({"eps": None} if self.eps == math.inf else {})


def finish(rows: Rows, settings: Nearest) -> Rows:
    """Take each success back to the boundary, and cut to the ball what is beyond it."""
    group, run = rows.group, rows.run
    there = ((rows.reached > 0) & rows.attacked).nonzero().squeeze(1)
    clean, found = group.images[there], rows.found[there]
    labels, aim = group.labels[there], None if group.targets is None else group.targets[there]
    low = torch.zeros(len(there), dtype=torch.float32, device=found.device)
    high = torch.ones_like(low)
    best = found
    for _ in range(settings.halvings if len(there) else 0):
        middle = (low + high) / 2
        x = clean + per_row(middle, clean) * (found - clean)
        fools = run.success_margin(x, run.read(x), labels, aim) > 0
        best = torch.where(per_row(fools, x), x, best)
        low, high = torch.where(fools, low, middle), torch.where(fools, middle, high)
    reached = rows.found.clone()
    reached[there] = best
    if settings.eps < math.inf:
        reached = within(reached, group.images, settings.eps, settings.norm)
    rows.replace(reached)
    return rows


def within(x: Tensor, origin: Tensor, eps: float, norm: str) -> Tensor:
    """``x`` cut to the ball around ``origin``."""
    return torch.clamp(x, origin - eps, origin + eps) if norm == "linf" else project_l2(x, origin, eps)
