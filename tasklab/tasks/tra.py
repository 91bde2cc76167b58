"""TRA: traditional classification, one score per class."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from tasklab import losses
from tasklab.codecs import Argmax
from tasklab.tasks.base import Task, register


@register
@dataclass(frozen=True, kw_only=True)
class TRA(Task):
    """Traditional classification: one score per class, cross-entropy, argmax."""

    name: ClassVar[str] = "tra"
    title: ClassVar[str] = "TRA"
    long_name: ClassVar[str] = "traditional classification"
    summary: ClassVar[str] = "Each class has a score, and the largest wins."
    rank: ClassVar[int] = 0
    never_flat: ClassVar[bool] = True

    @cached_property
    def codec(self) -> Argmax:
        """One-hot codewords, decoded by argmax."""
        return Argmax(num_classes=self.num_classes)

    def _loss(self, z: Tensor, codewords: Tensor) -> Tensor:
        return losses.cross_entropy(z, codewords)

    @property
    def answers(self) -> str:
        """The number of scores."""
        return f"{self.num_classes} scores, the largest wins"

    def two_class(self) -> TRA:
        """The task with two scores."""
        return dataclasses.replace(self, num_classes=2)

    def two_class_outputs(self, u: Tensor) -> Tensor:
        """Scores −u/2 and u/2."""
        return torch.stack([-u / 2, u / 2], dim=1)

    def scores(self, z: Tensor) -> Tensor:
        """The outputs themselves."""
        return z
