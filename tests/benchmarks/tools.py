"""Untargeted Linf PGD on cross-entropy in five tools, each as its users run it; tasklab in three ways."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tasklab import __version__
from tasklab.attacks import PGD, attack
from tasklab.system import System

SAME = "tasklab, same work"
LEAVING = "tasklab, same loss"
AS_IT_COMES = "tasklab, as it comes"
REFERENCE = "torchattacks"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One PGD: from a random start, `steps` steps of `step_size` in the ball of `eps`; all rows are one batch."""

    eps: float
    steps: int

    @property
    def step_size(self) -> float:
        """The step size."""
        return 2.5 * self.eps / self.steps


@dataclass(frozen=True, kw_only=True)
class Found:
    """Adversarial images, and what a tool says about its work."""

    images: Tensor
    remarks: dict[str, Any]


Tool = Callable[[System, Tensor, Tensor, Setting], Found]


def bare_loop(system: System, x: Tensor, y: Tensor, setting: Setting) -> Found:
    """What one would write by hand."""
    network, eps = system.network, setting.eps
    moved = (x + torch.empty_like(x).uniform_(-eps, eps)).clamp(0, 1)
    for _ in range(setting.steps):
        moved = moved.detach().requires_grad_()
        loss = nn.functional.cross_entropy(network(moved), y)
        (gradient,) = torch.autograd.grad(loss, moved)
        moved = moved.detach() + setting.step_size * gradient.sign()
        moved = torch.clamp(torch.clamp(moved, x - eps, x + eps), 0, 1)
    return Found(images=moved, remarks={})


def by_torchattacks(system: System, x: Tensor, y: Tensor, setting: Setting) -> Found:
    """torchattacks.PGD."""
    import torchattacks

    pgd = torchattacks.PGD(system.network, eps=setting.eps, alpha=setting.step_size, steps=setting.steps)
    return Found(images=pgd(x, y), remarks={})


def by_foolbox(system: System, x: Tensor, y: Tensor, setting: Setting) -> Found:
    """foolbox.attacks.LinfPGD."""
    import foolbox

    model = foolbox.PyTorchModel(system.network, bounds=(0, 1), device="cpu")
    pgd = foolbox.attacks.LinfPGD(abs_stepsize=setting.step_size, steps=setting.steps)
    _, clipped, _ = pgd(model, x, y, epsilons=setting.eps)
    return Found(images=clipped, remarks={})


def by_art(system: System, x: Tensor, y: Tensor, setting: Setting) -> Found:
    """ART's ProjectedGradientDescent, which takes and gives numpy arrays."""
    from art.attacks.evasion import ProjectedGradientDescent
    from art.estimators.classification import PyTorchClassifier

    classifier = PyTorchClassifier(system.network, nn.CrossEntropyLoss(), tuple(x.shape[1:]), system.task.num_classes,
                                   clip_values=(0.0, 1.0), device_type="cpu")
    pgd = ProjectedGradientDescent(classifier, eps=setting.eps, eps_step=setting.step_size,
                                   max_iter=setting.steps, num_random_init=1, batch_size=len(x), verbose=False)
    return Found(images=torch.from_numpy(np.asarray(pgd.generate(x.numpy(), y.numpy()))), remarks={})


def by_tasklab(system: System, x: Tensor, y: Tensor, setting: Setting, **settings: Any) -> Found:
    """tasklab.attacks.PGD; by default a row leaves when it is fooled, and the margin is climbed."""
    pgd = PGD(eps=setting.eps, steps=setting.steps, step_size=setting.step_size, **settings)
    result = attack(system, x, y, pgd, batch_size=len(x))
    plan = result.plan
    how = [plan.precision] + ["folded"] * plan.fold + ["channels-last"] * plan.channels_last
    remarks = {"plan": " ".join(how), "forwards": result.forwards, "backwards": result.backwards,
               "fooled": int(result.fooled.sum())}
    return Found(images=result.images, remarks=remarks)


def same_work(system: System, x: Tensor, y: Tensor, setting: Setting) -> Found:
    """tasklab with every step for every row, on the loss that the others climb."""
    return by_tasklab(system, x, y, setting, keep="last", objective="train")


def same_loss(system: System, x: Tensor, y: Tensor, setting: Setting) -> Found:
    """tasklab on the loss that the others climb; a row leaves when it is fooled."""
    return by_tasklab(system, x, y, setting, objective="train")


TOOLS: dict[str, Tool] = {
    "bare loop": bare_loop,
    REFERENCE: by_torchattacks,
    "foolbox": by_foolbox,
    "ART": by_art,
    SAME: same_work,
    LEAVING: same_loss,
    AS_IT_COMES: by_tasklab,
}
"""In the order in which they take turns."""


def versions() -> dict[str, str]:
    """The versions of everything that takes part and is there."""
    packages = {"torch": "torch", "torchattacks": "torchattacks", "foolbox": "foolbox",
                "ART": "adversarial-robustness-toolbox"}
    results = {"tasklab": __version__}
    for name, package in packages.items():
        with contextlib.suppress(PackageNotFoundError):
            results[name] = version(package)
    return results
