"""The L2 attack of Carlini & Wagner (2017, "Towards evaluating the robustness of neural networks") on margins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from tasklab.attacks.candidates import Candidates, Group, Loop, loop
from tasklab.attacks.geometry import per_row
from tasklab.attacks.minimum_norm import MinimumNorm, finish
from tasklab.attacks.registry import register
from tasklab.attacks.settings import Norm
from tasklab.checks import as_whole, check_number, check_whole, keep

if TYPE_CHECKING:
    from tasklab.attacks.runner import Runner

INSIDE = 0.999
"""How far into (−1, 1) a pixel is pulled before the inverse of tanh.

Nearer to 1, black and white pixels begin where tanh is flat, and hardly move: with 1 − 1e-6, as other libraries have
it, the changes found in 100 steps on shipped systems of digits and MNIST are longer by a fifth to two thirds.
"""


@register
@dataclass(frozen=True, kw_only=True)
class CW(MinimumNorm):
    """Minimise ``‖δ‖² + c·relu(margin_y)`` over ``x + δ = (tanh w + 1)/2`` with Adam (Carlini & Wagner 2017, κ = 0).

    Margins are divided by the task's natural unit (S for RBC, the span of the line for INT), so that one range of c
    serves every task. c is searched for each row: it grows tenfold until the attack succeeds, and then bisects the
    interval between failure and success. Any objective that is positive exactly on success may replace ``−margin_y``.

    Args:
        steps: Adam's steps in all, shared out equally among the searches.
        searches: values of c tried for each row.
        c: the first of them.
        rate: Adam's learning rate on w. At 0.01, the rate of the paper, pixels need some hundreds of steps to move far.

    The rest is as in `MinimumNorm`; the norm is ``"l2"``.

    >>> from tasklab.attacks import attack
    >>> from tasklab.system import System
    >>> from tasklab.tasks import make_task
    >>> layer = torch.nn.Linear(2, 2)
    >>> _ = layer.weight.data.copy_(torch.tensor([[4.0, 0.0], [0.0, 2.0]])), layer.bias.data.fill_(-1.0)
    >>> system = System(layer, make_task("rbc", num_classes=4, S=1))
    >>> round(float(attack(system, torch.tensor([[0.4, 0.6]]), torch.tensor([3]), CW()).distance), 2)
    0.1
    """

    note: ClassVar[str] = (
        "Carlini & Wagner's smallest change in the L2 norm, on the decision margin; it counts where it is within ε."
    )
    rank: ClassVar[int] = 5
    quick_steps: ClassVar[int] = 200
    fixed_batches: ClassVar[bool] = True
    steps: int = 600
    norm: Norm = field(default="l2", init=False)
    restarts: int = field(default=1, init=False)
    searches: int = 6
    c: float = 0.1
    rate: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        keep(self, searches=check_whole("searches", self.searches, low=1, high=self.steps),
             c=check_number("c", self.c, low=0.0, hint="0.1"),
             rate=check_number("rate", self.rate, low=0.0, hint="0.2"))

    @classmethod
    def settle(cls, given: dict[str, Any]) -> list[str]:
        """Reduce the number of searches to the number of steps, since each search needs one step at least."""
        steps, searches = as_whole(given.get("steps", cls.steps)), as_whole(given.get("searches", cls.searches))
        if steps is None or searches is None or not 1 <= steps < searches:
            return []
        given["searches"] = steps
        return [f"CW shares its {steps} step{'s' * (steps > 1)} out among {searches} searches, which need one each, so "
                f"it makes {steps} search{'es' * (steps > 1)}."]


@loop.register(CW)
def _descend(settings: CW, runner: Runner, group: Group, fooled: torch.Tensor) -> Loop:
    """One descent with Adam for each c, all rows at once."""
    candidates = Candidates(runner, group, settings, fooled, minimum_norm=True)
    image, unit = candidates.origin, runner.task.unit
    start = torch.atanh((2 * image - 1) * INSIDE)
    c = torch.full_like(candidates.example, settings.c, dtype=torch.float32)
    low, high = torch.zeros_like(c), torch.full_like(c, torch.inf)
    steps_per_search = settings.steps // settings.searches
    w = m = v = start  # m and v are the moments of Adam
    succeeded = torch.zeros_like(c, dtype=torch.bool)
    for index in range(steps_per_search * settings.searches if len(candidates) else 0):
        step = index % steps_per_search
        if step == 0:
            if index:
                low, high = torch.where(succeeded, low, c), torch.where(succeeded, torch.minimum(high, c), high)
                c = torch.where(high == torch.inf, 10 * c, (low + high.clamp_max(1e30)) / 2)
            w, m, v, succeeded = start, torch.zeros_like(w), torch.zeros_like(w), torch.zeros_like(succeeded)
        t = torch.tanh(w)
        x = (t + 1) / 2
        z, value, gradient = candidates.value_and_grad(x)
        success = candidates.update_best(x, z)
        succeeded = succeeded | success
        yield candidates.step(index, x, z, value, gradient)
        weight = c * ((value <= 0) | ~success) / unit  # the slope of relu, taken as 1 at the boundary itself
        slope = (2 * (x - image) - per_row(weight, x) * gradient) * (1 - t * t) / 2
        m = 0.9 * m + 0.1 * slope
        v = 0.999 * v + 0.001 * slope * slope
        corrected = (v / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8
        w = w - settings.rate * m / (1 - 0.9 ** (step + 1)) / corrected
    return finish(candidates, settings)
