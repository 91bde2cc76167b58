"""The settings of attacks, frozen; their repr shows every default."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor

from tasklab.attacks.criteria import CRITERIA, Criterion
from tasklab.attacks.objectives import Objective, as_objective
from tasklab.checks import as_number, check_number, check_switch, check_whole, keep
from tasklab.models.fast import Plan
from tasklab.tasks import Task

Norm = Literal["linf", "l2"]
Keep = Literal["first", "best", "last"]

MAX_RESTARTS, MAX_SEED = 2**20, 2**63 - 1
"""Largest values that fit into the key of the random generators."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings that every attack has; each kind of attack adds its own.

    Args:
        eps: ε ≥ 0, the radius of the ball, in pixel units of [0, 1].
        steps: how often the attack moves, at least 1.
        norm: ``"linf"`` or ``"l2"``.
        restarts: independent tries, run as rows of one batch.
        objective: a name of `OBJECTIVES`, an `Objective`, or a callable ``(task, z, y) -> (N,)``.
        criterion: ``"misclassified"`` (None counts) or ``"evaded"`` (another class; None is an alarm).
        targeted: whether targets are given and aimed at.
        seed: of everything random, which depends on (seed, example, restart) alone.
        plan: how the network is run: ``"auto"`` probes for the fastest when the work is large, ``PLAIN`` is float32 as
            given. Success is always re-checked in float32 on the network itself.

    Attributes:
        note: one sentence about the attack for people; each registered attack has its own.
        rank: attacks are listed in the order of their ranks.
        quick_steps: the number of steps that a page begins with.
        fixed_aim: for an attack whose objective cannot be chosen: what it is aimed at, to be read after “aimed at”, and
            a sentence about it.
        norms: the norms that ε can be measured in.
        unfit: names of the objectives that it cannot follow.
        keeps: the iterates that it can be asked to return: the first that fools, the best or the last.
        uses_gradients: whether it asks for gradients.
        takes_eps_per_example: whether each image may have its own ε, so that many ε are attacked in one batch.
        allows_infinite_eps: whether ε may be infinite.
        fixed_batches: whether all batches must have one size, because its path depends on the last bits of outputs.
    """

    note: ClassVar[str] = ""
    rank: ClassVar[int] = 100
    quick_steps: ClassVar[int] = 20
    fixed_aim: ClassVar[tuple[str, str] | None] = None
    norms: ClassVar[tuple[Norm, ...]] = ("linf", "l2")
    unfit: ClassVar[tuple[str, ...]] = ()
    keeps: ClassVar[tuple[Keep, ...]] = ()
    uses_gradients: ClassVar[bool] = True
    takes_eps_per_example: ClassVar[bool] = False
    allows_infinite_eps: ClassVar[bool] = False
    fixed_batches: ClassVar[bool] = False
    eps: float
    steps: int = 20
    norm: Norm = "linf"
    restarts: int = 1
    objective: str | Objective | Callable[[Task, Tensor, Tensor], Tensor] = "margin"
    criterion: Criterion = "misclassified"
    targeted: bool = False
    seed: int = 0
    plan: Plan | Literal["auto"] = "auto"

    def __post_init__(self) -> None:
        if self.allows_infinite_eps and as_number(self.eps) == math.inf:
            keep(self, eps=math.inf)
        else:
            keep(self, eps=check_number("eps", self.eps, low=0.0, hint="8/255"))
        if self.norm == "linf" and 1 < self.eps < math.inf:
            warnings.warn(f"eps={self.eps:g} is more than a pixel's whole range, [0, 1]; try 8/255 for 8 of 255 levels",
                          stacklevel=4)
        keep(
            self, steps=check_whole("steps", self.steps, low=1), targeted=check_switch("targeted", self.targeted),
            restarts=check_whole("restarts", self.restarts, low=1, high=MAX_RESTARTS),
            seed=check_whole("seed", self.seed, low=0, high=MAX_SEED),
        )
        check_choice("norm", self.norm, ("linf", "l2"))
        if self.norm not in self.norms:
            raise ValueError(f"expected norm {self.norms[0]!r} for {type(self).__name__}, got {self.norm!r}; "
                             f"try norm={self.norms[0]!r}")
        check_choice("criterion", self.criterion, CRITERIA)
        if self.plan != "auto" and not isinstance(self.plan, Plan):
            raise ValueError(f"expected plan 'auto' or a Plan, got {self.plan!r}; try PLAIN")
        if not as_objective(self.objective).targetable and self.targeted:
            raise ValueError(f"expected an objective that has a target, got {self.objective!r}; try objective='margin'")

    @classmethod
    def settle(cls, given: dict[str, Any]) -> list[str]:
        """Replace values that contradict each other by the nearest that do not; called by `tasklab.attacks.building`.

        Args:
            given: values by the names of settings, changed in place.

        Returns:
            A sentence for each value that was replaced.
        """
        return []

    @property
    def name(self) -> str:
        """The name of the attack in tables."""
        return type(self).__name__.lower()

    @property
    def queries(self) -> int:
        """How many candidates each restart tries, not counting the parts of the objective."""
        return self.steps

    def rows(self, task: Task) -> int:
        """How many rows attack one image at once."""
        return self.restarts * as_objective(self.objective).parts(task)

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain values."""
        settings = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        settings["objective"] = as_objective(self.objective).name
        settings["plan"] = "auto" if self.plan == "auto" else dataclasses.asdict(self.plan)
        return {"attack": self.name} | settings


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise a ValueError if the value is not among ``choices``."""
    if value not in choices:
        raise ValueError(f"expected {name} among {', '.join(choices)}, got {value!r}")


def check_starts(restarts: int, random_start: bool) -> None:
    """Raise a ValueError for several restarts without a random start, which would all be the same."""
    if restarts > 1 and not random_start:
        raise ValueError(f"expected restarts=1 without random_start, got {restarts}; all would be the same")
