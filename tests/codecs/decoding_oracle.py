"""What an output means, said again in plain Python: no tensors, no margins, exact arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from tasklab.codecs import ABNORMAL, Argmax, Binary, Codec, Interval


def read_scores(row: Sequence[float]) -> int:
    """The largest score; among equals the lowest class."""
    best = 0
    for k, score in enumerate(row):
        if score > row[best]:
            best = k
    return best


def read_bits(row: Sequence[float], rows: Sequence[Sequence[int]], threshold: float) -> int:
    """Equation 2: a bit is 1 iff its output is above the threshold; the pattern is looked up."""
    pattern = tuple(1 if out > threshold else 0 for out in row)
    return {tuple(bits): k for k, bits in enumerate(rows)}.get(pattern, ABNORMAL)


def read_point(z: float, codec: Interval) -> int:
    """Membership in ``[L, U]`` (a shared end is the upper interval's), or ``⌊(z − s0)/(α + β)⌋``; in fractions."""
    point, s0, alpha, beta = (Fraction(v) for v in (z, codec.s0, codec.alpha, codec.beta))
    if codec.gap == "floor":
        k = math.floor((point - s0) / (alpha + beta))
        return k if 0 <= k < codec.num_classes else ABNORMAL
    for k in reversed(range(codec.num_classes)):
        low = s0 + k * (alpha + beta)
        if low <= point <= low + beta:
            return k
    return ABNORMAL


def read(codec: Codec, row: Sequence[float]) -> int:
    """The label of one row of outputs."""
    if not all(math.isfinite(out) for out in row):
        return ABNORMAL
    if isinstance(codec, Argmax):
        return read_scores(row)
    if isinstance(codec, Binary):
        return read_bits(row, codec.rows, codec.threshold)
    assert isinstance(codec, Interval)
    return read_point(row[0], codec)


def neighbours(value: float) -> list[float]:
    """A float32, the one below it and the one above it."""
    here = np.float32(value)
    return [float(v) for v in (np.nextafter(here, np.float32(-np.inf)), here, np.nextafter(here, np.float32(np.inf)))]


def edges(codec: Codec) -> list[float]:
    """Outputs at which a decision turns, and their float neighbours."""
    if isinstance(codec, Binary):
        turns = [codec.threshold]
    elif isinstance(codec, Interval):
        step = codec.alpha + codec.beta
        lows = [codec.s0 + k * step for k in range(codec.num_classes + 1)]
        turns = [*lows, *(low + codec.beta for low in lows[:-1]), *(low + codec.beta / 2 for low in lows[:-1])]
    else:
        turns = [0.0, 1.0]
    return [v for turn in turns for v in neighbours(turn)]
