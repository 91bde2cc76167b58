"""Defences: what is done to the training images before the network learns from them."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from tasklab.attacks import PGD, attack
from tasklab.checks import as_number, keep
from tasklab.models.fast import CANDIDATES, Plan
from tasklab.system import System

PlanName = Literal["plain", "folded", "bfloat16"]
PLANS: dict[PlanName, Plan] = {"plain": CANDIDATES[0], "folded": CANDIDATES[1], "bfloat16": CANDIDATES[2]}
"""The copies of the network that the inner attack may run on, by name; see `tasklab.models.fast`."""

ALL = slice(None)
"""Every image of a batch."""


@dataclass(frozen=True, kw_only=True)
class Defence(ABC):
    """A defence: it turns the images of a batch into those that the network learns from."""

    name: ClassVar[str]

    @abstractmethod
    def apply(
        self, system: System, x: Tensor, y: Tensor, generator: torch.Generator, plan: Plan, share: slice = ALL
    ) -> tuple[Tensor, dict[str, float]]:
        """The images to train on, and what to log about them.

        Args:
            system: the system in training.
            x, y: the whole batch: images ``(N, C, H, W)`` in [0, 1] and labels ``(N,)``.
            generator: the source of randomness, which is the same for every share.
            plan: how an inner attack runs the network.
            share: the part of the batch that is returned.

        Returns:
            Images ``(n, C, H, W)`` for the n examples of ``share``, and numbers by name.
        """

    def to_dict(self) -> dict[str, Any]:
        """A plain dict that `defence_from_dict` reads."""
        return {"defence": self.name} | dataclasses.asdict(self)


@dataclass(frozen=True, kw_only=True)
class Adversarial(Defence):
    """Adversarial training (Madry et al. 2018): learn from the images that the inner attack returns.

    Args:
        eps: ε of the ball, in pixel units.
        steps: inner steps.
        step_size: by default ``2.5·eps/steps``.
        objective: what the inner attack maximises: ``"train"`` is the paper's, ``"margin"`` a real inner maximisation.
        plan: the copy of the network that it runs on, a name of `PLANS`; the weights depend on it a little. By default
            the fastest copy, which is timed once at the start.

    The attack runs in evaluation mode from a random start; BatchNorm's statistics see the images once, in training.
    """

    name: ClassVar[str] = "adversarial"
    eps: float
    steps: int = 7
    step_size: float | None = None
    objective: str = "margin"
    plan: PlanName | None = None

    def __post_init__(self) -> None:
        if self.plan is not None and self.plan not in PLANS:
            raise ValueError(f"expected plan among {', '.join(PLANS)}, got {self.plan!r}; try plan=None")
        inner = self.inner(0)  # its errors are raised now
        keep(self, eps=inner.eps, steps=inner.steps)
        if self.step_size is not None:
            keep(self, step_size=inner.step_size)

    def to_dict(self) -> dict[str, Any]:
        """A plain dict that `defence_from_dict` reads; without a plan if none was chosen."""
        return {key: value for key, value in super().to_dict().items() if key != "plan" or value is not None}

    def inner(self, seed: int, plan: Plan | None = None) -> PGD:
        """The inner attack."""
        return PGD(
            eps=self.eps, steps=self.steps, step_size=self.step_size, objective=self.objective, keep="last", seed=seed,
            plan=plan or Plan(),
        )

    def apply(
        self, system: System, x: Tensor, y: Tensor, generator: torch.Generator, plan: Plan, share: slice = ALL
    ) -> tuple[Tensor, dict[str, float]]:
        """PGD on the current network."""
        seed = int(torch.randint(2**31, (1,), generator=generator, device="cpu"))
        result = attack(system, x[share], y[share], self.inner(seed, plan), indices=torch.arange(len(x))[share],
                        batch_size=len(x))
        return result.images, {
            "zero_gradient_share": float(result.zero_gradient.float().mean()),
            "unmoved_share": float(result.unmoved.float().mean()),
        }


@dataclass(frozen=True, kw_only=True)
class GaussianNoise(Defence):
    """Gaussian noise of standard deviation ``sigma`` in pixel units, clamped to [0, 1] afterwards."""

    name: ClassVar[str] = "gaussian"
    sigma: float

    def __post_init__(self) -> None:
        keep(self, sigma=_radius("sigma", self.sigma))

    def apply(
        self, system: System, x: Tensor, y: Tensor, generator: torch.Generator, plan: Plan, share: slice = ALL
    ) -> tuple[Tensor, dict[str, float]]:
        """``clamp(x + sigma·n)``."""
        noise = torch.randn(x.shape, generator=generator, dtype=torch.float32, device="cpu").to(x.device)
        return (x + self.sigma * noise).clamp(0, 1)[share], {}


@dataclass(frozen=True, kw_only=True)
class UniformNoise(Defence):
    """Uniform noise in ``[−eps, eps]``, clamped to [0, 1] afterwards: a control for every ε-ball defence."""

    name: ClassVar[str] = "uniform"
    eps: float

    def __post_init__(self) -> None:
        keep(self, eps=_radius("eps", self.eps))

    def apply(
        self, system: System, x: Tensor, y: Tensor, generator: torch.Generator, plan: Plan, share: slice = ALL
    ) -> tuple[Tensor, dict[str, float]]:
        """``clamp(x + eps·u)``."""
        noise = torch.rand(x.shape, generator=generator, dtype=torch.float32, device="cpu").to(x.device) * 2 - 1
        return (x + self.eps * noise).clamp(0, 1)[share], {}


DEFENCES: dict[str, type[Defence]] = {kind.name: kind for kind in (Adversarial, GaussianNoise, UniformNoise)}


def defence_from_dict(settings: dict[str, Any]) -> Defence:
    """The defence that ``to_dict`` described.

    Raises:
        ValueError: no such defence, or settings that it does not have or refuses.
    """
    rest = dict(settings)
    name = rest.pop("defence", None)
    if name not in DEFENCES:
        raise ValueError(f"expected a defence among {', '.join(DEFENCES)}, got {name!r}")
    try:
        return DEFENCES[name](**rest)
    except TypeError as error:
        raise ValueError(f"expected settings of defence {name}, got others: {error}") from None


def _radius(name: str, value: object) -> int | float:
    radius = as_number(value)
    if radius is None or not math.isfinite(radius) or radius < 0:
        raise ValueError(f"expected {name} as a finite number ≥ 0 in pixel units, got {value!r}; try 0.1")
    return radius
