"""The caller's modes of torch, left for as long as the library builds, loads or trains something of its own.

A person may work under `torch.inference_mode`, `torch.no_grad`, an autocast, or another default dtype or device. None
of them is to change what a network is made of or what an attack finds, so each is left where that is decided. All of
this holds for one thread: what other threads do in the meantime keeps its modes.
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
"""Whoever calls these and names no dtype gets the default one."""


@contextlib.contextmanager
def own_modes(device: torch.device | None = CPU) -> Iterator[None]:
    """Run a block, or as a decorator a function, as if no mode were set: gradients, float32, no autocast.

    `torch.use_deterministic_algorithms` stays, since it changes no result.

    Args:
        device: where tensors are made whose device is not named; None for the caller's default.

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
    """A stream whose steps are made in `own_modes`, while its consumer is in modes of their own between them."""
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
    """The layers of torch and torchvision are made in float32; the default dtype itself belongs to all threads."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if func in _FLOATING and given.get("dtype") is None:
            given["dtype"] = torch.float32
        return func(*args, **given)
