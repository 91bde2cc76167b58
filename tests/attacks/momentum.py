"""An attack in one file, as somebody outside might write it: the momentum iterative method (Dong et al. 2018).

Whoever imports this file registers the attack, so tests import it inside a fixture that takes it out of the list again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from tasklab.attacks.candidates import Candidates, Group, Loop, loop
from tasklab.attacks.criteria import Criterion
from tasklab.attacks.geometry import per_row, step
from tasklab.attacks.registry import register
from tasklab.attacks.settings import Norm, Settings
from tasklab.checks import check_number, keep

if TYPE_CHECKING:
    from tasklab.attacks.runner import Runner


@register
@dataclass(frozen=True, kw_only=True)
class Momentum(Settings):
    """FGSM in several steps along the decaying sum of all gradients so far, each scaled to an L1 norm of 1.

    Args:
        decay: the share of the sum that is kept at each step.

    The rest is as in `Settings`.
    """

    note: ClassVar[str] = "Goes on in the direction of its earlier steps, which carries it over small dents."
    quick_steps: ClassVar[int] = 12
    norms: ClassVar[tuple[Norm, ...]] = ("linf",)
    criterion: Criterion = field(default="misclassified", init=False)
    restarts: int = field(default=1, init=False)
    decay: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        keep(self, decay=check_number("decay", self.decay, low=0.0, hint="1.0"))


@loop.register(Momentum)
def _climb(settings: Momentum, runner: Runner, group: Group, fooled: Tensor) -> Loop:
    candidates = Candidates(runner, group, settings, fooled)
    x, total = candidates.origin, torch.zeros_like(candidates.origin)
    for index in range(settings.steps):
        z, value, gradient = candidates.value_and_grad(x)
        candidates.update_best(x, z)
        yield candidates.step(index, x, z, value, gradient)
        x, total, gradient = candidates.drop_fooled(x, total, gradient)
        if not len(candidates):
            return candidates
        length = gradient.flatten(1).abs().sum(dim=1).clamp_min(1e-12)
        total = settings.decay * total + gradient / per_row(length, gradient)
        x = step(x, total, candidates.origin, candidates.box, eps=settings.eps, step_size=settings.eps / settings.steps,
                 norm=settings.norm)
    z, value = candidates.forward(x)
    candidates.update_best(x, z)
    yield candidates.step(settings.steps, x, z, value)
    return candidates
