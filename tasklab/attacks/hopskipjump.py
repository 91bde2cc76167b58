"""HopSkipJump (Chen, Jordan & Wainwright 2020): an attack that sees decoded labels and nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from tasklab.attacks.draws import Draws
from tasklab.attacks.geometry import per_row, rescale
from tasklab.attacks.nearest import Nearest, finish
from tasklab.attacks.objectives import Objective
from tasklab.attacks.rows import Group, Loop, Rows, length, loop
from tasklab.attacks.settings import Norm
from tasklab.checks import check_whole, keep
from tasklab.tasks import Task

if TYPE_CHECKING:
    from tasklab.attacks.runner import Runner

CHUNK = 4096
"""Images held at once while a direction is estimated."""


def _label(task: Task, z: Tensor, y: Tensor, part: Tensor) -> Tensor:
    return (task.codec.decode(z) != y).float()


@dataclass(frozen=True, kw_only=True)
class HopSkipJump(Nearest):
    """HopSkipJump (Chen et al. 2020, algorithm 2): walk along the decision boundary by labels alone.

    From a random image that fools, each step goes back to the boundary by bisection, estimates its normal from the
    labels φ(x + δ·u_b) ∈ {−1, 1} of ``samples·√t`` random points, ``δ = ‖x − image‖/pixels`` away
    (``Σ (φ_b − φ̄)·u_b``, equation 16), and goes ``‖x − image‖/√t`` along it, halving until that fools. Plateaus of a
    loss, masked gradients and rounded outputs are nothing to it.

    Args:
        steps: estimates of the normal.
        samples: labels asked for by the first estimate.
        tries: random images tried as a start; where none fools, the image comes back as it was.

    The rest is as in `Nearest`; it has no objective and no targets.

    >>> from tasklab.attacks import attack
    >>> from tasklab.system import System
    >>> from tasklab.tasks import make_task
    >>> system = System(nn.Sequential(nn.Flatten(), nn.Linear(4, 4)), make_task("rbc", S=1))
    >>> x = torch.rand(8, 1, 2, 2)
    >>> attack(system, x, system.predict(x).clamp(min=0), HopSkipJump(steps=3)).backwards
    0
    """

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
def _walk(settings: HopSkipJump, run: Runner, group: Group, fooled: Tensor) -> Loop:
    """Find a start, then hop along the boundary."""
    rows = Rows(run, group, settings, fooled, shortest=True)
    draws, norm = Draws(rows), settings.norm
    x, started = _start(rows, draws, settings.tries)
    (x,) = rows.keep(started, x)
    size = rows.origin[0].numel() if len(rows) else 1
    halvings = min(math.ceil(1.5 * math.log2(size)) + 2, 20)
    for index in range(settings.steps):
        if not len(rows):
            break
        x = _to_boundary(rows, x, halvings, norm)
        z, value = rows.look(x)
        rows.offer(x, z)
        yield rows.step(index, x, z, value)
        away = length(x - rows.origin, norm)
        radius = length(x - rows.origin, "l2") / size if index else torch.full_like(away, 0.1)
        normal = _normal(rows, draws, x, radius, round(settings.samples * math.sqrt(index + 1)))
        stride, jumped = away / math.sqrt(index + 1), torch.zeros_like(away, dtype=torch.bool)
        for _ in range(8):
            move = normal.sign() * per_row(stride, x) if norm == "linf" else rescale(normal, stride)
            ahead = (x + move).clamp(0, 1)
            ok = _fools(rows, ahead) & ~jumped
            x, jumped, stride = torch.where(per_row(ok, x), ahead, x), jumped | ok, stride / 2
            if bool(jumped.all()):
                break
    if len(rows):
        x = _to_boundary(rows, x, halvings, norm)
        rows.offer(x, rows.look(x)[0])
    return finish(rows, settings)


def _fools(rows: Rows, x: Tensor, which: slice = slice(None), times: int = 1) -> Tensor:
    """The one thing this attack asks: whether each image fools, by more than rounding. ``x`` holds ``times`` images for
    each of these rows."""
    labels, part = (t[which].repeat_interleave(times) for t in (rows.labels, rows.part))
    aim = None if rows.targets is None else rows.targets[which].repeat_interleave(times)
    z, _ = rows.run.look(x, labels, part, aim)
    return rows.run.success_margin(x, z, labels, aim) > 0


def _start(rows: Rows, draws: Draws, tries: int) -> tuple[Tensor, Tensor]:
    """A random image that fools, for each row that finds one: noise, black-and-white noise, or blocks of it."""
    x, started = rows.origin, torch.zeros_like(rows.example, dtype=torch.bool)
    for attempt in range(tries if len(rows) else 0):
        drawn = draws.uniform(*x.shape[1:])
        if attempt % 3:
            drawn = (drawn < 0.5).to(torch.float32)
        if attempt % 3 == 2 and x.ndim == 4:
            coarse = drawn[:, :, :: max(x.shape[2] // 4, 1), :: max(x.shape[3] // 4, 1)]
            drawn = nn.functional.interpolate(coarse, size=x.shape[2:], mode="nearest")
        good = _fools(rows, drawn) & ~started
        x, started = torch.where(per_row(good, x), drawn, x), started | good
        if bool(started.all()):
            break
    return x, started


def _to_boundary(rows: Rows, x: Tensor, halvings: int, norm: Norm) -> Tensor:
    """The nearest point to the image that fools, on the way back from ``x``, which does."""
    image = rows.origin
    far = length(x - image, norm)
    low, high = torch.zeros_like(far), torch.ones_like(far)
    best = x
    for _ in range(halvings):
        middle = (low + high) / 2
        if norm == "linf":
            reach = per_row(middle * far, x)
            nearer = torch.clamp(x, image - reach, image + reach)
        else:
            nearer = image + per_row(middle, x) * (x - image)
        ok = _fools(rows, nearer)
        best = torch.where(per_row(ok, x), nearer, best)
        low, high = torch.where(ok, low, middle), torch.where(ok, middle, high)
    return best


def _normal(rows: Rows, draws: Draws, x: Tensor, radius: Tensor, samples: int) -> Tensor:
    """An estimate of the boundary's normal at ``x``, towards the side that fools (equation 16)."""
    found, chunk = [], max(1, CHUNK // samples)
    for low in range(0, len(x), chunk):
        these = slice(low, low + chunk)
        here = x[these].repeat_interleave(samples, dim=0)
        reach = radius[these].repeat_interleave(samples)
        u = rescale(draws.normal(samples, *x.shape[1:], which=these).flatten(0, 1), reach)
        u = (here + u).clamp(0, 1) - here
        sign = 2 * _fools(rows, here + u, these, samples).reshape(-1, samples).float() - 1
        mean = sign.mean(dim=1, keepdim=True)
        weight = torch.where(mean.abs() == 1, sign, sign - mean)  # (rows, samples)
        found.append((per_row(weight.flatten(), u) * u).reshape(-1, samples, *x.shape[1:]).mean(dim=1))
    return torch.cat(found)
