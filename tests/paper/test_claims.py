"""Claims: what holds, what does not, and what cannot be told."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import ttest_rel
from torch import Tensor

from tasklab.evaluation.statistics import Mean, mcnemar
from tasklab.paper.claims import by_images, by_numbers, paired


def first(count: int, n: int = 1000) -> Tensor:
    """The first ones of n images."""
    return torch.arange(n) < count


@pytest.mark.parametrize(("a", "b", "n", "verdict"), [
    (900, 850, 1000, "holds"), (850, 900, 1000, "does not hold"), (900, 900, 1000, "does not hold"),
    (18, 18, 20, "cannot be told"), (18, 17, 20, "cannot be told"), (902, 900, 1000, "does not hold"),
])
def test_a_share_is_higher_lower_or_it_cannot_be_told(a: int, b: int, n: int, verdict: str) -> None:
    compared = paired([first(a, n)], [first(b, n)])
    assert compared is not None and compared.higher == verdict
    assert compared.interval[0] <= compared.difference <= compared.interval[1]
    assert compared.p == mcnemar(first(a, n), first(b, n))


def test_seeds_count_together_and_what_was_not_made_cannot_be_told() -> None:
    compared = paired([first(10), first(20)], [first(5), first(15)])
    assert compared is not None and (compared.first.count, compared.first.n) == (30, 2000)
    for pair in (([], []), ([first(1)], [])):
        assert by_images("A is higher", paired(*pair)).verdict == "cannot be told"


def test_numbers_are_compared_pair_by_pair() -> None:
    low = [1.0, 5.0, 2.0, 9.0]
    high = [value + step for value, step in zip(low, (0.5, 0.4, 0.6, 0.5), strict=True)]
    assert by_numbers("more", high, low, "classes").verdict == "holds"
    assert by_numbers("more", low, high, "classes").verdict == "does not hold"
    assert by_numbers("more", low, low[::-1], "classes").verdict == "cannot be told"
    assert by_numbers("more", [2.0], [1.0], "seeds").verdict == "cannot be told", "a single pair says nothing"
    assert by_numbers("more", [3.0] * 3, [1.0] * 3, "seeds").verdict == "cannot be told", "nor do three that agree"
    assert by_numbers("more", [3.0] * 6, [1.0] * 6, "seeds").verdict == "holds"
    ends = ttest_rel(high, low).confidence_interval()
    assert Mean(tuple(a - b for a, b in zip(high, low, strict=True))).interval == pytest.approx((ends.low, ends.high))
