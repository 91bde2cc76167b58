"""The settings of a map, frozen; their repr shows every default."""

from __future__ import annotations

from dataclasses import dataclass

from tasklab.checks import check_number, check_whole, keep


@dataclass(frozen=True, kw_only=True)
class TSNE:
    """t-distributed stochastic neighbour embedding (van der Maaten & Hinton 2008), begun from `PCA`.

    A point's neighbours are weighed so that about ``perplexity`` of them count, and points of the plane are moved until
    the same ones are near. Distances between groups, and the size of a group, mean nothing.

    Args:
        perplexity: how many neighbours count, at least 1 and at most a third of the points.
        early: iterations with the attraction multiplied by ``exaggeration``, so that groups form.
        iterations: the iterations that follow without exaggeration.
        exaggeration: at least 1.
        every: a frame is yielded after this many iterations.
        seed: of the small random shifts of the initial positions.
    """

    perplexity: float = 30.0
    early: int = 250
    iterations: int = 500
    exaggeration: float = 12.0
    every: int = 25
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("perplexity", "exaggeration"):
            value = check_number(name, getattr(self, name), low=1, hint=f"{getattr(TSNE, name):g}")
            keep(self, **{name: value})
        for name, least in (("early", 0), ("iterations", 1), ("every", 1), ("seed", 0)):
            value = check_whole(name, getattr(self, name), low=least, hint=getattr(TSNE, name))
            keep(self, **{name: value})
        if self.seed >= 2**32:
            raise ValueError(f"expected seed below 2**32, got {self.seed}; try 0")

    @property
    def total(self) -> int:
        """All iterations, early ones included."""
        return self.early + self.iterations


@dataclass(frozen=True, kw_only=True)
class PCA:
    """The plane of the two directions in which the points spread most, without any other change.

    Points of one coordinate, such as the output of an interval system, are a line, and stay one: the coordinate lies
    along it, and the height only keeps points from covering each other.
    """


def largest_perplexity(n: int) -> float:
    """The largest perplexity for n points: with more, there are not enough neighbours to tell apart.

    >>> largest_perplexity(400)
    133.0
    """
    return (n - 1) / 3
