"""The settings of attacks, frozen; their repr shows every default."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from torch import Tensor

from tasklab.attacks.criteria import CRITERIA, Criterion
from tasklab.attacks.objectives import Objective, as_objective
from tasklab.models.fast import Plan
from tasklab.tasks import Task

Norm = Literal["linf", "l2"]
Keep = Literal["first", "best", "last"]

MAX_RESTARTS, MAX_SEED = 2**20, 2**63 - 1
"""Both go into the key of a random start."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What every attack has; each kind of attack adds its own.

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
    """

    boundless: ClassVar[bool] = False  # whether ε may be infinite
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
        if not (self.boundless and self.eps == math.inf):
            check_number("eps", self.eps, low=0.0, hint="8/255")
        check_whole("steps", self.steps, low=1)
        check_whole("restarts", self.restarts, low=1, high=MAX_RESTARTS)
        check_whole("seed", self.seed, low=0, high=MAX_SEED)
        check_choice("norm", self.norm, ("linf", "l2"))
        check_choice("criterion", self.criterion, CRITERIA)
        if self.plan != "auto" and not isinstance(self.plan, Plan):
            raise ValueError(f"expected plan 'auto' or a Plan, got {self.plan!r}; try PLAIN")
        if not as_objective(self.objective).targetable and self.targeted:
            raise ValueError(f"expected an objective that has a target, got {self.objective!r}; try objective='margin'")

    @property
    def name(self) -> str:
        """What tables call the attack."""
        return type(self).__name__.lower()

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain values."""
        settings = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        settings["objective"] = as_objective(self.objective).name
        settings["plan"] = "auto" if self.plan == "auto" else dataclasses.asdict(self.plan)
        return {"attack": self.name} | settings


@dataclass(frozen=True, kw_only=True)
class PGD(Settings):
    """Projected gradient ascent (Kurakin et al. 2017; Madry et al. 2018): ``x ← Π(x + step · sign ∇objective)``.

    Args:
        steps: gradient steps; under ``norm="l2"`` the gradient is divided by its length.
        step_size: by default ``2.5·eps/steps``.
        random_start: begin at a uniform point of the ball instead of the image.
        keep: ``"first"``: an example leaves as soon as it is fooled, the strongest and fastest; ``"best"``: all steps,
            the best iterate; ``"last"``: all steps, the last iterate, as published.

    The rest is as in `Settings`.
    """

    step_size: float | None = None
    random_start: bool = True
    keep: Keep = "first"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.step_size is not None:
            check_number("step_size", self.step_size, low=0.0, hint="None for 2.5·eps/steps")
        check_choice("keep", self.keep, ("first", "best", "last"))
        check_starts(self.restarts, self.random_start)

    @property
    def stride(self) -> float:
        """The step size in use."""
        return 2.5 * self.eps / self.steps if self.step_size is None else self.step_size

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain values, the step size in use included."""
        return super().to_dict() | {"step_size": self.stride}


@dataclass(frozen=True, kw_only=True)
class FGSM(PGD):
    """The fast gradient sign method (Goodfellow et al. 2015): one step of ε from the image, as published.

    It is `PGD` with one step, no random start, and the last iterate kept.
    """

    steps: int = field(default=1, init=False)
    step_size: float | None = field(default=None, init=False)
    random_start: bool = field(default=False, init=False)
    restarts: int = field(default=1, init=False)
    keep: Keep = "last"

    @property
    def stride(self) -> float:
        """The whole of ε."""
        return self.eps


def check_number(name: str, value: object, *, low: float, hint: str) -> None:
    """Refuse what is not a finite number of at least ``low``."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < low:
        raise ValueError(f"expected {name} as a finite number ≥ {low:g}, got {value!r}; try {hint}")


def check_whole(name: str, value: object, *, low: int, high: int | None = None) -> None:
    """Refuse what is not an integer in ``low..high``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < low or (high is not None and value > high):
        wanted = f"≥ {low}" if high is None else f"in {low}..{high}"
        raise ValueError(f"expected {name} as an integer {wanted}, got {value!r}")


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Refuse what is not among ``choices``."""
    if value not in choices:
        raise ValueError(f"expected {name} among {', '.join(choices)}, got {value!r}")


def check_starts(restarts: int, random_start: bool) -> None:
    """Refuse restarts that would all be the same."""
    if restarts > 1 and not random_start:
        raise ValueError(f"expected restarts=1 without random_start, got {restarts}; all would be the same")
