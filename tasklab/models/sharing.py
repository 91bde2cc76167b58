"""Calling a network that several threads share, in evaluation mode for readers, and one step at a time for a trainer.

Training flags belong to a module, not to a thread. So a thread that needs a mode claims the modules for the length of
one call. Several claims for evaluation may be active together; a claim to change the network excludes all others.
Claims are served in the order in which they came, so that neither readers nor a trainer wait for ever; but a reader
waits for a trainer whose turn has not come for at most `PATIENCE` seconds.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import Tensor, nn

from tasklab.modes import own_modes

T = TypeVar("T")


class _Claim:
    """One thread's claim on some modules."""

    def __init__(self, network: nn.Module, *, exclusive: bool) -> None:
        self.modules = set(network.modules())
        self.exclusive = exclusive
        self.thread = threading.get_ident()
        self.active = False

    def conflicts(self, other: _Claim) -> bool:
        """Whether the two cannot be active at once."""
        return (
            (self.exclusive or other.exclusive)
            and self.thread != other.thread
            and not self.modules.isdisjoint(other.modules)
        )


PATIENCE = 0.5
"""Seconds after which a reader overtakes a thread that waits to change the network, since that thread may be waiting
for a reader that is itself waiting for this one."""

_changed = threading.Condition()
_claims: list[_Claim] = []  # in the order in which they came
_readers: dict[nn.Module, int] = {}  # how many active claims hold each module in evaluation mode
_to_restore: set[nn.Module] = set()  # modules whose owner has them in training mode


_innermost = threading.local()
"""``claim``: the network of this thread's innermost claim, and whether that claim is exclusive."""


@contextlib.contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode for the block; the last thread that leaves restores all training flags."""
    if getattr(_innermost, "claim", None) == (network, False):  # this thread is evaluating it already
        yield
    else:
        with _claimed(network, exclusive=False):
            yield


@contextlib.contextmanager
def exclusively(network: nn.Module) -> Iterator[None]:
    """Exclude other threads from `evaluating` and `exclusively` with this network, in order to change it."""
    with _claimed(network, exclusive=True):
        yield


@contextlib.contextmanager
def _claimed(network: nn.Module, *, exclusive: bool) -> Iterator[None]:
    """Hold a claim on a network for the block."""
    claim, outer = _Claim(network, exclusive=exclusive), getattr(_innermost, "claim", None)
    _begin(claim)
    _innermost.claim = network, exclusive
    try:
        yield
    finally:
        _innermost.claim = outer
        _end(claim)


def on_a_copy(function: Callable[[Tensor], T], x: Tensor) -> T:
    """Call a function with a copy of ``x``, in `own_modes`.

    A network may change its input in place; the copy protects the caller's images. Gradients with respect to ``x`` can
    still be taken if the caller has gradients enabled.
    """
    gradients = torch.is_grad_enabled()
    with own_modes(), torch.set_grad_enabled(gradients):
        return function(x.clone())


def _begin(claim: _Claim) -> None:
    with _changed:
        passes = any(other.thread == claim.thread and other.active for other in _claims)
        _claims.append(claim)
        try:
            patience = None if claim.exclusive else PATIENCE
            if not _changed.wait_for(lambda: not any(map(claim.conflicts, _ahead_of(claim, passes))), patience):
                _changed.wait_for(lambda: not any(map(claim.conflicts, _ahead_of(claim, True))))
        except BaseException:  # interrupted while waiting
            _claims.remove(claim)
            _changed.notify_all()
            raise
        claim.active = True
        if claim.exclusive:
            return
        for module in claim.modules:
            _readers[module] = _readers.get(module, 0) + 1
            if module.training:
                _to_restore.add(module)
                module.training = False


def _ahead_of(claim: _Claim, passes: bool) -> list[_Claim]:
    """The claims that go first: all active ones, and those that came earlier unless this claim overtakes them."""
    earlier = [] if passes else _claims[: _claims.index(claim)]
    return earlier + [other for other in _claims if other.active]


def _end(claim: _Claim) -> None:
    with _changed:
        _claims.remove(claim)
        for module in () if claim.exclusive else claim.modules:
            _readers[module] -= 1
            if not _readers[module]:
                del _readers[module]
                if module in _to_restore:
                    _to_restore.remove(module)
                    module.training = True
        _changed.notify_all()
