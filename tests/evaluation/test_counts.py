"""Outcomes: three numbers that add to 1, and None that is never class 0."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tasklab.codecs import ABNORMAL
from tasklab.evaluation import Outcomes, outcomes


def test_abnormal_is_never_class_zero() -> None:
    counted = outcomes(torch.full((4,), ABNORMAL), torch.zeros(4, dtype=torch.int64))
    assert (counted.correct, counted.wrong, counted.abnormal) == (0, 0, 4)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(-1, 9), st.integers(0, 9)), min_size=1, max_size=50))
def test_counts_are_those_of_a_plain_loop_and_shares_add_to_one(pairs: list[tuple[int, int]]) -> None:
    counted = outcomes(torch.tensor([d for d, _ in pairs]), torch.tensor([y for _, y in pairs]))
    assert counted.correct == sum(d == y for d, y in pairs)
    assert counted.abnormal == sum(d == -1 for d, _ in pairs)
    assert counted.wrong == sum(d not in (-1, y) for d, y in pairs)
    assert counted.n == len(pairs)
    assert counted.accuracy.value + counted.error.value + counted.alarm.value == pytest.approx(1)
    for share in (counted.accuracy, counted.error, counted.alarm):
        assert share.interval[0] <= share.value <= share.interval[1]


def test_an_empty_set_has_no_shares() -> None:
    empty = torch.zeros(0, dtype=torch.int64)
    counted = outcomes(empty, empty)
    assert counted.n == 0
    assert math.isnan(counted.accuracy.value)
    assert math.isnan(counted.alarm.interval[0])


def test_what_is_no_label_is_refused() -> None:
    y = torch.tensor([0, 1])
    with pytest.raises(TypeError, match=r"expected decoded as int64 .* got torch.float32; try decoded.long"):
        outcomes(y.float(), y)
    with pytest.raises(ValueError, match="expected labels of at least 0, got -1"):
        outcomes(y, torch.tensor([0, -1]))
    with pytest.raises(ValueError, match="expected decoded of at least -1, got -2"):
        outcomes(torch.tensor([-2, 0]), y)
    with pytest.raises(ValueError, match=r"of one shape \(N,\), got \(2,\) and \(1,\)"):
        outcomes(y, y[:1])
    with pytest.raises(ValueError, match="expected counts ≥ 0, got -1"):
        Outcomes(correct=-1, wrong=0, abnormal=0)
