"""2-D point sets in the unit square: moons, circles, blobs and spirals."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tasklab.checks import as_number, as_whole

Array = NDArray[np.float64]

SPREAD = {"moons": 0.03, "circles": 0.03, "blobs": 0.06, "spirals": 0.015}
"""The default noise of each set: a standard deviation, in units of the square's side."""


def _moons(label: NDArray[np.int64], t: Array) -> Array:
    angle = np.pi * t
    first = np.stack([np.cos(angle), np.sin(angle)], 1)
    second = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], 1)
    raw = np.where(label[:, None] == 0, first, second)  # (N, 2) in [-1, 2] x [-0.5, 1]
    unit: Array = (raw - np.array([0.5, 0.25])) / np.array([1.5, 0.75])
    return unit


def _circles(label: NDArray[np.int64], t: Array) -> Array:
    angle = 2 * np.pi * t
    radius = np.where(label == 0, 1.0, 0.5)[:, None]
    unit: Array = radius * np.stack([np.cos(angle), np.sin(angle)], 1)
    return unit


def _blobs(label: NDArray[np.int64], t: Array) -> Array:
    centres: Array = np.array([[-0.6, -0.6], [0.6, -0.6], [-0.6, 0.6], [0.6, 0.6]])
    return centres[label]


def _spirals(label: NDArray[np.int64], t: Array) -> Array:
    radius = 0.1 + 0.9 * np.sqrt(t)
    angle = 2 * np.pi * (label / 3 + 0.75 * radius)
    unit: Array = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    return unit


_CURVES: dict[str, tuple[int, Callable[[NDArray[np.int64], Array], Array]]] = {
    "moons": (2, _moons),
    "circles": (2, _circles),
    "blobs": (4, _blobs),
    "spirals": (3, _spirals),
}


def draw_points(
    name: str, split: str, *, n: int = 1000, noise: float | None = None, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Draw one split of a point set; the splits are independent draws from one distribution.

    Args:
        name: "moons" (2 classes), "circles" (2), "blobs" (4) or "spirals" (3).
        split: any word; each has its own random stream.
        n: how many points; the classes are as equal in size as possible.
        noise: standard deviation of the Gaussian noise, in units of the square's side; None for the set's own.
        seed: any integer ≥ 0.

    Returns:
        points, float32 ``(n, 2)`` in [0, 1] (those that noise moves out of the square are put on its edge), and labels,
        int64 ``(n,)``.

    Raises:
        ValueError: if a setting is out of range.

    >>> points, labels = draw_points("moons", "train", n=4, noise=0.0)
    >>> points.shape, sorted(labels.tolist())
    ((4, 2), [0, 0, 1, 1])
    """
    if name not in _CURVES:
        raise ValueError(f"expected a point set, one of {', '.join(_CURVES)}, got {name!r}; try 'moons'")
    noise = SPREAD[name] if noise is None else noise
    count, spread, start = as_whole(n), as_number(noise), as_whole(seed)
    if count is None or count < 1:
        raise ValueError(f"expected n ≥ 1, got {n!r}; try 1000")
    if spread is None or not 0 <= spread < float("inf"):
        raise ValueError(f"expected noise ≥ 0, in units of the square's side, got {noise!r}; try {SPREAD[name]}")
    if start is None or start < 0:
        raise ValueError(f"expected seed ≥ 0, got {seed!r}; try 0")
    classes, curve = _CURVES[name]
    rng = np.random.default_rng([start, zlib.crc32(f"{name} {split}".encode())])
    label = rng.permutation(np.arange(count, dtype=np.int64) % classes)  # (N,)
    unit = curve(label, rng.uniform(size=count))  # (N, 2) in [-1, 1]
    points = 0.5 + 0.4 * unit + spread * rng.standard_normal((count, 2))
    return np.clip(points, 0.0, 1.0).astype(np.float32), label
