"""The Square attack (Andriushchenko et al. 2020, "Square Attack: a query-efficient black-box adversarial attack")."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from tasklab.attacks.candidates import Candidates, Group, Loop, loop
from tasklab.attacks.draws import Draws
from tasklab.attacks.geometry import per_row
from tasklab.attacks.registry import register
from tasklab.attacks.settings import Norm, Settings
from tasklab.checks import check_number, check_whole, keep

if TYPE_CHECKING:
    from tasklab.attacks.runner import Runner
    from tasklab.tasks import Task

HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""Numbers of queries, out of 10,000, after which the share of pixels in a square halves (section 4 of the paper)."""

CHUNK = 32
"""Number of queries whose random numbers are drawn at once."""


@register
@dataclass(frozen=True, kw_only=True)
class Square(Settings):
    """The Square attack (Andriushchenko et al. 2020, algorithms 1 and 2): random search without gradients.

    It starts with vertical stripes of ±ε. Each query sets one square at a random position to ±ε in each channel; the
    change is kept if the value of the objective rises. The share of pixels in the square begins at ``p`` and halves as
    the queries go on. Since only values are used, a masked or missing gradient makes no difference, but a value on a
    plateau does.

    Args:
        steps: queries after the first, for each row; a black-box check needs 1,000 or more.
        p: the share of pixels in the first squares.
        tries: squares tried at once around the same point, each in a row of its own; the one that raises the value most
            is kept. There are ``tries · steps`` queries. With few images, a batch takes hardly longer than a row.

    The rest is as in `Settings`; the norm is ``"linf"``.

    >>> from tasklab.attacks import attack
    >>> from tasklab.system import System
    >>> from tasklab.tasks import make_task
    >>> system = System(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 4)), make_task("rbc", S=1))
    >>> x = torch.rand(8, 1, 2, 2)
    >>> attack(system, x, system.predict(x).clamp(min=0), Square(eps=0.1, steps=50)).backwards
    0
    """

    note: ClassVar[str] = (
        "Random search: squares of pixels are tried and kept if they help. It needs no gradient at all."
    )
    rank: ClassVar[int] = 3
    quick_steps: ClassVar[int] = 300
    uses_gradients: ClassVar[bool] = False
    norms: ClassVar[tuple[Norm, ...]] = ("linf",)
    steps: int = 1000
    p: float = 0.8
    tries: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        keep(self, p=check_number("p", self.p, low=0.0, hint="0.8"), tries=check_whole("tries", self.tries, low=1))
        if not 0 < self.p <= 1:
            raise ValueError(f"expected p in (0, 1], a share of the pixels, got {self.p!r}; try 0.8")

    @property
    def queries(self) -> int:
        """How many squares each restart tries, not counting the parts of the objective."""
        return self.steps * self.tries

    def rows(self, task: Task) -> int:
        """How many rows attack one image at once, one for each square that is tried around a point."""
        return super().rows(task) * self.tries


def side(query: int, settings: Square, height: int, width: int) -> int:
    """The side of the square at a query, in pixels: ``√(p·H·W)`` with the share p at that query, at least 1.

    >>> [side(q, Square(eps=0.1, steps=10_000), 28, 28) for q in (1, 11, 51, 10_000)]
    [25, 18, 13, 1]
    """
    halvings = sum(query * 10_000 > limit * settings.steps for limit in HALVINGS)
    return max(round(math.sqrt(settings.p / 2**halvings * height * width)), 1)


@loop.register(Square)
def _search(settings: Square, runner: Runner, group: Group, fooled: Tensor) -> Loop:
    """Start with stripes, then try one square after the other."""
    tries = settings.tries
    candidates = Candidates(runner, group, settings, fooled, parts=runner.parts * tries)
    candidates.part = candidates.part // tries  # neighbouring rows share a point, and each draws a square of its own
    draws = Draws(candidates)
    shape = candidates.origin.shape[1:]
    channels, height, width = (1, *shape)[-3:] if len(shape) > 1 else (1, 1, shape[0])

    def pixels(x: Tensor) -> Tensor:
        return x.reshape(-1, channels, height, width)

    stripes = draws.signs(channels, 1, width).expand(-1, -1, height, -1)
    x = torch.clamp(candidates.origin + settings.eps * stripes.reshape(candidates.origin.shape), *candidates.box)
    best_x, best_value = x, torch.full_like(candidates.example, -torch.inf, dtype=torch.float32)
    row, column = torch.arange(height, device=x.device)[:, None], torch.arange(width, device=x.device)
    numbers = x.new_empty(len(x), 0)
    for index in range(settings.steps + 1):
        if not len(candidates):
            break
        if index:
            if (index - 1) % CHUNK == 0:
                numbers = draws.uniform(CHUNK, 2 + channels)
            u = numbers[:, (index - 1) % CHUNK]  # (rows, 2 + channels)
            size = side(index, settings, height, width)
            rows, columns = min(size, height), min(size, width)
            top = (u[:, 0, None, None] * (height - rows + 1)).floor()
            left = (u[:, 1, None, None] * (width - columns + 1)).floor()
            inside = (row >= top) & (row < top + rows) & (column >= left) & (column < left + columns)  # (rows, H, W)
            upwards = u[:, 2:, None, None] >= 0.5
            low, high = (pixels(bound) for bound in candidates.box)
            x = torch.where(inside[:, None], torch.where(upwards, high, low), pixels(best_x)).reshape(best_x.shape)
        z, value = candidates.forward(x)
        candidates.update_best(x, z)
        yield candidates.step(index, x, z, value)
        if tries > 1:
            x, value = _highest(x, value, tries)
        better = value > best_value
        best_x, best_value = torch.where(per_row(better, x), x, best_x), torch.where(better, value, best_value)
        best_x, best_value, numbers = candidates.drop_fooled(best_x, best_value, numbers)
    return candidates


def _highest(x: Tensor, value: Tensor, tries: int) -> tuple[Tensor, Tensor]:
    """In each group of ``tries`` neighbouring rows, replace all of them by the one with the highest value."""
    value = torch.nan_to_num(value, nan=-math.inf)
    best = value.view(-1, tries).argmax(dim=1) + tries * torch.arange(len(value) // tries, device=value.device)
    best = best.repeat_interleave(tries)
    return x[best], value[best]
