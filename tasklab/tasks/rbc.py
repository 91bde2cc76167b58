"""RBC: robust binary-label classification, bits with a margin S."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from torch import Tensor

from tasklab import losses
from tasklab.checks import as_number, keep
from tasklab.tasks.base import register
from tasklab.tasks.bits import Bits
from tasklab.tasks.drawing import Gauges
from tasklab.tasks.settings import MARGIN


@register
@dataclass(frozen=True, kw_only=True)
class RBC(Bits):
    """Robust binary-label classification: every bit on its side of 0 by a margin S (equations 2 and 3)."""

    name: ClassVar[str] = "rbc"
    title: ClassVar[str] = "RBC"
    long_name: ClassVar[str] = "robust binary-label classification"
    summary: ClassVar[str] = "The network answers in bits, each with a margin S."
    rank: ClassVar[int] = 3

    S: float = field(default=350.0, metadata={"asked": MARGIN})

    def __post_init__(self) -> None:
        size = as_number(self.S)
        if size is None or not 0 <= size < math.inf:
            raise ValueError(f"expected S as a finite number ≥ 0 (the margin of a bit), got {self.S!r}; try S=350")
        keep(self, S=float(size))
        super().__post_init__()

    @property
    def _natural(self) -> tuple[float, float]:
        return self.S or 1.0, 0.0

    def _loss(self, z: Tensor, codewords: Tensor) -> Tensor:
        return losses.bit_hinge(z, codewords, margin=self.S)

    @property
    def rail(self) -> float:
        """S."""
        return self.S

    @property
    def answers(self) -> str:
        """The number of bits, and their margin."""
        return f"{self.width} bits, margin S = {self.S:g}"

    @cached_property
    def gauges(self) -> Gauges:
        """Rails stand at ±S."""
        return Gauges(threshold=self.threshold, rail=self.rail, rows=self.codec.rows, margin=self.S)

    @property
    def unclipped(self) -> RBC:
        """RBC with S' = 10·S."""
        return RBC(num_classes=self.num_classes, bits=self.bits, code=self.code, S=10 * (self.S or 1.0))
