"""The events of a training run: its steps and its epochs, and what is measured under attack after each epoch."""

from __future__ import annotations

from dataclasses import dataclass

from tasklab.attacks import PGD
from tasklab.checks import check_whole, keep
from tasklab.models.fast import PLAIN, Plan

ROBUST_IMAGES = 500
"""Validation images attacked after each epoch of adversarial training."""


@dataclass(frozen=True, kw_only=True)
class StepEvent:
    """One optimisation step: its mean loss (in squared natural units), batch accuracy, and the time since the start."""

    epoch: int
    step: int
    steps: int
    loss: float
    accuracy: float
    lr: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class EpochEvent:
    """One finished epoch.

    Attributes:
        epoch, epochs: 1-based, and how many there will be.
        loss, train_accuracy: means over the epoch's batches, as trained (augmented, attacked or noisy).
        accuracy, abnormal: shares of the validation set decoded correctly, and to None.
        robust_accuracy: under PGD on the margin, on the first validation images (see `Watch`), or None.
        own_loss_accuracy: the same with PGD on the training loss.
        own_loss_zero_gradient: the share of the correctly classified images for which that attack saw no gradient other
            than 0.
        zero_gradient_share, unmoved_share: of the inner attack over the epoch; None without one.
        best: whether this is the best epoch so far, by (robust accuracy, accuracy).
        seconds: since the start, earlier parts of a resumed run included.
    """

    epoch: int
    epochs: int
    loss: float
    train_accuracy: float
    accuracy: float
    abnormal: float
    robust_accuracy: float | None = None
    own_loss_accuracy: float | None = None
    zero_gradient_share: float | None
    unmoved_share: float | None
    best: bool
    seconds: float
    own_loss_zero_gradient: float | None = None


TrainingEvent = StepEvent | EpochEvent


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What is measured under attack after each epoch: PGD on the margin, and PGD on the training loss.

    Args:
        eps: ε in pixel units.
        steps: of each attack.
        images: how many of the first validation images.
    """

    eps: float
    steps: int = 20
    images: int = ROBUST_IMAGES

    def __post_init__(self) -> None:
        shown = self.attack("margin")  # its errors are raised now
        keep(self, eps=shown.eps, steps=shown.steps, images=check_whole("images", self.images, low=1, hint=100))

    def attack(self, objective: str, plan: Plan | None = None) -> PGD:
        """The attack with that objective."""
        return PGD(eps=self.eps, steps=self.steps, objective=objective, plan=plan or PLAIN)


class TrainingDiverged(RuntimeError):
    """The loss, or a weight, is no longer a finite number."""
