"""JSON that every reader takes."""

from __future__ import annotations

import json
import math
from types import MappingProxyType

import numpy as np
import pytest

from tasklab import strict_json


def test_numbers_that_json_does_not_have_become_null() -> None:
    value = {"a": [math.nan, (math.inf, 1.5)], "b": {"c": -math.inf}, 1: None, "d": True, "ε": 2**80}
    content = strict_json.dumps(value, ensure_ascii=False)
    assert json.loads(content) == {"a": [None, [None, 1.5]], "b": {"c": None}, "1": None, "d": True, "ε": 2**80}
    assert "Infinity" not in content and "ε" in content
    assert json.loads(strict_json.dumps({math.nan: 1})) == {"nan": 1}


def test_numpys_numbers_are_numbers() -> None:
    value = MappingProxyType({"a": np.float32(0.5), "b": np.int64(3), "c": np.float64("nan"), "d": np.bool_(True)})
    assert json.loads(strict_json.dumps(value)) == {"a": 0.5, "b": 3, "c": None, "d": True}


def test_what_json_cannot_hold_is_an_error() -> None:
    with pytest.raises(TypeError):
        strict_json.dumps({"a": object()})
