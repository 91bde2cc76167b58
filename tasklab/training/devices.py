"""The devices that one training run is spread over: each process learns from its share of every batch.

Lightning Fabric starts the processes, and torch's DistributedDataParallel averages their gradients. BatchNorm takes its
statistics from the whole batch, so that the run is the same as on a single device up to rounding.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

if TYPE_CHECKING:
    from lightning_fabric import Fabric

T = TypeVar("T")


class Devices:
    """The devices as one of the processes sees them.

    Args:
        fabric: launched, with the strategy DDP; None for a single device.

    Attributes:
        count: number of devices.
        rank: number of this process's device; device 0 validates and writes.
    """

    def __init__(self, fabric: Fabric | None = None) -> None:
        self._fabric = fabric
        self.count = 1 if fabric is None else fabric.world_size
        self.rank = 0 if fabric is None else fabric.global_rank

    def share(self, rows: int) -> slice:
        """The rows of a batch that this device learns from; all shares are equally large.

        >>> Devices().share(6)
        slice(0, 6, None)
        """
        each = rows // self.count
        return slice(self.rank * each, (self.rank + 1) * each)

    def wrapped(self, network: nn.Module) -> nn.Module:
        """The network to call in training, wrapped so that gradients are averaged over all devices."""
        return network if self._fabric is None else self._fabric.setup_module(network, move_to_device=False)

    def backward(self, loss: Tensor) -> None:
        """Accumulate the gradient of the mean of all devices' losses."""
        if self._fabric is None:
            loss.backward()  # type: ignore[no-untyped-call]
        else:
            self._fabric.backward(loss)

    def means(self, values: dict[str, float], device: torch.device) -> dict[str, float]:
        """Each value's mean over all devices; the values are exchanged in a tensor on ``device``."""
        if self._fabric is None:
            return values
        summed = torch.tensor(list(values.values()), dtype=torch.float64, device=device)
        torch.distributed.all_reduce(summed)
        return dict(zip(values, (summed / self.count).tolist(), strict=True))

    def agreed(self, value: T) -> T:
        """The value that the first device has."""
        return value if self._fabric is None else self._fabric.broadcast(value)

    @contextlib.contextmanager
    def whole_batches(self, network: nn.Module) -> Iterator[None]:
        """Have every BatchNorm in training mode take its statistics from the batches of all devices."""
        layers = [each for each in network.modules() if isinstance(each, _BatchNorm)] if self._fabric else []
        try:
            for layer in layers:
                layer.forward = functools.partial(_normalised, layer)  # type: ignore[method-assign]
            yield
        finally:
            for layer in layers:
                layer.__dict__.pop("forward", None)


def _normalised(layer: _BatchNorm, x: Tensor) -> Tensor:
    """The output of ``layer`` for ``x`` (N, C, …), with the mean and the variance of all devices' batches."""
    if not layer.training:
        return type(layer).forward(layer, x)
    axes = [axis for axis in range(x.ndim) if axis != 1]
    shape = [1, -1] + [1] * (x.ndim - 2)
    wide = x.float()
    total = x.numel() // x.shape[1] * torch.distributed.get_world_size()

    def mean(values: Tensor) -> Tensor:
        summed: Tensor = _Sum.apply(values.sum(axes))
        return summed / total

    centre = mean(wide)
    centred = wide - centre.view(shape)
    variance = mean(centred.square())
    if layer.track_running_stats:
        _keep(layer, centre.detach(), variance.detach() * total / (total - 1))
    z = centred * (variance + layer.eps).rsqrt().view(shape)
    if layer.affine:
        z = z * layer.weight.view(shape) + layer.bias.view(shape)
    return z.to(x.dtype)


class _Sum(torch.autograd.Function):
    """The sum of all devices' tensors, with the sum of all their gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        summed = x.clone()
        torch.distributed.all_reduce(summed)
        return summed

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _Sum.forward(ctx, gradient)


def _keep(layer: Any, mean: Tensor, variance: Tensor) -> None:
    """Update a layer's running statistics, as torch's own BatchNorm does."""
    layer.num_batches_tracked.add_(1)
    momentum = 1 / int(layer.num_batches_tracked) if layer.momentum is None else layer.momentum
    layer.running_mean.lerp_(mean, momentum)
    layer.running_var.lerp_(variance, momentum)
