"""From points of many coordinates to a plane, frame by frame; and further points placed into the finished map."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tasklab.embedding.settings import PCA, TSNE, largest_perplexity

Positions = NDArray[np.float64]
Rows = NDArray[np.int64]

LEAST = 5
"""Fewer points are no map."""

GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """A map on its way.

    Attributes:
        iteration: of ``total``.
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
        settings: what drew it.
        positions: float64 ``(N, 2)``, one for each point, in the order given; read-only by agreement.
        divergence: as in `Frame`.
        explained: of `PCA`, the share of the points' variance along each axis.
        width: D, the coordinates of a point.
    """

    settings: TSNE | PCA
    positions: Positions
    divergence: float | None = None
    explained: tuple[float, ...] | None = None
    width: int
    _placed: Callable[[Positions, Rows | None], Positions]

    def place(self, points: ArrayLike, rows: ArrayLike | None = None) -> Positions:
        """Where further points belong on this map, which stays as it is.

        Each is placed by itself: a result does not depend on what else is placed with it. t-SNE lays a point among its
        nearest neighbours and lets it settle, so points on a straight way may *jump* from one group to the next.

        Args:
            points: ``(M, D)``, of the same kind as those mapped.
            rows: integers ``(M,)``, for points of one coordinate: each keeps the height of the map's point of that row,
                so that what came from it lies straight beside it. Without, they lie at height 0.

        Returns:
            float64 ``(M, 2)``.

        Raises:
            ValueError: points of another width, or that are not finite; rows that the map does not have.
        """
        found = _points(points, least=0)
        if found.shape[1] != self.width:
            raise ValueError(f"expected points of width {self.width}, as on the map, got {found.shape[1]}")
        of = None if rows is None else np.asarray(rows, dtype=np.int64)
        if of is not None and (of.shape != (len(found),) or (len(of) and not 0 <= of.min() <= of.max() < len(self))):
            raise ValueError(f"expected rows in 0..{len(self) - 1}, one for each of {len(found)} points")
        return self._placed(found, of) if len(found) else np.zeros((0, 2))

    def __len__(self) -> int:
        return len(self.positions)


def stream(points: ArrayLike, settings: TSNE | PCA) -> Generator[Frame, None, Map]:
    """Draw a map frame by frame; the generator's return value is the map. To stop, stop consuming.

    The first frame of t-SNE is its beginning: the `PCA` of the points, made tiny.

    Args:
        points: finite numbers ``(N, D)``, at least 5, that are not all the same.
        settings: how.

    Raises:
        ValueError: no such points, a perplexity too large for so few, or t-SNE of a single coordinate.

    >>> frames = stream([[0, 0, 1], [1, 0, 0], [0, 2, 0], [3, 1, 1], [2, 2, 2]], PCA())
    >>> next(frames).positions.shape
    (5, 2)
    """
    found = _points(points, least=LEAST)
    if (found == found[0]).all():
        raise ValueError("expected points that differ, got copies of one; try another layer or other images")
    if isinstance(settings, PCA):
        return (yield from _pca(found, settings))
    if not isinstance(settings, TSNE):
        raise TypeError(f"expected TSNE(…) or PCA(), got {type(settings).__name__}")
    if found.shape[1] < 2:
        raise ValueError("expected points of at least 2 coordinates for t-SNE, got 1; try PCA(), which needs only one")
    if settings.perplexity > largest_perplexity(len(found)):
        raise ValueError(
            f"expected perplexity of at most {largest_perplexity(len(found)):.4g} for {len(found)} points, "
            f"got {settings.perplexity:g}; try fewer neighbours or more points"
        )
    return (yield from _tsne(found, settings))


def embed(points: ArrayLike, settings: TSNE | PCA) -> Map:
    """Run `stream` to its end.

    >>> embed([[0, 0, 1], [1, 0, 0], [0, 2, 0], [3, 1, 1], [2, 2, 2]], PCA()).place([[1, 1, 1]]).shape
    (1, 2)
    """
    frames = stream(points, settings)
    while True:
        try:
            next(frames)
        except StopIteration as stop:
            found: Map = stop.value
            return found


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
            there: Positions = plane.transform(more)
            return there

        positions, explained = placed(points, None), tuple(float(share) for share in plane.explained_variance_ratio_)
    yield Frame(iteration=0, total=0, positions=positions.copy())
    return Map(settings=settings, positions=positions, explained=explained, width=points.shape[1], _placed=placed)


def _tsne(points: Positions, settings: TSNE) -> Generator[Frame, None, Map]:
    import openTSNE
    from openTSNE import affinity, initialization

    # The affinities belong to this map alone: exaggeration multiplies them and divides them again, which is not exact.
    near = affinity.PerplexityBasedNN(
        points, perplexity=settings.perplexity, method="exact", n_jobs=1, random_state=settings.seed
    )
    how = {"n_jobs": 1, "random_state": settings.seed, "negative_gradient_method": "bh"}
    begun = initialization.pca(points, random_state=settings.seed)
    yield Frame(iteration=0, total=settings.total, positions=np.array(begun))
    drawn = openTSNE.TSNEEmbedding(begun.copy(), near, **how)
    done = 0
    for until, momentum, exaggeration in (
        (settings.early, 0.5, settings.exaggeration), (settings.total, 0.8, 1.0)
    ):
        while done < until:
            now = min(settings.every, until - done)
            drawn.optimize(now, inplace=True, exaggeration=exaggeration, momentum=momentum)
            done += now
            yield Frame(iteration=done, total=settings.total, positions=np.array(drawn),
                        divergence=float(drawn.kl_divergence))
    positions = np.array(drawn)
    positions -= (positions.max(axis=0) + positions.min(axis=0)) / 2  # as openTSNE does before it places a point

    def placed(more: Positions, rows: Rows | None) -> Positions:
        copy = openTSNE.TSNEEmbedding(positions.copy(), near, **how)  # placing moves the map by a rounding error
        return np.array(copy.transform(more))

    return Map(settings=settings, positions=positions, divergence=float(drawn.kl_divergence), width=points.shape[1],
               _placed=placed)


def _points(points: ArrayLike, least: int) -> Positions:
    found = np.asarray(points, dtype=np.float64)
    if found.ndim != 2 or len(found) < least or found.shape[1] < 1:
        raise ValueError(f"expected points of shape (N, D) with N ≥ {least}, got {found.shape}; try a batch")
    if not np.isfinite(found).all():
        raise ValueError("expected finite points, got nan or infinity; try a system whose features are finite")
    return found
