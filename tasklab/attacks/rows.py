"""What every attack's loop shares: the rows that attack a group of images, and the nearest image found for each.

A new attack is one file: its settings, a frozen dataclass under `Settings`, and a loop registered with
``@loop.register(ThoseSettings)`` that moves the `Rows` and offers what it reaches. Checks, groups, counting and the
last look at the images found are `stream`'s.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from functools import singledispatch
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tasklab.attacks.criteria import closeness
from tasklab.attacks.geometry import bounds, random_start
from tasklab.attacks.settings import Settings

if TYPE_CHECKING:
    from tasklab.attacks.runner import Runner


UNREAD = -2
"""In `Rows.decoded`: the network itself has not been asked."""


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
        gradient: of the value with respect to the images; None after the last step, or where none is asked for.
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


@dataclass(frozen=True, eq=False)
class Group:
    """Images attacked at once, ``offset`` their place among all; ``indices`` name them for random draws."""

    images: Tensor
    labels: Tensor
    targets: Tensor | None
    indices: Tensor
    offset: int


class Rows:
    """``restarts × parts`` rows for each image of a group, and the best image found for each so far.

    ``reached`` is positive exactly where an image has been fooled, and larger for what is better: its margin beyond
    the boundary or, for the shortest, one over its distance. ``decoded`` is what the network itself, in float32, makes
    of ``found``, or `UNREAD`. ``before`` and ``clean`` are margins and labels of the images as they come.

    Args:
        run: the network, counted.
        group: the images.
        settings: the attack.
        fooled: bool ``(N,)`` of all images, kept up to date.
        everyone: attack the images that are fooled as they come, too.
        parts: rows for each restart; by default the objective's.
        shortest: prefer the success nearest to the image, rather than the one deepest beyond the boundary.
    """

    def __init__(
        self, run: Runner, group: Group, settings: Settings, fooled: Tensor, *, everyone: bool = False,
        parts: int | None = None, shortest: bool = False,
    ) -> None:
        self.run, self.group, self.settings, self.shortest = run, group, settings, shortest
        n, device = len(group.images), group.images.device
        margins = run.codec.margins(run.read(group.images))
        self.before, self.clean = margins, run.codec.read(margins)
        self.reached = closeness(settings.criterion, margins, group.labels, group.targets)
        if shortest:  # nothing is nearer than the image itself
            self.reached = torch.where(self.reached > 0, torch.inf, self.reached)
        self._enough = 1 / settings.eps if shortest and settings.eps > 0 else torch.inf if shortest else 0.0
        self.found, self.decoded = group.images.clone(), self.clean.clone()
        self.attacked = torch.ones_like(self.reached, dtype=torch.bool) if everyone else self.reached <= 0
        self._asked = torch.zeros(n, dtype=torch.bool, device=device)
        self._moved = torch.zeros(n, dtype=torch.bool, device=device)
        self.nonfinite_gradient = torch.zeros(n, dtype=torch.bool, device=device)
        self._all_fooled = fooled
        parts = run.parts if parts is None else parts
        kinds = settings.restarts * parts
        self.example = self.attacked.nonzero().squeeze(1).repeat_interleave(kinds)
        kind = torch.arange(kinds, device=device).repeat(len(self.example) // kinds)
        self.restart, self.part = kind // parts, kind % parts
        self.origin = group.images[self.example]
        self.box = bounds(self.origin, settings.eps, settings.norm)
        self._tell()

    def __len__(self) -> int:
        return len(self.example)

    @property
    def labels(self) -> Tensor:
        """int64 ``(rows,)``."""
        return self.group.labels[self.example]

    @property
    def targets(self) -> Tensor | None:
        """int64 ``(rows,)``, or None."""
        return None if self.group.targets is None else self.group.targets[self.example]

    @property
    def indices(self) -> Tensor:
        """int64 ``(rows,)``: each row's example, as random draws know it."""
        return self.group.indices.to(self.example.device)[self.example]

    @property
    def zero_gradient(self) -> Tensor:
        """bool ``(n,)``: a gradient was asked for, and none was ever other than exactly 0."""
        return self._asked & ~self._moved & ~self.nonfinite_gradient

    def random_start(self) -> Tensor:
        """A uniform point of each row's ball."""
        s = self.settings
        return random_start(self.origin, self.box, eps=s.eps, norm=s.norm, seed=s.seed, example=self.indices,
                            restart=self.restart)

    def look(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs and values at ``x``."""
        return self.run.look(x, self.labels, self.part, self.targets)

    def climb(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs, values and gradients at ``x``; where a gradient is NaN or infinite, 0 stands for it."""
        z, value, gradient = self.run.climb(x, self.labels, self.part, self.targets)
        self._asked[self.example] = True
        self.nonfinite_gradient[self.example[~gradient.isfinite().flatten(1).all(dim=1)]] = True
        gradient = torch.nan_to_num(gradient, nan=0.0, posinf=0.0, neginf=0.0)
        self._moved[self.example[(gradient != 0).flatten(1).any(dim=1)]] = True
        return z, value, gradient

    def offer(self, x: Tensor, z: Tensor, *, believe: bool = False) -> Tensor:
        """Keep each example's nearest row, where that is nearer than what it has; returns which rows succeed.

        A faster copy may suggest a success; the network itself decides, unless it is to be believed.
        """
        near, decoded = self._nearness(x, z, believe=believe)
        success = near > 0
        if self.shortest:
            near = torch.where(success, 1 / length(x - self.origin, self.settings.norm).clamp_min(1e-30), near)
        self.reached, better, rows = nearest(near, self.example, self.reached)
        self.found[better], self.decoded[better] = x[rows], decoded[rows]
        self._tell()
        return success

    def _nearness(self, x: Tensor, z: Tensor, *, believe: bool) -> tuple[Tensor, Tensor]:
        """How near rows are to success, ``(rows,)``, positive iff reached; what the network itself makes of them."""
        labels, aim, run = self.labels, self.targets, self.run
        decoded = torch.full_like(labels, UNREAD)
        if run.exact and not believe:
            return run.success_margin(x, z, labels, aim), decoded
        near = closeness(self.settings.criterion, run.codec.margins(z), labels, aim)
        if not believe:
            claimed = ((near > 0) & (self.shortest | (near > self.reached[self.example]))).nonzero().squeeze(1)
            read = run.read(x[claimed])
            near[claimed] = run.success_margin(
                x[claimed], read, labels[claimed], None if aim is None else aim[claimed]
            )
            decoded[claimed] = run.codec.decode(read)
        return near, decoded

    def forget(self) -> None:
        """Let the next offer win, whatever came before."""
        self.reached = torch.full_like(self.reached, -math.inf)

    def replace(self, found: Tensor) -> None:
        """Hand back these images ``(n, C, H, W)`` instead of what was offered."""
        self.found, self.decoded = found, torch.full_like(self.decoded, UNREAD)

    def leave(self, *state: Tensor) -> tuple[Tensor, ...]:
        """Drop the rows of examples that are fooled, from these rows and from tensors ``(rows, …)`` beside them."""
        return self.keep(self.reached[self.example] <= 0, *state)

    def keep(self, stay: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Drop all rows but these, from here and from tensors ``(rows, …)`` beside them."""
        if bool(stay.all()):
            return state
        low, high = self.box
        self.example, self.restart, self.part, self.origin = (
            t[stay] for t in (self.example, self.restart, self.part, self.origin)
        )
        self.box = low[stay], high[stay]
        return tuple(t[stay] for t in state)

    def step(self, index: int, x: Tensor, z: Tensor, value: Tensor, gradient: Tensor | None = None) -> Step:
        """What to tell the consumer of the stream."""
        return Step(index, self.example + self.group.offset, self.restart, self.part, x, z, value, gradient,
                    self._all_fooled.clone())

    def _tell(self) -> None:
        fooled = (self.reached > 0) & (self.reached >= self._enough)
        self._all_fooled[self.group.offset : self.group.offset + len(fooled)] = fooled


Loop = Generator[Step, None, Rows]


@singledispatch
def loop(settings: Settings, run: Runner, group: Group, fooled: Tensor) -> Loop:
    """Attack one group step by step; each kind of settings has its own."""
    raise TypeError(f"expected the settings of an attack, such as PGD(eps=8/255), got {type(settings).__name__}")


def length(away: Tensor, norm: str) -> Tensor:
    """The length of each row, ``(rows,)``."""
    flat = away.flatten(1)
    return flat.abs().amax(dim=1) if norm == "linf" else flat.norm(dim=1)


def nearest(near: Tensor, example: Tensor, reached: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What each example has reached with these rows, the examples that got nearer, and the first row of each."""
    near = torch.nan_to_num(near, nan=-math.inf, posinf=math.inf, neginf=-math.inf)
    best = torch.full_like(reached, -math.inf).scatter_reduce(0, example, near, "amax")
    rows = ((near == best[example]) & (best > reached)[example]).nonzero().squeeze(1)
    none = torch.full((len(reached),), len(near), dtype=torch.int64, device=near.device)
    first = none.scatter_reduce(0, example[rows], rows, "amin")
    better = (first < len(near)).nonzero().squeeze(1)
    return torch.where(best > reached, best, reached), better, first[better]
