"""The outcomes of a set of examples, always as three numbers: correct, wrong and abnormal."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tasklab.checks import as_whole, keep
from tasklab.codecs import ABNORMAL
from tasklab.evaluation.statistics import Share


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """How many examples decoded to their label, to another class, and to none.

    Args:
        correct, wrong, abnormal: counts; their shares add to 1.

    >>> Outcomes(correct=90, wrong=8, abnormal=2).accuracy.value
    0.9
    """

    correct: int
    wrong: int
    abnormal: int

    def __post_init__(self) -> None:
        counts = [as_whole(count) for count in (self.correct, self.wrong, self.abnormal)]
        if any(count is None or count < 0 for count in counts):
            raise ValueError(f"expected counts ≥ 0, got {self.correct!r}, {self.wrong!r}, {self.abnormal!r}")
        keep(self, correct=counts[0], wrong=counts[1], abnormal=counts[2])

    @property
    def n(self) -> int:
        """How many examples there are."""
        return self.correct + self.wrong + self.abnormal

    @property
    def accuracy(self) -> Share:
        """The share of correct examples."""
        return Share(self.correct, self.n)

    @property
    def error(self) -> Share:
        """The share of examples that decoded to another class, without any alarm."""
        return Share(self.wrong, self.n)

    @property
    def alarm(self) -> Share:
        """The share of abnormal examples: the system says that it does not know."""
        return Share(self.abnormal, self.n)


def outcomes(decoded: Tensor, labels: Tensor) -> Outcomes:
    """Count how many decoded labels are correct, wrong or abnormal.

    Args:
        decoded: int64 ``(N,)``, `ABNORMAL` included.
        labels: int64 ``(N,)`` of 0 and more.

    Raises:
        TypeError, ValueError: other types, shapes or ranges.

    >>> outcomes(torch.tensor([0, 2, -1]), torch.tensor([0, 1, 0]))
    Outcomes(correct=1, wrong=1, abnormal=1)
    """
    for name, values, least in (("decoded", decoded, ABNORMAL), ("labels", labels, 0)):
        if not isinstance(values, Tensor) or values.dtype != torch.int64:
            got = values.dtype if isinstance(values, Tensor) else type(values).__name__
            raise TypeError(f"expected {name} as int64 (N,), got {got}; try {name}.long()")
        if len(values) and int(values.min()) < least:
            raise ValueError(f"expected {name} of at least {least}, got {int(values.min())}")
    if decoded.shape != labels.shape or labels.ndim != 1:
        raise ValueError(
            f"expected decoded and labels of one shape (N,), got {tuple(decoded.shape)} and {tuple(labels.shape)}"
        )
    correct = int((decoded == labels.to(decoded.device)).sum())
    abnormal = int((decoded == ABNORMAL).sum())
    return Outcomes(correct=correct, wrong=len(labels) - correct - abnormal, abnormal=abnormal)
