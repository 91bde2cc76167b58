"""One picture under one attack at many radii: PGD and FGSM climb them all as the rows of one batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tasklab.attacks.engine import attack
from tasklab.attacks.geometry import bounds, per_row, random_start, step
from tasklab.attacks.pgd import FGSM, PGD
from tasklab.attacks.result import AttackResult
from tasklab.attacks.rows import Group, Loop, Rows, loop
from tasklab.attacks.runner import Runner
from tasklab.attacks.settings import Settings
from tasklab.models.fast import PLAIN
from tasklab.system import System


@dataclass(frozen=True, kw_only=True)
class _Ladder(PGD):
    """PGD whose examples differ in ε and in the length of a step; ``eps`` is the largest."""

    radii: tuple[float, ...]
    strides: tuple[float, ...]


def ladder(
    system: System, image: Tensor, label: Tensor, settings: Settings, radii: Sequence[float], *,
    target: Tensor | None = None, index: int = 0,
) -> AttackResult:
    """What an attack makes of one picture at each of many radii; the result has one example for each radius.

    Each example is what `attack` finds with ``dataclasses.replace(settings, eps=radius)``, the step size included:
    where it is not given it follows ε. Random starts are those of one and the same example, scaled.

    Args:
        system: what is attacked.
        image: float32 ``(1, C, H, W)`` in [0, 1].
        label: int64 ``(1,)``.
        settings: the attack; its own ``eps`` does not matter.
        radii: each ≥ 0, at least one.
        target: int64 ``(1,)``, the class to reach, for ``targeted=True``.
        index: the example's number for its random starts.

    Raises:
        TypeError, ValueError: more than one picture, no radius, or what `attack` refuses.

    >>> from torch import nn
    >>> from tasklab.tasks import make_task
    >>> system = System(nn.Sequential(nn.Flatten(), nn.Linear(4, 1)), make_task("int"))
    >>> x, y = torch.full((1, 1, 2, 2), 0.5), torch.tensor([0])
    >>> found = ladder(system, x, y, PGD(eps=0, steps=5, keep="best"), (0.0, 0.1, 0.2))
    >>> bool(((found.images - x).abs().flatten(1).amax(1) <= torch.tensor([0.0, 0.1, 0.2]) + 1e-6).all())
    True
    """
    if len(image) != 1 or len(label) != 1:
        raise ValueError(f"expected one picture and its label, got {len(image)} and {len(label)}; try x[:1], y[:1]")
    if not radii:
        raise ValueError("expected at least one radius, got none; try (0.0, 0.1)")
    rungs = [dataclasses.replace(settings, eps=float(radius), plan=PLAIN) for radius in radii]
    n = len(rungs)
    if type(settings) not in (PGD, FGSM):
        indices = torch.tensor([index])
        return _join([attack(system, image, label, rung, targets=target, indices=indices) for rung in rungs])
    shared = {field.name: getattr(settings, field.name) for field in dataclasses.fields(PGD)}
    whole = _Ladder(**shared | {
        "eps": max(rung.eps for rung in rungs), "plan": PLAIN, "radii": tuple(rung.eps for rung in rungs),
        "strides": tuple(rung.stride for rung in rungs if isinstance(rung, PGD)),
    })
    found = attack(
        system, image.expand(n, *image.shape[1:]).contiguous(), label.expand(n).contiguous(), whole,
        targets=None if target is None else target.expand(n).contiguous(), indices=torch.full((n,), index),
    )
    return dataclasses.replace(found, settings=rungs[-1])


@loop.register(_Ladder)
def _climb(settings: _Ladder, run: Runner, group: Group, fooled: Tensor) -> Loop:
    """PGD's loop, each row in its own ball and with its own stride."""
    rows = Rows(run, group, settings, fooled, everyone=settings.keep != "first")
    place = rows.example + group.offset
    flat = settings.norm == "l2"  # lengths of rows, rather than of pixels
    radius, stride = (
        torch.tensor(given, dtype=torch.float32, device=rows.origin.device)[place] for given in
        (settings.radii, settings.strides)
    )
    eps, length = (radius, stride) if flat else (per_row(radius, rows.origin), per_row(stride, rows.origin))
    rows.box = bounds(rows.origin, eps, settings.norm)
    x = rows.origin
    if settings.random_start:
        x = random_start(rows.origin, rows.box, eps=eps, norm=settings.norm, seed=settings.seed, example=rows.indices,
                         restart=rows.restart)
    for index in range(settings.steps + 1):
        if not len(rows):
            break
        last, gradient = index == settings.steps, None
        if last:
            z, value = rows.look(x)
        else:
            z, value, gradient = rows.climb(x)
        if last and settings.keep == "last":
            rows.forget()
        if last or settings.keep != "last":
            rows.offer(x, z)
        yield rows.step(index, x, z, value, gradient)
        if gradient is None:
            break
        if settings.keep == "first":
            x, gradient, eps, length = rows.leave(x, gradient, eps, length)
        x = step(x, gradient, rows.origin, rows.box, eps=eps, stride=length, norm=settings.norm)
    return rows


def _join(found: Sequence[AttackResult]) -> AttackResult:
    """Results of single examples as one, with the settings of the last."""
    def together(name: str) -> Any:
        return torch.cat([getattr(one, name) for one in found])

    names = ("images", "labels", "clean_decoded", "decoded", "fooled", "distance", "zero_gradient", "unmoved")
    return dataclasses.replace(
        found[-1], **{name: together(name) for name in names},
        targets=None if found[0].targets is None else together("targets"),
        **{name: sum(getattr(one, name) for one in found) for name in ("forwards", "backwards", "seconds")},
    )
