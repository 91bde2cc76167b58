"""The sizes of attacks (ε) that are usual on a data set, and ε as text."""

from __future__ import annotations

import math
from dataclasses import dataclass

_TOLERANCE = 1e-6
"""Difference, in levels of 255, up to which two radii are taken as equal."""


@dataclass(frozen=True, kw_only=True)
class Radii:
    """The usual ε of a data set and a norm, for images in [0, 1]; the defaults of all tools.

    Args:
        usual: the ε to begin with, at which claims are checked.
        few: stops of a slider, from 0 to the largest ε, where results must come quickly or each result takes long.
        some: more stops, where all results are computed before the slider is shown.
        many: all stops, where results may follow after the slider is shown.
        per: the steps of a control of ε are 1/per.
        paper: the ε of the paper's tables, ascending; empty in a norm that it does not use.
        curve: the ε at which accuracy is measured, ascending.
    """

    usual: float
    few: tuple[float, ...]
    some: tuple[float, ...]
    many: tuple[float, ...]
    per: int
    paper: tuple[float, ...] = ()
    curve: tuple[float, ...] = ()

    @property
    def most(self) -> float:
        """The largest ε."""
        return self.many[-1]

    @property
    def measured(self) -> tuple[float, ...]:
        """The ε at which systems are measured for their cards: those of the paper and the usual one."""
        return tuple(sorted({*self.paper, self.usual}))

    def nearest(self, eps: float) -> float:
        """ε rounded to a step of a control.

        >>> IN_HUNDREDTHS.nearest(0.149), IN_LEVELS.nearest(0.0314) == 8 / 255
        (0.15, True)
        """
        return round(eps * self.per) / self.per

    def fits(self, eps: float) -> bool:
        """Whether ε is a step of a control, up to its largest value."""
        return 0 <= eps <= self.most and abs(self.nearest(eps) - eps) * self.per < 1e-3

    def like(self, eps: float, other: Radii) -> float:
        """The ε that has the same ratio to the usual ε of these radii as ``eps`` has to the usual ε of ``other``.

        >>> eps_said(IN_LEVELS.like(0.2, IN_HUNDREDTHS)), eps_said(IN_LEVELS.like(0.03, IN_HUNDREDTHS))
        ('8/255', '1/255')
        """
        return eps if other == self else min(self.most, self.nearest(eps / other.usual * self.usual))


def _levels(*levels: int) -> tuple[float, ...]:
    return tuple(level / 255 for level in levels)


IN_HUNDREDTHS = Radii(
    usual=0.2, paper=(0.1, 0.2, 0.3), curve=(0.05, 0.1, 0.15, 0.2, 0.3), few=tuple(k / 10 for k in range(6)),
    some=tuple(k / 20 for k in range(11)), many=tuple(k / 50 for k in range(26)), per=100,
)
"""For black and white images such as MNIST's, and for points in the plane."""

IN_LEVELS = Radii(
    usual=8 / 255, paper=_levels(3, 6, 9), curve=_levels(1, 2, 3, 6, 8, 9, 16), few=_levels(0, 8, 16),
    some=_levels(0, 1, 2, 4, 6, 8, 12, 16), many=_levels(*range(17)), per=255,
)
"""For photographs such as CIFAR-10's, where ε counts the 255 levels of a channel."""


def _lengths(usual: float, most: float, few: int, some: int, many: int) -> Radii:
    """Radii in the L2 norm: few, some or many intervals of equal length from 0 to the largest ε."""
    few_stops, some_stops, many_stops = (tuple(most * k / count for k in range(count + 1))
                                         for count in (few, some, many))
    return Radii(usual=usual, few=few_stops, some=some_stops, many=many_stops, per=20)


LENGTHS_8, LENGTHS_28 = _lengths(1.0, 2.5, 5, 10, 25), _lengths(2.0, 5.0, 5, 10, 25)
"""Lengths of a whole change, for black and white images of 8×8 and of 28×28 pixels.

For the shipped TRA, DeepBE and RBC that were not trained under attack, half of the images fall within 0.3 to 0.5 on
digits and within 0.6 to 1.3 on MNIST; for those that were, within 0.7 to 0.8 and within 1.5 to 2.2 (FAB, 15 steps, the
first 100 and 60 test images).
"""

LENGTHS_32 = _lengths(0.5, 2.0, 4, 8, 20)
"""Lengths of a whole change, for photographs of 32×32 pixels; at 0.5, systems are compared elsewhere as well."""


def eps_said(eps: float, *, number: bool = False) -> str:
    """ε as text: as levels of 255 where it is a whole or half number of them, else as a number. Both are valid Python.

    Args:
        eps: for images in [0, 1].
        number: whether the decimal number follows after levels.

    >>> eps_said(0.2), eps_said(8 / 255), eps_said(0.5 / 255), eps_said(0.0314)
    ('0.2', '8/255', '0.5/255', '0.0314')
    >>> eps_said(8 / 255, number=True), eps_said(0.1, number=True)
    ('8/255 (0.031)', '0.1')
    """
    if math.isinf(eps):
        return "∞"
    levels = round(510 * eps) / 2
    if levels == 0 or abs(255 * eps - levels) > _TOLERANCE or round(eps, 4) == eps:
        return f"{eps:.4g}"
    return f"{levels:g}/255" + (f" ({eps:.2g})" if number else "")
