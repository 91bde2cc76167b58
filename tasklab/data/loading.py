"""Loading data sets: fixed train, validation and test splits, kept in memory for the life of the process."""

from __future__ import annotations

import os
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasklab.modes import own_modes

from .files import check_files, data_root
from .imageset import ImageSet
from .info import DATASETS, info_of
from .points import draw_points

SPLITS = ("train", "validation", "test")
VALIDATION = 5000
"""Number of official training images of MNIST and CIFAR that are used for validation."""


def load(
    name: str,
    split: str = "train",
    *,
    root: str | os.PathLike[str] | None = None,
    n: int | None = None,
    noise: float | None = None,
    seed: int | None = None,
) -> ImageSet:
    """Load one split of a data set; the same call gives the same tensors, and never touches a random state.

    MNIST and CIFAR keep 5,000 of the official training images, chosen by a fixed permutation, for validation, and
    the official test set as it is; digits is divided 1,097 / 300 / 400 with each class in proportion.

    Args:
        name: a key of `DATASETS`: "digits", "mnist", "cifar10", "cifar100", or the points "moons", "circles",
            "blobs", "spirals".
        split: "train", "validation" or "test".
        root: where the files are; see `data_root`.
        n: for point sets, the number of points; see `draw_points`.
        noise: for point sets, standard deviation in units of the side of the square.
        seed: for point sets.

    Returns:
        An `ImageSet` on the CPU, to be treated as read-only: it is shared by all callers in the process.

    Raises:
        DataMissing: the files are not there; the message names the command that downloads them.
        DataDamaged: (a DataMissing) the files are not the official ones.
        ValueError: there is no such data set, split or setting.

    >>> load("digits", "test")
    ImageSet('digits', 'test', 400 of shape (1, 8, 8), on cpu)
    >>> load("spirals", n=300, seed=1).shape
    (2,)
    """
    info = info_of(name)
    if split not in SPLITS:
        raise ValueError(f"expected a split, one of {', '.join(SPLITS)}, got {split!r}; try 'train'")
    settings: dict[str, Any] = {"n": n, "noise": noise, "seed": seed}
    chosen = {word: value for word, value in settings.items() if value is not None}
    if info.is_points:
        return _points(name, split, **chosen)
    if chosen:
        raise ValueError(f"expected no {', '.join(chosen)} for {name}, whose images are fixed; "
                         f"try .subset({n or 1000})")
    if name == "digits":
        return _digits()[split]
    return _official(name, split == "test", data_root(root))[split]


def forget() -> None:
    """Drop the sets that are cached in memory, so that the next `load` reads the files again."""
    _official.cache_clear()


def _image_set(name: str, split: str, images: NDArray[Any] | Tensor, labels: NDArray[Any] | Tensor) -> ImageSet:
    info = DATASETS[name]
    return ImageSet(
        name=name,
        split=split,
        images=torch.as_tensor(images).contiguous(),
        labels=torch.as_tensor(labels).long().contiguous(),
        classes=info.classes,
        mean=info.mean,
        std=info.std,
    )


@lru_cache(maxsize=32)
@own_modes()
def _points(name: str, split: str, **settings: Any) -> ImageSet:
    return _image_set(name, split, *draw_points(name, split, **settings))


DIGITS = "datasets/data/digits.csv.gz"
"""File inside scikit-learn, with a line for each image: 64 pixels from 0 to 16, and the label."""


@lru_cache(maxsize=1)
@own_modes()
def _digits() -> dict[str, ImageSet]:
    rows = _digits_as_rows()
    images = np.rint(rows[:, :64].reshape(-1, 1, 8, 8) * (255 / 16)).astype(np.uint8)
    labels = rows[:, 64].astype(np.int64)
    split_rows = _stratified(labels, {"test": 400, "validation": 300, "train": len(labels) - 700})
    return {split: _image_set("digits", split, images[index], labels[index]) for split, index in split_rows.items()}


def _digits_as_rows() -> NDArray[np.float64]:
    """The digits ``(1797, 65)`` from scikit-learn's file directly, because importing scikit-learn takes a second."""
    package = find_spec("sklearn")
    for folder in (package and package.submodule_search_locations) or ():
        if (file := Path(folder) / DIGITS).is_file():
            return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits

    raw = load_digits()
    return np.column_stack([raw.data, raw.target])


@lru_cache(maxsize=4)
@own_modes()
def _official(name: str, test: bool, root: Path) -> dict[str, ImageSet]:
    """The splits that come from one official half of MNIST or CIFAR, read through torchvision."""
    check_files(name, root)
    from torchvision import datasets

    reader = {"mnist": datasets.MNIST, "cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[name]
    raw = reader(root, train=not test, download=False)
    images = torch.as_tensor(raw.data)
    images = images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2)  # (N, C, H, W)
    labels = torch.as_tensor(raw.targets)
    if test:
        return {"test": _image_set(name, "test", images, labels)}
    order = np.random.RandomState(0).permutation(len(labels))
    rows = {"validation": np.sort(order[:VALIDATION]), "train": np.sort(order[VALIDATION:])}
    return {split: _image_set(name, split, images[index], labels[index]) for split, index in rows.items()}


def _stratified(labels: NDArray[np.int64], sizes: dict[str, int]) -> dict[str, NDArray[np.int64]]:
    """Divide rows into parts of these sizes, in which each class has its proportion to within one or two examples.

    Args:
        labels: int64 ``(N,)``.
        sizes: name of a part to its size; they add to N.

    Returns:
        Name of a part to its row numbers, sorted.
    """
    rng = np.random.RandomState(0)
    rank = np.empty(len(labels))
    for k in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == k))
        rank[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    order = np.argsort(rank, kind="stable")
    parts, start = {}, 0
    for split, size in sizes.items():
        parts[split] = np.sort(order[start : start + size])
        start += size
    return parts
