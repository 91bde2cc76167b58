"""The recipe of a training run, frozen: everything that, with the data and the task, fixes its outcome."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal

from tasklab.checks import as_number, check_switch, check_whole, keep
from tasklab.training.defences import Defence, defence_from_dict


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train.

    Args:
        epochs: passes over the training set.
        batch_size: images per step; the last, smaller batch of an epoch is left out.
        optimizer: ``"adamw"``, or ``"sgd"`` with Nesterov momentum 0.9.
        lr: the peak of the one-cycle schedule (linear up, cosine down to 0).
        warmup: the share of all steps spent going up.
        weight_decay: decoupled for AdamW, L2 for SGD.
        flip: mirror half of the images.
        crop: pad by this many pixels and crop at random; 0 for none.
        defence: what is done to the images; None for nothing.
        average: decay of an exponential moving average of the weights, 0 for none; with it the average is the result.
        inset: for tasks with intervals: training aims at ``[L + inset·β, U − inset·β]``; 0 for the loss as published.
        precision: of the training passes, ``"float32"`` or ``"bfloat16"`` (autocast; head, loss and BatchNorm's
            statistics stay float32). ``"auto"`` times both once for a large network, and is float32 for a small one.
        seed: of the order of images, augmentation, noise and inner attacks; jobs use it for the initial weights, too.
    """

    epochs: int = 4
    batch_size: int = 128
    optimizer: Literal["adamw", "sgd"] = "adamw"
    lr: float = 3e-3
    warmup: float = 0.25
    weight_decay: float = 0.01
    flip: bool = False
    crop: int = 0
    defence: Defence | None = None
    average: float = 0.0
    inset: float = 0.0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low in (("epochs", 1), ("batch_size", 2), ("crop", 0), ("seed", 0)):
            keep(self, **{name: check_whole(name, getattr(self, name), low=low)})
        limits = {"lr": math.inf, "warmup": 1.0, "weight_decay": math.inf, "average": 1.0, "inset": 0.5}
        for name, high in limits.items():
            value = as_number(getattr(self, name))
            if value is None or not 0 <= value < high:
                raise ValueError(f"expected {name} in [0, {high:g}), got {getattr(self, name)!r}")
            keep(self, **{name: value})
        keep(self, flip=check_switch("flip", self.flip))
        for name, choices in (("optimizer", ("adamw", "sgd")), ("precision", ("auto", "float32", "bfloat16"))):
            if getattr(self, name) not in choices:
                raise ValueError(f"expected {name} among {', '.join(choices)}, got {getattr(self, name)!r}")
        if self.defence is not None and not isinstance(self.defence, Defence):
            raise TypeError(f"expected defence as a Defence or None, got {self.defence!r}; try Adversarial(eps=0.1)")

    def lr_at(self, step: int, total: int) -> float:
        """The learning rate of a step (0-based) of ``total``."""
        up = self.warmup * total
        if step < up:
            return self.lr * (step + 1) / (up + 1)
        return self.lr * (1 + math.cos(math.pi * (step - up) / max(total - up, 1))) / 2

    def to_dict(self) -> dict[str, Any]:
        """A plain dict (JSON-safe) that `from_dict` reads."""
        settings = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return settings | {"defence": self.defence.to_dict() if self.defence else None}

    @staticmethod
    def from_dict(settings: dict[str, Any]) -> Recipe:
        """The recipe that `to_dict` described.

        Raises:
            ValueError: an unknown setting, or a value that is refused.
        """
        known = {f.name for f in dataclasses.fields(Recipe)}
        if unknown := sorted(set(settings) - known):
            raise ValueError(f"expected recipe settings among {', '.join(sorted(known))}, got {', '.join(unknown)}")
        defence = settings.get("defence")
        return Recipe(**settings | {"defence": defence_from_dict(defence) if defence else None})
