"""Projections onto hyperplanes: DeepFool (Moosavi-Dezfooli et al. 2016) and FAB (Croce & Hein 2020)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from tasklab.attacks.candidates import Candidates, Group, Loop, loop
from tasklab.attacks.geometry import per_row, row_norm
from tasklab.attacks.minimum_norm import MinimumNorm, finish
from tasklab.attacks.objectives import Objective, name_of
from tasklab.attacks.registry import register
from tasklab.attacks.runner import CLEAR, Runner
from tasklab.tasks import Task

BIAS, OVERSHOOT, FADE, BACK = 0.1, 0.05, 1e-4, 0.9
"""FAB's α_max, η − 1 at the first step, the share of it that remains at the last step, and β."""


@register
@dataclass(frozen=True, kw_only=True)
class FAB(MinimumNorm):
    """Fast adaptive boundary (Croce & Hein 2020) on the hyperplanes that bound a codeword; no ε is needed.

    Each term t_i of the codec's margin (a bit, an end of the interval, a rival) has a candidate of its own. A step goes
    to the nearest point of the box on the linearised plane ``t_i(x) + ∇t_i·δ = 0``, which is ``|t_i| / ‖∇t_i‖_dual``
    away if the box does not matter; it is biased a little towards the point of that plane that is nearest to the clean
    image. After a success the candidate moves back towards the image. The smallest distance of all candidates is
    DeepFool's ``min_i |t_i| / ‖∇t_i‖_dual``, which is exact on linear systems. FAB needs margins and no probabilities,
    so it works on binary labels as well.

    Args:
        steps: linearisations for each candidate.
        objective: one that is positive exactly where its plane has been crossed: ``"bits"``, ``"margin"`` or
            ``"towards_code"``; the last leads to another class, as the criterion ``"evaded"`` demands.

    The rest is as in `MinimumNorm`.

    >>> from tasklab.attacks import attack
    >>> from tasklab.system import System
    >>> from tasklab.tasks import make_task
    >>> layer = torch.nn.Linear(2, 2, bias=False)
    >>> _ = layer.weight.data.copy_(torch.tensor([[4.0, 0.0], [0.0, 2.0]]))
    >>> system = System(layer, make_task("rbc", num_classes=4, S=1))
    >>> round(float(attack(system, torch.tensor([[0.3, 0.2]]), torch.tensor([3]), FAB()).distance), 4)
    0.2
    """

    note: ClassVar[str] = (
        "Steps to the nearest decision boundary; the smallest change found counts, where it is within ε."
    )
    rank: ClassVar[int] = 4
    unfit: ClassVar[tuple[str, ...]] = ("train", "unclipped", "sum_bits", "up", "down")  # 0 at no boundary
    fixed_batches: ClassVar[bool] = True
    restarts: int = field(default=1, init=False)
    objective: str | Objective | Callable[[Task, Tensor, Tensor], Tensor] = "bits"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.criterion == "evaded" and not self.targeted and self.objective == "bits":
            raise ValueError("expected an objective that leads to a class for criterion 'evaded', got 'bits', which "
                             "may lead to None; try objective='towards_code'")

    @classmethod
    def settle(cls, given: dict[str, Any]) -> list[str]:
        """Replace objectives that are 0 at no boundary, and ``"bits"`` where single bits may not lead to success."""
        name = name_of(given.get("objective", cls.objective))
        if name in cls.unfit:
            other = "margin" if given.get("targeted") else "bits"
            if given.get("criterion") == "evaded" and not given.get("targeted"):
                other = "towards_code"
            given["objective"] = other
            return [f"FAB steps to where its objective is 0, and “{name}” is 0 at no boundary, so it follows "
                    f"“{other}”."]
        if name != "bits":
            return []
        if given.get("targeted") and "objective" not in given:
            given["objective"] = "margin"
            return ["FAB reaches a target by the margin and not by single bits, so it follows “margin”."]
        if given.get("criterion") == "evaded" and not given.get("targeted"):
            given["objective"] = "towards_code"
            return ["Single bits may lead FAB to None, which is no success here, so it follows “towards_code” and not "
                    "“bits”."]
        return []


@loop.register(FAB)
def _cross(settings: FAB, runner: Runner, group: Group, fooled: Tensor) -> Loop:
    """Linearise, and step from the candidate and from the image to the plane, again and again."""
    candidates = Candidates(runner, group, settings, fooled, minimum_norm=True)
    image = x = candidates.origin
    norm = settings.norm
    for index in range(settings.steps):
        if not len(candidates):
            break
        z, value, gradient = candidates.value_and_grad(x)
        candidates.update_best(x, z)
        yield candidates.step(index, x, z, value, gradient)
        reach = 1 + OVERSHOOT * FADE ** (index / max(settings.steps - 1, 1))
        value = value - 2 * CLEAR * runner.tolerance(z)  # a plane beyond the boundary by more than rounding
        to_x_plane = to_plane(x, gradient, -value, norm)
        value_at_image = value + (gradient * (image - x)).flatten(1).sum(dim=1)  # of the linearised term
        to_image_plane = to_plane(image, gradient, -value_at_image, norm)
        from_x, from_image = row_norm(to_x_plane, norm), row_norm(to_image_plane, norm)
        bias = per_row((from_x / (from_x + from_image).clamp_min(1e-30)).clamp_max(BIAS), x)
        projected = (image + reach * to_image_plane).clamp(0, 1)
        candidates.update_best(projected, candidates.forward(projected)[0])
        x = ((1 - bias) * (x + reach * to_x_plane) + bias * projected).clamp(0, 1)
        z, value = candidates.forward(x)
        success = candidates.update_best(x, z)
        x = torch.where(per_row(success, x), image + BACK * (x - image), x)
    return finish(candidates, settings)


def to_plane(x: Tensor, gradient: Tensor, rise: Tensor, norm: str) -> Tensor:
    """The smallest δ with ``gradient · δ = rise`` and ``x + δ`` in [0, 1], row by row; else as far as the box allows.

    Let r be how far each pixel can move and s the sign of the gradient. Then ``δ = ±s·min(t·b, r)`` with ``b = 1``
    (Linf) or ``b = |gradient|`` (L2), where t solves ``Σ |gradient|·min(t·b, r) = |rise|``. The left side is piecewise
    linear in t with breakpoints ``r/b``, so t is found by sorting these.
    """
    slope, pixels = gradient.double().flatten(1), x.double().flatten(1)
    slope, target = slope * rise.sign()[:, None], rise.abs().double()[:, None]
    steepness = slope.abs()  # (rows, pixels)
    room = torch.where(slope > 0, 1 - pixels, pixels)
    weight = torch.ones_like(steepness) if norm == "linf" else steepness
    breakpoints, order = torch.where(steepness > 0, room / weight.clamp_min(1e-300), 0.0).sort(dim=1)
    full, rate = (steepness * room).gather(1, order), (steepness * weight).gather(1, order)
    filled = full.cumsum(dim=1)
    rate_left = rate.flip(1).cumsum(dim=1).flip(1)  # the rate of those not yet full, this one included
    at_break = filled - full + breakpoints * rate_left
    k = (at_break < target).sum(dim=1, keepdim=True).clamp_max(steepness.shape[1] - 1)
    t = (target - (filled - full).gather(1, k)) / rate_left.gather(1, k).clamp_min(1e-300)
    delta = slope.sign() * torch.minimum(t.clamp(min=0, max=1e30) * weight, room)
    return torch.nan_to_num(delta).to(x.dtype).reshape(x.shape)
