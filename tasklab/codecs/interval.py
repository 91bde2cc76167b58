"""Intervals on a line: one output, and the interval it falls into is the label."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from tasklab.checks import check_number, keep
from tasklab.codecs.base import TINY, Codec, Constants, check_num_classes
from tasklab.modes import CPU


@dataclass(frozen=True, kw_only=True)
class Interval(Codec):
    """Class y owns ``[L, U]`` with ``L(y) = s0 + y·(α + β)``, ``U(y) = L(y) + β`` (equation 1).

    The paper decodes by ``⌊(z − s0)/(α + β)⌋`` where the output belongs to an interval; elsewhere the example is
    abnormal. There are two rules, since a published number does not tell whether the condition was applied:

    - ``gap="abnormal"``: formula and condition. Outside every interval the label is `ABNORMAL`. An interval holds both
      its ends; an end shared by two intervals (α = 0) belongs to the upper one. Margin of class k:
      ``min(z − L_k, U_k − z)``.
    - ``gap="floor"``: the formula alone, so the gap above U(y) belongs to y, its upper end to y + 1.
      Margin of class k: ``min(z − L_k, L_{k+1} − z)``. Beyond the line's two ends the label is `ABNORMAL`.

    Args:
        num_classes: C, at least 2.
        s0: the lower end of the first interval.
        alpha: α ≥ 0, the length of the gap between two intervals.
        beta: β > 0, the length of an interval.
        gap: the rule for outputs in a gap, as above.

    >>> import torch
    >>> codec = Interval(s0=0, alpha=1, beta=3)
    >>> codec.encode(torch.tensor([3]))
    tensor([[12., 15.]])
    >>> codec.decode(torch.tensor([[12.0], [15.0], [15.5]]))
    tensor([ 3,  3, -1])
    >>> Interval(s0=0, alpha=1, beta=3, gap="floor").decode(torch.tensor([[15.5]]))
    tensor([3])
    """

    num_classes: int = 10
    s0: float = 0.0
    alpha: float = 4.0
    beta: float = 16.0
    gap: Literal["abnormal", "floor"] = "abnormal"

    def __post_init__(self) -> None:
        keep(self, num_classes=check_num_classes(self.num_classes))
        for name in ("s0", "alpha", "beta"):
            keep(self, **{name: float(check_number(name, getattr(self, name)))})
        if self.alpha < 0:
            raise ValueError(f"expected alpha ≥ 0 (the length of a gap), got {self.alpha:g}; try alpha=4")
        if self.beta <= 0:
            raise ValueError(f"expected beta > 0 (the length of an interval), got {self.beta:g}; try beta=16")
        if self.gap not in ("abnormal", "floor"):
            raise ValueError(f"expected gap 'abnormal' or 'floor', got {self.gap!r}; try gap='abnormal'")
        low, high = self._ends.on(CPU).unbind(1)
        if not bool((high > low).all()):
            raise ValueError(
                f"expected intervals that float32 can tell apart, got s0={self.s0:g}, alpha={self.alpha:g}, "
                f"beta={self.beta:g}; try an s0 nearer to 0"
            )

    @property
    def width(self) -> int:
        """One output."""
        return 1

    @cached_property
    def _ends(self) -> Constants:
        return Constants(self._make_ends)

    def _make_ends(self) -> Tensor:
        lower = self.s0 + torch.arange(self.num_classes, dtype=torch.float64) * (self.alpha + self.beta)
        upper = lower + self.beta
        upper[:-1] = torch.minimum(upper[:-1], lower[1:])  # α = 0: one shared end, whatever the rounding
        return torch.stack([lower, upper], dim=1).float()  # (classes, 2)

    @cached_property
    def _reach(self) -> Constants:
        """The range of outputs that decode to each class: from L to U, or from L to the next L."""
        return Constants(self._make_reach)

    def _make_reach(self) -> Tensor:
        lower, upper = self._ends.on(CPU).unbind(1)
        if self.gap == "floor":
            step = self.alpha + self.beta
            upper = torch.cat([lower[1:], torch.tensor([self.s0 + self.num_classes * step], dtype=torch.float32)])
        return torch.stack([lower, upper], dim=1)  # (classes, 2)

    @property
    def lower(self) -> Tensor:
        """float32 ``(classes,)``: L of each class."""
        return self._ends.on(CPU)[:, 0]

    @property
    def upper(self) -> Tensor:
        """float32 ``(classes,)``: U of each class."""
        return self._ends.on(CPU)[:, 1]

    @property
    def span(self) -> float:
        """The length of the line, from the first L to the last U."""
        return (self.num_classes - 1) * (self.alpha + self.beta) + self.beta

    def _encode(self, y: Tensor) -> Tensor:
        return self._ends.on(y.device)[y]

    def _margins(self, z: Tensor) -> Tensor:
        low, high = self._reach.on(z.device).unbind(1)
        above, below = z - low, high - z  # (N, classes)
        held = above == 0
        if self.gap == "abnormal":
            shared = torch.cat([low[1:] == high[:-1], torch.zeros(1, dtype=torch.bool, device=z.device)])
            held = held | (below == 0) & ~shared
        lost = ((above == 0) | (below == 0)) & ~held
        nearer = torch.where(above < below, above, below)  # unlike minimum, with a gradient in the middle too
        return nearer + held.float() * TINY - lost.float() * TINY

    def _terms(self, z: Tensor, y: Tensor) -> Tensor:
        low, high = self._reach.on(z.device)[y].unbind(1)
        return torch.stack([z[:, 0] - low, high - z[:, 0]], dim=1)
