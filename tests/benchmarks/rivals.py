"""The ensemble beside torchattacks' AutoAttack and a long PGD: the same images, one judge, one after the other."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from tasklab.attacks import PGD, attack
from tasklab.attacks.objectives import OBJECTIVES
from tasklab.evaluation import Share, worst_case
from tasklab.system import System
from tasklab.tasks import TRA

STANDARD, AUTO, RAW, LONG = "standard", "AutoAttack", "AutoAttack on logits", "PGD-200 × 10"
SLACK = 1e-6
"""How far outside the ball float32 may put an image."""

SHORT, REPEATS = 4.0, 3
"""What takes fewer seconds of the processor is run so often, and the median counts."""

STAGES = ("APGD-CE", "APGD-T", "FAB-T", "Square")


@dataclass(frozen=True, kw_only=True)
class Found:
    """What one attacker made of the images.

    Attributes:
        name: the attacker's.
        standing: bool ``(N,)``: right before and after, in float32 on the system itself, whatever the attacker says.
        seconds, cpu: by the clock and of the processor; the median of three runs where one is short.
        outside: how many images it gave back outside the ball or [0, 1]; those count as standing.
        stages: survivors after each of AutoAttack's four attacks.
    """

    name: str
    standing: Tensor
    seconds: float
    cpu: float
    outside: int
    stages: tuple[int, ...] = ()


def compare(
    system: System, images: Tensor, labels: Tensor, eps: float, *, on_logits: bool = True
) -> list[Found]:
    """Every attacker on the same images; the ensemble first, AutoAttack next, so that both meet the machine alike.

    ``on_logits``: whether AutoAttack attacks TRA's own logits too.
    """
    attackers: dict[str, Callable[[], tuple[Tensor, tuple[int, ...]]]] = {
        STANDARD: lambda: (worst_case(system, (images, labels), eps, preset="standard").images, ()),
        AUTO: lambda: autoattack(system.as_logits(), images, labels, eps, system.task.num_classes + 1),
    }
    if on_logits and isinstance(system.task, TRA):
        attackers[RAW] = lambda: autoattack(_Outputs(system), images, labels, eps, system.task.num_classes)
    attackers[LONG] = lambda: (attack(system, images, labels, PGD(eps=eps, steps=200, restarts=10)).images, ())
    warm(system, images, labels)
    return [_timed(name, run, system, images, labels, eps) for name, run in attackers.items()]


def warm(system: System, images: Tensor, labels: Tensor) -> None:
    """What is paid once in a process: the choice of a way to run the network, and the first pass of each."""
    attack(system, images[:64], labels[:64], PGD(eps=0.01, steps=40))
    x = images[:64].clone().requires_grad_()
    torch.autograd.grad(system.as_logits()(x).sum(), x)


def autoattack(
    module: nn.Module, images: Tensor, labels: Tensor, eps: float, classes: int
) -> tuple[Tensor, tuple[int, ...]]:
    """torchattacks' AutoAttack as it comes; its images, and how many stood after each of its attacks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torchattacks

        attacker = torchattacks.AutoAttack(module, norm="Linf", eps=eps, n_classes=classes, seed=0)
        several = attacker._autoattack
        several._accumulate_multi_atk_records = True
        several._multi_atk_records = [0.0] * (len(STAGES) + 1)
        result = attacker(images, labels).detach()
    return result, tuple(int(left) for left in several._multi_atk_records[1:])


def blind(system: System, images: Tensor, labels: Tensor) -> dict[str, Share]:
    """Among the correct images, those on which what an attacker climbs has an exactly zero gradient at the image.

    The own training loss; AutoAttack's cross-entropy and its published ratios (DLR, and DLR towards the runner-up) on
    `class_scores`; and the margin, which the ensemble climbs.
    """
    right = system.predict(images) == labels
    x, y = images[right], labels[right]

    def own(x: Tensor) -> Tensor:
        return system.task.loss(system.outputs(x), y)

    def entropy(x: Tensor) -> Tensor:
        return nn.functional.cross_entropy(system.class_scores(x), y, reduction="none")

    def ratio(x: Tensor) -> Tensor:
        scores, ranked = _ranked(system, x)
        mine = scores.gather(1, y[:, None]).squeeze(1)
        return -(mine - ranked[:, 1]) / (ranked[:, 0] - ranked[:, 2] + 1e-12)

    def towards(x: Tensor) -> Tensor:
        scores, ranked = _ranked(system, x)
        mine = scores.gather(1, y[:, None]).squeeze(1)
        return -(mine - ranked[:, 1]) / (ranked[:, 0] - 0.5 * (ranked[:, 2] + ranked[:, 3]) + 1e-12)

    def margin(x: Tensor) -> Tensor:
        return OBJECTIVES["margin"](system.task, system.outputs(x), y, torch.zeros_like(y))

    values = {"training loss": own, "CE": entropy, "DLR": ratio, "DLR-T": towards, "margin": margin}
    return {name: Share.of(_flat(value, x)) for name, value in values.items()}


def _ranked(system: System, x: Tensor) -> tuple[Tensor, Tensor]:
    scores = system.class_scores(x)
    return scores, scores.topk(4, dim=1).values


def _flat(value: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value(leaf).sum(), leaf)
    return (gradient == 0).flatten(1).all(dim=1)


def _timed(
    name: str, run: Callable[[], tuple[Tensor, tuple[int, ...]]], system: System, images: Tensor, labels: Tensor,
    eps: float,
) -> Found:
    clocks: list[tuple[float, float]] = []
    while not clocks or (len(clocks) < REPEATS and clocks[0][1] < SHORT):
        torch.manual_seed(0)
        started, busy = time.perf_counter(), time.process_time()
        result, stages = run()
        clocks.append((time.perf_counter() - started, time.process_time() - busy))
    seconds, cpu = (median(column) for column in zip(*clocks, strict=True))
    away = (result - images).abs().flatten(1).amax(dim=1)
    outside = (away > eps + SLACK) | ((result < 0) | (result > 1)).flatten(1).any(dim=1)
    before, after = (system.predict(x) == labels for x in (images, result))
    return Found(name=name, standing=before & (after | outside), seconds=seconds, cpu=cpu, outside=int(outside.sum()),
                 stages=stages)


def described(result: list[Found]) -> dict[str, Any]:
    """Plain values: each attacker's count, times, and how its images differ from the ensemble's."""
    ours = result[0].standing
    return {
        "n": len(ours),
        "attackers": {
            one.name: {
                "standing": int(one.standing.sum()), "seconds": round(one.seconds, 3), "cpu_seconds": round(one.cpu, 3),
                "outside": one.outside, "stages": list(one.stages),
                "broke_what_standard_did_not": (ours & ~one.standing).nonzero().squeeze(1).tolist(),
                "left_what_standard_broke": int((one.standing & ~ours).sum()),
            }
            for one in result
        },
    }


def joined(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What `described` says of blocks of images one after the other, as one; the machine is the first block's.

    An attacker may have left out the later blocks: ``n`` says on how many images it was, and ``ours`` how many of those
    stand before the ensemble.
    """
    starts = [0, *accumulate(part["n"] for part in parts)]

    def one(name: str) -> dict[str, Any]:
        there = [(start, part) for start, part in zip(starts, parts, strict=False) if name in part["attackers"]]
        result = [part["attackers"][name] for _, part in there]
        sums = {key: sum(some[key] for some in result)
                for key in ("standing", "seconds", "cpu_seconds", "outside", "left_what_standard_broke")}
        missed = [start + image for start, part in there
                  for image in part["attackers"][name]["broke_what_standard_did_not"]]
        stages = [sum(left) for left in zip(*(some["stages"] for some in result), strict=True)]
        return sums | {"stages": stages, "broke_what_standard_did_not": missed,
                       "n": sum(part["n"] for _, part in there),
                       "ours": sum(part["attackers"][STANDARD]["standing"] for _, part in there)}

    return parts[0] | {"n": starts[-1], "attackers": {name: one(name) for name in parts[0]["attackers"]}}


class _Outputs(nn.Module):
    """The network's own logits, as a module."""

    def __init__(self, system: System) -> None:
        super().__init__()
        self.network, self._outputs = system.network, system.outputs

    def forward(self, x: Tensor) -> Tensor:
        return self._outputs(x)
