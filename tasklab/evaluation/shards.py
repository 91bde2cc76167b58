"""An attack in shards of images, each of which can run anywhere; together they give the same result bit for bit.

`tasklab.attacks.attack` works through its images in groups, and the randomness of an image depends on the seed and on
its index alone. So a shard that is one of these groups, with the indices of its images, has the same batches as in the
attack on all images.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from tasklab.attacks import AttackStep, Settings, attack
from tasklab.attacks.engine import group_size
from tasklab.attacks.result import AttackResult
from tasklab.system import System


class NotMade(RuntimeError):
    """A shard of an attack could not be computed."""


class Attacking(Protocol):
    """A function that runs an attack, as `tasklab.attacks.attack` does: at once or in shards, here or elsewhere."""

    def __call__(
        self, system: System, images: Tensor, labels: Tensor, settings: Settings, *, indices: Tensor | None = None,
        batch_size: int = 256, progress: Callable[[AttackStep], object] | None = None,
    ) -> AttackResult:
        """Run an attack.

        Args:
            system, images, labels, settings, indices, batch_size: as in `tasklab.attacks.stream`.
            progress: called with some of the attack's steps, where that is possible.

        Raises:
            NotMade: a shard could not be computed.
        """


class AtOnce:
    """Runs each attack in this process, on all images at once, when it is called: an `Attacking`."""

    def __call__(
        self, system: System, images: Tensor, labels: Tensor, settings: Settings, *, indices: Tensor | None = None,
        batch_size: int = 256, progress: Callable[[AttackStep], object] | None = None,
    ) -> AttackResult:
        """See `Attacking`."""
        return attack(system, images, labels, settings, indices=indices, batch_size=batch_size, progress=progress)

    def make_all(self, asked: Iterable[tuple[System, Tensor, Tensor, Sequence[Settings]]]) -> None:
        """Get ready for later calls: several attacks on several systems.

        Args:
            asked: systems, images, labels, and the attacks on them.
        """

    def clear(self) -> None:
        """Remove what was kept for later calls, once nobody needs it any more."""


def shards(n: int, settings: Settings, system: System) -> list[slice]:
    """The slices of n images that make a shard each; a single empty one for no images.

    Args:
        n: how many images.
        settings: of the attack.
        system: what is attacked.
    """
    size = group_size(settings.rows(system.task))
    return [slice(low, min(low + size, n)) for low in range(0, n, size)] or [slice(0, 0)]


def join(results: Sequence[AttackResult]) -> AttackResult:
    """The result of an attack from those of its shards, in order; its seconds are those of all shards together."""
    first = results[0]
    joined: dict[str, Any] = {name: torch.cat([getattr(result, name) for result in results]) for name in (
        "images", "labels", "clean_decoded", "decoded", "fooled", "distance", "zero_gradient", "nonfinite_gradient",
        "unmoved")}
    summed: dict[str, Any] = {
        name: sum(getattr(result, name) for result in results) for name in ("forwards", "backwards", "seconds")}
    return dataclasses.replace(first, **joined, **summed)
