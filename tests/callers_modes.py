"""Modes of torch that a caller may be in, things to look at in them, and whether they are the same bit for bit."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tasklab import zoo
from tasklab.data import ImageSet, load
from tasklab.system import System, new_system
from tasklab.tasks import RBC


@contextlib.contextmanager
def float64() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextlib.contextmanager
def elsewhere() -> Iterator[None]:
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextlib.contextmanager
def deterministic() -> Iterator[None]:
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


@contextlib.contextmanager
def all_at_once() -> Iterator[None]:
    with float64(), elsewhere(), deterministic(), torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        yield


MODES: dict[str, Callable[[], contextlib.AbstractContextManager[Any]]] = {
    "inference_mode": torch.inference_mode,
    "no_grad": torch.no_grad,
    "float64": float64,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "device": elsewhere,
    "deterministic": deterministic,
    "all": all_at_once,
}


@lru_cache(maxsize=1)
def systems() -> dict[str, System]:
    return {name: zoo.load(f"digits-{name}") for name in ("tra", "rbc", "deepbe", "int")}


@lru_cache(maxsize=1)
def few() -> ImageSet:
    return load("digits", "test").subset(12)


@lru_cache(maxsize=1)
def plane() -> tuple[System, Tensor, Tensor]:
    points = load("moons").subset(40)
    return new_system(RBC(num_classes=2), points, arch="mlp", width=16, seed=0), points.x(), points.labels


def state(network: nn.Module) -> dict[str, Tensor]:
    return dict(network.named_parameters()) | dict(network.named_buffers())


def same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        with torch.inference_mode(False):
            return (a.dtype, a.device, a.shape) == (b.dtype, b.device, b.shape) and bool(
                ((a == b) | (a.isnan() & b.isnan())).all()
            )
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return bool(a == b)


@cache
def without(thing: Callable[[], Any]) -> Any:
    """Something made in no mode at all."""
    torch.manual_seed(9)
    return thing()


def differs(thing: Callable[[], Any], mode: str) -> bool:
    """Whether something made in a mode is other than without; what both are given is made before."""
    systems(), few(), plane()
    expected = without(thing)
    torch.manual_seed(9)
    with MODES[mode]():
        result = thing()
    return not same(result, expected)
