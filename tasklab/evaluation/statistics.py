"""How certain a share or a mean is, and whether two systems differ."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import torch
from torch import Tensor

from tasklab.checks import as_number, as_whole, keep


def wilson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The score interval of a share (Wilson 1927): ``(p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n)``.

    Args:
        successes: 0..n.
        n: how many examples.
        confidence: between 0 and 1.

    Returns:
        Both ends, in [0, 1]; nan for n = 0.

    Raises:
        ValueError: successes outside 0..n, or confidence outside (0, 1).

    >>> [round(end, 4) for end in wilson(81, 263)]
    [0.2553, 0.3662]
    """
    count, total, sure = as_whole(successes), as_whole(n), as_number(confidence)
    if count is None or total is None or not 0 <= count <= total:
        raise ValueError(f"expected successes in 0..n, got {successes!r} of {n!r}")
    if sure is None or not 0 < sure < 1:
        raise ValueError(f"expected confidence between 0 and 1, got {confidence!r}; try 0.95")
    successes, n, confidence = count, total, sure
    if n == 0:
        return math.nan, math.nan
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    p, grown = successes / n, 1 + z * z / n
    middle = (p + z * z / (2 * n)) / grown
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / grown
    low = 0.0 if successes == 0 else middle - half
    high = 1.0 if successes == n else middle + half
    return low, high


def mcnemar(a_correct: Tensor, b_correct: Tensor) -> float:
    """McNemar's exact paired test of the hypothesis that two systems are right equally often on the same images.

    Only images on which exactly one of them is right count; under the hypothesis, each of these is a fair coin toss.

    Args:
        a_correct, b_correct: bool ``(N,)``, in the same order of images.

    Returns:
        The two-sided p value ``min(1, 2·P(Binomial(n, ½) ≤ min(only a, only b)))``; 1 where they never differ.

    Raises:
        TypeError, ValueError: not two bool tensors of one length.

    >>> a = torch.tensor([True] * 9 + [False])
    >>> mcnemar(a, ~a)  # (1 + 10) · 2 / 2¹⁰
    0.021484375
    """
    for correct in (a_correct, b_correct):
        if not isinstance(correct, Tensor) or correct.dtype != torch.bool:
            got = correct.dtype if isinstance(correct, Tensor) else type(correct).__name__
            raise TypeError(f"expected which images are correct as bool (N,), got {got}; try decoded == labels")
    if a_correct.shape != b_correct.shape or a_correct.ndim != 1:
        raise ValueError(
            f"expected two tensors of one shape (N,), got {tuple(a_correct.shape)} and {tuple(b_correct.shape)}; "
            "try the same images for both systems"
        )
    b_correct = b_correct.to(a_correct.device)
    only_a, only_b = int((a_correct & ~b_correct).sum()), int((b_correct & ~a_correct).sum())
    n, few = only_a + only_b, min(only_a, only_b)
    ways = total = 1
    for i in range(few):
        ways = ways * (n - i) // (i + 1)
        total += ways
    return min(1.0, 2 * total / (1 << n))


@dataclass(frozen=True)
class Share:
    """A share, as a count out of n, with its 95 % interval.

    Args:
        count: from 0 to n.
        n: how many examples.

    >>> share = Share(973, 1000)
    >>> share.value, str(share)
    (0.973, '97.3 [96.1, 98.1]')
    """

    count: int
    n: int

    def __post_init__(self) -> None:
        wilson(self.count, self.n)  # its errors are raised now
        keep(self, count=as_whole(self.count), n=as_whole(self.n))

    @staticmethod
    def of(which: Tensor, among: Tensor | None = None) -> Share:
        """The share of examples for which something holds.

        Args:
            which: bool ``(N,)``, where it holds.
            among: bool ``(N,)``, the examples that count; all of them by default.
        """
        kept = which if among is None else which[among]
        return Share(int(kept.sum()), len(kept))

    @property
    def value(self) -> float:
        """Between 0 and 1; nan for n = 0."""
        return self.count / self.n if self.n else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval, both ends between 0 and 1."""
        return wilson(self.count, self.n)

    def percent(self, decimals: int = 1) -> str:
        """The share in percent with its interval, as ``97.3 [96.1, 98.1]``; ``–`` for n = 0.

        Args:
            decimals: of each number.
        """
        if not self.n:
            return "–"
        value, low, high = (f"{100 * part:.{decimals}f}" for part in (self.value, *self.interval))
        return f"{value} [{low}, {high}]"

    def __str__(self) -> str:
        return self.percent()


def student(freedom: int, confidence: float = 0.95) -> float:
    """How many standard errors a mean's two-sided interval reaches to either side, by Student's t distribution.

    Args:
        freedom: degrees of freedom, at least 1.
        confidence: between 0 and 1.

    >>> round(student(2), 3), round(student(1000), 3)
    (4.303, 1.962)
    """
    low, high = 0.0, math.pi / 2  # the angle whose tangent is t/√ν; the probability within it has a closed form
    for _ in range(60):
        angle = (low + high) / 2
        term = total = math.cos(angle) if freedom % 2 else 1.0
        for k in range(freedom % 2 + 2, freedom, 2):
            term *= (k - 1) / k * math.cos(angle) ** 2
            total += term
        total *= math.sin(angle)
        inside = total if freedom % 2 == 0 else 2 / math.pi * (angle + (total if freedom > 1 else 0.0))
        low, high = (angle, high) if inside < confidence else (low, angle)
    return math.sqrt(freedom) * math.tan((low + high) / 2)


@dataclass(frozen=True)
class Mean:
    """A mean with its 95 % interval by Student's t distribution.

    Args:
        values: finite numbers, at least one.
        within: the smallest and the largest number that the mean can be, such as 0 and 1 of shares; the interval ends
            there.

    >>> mean = Mean((1.0, 2.0, 3.0))
    >>> mean.value, str(mean)
    (2.0, '2 [-0.484, 4.48]')
    >>> str(Mean((0.9, 1.0), within=(0, 1)))
    '0.95 [0.315, 1]'
    """

    values: tuple[float, ...]
    within: tuple[float, float] = (-math.inf, math.inf)

    def __post_init__(self) -> None:
        if not self.values or not all(math.isfinite(value) for value in self.values):
            raise ValueError(f"expected at least one number, all of them finite, got {self.values!r}")

    @property
    def n(self) -> int:
        """How many values."""
        return len(self.values)

    @property
    def value(self) -> float:
        """The mean."""
        return math.fsum(self.values) / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Both ends; nan for a single value, which says nothing about its own error."""
        if self.n == 1:
            return math.nan, math.nan
        middle = self.value
        variance = math.fsum((value - middle) ** 2 for value in self.values) / (self.n - 1)
        half = student(self.n - 1) * math.sqrt(variance / self.n)
        low, high = self.within
        return max(low, middle - half), min(high, middle + half)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.3g}" + ("" if self.n == 1 else f" [{low:.3g}, {high:.3g}]")
