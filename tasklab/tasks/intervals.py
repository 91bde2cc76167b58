"""INT: interval-label classification, one output on a line."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Literal

import torch
from torch import Tensor

from tasklab import losses
from tasklab.checks import keep
from tasklab.codecs import Interval
from tasklab.tasks.base import Task, register
from tasklab.tasks.drawing import Line
from tasklab.tasks.settings import Asked, Typical

LONG = 100.0
"""How many times longer the intervals of `INT.two_class` are than those of the task itself."""


@register
@dataclass(frozen=True, kw_only=True)
class INT(Task):
    """Interval-label classification: one output on a line, one interval per class (equation 1)."""

    name: ClassVar[str] = "int"
    title: ClassVar[str] = "INT"
    long_name: ClassVar[str] = "interval-label classification"
    summary: ClassVar[str] = "The network answers with a number on a line of intervals, one per class."
    rank: ClassVar[int] = 2
    typical: ClassVar[Typical] = Typical(epochs=50, lr=0.01, inset=0.4)
    opposing_terms: ClassVar[bool] = True
    has_inset: ClassVar[bool] = True

    s0: float = field(default=0.0, metadata={"asked": Asked(
        title="Start s₀", help="Where the line of intervals begins.", offered=(-1000.0, 1000.0), half=True, place=2,
    )})
    alpha: float = field(default=4.0, metadata={"asked": Asked(
        title="Gap α", help="The gap between two intervals. The paper uses 4.", low=0, half=True, apart="α = {:g}",
    )})
    beta: float = field(default=16.0, metadata={"asked": Asked(
        title="Length β", help="The length of an interval. The paper uses 16.", low=0, above=True,
        offered=(0.5, 100.0), half=True, place=1, apart="β = {:g}",
    )})
    gap: Literal["abnormal", "floor"] = field(default="abnormal", metadata={"asked": Asked(
        title="Gaps are", kind="text", choices=("abnormal", "floor"), half=True, place=3,
        help="What a number between two intervals means. abnormal: None, as the paper says. floor: the class below, as "
        "the paper's own formula decodes it.",
    )})

    def __post_init__(self) -> None:
        super().__post_init__()
        keep(self, s0=self.codec.s0, alpha=self.codec.alpha, beta=self.codec.beta)

    @cached_property
    def codec(self) -> Interval:
        """The intervals on the line, one per class."""
        return Interval(num_classes=self.num_classes, s0=self.s0, alpha=self.alpha, beta=self.beta, gap=self.gap)

    @property
    def _natural(self) -> tuple[float, float]:
        return self.codec.span, self.s0 + self.codec.span / 2

    def _loss(self, z: Tensor, codewords: Tensor) -> Tensor:
        return losses.interval_hinge(z, codewords)

    @property
    def answers(self) -> str:
        """One number, and the number of intervals."""
        return f"1 number, {self.num_classes} intervals"

    @cached_property
    def line(self) -> Line:
        """The line with the interval of each class."""
        return Line(
            start=self.s0, lower=tuple(self.codec.lower.tolist()), upper=tuple(self.codec.upper.tolist()),
            alpha=self.alpha, beta=self.beta, floor=self.gap == "floor",
        )

    @cached_property
    def levels(self) -> tuple[float, ...]:
        """The middle of each interval; a linear head alone hardly learns a line from features that separate classes."""
        middles = (self.codec.lower.double() + self.codec.upper.double()) / 2
        return tuple(((middles - self.centre) / self.unit).tolist())

    def inset_loss(self, z: Tensor, y: Tensor, inset: float) -> Tensor:
        """The loss of the interval ``[L + inset·β, U − inset·β]``."""
        inward = inset * self.beta * torch.tensor([1.0, -1.0], dtype=torch.float32, device=z.device)
        return losses.interval_hinge(z, self.codec.encode(y) + inward)

    def two_class(self) -> INT:
        """Two intervals that touch, so long that only the end of class 0 that borders on class 1 is within reach."""
        return dataclasses.replace(self, num_classes=2, s0=0.0, alpha=0.0, beta=LONG * self.beta)

    def two_class_outputs(self, u: Tensor) -> Tensor:
        """The output at u above the end that the two intervals share."""
        return (self.codec.upper[0].to(u) + u)[:, None]
