"""Auto-PGD (Croce & Hein 2020, "Reliable evaluation of adversarial robustness with an ensemble of diverse attacks")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor

from tasklab.attacks.candidates import Candidates, Group, Loop, loop
from tasklab.attacks.geometry import per_row, project_l2, rescale
from tasklab.attacks.registry import register
from tasklab.attacks.settings import Keep, Norm, Settings, check_choice, check_starts
from tasklab.checks import check_switch, keep

if TYPE_CHECKING:
    from tasklab.attacks.runner import Runner

MOMENTUM, ENOUGH = 0.75, 0.75
"""α of the momentum, and ρ: the share of steps that must rise for a step size to stay (section 4 of the paper)."""


@register
@dataclass(frozen=True, kw_only=True)
class APGD(Settings):
    """Auto-PGD (Croce & Hein 2020, algorithm 1): PGD with momentum and a step size that is halved as needed.

    Beginning with a step size of 2ε, ``z = Π(x_k + η·g)`` and ``x_{k+1} = Π(x_k + ¾(z − x_k) + ¼(x_k − x_{k−1}))``.
    At each of the `checkpoints`, η halves and the candidate goes back to its best point if fewer than ¾ of the steps
    since the last checkpoint raised the value, or if neither η nor the best value has changed since.
    ``objective="towards_code"`` is the targeted attack on every other class in turn.

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

    note: ClassVar[str] = "Auto-PGD: its step size adapts by itself, and its momentum carries it across small dips."
    rank: ClassVar[int] = 2
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
    previous, current, checks = 0, 22, [0]  # p_j in hundredths, so that nothing is rounded twice
    while current < 100:
        checks.append(-(-current * steps // 100))
        previous, current = current, current + max(current - previous - 3, 6)
    return sorted(set(checks))


@loop.register(APGD)
def _ascend(settings: APGD, runner: Runner, group: Group, fooled: Tensor) -> Loop:
    """Algorithm 1, with a step size for each candidate."""
    candidates = Candidates(runner, group, settings, fooled, attack_all=settings.keep != "first")
    x = candidates.random_start() if settings.random_start else candidates.origin
    step_size = torch.full_like(candidates.example, 2 * settings.eps, dtype=torch.float32)
    best_value, rises = torch.full_like(step_size, -torch.inf), torch.zeros_like(step_size)
    previous_value = value_at_checkpoint = best_value
    was_halved = torch.ones_like(rises, dtype=torch.bool)  # so that the first checkpoint looks at the rises alone
    previous_x = best_x = best_gradient = x
    checks, last_check = checkpoints(settings.steps), 0
    for index in range(settings.steps + 1):
        if not len(candidates):
            break
        if index == settings.steps:
            z, value = candidates.forward(x)
            candidates.update_best(x, z)
            yield candidates.step(index, x, z, value)
            break
        z, value, gradient = candidates.value_and_grad(x)
        candidates.update_best(x, z)
        yield candidates.step(index, x, z, value, gradient)
        if index == 0:
            best_gradient, value_at_checkpoint = gradient, value
        else:
            rises = rises + (value > previous_value)
        higher = value > best_value
        best_x = torch.where(per_row(higher, x), x, best_x)
        best_gradient = torch.where(per_row(higher, x), gradient, best_gradient)
        best_value, previous_value = torch.where(higher, value, best_value), value
        if index in checks[1:]:
            halve = (rises < ENOUGH * (index - last_check)) | (~was_halved & (best_value <= value_at_checkpoint))
            step_size = torch.where(halve, step_size / 2, step_size)
            x = torch.where(per_row(halve, x), best_x, x)
            gradient = torch.where(per_row(halve, x), best_gradient, gradient)
            rises, value_at_checkpoint, was_halved, last_check = torch.zeros_like(rises), best_value, halve, index
        if settings.keep == "first":
            (x, previous_x, best_x, best_gradient, gradient, step_size, best_value, rises, previous_value,
             value_at_checkpoint, was_halved) = candidates.drop_fooled(
                x, previous_x, best_x, best_gradient, gradient, step_size, best_value, rises, previous_value,
                value_at_checkpoint, was_halved,
            )
        next_x = _step(x, gradient, step_size, candidates, settings.eps, settings.norm)
        if index:
            next_x = x + MOMENTUM * (next_x - x) + (1 - MOMENTUM) * (x - previous_x)
            next_x = _project(next_x, candidates, settings.eps, settings.norm)
        previous_x, x = x, next_x
    return candidates


def _step(x: Tensor, gradient: Tensor, step_size: Tensor, candidates: Candidates, eps: float, norm: Norm) -> Tensor:
    move = per_row(step_size, x) * gradient.sign() if norm == "linf" else rescale(gradient, step_size)
    return _project(x + move, candidates, eps, norm)


def _project(x: Tensor, candidates: Candidates, eps: float, norm: Norm) -> Tensor:
    return torch.clamp(x if norm == "linf" else project_l2(x, candidates.origin, eps), *candidates.box)
