"""Networks of every architecture, small, with BatchNorm statistics that matter."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from tasklab.models import Network, NetworkSpec, build_network

MakeNetwork = Callable[..., Network]


def settle(network: nn.Module, x: torch.Tensor) -> None:
    """Give every BatchNorm the statistics of x and random affine weights, so that folding it wrongly would show."""
    generator = torch.Generator().manual_seed(1)
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = 1.0
        nn.init.uniform_(norm.weight, 0.5, 1.5, generator=generator)
        nn.init.uniform_(norm.bias, -0.5, 0.5, generator=generator)
    with torch.no_grad():
        network.train()(x)
    for norm in norms:
        norm.momentum = 0.1
    network.eval()


@pytest.fixture(scope="session")
def make_network() -> MakeNetwork:
    """A function (arch, in_shape=..., settled=True, **spec) -> Network in eval mode."""

    def make(arch: str, in_shape: tuple[int, ...] = (3, 32, 32), settled: bool = True, **settings: object) -> Network:
        if arch == "mlp":
            in_shape = (2,)
        base = {"outputs": 4, "mean": (0.4,) * in_shape[0], "std": (0.3,) * in_shape[0], **settings}
        network = build_network(NetworkSpec(arch=arch, in_shape=in_shape, **base), seed=0)  # type: ignore[arg-type]
        if settled:
            settle(network, torch.rand(8, *in_shape, generator=torch.Generator().manual_seed(2)))
        return network.eval()

    return make
