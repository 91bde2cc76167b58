"""Pictures in the place of CIFAR's, and a few systems of them, for tests of pages: nothing has to be downloaded."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch

from tasklab import data, zoo
from tasklab.data import DATASETS, ImageSet
from tasklab.system import new_system
from tasklab.tasks import make_task
from tasklab.training import Recipe, fit

KEYS = ("tra", "deepbe", "int", "rbc", "efficientnet-rbc")
"""Systems of the zoo; the last one is small, too, and only called so."""

N = 200


@lru_cache(maxsize=4)
def photographs(split: str = "test", name: str = "cifar10") -> ImageSet:
    """Coloured noise on a ground by which the class can be told, 200 of 32×32 pixels, each class in turn."""
    info = DATASETS[name]
    generator = torch.Generator().manual_seed(len(split))
    labels = torch.arange(N) % info.num_classes
    grounds = torch.rand(info.num_classes, 3, 1, 1, generator=torch.Generator().manual_seed(7))
    x = 0.2 + 0.6 * grounds[labels] + 0.05 * torch.randn(N, *info.shape, generator=generator)
    images = (x.clamp(0, 1) * 255).round().to(torch.uint8)
    return ImageSet(name=info.name, split=split, images=images, labels=labels, classes=info.classes, mean=info.mean,
                    std=info.std)


def put_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever loads CIFAR-10 gets these photographs, and ``TASKLAB_ZOO`` is the folder of their systems: the only ones.
    """
    load = data.load
    others()  # before the folder is another one

    def loaded(name: str, split: Any = "train", **more: Any) -> ImageSet:
        return photographs(split) if name == "cifar10" else load(name, split, **more)

    monkeypatch.setattr(data, "load", loaded)
    monkeypatch.setattr(zoo, "folder", others)
    monkeypatch.setenv("TASKLAB_ZOO", str(photograph_zoo()))


@lru_cache(maxsize=1)
def others() -> Path:
    """The shipped systems, and what is kept beside them, without those of CIFAR-10."""
    place = _folder()
    for file in zoo.folder().iterdir():
        if not file.name.startswith("cifar10"):
            (place / file.name).symlink_to(file)
    return place


@lru_cache(maxsize=1)
def photograph_zoo() -> Path:
    """A folder with ``cifar10-KEY.safetensors`` for each of `KEYS`, made once for a run of tests."""
    folder = _folder()
    for key in KEYS:
        task = make_task(key.rpartition("-")[2])
        system = new_system(task, photographs("train"), width=4, seed=0)
        for _ in fit(system, photographs("train"), Recipe(epochs=8, batch_size=20, lr=0.01), validation=photographs()):
            pass
        system.card = {"name": f"cifar10-{key}", "data": {"name": "cifar10"}, "task": task.to_dict()}
        system.save(folder / f"cifar10-{key}.safetensors")
    return folder


def _folder() -> Path:
    result = Path(tempfile.mkdtemp(prefix="tasklab-photographs-"))
    atexit.register(shutil.rmtree, result, ignore_errors=True)
    return result
