"""Means with Student's intervals, held against SciPy."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from tasklab.evaluation.statistics import Mean, student


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 9, 10, 999])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
def test_the_quantile_is_student_s(freedom: int, confidence: float) -> None:
    assert student(freedom, confidence) == pytest.approx(stats.t.ppf((1 + confidence) / 2, freedom), rel=1e-9)


def test_a_single_value_has_no_interval_and_none_is_no_mean() -> None:
    assert str(Mean((2.5,))) == "2.5" and all(map(math.isnan, Mean((2.5,)).interval))
    assert Mean((2.0, 2.0)).interval == (2.0, 2.0)
    for values in ((), (1.0, math.nan)):
        with pytest.raises(ValueError, match="at least one number"):
            Mean(values)
