"""One system, one image, one attack: what it reaches at each of many ε."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tasklab import data, zoo
from tasklab.attacks import AttackResult, AttackStep, Objective, Settings, attack
from tasklab.attacks.building import changed
from tasklab.attacks.objectives import as_objective
from tasklab.attacks.registry import fields_of
from tasklab.data.radii import IN_HUNDREDTHS
from tasklab.experiments.scenario import Scenario
from tasklab.models.fast import PLAIN
from tasklab.system import System
from tasklab.tasks import Task

AnyObjective = str | Objective | Callable[[Task, Tensor, Tensor], Tensor]

STOPS = IN_HUNDREDTHS.many
"""ε from 0 to 0.5, the stops of a scene where nothing else is asked for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sweep:
    """What an attack does to one image at each ε.

    Attributes:
        task: says what outputs mean.
        settings: the attack, at the last ε.
        stops: ε, ascending.
        clean: the image ``(1, C, H, W)``.
        label: its class.
        images: ``(S, C, H, W)``, what the attack found at each stop.
        outputs: ``(S, K)`` for them; ``clean_outputs`` is ``(K,)``.
        decoded: int64 ``(S,)``; ``clean_decoded`` before the attack.
        margins: ``(S,)``, of the label; ``clean_margin`` before the attack.
        fooled, zero_gradient, unmoved: bool ``(S,)``, as in an `AttackResult`.
    """

    task: Task
    settings: Settings
    stops: tuple[float, ...]
    clean: Tensor
    label: int
    images: Tensor
    outputs: Tensor
    clean_outputs: Tensor
    decoded: Tensor
    clean_decoded: int
    margins: Tensor
    clean_margin: float
    fooled: Tensor
    zero_gradient: Tensor
    unmoved: Tensor

    def at(self, eps: float) -> int:
        """The index of the stop nearest to ε."""
        return min(range(len(self.stops)), key=lambda index: abs(self.stops[index] - eps))


def attack_radii(
    system: System, image: Tensor, label: Tensor, settings: Settings, radii: Sequence[float], *,
    objectives: Sequence[AnyObjective] = (), target: Tensor | None = None, index: int = 0,
    progress: Callable[[AttackStep], object] | None = None,
) -> AttackResult:
    """Attack one image at each of many radii; the result has one example for each radius.

    Each example is what `attack` finds with ``changed(settings, eps=radius)``: a step size that is not given follows
    the radius. The random starts are the same for all radii, scaled. PGD and FGSM attack all radii in one batch.

    Args:
        system: what is attacked.
        image: float32 ``(1, C, H, W)`` in [0, 1].
        label: int64 ``(1,)``.
        settings: the attack; its own ``eps`` does not matter.
        radii: each ≥ 0, at least one.
        objectives: attack with each of these instead of the settings' own, in one batch where none has parts. The
            result has all radii for the first objective, then all for the next, and the settings of the last. An
            attack without an objective, such as `Noise`, is the same for each.
        target: int64 ``(1,)``, the class to reach, for ``targeted=True``.
        index: the example's number for its random starts.
        progress: called with each `AttackStep` of each attack.

    Returns:
        A result of ``len(radii) · max(1, len(objectives))`` examples.

    Raises:
        TypeError, ValueError: more than one image, no radius, or what `attack` refuses.

    >>> from torch import nn
    >>> from tasklab.attacks import PGD
    >>> from tasklab.tasks import make_task
    >>> system = System(nn.Sequential(nn.Flatten(), nn.Linear(4, 1)), make_task("int"))
    >>> x, y = torch.full((1, 1, 2, 2), 0.5), torch.tensor([0])
    >>> result = attack_radii(system, x, y, PGD(eps=0, steps=5, keep="best"), (0.0, 0.1, 0.2))
    >>> bool(((result.images - x).abs().flatten(1).amax(1) <= torch.tensor([0.0, 0.1, 0.2]) + 1e-6).all())
    True
    """
    if len(image) != 1 or len(label) != 1:
        raise ValueError(f"expected one image and its label, got {len(image)} and {len(label)}; try x[:1], y[:1]")
    if not len(radii):
        raise ValueError("expected at least one radius, got none; try (0.0, 0.1)")
    variants = [changed(settings, objective=objective) for objective in objectives] or [settings]
    chosen = [as_objective(variant.objective) for variant in variants]
    one_batch = settings.takes_eps_per_example
    if len(variants) > 1 and not (one_batch and all(_has_no_parts(objective, system.task) for objective in chosen)):
        return _join([attack_radii(system, image, label, variant, radii, target=target, index=index, progress=progress)
                      for variant in variants])
    last = changed(variants[-1], eps=float(radii[-1]), plan=PLAIN)
    if not one_batch:
        at_radius = [changed(last, eps=float(radius)) for radius in radii]
        indices = torch.tensor([index], device="cpu")
        if "steps" in fields_of(type(settings)):  # there is one point within ε = 0
            at_radius = [each if each.eps else changed(each, steps=1) for each in at_radius]
        joined = _join([attack(system, image, label, each, targets=target, indices=indices, progress=progress)
                        for each in at_radius])
        return dataclasses.replace(joined, settings=last)
    n, parts = len(variants) * len(radii), None
    together = last
    if len(variants) > 1:
        together = dataclasses.replace(together, objective=_side_by_side(chosen))
        parts = torch.arange(len(variants), device=image.device).repeat_interleave(len(radii))
    result = attack(
        system, image.expand(n, *image.shape[1:]).contiguous(), label.expand(n).contiguous(), together,
        targets=None if target is None else target.expand(n).contiguous(),
        indices=torch.full((n,), index, device="cpu"), parts=parts,
        eps=[float(radius) for radius in radii] * len(variants), progress=progress,
    )
    return dataclasses.replace(result, settings=last)


def _has_no_parts(objective: Objective, task: Task) -> bool:
    return objective.of == "outputs" and objective.parts(task) == 1


def _side_by_side(objectives: Sequence[Objective]) -> Objective:
    """Objectives without parts as the parts of one; rows have to come in the order of their parts."""
    def value(task: Task, z: Tensor, y: Tensor, part: Tensor) -> Tensor:
        counts = torch.bincount(part, minlength=len(objectives)).tolist()
        rows = (torch.split(t, counts) for t in (z, y, torch.zeros_like(part)))
        return torch.cat([one(task, *some) for one, *some in zip(objectives, *rows, strict=True) if len(some[0])])

    def check(task: Task) -> None:
        for objective in objectives:
            objective.check(task)

    name = " beside ".join(objective.name for objective in objectives)
    return Objective(name, value, parts=lambda task: len(objectives), check=check)


def _join(results: Sequence[AttackResult]) -> AttackResult:
    """Results of single examples as one, with the settings of the last."""
    def joined(name: str) -> Any:
        return torch.cat([getattr(result, name) for result in results])

    names = ("images", "labels", "clean_decoded", "decoded", "fooled", "distance", "zero_gradient",
             "nonfinite_gradient", "unmoved")
    return dataclasses.replace(
        results[-1], **{name: joined(name) for name in names},
        targets=None if results[0].targets is None else joined("targets"),
        **{name: sum(getattr(result, name) for result in results) for name in ("forwards", "backwards", "seconds")},
    )


def sweep(
    system: System, image: Tensor, label: Tensor, settings: Settings, stops: Sequence[float] = STOPS, *,
    target: Tensor | None = None,
) -> Sweep:
    """Attack one image at each stop; see `attack_radii`.

    Args:
        system: what is attacked.
        image: float32 ``(1, C, H, W)`` in [0, 1].
        label: int64 ``(1,)``.
        settings: the attack; its own ``eps`` does not matter.
        stops: every ε ≥ 0, in any order.
        target: int64 ``(1,)``, for ``targeted=True``.

    >>> from torch import nn
    >>> from tasklab.attacks import FGSM
    >>> from tasklab.tasks import make_task
    >>> system = System(nn.Sequential(nn.Flatten(), nn.Linear(4, 1)), make_task("int"))
    >>> found = sweep(system, torch.full((1, 1, 2, 2), 0.5), torch.tensor([0]), FGSM(eps=0), (0.0, 0.25))
    >>> found.images.shape, found.at(0.2)
    (torch.Size([2, 1, 2, 2]), 1)
    """
    (one,) = sweep_each(system, image, label, settings, (settings.objective,), stops, target=target)
    return one


def sweep_each(
    system: System, image: Tensor, label: Tensor, settings: Settings, objectives: Sequence[AnyObjective],
    stops: Sequence[float] = STOPS, *, target: Tensor | None = None,
    progress: Callable[[AttackStep], object] | None = None,
) -> list[Sweep]:
    """`sweep` under each objective instead of the settings' own, in order, and at once where `attack_radii` can.

    Args:
        system, image, label, settings, stops, target: as in `sweep`.
        objectives: what the attack climbs, one after the other.
        progress: called with each `AttackStep` of each attack.
    """
    ordered = tuple(sorted({float(stop) for stop in stops}))
    result = attack_radii(system, image, label, settings, ordered, objectives=objectives, target=target,
                          progress=progress)
    z = system.read(torch.cat([image, result.images]))
    codec, own = system.task.codec, int(label)
    margins = codec.margins(z)[:, own]

    def of(index: int) -> Sweep:
        here, after = (slice(index * len(ordered) + k, (index + 1) * len(ordered) + k) for k in (0, 1))
        return Sweep(
            task=system.task, settings=changed(result.settings, objective=objectives[index]), stops=ordered,
            clean=image, label=own, images=result.images[here], outputs=z[after], clean_outputs=z[0],
            decoded=result.decoded[here], clean_decoded=int(result.clean_decoded[0]), margins=margins[after],
            clean_margin=float(margins[0]), fooled=result.fooled[here], zero_gradient=result.zero_gradient[here],
            unmoved=result.unmoved[here],
        )

    return [of(index) for index in range(len(objectives))]


def sweeps(scenario: Scenario, stops: Sequence[float] | None = None) -> dict[tuple[str, str], Sweep]:
    """A scenario's attack on its image at each stop: each system under each objective, as `scene_html` takes them.

    Args:
        scenario: what is asked.
        stops: ε; by default those customary on its data set.

    Raises:
        ValueError: a system, an image or a setting that is not there.

    >>> found = sweeps(Scenario(systems=("digits-rbc",), objectives=("margin",)), (0.0, 0.2))
    >>> [one.decoded.shape for one in found.values()]
    [torch.Size([2])]
    """
    test = data.load(scenario.data, "test")
    if not 0 <= scenario.image < len(test):
        raise ValueError(f"expected image in 0..{len(test) - 1}, got {scenario.image}")
    x, y = test.x(scenario.image), test.labels[scenario.image : scenario.image + 1]
    aims = scenario.aims
    if not aims:
        return {}
    settings = scenario.settings(aims[0])
    target = y.new_tensor([scenario.target]) if settings.targeted and scenario.target is not None else None
    stops = scenario.radii.many if stops is None else stops
    sweeps = {name: sweep_each(zoo.load(name), x, y, settings, aims, stops, target=target) for name in scenario.systems}
    return {(name, aim): sweeps[name][index] for index, aim in enumerate(aims) for name in scenario.systems}


def joined(first: Sweep, second: Sweep) -> Sweep:
    """Two sweeps of one attack on one image as one; a stop that both have is taken from the first.

    Raises:
        ValueError: sweeps of different images or tasks.
    """
    if first.task != second.task or first.label != second.label or not torch.equal(first.clean, second.clean):
        raise ValueError("expected two sweeps of one image under one task, got different ones")
    new = [index for index, stop in enumerate(second.stops) if stop not in first.stops]
    stops = first.stops + tuple(second.stops[index] for index in new)
    order = torch.tensor(sorted(range(len(stops)), key=lambda index: stops[index]))

    def both(name: str) -> Tensor:
        return torch.cat([getattr(first, name), getattr(second, name)[new]])[order]

    return Sweep(
        task=first.task, settings=first.settings, stops=tuple(stops[index] for index in order.tolist()),
        clean=first.clean, label=first.label, clean_outputs=first.clean_outputs, clean_decoded=first.clean_decoded,
        clean_margin=first.clean_margin, images=both("images"), outputs=both("outputs"), decoded=both("decoded"),
        margins=both("margins"), fooled=both("fooled"), zero_gradient=both("zero_gradient"), unmoved=both("unmoved"),
    )
