"""One picture under one attack at many radii: PGD and FGSM climb them all as the rows of one batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tasklab.attacks.building import changed
from tasklab.attacks.candidates import Candidates, Group, Loop, loop
from tasklab.attacks.engine import attack
from tasklab.attacks.geometry import bounds, per_row, random_start, step
from tasklab.attacks.objectives import Objective, as_objective
from tasklab.attacks.pgd import FGSM, PGD
from tasklab.attacks.result import AttackResult
from tasklab.attacks.runner import Runner
from tasklab.attacks.settings import Settings
from tasklab.models.fast import PLAIN
from tasklab.system import System
from tasklab.tasks import Task

Climbed = str | Objective | Callable[[Task, Tensor, Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class _Ladder(PGD):
    """PGD whose examples differ in ε and in the length of a step, and in what they climb where several are `_beside`.

    ``eps`` is the largest; all radii come once for each objective.
    """

    radii: tuple[float, ...]
    strides: tuple[float, ...]
    climbed: int = 1


def ladder(
    system: System, image: Tensor, label: Tensor, settings: Settings, radii: Sequence[float], *,
    objectives: Sequence[Climbed] = (), target: Tensor | None = None, index: int = 0,
) -> AttackResult:
    """What an attack makes of one picture at each of many radii; the result has one example for each radius.

    Each example is what `attack` finds with ``changed(settings, eps=radius)``, the step size included:
    where it is not given it follows ε. Random starts are those of one and the same example, scaled.

    Args:
        system: what is attacked.
        image: float32 ``(1, C, H, W)`` in [0, 1].
        label: int64 ``(1,)``.
        settings: the attack; its own ``eps`` does not matter.
        radii: each ≥ 0, at least one.
        objectives: climbed instead of the settings' own, as rows of one batch where none has parts; the result has
            all radii for the first, then all for the next, and the settings of the last. An attack that climbs nothing,
            such as `Noise`, is the same for each.
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
    climbs = [changed(settings, objective=one) for one in objectives] or [settings]
    climbed = [as_objective(one.objective) for one in climbs]
    at_once = type(settings) in (PGD, FGSM)
    if len(climbs) > 1 and not (at_once and all(_single(one, system.task) for one in climbed)):
        return _join([ladder(system, image, label, one, radii, target=target, index=index) for one in climbs])
    rungs = [changed(climbs[-1], eps=float(radius), plan=PLAIN) for radius in radii]
    if not at_once:
        indices = torch.tensor([index], device="cpu")
        return _join([attack(system, image, label, rung, targets=target, indices=indices) for rung in rungs])
    n = len(climbs) * len(rungs)
    shared = {field.name: getattr(rungs[-1], field.name) for field in dataclasses.fields(PGD)}
    whole = _Ladder(**shared | {
        "eps": max(rung.eps for rung in rungs), "radii": tuple(rung.eps for rung in rungs) * len(climbs),
        "strides": tuple(rung.effective_step_size for rung in rungs if isinstance(rung, PGD)) * len(climbs),
        "climbed": len(climbs), "objective": climbed[0] if len(climbs) == 1 else _beside(climbed),
    })
    found = attack(
        system, image.expand(n, *image.shape[1:]).contiguous(), label.expand(n).contiguous(), whole,
        targets=None if target is None else target.expand(n).contiguous(),
        indices=torch.full((n,), index, device="cpu"),
    )
    return dataclasses.replace(found, settings=rungs[-1])


def _single(objective: Objective, task: Task) -> bool:
    return objective.of == "outputs" and objective.parts(task) == 1


def _beside(objectives: Sequence[Objective]) -> Objective:
    """Objectives without parts as one: a row's part, which never falls, says which of them it climbs."""
    def value(task: Task, z: Tensor, y: Tensor, part: Tensor) -> Tensor:
        counts = torch.bincount(part, minlength=len(objectives)).tolist()
        rows = (torch.split(t, counts) for t in (z, y, torch.zeros_like(part)))
        return torch.cat([one(task, *some) for one, *some in zip(objectives, *rows, strict=True) if len(some[0])])

    def check(task: Task) -> None:
        for objective in objectives:
            objective.check(task)

    return Objective(" beside ".join(one.name for one in objectives), value, check=check)


@loop.register(_Ladder)
def _climb(settings: _Ladder, runner: Runner, group: Group, fooled: Tensor) -> Loop:
    """PGD's loop, each row in its own ball and with its own step_size."""
    candidates = Candidates(runner, group, settings, fooled, attack_all=settings.keep != "first")
    place = candidates.example + group.offset
    if settings.climbed > 1:
        candidates.part = place // (len(settings.radii) // settings.climbed)
    flat = settings.norm == "l2"  # lengths of rows, rather than of pixels
    radius, step_size = (
        torch.tensor(given, dtype=torch.float32, device=candidates.origin.device)[place] for given in
        (settings.radii, settings.strides)
    )
    eps, length = (radius, step_size) if flat else (per_row(t, candidates.origin) for t in (radius, step_size))
    candidates.box = bounds(candidates.origin, eps, settings.norm)
    x = candidates.origin
    if settings.random_start:
        x = random_start(candidates.origin, candidates.box, eps=eps, norm=settings.norm, seed=settings.seed,
                         example=candidates.indices, restart=candidates.restart)
    for index in range(settings.steps + 1):
        if not len(candidates):
            break
        last, gradient = index == settings.steps, None
        if last:
            z, value = candidates.forward(x)
        else:
            z, value, gradient = candidates.value_and_grad(x)
        if last and settings.keep == "last":
            candidates.reset_best()
        if last or settings.keep != "last":
            candidates.update_best(x, z)
        yield candidates.step(index, x, z, value, gradient)
        if gradient is None:
            break
        if settings.keep == "first":
            x, z, gradient, eps, length = candidates.drop_fooled(x, z, gradient, eps, length)
        if index == 0 and settings.keep != "last":  # where nothing changes, one look is enough
            goes_on = (eps.flatten() > 0) & ~_stuck(candidates, x, z, gradient)
            x, gradient, eps, length = candidates.select(goes_on, x, gradient, eps, length)
        x = step(x, gradient, candidates.origin, candidates.box, eps=eps, step_size=length, norm=settings.norm)
    return candidates


def _stuck(candidates: Candidates, x: Tensor, z: Tensor, gradient: Tensor) -> Tensor:
    """Which rows, bool ``(rows,)``, no step moves from their picture: no gradient there, and a network that has just
    answered for the second time as for the first. One that answers at random might give a gradient later."""
    flat, there = (gradient == 0).flatten(1).all(dim=1), (x == candidates.origin).flatten(1).all(dim=1)
    alike = (candidates.runner.codec.margins(z) == candidates.clean_margins[candidates.example]).all(dim=1)
    return flat & there & alike


def _join(found: Sequence[AttackResult]) -> AttackResult:
    """Results of single examples as one, with the settings of the last."""
    def together(name: str) -> Any:
        return torch.cat([getattr(one, name) for one in found])

    names = ("images", "labels", "clean_decoded", "decoded", "fooled", "distance", "zero_gradient",
             "nonfinite_gradient", "unmoved")
    return dataclasses.replace(
        found[-1], **{name: together(name) for name in names},
        targets=None if found[0].targets is None else together("targets"),
        **{name: sum(getattr(one, name) for one in found) for name in ("forwards", "backwards", "seconds")},
    )
