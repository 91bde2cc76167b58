"""Argmax: the traditional code, with one score per class, of which the largest wins."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tasklab.checks import keep
from tasklab.codecs.base import TINY, Codec, check_num_classes


@dataclass(frozen=True, kw_only=True)
class Argmax(Codec):
    """One-hot codewords; margin of class k: ``z_k − max_{j≠k} z_j``. A tie goes to the lowest tied class.

    >>> import torch
    >>> Argmax(num_classes=3).decode(torch.tensor([[1.0, 5.0, 2.0], [4.0, 4.0, 1.0]]))
    tensor([1, 0])
    """

    num_classes: int = 10

    def __post_init__(self) -> None:
        keep(self, num_classes=check_num_classes(self.num_classes))

    @property
    def width(self) -> int:
        """One output per class."""
        return self.num_classes

    def _encode(self, y: Tensor) -> Tensor:
        return torch.nn.functional.one_hot(y, self.num_classes).float()

    def _margins(self, z: Tensor) -> Tensor:
        (first, second), (winner, _) = (t.unbind(1) for t in z.topk(2, dim=1))
        rival = first[:, None].expand_as(z).scatter(1, winner[:, None], second[:, None])
        margins = z - rival  # (N, classes)
        lowest = (z == first[:, None]).int().argmax(dim=1, keepdim=True)
        tie = torch.zeros_like(z).scatter(1, lowest, ((first == second).float() * TINY)[:, None])
        return margins + tie

    def _terms(self, z: Tensor, y: Tensor) -> Tensor:
        rivals = torch.arange(self.num_classes - 1, device=z.device).expand(len(y), -1)
        rivals = rivals + (rivals >= y[:, None])  # (N, classes - 1), every class but y
        return z.gather(1, y[:, None]) - z.gather(1, rivals)
