"""One system, one picture, one attack: what it reaches at each of many ε."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tasklab import data, zoo
from tasklab.attacks import Settings
from tasklab.attacks.building import changed
from tasklab.attacks.ladder import Climbed, ladder
from tasklab.data.radii import IN_HUNDREDTHS
from tasklab.experiments.scenario import Scenario
from tasklab.system import System
from tasklab.tasks import Task

STOPS = IN_HUNDREDTHS.many
"""ε from 0 to 0.5, the stops of a scene where nothing else is asked for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sweep:
    """What an attack does to one picture at each ε.

    Attributes:
        task: says what outputs mean.
        settings: the attack, at the last ε.
        stops: ε, ascending.
        clean: the picture ``(1, C, H, W)``.
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
        """The place of the stop nearest to ε."""
        return min(range(len(self.stops)), key=lambda place: abs(self.stops[place] - eps))


def sweep(
    system: System, image: Tensor, label: Tensor, settings: Settings, stops: Sequence[float] = STOPS, *,
    target: Tensor | None = None,
) -> Sweep:
    """Attack one picture at each stop; see `ladder`.

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
    system: System, image: Tensor, label: Tensor, settings: Settings, objectives: Sequence[Climbed],
    stops: Sequence[float] = STOPS, *, target: Tensor | None = None,
) -> list[Sweep]:
    """`sweep` under each objective instead of the settings' own, in order, and at once where `ladder` can."""
    ordered = tuple(sorted({float(stop) for stop in stops}))
    found = ladder(system, image, label, settings, ordered, objectives=objectives, target=target)
    z = system.read(torch.cat([image, found.images]))
    codec, own = system.task.codec, int(label)
    margins = codec.margins(z)[:, own]

    def of(place: int) -> Sweep:
        here, after = (slice(place * len(ordered) + k, (place + 1) * len(ordered) + k) for k in (0, 1))
        return Sweep(
            task=system.task, settings=changed(found.settings, objective=objectives[place]), stops=ordered,
            clean=image, label=own, images=found.images[here], outputs=z[after], clean_outputs=z[0],
            decoded=found.decoded[here], clean_decoded=int(found.clean_decoded[0]), margins=margins[after],
            clean_margin=float(margins[0]), fooled=found.fooled[here], zero_gradient=found.zero_gradient[here],
            unmoved=found.unmoved[here],
        )

    return [of(place) for place in range(len(objectives))]


def sweeps(scenario: Scenario, stops: Sequence[float] | None = None) -> dict[tuple[str, str], Sweep]:
    """A scenario's attack on its picture at each stop: each system under each objective, as `scene_html` takes them.

    Args:
        scenario: what is asked.
        stops: ε; by default those customary on its data set.

    Raises:
        ValueError: a system, a picture or a setting that is not there.

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
    found = {name: sweep_each(zoo.load(name), x, y, settings, aims, stops, target=target) for name in scenario.systems}
    return {(name, aim): found[name][place] for place, aim in enumerate(aims) for name in scenario.systems}


def joined(first: Sweep, second: Sweep) -> Sweep:
    """Two sweeps of one attack on one picture as one; a stop that both have is taken from the first.

    Raises:
        ValueError: sweeps of different pictures or tasks.
    """
    if first.task != second.task or first.label != second.label or not torch.equal(first.clean, second.clean):
        raise ValueError("expected two sweeps of one picture under one task, got different ones")
    new = [place for place, stop in enumerate(second.stops) if stop not in first.stops]
    stops = first.stops + tuple(second.stops[place] for place in new)
    order = torch.tensor(sorted(range(len(stops)), key=lambda place: stops[place]))

    def both(name: str) -> Tensor:
        return torch.cat([getattr(first, name), getattr(second, name)[new]])[order]

    return Sweep(
        task=first.task, settings=first.settings, stops=tuple(stops[place] for place in order.tolist()),
        clean=first.clean, label=first.label, clean_outputs=first.clean_outputs, clean_decoded=first.clean_decoded,
        clean_margin=first.clean_margin, images=both("images"), outputs=both("outputs"), decoded=both("decoded"),
        margins=both("margins"), fooled=both("fooled"), zero_gradient=both("zero_gradient"), unmoved=both("unmoved"),
    )
