"""Error-correcting output codes: one output per bit, and the nearest codeword is the label."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from tasklab.checks import keep
from tasklab.codecs.base import TINY, Codec, Constants, check_num_classes
from tasklab.codecs.binary import Binary
from tasklab.codecs.codes import Rows, hadamard_code, random_code, row_distance
from tasklab.modes import CPU

MOST_CLASSES = 4096
"""The most classes of such a code, since each class is compared with every other."""

MOST_RANDOM = 256
"""The most classes for ``code="random"``, which draws hundreds of codes and keeps the best."""


@dataclass(frozen=True, kw_only=True)
class NearestCodeword(Codec):
    """Bits whose codeword is the one with the largest inner product ``⟨s_k, z⟩``, ``s = 2·bit − 1``.

    Margin of class k: ``min_{j≠k} ⟨s_k − s_j, z⟩ / (2·d)``, where d is the smallest number of bits in which two
    codewords differ. The divisor gives margins the size of an output: at the codeword itself, ``z = S·s_k``, the
    margin is S where the nearest rival is d bits away, and more where it is further. As all ``s_k`` have one length,
    the largest inner product is the smallest Euclidean distance, and on outputs of equal size the smallest Hamming
    distance: up to ⌊(d − 1)/2⌋ wrong bits are corrected. Some codeword is always the nearest, so only outputs that are
    infinite or not numbers decode to `ABNORMAL`; a tie goes to the lowest tied class.

    Args:
        num_classes: C, from 2 to `MOST_CLASSES`.
        bits: B; by default as many as a Hadamard code for that many classes has.
        code: ``"hadamard"``, ``"random"`` (the best of many random ones), ``"binary"``, ``"gray"``, or any 0/1 rows,
            one per class, all different.

    References:
        Dietterich & Bakiri, Solving Multiclass Learning Problems via Error-Correcting Output Codes (1995).

    >>> import torch
    >>> codec = NearestCodeword(num_classes=4)
    >>> codec.encode(torch.tensor([3]))
    tensor([[1., 1., 0.]])
    >>> z = torch.tensor([[5.0, 5.0, -5.0], [5.0, 0.0, -5.0]])
    >>> codec.decode(z), codec.margins(z)[:, 3]
    (tensor([3, 3]), tensor([5.0000, 2.5000]))
    """

    num_classes: int = 10
    bits: int | None = None
    code: str | Rows = "hadamard"

    def __post_init__(self) -> None:
        keep(self, num_classes=check_num_classes(self.num_classes))
        if self.num_classes > MOST_CLASSES:
            raise ValueError(f"expected num_classes up to {MOST_CLASSES:,} for nearest codewords, got "
                             f"{self.num_classes}; try a binary code")
        binary = self._binary
        keep(self, bits=binary.bits)
        if not isinstance(self.code, str):
            keep(self, code=binary.code)

    @cached_property
    def _binary(self) -> Binary:
        """The code as rows, checked."""
        rows: str | Rows = self.code
        if self.code == "hadamard":
            rows = hadamard_code(self.num_classes)
        elif self.code == "random":
            if self.num_classes > MOST_RANDOM:
                raise ValueError(f"expected num_classes up to {MOST_RANDOM} for code 'random', got {self.num_classes}; "
                                 "try rows of your own")
            usual = Binary(num_classes=self.num_classes, bits=self.bits).bits if self.bits is not None else None
            rows = random_code(self.num_classes, usual or len(hadamard_code(self.num_classes)[0]))
        elif isinstance(self.code, str) and self.code not in ("binary", "gray"):
            raise ValueError(f"expected code 'hadamard', 'random', 'binary', 'gray' or 0/1 rows, got {self.code!r}; "
                             "try code='hadamard'")
        return Binary(num_classes=self.num_classes, bits=self.bits, code=rows)

    @property
    def width(self) -> int:
        """One output per bit."""
        return self._binary.width

    @property
    def rows(self) -> Rows:
        """The code, one 0/1 row per class."""
        return self._binary.rows

    @cached_property
    def distance(self) -> int:
        """d, the smallest number of bits in which two codewords differ."""
        return row_distance(self.rows)

    @cached_property
    def _signs(self) -> Constants:
        return Constants(lambda: 2 * torch.tensor(self.rows, dtype=torch.float32) - 1)

    @property
    def signs(self) -> Tensor:
        """float32 ``(classes, bits)`` of −1 and 1."""
        return self._signs.on(CPU)

    def _encode(self, y: Tensor) -> Tensor:
        return (self._signs.on(y.device)[y] + 1) / 2

    def _scores(self, z: Tensor) -> Tensor:
        """``⟨s_k, z⟩`` of each class divided by a power of two, so that nothing overflows and ties remain ties."""
        return (self._signs.on(z.device) * (z / self._shrink)[:, None, :]).sum(dim=2)  # (N, classes, bits) summed

    @property
    def _shrink(self) -> int:
        """The power of two at or above the number of bits."""
        return 1 << (self.width - 1).bit_length()

    @property
    def _factor(self) -> float:
        """The factor that turns a difference of scores into a margin."""
        return self._shrink / (2 * self.distance)

    def _margins(self, z: Tensor) -> Tensor:
        scores = self._scores(z)
        (first, second), (winner, _) = (t.unbind(1) for t in scores.topk(2, dim=1))
        rival = first[:, None].expand_as(scores).scatter(1, winner[:, None], second[:, None])
        margins = (scores - rival) * self._factor
        lowest = (scores == first[:, None]).int().argmax(dim=1, keepdim=True)
        short = margins.detach().gather(1, lowest) < TINY  # a tie, or as good as one
        return margins + torch.zeros_like(scores).scatter(1, lowest, short.float() * TINY)

    def _terms(self, z: Tensor, y: Tensor) -> Tensor:
        scores = self._scores(z)
        rivals = torch.arange(self.num_classes - 1, device=z.device).expand(len(y), -1)
        rivals = rivals + (rivals >= y[:, None])  # (N, classes - 1), every class but y
        return (scores.gather(1, y[:, None]) - scores.gather(1, rivals)) * self._factor
