"""Checking numbers as people pass them, NumPy's included, and making them plain, for every setting and argument.

A whole number is anything that `operator.index` accepts; a number is whole or a `numbers.Real`. The result is a plain
int or float, so that settings print, hash, compare and pass through JSON as if they had been typed. A bool is not a
number here, and neither is an array, unless it is whole and has no axes.
"""

from __future__ import annotations

import math
import numbers
import operator
from typing import Any


def as_whole(value: object) -> int | None:
    """A whole number as a plain int; None for everything else.

    >>> import numpy as np
    >>> as_whole(np.int64(3)), as_whole(np.array(3)), as_whole(np.array([3])), as_whole(3.0), as_whole(True)
    (3, 3, None, None, None)
    """
    if _is_bool(value) or _axes(value):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):  # torch refuses a float, or a tensor without values, in its own ways
        return None


def as_number(value: object) -> int | float | None:
    """A real number as a plain int or float; None for everything else, and for an int that no float can hold.

    >>> import numpy as np
    >>> as_number(np.float32(0.5)), as_number(np.int8(2)), as_number("0.5"), as_number(np.True_)
    (0.5, 2, None, None)
    """
    whole = as_whole(value)
    try:
        if whole is not None:
            float(whole)
            return whole
        return float(value) if isinstance(value, numbers.Real) and not _is_bool(value) else None
    except OverflowError:
        return None


def check_whole(name: str, value: object, *, low: int, high: int | None = None, hint: object = None) -> int:
    """A whole number in ``low..high``, as a plain int.

    Args:
        name: of the setting.
        value: as given.
        low, high: the ends, both included.
        hint: what to try instead.

    Raises:
        ValueError: anything else.

    >>> import numpy as np
    >>> check_whole("steps", np.int64(4), low=1)
    4
    """
    number = as_whole(value)
    if number is None or number < low or (high is not None and number > high):
        wanted = f"≥ {low}" if high is None else f"in {low}..{high}"
        raise ValueError(f"expected {name} as an integer {wanted}, got {value!r}{_try(hint, value)}")
    return number


def check_number(
    name: str, value: object, *, low: float = -math.inf, high: float = math.inf, hint: object = None
) -> int | float:
    """A finite number in ``low..high``, as a plain int or float; the arguments are those of `check_whole`.

    Raises:
        ValueError: anything else.

    >>> import numpy as np
    >>> check_number("eps", np.float64(0.25), low=0.0)
    0.25
    """
    number = as_number(value)
    if number is None or not math.isfinite(number) or not low <= number <= high:
        least, most = f" ≥ {low:g}" * (low > -math.inf), f" ≤ {high:g}" * (high < math.inf)
        wanted = " and".join(part for part in (least, most) if part)
        raise ValueError(f"expected {name} as a finite number{wanted}, got {value!r}{_try(hint, value)}")
    return number


def check_switch(name: str, value: object) -> bool:
    """True or False, NumPy's included, as a plain bool.

    Raises:
        ValueError: anything else.
    """
    if not _is_bool(value) or _axes(value):
        raise ValueError(f"expected {name} as True or False, got {value!r}")
    return bool(value)


def keep(owner: object, **values: Any) -> None:
    """Set attributes of a frozen dataclass, in its ``__post_init__``."""
    for name, value in values.items():
        object.__setattr__(owner, name, value)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool) or str(getattr(value, "dtype", "")).endswith("bool")


def _axes(value: object) -> int:
    axes = getattr(value, "ndim", None)
    return axes if isinstance(axes, int) else 0


def _try(hint: object, value: object) -> str:
    """The hint; for a number inside an array, how to take it out."""
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item") and not isinstance(value, numbers.Number):
        return "; try .item(), which takes the number out of an array"
    return "" if hint is None else f"; try {hint}"
