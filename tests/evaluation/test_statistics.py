"""Wilson's interval and McNemar's test against published values and scipy."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tasklab.evaluation import Share, mcnemar, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_newcombe_s_published_intervals(successes: int, n: int, low: float, high: float) -> None:
    """Newcombe 1998, Statistics in Medicine 17, table I, method 3."""
    assert wilson(successes, n) == pytest.approx((low, high), abs=6e-5)


@pytest.mark.parametrize(("n", "points"), [(200, 6.9), (1000, 3.1), (10000, 1.0)])
def test_half_widths_at_one_half(n: int, points: float) -> None:
    low, high = wilson(n // 2, n)
    assert round(50 * (high - low), 1) == points
    assert low + high == pytest.approx(1)


@settings(max_examples=60)
@given(st.integers(1, 5000), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_is_scipy_s(n: int, share: float, confidence: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    successes = round(share * n)
    theirs = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    ours = wilson(successes, n, confidence)
    assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert 0 <= ours[0] <= successes / n <= ours[1] <= 1


def test_a_wilson_interval_solves_the_score_equation() -> None:
    for successes, n in ((3, 10), (973, 1000), (1, 7)):
        for end in wilson(successes, n):
            assert abs(successes / n - end) == pytest.approx(1.959964 * math.sqrt(end * (1 - end) / n), rel=1e-5)


def test_no_examples_have_no_interval() -> None:
    assert all(math.isnan(end) for end in wilson(0, 0))
    assert math.isnan(Share(0, 0).value)
    assert Share(0, 0).percent() == "–"


@pytest.mark.parametrize("wrong", [(-1, 3), (4, 3), (1, -1), (1, 3, 0.0), (1, 3, 1.0), (1, 3, 95)])
def test_wilson_refuses_what_is_no_share(wrong: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"expected (successes in 0\.\.n|confidence between 0 and 1), got"):
        wilson(*wrong)


def test_a_share_reads_as_percent_with_its_interval() -> None:
    assert str(Share(973, 1000)) == "97.3 [96.1, 98.1]"
    assert Share(9731, 10000).percent(2) == "97.31 [96.97, 97.61]"
    assert Share(0, 20).percent() == "0.0 [0.0, 16.1]"
    which, among = torch.tensor([True, True, False, False]), torch.tensor([True, False, True, True])
    assert Share.of(which, among) == Share(1, 3)
    assert Share.of(which) == Share(2, 4)


def coins(only_a: int, only_b: int, both: int = 5, neither: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    a = torch.tensor([True] * only_a + [False] * only_b + [True] * both + [False] * neither)
    b = torch.tensor([False] * only_a + [True] * only_b + [True] * both + [False] * neither)
    return a, b


def test_mcnemar_by_hand() -> None:
    assert mcnemar(*coins(0, 0)) == 1
    assert mcnemar(*coins(1, 0)) == 1
    assert mcnemar(*coins(5, 0)) == 2 / 32
    assert mcnemar(*coins(1, 9)) == 2 * (1 + 10) / 1024
    assert mcnemar(*coins(6, 6)) == 1


@settings(max_examples=60)
@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 9))
def test_mcnemar_is_scipy_s_binomial_test(only_a: int, only_b: int, same: int) -> None:
    p = mcnemar(*coins(only_a, only_b, both=same))
    assert p == mcnemar(*coins(only_b, only_a, neither=same)), "symmetric, and what both share does not matter"
    if only_a + only_b:
        stats = pytest.importorskip("scipy.stats")
        assert p == pytest.approx(stats.binomtest(only_a, only_a + only_b).pvalue, rel=1e-9)


def test_mcnemar_on_many_images() -> None:
    assert mcnemar(*coins(3000, 2000)) < 1e-40
    assert 0.5 < mcnemar(*coins(2500, 2510)) <= 1


def test_mcnemar_refuses_what_is_not_paired() -> None:
    with pytest.raises(TypeError, match=r"expected which images are correct as bool .* got torch.int64; try decoded"):
        mcnemar(torch.tensor([1, 0]), torch.tensor([1, 1]))
    with pytest.raises(ValueError, match=r"expected two tensors of one shape \(N,\), got \(2,\) and \(1,\); try"):
        mcnemar(torch.tensor([True, False]), torch.tensor([True]))
