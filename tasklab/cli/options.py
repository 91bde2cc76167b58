"""Values of options: those that are wrong for every system and data set are refused when the command line is parsed."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable

MAX_SEED = 2**63 - 1
DEVICES = re.compile(r"(cpu|cuda|mps|xpu)(:\d+)?")


def whole(low: int = 1, high: int | None = None) -> Callable[[str], int]:
    """A reader of whole numbers, for argparse.

    Args:
        low, high: both ends, included; no upper end where ``high`` is None.
    """
    wanted = f"≥ {low}" if high is None else f"in {low}..{high}"

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected an integer {wanted}, got {_short(text)}") from None
        if value < low or (high is not None and value > high):
            raise argparse.ArgumentTypeError(f"expected an integer {wanted}, got {_short(text)}")
        return value

    return read


def number(
    low: float = -math.inf, high: float = math.inf, *, above: bool = False, endless: bool = False
) -> Callable[[str], float]:
    """A reader of finite numbers, or fractions such as 8/255, for argparse.

    Args:
        low, high: both ends, included.
        above: whether ``low`` itself is refused.
        endless: whether infinity is accepted as well.
    """
    ends = [f"{'>' if above else '≥'} {low:g}"] * math.isfinite(low) + [f"≤ {high:g}"] * math.isfinite(high)
    wanted = " ".join(["a number", " and ".join(ends)]).strip() + ", or a fraction such as 8/255"

    def read(text: str) -> float:
        top, _, bottom = text.partition("/")
        try:
            value = float(top) / float(bottom) if bottom else float(text)
        except (ValueError, ZeroDivisionError, OverflowError):
            value = math.nan
        good = low <= value <= high and not (above and value == low) and (endless or math.isfinite(value))
        if not good:
            raise argparse.ArgumentTypeError(f"expected {wanted}, got {_short(text)}")
        return value

    return read


seed = whole(0, MAX_SEED)
"""Reads the seed of everything random."""


def device(text: str) -> str:
    """Read the name of a device: ``cpu``, ``cuda`` or another kind that torch has, with or without a number.

    Args:
        text: as typed.

    Raises:
        argparse.ArgumentTypeError: no such kind of device.
    """
    if not DEVICES.fullmatch(text):
        raise argparse.ArgumentTypeError(f"expected a device such as cpu, cuda or cuda:1, got {_short(text)}")
    return text


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
