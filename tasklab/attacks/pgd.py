"""PGD and FGSM: step along the gradient, and project to the ball (Madry et al. 2018; Goodfellow et al. 2015)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from tasklab.attacks.candidates import Candidates, Group, Loop, loop
from tasklab.attacks.geometry import in_float32, step
from tasklab.attacks.registry import register
from tasklab.attacks.settings import Keep, Settings, check_choice, check_starts
from tasklab.checks import check_number, check_switch, keep

if TYPE_CHECKING:
    from tasklab.attacks.runner import Runner


@register
@dataclass(frozen=True, kw_only=True)
class PGD(Settings):
    """Projected gradient ascent (Kurakin et al. 2017; Madry et al. 2018): ``x ← Π(x + step · sign ∇objective)``.

    Args:
        steps: gradient steps; under ``norm="l2"`` the gradient is divided by its L2 norm.
        step_size: by default ``2.5·eps/steps``.
        random_start: begin at a uniform point of the ball instead of the image.
        keep: ``"first"``: an example leaves as soon as it is fooled, which is strongest and fastest; ``"best"``: all
            steps, the best iterate; ``"last"``: all steps, the last iterate, as published.

    The rest is as in `Settings`.
    """

    note: ClassVar[str] = "Many small steps along the gradient, each of which ends inside the ε-ball."
    rank: ClassVar[int] = 1
    quick_steps: ClassVar[int] = 10
    takes_eps_per_example: ClassVar[bool] = True
    keeps: ClassVar[tuple[Keep, ...]] = ("first", "best", "last")
    step_size: float | None = None
    random_start: bool = True
    keep: Keep = "first"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.step_size is not None:
            size = check_number("step_size", self.step_size, low=0.0, hint="None for 2.5·eps/steps")
            keep(self, step_size=size)
        keep(self, random_start=check_switch("random_start", self.random_start))
        check_choice("keep", self.keep, self.keeps)
        check_starts(self.restarts, self.random_start)

    @property
    def effective_step_size(self) -> float:
        """The step size in use."""
        return float(self.step_size_for(self.eps))

    def step_size_for(self, eps: float | Tensor) -> float | Tensor:
        """The step size in a ball of radius ``eps``: a number, or a tensor with one for each candidate."""
        return 2.5 * eps / self.steps if self.step_size is None else self.step_size

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain values, the step size in use included."""
        return super().to_dict() | {"step_size": self.effective_step_size}


@register
@dataclass(frozen=True, kw_only=True)
class FGSM(PGD):
    """The fast gradient sign method (Goodfellow et al. 2015): one step of ε from the image, as published.

    It is `PGD` with one step, no random start, and the last iterate kept.
    """

    note: ClassVar[str] = "One step of size ε along the gradient."
    rank: ClassVar[int] = 0
    quick_steps: ClassVar[int] = 1
    steps: int = field(default=1, init=False)
    step_size: float | None = field(default=None, init=False)
    random_start: bool = field(default=False, init=False)
    restarts: int = field(default=1, init=False)
    keep: Keep = "last"

    def step_size_for(self, eps: float | Tensor) -> float | Tensor:
        """The whole of ε."""
        return eps


@loop.register(PGD)
def _ascend(settings: PGD, runner: Runner, group: Group, fooled: Tensor) -> Loop:
    """Step along the gradient, project to the ball, and keep the best candidate."""
    candidates = Candidates(runner, group, settings, fooled, attack_all=settings.keep != "first")
    x = candidates.random_start() if settings.random_start else candidates.origin
    for index in range(settings.steps + 1):
        if not len(candidates):
            break
        last = index == settings.steps
        gradient = None
        if last:
            z, value = candidates.forward(x)
        else:
            z, value, gradient = candidates.value_and_grad(x)
        if last and settings.keep == "last":
            candidates.reset_best()
        if last or settings.keep != "last":
            candidates.update_best(x, z, trust_copy=settings.keep == "last")
        yield candidates.step(index, x, z, value, gradient)
        if gradient is None:
            break
        if settings.keep == "first":
            x, z, gradient = candidates.drop_fooled(x, z, gradient)
        if index == 0 and group.eps is not None and settings.keep != "last":
            x, gradient = candidates.select(_can_move(candidates, x, z, gradient), x, gradient)
        x = step(x, gradient, candidates.origin, candidates.box, eps=in_float32(candidates.eps),
                 step_size=in_float32(settings.step_size_for(candidates.eps)), norm=settings.norm)
    return candidates


def _can_move(candidates: Candidates, x: Tensor, z: Tensor, gradient: Tensor) -> Tensor:
    """Which candidates a step might move from their image, bool ``(rows,)``.

    A candidate without a gradient at its image would stay there at every step, unless the network answers the same
    image differently the second time.
    """
    no_gradient = (gradient == 0).flatten(1).all(dim=1)
    at_image = (x == candidates.origin).flatten(1).all(dim=1)
    same_outputs = (candidates.runner.codec.margins(z) == candidates.clean_margins[candidates.example]).all(dim=1)
    zero_eps = torch.as_tensor(candidates.eps, device=x.device) <= 0
    return ~(zero_eps | (no_gradient & at_image & same_outputs))
