"""A few of the shipped systems, for tests of pages; and which pictures a page should open with."""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from tasklab import data, zoo
from tasklab.attacks import PGD, attack
from tasklab.data.info import radii_of
from tasklab.system import System

KEYS = ("tra", "deepbe", "int", "rbc", "rbc-s10")


@dataclass(frozen=True, kw_only=True)
class SmallZoo:
    """A folder of systems, and a picture on which the aim makes the difference.

    Attributes:
        folder: holds ``digits-<key>.safetensors`` for each of `KEYS`.
        picture: `telling` for TRA and RBC.
    """

    folder: Path
    picture: int

    @property
    def query(self) -> dict[str, str | list[str]]:
        """The page on which to see that."""
        return {"image": str(self.picture), "systems": ["tra", "rbc"]}


@lru_cache(maxsize=1)
def small_zoo() -> SmallZoo:
    """The zoo, made once for a run of tests."""
    folder = Path(tempfile.mkdtemp(prefix="tasklab-zoo-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for key in KEYS:
        shutil.copy(zoo.folder() / f"digits-{key}.safetensors", folder)
    test = data.load("digits", "test").subset(20)
    systems = {key: zoo.load(f"digits-{key}", where=folder) for key in ("tra", "rbc")}
    return SmallZoo(folder=folder, picture=telling(systems, test.x(), test.labels)[0])


def telling(systems: dict[str, System], x: Tensor, y: Tensor, eps: float = 0.2) -> list[int]:
    """The pictures on which the aim makes the difference, in the app's opening scenario.

    All systems read them correctly. An attack on the training loss breaks TRA and DeepBE, and finds no gradient in the
    others; one on the decision margin breaks all.
    """
    good = torch.ones(len(y), dtype=torch.bool)
    for key, system in systems.items():
        for objective in ("train", "margin"):
            settings = PGD(eps=eps, steps=10, random_start=False, keep="best", objective=objective)
            result = attack(system, x, y, settings)
            good &= result.clean_decoded == y
            good &= result.fooled if objective == "margin" or key in ("tra", "deepbe") else result.zero_gradient
    return [int(i) for i in torch.nonzero(good)]


def main(dataset: str, n: str = "400") -> None:
    """The telling pictures of a data set for the shipped systems: ``python -m tests.systems mnist``."""
    test = data.load(dataset, "test").subset(int(n))
    systems = {key: zoo.load(f"{dataset}-{key}") for key in ("tra", "deepbe", "int", "rbc")}
    eps = radii_of(dataset).usual
    result = telling(systems, test.x(), test.labels, eps)
    for index in result:
        settings = PGD(eps=eps, steps=10, random_start=False, keep="best")
        x, y = test.x(index), test.labels[index : index + 1]
        read = [int(attack(system, x, y, settings).decoded) for system in systems.values()]
        sys.stdout.write(f"{index}: a {int(test.labels[index])}, read as {read}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
