"""Run an attack: check the arguments, run the attack's loop on groups of images, and re-check what it found.

`attack` runs `stream` to its end. The loop itself is in the attack's own file, such as `tasklab.attacks.pgd`; it moves
the candidates of `tasklab.attacks.candidates`.

Each image is attacked by ``restarts × parts`` candidates, which are rows of one batch. A candidate's success margin is
positive exactly when it fools the network, so the best candidate is the one with the largest success margin, whatever
objective the attack maximises.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Generator, Sequence

import torch
from torch import Tensor

from tasklab.attacks.candidates import UNREAD, AttackStep, Candidates, Group, loop
from tasklab.attacks.criteria import succeeded
from tasklab.attacks.geometry import MAX_INDEX, row_norm
from tasklab.attacks.objectives import Objective, as_objective
from tasklab.attacks.result import AttackResult
from tasklab.attacks.runner import Runner
from tasklab.attacks.settings import Settings
from tasklab.checks import check_number, check_whole
from tasklab.inputs import described, mismatch, to_images, to_unit
from tasklab.modes import own_steps
from tasklab.system import System

GROUP_ROWS = 4096
"""How many candidates are held at once; more images are attacked group by group."""


def stream(
    system: System,
    images: Tensor,
    labels: Tensor,
    settings: Settings,
    *,
    targets: Tensor | None = None,
    indices: Tensor | None = None,
    eps: Sequence[float] | None = None,
    parts: Tensor | None = None,
    batch_size: int = 256,
) -> Generator[AttackStep, None, AttackResult]:
    """Attack step by step; the generator's return value is the result. To stop the attack early, stop iterating.

    Args:
        system: what is attacked; its flags, gradients and weights are left as they are.
        images: float32 ``(N, C, H, W)`` in [0, 1]; never written to.
        labels: int64 ``(N,)``.
        settings: the attack.
        targets: int64 ``(N,)``, the class to reach, for ``targeted=True``.
        indices: int64 ``(N,)``, each example's number for its random starts; by default 0..N-1.
        eps: N radii ≥ 0, one for each example, for PGD and FGSM; by default that of the settings for all. A step size
            that is not given is in proportion to them. The result's settings have the largest one. Candidates that
            cannot move are dropped after the first step, unless the last iterate is kept.
        parts: int64 ``(N,)``, the one part of the objective that each example is attacked by; by default all of them.
        batch_size: rows run through the network at once; the result does not depend on it.

    Raises:
        TypeError, ValueError: images, labels or targets that do not fit; an objective that the task does not have.
    """
    return own_steps(_stream(system, images, labels, settings, targets, indices, eps, parts, batch_size))


def _stream(
    system: System, images: Tensor, labels: Tensor, settings: Settings, targets: Tensor | None, indices: Tensor | None,
    eps: Sequence[float] | None, parts: Tensor | None, batch_size: int,
) -> Generator[AttackStep, None, AttackResult]:
    if not isinstance(settings, Settings):
        raise TypeError(f"expected the settings of an attack, got {type(settings).__name__}; try PGD(eps=8/255)")
    radii = None if eps is None else _check_eps(eps, len(images), settings)
    if radii:
        settings = dataclasses.replace(settings, eps=max(radii))
    objective = as_objective(settings.objective)
    images = images.detach() if isinstance(images, Tensor) else images
    labels, targets = _check(system, images, labels, targets, settings, objective)
    n = len(images)
    per_example = settings.rows(system.task) if parts is None else settings.restarts
    eps_of = None if radii is None else torch.tensor(radii, dtype=torch.float64, device=images.device)
    indices, batch_size = _check_indices(indices, n), check_whole("batch_size", batch_size, low=1, hint=256)
    if parts is not None:
        _check_parts(parts, n, objective.parts(system.task))
        parts = parts.to(images.device)
    runner = Runner(system, objective, settings, batch_size, images, n * per_example)
    started = time.perf_counter()
    size = group_size(per_example)
    fooled = torch.zeros(n, dtype=torch.bool, device=images.device)
    results = []
    for low in range(0, n, size):
        rows = slice(low, low + size)
        group = Group(images[rows], labels[rows], None if targets is None else targets[rows], indices[rows], low,
                      None if eps_of is None else eps_of[rows], None if parts is None else parts[rows])
        candidates = yield from loop(settings, runner, group, fooled)  # the function that the attack's file registered
        _read_again(runner, candidates)
        results.append((candidates.clean_decoded, candidates.best_images, candidates.best_decoded,
                        candidates.zero_gradient, candidates.nonfinite_gradient))
    clean_decoded, adversarial, decoded, zero, nonfinite = (
        (torch.cat(column) for column in zip(*results, strict=True)) if results else _no_results(images)
    )
    success = succeeded(settings.criterion, decoded, labels, targets)
    return AttackResult(
        settings=settings,
        images=adversarial,
        labels=labels,
        targets=targets,
        clean_decoded=clean_decoded,
        decoded=decoded,
        fooled=success,
        distance=torch.where(success, row_norm(adversarial - images, settings.norm), math.inf),
        zero_gradient=zero,
        nonfinite_gradient=nonfinite,
        unmoved=(adversarial == images).flatten(1).all(dim=1),
        forwards=runner.forwards,
        backwards=runner.backwards,
        seconds=time.perf_counter() - started,
        plan=runner.plan,
    )


def attack(
    system: System,
    images: Tensor,
    labels: Tensor,
    settings: Settings,
    *,
    targets: Tensor | None = None,
    indices: Tensor | None = None,
    eps: Sequence[float] | None = None,
    parts: Tensor | None = None,
    batch_size: int = 256,
    progress: Callable[[AttackStep], object] | None = None,
) -> AttackResult:
    """Run `stream` to its end.

    Args:
        progress: called with each `AttackStep`; the rest as in `stream`.

    Returns:
        The adversarial images, re-checked in float32, and signs of whether the attack itself worked.

    >>> from torch import nn
    >>> from tasklab.attacks import PGD
    >>> from tasklab.tasks import make_task
    >>> system = System(nn.Sequential(nn.Flatten(), nn.Linear(4, 4)), make_task("rbc", S=1))
    >>> x = torch.rand(8, 1, 2, 2)
    >>> result = attack(system, x, torch.zeros(8, dtype=torch.int64), PGD(eps=0.1, steps=5))
    >>> bool(((result.images - x).abs() <= 0.1 + 1e-6).all())
    True
    """
    steps = stream(system, images, labels, settings, targets=targets, indices=indices, eps=eps, parts=parts,
                   batch_size=batch_size)
    while True:
        try:
            event = next(steps)
        except StopIteration as stop:
            result: AttackResult = stop.value
            return result
        if progress is not None:
            progress(event)


def group_size(rows: int) -> int:
    """How many images are attacked together.

    Args:
        rows: how many candidates attack an image.
    """
    return max(1, GROUP_ROWS // rows)


def _read_again(runner: Runner, candidates: Candidates) -> None:
    """Decode the best images with the network as given; one that fools by rounding alone gives way to the clean one."""
    group = candidates.group
    unread = (candidates.best_decoded == UNREAD).nonzero().squeeze(1)
    x, y = candidates.best_images[unread], group.labels[unread]
    targets = None if group.targets is None else group.targets[unread]
    z = runner.read(x)
    decoded = runner.codec.decode(z)
    confirmed = runner.confirmed_margin(x, z, y, targets, clear=1.0) > 0
    doubtful = succeeded(runner.criterion, decoded, y, targets) & ~confirmed
    candidates.best_decoded[unread] = torch.where(doubtful, candidates.clean_decoded[unread], decoded)
    withdrawn = unread[doubtful]
    candidates.best_images[withdrawn] = group.images[withdrawn]


def _no_results(images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    empty = torch.zeros(0, dtype=torch.int64, device=images.device)
    return empty, images.detach().clone(), empty, empty.bool(), empty.bool()


def _check_eps(eps: Sequence[float], n: int, settings: Settings) -> list[float]:
    if not settings.takes_eps_per_example:
        raise ValueError(f"expected one eps for all images, got one for each; {type(settings).__name__} has one ball: "
                         "try PGD, or one attack for each eps")
    if len(eps) != n:
        raise ValueError(f"expected one eps for each of {n} images, got {len(eps)}; try settings.eps for all of them")
    return [check_number("eps", radius, low=0.0, hint="8/255") for radius in eps]


def _check_parts(parts: Tensor, n: int, count: int) -> None:
    fits = isinstance(parts, Tensor) and parts.dtype == torch.int64 and tuple(parts.shape) == (n,)
    if not fits or (n and not (int(parts.min()) >= 0 and int(parts.max()) < count)):
        got = f"{parts.dtype} {tuple(parts.shape)}" if isinstance(parts, Tensor) else type(parts).__name__
        raise ValueError(f"expected parts as int64 ({n},) in 0..{count - 1}, one for each image, got {got}; "
                         "try None for all of them")


def _check_indices(indices: Tensor | None, n: int) -> Tensor:
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
    system: System, images: Tensor, labels: Tensor, targets: Tensor | None, settings: Settings, objective: Objective
) -> tuple[Tensor, Tensor | None]:
    if not isinstance(images, Tensor) or images.dtype != torch.float32:
        raise TypeError(f"expected images as float32 in [0, 1], got {described(images)}; try {to_images(images)}")
    if images.ndim < 2:
        hint = "images[None]" if images.ndim else "images.reshape(1, 1)"
        raise ValueError(f"expected a batch of images (N, C, H, W), got shape {tuple(images.shape)}; try {hint}")
    if images.numel() and not (float(images.min()) >= 0 and float(images.max()) <= 1):
        raise ValueError(f"expected images in [0, 1], got {float(images.min()):g}..{float(images.max()):g}; "
                         f"try {to_unit(images)}")
    objective.check(system.task)
    if (targets is not None) != settings.targeted:
        raise ValueError(f"expected targets exactly when targeted=True, got targeted={settings.targeted} and "
                         f"{'no targets' if targets is None else 'targets'}")
    checked = [system.task.codec.check_labels(t) for t in (labels, targets) if t is not None]
    for given in checked:
        if len(given) != len(images):
            raise ValueError(f"expected one label for each of {len(images)} images, got {len(given)}")
    if len(images) and mismatch(system.network, images) is not None:
        system.read(images[:1])  # a network may convert images itself; if it does not, this raises a clear error
    on_device = [given.to(images.device) for given in checked]
    if targets is None:
        return on_device[0], None
    same = (on_device[0] == on_device[1]).nonzero().flatten()
    if len(same):
        first = int(same[0])
        raise ValueError(
            f"expected targets other than the labels, got the label itself for {len(same)} of {len(images)} images "
            f"(image {first}: class {int(on_device[0][first])}); try only the images where targets != labels"
        )
    return on_device[0], on_device[1]
