"""Images and labels as people pass them: what is wrong with them, and the one call that would correct them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

BYTES = 255
SLACK = 0.01
"""How far outside [0, 1] a pixel may lie by rounding or resampling; farther out, the image was scaled differently."""


def described(value: object) -> str:
    """A value in a few words: its type, and for a tensor or an array the type of its numbers."""
    if isinstance(value, Tensor):
        return str(value.dtype)
    dtype = getattr(value, "dtype", None)
    return type(value).__name__ if dtype is None else f"{type(value).__name__} of {dtype}"


def check_images(x: object) -> Tensor:
    """``x`` itself, if it is a tensor of floating-point numbers, as networks take them.

    Raises:
        TypeError: it is not; the message says how to make images of it.
    """
    if not isinstance(x, Tensor) or not x.is_floating_point():
        raise TypeError(f"expected images as float32 in [0, 1], got {described(x)}; try {to_images(x)}")
    return x


def to_images(x: Any) -> str:
    """The call that turns the value given as ``images`` into float32 images in [0, 1].

    >>> to_images(torch.zeros(1, 3, 8, 8, dtype=torch.uint8)), to_images(torch.zeros(2, dtype=torch.float64))
    ('images.float() / 255', 'images.float()')
    >>> import numpy as np
    >>> to_images(np.full((1, 1, 2, 2), 200)), to_images([[0.5]])
    ('torch.from_numpy(images).float() / 255', 'torch.tensor(images)')
    """
    if callable(getattr(x, "x", None)):
        return "images.x()"
    if hasattr(x, "getbands") and hasattr(x, "resize"):
        return "tasklab.data.read_picture(images, 'mnist'), for the data set that the system knows"
    if isinstance(x, list | tuple):
        return "torch.cat(images)" if x and all(isinstance(part, Tensor) for part in x) else "torch.tensor(images)"
    if isinstance(x, Tensor):
        made, values = "images", x
    else:
        try:
            values = torch.as_tensor(x)
        except (TypeError, ValueError, RuntimeError):
            return "a tensor of images (N, C, H, W)"
        made = "torch.from_numpy(images)" if type(x).__module__ == "numpy" else "torch.as_tensor(images)"
    if values.is_complex():
        return f"{made}.real.float()"
    scaled = values.dtype == torch.uint8 or (
        values.numel() and not values.is_meta and values.dtype != torch.bool and _highest(values) > 1 + SLACK
    )
    plain = made if values.dtype == torch.float32 else f"{made}.float()"
    return f"{plain} / 255" if scaled else plain


def to_bytes(x: Any) -> str:
    """The call that turns the value given as ``images`` into those of an image set: bytes, or points as float32.

    >>> to_bytes(torch.rand(4, 1, 8, 8)), to_bytes(torch.zeros(4, 8, 8, dtype=torch.uint8))
    ('(images * 255).round().to(torch.uint8)', 'images[:, None]')
    """
    if not isinstance(x, Tensor):
        try:
            values = torch.as_tensor(x)
        except (TypeError, ValueError, RuntimeError):
            return "a tensor of images (N, C, H, W)"
        made = "torch.from_numpy(images)" if type(x).__module__ == "numpy" else "torch.tensor(images)"
        fits = {torch.uint8: 4, torch.float32: 2}.get(values.dtype) == values.ndim
        return made if fits else f"{made}, then {to_bytes(values)}"
    if x.ndim == 2 and x.shape[1] == 2 and x.dtype != torch.uint8:
        return "images.float()"
    if x.dtype == torch.uint8:
        return "images[:, None]" if x.ndim == 3 else "a batch (N, C, H, W)"
    if x.ndim != 4 or x.is_complex():
        return "a batch (N, C, H, W) of uint8"
    if not x.is_floating_point():
        return "images.to(torch.uint8)"
    return "(images * 255).round().to(torch.uint8)" if _highest(x) <= 1 + SLACK else "images.round().to(torch.uint8)"


def to_unit(x: Tensor) -> str:
    """How to get images in [0, 1] from a float32 tensor that leaves this range.

    >>> to_unit(torch.tensor([0.0, 255.0]))
    'images without normalisation or scaling, here images / 255'
    >>> to_unit(torch.tensor([-2.1, 2.6]))
    "images without normalisation: it is the network's first layer"
    """
    if not bool(x.isfinite().all()):
        return "images without values that are infinite or not numbers"
    low, high = float(x.min()), float(x.max())
    if low >= -SLACK and high <= 1 + SLACK:
        return "images.clamp(0, 1)"
    if low >= 0 and high <= BYTES and high > 16:
        return "images without normalisation or scaling, here images / 255"
    if low >= 0:
        return f"images without normalisation or scaling, here images / {high:g} if no pixel can be brighter"
    return "images without normalisation: it is the network's first layer"


def to_labels(y: Any, num_classes: int) -> str:
    """The call that turns the value given as ``y`` into int64 labels ``(N,)``.

    >>> to_labels(torch.eye(3), 3), to_labels(torch.tensor([[1], [2]]), 3), to_labels(torch.tensor(2), 3)
    ('y.argmax(dim=1)', 'y.flatten()', 'y[None]')
    >>> import numpy as np
    >>> to_labels(np.array([0, 2]), 3), to_labels([0, 2], 3)
    ('torch.from_numpy(y)', 'torch.tensor(y)')
    """
    if isinstance(y, Tensor):
        made, values = "y", y
    elif callable(getattr(y, "x", None)) and hasattr(y, "labels"):
        return "y.labels"
    else:
        try:
            values = torch.as_tensor(y)
        except (TypeError, ValueError, RuntimeError):
            return "a tensor of one class number for each image"
        made = "torch.from_numpy(y)" if type(y).__module__ == "numpy" and values.ndim else "torch.tensor(y)"
    if values.is_complex():
        made, values = f"{made}.real", values.real
    if values.ndim == 2 and values.shape[1] == num_classes and num_classes > 1 and not _single(values):
        return f"{made}.long().argmax(dim=1)" if values.dtype == torch.bool else f"{made}.argmax(dim=1)"
    if values.is_floating_point() and not values.is_meta and bool((values != values.round()).any()):
        return "one whole class number for each image"
    if values.is_floating_point() or values.dtype in (torch.bool, torch.uint8):
        made = f"{made}.long()"
    if values.ndim == 0:
        return f"{made}[None]"
    if values.ndim > 1:
        return f"{made}.flatten()" if _single(values) else "one class number for each image"
    return made


def mismatch(network: nn.Module, x: Tensor) -> str | None:
    """Why a network cannot take a tensor: its weights have another type or device; None if they agree."""
    weights = [w for w in [*network.parameters(), *network.buffers()] if w.is_floating_point()]
    elsewhere = next((w.device for w in weights if w.device != x.device), None)
    if elsewhere is not None:
        return (f"expected images on the network's device {elsewhere}, got images on {x.device}; "
                f"try images.to({str(elsewhere)!r}), or system.to({str(x.device)!r})")
    other = next((w.dtype for w in weights if w.dtype != x.dtype), None)
    if other is None:
        return None
    hint = "network.float()" if x.dtype == torch.float32 else f"images.to({other})"
    return f"expected images and weights of one type, got images of {x.dtype} and weights of {other}; try {hint}"


@contextlib.contextmanager
def explaining(network: nn.Module, x: Tensor) -> Iterator[None]:
    """Replace torch's error where a network fails because images are of another type or on another device.

    Raises:
        TypeError: the sentence of `mismatch`; any other error passes.
    """
    try:
        yield
    except (RuntimeError, NotImplementedError) as error:
        sentence = mismatch(network, x)
        if sentence is None:
            raise
        raise TypeError(sentence) from error


def _single(values: Tensor) -> bool:
    """Whether all axes except one have the length 1."""
    return values.numel() == max(values.shape, default=1)


def _highest(values: Tensor) -> float:
    return float(values.double().nan_to_num(nan=0.0).max())
