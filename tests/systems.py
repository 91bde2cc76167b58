"""A few systems of digits, trained in a moment, for tests of pages."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from tasklab import data
from tasklab.attacks import PGD, attack
from tasklab.models import NetworkSpec, build_network
from tasklab.system import System
from tasklab.tasks import make_task
from tasklab.training import Recipe, fit

TASKS = {
    "tra": make_task("tra"), "deepbe": make_task("deepbe"), "int": make_task("int"), "rbc": make_task("rbc"),
    "rbc-s10": make_task("rbc", S=10),
}


@dataclass(frozen=True, kw_only=True)
class SmallZoo:
    """A folder of systems, and a picture on which the aim makes the difference for RBC.

    Attributes:
        folder: holds ``digits-<key>.safetensors`` for each of `TASKS`.
        picture: read correctly by TRA and RBC; at ε = 0.2, RBC stands PGD on its own loss and falls to the margin.
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
    train, test = data.load("digits", "train"), data.load("digits", "test")
    systems = {}
    for key, task in TASKS.items():
        spec = NetworkSpec(arch="small_cnn", in_shape=train.shape, outputs=task.width, mean=train.mean, std=train.std,
                           scale=task.unit, centre=task.centre, width=8)
        system = System(build_network(spec, seed=0), task, card={"data": {"name": "digits"}})
        for _ in fit(system, train, Recipe(epochs=12, batch_size=32)):
            pass
        system.save(folder / f"digits-{key}.safetensors")
        systems[key] = system
    x, y = test.x(), test.labels
    right = (systems["tra"].predict(x) == y) & (systems["rbc"].predict(x) == y)
    for objective, falls in (("train", False), ("margin", True)):
        settings = PGD(eps=0.2, steps=10, random_start=False, keep="best", objective=objective)
        right &= attack(systems["rbc"], x, y, settings).fooled == falls
    return SmallZoo(folder=folder, picture=int(torch.nonzero(right)[0]))
