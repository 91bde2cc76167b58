"""Random numbers, one generator for each candidate, that depend on (seed, example, restart) alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tasklab.attacks.candidates import Candidates
from tasklab.attacks.settings import MAX_RESTARTS


class Draws:
    """One random generator for each candidate; a candidate that is dropped takes its generator with it.

    Args:
        candidates: draws are always for those that are still attacked.
    """

    def __init__(self, candidates: Candidates) -> None:
        self._candidates, self._seed = candidates, candidates.settings.seed
        self._generators: dict[tuple[int, int, int], np.random.Generator] = {}

    def uniform(self, *shape: int) -> Tensor:
        """float32 ``(rows, *shape)`` in [0, 1)."""
        return self._draw(shape, lambda generator: generator.random(shape, dtype=np.float32))

    def signs(self, *shape: int) -> Tensor:
        """float32 ``(rows, *shape)`` of −1 and 1."""
        return 2 * (self.uniform(*shape) >= 0.5).float() - 1

    def normal(self, *shape: int, which: slice = slice(None)) -> Tensor:
        """float32 ``(rows, *shape)``, standard normal, for the candidates in the slice ``which`` alone."""
        return self._draw(shape, lambda generator: generator.standard_normal(shape, dtype=np.float32), which)

    def _draw(
        self, shape: tuple[int, ...], one: Callable[[np.random.Generator], Any], which: slice = slice(None)
    ) -> Tensor:
        c = self._candidates
        indices, restart, part = (t[which].tolist() for t in (c.indices, c.restart, c.part))
        drawn = np.empty((len(indices), *shape), dtype=np.float32)
        for row, candidate in enumerate(zip(indices, restart, part, strict=True)):
            if candidate not in self._generators:
                key = (self._seed, candidate[0] * MAX_RESTARTS + candidate[1])
                self._generators[candidate] = np.random.Generator(np.random.Philox(key=key))
            drawn[row] = one(self._generators[candidate])
        return torch.from_numpy(drawn).to(self._candidates.origin.device)
