"""Random numbers for rows, each row from a generator of its own: they depend on (seed, example, restart) alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tasklab.attacks.rows import Rows
from tasklab.attacks.settings import MAX_RESTARTS


class Draws:
    """One generator for each row there is at the start; rows that leave take theirs along.

    Args:
        rows: the rows; draws are always for those still in play.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows, self._seed = rows, rows.settings.seed
        self._generators: dict[tuple[int, int, int], np.random.Generator] = {}

    def uniform(self, *shape: int) -> Tensor:
        """float32 ``(rows, *shape)`` in [0, 1)."""
        return self._draw(shape, lambda generator: generator.random(shape, dtype=np.float32))

    def signs(self, *shape: int) -> Tensor:
        """float32 ``(rows, *shape)`` of −1 and 1."""
        return 2 * (self.uniform(*shape) >= 0.5).float() - 1

    def normal(self, *shape: int, which: slice = slice(None)) -> Tensor:
        """float32 ``(these rows, *shape)``, standard normal, for some of the rows alone."""
        return self._draw(shape, lambda generator: generator.standard_normal(shape, dtype=np.float32), which)

    def _draw(
        self, shape: tuple[int, ...], one: Callable[[np.random.Generator], Any], which: slice = slice(None)
    ) -> Tensor:
        indices, restart, part = (t[which].tolist() for t in (self._rows.indices, self._rows.restart, self._rows.part))
        drawn = np.empty((len(indices), *shape), dtype=np.float32)
        names = zip(indices, restart, part, strict=True)
        for row, name in enumerate(names):
            if name not in self._generators:
                key = (self._seed, name[0] * MAX_RESTARTS + name[1])
                self._generators[name] = np.random.Generator(np.random.Philox(key=key))
            drawn[row] = one(self._generators[name])
        return torch.from_numpy(drawn).to(self._rows.origin.device)
