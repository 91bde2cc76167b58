"""The way that PGD goes, iterate by iterate, for the player that shows gradient, sign, step and projection."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasklab.attacks import FGSM, PGD, AttackResult, Settings, Step, stream
from tasklab.attacks.objectives import as_objective
from tasklab.figures.scene import chart_data
from tasklab.figures.scene_files import live_page
from tasklab.system import System
from tasklab.tasks import Task


@dataclass(frozen=True, kw_only=True, eq=False)
class Walk:
    """One row of an attack on one picture.

    Attributes:
        task: says what outputs mean.
        settings: the attack.
        clean: the picture ``(1, C, H, W)``.
        label: its class.
        images: ``(T + 1, C, H, W)``, the start and what each step led to.
        gradients: ``(T, C, H, W)``, of the objective at all but the last.
        outputs: ``(T + 1, K)``.
        values: ``(T + 1,)``, the objective.
        decoded: int64 ``(T + 1,)``.
        kept: which iterate the attack handed back; None if it handed back the picture itself.
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


def walk(
    system: System, image: Tensor, label: Tensor, settings: Settings, *, target: Tensor | None = None
) -> Walk:
    """Run PGD or FGSM on one picture and keep every iterate of the row that it keeps.

    Args:
        system: what is attacked.
        image: float32 ``(1, C, H, W)`` in [0, 1].
        label: int64 ``(1,)``.
        settings: the attack.
        target: int64 ``(1,)``, for ``targeted=True``.

    Raises:
        TypeError: another attack.
        ValueError: a picture that needs no attack, as it is fooled as it comes; or what `stream` refuses.

    >>> from torch import nn
    >>> from tasklab.tasks import make_task
    >>> system = System(nn.Sequential(nn.Flatten(), nn.Linear(4, 1)), make_task("int"))
    >>> walk(system, torch.full((1, 1, 2, 2), 0.5), torch.tensor([0]), PGD(eps=0.1, steps=3, keep="best")).images.shape
    torch.Size([4, 1, 2, 2])
    """
    if type(settings) not in (PGD, FGSM) or not isinstance(settings, PGD):
        raise TypeError(f"expected PGD or FGSM, whose steps can be shown, got {type(settings).__name__}; "
                        "try PGD(eps=0.1)")
    if len(image) != 1:
        raise ValueError(f"expected one picture, got {len(image)}; try x[:1]")
    paths: dict[tuple[int, int], list[tuple[Step, int]]] = {}
    steps = stream(system, image, label, settings, targets=target)
    while True:
        try:
            event = next(steps)
        except StopIteration as stop:
            result: AttackResult = stop.value
            break
        for row, name in enumerate(zip(event.restart.tolist(), event.part.tolist(), strict=True)):
            paths.setdefault(name, []).append((event, row))
    if not paths:
        raise ValueError("expected a picture that is read as its label, got one that is fooled as it comes")
    found = {name: _place(path, result.images[0]) for name, path in paths.items()}
    name = next((name for name, place in found.items() if place is not None), next(iter(paths)))
    path = paths[name]
    outputs = torch.stack([event.outputs[row] for event, row in path])
    gradients = [event.gradient[row] for event, row in path[:-1] if event.gradient is not None]
    return Walk(
        task=system.task, settings=settings, clean=image, label=int(label),
        images=torch.stack([event.images[row] for event, row in path]),
        gradients=torch.stack(gradients) if gradients else image[:0], outputs=outputs,
        values=torch.stack([event.value[row] for event, row in path]), decoded=system.task.codec.decode(outputs),
        kept=found[name], rows=len(paths),
    )


def walk_html(found: Walk, *, title: str = "", aim: str = "", names: Sequence[str] | None = None) -> str:
    """The player as a whole HTML file that needs no server; the arguments are those of `walk_data`."""
    return live_page("Player", walk_data(found, title=title, aim=aim, names=names), title=title or "PGD, step by step")


def walk_data(found: Walk, *, title: str = "", aim: str = "", names: Sequence[str] | None = None) -> dict[str, Any]:
    """Everything the player shows, as plain values for JSON; the sub-steps are worked out where they are shown.

    Args:
        found: the way.
        title: of the system.
        aim: what the attack climbs, in words; by default the objective's name.
        names: of the classes; by default their numbers.
    """
    names = [str(k) for k in range(found.task.num_classes)] if names is None else list(names)
    peaks = found.gradients.flatten(1).abs().amax(dim=1)  # (T,)
    packed = {"clean": _in_levels(found.clean), "images": _in_levels(found.images),
              "gradients": _in_shares(found.gradients, peaks)}
    told = hashlib.sha256("".join(packed.values()).encode()).hexdigest()[:16]
    return packed | {
        "peaks": peaks.tolist(),
        "id": f"{told}-{title}-{aim}", "title": title, "aim": aim or as_objective(found.settings.objective).name,
        "label": found.label, "names": names, "shape": list(found.clean.shape[1:]),
        "chart": chart_data(found.task, found.outputs, found.label, names),
        "outputs": found.outputs.tolist(), "values": found.values.tolist(), "decoded": found.decoded.tolist(),
        "eps": found.settings.eps, "stride": found.settings.stride, "norm": found.settings.norm,
        "random": found.settings.random_start, "kept": found.kept, "rows": found.rows,
    }


def _place(path: list[tuple[Step, int]], image: Tensor) -> int | None:
    """Where on its way a row came past an image, if it did after its start."""
    return next((k for k, (event, row) in enumerate(path) if k and torch.equal(event.images[row], image)), None)


def _in_levels(images: Tensor) -> str:
    """Pixels in [0, 1] as 16-bit numbers: 65535 is 1, and a level of 255 is a whole number of them."""
    return _packed((65535 * images.detach().cpu()).round().numpy().astype(np.uint16))


def _in_shares(gradients: Tensor, peaks: Tensor) -> str:
    """Gradients ``(T, C, H, W)`` as 16-bit numbers: 32767 is the peak of a step; what is not 0 stays so."""
    each = peaks.clamp_min(torch.finfo(torch.float32).tiny).reshape(-1, *[1] * (gradients.ndim - 1))
    shares = 32767 * (gradients / each).clamp(-1, 1).detach().cpu()
    return _packed((shares.sign() * shares.abs().ceil()).clamp(-32767, 32767).numpy().astype(np.int16))


def _packed(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
