"""How the training passes compute: the layout of the weights, and float32 or bfloat16 by measurement."""

from __future__ import annotations

import copy
import logging
import time
from typing import Literal

import torch
from torch import Tensor, nn

from tasklab.models.fast import bfloat16_is_supported
from tasklab.models.network import own_draws
from tasklab.models.sharing import exclusively

_log = logging.getLogger(__name__)

Precision = Literal["float32", "bfloat16"]

LARGE = 1_000_000
"""Number of weights in convolutions from which layout and precision are chosen; smaller networks run as they are."""

ROWS = 32
"""The number of images in a step that is timed."""

WORTH = 0.8
"""Largest share of float32's time that bfloat16 may take, so that noise does not decide the choice."""


def is_large(network: nn.Module) -> bool:
    """Whether the network's convolutions have enough weights for their layout and precision to matter."""
    convolutions = (layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
    return sum(layer.weight.numel() for layer in convolutions) >= LARGE


def lay_out(network: nn.Module, layout: torch.memory_format) -> None:
    """Give all weights of convolutions this layout, in place; their values stay the same."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.data = layer.weight.data.contiguous(memory_format=layout)


def quicker_precision(network: nn.Module, x: Tensor) -> Precision:
    """The precision in which a forward and a backward pass through a large network is faster.

    Args:
        network: neither it nor torch's random state is touched.
        x: images ``(N, C, H, W)`` of a training step, on the network's device.

    Returns:
        ``"bfloat16"`` where it takes at most `WORTH` of float32's time; ``"float32"`` for a network that is not large,
        on a processor without bfloat16, and for a network that cannot be copied or does not compute in bfloat16.
    """
    if not is_large(network) or not bfloat16_is_supported(x.device):
        return "float32"
    seconds = {"float32": float("inf"), "bfloat16": float("inf")}
    try:
        with exclusively(network):
            copied = copy.deepcopy(network).train()
        x = x[:ROWS].contiguous(memory_format=torch.channels_last)
        with own_draws(x.device):
            for _ in range(3):  # the first pass of each warms up
                for precision in seconds:
                    seconds[precision] = min(seconds[precision], _time(copied, x, precision))
    except Exception as reason:  # the network's own code may raise anything; training will say what is wrong
        _log.warning("%s is trained in float32, since timing it failed: %s: %.200s",
                     type(network).__name__, type(reason).__name__, reason)
        return "float32"
    _log.info("one step takes %s seconds", seconds)
    return "bfloat16" if seconds["bfloat16"] <= WORTH * seconds["float32"] else "float32"


def _time(network: nn.Module, x: Tensor, precision: str) -> float:
    """Seconds of one forward and backward pass."""
    if x.device.type == "cuda":
        torch.cuda.synchronize(x.device)
    start = time.perf_counter()
    with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16"):
        z = network(x)
    z.float().square().mean().backward()
    if x.device.type == "cuda":
        torch.cuda.synchronize(x.device)
    torch.clear_autocast_cache()
    return time.perf_counter() - start
