"""JSON that is written so that every program can read it, and read so that values that do not fit are refused.

Numbers that JSON does not have, which are NaN and the infinities, become null.
"""

from __future__ import annotations

import json
import math
import numbers
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from tasklab.text import one_line

T = TypeVar("T")
LARGEST = 2**63 - 1
"""The largest whole number that is read: that of an int64."""

MAX_TEXT = 4000
"""Largest length of a text that is read, in characters."""


def dumps(value: object, **layout: Any) -> str:
    """A value as JSON.

    Args:
        value: plain values; also NumPy's numbers, tuples and other mappings than ``dict``.
        layout: options of `json.dumps` for the layout, such as ``indent``.

    Raises:
        TypeError: a value that JSON cannot hold.

    >>> dumps({"share": float("nan"), "distances": (0.5, float("inf"))})
    '{"share": null, "distances": [0.5, null]}'
    """
    return json.dumps(plain(value), allow_nan=False, **layout)


def plain(value: object) -> Any:
    """The value in a form that JSON can hold; values of unknown types are returned as they are."""
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
    """The key; a number that is not finite becomes a word, since a key cannot be null."""
    return str(key) if isinstance(key, float) and not math.isfinite(key) else key


class Fields:
    """The values of a JSON object, each read with a check of its type and range.

    Args:
        value: the parsed JSON.
        what: what the object describes, for messages.
        keys: those that it has, no more and no fewer.

    Raises:
        ValueError: the value is no object, or its keys are others; so do all methods where a value does not fit.

    >>> row = Fields({"steps": 20, "eps": 0.1, "unmoved": None}, "row 1", ("steps", "eps", "unmoved"))
    >>> row.count("steps"), row.number("eps", low=0), row.maybe("unmoved", row.count)
    (20, 0.1, None)
    >>> row.count("eps")
    Traceback (most recent call last):
        ...
    ValueError: expected eps of row 1 as a whole number of at least 0, got 0.1
    """

    def __init__(self, value: object, what: str, keys: Iterable[str]) -> None:
        wanted = tuple(keys)
        if not isinstance(value, Mapping):
            raise ValueError(f"expected {what} as a JSON object, got {type(value).__name__}")
        if missing := [key for key in wanted if key not in value]:
            raise ValueError(f"expected {what} with {', '.join(wanted)}, got none of {', '.join(missing)}")
        if unknown := [one_line(key, 40) for key in value if key not in wanted]:
            raise ValueError(f"expected {what} with {', '.join(wanted)}, got also {', '.join(unknown[:5])}")
        self._values, self._what = value, what

    def count(self, key: str) -> int:
        """A whole number of at least 0."""
        value = self._values[key]
        if type(value) is not int or not 0 <= value <= LARGEST:
            raise self._unfit(key, "a whole number of at least 0")
        return value

    def number(self, key: str, *, low: float = -math.inf, high: float = math.inf) -> float:
        """A finite number from ``low`` to ``high``, both included."""
        value = self._values[key]
        if type(value) not in (int, float) or not abs(value) <= sys.float_info.max or not low <= value <= high:
            ends = f" of at least {low:g}" * (low > -math.inf) + f" of at most {high:g}" * (high < math.inf)
            raise self._unfit(key, f"a finite number{ends}")
        return float(value)

    def text(self, key: str) -> str:
        """A text on one line."""
        value = self._values[key]
        if not isinstance(value, str) or value != one_line(value, MAX_TEXT):
            raise self._unfit(key, f"a text on one line of up to {MAX_TEXT} characters")
        return value

    def choice(self, key: str, choices: Iterable[T]) -> T:
        """One of some values."""
        known = list(choices)
        for choice in known:
            if type(self._values[key]) is type(choice) and self._values[key] == choice:
                return choice
        raise self._unfit(key, f"one of {', '.join(map(str, known))}")

    def each(self, key: str, read: Callable[[Fields, str], T]) -> tuple[T, ...]:
        """A list, each entry read by ``read``, a method that is not bound yet, such as ``Fields.text``."""
        entries = {f"entry {index}": value for index, value in enumerate(self.items(key), start=1)}
        inside = Fields(entries, f"{key} of {self._what}", entries)
        return tuple(read(inside, entry) for entry in entries)

    def items(self, key: str) -> list[Any]:
        """A list, whose values are still to be read."""
        if not isinstance(value := self._values[key], list):
            raise self._unfit(key, "a list")
        return value

    def table(self, key: str) -> dict[str, Any]:
        """A JSON object, whose values are still to be read."""
        if not isinstance(value := self._values[key], dict):
            raise self._unfit(key, "a JSON object")
        return value

    def maybe(self, key: str, read: Callable[[str], T]) -> T | None:
        """None if the value is null, otherwise the value as read by ``read``, another method."""
        return None if self._values[key] is None else read(key)

    def _unfit(self, key: str, wanted: str) -> ValueError:
        return ValueError(f"expected {key} of {self._what} as {wanted}, got {one_line(repr(self._values[key]), 60)}")
