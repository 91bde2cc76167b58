"""The quality of a map: do neighbours have the same class, and are they neighbours among the points, too?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tasklab.checks import as_whole


def neighbour_accuracy(positions: ArrayLike, labels: ArrayLike, k: int = 10) -> float:
    """The share of points whose class is the most frequent one among their k nearest neighbours, ties to the smaller.

    Args:
        positions: ``(N, D)`` of a map, or the features themselves, to compare with.
        labels: ``(N,)`` of 0 and more.
        k: number of neighbours, 1..N-1, without the point itself.

    Raises:
        ValueError: other shapes or k.

    >>> neighbour_accuracy([[0, 0], [0, 1], [9, 0], [9, 1]], [0, 0, 1, 1], k=1)
    1.0
    """
    from sklearn.neighbors import NearestNeighbors

    points, y = _check(positions, k), np.asarray(labels)
    if y.shape != (len(points),) or not np.issubdtype(y.dtype, np.integer) or y.min() < 0:
        raise ValueError(f"expected labels as integers ≥ 0 of shape ({len(points)},), got {y.dtype} {y.shape}")
    neighbours = NearestNeighbors(n_neighbors=k).fit(points).kneighbors(return_distance=False)  # (N, k), without itself
    votes = np.stack([(y[neighbours] == k).sum(axis=1) for k in range(int(y.max()) + 1)], axis=1)  # (N, classes)
    return float((votes.argmax(axis=1) == y).mean())


def trustworthiness(points: ArrayLike, positions: ArrayLike, k: int = 10) -> float:
    """Whether neighbours on a map are neighbours among the points: 1 if all are, about 0.5 for a random map.

    Args:
        points: ``(N, D)``, what was mapped.
        positions: ``(N, 2)``, where to.
        k: neighbours, in 1..N/2-1.

    Returns:
        Venna and Kaski's measure (2001), by scikit-learn.

    Raises:
        ValueError: other shapes or k.
    """
    from sklearn import manifold

    before, after = _check(points, k), _check(positions, k)
    if len(before) != len(after) or not k < len(before) / 2:
        raise ValueError(
            f"expected as many positions as points, and k below half of them, got {len(before)} points, "
            f"{len(after)} positions and k={k}"
        )
    return float(manifold.trustworthiness(before, after, n_neighbors=k))


def _check(points: ArrayLike, k: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    values = np.asarray(points, dtype=np.float64)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise ValueError(f"expected finite points (N, D), got shape {values.shape}")
    if not 1 <= (as_whole(k) or 0) < len(values):
        raise ValueError(f"expected k as an integer in 1..{len(values) - 1}, got {k!r}; try a smaller one")
    return values
