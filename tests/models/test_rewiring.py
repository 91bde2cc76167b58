"""Layers with a cheaper input gradient: the outputs and gradients of those they replace, in float32 and bfloat16."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from tasklab.models.fast import PLAIN, Plan, prepare
from tasklab.models.rewiring import FewChannelsConv2d, SubsampledConv2d, SummedAverage, rewire

BF16 = Plan(fold=True, channels_last=True, precision="bfloat16")


def grad(network: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """The outputs, and the gradient of a sum in which every output has its own weight."""
    x = x.clone().requires_grad_(True)
    z = network(x)
    weight = torch.randn(z.shape, generator=torch.Generator().manual_seed(3)).to(z.dtype)
    return z.detach(), torch.autograd.grad((z * weight).sum(), x)[0]


@pytest.mark.parametrize(("channels", "kernel", "padding", "shape"), [
    (1, 3, 1, (28, 28)), (1, 3, 0, (8, 12)), (1, 5, 2, (8, 8)), (1, (3, 5), (1, 2), (12, 8)), (1, 3, 2, (8, 8)),
    (3, 3, 1, (32, 32)), (3, 5, 1, (10, 6)), (2, 3, 0, (4, 4)),
    (1, 3, 1, (7, 9)), (3, 3, 1, (8, 9)),  # not whole blocks: as ever
])
def test_few_channels(channels: int, kernel: int, padding: int, shape: tuple[int, int]) -> None:
    conv = nn.Conv2d(channels, 8, kernel, padding=padding).requires_grad_(False)
    x = torch.randn(3, channels, *shape)
    (z, g), (z2, g2) = grad(conv, x), grad(FewChannelsConv2d(copy.deepcopy(conv)), x)
    assert torch.equal(z, z2)
    assert torch.allclose(g, g2, atol=1e-5)
    assert float(g.abs().min()) > 0


@pytest.mark.parametrize(("kernel", "stride", "padding", "shape"), [
    (3, 2, 1, (8, 8)), (5, 2, 2, (7, 9)), (3, (1, 2), 1, (8, 6)), (3, 3, 0, (11, 10)),
])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_strided_depthwise(kernel: int, stride: int, padding: int, shape: tuple[int, int], layout: torch.memory_format):
    conv = nn.Conv2d(6, 6, kernel, stride=stride, padding=padding, groups=6).requires_grad_(False)
    x = torch.randn(2, 6, *shape).to(memory_format=layout)
    (z, g), (z2, g2) = grad(conv, x), grad(SubsampledConv2d(copy.deepcopy(conv)), x)
    assert torch.equal(z, z2)
    assert torch.allclose(g, g2, atol=1e-5)


def test_average() -> None:
    x = torch.randn(4, 3, 5, 6)
    (z, g), (z2, g2) = grad(nn.AdaptiveAvgPool2d(1), x), grad(SummedAverage(), x)
    assert torch.allclose(z, z2, atol=1e-6)
    assert torch.allclose(g, g2, atol=1e-6)


def test_what_is_replaced_and_what_is_left() -> None:
    hooked = nn.Conv2d(1, 8, 3, padding=1)
    hooked.register_forward_hook(lambda *_: None)
    left = nn.Sequential(
        hooked, nn.Conv2d(8, 8, 3), nn.Conv2d(1, 8, 3, stride=2), nn.Conv2d(1, 8, 3, padding="same"),
        nn.Conv2d(1, 8, 3, padding=3), nn.Conv2d(1, 8, 3, padding=1, padding_mode="circular"),
        nn.Conv2d(1, 8, 3, dilation=2), nn.Conv2d(4, 8, 3, groups=2), nn.Conv2d(8, 8, 3, groups=8),
        nn.Conv2d(8, 16, 3, groups=8, stride=2), nn.Conv2d(4, 8, 1), nn.AdaptiveAvgPool2d(2), nn.AvgPool2d(2),
    )
    before = list(left)
    assert rewire(left, depthwise=True) == 0
    assert list(left) == before
    replaced = nn.Sequential(nn.Conv2d(1, 8, 3), nn.Conv2d(8, 8, 3, groups=8, stride=2), nn.AdaptiveAvgPool2d((1, 1)))
    assert rewire(copy.deepcopy(replaced), depthwise=False) == 2
    assert rewire(replaced, depthwise=True) == 3
    assert [type(layer) for layer in replaced] == [FewChannelsConv2d, SubsampledConv2d, SummedAverage]


@pytest.mark.parametrize(("arch", "layers"), [("small_cnn", 1), ("resnet18", 2), ("efficientnet_b0", 22)])
def test_the_networks_gradient_stays(make_network, arch: str, layers: int) -> None:
    network = make_network(arch)
    rewired = copy.deepcopy(network).requires_grad_(False)
    assert rewire(rewired, depthwise=True) == layers
    x = torch.rand(2, *network.spec.in_shape, generator=torch.Generator().manual_seed(7))
    (z, g), (z2, g2) = grad(network, x), grad(rewired, x)
    assert torch.allclose(z, z2, atol=1e-5)
    assert float((g - g2).norm() / g.norm()) < 1e-4


def test_somebody_else_s_network_under_autocast() -> None:
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3),
    )
    x = torch.rand(4, 1, 8, 8)
    (z, g), (coarse_z, coarse_g) = grad(prepare(network, PLAIN), x), grad(prepare(network, BF16), x)
    assert coarse_g.dtype == torch.float32
    assert float((coarse_z - z).norm() / z.norm()) < 0.05
    assert torch.cosine_similarity(coarse_g.flatten(1), g.flatten(1)).min() > 0.95
    assert not any(isinstance(layer, FewChannelsConv2d) for layer in network)
