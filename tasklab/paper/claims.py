"""What the paper claims about its figures, compared with measurements: holds, does not hold, or cannot be told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from tasklab.evaluation.statistics import Mean, Share, mcnemar

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal["holds", "does not hold", "cannot be told"]

SURE = 0.05
"""A difference between systems on the same images counts if the p value of McNemar's test is below this."""

LITTLE = 0.01
"""A share that is certainly not higher by as much as this is not higher in any sense that the claim could have."""

FEW = 6
"""The number of signs from which all of them are the same by chance with a probability below 5 %: 2/2⁶."""

Z = 1.959964


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim and the verdict on it.

    Attributes:
        statement: what the paper says, in a sentence.
        verdict: whether that is so here.
        measured: the numbers behind the verdict.
    """

    statement: str
    verdict: Verdict
    measured: str


@dataclass(frozen=True, kw_only=True)
class Paired:
    """The difference of two shares on the same images.

    Attributes:
        first, second: the shares.
        difference: first minus second.
        interval: of the difference, 95 %, by Bonett and Price's adjusted Wald interval for paired proportions.
        p: of McNemar's exact test.
    """

    first: Share
    second: Share
    difference: float
    interval: tuple[float, float]
    p: float

    @property
    def higher(self) -> Verdict:
        """Whether the first share is the higher one."""
        if self.p < SURE and self.difference > 0:
            return "holds"
        return "does not hold" if self.interval[1] < LITTLE else "cannot be told"

    def __str__(self) -> str:
        gap, low, high = (f"{100 * value:+.1f}".replace("-", "−") for value in (self.difference, *self.interval))
        return (f"{self.first.percent()} % against {self.second.percent()} % (n = {self.first.n:,}), a difference of "
                f"{gap} [{low}, {high}] points, McNemar's p {p_said(self.p)}")


def paired(first: Sequence[Tensor], second: Sequence[Tensor]) -> Paired | None:
    """Compare two systems, or one system twice, on the same images; seeds count together.

    Args:
        first, second: bool ``(N,)`` for each seed, where something holds, in the same order of seeds and images.

    Returns:
        The comparison; None without any image.
    """
    if not first or not second or len(first) != len(second):
        return None
    a, b = torch.cat(list(first)), torch.cat(list(second))
    n = len(a)
    if not n:
        return None
    only_a, only_b = int((a & ~b).sum()) + 1, int((b & ~a).sum()) + 1  # one more of each, and two more images
    middle = (only_a - only_b) / (n + 2)
    half = Z * math.sqrt((only_a + only_b) / (n + 2) - middle**2) / math.sqrt(n + 2)
    return Paired(
        first=Share.of(a), second=Share.of(b), difference=(only_a - only_b) / n,
        interval=(max(-1.0, middle - half), min(1.0, middle + half)), p=mcnemar(a, b),
    )


def larger(difference: Mean | None) -> Verdict:
    """Whether paired differences are above 0 in the mean: their interval has to lie on one side of it.

    If all differences are the same, their interval has no width, which a few values do not justify.
    """
    if difference is None or math.isnan(difference.interval[0]):
        return "cannot be told"
    low, high = difference.interval
    if low == high and difference.n < FEW:
        return "cannot be told"
    return "holds" if low > 0 else "does not hold" if high <= 0 else "cannot be told"


def by_images(statement: str, compared: Paired | None, note: str = "") -> Claim:
    """A claim that one share is above another on the same images."""
    if compared is None:
        return Claim(statement=statement, verdict="cannot be told", measured="not made")
    return Claim(statement=statement, verdict=compared.higher, measured=f"{compared}{note}")


def by_numbers(statement: str, first: Sequence[float], second: Sequence[float], pairs: str) -> Claim:
    """A claim that numbers are above others, pair by pair.

    Args:
        statement: the claim.
        first, second: the numbers, in the same order.
        pairs: what there is one pair for each of, such as ``"classes"``.
    """
    if not first or len(first) != len(second):
        return Claim(statement=statement, verdict="cannot be told", measured="not made")
    difference = Mean(tuple(a - b for a, b in zip(first, second, strict=True)))
    return Claim(
        statement=statement, verdict=larger(difference),
        measured=f"{Mean(tuple(first))} against {Mean(tuple(second))}, a mean paired difference of {difference} "
                 f"over {difference.n} {pairs}",
    )


def claims_frame(claims: Sequence[Claim]) -> pd.DataFrame:
    """Claims as a table."""
    import pandas as pd

    return pd.DataFrame([{"claim": each.statement, "here": each.verdict, "measured": each.measured}
                         for each in claims], columns=["claim", "here", "measured"])


def p_said(p: float) -> str:
    """A p value to read.

    >>> p_said(0.03), p_said(1e-9)
    ('= 0.03', '< 0.001')
    """
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"
