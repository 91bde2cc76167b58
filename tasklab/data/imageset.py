"""Images (or points) with their labels, held in memory as a whole."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tasklab.checks import as_whole
from tasklab.inputs import described, to_bytes, to_labels

_log = logging.getLogger(__name__)

Index = int | slice | Sequence[int] | Tensor
"""The types that select examples; NumPy's integers count as int, and its arrays as sequences."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageSet:
    """One split of a data set; its tensors must not be changed, because the whole process shares them.

    Args:
        name: the data set, such as "mnist".
        split: "train", "validation" or "test".
        images: uint8 ``(N, C, H, W)``, or for 2-D points float32 ``(N, 2)`` in [0, 1].
        labels: int64 ``(N,)`` in 0..num_classes-1.
        classes: the name of each class.
        mean: of the training split, per channel (for points, per coordinate), for images in [0, 1].
        std: standard deviation, likewise.

    Raises:
        TypeError: the images have another type.
        ValueError: images, labels, classes, mean and std do not fit together.

    >>> digits = ImageSet(name="two", split="train", images=torch.tensor([[[[0]]], [[[255]]]], dtype=torch.uint8),
    ...                   labels=torch.tensor([0, 1]), classes=("dark", "light"), mean=(0.5,), std=(0.5,))
    >>> len(digits), digits.shape, digits.x(1).item()
    (2, (1, 1, 1), 1.0)
    """

    name: str
    split: str
    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        dims = {torch.uint8: 4, torch.float32: 2}
        if not isinstance(self.images, Tensor) or dims.get(self.images.dtype) != self.images.ndim:
            raise TypeError(
                "expected images as uint8 (N, C, H, W) or points as float32 (N, 2), "
                f"got {described(self.images)} {tuple(getattr(self.images, 'shape', ()))}; try {to_bytes(self.images)}"
            )
        labels = self.labels
        if not isinstance(labels, Tensor) or labels.dtype != torch.int64 or labels.shape != self.images.shape[:1]:
            hint = to_labels(labels, self.num_classes)
            if hint in ("y", "y.long()"):
                hint = "one label for each image" + ", with .long()" * (labels.dtype != torch.int64)
            raise ValueError(f"expected labels as int64 ({len(self.images)},), got {described(labels)} "
                             f"{tuple(getattr(labels, 'shape', ()))}; try {hint}")
        low, high = (int(self.labels.min()), int(self.labels.max())) if len(self.labels) else (0, 0)
        if low < 0 or high >= self.num_classes:
            raise ValueError(
                f"expected labels in 0..{self.num_classes - 1}, got {low}..{high}; try one class name for each label"
            )
        if not len(self.mean) == len(self.std) == self.images.shape[1]:
            raise ValueError(
                f"expected mean and std with {self.images.shape[1]} values each, got {len(self.mean)} and "
                f"{len(self.std)}; try one value for each channel"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"ImageSet({self.name!r}, {self.split!r}, {len(self)} of shape {self.shape}, on {self.device})"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example, ``(C, H, W)``, or ``(2,)`` for points."""
        return tuple(self.images.shape[1:])

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.classes)

    @property
    def device(self) -> torch.device:
        """The device of the tensors."""
        return self.images.device

    def digest(self) -> str:
        """SHA-256 of images and labels in hexadecimal: equal for sets with the same examples in the same order."""
        hashed = hashlib.sha256()
        for tensor in (self.images, self.labels):
            hashed.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
            hashed.update(tensor.cpu().numpy().tobytes())
        return hashed.hexdigest()

    def x(self, index: Index | None = None) -> Tensor:
        """The examples as input of a network.

        Args:
            index: None for all, an int for a batch of one, or a slice, sequence, index tensor or boolean mask.

        Returns:
            float32 ``(N, C, H, W)`` (points: ``(N, 2)``) in [0, 1], always with the batch axis; a new tensor.
        """
        rows = self.images if index is None else self.images[self._rows(index)]
        if rows.dtype == torch.uint8:
            return rows.to(torch.float32).div_(255.0)
        return rows.clone()

    def subset(self, index: Index) -> ImageSet:
        """A smaller set of the same split.

        Args:
            index: an int n for the first n examples, or a slice, sequence, index tensor or boolean mask.

        Raises:
            ValueError: if n is not within 0..len.
        """
        first = as_whole(index)
        if first is not None:
            if not 0 <= first <= len(self):
                raise ValueError(f"expected a number of examples in 0..{len(self)}, got {first}; try {len(self)}")
            index = slice(first)
        rows = self._rows(index)
        return replace(self, images=self.images[rows], labels=self.labels[rows])

    def to(self, device: torch.device | str) -> ImageSet:
        """The set on a device, if it fits there.

        Args:
            device: the device; if it is a CUDA device with less free memory than twice the set's size, the set stays
                where it is, and a warning is logged.

        Returns:
            a set that shares its tensors with this one if nothing had to move.
        """
        target = torch.device(device)
        if target.type == "cuda" and self.device.type != "cuda":
            free, _ = torch.cuda.mem_get_info(target)
            needed = 2 * self.images.numel() * self.images.element_size()
            if free < needed:
                _log.warning("%r stays on %s: %d bytes wanted on %s, %d free", self, self.device, needed, target, free)
                return self
        return replace(self, images=self.images.to(target), labels=self.labels.to(target))

    def _rows(self, index: Index) -> slice | Tensor:
        """`index` in a form that keeps the batch axis."""
        if isinstance(index, slice):
            return index
        number = as_whole(index)
        if number is not None:
            if not -len(self) <= number < len(self):
                raise IndexError(f"expected an index in 0..{len(self) - 1}, got {number}; try a smaller one")
            number = number % len(self)
            return slice(number, number + 1)
        rows = torch.as_tensor(index, device=self.device)
        mask = rows.dtype == torch.bool
        if len(rows.shape) == 0 or (rows.numel() and (rows.is_floating_point() or rows.is_complex())):
            raise TypeError(f"expected an integer, a slice, integers or a mask bool ({len(self)},), got "
                            f"{index!r}; try integers, such as rows.long()")
        return rows if mask else rows.long().reshape(-1)
