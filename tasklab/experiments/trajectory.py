"""The trajectory of PGD on one image: every iterate of the row that the attack keeps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tasklab.attacks import FGSM, PGD, AttackStep, Settings, attack
from tasklab.system import System
from tasklab.tasks import Task

PLAYED: tuple[type[PGD], ...] = (FGSM, PGD)
"""The attacks whose steps can be shown as gradient, sign, step and projection."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Trajectory:
    """One row of an attack on one image.

    Attributes:
        task: says what outputs mean.
        settings: the attack.
        clean: the image ``(1, C, H, W)``.
        label: its class.
        images: ``(T + 1, C, H, W)``, the start and what each step led to.
        gradients: ``(T, C, H, W)``, of the objective at all but the last.
        outputs: ``(T + 1, K)``.
        values: ``(T + 1,)``, the objective.
        decoded: int64 ``(T + 1,)``.
        kept: the index of the iterate that the attack returned; None if it returned the image itself.
        rows: how many rows the attack had; this is the one that it kept, or the first.
    """

    task: Task
    settings: PGD
    clean: Tensor
    label: int
    images: Tensor
    gradients: Tensor
    outputs: Tensor
    values: Tensor
    decoded: Tensor
    kept: int | None
    rows: int


def record_trajectory(
    system: System, image: Tensor, label: Tensor, settings: Settings, *, target: Tensor | None = None
) -> Trajectory:
    """Run PGD or FGSM on one image and keep every iterate of the row that it keeps.

    Args:
        system: what is attacked.
        image: float32 ``(1, C, H, W)`` in [0, 1].
        label: int64 ``(1,)``.
        settings: the attack.
        target: int64 ``(1,)``, for ``targeted=True``.

    Raises:
        TypeError: another attack.
        ValueError: an image that is misclassified without any attack, or arguments that `attack` refuses.

    >>> from torch import nn
    >>> from tasklab.tasks import make_task
    >>> system = System(nn.Sequential(nn.Flatten(), nn.Linear(4, 1)), make_task("int"))
    >>> x, y = torch.full((1, 1, 2, 2), 0.5), torch.tensor([0])
    >>> record_trajectory(system, x, y, PGD(eps=0.1, steps=3, keep="best")).images.shape
    torch.Size([4, 1, 2, 2])
    """
    if type(settings) not in PLAYED or not isinstance(settings, PGD):
        raise TypeError(f"expected PGD or FGSM, whose steps can be shown, got {type(settings).__name__}; "
                        "try PGD(eps=0.1)")
    if len(image) != 1:
        raise ValueError(f"expected one image, got {len(image)}; try x[:1]")
    paths: dict[tuple[int, int], list[tuple[AttackStep, int]]] = {}

    def record(event: AttackStep) -> None:
        for row, name in enumerate(zip(event.restart.tolist(), event.part.tolist(), strict=True)):
            paths.setdefault(name, []).append((event, row))

    result = attack(system, image, label, settings, targets=target, progress=record)
    if not paths:
        raise ValueError("expected an image that is read as its label, got one that is misclassified before any attack")
    kept = {name: _index_of(result.images[0], path) for name, path in paths.items()}
    name = next((name for name, index in kept.items() if index is not None), next(iter(paths)))
    path = paths[name]
    outputs = torch.stack([event.outputs[row] for event, row in path])
    gradients = [event.gradient[row] for event, row in path[:-1] if event.gradient is not None]
    return Trajectory(
        task=system.task, settings=settings, clean=image, label=int(label),
        images=torch.stack([event.images[row] for event, row in path]),
        gradients=torch.stack(gradients) if gradients else image[:0], outputs=outputs,
        values=torch.stack([event.value[row] for event, row in path]), decoded=system.task.codec.decode(outputs),
        kept=kept[name], rows=len(paths),
    )


def _index_of(image: Tensor, path: list[tuple[AttackStep, int]]) -> int | None:
    """The first step after the start at which a trajectory is at an image, if there is one."""
    return next((k for k, (event, row) in enumerate(path) if k and torch.equal(event.images[row], image)), None)
