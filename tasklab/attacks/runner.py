"""The network that an attack asks: as given, and its faster copy; in batches, and counted."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tasklab.attacks.objectives import Objective
from tasklab.attacks.settings import Settings
from tasklab.models.fast import MIN_ROWS, PLAIN, prepare, probe
from tasklab.system import System

PROBE_WORK = 1024
"""Rows × steps from which it pays to look for a faster way to run the network."""


class Runner:
    """The network as given, and its faster copy: outputs, values and gradients, in batches, counted."""

    def __init__(
        self, system: System, objective: Objective, settings: Settings, batch_size: int, images: Tensor, rows: int
    ) -> None:
        self.system, self.objective, self.batch_size = system, objective, batch_size
        self.task, self.codec, self.parts = system.task, system.task.codec, objective.parts(system.task)
        plan = settings.plan
        if plan == "auto":
            few = images[:batch_size]
            copies = math.ceil(min(rows, MIN_ROWS) / max(len(few), 1)) or 1  # so many rows there will be
            few = few.repeat(copies, *[1] * (few.ndim - 1))
            plan = probe(system.network, few) if rows * settings.steps >= PROBE_WORK else PLAIN
        self.plan = plan
        self.exact = plan == PLAIN
        self.network = system.outputs if self.exact else prepare(system.network, plan)
        self.forwards = self.backwards = 0

    def margins(self, x: Tensor) -> Tensor:
        """Exact margins, float32 on the network as given."""
        self.forwards += len(x)
        return self.codec.margins(self.system.read(x, batch_size=self.batch_size))

    def value(self, x: Tensor, z: Tensor, y: Tensor, part: Tensor, targets: Tensor | None) -> Tensor:
        """What is climbed at ``x`` with outputs ``z``, ``(rows,)``."""
        read = z
        if self.objective.of == "features":
            self.forwards += len(x)
            read = torch.cat([self.system.features(rows) for rows in torch.split(x, self.batch_size)])
        value = self.objective(self.task, read, y, part, targets)
        if not isinstance(value, Tensor) or value.shape != y.shape:
            got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"expected the objective's values as ({len(y)},), one for each row, got {got}")
        return value

    def look(self, x: Tensor, y: Tensor, part: Tensor, targets: Tensor | None) -> tuple[Tensor, Tensor]:
        """Outputs and values alone."""
        self.forwards += len(x)
        with torch.no_grad():
            z = torch.cat([self.network(rows).float() for rows in torch.split(x, self.batch_size)])
            return z, self.value(x, z, y, part, targets)

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
                value = self.value(leaf, z, y[rows].clone(), part[rows].clone(), aimed)
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
