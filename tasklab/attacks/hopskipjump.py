"""HopSkipJump (Chen, Jordan & Wainwright 2020): an attack that sees decoded labels and nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from tasklab.attacks.bisection import to_boundary
from tasklab.attacks.candidates import Candidates, Group, Loop, loop
from tasklab.attacks.draws import Draws
from tasklab.attacks.geometry import per_row, rescale, row_norm
from tasklab.attacks.minimum_norm import MinimumNorm, finish
from tasklab.attacks.objectives import Objective
from tasklab.attacks.registry import register
from tasklab.attacks.settings import Norm
from tasklab.checks import check_whole, keep
from tasklab.tasks import Task

if TYPE_CHECKING:
    from tasklab.attacks.runner import Runner

CHUNK = 4096
"""Number of images held at once while a normal is estimated."""


def _label(task: Task, z: Tensor, y: Tensor, part: Tensor) -> Tensor:
    return (task.codec.decode(z) != y).float()


@register
@dataclass(frozen=True, kw_only=True)
class HopSkipJump(MinimumNorm):
    """HopSkipJump (Chen et al. 2020, algorithm 2): walk along the decision boundary by labels alone.

    It starts from a random image that fools the network. Each step returns to the boundary by bisection, estimates the
    normal there from the labels φ(x + δ·u_b) ∈ {−1, 1} of ``samples·√t`` random points at distance ``δ = ‖x −
    image‖/pixels`` (``Σ (φ_b − φ̄)·u_b``, equation 16), and moves ``‖x − image‖/√t`` along it, a length that is halved
    until the result fools. Plateaus of a loss, masked gradients and rounded outputs do not affect it.

    Args:
        steps: estimates of the normal.
        samples: number of labels that the first estimate of the normal uses.
        tries: random images tried as a start; if none fools, the clean image is returned.

    The rest is as in `MinimumNorm`; it has no objective and no targets.

    >>> from tasklab.attacks import attack
    >>> from tasklab.system import System
    >>> from tasklab.tasks import make_task
    >>> system = System(nn.Sequential(nn.Flatten(), nn.Linear(4, 4)), make_task("rbc", S=1))
    >>> x = torch.rand(8, 1, 2, 2)
    >>> attack(system, x, system.predict(x).clamp(min=0), HopSkipJump(steps=3)).backwards
    0
    """

    note: ClassVar[str] = "Sees labels alone, neither outputs nor gradients, so a masked gradient cannot mislead it."
    rank: ClassVar[int] = 6
    quick_steps: ClassVar[int] = 10
    fixed_aim: ClassVar[tuple[str, str]] = (
        "the label alone",
        "It asks for labels and sees no outputs, so there is nothing to aim at but another label.",
    )
    uses_gradients: ClassVar[bool] = False
    steps: int = 20
    samples: int = 100
    tries: int = 60
    objective: str | Objective = field(default=Objective("label", _label), init=False)
    targeted: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        keep(self, samples=check_whole("samples", self.samples, low=1), tries=check_whole("tries", self.tries, low=1))


@loop.register(HopSkipJump)
def _walk(settings: HopSkipJump, runner: Runner, group: Group, fooled: Tensor) -> Loop:
    """Find a start, then hop along the boundary."""
    candidates = Candidates(runner, group, settings, fooled, minimum_norm=True)
    draws, norm = Draws(candidates), settings.norm
    x, started = _start(candidates, draws, settings.tries)
    (x,) = candidates.select(started, x)
    size = candidates.origin[0].numel() if len(candidates) else 1
    halvings = min(math.ceil(1.5 * math.log2(size)) + 2, 20)
    for index in range(settings.steps):
        if not len(candidates):
            break
        x = _to_boundary(candidates, x, halvings, norm)
        z, value = candidates.forward(x)
        candidates.update_best(x, z)
        yield candidates.step(index, x, z, value)
        distance = row_norm(x - candidates.origin, norm)
        radius = row_norm(x - candidates.origin, "l2") / size if index else torch.full_like(distance, 0.1)
        normal = _normal(candidates, draws, x, radius, round(settings.samples * math.sqrt(index + 1)))
        step_size, jumped = distance / math.sqrt(index + 1), torch.zeros_like(distance, dtype=torch.bool)
        for _ in range(8):
            move = normal.sign() * per_row(step_size, x) if norm == "linf" else rescale(normal, step_size)
            moved = (x + move).clamp(0, 1)
            fools = _fools(candidates, moved) & ~jumped
            x, jumped, step_size = torch.where(per_row(fools, x), moved, x), jumped | fools, step_size / 2
            if bool(jumped.all()):
                break
    if len(candidates):
        x = _to_boundary(candidates, x, halvings, norm)
        candidates.update_best(x, candidates.forward(x)[0])
    return finish(candidates, settings)


def _fools(candidates: Candidates, x: Tensor, which: slice = slice(None), times: int = 1) -> Tensor:
    """Which images fool the network by more than rounding; this is all that the attack learns about the network.

    Args:
        candidates: those that the images belong to.
        x: ``times`` images for each of the candidates in the slice ``which``.

    Returns:
        bool, one for each image.
    """
    labels, part = (t[which].repeat_interleave(times) for t in (candidates.labels, candidates.part))
    targets = None if candidates.targets is None else candidates.targets[which].repeat_interleave(times)
    z, _ = candidates.runner.forward(x, labels, part, targets)
    return candidates.runner.confirmed_margin(x, z, labels, targets) > 0


def _start(candidates: Candidates, draws: Draws, tries: int) -> tuple[Tensor, Tensor]:
    """A random image that fools the network, where one is found: noise, black-and-white noise, or blocks of it."""
    x, started = candidates.origin, torch.zeros_like(candidates.example, dtype=torch.bool)
    for attempt in range(tries if len(candidates) else 0):
        drawn = draws.uniform(*x.shape[1:])
        if attempt % 3:
            drawn = (drawn < 0.5).to(torch.float32)
        if attempt % 3 == 2 and x.ndim == 4:
            coarse = drawn[:, :, :: max(x.shape[2] // 4, 1), :: max(x.shape[3] // 4, 1)]
            drawn = nn.functional.interpolate(coarse, size=x.shape[2:], mode="nearest")
        good = _fools(candidates, drawn) & ~started
        x, started = torch.where(per_row(good, x), drawn, x), started | good
        if bool(started.all()):
            break
    return x, started


def _to_boundary(candidates: Candidates, x: Tensor, halvings: int, norm: Norm) -> Tensor:
    """Move ``x``, which fools the network, towards the clean image for as long as it still does."""
    image = candidates.origin
    if norm == "l2":
        return to_boundary(image, x, lambda nearer: _fools(candidates, nearer), halvings)
    far = row_norm(x - image, norm)

    def cut(share: Tensor) -> Tensor:
        radius = per_row(share * far, x)
        return torch.clamp(x, image - radius, image + radius)

    return to_boundary(image, x, lambda nearer: _fools(candidates, nearer), halvings, between=cut)


def _normal(candidates: Candidates, draws: Draws, x: Tensor, radius: Tensor, samples: int) -> Tensor:
    """An estimate of the boundary's normal at ``x``, pointing to the side that fools (equation 16)."""
    normals, chunk = [], max(1, CHUNK // samples)
    for low in range(0, len(x), chunk):
        some = slice(low, low + chunk)
        centre = x[some].repeat_interleave(samples, dim=0)
        lengths = radius[some].repeat_interleave(samples)
        u = rescale(draws.normal(samples, *x.shape[1:], which=some).flatten(0, 1), lengths)
        u = (centre + u).clamp(0, 1) - centre
        sign = 2 * _fools(candidates, centre + u, some, samples).reshape(-1, samples).float() - 1
        mean = sign.mean(dim=1, keepdim=True)
        weight = torch.where(mean.abs() == 1, sign, sign - mean)  # (rows, samples)
        normals.append((per_row(weight.flatten(), u) * u).reshape(-1, samples, *x.shape[1:]).mean(dim=1))
    return torch.cat(normals)
