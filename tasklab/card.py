"""The schema of a card: the description of a system in its file, with types, ranges and limits.

A card is rebuilt by this schema whenever it is read. A known part is kept if its types and ranges are right, and an
unknown one if it is plain and small; all others are left out, with a line in the log. Measurements are kept either all
together or not at all. Every part is optional.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from tasklab.text import one_line

_log = logging.getLogger(__name__)

MAX_DEPTH = 8
"""Largest depth of nesting."""

MAX_PARTS = 64
"""Largest number of parts of a card, or of a table in it."""

MAX_ITEMS = 1000
"""Largest length of a list, rows of measurements included."""

MAX_TEXT = 4000
MAX_KEY = 100

MAX_NUMBER = 1e15
"""Largest absolute value of a number, so that none overflows when it is formatted, squared or stored as float32."""

Part = Callable[[Any], Any]


class _Unfit(ValueError):
    """A value that the schema does not accept."""


def rebuilt(claimed: Mapping[str, Any]) -> dict[str, Any]:
    """A new card with those parts that the schema accepts.

    Args:
        claimed: a card from a file or from a caller, not checked yet.

    Returns:
        Plain JSON values, which share nothing with ``claimed``; the known parts as documented in `PARTS`.

    >>> rebuilt({"name": "mine", "epoch": -1, "metrics": [{"attack": "clean"}], "note": {"by": "me"}})
    {'name': 'mine', 'note': {'by': 'me'}}
    """
    card: dict[str, Any] = {}
    left_out = []
    for key, value in claimed.items():
        try:
            if len(card) >= MAX_PARTS:
                raise _Unfit
            card[_key(key)] = PARTS.get(key, plain)(value)
        except _Unfit:
            left_out.append(one_line(key, 40))
    if left_out:
        _log.info("left out of a card, since it is not as expected: %s", ", ".join(left_out[:5]))
    return card


def plain(value: Any, depth: int = 1) -> Any:
    """A copy of a plain and small JSON value.

    Raises:
        ValueError: the value is not plain, or too large.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, str) and len(value) <= MAX_TEXT:
        return value.encode(errors="replace").decode()  # half a surrogate pair cannot be encoded
    if depth < MAX_DEPTH and isinstance(value, list | tuple) and len(value) <= MAX_ITEMS:
        return [plain(each, depth + 1) for each in value]
    if depth < MAX_DEPTH and isinstance(value, Mapping) and len(value) <= MAX_PARTS:
        return {_key(key): plain(each, depth + 1) for key, each in value.items()}
    raise _Unfit


def check_numbers(settings: Any) -> None:
    """Check that float32 can hold and square all numbers of some settings.

    Raises:
        ValueError: it cannot; the message names the setting.
    """
    for name, value in settings.items() if isinstance(settings, Mapping) else ():
        for each in value if isinstance(value, list) and name != "code" else [value]:
            if isinstance(each, int | float) and not abs(each) <= MAX_NUMBER:
                raise ValueError(f"expected numbers up to {MAX_NUMBER:g}, got another for {one_line(name, 40)}")


def _key(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_KEY:
        raise _Unfit
    return one_line(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT or not (text := one_line(value, MAX_TEXT)).strip():
        raise _Unfit
    return text


def _number(value: Any) -> float | int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MAX_NUMBER:
        raise _Unfit  # also NaN
    return value


def _amount(value: Any) -> float | int:
    if _number(value) < 0:
        raise _Unfit
    return _number(value)


def _count(value: Any) -> int:
    if not isinstance(value, int) or _number(value) < 0:
        raise _Unfit
    return value


def _share(value: Any) -> float:
    if not 0 <= _number(value) <= 1:
        raise _Unfit
    return float(value)


def _maybe(part: Part) -> Part:
    return lambda value: None if value is None else part(value)


def _one_of(*values: Any) -> Part:
    def check(value: Any) -> Any:
        if type(value) not in {type(each) for each in values} or value not in values:
            raise _Unfit
        return value

    return check


def _list(part: Part) -> Part:
    def check(value: Any) -> list[Any]:
        if not isinstance(value, list | tuple) or len(value) > MAX_ITEMS:
            raise _Unfit
        return [part(each) for each in value]

    return check


def _table(**parts: Part) -> Part:
    """A table whose known entries have these types; other entries are kept if plain, and unfit ones are left out."""
    def check(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping) or len(value) > MAX_PARTS:
            raise _Unfit
        kept = {}
        for key, each in value.items():
            try:
                kept[_key(key)] = parts.get(key, plain)(each)
            except _Unfit:
                continue
        return kept

    return check


def _each(part: Part) -> Part:
    """A table with any keys, all of whose values have this type."""
    def check(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping) or len(value) > MAX_PARTS:
            raise _Unfit
        return {_key(key): part(each) for key, each in value.items()}

    return check


def _seeds(value: Any) -> Any:
    return _each(_share)(value) if isinstance(value, Mapping) else _list(_count)(value)


def _task(value: Any) -> dict[str, Any]:
    """The settings of the task; a code matrix, which may be large, is checked where the task is made."""
    if not isinstance(value, Mapping):
        raise _Unfit
    code = value.get("code")
    rows = {"code": code} if isinstance(code, list | tuple) else {}
    settings: dict[str, Any] = _table()({key: each for key, each in value.items() if key not in rows})
    return settings | rows


ROW: dict[str, tuple[Part, Any]] = {
    "attack": (_text, ...), "objective": (_maybe(_text), None), "norm": (_maybe(_text), None), "eps": (_amount, 0.0),
    "steps": (_count, 0), "restarts": (_count, 0), "n": (_count, ...), "correct": (_maybe(_count), None),
    "wrong": (_maybe(_count), None), "abnormal": (_maybe(_count), None), "accuracy": (_share, ...),
    "low": (_maybe(_share), None), "high": (_maybe(_share), None), "zero_gradient": (_maybe(_share), None),
    "unmoved": (_maybe(_share), None), "flags": (_list(_text), ()),
}
"""One row of measurements: type and default of each entry; an entry with the default "..." is required."""


def _row(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _Unfit
    row = {}
    for key, (part, usual) in ROW.items():
        if usual is ... and key not in value:
            raise _Unfit
        row[key] = part(value.get(key, usual))
    counts = [row[key] for key in ("correct", "wrong", "abnormal") if row[key] is not None]
    if row["n"] < 1 or sum(counts) > row["n"]:
        raise _Unfit
    return row


PARTS: dict[str, Part] = {
    "name": _text,
    "format": _count,
    "stored": _one_of("float32", "float16"),
    "task": _task,
    "network": _table(),
    "data": _table(name=_text, train=_count, test=_count),
    "start": _table(name=_text, digest=_text),
    "recipe": _table(epochs=_count, defence=_maybe(_table(defence=_text))),
    "epoch": _count,
    "seconds": _amount,
    "device": _text,
    "threads": _count,
    "versions": _each(_text),
    "command": _text,
    "float32_accuracy": _share,
    "seeds": _seeds,
    "metrics": _list(_row),
}
"""The known parts and their types: the system's name; the file's format and how its weights are stored; task
and network; the data set's name and sizes; the system that the training started from; the recipe; the epoch kept, the
seconds and the device of the training; the command that repeats it; accuracies by seed; rows of measurements, the clean
one first."""
