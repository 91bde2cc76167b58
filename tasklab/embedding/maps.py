"""Computing a map of points in a plane, frame by frame, and placing further points on the finished map."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tasklab.embedding.settings import PCA, TSNE, largest_perplexity

Positions = NDArray[np.float64]
Rows = NDArray[np.int64]

LEAST = 5
"""Smallest number of points of a map."""

GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """A map that is being computed.

    Attributes:
        iteration: number of iterations done.
        total: number of iterations in all.
        positions: float64 ``(N, 2)``.
        divergence: Kullback-Leibler divergence from the neighbourhoods of the points to those on the map, falling
            while neighbours come together; None for `PCA`.
    """

    iteration: int
    total: int
    positions: Positions
    divergence: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Map:
    """A finished map.

    Attributes:
        settings: of the projection.
        positions: float64 ``(N, 2)``, in the order of the points; must not be changed.
        divergence: as in `Frame`.
        explained: for `PCA`, the share of the points' variance along each axis; else None.
        width: D, the number of coordinates of a point.
    """

    settings: TSNE | PCA
    positions: Positions
    divergence: float | None = None
    explained: tuple[float, ...] | None = None
    width: int
    _placed: Callable[[Positions, Rows | None], Positions]

    def place(self, points: ArrayLike, rows: ArrayLike | None = None) -> Positions:
        """Positions of further points on this map, which is not changed.

        Each point is placed independently of the others. t-SNE starts a point among its nearest neighbours and then
        optimises its position, so points along a straight line may *jump* from one group to the next.

        Args:
            points: ``(M, D)``, of the same kind as those of the map.
            rows: integers ``(M,)``, for points with one coordinate: each point gets the height of the map's point with
                this row, from which it was made. Without them, the height is 0.

        Returns:
            float64 ``(M, 2)``.

        Raises:
            ValueError: the points have another width or are not finite, or the map does not have the rows.
        """
        further = _points(points, least=0)
        if further.shape[1] != self.width:
            raise ValueError(f"expected points of width {self.width}, as on the map, got {further.shape[1]}")
        indices = None if rows is None else np.asarray(rows, dtype=np.int64)
        if indices is not None and (indices.shape != (len(further),)
                                    or (len(indices) and not 0 <= indices.min() <= indices.max() < len(self))):
            raise ValueError(f"expected rows in 0..{len(self) - 1}, one for each of {len(further)} points")
        return self._placed(further, indices) if len(further) else np.zeros((0, 2))

    def __len__(self) -> int:
        return len(self.positions)


def stream(points: ArrayLike, settings: TSNE | PCA) -> Generator[Frame, None, Map]:
    """Compute a map frame by frame; the generator's return value is the map. To stop early, stop iterating.

    The first frame of t-SNE is its initialisation: the `PCA` of the points, scaled to a small size.

    Args:
        points: finite numbers ``(N, D)``, at least 5 points that are not all the same.
        settings: of the projection.

    Raises:
        ValueError: the points are not as above, the perplexity is too large for them, or t-SNE gets one coordinate.
        TypeError: the settings are not `TSNE` or `PCA`.

    >>> frames = stream([[0, 0, 1], [1, 0, 0], [0, 2, 0], [3, 1, 1], [2, 2, 2]], PCA())
    >>> next(frames).positions.shape
    (5, 2)
    """
    numbers = _points(points, least=LEAST)
    if (numbers == numbers[0]).all():
        raise ValueError("expected points that differ, got copies of one; try another layer or other images")
    if isinstance(settings, PCA):
        return (yield from _pca(numbers, settings))
    if not isinstance(settings, TSNE):
        raise TypeError(f"expected TSNE(…) or PCA(), got {type(settings).__name__}")
    if numbers.shape[1] < 2:
        raise ValueError("expected points of at least 2 coordinates for t-SNE, got 1; try PCA(), which needs only one")
    if settings.perplexity > largest_perplexity(len(numbers)):
        raise ValueError(
            f"expected perplexity of at most {largest_perplexity(len(numbers)):.4g} for {len(numbers)} points, "
            f"got {settings.perplexity:g}; try fewer neighbours or more points"
        )
    return (yield from _tsne(numbers, settings))


def embed(points: ArrayLike, settings: TSNE | PCA) -> Map:
    """Compute a map: `stream`, run to its end.

    >>> embed([[0, 0, 1], [1, 0, 0], [0, 2, 0], [3, 1, 1], [2, 2, 2]], PCA()).place([[1, 1, 1]]).shape
    (1, 2)
    """
    frames = stream(points, settings)
    while True:
        try:
            next(frames)
        except StopIteration as stop:
            result: Map = stop.value
            return result


def _pca(points: Positions, settings: PCA) -> Generator[Frame, None, Map]:
    if points.shape[1] == 1:
        heights = (np.arange(1, len(points) + 1) * GOLDEN) % 1 - 0.5  # spread evenly, whatever the order
        positions = np.stack([points[:, 0], heights], axis=1)

        def placed(more: Positions, rows: Rows | None) -> Positions:
            return np.stack([more[:, 0], np.zeros(len(more)) if rows is None else heights[rows]], axis=1)

        explained: tuple[float, ...] = (1.0,)
    else:
        from sklearn.decomposition import PCA as Plane

        plane = Plane(n_components=2, svd_solver="full").fit(points)

        def placed(more: Positions, rows: Rows | None) -> Positions:
            transformed: Positions = plane.transform(more)
            return transformed

        positions, explained = placed(points, None), tuple(float(share) for share in plane.explained_variance_ratio_)
    yield Frame(iteration=0, total=0, positions=positions.copy())
    return Map(settings=settings, positions=positions, explained=explained, width=points.shape[1], _placed=placed)


def _tsne(points: Positions, settings: TSNE) -> Generator[Frame, None, Map]:
    import openTSNE
    from openTSNE import affinity, initialization

    # These affinities must not be shared: exaggeration multiplies them and divides them again, which is not exact.
    affinities = affinity.PerplexityBasedNN(
        points, perplexity=settings.perplexity, method="exact", n_jobs=1, random_state=settings.seed
    )
    options = {"n_jobs": 1, "random_state": settings.seed, "negative_gradient_method": "bh"}
    start = initialization.pca(points, random_state=settings.seed)
    yield Frame(iteration=0, total=settings.total, positions=np.array(start))
    embedding = openTSNE.TSNEEmbedding(start.copy(), affinities, **options)
    done = 0
    for until, momentum, exaggeration in (
        (settings.early, 0.5, settings.exaggeration), (settings.total, 0.8, 1.0)
    ):
        while done < until:
            steps = min(settings.every, until - done)
            embedding.optimize(steps, inplace=True, exaggeration=exaggeration, momentum=momentum)
            done += steps
            yield Frame(iteration=done, total=settings.total, positions=np.array(embedding),
                        divergence=float(embedding.kl_divergence))
    positions = np.array(embedding)
    positions -= (positions.max(axis=0) + positions.min(axis=0)) / 2  # as openTSNE does before it places a point

    def placed(more: Positions, rows: Rows | None) -> Positions:
        # A copy, because placing a point moves the map by a rounding error.
        copy = openTSNE.TSNEEmbedding(positions.copy(), affinities, **options)
        return np.array(copy.transform(more))

    return Map(settings=settings, positions=positions, divergence=float(embedding.kl_divergence), width=points.shape[1],
               _placed=placed)


def _points(points: ArrayLike, least: int) -> Positions:
    numbers = np.asarray(points, dtype=np.float64)
    if numbers.ndim != 2 or len(numbers) < least or numbers.shape[1] < 1:
        raise ValueError(f"expected points of shape (N, D) with N ≥ {least}, got {numbers.shape}; try a batch")
    if not np.isfinite(numbers).all():
        raise ValueError("expected finite points, got nan or infinity; try a system whose features are finite")
    return numbers
