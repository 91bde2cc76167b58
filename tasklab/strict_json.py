"""JSON that every reader takes: numbers that JSON does not have, which are NaN and the infinities, become null."""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Mapping
from typing import Any


def dumps(value: object, **layout: Any) -> str:
    """A value as JSON.

    Args:
        value: plain values; also NumPy's numbers, tuples and other mappings than ``dict``.
        layout: how `json.dumps` shall lay it out, such as ``indent``.

    Raises:
        TypeError: a value that JSON cannot hold.

    >>> dumps({"share": float("nan"), "distances": (0.5, float("inf"))})
    '{"share": null, "distances": [0.5, null]}'
    """
    return json.dumps(plain(value), allow_nan=False, **layout)


def plain(value: object) -> Any:
    """The value as JSON can hold it; what is not known here is returned as it is."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Mapping):
        return {_key(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else None
    if type(value).__name__ in ("bool", "bool_") and type(value).__module__ == "numpy":
        return bool(value)
    return value


def _key(key: object) -> object:
    """A key that is not finite has no null to become, so it becomes the word."""
    return str(key) if isinstance(key, float) and not math.isfinite(key) else key
