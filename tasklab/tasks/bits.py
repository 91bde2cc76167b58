"""What DeepBE and RBC share: every bit has to be on its side of a threshold."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Self

from torch import Tensor

from tasklab.checks import keep
from tasklab.codecs import Binary
from tasklab.codecs.codes import Rows
from tasklab.tasks.base import Task
from tasklab.tasks.settings import BITS, CODE


@dataclass(frozen=True, kw_only=True)
class Bits(Task):
    """A task of bits: the parent of DeepBE and RBC."""

    margin_name: ClassVar[str] = "margin of the worst bit"
    threshold: ClassVar[float] = 0.0

    bits: int | None = field(default=None, metadata={"asked": BITS})
    code: str | Rows = field(default="binary", metadata={"asked": CODE})

    def __post_init__(self) -> None:
        super().__post_init__()
        keep(self, bits=self.codec.bits, code=self.codec.code)

    @cached_property
    def codec(self) -> Binary:
        """The binary code, decided at the task's threshold."""
        return Binary(num_classes=self.num_classes, bits=self.bits, code=self.code, threshold=self.threshold)

    @property
    @abstractmethod
    def rail(self) -> float:
        """How far from the threshold training pushes each bit; 0 where being on the right side is enough."""

    def targets(self, y: Tensor) -> Tensor:
        """Each bit at its rail, or at one unit from the threshold where there is no rail."""
        return self.threshold + (self.rail or 1.0) * (2 * self.codec.encode(y) - 1)

    def two_class(self) -> Self:
        """One bit."""
        return dataclasses.replace(self, num_classes=2, bits=1, code="binary")

    def two_class_outputs(self, u: Tensor) -> Tensor:
        """The one bit at u above the threshold."""
        return (self.threshold + u)[:, None]
