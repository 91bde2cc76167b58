"""The network: normalisation, trunk and head, from images in [0, 1] to outputs in the task's natural unit."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tasklab.checks import check_whole
from tasklab.models.registry import ARCHITECTURES
from tasklab.models.spec import NetworkSpec
from tasklab.modes import CPU, own_modes

_drawing = threading.RLock()


class Normalise(nn.Module):
    """Subtract the mean and divide by the standard deviation, per channel (or per coordinate).

    The constants belong to the spec, not to the weights: they are buffers that move with the network but are not
    saved with its weights, so that a checkpoint in half precision cannot round them.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...], dims: int) -> None:
        """Take one mean and std per channel; ``dims`` is 3 for images (C, H, W), 1 for points (D,)."""
        super().__init__()
        shape = (1, len(mean)) + (1,) * (dims - 1)
        with own_modes(device=None):
            self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(shape), persistent=False)
            self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(shape), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (x - mean) / std, of x's shape."""
        return (x - self.mean) / self.std


class ContrastStretch(nn.Module):
    """Stretch the contrast: grey values from low to high are spread from nearly black to nearly white.

    Where ink and paper are further apart than twice an attack's ε, as in MNIST, this nearly undoes the attack on black
    and white pixels. Below low and above high the slope of the curve is `SLOPE`, a fiftieth of that of the identity.
    The curve is nowhere flat, so the gradient of an attack is nowhere 0 and has the sign that it would have without it.

    >>> ContrastStretch(0.3, 0.7)(torch.tensor([0.0, 0.3, 0.5, 0.7, 1.0]))
    tensor([0.0000, 0.0060, 0.5000, 0.9940, 1.0000])
    """

    SLOPE = 0.02

    def __init__(self, low: float, high: float) -> None:
        """Take the two ends in pixel units."""
        super().__init__()
        self.low, self.high = low, high

    def forward(self, x: Tensor) -> Tensor:
        """Return x in [0, 1], stretched within [0, 1]."""
        return self.SLOPE * x + (1 - self.SLOPE) * ((x - self.low) / (self.high - self.low)).clamp(0, 1)


class Head(nn.Module):
    """The output layer: ``z = scale * linear(f) + centre``, in float32 whatever the trunk's precision.

    The spacing of bfloat16 at 350 is 2, too coarse for margins, so the layer leaves autocast and casts its input.
    Before training, the linear part gives outputs of the order of one unit or below, and its bias is 0.

    With ``levels`` the linear part gives a score to each level, and h is the average of the levels, weighted by the
    softmax of these scores.
    """

    scale: Tensor
    centre: Tensor
    levels: Tensor

    def __init__(
        self, features: int, outputs: int, *, scale: float = 1.0, centre: float = 0.0,
        levels: tuple[float, ...] = (),
    ) -> None:
        """Take the numbers of features D and outputs K, the affine map to the task's natural unit, and the levels."""
        super().__init__()
        bound = 1 / math.sqrt(features)
        with own_modes(device=None):
            self.linear = nn.Linear(features, len(levels) or outputs)
            nn.init.uniform_(self.linear.weight, -bound, bound)
            nn.init.zeros_(self.linear.bias)
            self.register_buffer("levels", torch.tensor(levels, dtype=torch.float32), persistent=False)
            self.register_buffer("scale", torch.tensor(scale, dtype=torch.float32), persistent=False)
            self.register_buffer("centre", torch.tensor(centre, dtype=torch.float32), persistent=False)

    def forward(self, f: Tensor) -> Tensor:
        """Return the outputs (N, K) float32 for features (N, D)."""
        with torch.autocast(device_type=f.device.type, enabled=False):
            h = F.linear(f.float(), self.linear.weight.float(), self.linear.bias.float())
            if len(self.levels):
                h = (h.softmax(dim=1) * self.levels.float()).sum(dim=1, keepdim=True)
            return self.scale.float() * h + self.centre.float()


class Network(nn.Module):
    """Images (N, C, H, W) in [0, 1], or points (N, D), to outputs (N, K) float32 in the task's natural unit.

    The layers are ``.contrast`` (the identity unless the spec asks for it), ``.normalise``, ``.trunk`` (to features
    (N, D)) and ``.head``; ``forward(x)`` equals ``forward_head(forward_features(x))``. Use `build_network` to make one.

    >>> spec = NetworkSpec(arch="mlp", in_shape=(2,), outputs=3, mean=(0.5, 0.5), std=(0.25, 0.25))
    >>> network = build_network(spec, seed=0)
    >>> network(torch.rand(5, 2)).shape
    torch.Size([5, 3])
    """

    def __init__(self, spec: NetworkSpec) -> None:
        """Build the layers that the spec names, initialised from torch's global generator."""
        super().__init__()
        self.spec = spec
        architecture = ARCHITECTURES[spec.arch]
        self.contrast = ContrastStretch(*spec.contrast) if spec.contrast else nn.Identity()
        self.normalise = Normalise(spec.mean, spec.std, architecture.input_dims)
        with own_modes(device=None):
            self.trunk, self.num_features = architecture.build(spec.in_shape, spec.width)
        self.head = Head(
            self.num_features, spec.outputs, scale=spec.scale, centre=spec.centre, levels=spec.levels
        )

    def forward_features(self, x: Tensor) -> Tensor:
        """Return the penultimate features (N, D) of images (N, C, H, W) in [0, 1].

        Raises:
            ValueError: the images have another shape.
        """
        if tuple(x.shape[1:]) != self.spec.in_shape:
            shape = ", ".join(str(side) for side in self.spec.in_shape)
            raise ValueError(f"expected a batch of inputs (N, {shape}) in [0, 1], got {tuple(x.shape)}")
        return cast(Tensor, self.trunk(self.normalise(self.contrast(x))))

    def forward_head(self, f: Tensor) -> Tensor:
        """Return the outputs (N, K) float32 of features (N, D)."""
        return cast(Tensor, self.head(f))

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs (N, K) float32 of images (N, C, H, W) in [0, 1]."""
        return self.forward_head(self.forward_features(x))


def build_network(spec: NetworkSpec, seed: int | None = None) -> Network:
    """Build a network on the CPU with fresh float32 weights, whatever modes of torch the caller has set.

    Args:
        spec: what to build.
        seed: of the initial weights, without any use of torch's global random state; None draws from that state.

    Raises:
        TypeError: spec is not a NetworkSpec.
    """
    if not isinstance(spec, NetworkSpec):
        raise TypeError(f"expected a NetworkSpec, got {type(spec).__name__}; try NetworkSpec(arch=..., ...)")
    with own_modes():
        if seed is None:
            return Network(spec)
        with seeded(check_whole("seed", seed, low=0)):
            return Network(spec)


@contextmanager
def seeded(seed: int, device: torch.device = CPU) -> Iterator[None]:
    """Seed torch's generator of this device for the block, and no other's; see `own_draws`."""
    with own_draws(device):
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        else:
            torch.default_generator.manual_seed(seed)
        yield


@contextmanager
def own_draws(device: torch.device = CPU) -> Iterator[None]:
    """Restore the state of torch's generators, of the CPU and of this device, after the block.

    All threads share these generators, so only one thread at a time is inside such a block.
    """
    with _drawing, torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield
