"""Shared by the loops of all attacks: the candidates that are moved, and the best one found for each image.

Each image of a group is attacked by ``restarts × parts`` candidates, which are rows of one batch. A new attack is one
file: its settings, a frozen dataclass under `Settings` with the decorator `tasklab.attacks.register`, and its loop, a
generator with the decorator ``@loop.register(ThoseSettings)``. The loop moves the candidates, calls
`Candidates.update_best` with each new batch, yields `Candidates.step`, and returns the candidates.
`tasklab.attacks.stream` checks the arguments, runs the loop on one group after the other, and re-checks what it found.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from functools import singledispatch
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tasklab.attacks.criteria import success_margin
from tasklab.attacks.geometry import bounds, in_float32, random_start, row_norm
from tasklab.attacks.settings import Settings

if TYPE_CHECKING:
    from tasklab.attacks.runner import Runner


UNREAD = -2
"""In `Candidates.best_decoded`: the image has not been decoded with the network as given yet."""


@dataclass(frozen=True, eq=False)
class AttackStep:
    """The candidates that are still attacked, just after the network was run on them.

    Attributes:
        index: 0 at the start, ``steps`` after the last step.
        example: int64 ``(rows,)``, the index of each candidate's image among the given images.
        restart, part: int64 ``(rows,)``, which random start, and which part of the objective.
        images: the candidates, float32 ``(rows, C, H, W)``.
        outputs: float32 ``(rows, K)``.
        value: the objective, float32 ``(rows,)``.
        gradient: of the value with respect to the images; None after the last step, and for attacks without gradients.
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
    """Images that are attacked at once.

    Attributes:
        images, labels, targets: as given to `stream`.
        indices: int64 ``(n,)``, the number of each image for its random draws.
        offset: the index of the first image among all that were given.
        eps: float64 ``(n,)``, the radius of each image; None for that of the settings.
        parts: int64 ``(n,)``, the one part of the objective that each image is attacked by; None for all of them.
    """

    images: Tensor
    labels: Tensor
    targets: Tensor | None
    indices: Tensor
    offset: int
    eps: Tensor | None = None
    parts: Tensor | None = None


class Candidates:
    """The candidates of a group of n images that are still attacked, and the best one found for each image so far.

    Args:
        runner: runs the network, and counts how often.
        group: the images.
        settings: the attack.
        fooled: bool ``(N,)`` for all given images; kept up to date.
        attack_all: also attack the images that are a success without any change.
        parts: candidates for each restart; by default as many as the objective has parts.
        minimum_norm: among successes the nearest to the image is the best one, not the one with the largest margin.

    Attributes:
        clean_margins, clean_decoded: margins ``(n, classes)`` and decoded labels ``(n,)`` of the clean images.
        best_images: float32 ``(n, C, H, W)``.
        best_decoded: int64 ``(n,)``, what they decode to in float32 on the network as given, or `UNREAD`.
        best_margin: float32 ``(n,)``, the largest success margin found so far: positive iff the image is fooled.
        best_distance: float32 ``(n,)``, with ``minimum_norm`` the distance of the nearest success, infinite for none.
        attacked: bool ``(n,)``, the images that had candidates at the start.
        example, restart, part: int64 ``(rows,)``: whose candidate each row is, and of which restart and part.
        origin: float32 ``(rows, C, H, W)``, the image that each candidate started from.
        eps: the radius of the ball, or float64 ``(rows,)`` where each image has its own.
        box: the lowest and the highest value of each pixel, ``(rows, C, H, W)`` both.
    """

    def __init__(
        self, runner: Runner, group: Group, settings: Settings, fooled: Tensor, *, attack_all: bool = False,
        parts: int | None = None, minimum_norm: bool = False,
    ) -> None:
        self.runner, self.group, self.settings, self.minimum_norm = runner, group, settings, minimum_norm
        n, device = len(group.images), group.images.device
        self.clean_margins = runner.codec.margins(runner.read(group.images))
        self.clean_decoded = runner.codec.read(self.clean_margins)
        self.best_margin = success_margin(settings.criterion, self.clean_margins, group.labels, group.targets)
        self.best_distance = torch.full_like(self.best_margin, torch.inf).masked_fill(self.best_margin > 0, 0.0)
        self.best_images, self.best_decoded = group.images.clone(), self.clean_decoded.clone()
        self.attacked = torch.ones_like(self.best_margin, dtype=torch.bool) if attack_all else self.best_margin <= 0
        self._gradient_asked = torch.zeros(n, dtype=torch.bool, device=device)
        self._had_gradient = torch.zeros(n, dtype=torch.bool, device=device)
        self.nonfinite_gradient = torch.zeros(n, dtype=torch.bool, device=device)
        self._all_fooled = fooled
        parts = (runner.parts if group.parts is None else 1) if parts is None else parts
        per_image = settings.restarts * parts
        self.example = self.attacked.nonzero().squeeze(1).repeat_interleave(per_image)
        within_image = torch.arange(per_image, device=device).repeat(len(self.example) // per_image)
        self.restart, self.part = within_image // parts, within_image % parts
        if group.parts is not None:
            self.part = group.parts[self.example]
        self.origin = group.images[self.example]
        self.eps: float | Tensor = settings.eps if group.eps is None else group.eps[self.example]
        self.box = bounds(self.origin, in_float32(self.eps), settings.norm)
        self._report_fooled()

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
        """int64 ``(rows,)``: the number of each candidate's image for random draws."""
        return self.group.indices.to(self.example.device)[self.example]

    @property
    def zero_gradient(self) -> Tensor:
        """bool ``(n,)``: a gradient was asked for, and none was ever other than exactly 0."""
        return self._gradient_asked & ~self._had_gradient & ~self.nonfinite_gradient

    def random_start(self) -> Tensor:
        """A uniform point of the ball around each candidate's image, ``(rows, C, H, W)``."""
        s = self.settings
        return random_start(self.origin, self.box, eps=in_float32(self.eps), norm=s.norm, seed=s.seed,
                            example=self.indices, restart=self.restart)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs ``(rows, K)`` and values of the objective ``(rows,)`` at ``x``."""
        return self.runner.forward(x, self.labels, self.part, self.targets)

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs, values and the values' gradients at ``x``; a NaN or infinite entry of a gradient becomes 0."""
        z, value, gradient = self.runner.value_and_grad(x, self.labels, self.part, self.targets)
        self._gradient_asked[self.example] = True
        self.nonfinite_gradient[self.example[~gradient.isfinite().flatten(1).all(dim=1)]] = True
        gradient = torch.nan_to_num(gradient, nan=0.0, posinf=0.0, neginf=0.0)
        self._had_gradient[self.example[(gradient != 0).flatten(1).any(dim=1)]] = True
        return z, value, gradient

    def update_best(self, x: Tensor, z: Tensor, *, trust_copy: bool = False) -> Tensor:
        """Keep each image's best candidate, where it is better than the best one so far.

        Args:
            x: the candidates, float32 ``(rows, C, H, W)``.
            z: their outputs, ``(rows, K)``.
            trust_copy: trust the outputs of a faster copy of the network; by default each success that the copy reports
                is confirmed on the network as given.

        Returns:
            bool ``(rows,)``, which candidates succeed.
        """
        margin, decoded = self._success_margins(x, z, trust_copy=trust_copy)
        success = margin > 0
        self.best_margin, better, rows = improvements(margin, self.example, self.best_margin)
        if self.minimum_norm:  # by margin, only the candidates of an image that no candidate fools are compared
            unfooled = (self.best_margin <= 0)[better]
            better, rows = better[unfooled], rows[unfooled]
            distance = torch.where(success, row_norm(x - self.origin, self.settings.norm), torch.inf)
            nearest, nearer, nearer_rows = improvements(-distance, self.example, -self.best_distance)
            self.best_distance = -nearest
            self._keep(x, decoded, nearer, nearer_rows)
        self._keep(x, decoded, better, rows)
        self._report_fooled()
        return success

    def _keep(self, x: Tensor, decoded: Tensor, examples: Tensor, rows: Tensor) -> None:
        self.best_images[examples], self.best_decoded[examples] = x[rows], decoded[rows]

    def _success_margins(self, x: Tensor, z: Tensor, *, trust_copy: bool) -> tuple[Tensor, Tensor]:
        """Success margins ``(rows,)``, and labels decoded with the network as given, `UNREAD` where it was not run."""
        labels, targets, runner = self.labels, self.targets, self.runner
        decoded = torch.full_like(labels, UNREAD)
        if runner.exact and not trust_copy:
            return runner.confirmed_margin(x, z, labels, targets), decoded
        margin = success_margin(self.settings.criterion, runner.codec.margins(z), labels, targets)
        if not trust_copy:
            better = self.minimum_norm | (margin > self.best_margin[self.example])
            claimed = ((margin > 0) & better).nonzero().squeeze(1)
            read = runner.read(x[claimed])
            margin[claimed] = runner.confirmed_margin(
                x[claimed], read, labels[claimed], None if targets is None else targets[claimed]
            )
            decoded[claimed] = runner.codec.decode(read)
        return margin, decoded

    def reset_best(self) -> None:
        """Let the next `update_best` replace the best candidates so far."""
        self.best_margin = torch.full_like(self.best_margin, -torch.inf)

    def replace_best(self, images: Tensor) -> None:
        """Return these images ``(n, C, H, W)`` instead of those that `update_best` kept."""
        self.best_images, self.best_decoded = images, torch.full_like(self.best_decoded, UNREAD)

    def drop_fooled(self, *state: Tensor) -> tuple[Tensor, ...]:
        """Drop the candidates whose image is fooled; see `select`."""
        return self.select(self.best_margin[self.example] <= 0, *state)

    def select(self, kept: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Keep only some of the candidates.

        Args:
            kept: bool ``(rows,)``.
            state: tensors ``(rows, …)`` that the loop holds for the candidates.

        Returns:
            The state of the candidates that are kept.
        """
        if bool(kept.all()):
            return state
        low, high = self.box
        self.example, self.restart, self.part, self.origin = (
            t[kept] for t in (self.example, self.restart, self.part, self.origin)
        )
        self.box = low[kept], high[kept]
        if isinstance(self.eps, Tensor):
            self.eps = self.eps[kept]
        return tuple(t[kept] for t in state)

    def step(self, index: int, x: Tensor, z: Tensor, value: Tensor, gradient: Tensor | None = None) -> AttackStep:
        """The event that the loop yields."""
        return AttackStep(index, self.example + self.group.offset, self.restart, self.part, x, z, value, gradient,
                          self._all_fooled.clone())

    def _report_fooled(self) -> None:
        fooled = self.best_margin > 0
        if self.minimum_norm:
            fooled &= self.best_distance <= self.settings.eps
        self._all_fooled[self.group.offset : self.group.offset + len(fooled)] = fooled


Loop = Generator[AttackStep, None, Candidates]


@singledispatch
def loop(settings: Settings, runner: Runner, group: Group, fooled: Tensor) -> Loop:
    """Attack one group step by step; each kind of settings registers its own loop."""
    name = type(settings).__name__
    raise TypeError(f"expected the settings of an attack, such as PGD(eps=8/255), got {name}, which has no loop; try "
                    f"@loop.register({name})")


def improvements(score: Tensor, example: Tensor, best: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Find the examples whose best score rises.

    Args:
        score: float32 ``(rows,)``; NaN never wins.
        example: int64 ``(rows,)``, the example that each row belongs to.
        best: float32 ``(n,)``, each example's best score so far.

    Returns:
        The best scores now ``(n,)``, the examples whose score has risen, and for each of these the first row that
        has the new best score.
    """
    score = torch.nan_to_num(score, nan=-math.inf, posinf=math.inf, neginf=-math.inf)
    highest = torch.full_like(best, -math.inf).scatter_reduce(0, example, score, "amax")
    rows = ((score == highest[example]) & (highest > best)[example]).nonzero().squeeze(1)
    none = torch.full((len(best),), len(score), dtype=torch.int64, device=score.device)
    first = none.scatter_reduce(0, example[rows], rows, "amin")
    better = (first < len(score)).nonzero().squeeze(1)
    return torch.where(highest > best, highest, best), better, first[better]
