"""Auto-PGD (Croce & Hein 2020, "Reliable evaluation of adversarial robustness with an ensemble of diverse attacks")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor

from tasklab.attacks.geometry import per_row, project_l2, rescale
from tasklab.attacks.rows import Group, Loop, Rows, loop
from tasklab.attacks.settings import Keep, Norm, Settings, check_choice, check_starts
from tasklab.checks import check_switch, keep

if TYPE_CHECKING:
    from tasklab.attacks.runner import Runner

MOMENTUM, ENOUGH = 0.75, 0.75
"""α of the momentum, and ρ: the share of steps that must rise for a step size to stay (section 4 of the paper)."""


@dataclass(frozen=True, kw_only=True)
class APGD(Settings):
    """Auto-PGD (Croce & Hein 2020, algorithm 1): PGD with momentum, whose step size halves itself.

    From a step size of 2ε, ``z = Π(x_k + η·g)`` and ``x_{k+1} = Π(x_k + ¾(z − x_k) + ¼(x_k − x_{k−1}))``. At each of
    the `checkpoints`, η halves and the row goes back to its best point if fewer than ¾ of the steps since the last one
    rose, or if neither η nor the best value has changed since. ``objective="towards_code"`` is the targeted attack on
    every other class in turn.

    Args:
        steps: gradient steps.
        random_start: begin at a uniform point of the ball instead of the image.
        keep: ``"first"``: an example leaves as soon as it is fooled; ``"best"``: all steps, the best iterate.

    The rest is as in `Settings`.

    >>> from tasklab.attacks import attack
    >>> from tasklab.system import System
    >>> from tasklab.tasks import make_task
    >>> system = System(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 4)), make_task("rbc", S=1))
    >>> x = torch.rand(8, 1, 2, 2)
    >>> attack(system, x, system.predict(x).clamp(min=0), APGD(eps=0.1, steps=10)).summary()["attack"]
    'apgd'
    """

    keeps: ClassVar[tuple[Keep, ...]] = ("first", "best")
    steps: int = 100
    random_start: bool = True
    keep: Literal["first", "best"] = "first"

    def __post_init__(self) -> None:
        super().__post_init__()
        keep(self, random_start=check_switch("random_start", self.random_start))
        check_choice("keep", self.keep, self.keeps)
        check_starts(self.restarts, self.random_start)


def checkpoints(steps: int) -> list[int]:
    """``⌈p_j · steps⌉`` with ``p_0 = 0, p_1 = 0.22, p_{j+1} = p_j + max(p_j − p_{j−1} − 0.03, 0.06)``.

    >>> checkpoints(100)
    [0, 22, 41, 57, 70, 80, 87, 93, 99]
    """
    before, now, found = 0, 22, [0]  # in hundredths, so that nothing is rounded twice
    while now < 100:
        found.append(-(-now * steps // 100))
        before, now = now, now + max(now - before - 3, 6)
    return sorted(set(found))


@loop.register(APGD)
def _climb(settings: APGD, run: Runner, group: Group, fooled: Tensor) -> Loop:
    """Algorithm 1, with a schedule for each row."""
    rows = Rows(run, group, settings, fooled, everyone=settings.keep != "first")
    x = rows.random_start() if settings.random_start else rows.origin
    stride = torch.full_like(rows.example, 2 * settings.eps, dtype=torch.float32)
    highest, rises = torch.full_like(stride, -torch.inf), torch.zeros_like(stride)
    previous = old_highest = highest
    halved = torch.ones_like(rows.example, dtype=torch.bool)  # so that the first checkpoint asks for rises alone
    before = summit = slope = x
    checks, since = checkpoints(settings.steps), 0
    for index in range(settings.steps + 1):
        if not len(rows):
            break
        if index == settings.steps:
            z, value = rows.look(x)
            rows.offer(x, z)
            yield rows.step(index, x, z, value)
            break
        z, value, gradient = rows.climb(x)
        rows.offer(x, z)
        yield rows.step(index, x, z, value, gradient)
        if index == 0:
            slope, old_highest = gradient, value
        else:
            rises = rises + (value > previous)
        higher = value > highest
        summit = torch.where(per_row(higher, x), x, summit)
        slope = torch.where(per_row(higher, x), gradient, slope)
        highest, previous = torch.where(higher, value, highest), value
        here = x
        if index in checks[1:]:
            halve = (rises < ENOUGH * (index - since)) | (~halved & (highest <= old_highest))
            stride = torch.where(halve, stride / 2, stride)
            here = torch.where(per_row(halve, x), summit, x)
            gradient = torch.where(per_row(halve, x), slope, gradient)
            rises, old_highest, halved, since = torch.zeros_like(rises), highest, halve, index
        if settings.keep == "first":
            here, before, summit, slope, gradient, stride, highest, rises, previous, old_highest, halved = rows.leave(
                here, before, summit, slope, gradient, stride, highest, rises, previous, old_highest, halved
            )
        ahead = _step(here, gradient, stride, rows, settings.eps, settings.norm)
        if index:
            ahead = here + MOMENTUM * (ahead - here) + (1 - MOMENTUM) * (here - before)
            ahead = _project(ahead, rows, settings.eps, settings.norm)
        before, x = here, ahead
    return rows


def _step(x: Tensor, gradient: Tensor, stride: Tensor, rows: Rows, eps: float, norm: Norm) -> Tensor:
    move = per_row(stride, x) * gradient.sign() if norm == "linf" else rescale(gradient, stride)
    return _project(x + move, rows, eps, norm)


def _project(x: Tensor, rows: Rows, eps: float, norm: Norm) -> Tensor:
    return torch.clamp(x if norm == "linf" else project_l2(x, rows.origin, eps), *rows.box)
