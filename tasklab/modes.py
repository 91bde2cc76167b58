"""Leaving the caller's modes of torch while the library builds, loads, trains or attacks.

A caller may work under `torch.inference_mode`, `torch.no_grad`, autocast, or another default dtype or device. None of
them may change the weights of a network or the result of an attack, so the library leaves them for that time. This
concerns one thread only: the modes of other threads stay as they are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeVar, cast

import torch
from torch.overrides import TorchFunctionMode

Event = TypeVar("Event")
Result = TypeVar("Result")

CPU = torch.device("cpu")

_FLOATING = frozenset((torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.eye, torch.linspace))
"""Functions that use the default dtype when no dtype is given."""


@contextlib.contextmanager
def own_modes(device: torch.device | None = CPU) -> Iterator[None]:
    """Run a block, or as a decorator a function, as if no mode were set: gradients, float32, no autocast.

    `torch.use_deterministic_algorithms` stays, since it changes no result.

    Args:
        device: for tensors that are made without a device; None for the caller's default.

    >>> with torch.inference_mode(), own_modes():
    ...     torch.nn.Linear(1, 1).weight.is_inference()
    False
    """
    with contextlib.ExitStack() as modes:
        modes.enter_context(torch.inference_mode(False))  # turns gradients on, too
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                modes.enter_context(torch.autocast(kind, enabled=False))
        if device is not None and torch.get_default_device() != device:
            modes.enter_context(device)
        if torch.get_default_dtype() != torch.float32:
            modes.enter_context(_Float32())
        yield


def own_steps(steps: Generator[Event, None, Result]) -> Generator[Event, None, Result]:
    """Run each step of a generator in `own_modes`; between the steps, its consumer keeps their own modes.

    Returns:
        A generator with the same events and return value.
    """
    try:
        while True:
            with own_modes():
                try:
                    event = next(steps)
                except StopIteration as end:
                    return cast(Result, end.value)
            yield event
    finally:
        with own_modes():
            steps.close()


class _Float32(TorchFunctionMode):
    """Makes layers in float32 without changing the default dtype, which all threads share."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if func in _FLOATING and given.get("dtype") is None:
            given["dtype"] = torch.float32
        return func(*args, **given)
