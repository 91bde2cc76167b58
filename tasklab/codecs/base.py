"""The base class of codecs, which encode labels, measure margins and decode by them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from tasklab.checks import as_whole
from tasklab.inputs import described, to_labels
from tasklab.modes import CPU, own_modes

ABNORMAL = -1
"""The decoded label of an output that is no codeword: the paper's *None*."""

TINY = torch.finfo(torch.float32).tiny
"""The margin given to the class that a tie rule names: positive, and smaller than any margin that is not a tie."""


MAX_CLASSES = 2**15
"""The most classes of a task: each takes a row of the code and, for every image that is decoded, a margin."""

MAX_BITS = 1024
"""The most bits of a codeword: ten classes need four, and error-correcting codes a few more than there are classes."""

MAX_CODE = 2**17
"""The most classes × bits of a task: that many numbers are computed for every image that is decoded."""


class Codec(ABC):
    """Labels ⇄ codewords. ``margins(z)[n, k] > 0`` iff ``decode(z)[n] == k``, exact ties included."""

    num_classes: int

    @property
    @abstractmethod
    def width(self) -> int:
        """K, the number of outputs per example."""

    @abstractmethod
    def _encode(self, y: Tensor) -> Tensor: ...

    @abstractmethod
    def _margins(self, z: Tensor) -> Tensor: ...

    @abstractmethod
    def _terms(self, z: Tensor, y: Tensor) -> Tensor: ...

    def encode(self, y: Tensor) -> Tensor:
        """The codewords of labels.

        Args:
            y: int64 ``(N,)`` in ``0..num_classes-1``.

        Returns:
            float32 ``(N, codeword length)`` on the device of ``y``.

        Raises:
            TypeError, ValueError: labels that are not integers, not one-dimensional, or out of range.
        """
        return self._encode(self.check_labels(y))

    def margins(self, z: Tensor) -> Tensor:
        """How far each class is from winning (negative) or from losing (positive).

        Args:
            z: outputs ``(N, K)``, any float type; computed in float32.

        Returns:
            float32 ``(N, num_classes)`` in the units of ``z``; positive for at most one class of a row, and −inf
            for every class where an output is infinite or not a number.

        Raises:
            TypeError, ValueError: outputs of another type or width.
        """
        z = self.check_outputs(z).float()
        finite = z.isfinite().all(dim=1, keepdim=True)
        return torch.where(finite, self._margins(torch.where(finite, z, 0.0)), -torch.inf)

    def decode(self, z: Tensor) -> Tensor:
        """The labels that outputs stand for.

        Args:
            z: outputs ``(N, K)``.

        Returns:
            int64 ``(N,)`` in ``0..num_classes-1``, or `ABNORMAL` where no class has a positive margin
            (outputs that are infinite or not numbers included).

        Raises:
            TypeError, ValueError: outputs of another type or width.
        """
        return self.read(self.margins(z))

    def read(self, margins: Tensor) -> Tensor:
        """The labels, int64 ``(N,)``, by margins ``(N, num_classes)`` that the caller has already computed."""
        best, label = margins.max(dim=1)
        return torch.where(best > 0, label, ABNORMAL)

    def terms(self, z: Tensor, y: Tensor) -> Tensor:
        """The conditions that all must hold for ``y`` to be decoded: one for each of its bits, ends or rivals.

        Each is a hyperplane in the space of outputs, and their minimum is ``margins(z)[y]`` (ties aside).

        Args:
            z: outputs ``(N, K)``.
            y: labels ``(N,)``.

        Returns:
            float32 ``(N, M)``: ``s_i·(z_i − threshold)`` for each bit, ``z − L`` and ``U − z``, or ``z_y − z_j``.
        """
        return self._terms(z.float(), y)

    def check_outputs(self, z: Tensor) -> Tensor:
        """``z`` itself, if it holds outputs that this codec can read.

        Raises:
            TypeError, ValueError: what was expected, and what came.
        """
        if not isinstance(z, Tensor) or not z.is_floating_point():
            got = z.dtype if isinstance(z, Tensor) else type(z).__name__
            raise TypeError(f"expected outputs as a float tensor (N, {self.width}), got {got}")
        if z.ndim != 2 or z.shape[1] != self.width:
            raise ValueError(
                f"expected outputs of shape (N, {self.width}), got {tuple(z.shape)}; "
                f"try a network whose last layer has {self.width} outputs"
            )
        return z

    def check_labels(self, y: Tensor) -> Tensor:
        """``y`` itself, if it holds labels of this codec.

        Raises:
            TypeError, ValueError: what was expected, and what came.
        """
        if not isinstance(y, Tensor) or y.is_floating_point() or y.is_complex() or y.dtype == torch.bool:
            hint = to_labels(y, self.num_classes)
            raise TypeError(f"expected labels as an integer tensor (N,), got {described(y)}; try {hint}")
        if y.ndim != 1:
            hint = to_labels(y, self.num_classes)
            raise ValueError(f"expected labels of shape (N,), got {tuple(y.shape)}; try {hint}")
        if y.numel() and (int(y.min()) < 0 or int(y.max()) >= self.num_classes):
            low, high = int(y.min()), int(y.max())
            hint = "leaving abnormal examples out" if low < 0 else f"a task with num_classes={high + 1}"
            if low == 1 and high == self.num_classes:
                hint += ", or y - 1 where labels count from 1"
            raise ValueError(f"expected labels in 0..{self.num_classes - 1}, got {low}..{high}; try {hint}")
        return y.long()


class Constants:
    """A tensor of a codec, made once and kept for each device; gradients work even if it is made in inference mode.

    Args:
        make: makes the tensor on the CPU.
    """

    def __init__(self, make: Callable[[], Tensor]) -> None:
        with own_modes():
            self._kept = {CPU: make()}

    def on(self, device: torch.device) -> Tensor:
        """The tensor on ``device``."""
        if device not in self._kept:
            with own_modes():
                self._kept[device] = self._kept[CPU].to(device)
        return self._kept[device]


def check_num_classes(num_classes: object) -> int:
    """The number of classes as a plain int; one below two or above `MAX_CLASSES` is refused."""
    count = as_whole(num_classes)
    if count is None or count < 2:
        raise ValueError(f"expected num_classes as an integer of at least 2, got {num_classes!r}")
    if count > MAX_CLASSES:
        raise ValueError(f"expected num_classes up to {MAX_CLASSES:,}, got {count}; try fewer classes")
    return count


def check_code_size(num_classes: int, bits: int) -> None:
    """Refuse a code of more than `MAX_BITS` bits, or one whose table exceeds `MAX_CODE`, before it is built."""
    if bits > MAX_BITS:
        raise ValueError(f"expected bits up to {MAX_BITS:,}, got {bits}; try bits={math.ceil(math.log2(num_classes))}")
    if num_classes * bits > MAX_CODE:
        raise ValueError(f"expected classes × bits up to {MAX_CODE:,}, got {num_classes} × {bits}; try fewer bits")
