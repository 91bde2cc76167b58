"""The one ascent loop: climb an objective inside the ball, keep what comes closest, re-check it in float32.

Every example is attacked by ``restarts × parts`` rows of one batch. A row's closeness is positive exactly when its
example is fooled, so the best row is the one with the largest closeness, whatever the objective climbs.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass

import torch
from torch import Tensor

from tasklab.attacks.criteria import closeness, succeeded
from tasklab.attacks.geometry import MAX_INDEX, bounds, random_start, step
from tasklab.attacks.objectives import Objective, as_objective
from tasklab.attacks.result import AttackResult
from tasklab.attacks.settings import PGD
from tasklab.models.fast import PLAIN, prepare, probe
from tasklab.system import System

GROUP_ROWS = 4096
"""Rows held at once; more examples are attacked group after group."""

PROBE_WORK = 1024
"""Rows × steps from which it pays to look for a faster way to run the network."""


@dataclass(frozen=True, eq=False)
class Step:
    """One look at the rows still in play, before they move on.

    Attributes:
        index: 0 at the start, ``steps`` after the last step.
        example: int64 ``(rows,)``, each row's place among the given images.
        restart, part: int64 ``(rows,)``, which random start, and which part of the objective.
        images: the rows' iterates, float32 ``(rows, C, H, W)``.
        outputs: float32 ``(rows, K)``.
        value: the objective, float32 ``(rows,)``.
        gradient: of the value with respect to the images; None after the last step.
        fooled: bool ``(N,)``, which of the given images have been fooled so far.
    """

    index: int
    example: Tensor
    restart: Tensor
    part: Tensor
    images: Tensor
    outputs: Tensor
    value: Tensor
    gradient: Tensor | None
    fooled: Tensor


def stream(
    system: System,
    images: Tensor,
    labels: Tensor,
    settings: PGD,
    *,
    targets: Tensor | None = None,
    indices: Tensor | None = None,
    batch_size: int = 256,
) -> Generator[Step, None, AttackResult]:
    """Attack step by step; the generator's return value is the result. To stop, stop consuming.

    Args:
        system: what is attacked; its flags, gradients and weights are left as they are.
        images: float32 ``(N, C, H, W)`` in [0, 1]; never written to.
        labels: int64 ``(N,)``.
        settings: the attack.
        targets: int64 ``(N,)``, the class to reach, for ``targeted=True``.
        indices: int64 ``(N,)``, each example's number for its random starts; by default 0..N-1.
        batch_size: rows run through the network at once; the result does not depend on it.

    Raises:
        TypeError, ValueError: images, labels or targets that do not fit; an objective that the task does not have.
    """
    objective = as_objective(settings.objective)
    images = images.detach() if isinstance(images, Tensor) else images
    labels, targets = _check(system, images, labels, targets, settings, objective)
    n, parts = len(images), objective.parts(system.task)
    per_example = settings.restarts * parts
    indices = _check_indices(indices, n, batch_size)
    run = _Runner(system, objective, settings, batch_size, images, n * per_example)
    started = time.perf_counter()
    group = max(1, GROUP_ROWS // per_example)
    fooled = torch.zeros(n, dtype=torch.bool, device=images.device)
    results = []
    for low in range(0, n, group):
        rows = slice(low, low + group)
        aimed = None if targets is None else targets[rows]
        members = _Group(images[rows], labels[rows], aimed, indices[rows], low)
        results.append((yield from _climb(run, members, settings, parts, fooled)))
    clean, found, zero = (torch.cat(parts) for parts in zip(*results, strict=True)) if results else _nothing(images)
    decoded = run.codec.read(run.margins(found))
    return AttackResult(
        settings=settings,
        images=found,
        labels=labels,
        targets=targets,
        clean_decoded=clean,
        decoded=decoded,
        fooled=succeeded(settings.criterion, decoded, labels, targets),
        zero_gradient=zero,
        unmoved=(found == images).flatten(1).all(dim=1),
        forwards=run.forwards,
        backwards=run.backwards,
        seconds=time.perf_counter() - started,
        plan=run.plan,
    )


def attack(
    system: System,
    images: Tensor,
    labels: Tensor,
    settings: PGD,
    *,
    targets: Tensor | None = None,
    indices: Tensor | None = None,
    batch_size: int = 256,
    progress: Callable[[Step], object] | None = None,
) -> AttackResult:
    """Run `stream` to its end.

    Args:
        progress: called with each `Step`; the rest as in `stream`.

    Returns:
        The adversarial images, re-checked in float32, with the attack's own health.

    >>> from torch import nn
    >>> from tasklab.attacks import PGD
    >>> from tasklab.tasks import make_task
    >>> system = System(nn.Sequential(nn.Flatten(), nn.Linear(4, 4)), make_task("rbc", S=1))
    >>> x = torch.rand(8, 1, 2, 2)
    >>> result = attack(system, x, torch.zeros(8, dtype=torch.int64), PGD(eps=0.1, steps=5))
    >>> bool(((result.images - x).abs() <= 0.1 + 1e-6).all())
    True
    """
    steps = stream(system, images, labels, settings, targets=targets, indices=indices, batch_size=batch_size)
    while True:
        try:
            event = next(steps)
        except StopIteration as stop:
            result: AttackResult = stop.value
            return result
        if progress is not None:
            progress(event)


@dataclass(frozen=True, eq=False)
class _Group:
    images: Tensor
    labels: Tensor
    targets: Tensor | None
    indices: Tensor
    offset: int


class _Runner:
    """The network as given, and its faster copy: outputs, values and gradients, in batches, counted."""

    def __init__(
        self, system: System, objective: Objective, settings: PGD, batch_size: int, images: Tensor, rows: int
    ) -> None:
        self.system, self.objective, self.batch_size = system, objective, batch_size
        self.task, self.codec = system.task, system.task.codec
        plan = settings.plan
        if plan == "auto":
            plan = probe(system.network, images[:batch_size]) if rows * settings.steps >= PROBE_WORK else PLAIN
        self.plan = plan
        self.exact = plan == PLAIN
        self.network = system.outputs if self.exact else prepare(system.network, plan)
        self.forwards = self.backwards = 0

    def margins(self, x: Tensor) -> Tensor:
        """Exact margins, float32 on the network as given."""
        self.forwards += len(x)
        return self.codec.margins(self.system.read(x, batch_size=self.batch_size))

    def value(self, z: Tensor, y: Tensor, part: Tensor, targets: Tensor | None) -> Tensor:
        """What is climbed, ``(rows,)``."""
        value = self.objective(self.task, z, y, part, targets)
        if not isinstance(value, Tensor) or value.shape != y.shape:
            got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"expected the objective's values as ({len(y)},), one for each row, got {got}")
        return value

    def look(self, x: Tensor, y: Tensor, part: Tensor, targets: Tensor | None) -> tuple[Tensor, Tensor]:
        """Outputs and values alone."""
        self.forwards += len(x)
        with torch.no_grad():
            z = torch.cat([self.network(rows).float() for rows in torch.split(x, self.batch_size)])
        return z, self.value(z, y, part, targets)

    def climb(
        self, x: Tensor, y: Tensor, part: Tensor, targets: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs, values, and gradients of the values with respect to ``x``."""
        found = []
        for low in range(0, len(x), self.batch_size):
            rows = slice(low, low + self.batch_size)
            with torch.inference_mode(False), torch.enable_grad():  # whatever the caller is in
                leaf = x[rows].detach().clone().requires_grad_()
                z = self.network(leaf).float()
                aimed = None if targets is None else targets[rows].clone()
                value = self.value(z, y[rows].clone(), part[rows].clone(), aimed)
                gradient = None
                if value.requires_grad:
                    (gradient,) = torch.autograd.grad(value.sum(), leaf, allow_unused=True)
            if gradient is None:
                gradient = torch.zeros_like(leaf)
            found.append((z.detach(), value.detach(), torch.nan_to_num(gradient, nan=0.0, posinf=0.0, neginf=0.0)))
        self.forwards += len(x)
        self.backwards += len(x)
        z, value, gradient = (torch.cat(column) for column in zip(*found, strict=True))
        return z, value, gradient


def _climb(
    run: _Runner, group: _Group, settings: PGD, parts: int, all_fooled: Tensor
) -> Generator[Step, None, tuple[Tensor, Tensor, Tensor]]:
    """Attack one group: its clean decodes, the images found, and who never saw a gradient."""
    n, device = len(group.images), group.images.device
    margins = run.margins(group.images)
    clean = run.codec.read(margins)
    reached = closeness(settings.criterion, margins, group.labels, group.targets)
    found = group.images.clone()
    attacked = reached <= 0 if settings.keep == "first" else torch.ones(n, dtype=torch.bool, device=device)
    moved = torch.zeros(n, dtype=torch.bool, device=device)
    here = slice(group.offset, group.offset + n)

    kinds = settings.restarts * parts
    example = attacked.nonzero().squeeze(1).repeat_interleave(kinds)
    kind = torch.arange(kinds, device=device).repeat(len(example) // kinds)
    restart, part = kind // parts, kind % parts
    origin = group.images[example]
    low, high = bounds(origin, settings.eps, settings.norm)
    x = origin
    if settings.random_start:
        x = random_start(origin, (low, high), eps=settings.eps, norm=settings.norm, seed=settings.seed,
                         example=group.indices.to(device)[example], restart=restart)
    for index in range(settings.steps + 1):
        if not len(example):
            break
        y = group.labels[example]
        aim = None if group.targets is None else group.targets[example]
        last = index == settings.steps
        gradient = None
        if last:
            z, value = run.look(x, y, part, aim)
        else:
            z, value, gradient = run.climb(x, y, part, aim)
            moved[example[(gradient != 0).flatten(1).any(dim=1)]] = True
        if last and settings.keep == "last":
            reached = torch.full_like(reached, -math.inf)
        if last or settings.keep != "last":
            near = closeness(settings.criterion, run.codec.margins(z), y, aim)
            if settings.keep != "last" and not run.exact:  # a faster copy may suggest a success; the network decides
                claimed = ((near > 0) & (near > reached[example])).nonzero().squeeze(1)
                near[claimed] = closeness(
                    settings.criterion, run.margins(x[claimed]), y[claimed], None if aim is None else aim[claimed]
                )
            reached, found = _keep_nearest(near, example, x, reached, found)
        all_fooled[here] = reached > 0
        yield Step(index, example + group.offset, restart, part, x, z, value, gradient, all_fooled.clone())
        if gradient is None:
            break
        if settings.keep == "first" and bool((stay := reached[example] <= 0).logical_not().any()):
            example, restart, part, origin, low, high, x, gradient = (
                t[stay] for t in (example, restart, part, origin, low, high, x, gradient)
            )
        x = step(x, gradient, origin, (low, high), eps=settings.eps, stride=settings.stride, norm=settings.norm)
    return clean, found, attacked & ~moved


def _keep_nearest(
    near: Tensor, example: Tensor, x: Tensor, reached: Tensor, found: Tensor
) -> tuple[Tensor, Tensor]:
    """Update each example with its nearest row (the first of equals), where that is nearer than before."""
    near = torch.nan_to_num(near, nan=-math.inf, posinf=math.inf, neginf=-math.inf)
    best = torch.full_like(reached, -math.inf).scatter_reduce(0, example, near, "amax")
    rows = ((near == best[example]) & (best > reached)[example]).nonzero().squeeze(1)
    none = torch.full((len(reached),), len(near), dtype=torch.int64, device=near.device)
    first = none.scatter_reduce(0, example[rows], rows, "amin")
    better = (first < len(near)).nonzero().squeeze(1)
    found[better] = x[first[better]]
    return torch.where(best > reached, best, reached), found


def _nothing(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    empty = torch.zeros(0, dtype=torch.int64, device=images.device)
    return empty, images.detach().clone(), empty.bool()


def _check_indices(indices: Tensor | None, n: int, batch_size: int) -> Tensor:
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"expected batch_size as an integer ≥ 1, got {batch_size!r}; try 256")
    if indices is None:
        return torch.arange(n)
    if not isinstance(indices, Tensor) or indices.dtype != torch.int64 or tuple(indices.shape) != (n,):
        got = f"{indices.dtype} {tuple(indices.shape)}" if isinstance(indices, Tensor) else type(indices).__name__
        raise ValueError(f"expected indices as int64 ({n},), one for each image, got {got}; try torch.arange({n})")
    if n and (int(indices.min()) < 0 or int(indices.max()) >= MAX_INDEX):
        low, high = int(indices.min()), int(indices.max())
        raise ValueError(f"expected indices in 0..{MAX_INDEX - 1}, got {low}..{high}; try torch.arange({n})")
    return indices.cpu()


def _check(
    system: System, images: Tensor, labels: Tensor, targets: Tensor | None, settings: PGD, objective: Objective
) -> tuple[Tensor, Tensor | None]:
    if not isinstance(images, Tensor) or images.dtype != torch.float32:
        got = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise TypeError(f"expected images as float32 in [0, 1], got {got}; try images.float() / 255 for bytes")
    if images.ndim < 2:
        raise ValueError(f"expected a batch of images (N, C, H, W), got shape {tuple(images.shape)}; try images[None]")
    if len(images) and not (float(images.min()) >= 0 and float(images.max()) <= 1):
        raise ValueError(
            f"expected images in [0, 1], got {float(images.min()):g}..{float(images.max()):g}; "
            "try images without normalisation: it is the network's first layer"
        )
    objective.check(system.task)
    if (targets is not None) != settings.targeted:
        raise ValueError(f"expected targets exactly when targeted=True, got targeted={settings.targeted} and "
                         f"{'no targets' if targets is None else 'targets'}")
    checked = [system.task.codec.check_labels(t) for t in (labels, targets) if t is not None]
    for given in checked:
        if len(given) != len(images):
            raise ValueError(f"expected one label for each of {len(images)} images, got {len(given)}")
    moved = [given.to(images.device) for given in checked]
    return moved[0], moved[1] if targets is not None else None
