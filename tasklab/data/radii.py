"""How large a change of a picture, ε, is customary on a data set, and how people say it."""

from __future__ import annotations

import math
from dataclasses import dataclass

_SURE = 1e-6
"""Levels of 255 up to which two radii are one."""


@dataclass(frozen=True, kw_only=True)
class Radii:
    """The ε of a data set and a norm, on the [0, 1] scale; where nothing else is asked for, all tools mean these.

    Args:
        usual: to begin with, and the one at which claims are checked.
        paper: those of the paper's tables, ascending.
        curve: those at which accuracy is measured, ascending.
        few: stops of an ε that is dragged, from 0 to the largest, where it must be quick, or each takes long.
        some: the same where all have to come at once.
        many: the same where they may follow.
        per: a control goes in steps of 1/per.
    """

    usual: float
    paper: tuple[float, ...]
    curve: tuple[float, ...]
    few: tuple[float, ...]
    some: tuple[float, ...]
    many: tuple[float, ...]
    per: int

    @property
    def most(self) -> float:
        """The largest."""
        return self.many[-1]

    @property
    def measured(self) -> tuple[float, ...]:
        """Those that a system's card has: the paper's and the usual one."""
        return tuple(sorted({*self.paper, self.usual}))

    def nearest(self, eps: float) -> float:
        """The step of a control that is nearest to ε.

        >>> IN_HUNDREDTHS.nearest(0.149), IN_LEVELS.nearest(0.0314) == 8 / 255
        (0.15, True)
        """
        return round(eps * self.per) / self.per

    def fits(self, eps: float) -> bool:
        """Whether ε is a step of a control, up to its largest value."""
        return 0 <= eps <= self.most and abs(self.nearest(eps) - eps) * self.per < 1e-3

    def like(self, eps: float, there: Radii) -> float:
        """The ε that is to these radii what ``eps`` is to others.

        >>> eps_said(IN_LEVELS.like(0.2, IN_HUNDREDTHS)), eps_said(IN_LEVELS.like(0.03, IN_HUNDREDTHS))
        ('8/255', '1/255')
        """
        return eps if there == self else min(self.most, self.nearest(eps / there.usual * self.usual))


def _levels(*levels: int) -> tuple[float, ...]:
    return tuple(level / 255 for level in levels)


IN_HUNDREDTHS = Radii(
    usual=0.2, paper=(0.1, 0.2, 0.3), curve=(0.05, 0.1, 0.15, 0.2, 0.3), few=tuple(k / 10 for k in range(6)),
    some=tuple(k / 20 for k in range(11)), many=tuple(k / 50 for k in range(26)), per=100,
)
"""Of black on white, as in MNIST; and of all pictures where ε is a length (l2)."""

IN_LEVELS = Radii(
    usual=8 / 255, paper=_levels(3, 6, 9), curve=_levels(1, 2, 3, 6, 8, 9, 16), few=_levels(0, 8, 16),
    some=_levels(0, 1, 2, 4, 6, 8, 12, 16), many=_levels(*range(17)), per=255,
)
"""Of photographs, as in CIFAR-10: ε counts the 255 levels of a channel."""


def eps_said(eps: float, *, number: bool = False) -> str:
    """An ε as people say it: levels of 255 as such, all others as they are; both are Python, too.

    Args:
        eps: on the [0, 1] scale.
        number: whether levels are followed by the number that they are.

    >>> eps_said(0.2), eps_said(8 / 255), eps_said(0.5 / 255), eps_said(0.0314)
    ('0.2', '8/255', '0.5/255', '0.0314')
    >>> eps_said(8 / 255, number=True), eps_said(0.1, number=True)
    ('8/255 (0.031)', '0.1')
    """
    if math.isinf(eps):
        return "∞"
    levels = round(510 * eps) / 2
    if levels == 0 or abs(255 * eps - levels) > _SURE or round(eps, 4) == eps:
        return f"{eps:.4g}"
    return f"{levels:g}/255" + (f" ({eps:.2g})" if number else "")
