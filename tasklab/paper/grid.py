"""The systems behind the paper's tables and figures: the task of each, how it is trained, and from which other one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasklab.attacks.presets import Preset
from tasklab.checks import check_whole, keep
from tasklab.data import DATASETS
from tasklab.data.info import info_of
from tasklab.jobs.training_settings import Training
from tasklab.models import ARCHITECTURES
from tasklab.tasks import Task, make_task
from tasklab.tasks.base import Parametrisation
from tasklab.training import Adversarial, Defence, GaussianNoise, Recipe

DATA = ("mnist", "cifar10", "cifar100")
NETWORKS = ("efficientnet_b0", "resnet18")
"""The paper's data sets and networks, in its order."""

TASKS: dict[str, dict[str, Any]] = {
    "tra": {}, "deepbe": {"loss_form": "mse"}, "int": {"s0": 0, "alpha": 4, "beta": 16}, "rbc": {"S": 350},
}
"""The tasks with the paper's settings, which are the same on all data sets.

The paper does not say by which loss its DeepBE was trained. Under the hinge that its discussion gives, no correct
image has a gradient, so FGSM could not move one; but the published rows fall steeply with ε. The squared distance to
the bits, as in the original work, has a gradient there.
"""

RECIPES: dict[str, Recipe] = {
    "digits": Recipe(epochs=20, batch_size=32, average=0.99),
    "mnist": Recipe(epochs=3, batch_size=128, lr=2e-3, average=0.998, crop=2),
    "cifar10": Recipe(epochs=12, batch_size=256, weight_decay=0.05, flip=True, crop=4),
    "cifar100": Recipe(epochs=20, batch_size=256, weight_decay=0.05, flip=True, crop=4),
}
"""How a system is trained on each data set, except for what `RATES` and the task change."""

RATES: dict[tuple[str, str], float] = {
    ("resnet18", "tra"): 1e-3, ("resnet18", "rbc"): 4e-3, ("efficientnet_b0", "tra"): 2e-3,
    ("efficientnet_b0", "rbc"): 4e-3,
}
"""Peak learning rates on CIFAR by network and task, from a search on CIFAR-10; see ``pretrained/cifar10.md``."""

CONTINUED: dict[str, dict[str, Any]] = {
    "digits": {"epochs": 15, "lr": 1e-3},
    "mnist": {"epochs": 1, "lr": 1e-4},
    "cifar10": {"epochs": 4, "lr": 1e-4},
    "cifar100": {"epochs": 4, "lr": 1e-4},
}
"""What differs when INT or DeepBE starts from the trained TRA: features that separate classes are hard to learn from
scratch with a single output, or with bits fitted by regression. See also `BIT_RATE`."""

BIT_RATE = 3e-3
"""The peak learning rate of a DeepBE that starts from TRA on CIFAR, where bits need other features than class scores.

From a search with the small network on CIFAR-10 by the cell's own command with another ``--lr``: after four epochs the
validation accuracy was 74.8 % at 1e-3 and 75.9 % at 3e-3."""

SHORT = {"efficientnet_b0": "efficientnet", "small_cnn": "small"}
"""How the names of files call a network, where it is not by its own name."""

RETRAINED: dict[str, dict[str, Any]] = {
    "digits": {"epochs": 6, "lr": 1e-3},
    "mnist": {"epochs": 2, "lr": 5e-4},
    "cifar10": {"epochs": 4, "lr": 1e-3},
    "cifar100": {"epochs": 4, "lr": 1e-3},
}
"""What differs when a trained system is retrained."""

INNER_STEPS = 7
"""Of the attack inside adversarial training, as in Madry et al. (2018) for CIFAR-10; the paper does not say."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """A row of a table.

    Attributes:
        name: as the paper writes it; one that it does not have is named in the same way.
        key: the same in names of files.
        task: a key of `TASKS`.
        retraining: what the trained system of that task is retrained with; ``""`` for none, ``"noise"`` for Gaussian
            noise, or the objective of adversarial training's inner attack.
        start: key of the method whose trained system the training run starts from; ``""`` for fresh weights.
    """

    name: str
    key: str
    task: str
    retraining: str = ""
    start: str = ""

    def defence(self, eps: float) -> Defence | None:
        """What is done to the training images, at intensity I."""
        if not self.retraining:
            return None
        if self.retraining == "noise":
            return GaussianNoise(sigma=eps)
        return Adversarial(eps=eps, steps=INNER_STEPS, objective=self.retraining, plan="folded")


METHODS: dict[str, Method] = {
    method.key: method
    for method in (
        Method(name="TRA", key="tra", task="tra"),
        Method(name="DeepBE", key="deepbe", task="deepbe", start="tra"),
        Method(name="INT", key="int", task="int", start="tra"),
        Method(name="RBC", key="rbc", task="rbc"),
        Method(name="TRA+AT", key="tra-at", task="tra", retraining="train", start="tra"),
        Method(name="RBC+AT", key="rbc-at", task="rbc", retraining="train", start="rbc"),
        Method(name="RBC+AT (margin)", key="rbc-at-margin", task="rbc", retraining="margin", start="rbc"),
        Method(name="RBC+GN", key="rbc-gn", task="rbc", retraining="noise", start="rbc"),
    )
}
"""Every row by its key."""

ROWS: dict[str, tuple[Method, ...]] = {
    "table1": tuple(METHODS[key] for key in ("tra", "deepbe", "int", "rbc")),
    "table2": tuple(METHODS[key] for key in ("tra-at", "rbc-at", "rbc-at-margin", "rbc-gn")),
}
"""The rows of each table: the paper's, and in Table 2 adversarial training with an inner attack on the margin."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much work goes into a cell.

    Attributes:
        suffix: of the names of its cells, which tells them from those of another scale.
        share: of the recipe's epochs.
        train: train on this many images only; None for all.
        width: of the small networks.
        attacked: how many of the first test images are attacked.
        preset: of the worst case.
    """

    suffix: str = ""
    share: float = 1.0
    train: int | None = None
    width: int = 32
    attacked: int = 1000
    preset: Preset = "standard"

    def __post_init__(self) -> None:
        keep(self, attacked=check_whole("attacked", self.attacked, low=1))


FULL = Scale()
QUICK = Scale(suffix="-quick", share=0.5, train=2000, attacked=100, preset="quick")
"""A first look: on digits, both tables take less than three minutes each on two cores."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The settings in which a cell of a figure differs from the cells of the tables.

    Attributes:
        S: of RBC; None for the paper's.
        parametrisation: ``"paper"`` leaves the outputs and the loss of RBC unscaled; see `tasklab.tasks.Task`.
        lr: the peak learning rate; None for the recipe's own.
    """

    S: float | None = None
    parametrisation: Parametrisation = "scaled"
    lr: float | None = None

    def __str__(self) -> str:
        """The part of the names of files that identifies the variant.

        >>> str(Variant(S=10, parametrisation="paper")), str(Variant())
        ('-s10-unscaled', '')
        """
        parts = [] if self.S is None else [f"-s{self.S:g}"]
        parts += ["-unscaled"] * (self.parametrisation == "paper")
        return "".join(parts + ([] if self.lr is None else [f"-lr{self.lr:g}"]))

    @property
    def task(self) -> dict[str, Any]:
        """The settings of the task that it changes."""
        size = {} if self.S is None else {"S": self.S}
        return size if self.parametrisation == "scaled" else size | {"parametrisation": self.parametrisation}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One system of the grid, by what it is; nothing is trained or read by making one.

    Args:
        data: the set.
        arch: the network.
        method: the row.
        seed: of its training.
        scale: how much work goes into it.
        variant: what it changes of the tables' settings.
    """

    data: str
    arch: str
    method: Method
    seed: int = 0
    scale: Scale = FULL
    variant: Variant = Variant()

    def __post_init__(self) -> None:
        if self.data not in RECIPES:
            raise ValueError(f"expected a data set of the tables, one of {', '.join(RECIPES)}, got {self.data!r}")
        if self.arch not in ARCHITECTURES or ARCHITECTURES[self.arch].input_dims != 3:
            raise ValueError(f"expected a network for images, got {self.arch!r}; try resnet18")

    @property
    def name(self) -> str:
        """The name of the cell, its system and its files.

        >>> Cell(data="mnist", arch="resnet18", method=METHODS["rbc-at"], seed=1).name
        'mnist-resnet18-rbc-at-seed1'
        """
        seed = f"-seed{self.seed}" if self.seed else ""
        key = f"{self.method.key}{self.variant}"
        return f"{self.data}-{SHORT.get(self.arch, self.arch)}-{key}{seed}{self.scale.suffix}"

    @property
    def start(self) -> Cell | None:
        """The trained system that the training run starts from, if any."""
        return dataclasses.replace(self, method=METHODS[self.method.start]) if self.method.start else None

    @property
    def base(self) -> Cell | None:
        """The system with which a retrained one is compared: the one that it was retrained from."""
        return self.start if self.method.retraining else None

    @property
    def task(self) -> Task:
        """The task with the paper's settings, but for what the variant changes."""
        settings = TASKS[self.method.task] | self.variant.task
        return make_task(self.method.task, num_classes=info_of(self.data).num_classes, **settings)

    @property
    def radii(self) -> tuple[float, ...]:
        """ε at the intensities I, II and III, in pixel units."""
        return DATASETS[self.data].radii.paper

    @property
    def recipe(self) -> Recipe:
        """How the system is trained, or retrained."""
        recipe = RECIPES[self.data]
        changes: dict[str, Any] = {"seed": self.seed}
        if self.method.retraining:
            changes |= RETRAINED[self.data] | {"defence": self.method.defence(self.radii[0])}
        elif self.method.start:
            changes |= CONTINUED[self.data]
            if self.method.task == "deepbe" and self.data.startswith("cifar"):
                changes |= {"lr": BIT_RATE}
        elif self.data.startswith("cifar"):
            changes |= {"lr": RATES.get((self.arch, self.method.task), recipe.lr)}
        if self.variant.lr is not None:
            changes |= {"lr": self.variant.lr}
        recipe = dataclasses.replace(recipe, **changes)
        return dataclasses.replace(recipe, epochs=max(1, round(self.scale.share * recipe.epochs)))

    def training(self, *, start: Path | None = None, device: str = "cpu") -> Training:
        """The training run that makes the system; no attacks are run for its card.

        Args:
            start: the file of the trained system that it starts from; None for fresh weights.
            device: where.
        """
        return Training(
            name=self.name, data=self.data, n=self.scale.train, task=self.task, recipe=self.recipe, arch=self.arch,
            width=self.scale.width, start=None if start is None else start.stem,
            start_file=None if start is None else str(start), device=device, eps=(), attacked=1,
            store="float16",
        )


def cells_of(
    table: str, data: Iterable[str] = DATA, archs: Sequence[str] = NETWORKS, *, seed: int = 0, seeds: int = 1,
    scale: Scale = FULL,
) -> list[Cell]:
    """The cells of a table, row by row as in the paper.

    Args:
        table: a key of `ROWS`.
        data: the sets.
        archs: the networks.
        seed: of the training runs.
        seeds: how many training runs of each system there are, with seeds from ``seed`` on.
        scale: of every cell.

    Raises:
        ValueError: no such table, data set or network.
    """
    if table not in ROWS:
        raise ValueError(f"expected a table among {', '.join(ROWS)}, got {table!r}")
    return [Cell(data=each, arch=arch, method=method, seed=number, scale=scale)
            for each in data for arch in archs for method in ROWS[table] for number in range(seed, seed + seeds)]


def with_bases(cells: Iterable[Cell]) -> list[Cell]:
    """The cells, each after those that it starts from, none of them twice.

    >>> [cell.method.name for cell in with_bases(cells_of("table2", ["mnist"], ["resnet18"]))]
    ['TRA', 'TRA+AT', 'RBC', 'RBC+AT', 'RBC+AT (margin)', 'RBC+GN']
    """
    ordered: dict[Cell, None] = {}
    for cell in cells:
        chain = [cell]
        while (start := chain[-1].start) is not None:
            chain.append(start)
        ordered |= dict.fromkeys(reversed(chain))
    return list(ordered)
