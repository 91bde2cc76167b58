"""The quality of a map: do neighbours have the same class, are they neighbours among the points, too, and what shape
does each class have?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
    return float(among_own(positions, labels, k).mean())


def among_own(positions: ArrayLike, labels: ArrayLike, k: int = 10) -> NDArray[np.bool_]:
    """Which points `neighbour_accuracy` counts; the arguments and errors are its own.

    Returns:
        bool ``(N,)``.
    """
    from sklearn.neighbors import NearestNeighbors

    points = _check(positions, k)
    y = _check_labels(labels, len(points))
    neighbours = NearestNeighbors(n_neighbors=k).fit(points).kneighbors(return_distance=False)  # (N, k), without itself
    votes = np.stack([(y[neighbours] == k).sum(axis=1) for k in range(int(y.max()) + 1)], axis=1)  # (N, classes)
    own: NDArray[np.bool_] = votes.argmax(axis=1) == y
    return own


def silhouettes(points: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """How much nearer each point is to its own class than to the next one, from -1 to 1 (Rousseeuw 1987).

    Args:
        points: ``(N, D)``.
        labels: ``(N,)`` of 0 and more, at least two classes and fewer classes than points.

    Returns:
        float64 ``(N,)``, by scikit-learn; its mean is the silhouette of the whole.

    Raises:
        ValueError: other shapes or labels.
    """
    from sklearn.metrics import silhouette_samples

    numbers = _check(points, 1)
    values: NDArray[np.float64] = silhouette_samples(numbers, _check_labels(labels, len(numbers)))
    return values


def separation(points: ArrayLike, labels: ArrayLike) -> dict[int, float]:
    """For each class, the distance from its mean to the nearest other class's, over its own spread.

    The spread is the root of the mean squared distance from the mean. Classes without one are left out.

    Args:
        points: ``(N, D)``.
        labels: ``(N,)`` of 0 and more.

    Raises:
        ValueError: other shapes.

    >>> separation([[0, 0], [0, 2], [8, 0], [8, 2]], [0, 0, 1, 1])
    {0: 8.0, 1: 8.0}
    """
    classes = _by_class(points, labels)
    means = {k: own.mean(axis=0) for k, own in classes.items()}
    ratios = {}
    for k, own in classes.items():
        spread = float(np.sqrt(((own - means[k]) ** 2).sum(axis=1).mean()))
        distances = [float(np.linalg.norm(means[k] - mean)) for other, mean in means.items() if other != k]
        if spread > 0 and distances:
            ratios[k] = min(distances) / spread
    return ratios


def elongation(points: ArrayLike, labels: ArrayLike) -> dict[int, float]:
    """For each class, how long and narrow it is: its spread along its longest direction over that along the next one.

    These are the first two singular values of its centred points: 1 for a ball, and more, the longer and narrower.
    Classes whose second one is 0 are left out.

    Args:
        points: ``(N, D)``, D of at least 2.
        labels: ``(N,)`` of 0 and more.

    Raises:
        ValueError: other shapes.

    >>> {k: round(ratio, 3) for k, ratio in elongation([[0, 0], [6, 0], [0, 2], [6, 2]], [1, 1, 1, 1]).items()}
    {1: 3.0}
    """
    ratios = {}
    for k, own in _by_class(points, labels).items():
        values = np.linalg.svd(own - own.mean(axis=0), compute_uv=False)
        if len(values) > 1 and values[1] > 1e-9 * values[0]:
            ratios[k] = float(values[0] / values[1])
    return ratios


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


def _by_class(points: ArrayLike, labels: ArrayLike) -> dict[int, NDArray[np.float64]]:
    numbers = _check(points, 1)
    y = _check_labels(labels, len(numbers))
    return {int(k): numbers[y == k] for k in np.unique(y)}


def _check_labels(labels: ArrayLike, n: int) -> NDArray[np.int64]:
    y = np.asarray(labels)
    if y.shape != (n,) or not np.issubdtype(y.dtype, np.integer) or y.min() < 0:
        raise ValueError(f"expected labels as integers ≥ 0 of shape ({n},), got {y.dtype} {y.shape}")
    return y


def _check(points: ArrayLike, k: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    values = np.asarray(points, dtype=np.float64)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise ValueError(f"expected finite points (N, D), got shape {values.shape}")
    if not 1 <= (as_whole(k) or 0) < len(values):
        raise ValueError(f"expected k as an integer in 1..{len(values) - 1}, got {k!r}; try a smaller one")
    return values
