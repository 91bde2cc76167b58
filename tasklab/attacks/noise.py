"""Random noise, drawn again and again: the baseline that every attack has to beat."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor

from tasklab.attacks.candidates import Candidates, Group, Loop, loop
from tasklab.attacks.draws import Draws
from tasklab.attacks.geometry import per_row, rescale
from tasklab.attacks.objectives import Objective
from tasklab.attacks.registry import register
from tasklab.attacks.settings import Settings, check_choice

if TYPE_CHECKING:
    from tasklab.attacks.runner import Runner


@register
@dataclass(frozen=True, kw_only=True)
class Noise(Settings):
    """The best of ``steps`` random points of the ball (repeated additive noise, as in Rauber et al. 2017).

    Args:
        steps: draws for each image.
        kind: ``"uniform"`` in the ball, or ``"corner"``: ±ε in each pixel under Linf, a point of the sphere under L2,
            the strongest that noise of this ε can be.

    The rest is as in `Settings`; it has no objective, and each image keeps the draw with the lowest margin.

    >>> Noise(eps=0.1, kind="corner").to_dict()["kind"]
    'corner'
    """

    note: ClassVar[str] = (
        "Not an attack: random noise of size ε, the best of many tries. Every attack has to do better than this."
    )
    rank: ClassVar[int] = 7
    quick_steps: ClassVar[int] = 100
    fixed_aim: ClassVar[tuple[str, str]] = (
        "nothing", "The changes are random, and the one that lowers the margin most is kept.",
    )
    uses_gradients: ClassVar[bool] = False
    steps: int = 100
    kind: Literal["uniform", "corner"] = "uniform"
    objective: str | Objective = field(default="margin", init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("kind", self.kind, ("uniform", "corner"))


@loop.register(Noise)
def _draw(settings: Noise, runner: Runner, group: Group, fooled: Tensor) -> Loop:
    """Draw points of the ball; `Candidates` keeps the best of them."""
    candidates = Candidates(runner, group, settings, fooled, parts=1)
    draws = Draws(candidates)
    for index in range(settings.steps):
        if not len(candidates):
            break
        x = torch.clamp(candidates.origin + settings.eps * _unit(draws, settings, candidates.origin), *candidates.box)
        z, value = candidates.forward(x)
        candidates.update_best(x, z)
        yield candidates.step(index, x, z, value)
        candidates.drop_fooled()
    return candidates


def _unit(draws: Draws, settings: Noise, like: Tensor) -> Tensor:
    """A random point of the unit ball, or of its corners, for each row."""
    shape, corner = like.shape[1:], settings.kind == "corner"
    if settings.norm == "linf":
        return draws.signs(*shape) if corner else 2 * draws.uniform(*shape) - 1
    direction = rescale(draws.normal(*shape), 1.0)
    return direction if corner else direction * per_row(draws.uniform(1).squeeze(1) ** (1 / like[0].numel()), like)
