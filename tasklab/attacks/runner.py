"""Run the network for an attack, as given or as a faster copy, in batches, and count how often."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from tasklab.attacks.criteria import success_margin, tolerance
from tasklab.attacks.objectives import Objective
from tasklab.attacks.settings import Settings
from tasklab.codecs.base import TINY
from tasklab.models.fast import MIN_ROWS, PLAIN, Plan, prepare, probe
from tasklab.models.sharing import evaluating, on_a_copy
from tasklab.system import System

_log = logging.getLogger(__name__)

PROBE_WORK = 1024
"""Number of rows × steps from which it pays to look for a faster way to run the network."""

CLEAR, STEADY = 2.0, 2.0**-12
"""CLEAR: how many tolerances beyond the decision a success must be during an attack. At its end one is enough, so that
the final check confirms it. STEADY: how far each pixel is moved to see whether the outputs are on a plateau."""


BLOCK = {"cpu": 16}
"""Number of rows of each batch, by device, where all batches must have one size; 256 on other devices.

On a CPU, the outputs of a row then did not depend on the other rows of its batch in any measurement; with 8 rows, those
of an EfficientNet did.
"""


class Runner:
    """Outputs of a network, values of an objective and their gradients, in batches and counted.

    Args:
        system: what is attacked.
        objective: what the attack maximises.
        settings: the attack.
        batch_size: rows run through the network at once.
        images: the images that are attacked, float32 ``(N, C, H, W)``.
        rows: number of their candidates.

    Attributes:
        plan: how the network is run; `PLAIN` is as given.
        has_gradient: whether the network has a gradient with respect to its input, as far as is known.
        forwards, backwards: rows passed through the network so far.
    """

    def __init__(
        self, system: System, objective: Objective, settings: Settings, batch_size: int, images: Tensor, rows: int
    ) -> None:
        self.system, self.objective = system, objective
        self.fixed = settings.fixed_batches
        self.batch_size = BLOCK.get(images.device.type, 256) if self.fixed else batch_size
        self.criterion = settings.criterion
        self.task, self.codec, self.parts = system.task, system.task.codec, objective.parts(system.task)
        self.depth = max(1, sum(parameter.ndim > 1 for parameter in system.network.parameters()))
        self.plan = chosen_plan(system, settings, batch_size, images, rows)
        self.network: Callable[[Tensor], Tensor] = system.outputs
        if self.plan != PLAIN:
            try:
                self.network = _copied(prepare(system.network, self.plan))
            except ValueError:
                raise  # a plan that this device does not have
            except Exception as reason:  # a network may refuse to be copied, and is run as given
                _log.warning("%s runs as given, without a faster copy: %.200s", type(system.network).__name__, reason)
                self.plan = PLAIN
        self.has_gradient = True
        self.forwards = self.backwards = 0

    @property
    def exact(self) -> bool:
        """Whether the network is run as given."""
        return self.plan == PLAIN

    def read(self, x: Tensor) -> Tensor:
        """Exact outputs ``(rows, K)``: float32, on the network as given."""
        rows = self._rows(x)
        self.forwards += len(rows)
        return self.system.read(x[rows], batch_size=self.batch_size)[: len(x)]

    def _rows(self, x: Tensor) -> Tensor:
        """Indices of the rows to run, int64; where all batches must have one size, the last row is repeated."""
        missing = -len(x) % self.batch_size if self.fixed else 0
        return torch.arange(len(x) + missing, device=x.device).clamp_max(len(x) - 1)

    def tolerance(self, z: Tensor) -> Tensor:
        """The margin ``(rows,)`` below which a success may be due to rounding."""
        return tolerance(z, self.task.unit, self.depth)

    def confirmed_margin(
        self, x: Tensor, z: Tensor, y: Tensor, targets: Tensor | None, *, clear: float = CLEAR
    ) -> Tensor:
        """The success margin of outputs, not positive where it might be due to rounding.

        A success margin below ``clear`` tolerances does not count, since the network may read the same image
        differently in another batch or on another processor. Where the outputs do not change at all around ``x``, as
        behind a rounding or a saturated layer, any positive margin counts, a tie included.

        Args:
            x: images, float32 ``(rows, C, H, W)``.
            z: their outputs on the network as given, ``(rows, K)``.
            y, targets: int64 ``(rows,)``.
            clear: how many tolerances a success has to be beyond the decision.

        Returns:
            float32 ``(rows,)``, positive iff the image is a success.
        """
        margin = success_margin(self.criterion, self.codec.margins(z), y, targets)
        needed = clear * self.tolerance(z)
        doubtful = ((margin > 0) & (margin <= needed)).nonzero().squeeze(1)
        if len(doubtful):
            unsteady = doubtful[~self._steady(x[doubtful], z[doubtful], margin[doubtful])]
            margin[unsteady] -= needed[unsteady]
        return margin

    def _steady(self, x: Tensor, z: Tensor, margin: Tensor) -> Tensor:
        """Which successes are not due to rounding, bool ``(rows,)``.

        Either their outputs stay the same bit for bit when all pixels move a little, in two directions; or they are
        exactly on the boundary, whether they are run alone or in a batch, as at the edge of the box of pixels.
        """
        signs = 2 * torch.randint(0, 2, x.shape[1:], generator=torch.Generator().manual_seed(0)).to(x) - 1
        moved = [self.read((x + direction * STEADY * signs).clamp(0, 1)) for direction in (1, -1)]
        plateau = (moved[0] == z).all(dim=1) & (moved[1] == z).all(dim=1)
        tie = margin <= TINY
        alone = z.clone()
        alone[tie] = self.system.read(x[tie], batch_size=1)
        self.forwards += int(tie.sum())
        return plateau | (tie & (alone == z).all(dim=1))

    def value(self, x: Tensor, z: Tensor, y: Tensor, part: Tensor, targets: Tensor | None) -> Tensor:
        """The objective at images ``x`` with outputs ``z``, float32 ``(rows,)``."""
        inputs = z
        if self.objective.of == "features":
            self.forwards += len(x)
            inputs = torch.cat([self.system.features(batch) for batch in torch.split(x, self.batch_size)])
        value = self.objective(self.task, inputs.clone(), y, part, targets)  # which may work in place
        if not isinstance(value, Tensor) or value.shape != y.shape:
            got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"expected the objective's values as ({len(y)},), one for each row, got {got}")
        return value

    def forward(self, x: Tensor, y: Tensor, part: Tensor, targets: Tensor | None) -> tuple[Tensor, Tensor]:
        """Outputs ``(rows, K)`` and values of the objective ``(rows,)``, without gradients."""
        rows = self._rows(x)
        self.forwards += len(rows)
        with torch.no_grad():
            z = torch.cat([self.network(x[some]).float() for some in torch.split(rows, self.batch_size)])[: len(x)]
            return z, self.value(x, z, y, part, targets)

    def value_and_grad(
        self, x: Tensor, y: Tensor, part: Tensor, targets: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs, values, and gradients of the values with respect to ``x``.

        Gradients may hold NaN or infinity; they are 0 for a network or an objective that has none.
        """
        results, rows = [], self._rows(x)
        for some in torch.split(rows, self.batch_size):
            with (
                torch.inference_mode(False),  # an attack leaves it by itself, but a caller of this may not have
                evaluating(self.system.network),  # no training step comes between a value and its gradient
            ):
                some_targets = None if targets is None else targets[some].clone()
                results.append(self._one_batch(
                    x[some].detach().clone(), y[some].clone(), part[some].clone(), some_targets
                ))
        self.forwards += len(rows)
        self.backwards += len(rows)
        z, value, gradient = (torch.cat(column)[: len(x)] for column in zip(*results, strict=True))
        return z, value, gradient

    def _one_batch(
        self, x: Tensor, y: Tensor, part: Tensor, targets: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What `value_and_grad` returns, for one batch."""
        leaf = x.requires_grad_(self.has_gradient)
        with torch.set_grad_enabled(self.has_gradient):
            try:
                z = self.network(leaf).float()
                value = self.value(leaf, z, y, part, targets)
                gradient = None
                if value.requires_grad:
                    (gradient,) = torch.autograd.grad(value.sum(), leaf, allow_unused=True)
            except Exception as reason:  # whatever a network's own code raises when a gradient is computed
                if not self.has_gradient or isinstance(reason, torch.OutOfMemoryError):
                    raise
                return self._without_gradient(reason, x.detach(), y, part, targets)
        return z.detach(), value.detach(), torch.zeros_like(leaf) if gradient is None else gradient

    def _without_gradient(
        self, reason: Exception, x: Tensor, y: Tensor, part: Tensor, targets: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Go on without gradients, if the network runs without them; it may use NumPy inside, say."""
        self.has_gradient = False
        try:
            result = self._one_batch(x, y, part, targets)
        except Exception:
            raise reason from None
        _log.warning("%s has no gradient with respect to its input: %.200s", type(self.system.network).__name__, reason)
        return result


def chosen_plan(system: System, settings: Settings, batch_size: int, images: Tensor, rows: int) -> Plan:
    """How the network is run: the plan in the settings or, for ``"auto"``, the fastest one for that many rows.

    Args:
        system, settings, batch_size, images, rows: as for `Runner`.
    """
    if settings.plan != "auto":
        return settings.plan
    if rows * settings.steps < PROBE_WORK:
        return PLAIN
    few = images[:batch_size]
    copies = math.ceil(min(rows, MIN_ROWS) / max(len(few), 1)) or 1  # so that the probe sees as many rows
    return probe(system.network, few.repeat(copies, *[1] * (few.ndim - 1)), gradients=settings.uses_gradients)


def _copied(network: nn.Module) -> Callable[[Tensor], Tensor]:
    """The outputs of a faster copy, which may overwrite its input."""
    return lambda x: on_a_copy(network, x)
