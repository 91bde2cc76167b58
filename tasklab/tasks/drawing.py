"""How a decision is drawn: as gauges, one per bit, or as a line of intervals; other tasks are drawn as bars."""

from __future__ import annotations

from dataclasses import dataclass

from tasklab.codecs.codes import Rows


@dataclass(frozen=True, kw_only=True)
class Gauges:
    """One gauge per output: a threshold in the middle, rails on either side, and the side that each class needs.

    Attributes:
        threshold: an output above it means that the bit is 1.
        rail: how far from the threshold the rails stand; 0 for none.
        rows: bits of each class.
        margin: the margin S that the loss asks of every bit, or None where it asks for none.
        loss: ``"hinge"``, ``"mse"``, ``"bce"`` or ``"logistic"``.
    """

    threshold: float
    rail: float
    rows: Rows
    margin: float | None = None
    loss: str = "hinge"

    @property
    def width(self) -> int:
        """The number of bits."""
        return len(self.rows[0])


@dataclass(frozen=True, kw_only=True)
class Line:
    """A single output on a line, and the interval that each class owns.

    Attributes:
        start: where the line begins.
        lower, upper: ends of the classes' intervals, in order.
        alpha: the length of the gap between two intervals.
        beta: the length of an interval.
        floor: whether a gap belongs to the class below it; otherwise it means None.
    """

    start: float
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    alpha: float
    beta: float
    floor: bool = False

    @property
    def span(self) -> float:
        """The length of the line, from the first lower end to the last upper end."""
        return (len(self.lower) - 1) * (self.alpha + self.beta) + self.beta

    @property
    def end(self) -> float:
        """Where the last class ends; with ``floor`` that is one gap beyond its interval."""
        return self.upper[-1] + (self.alpha if self.floor else 0)
