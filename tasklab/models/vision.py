"""torchvision's ResNet-18, EfficientNet-B0 and DenseNet-121 with stems for small images, and no pretrained weights.

Their published stems halve an image once or twice before the first block, which leaves little of a 32×32 image. Here
the first convolution keeps the image's size and the max-pool behind it is left out, as is usual for CIFAR.
"""

from __future__ import annotations

from typing import cast

from torch import nn


def _stem(channels: int, outputs: int) -> nn.Conv2d:
    conv = nn.Conv2d(channels, outputs, 3, stride=1, padding=1, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return conv


def resnet18(in_shape: tuple[int, ...], width: int) -> tuple[nn.Module, int]:
    """Build ResNet-18 (He et al. 2016) with a 3×3 stem and no max-pool: 32×32 images end as 4×4 maps.

    Returns the trunk, (N, C, H, W) -> (N, 512), and 512. ``width`` is not used.
    """
    from torchvision.models import resnet18 as build

    net = build(weights=None)
    net.conv1 = _stem(in_shape[0], 64)
    net.maxpool = nn.Identity()
    net.fc = nn.Identity()
    return cast(nn.Module, net), 512


def resnet18_count(in_shape: tuple[int, ...], width: int) -> tuple[int, int]:
    """Count the weights of `resnet18`'s trunk, and its features."""
    return 11_167_104 + 9 * 64 * in_shape[0], 512


def efficientnet_b0(in_shape: tuple[int, ...], width: int) -> tuple[nn.Module, int]:
    """Build EfficientNet-B0 (Tan & Le 2019) with a stride-1 stem: 32×32 images end as 2×2 maps.

    Dropout before the head is the trunk's last layer, so that features in eval mode are as published.

    Returns the trunk, (N, C, H, W) -> (N, 1280), and 1280. ``width`` is not used.
    """
    from torchvision.models import efficientnet_b0 as build

    net = build(weights=None)
    net.features[0][0] = _stem(in_shape[0], 32)
    net.classifier = net.classifier[0]
    return cast(nn.Module, net), 1280


def efficientnet_b0_count(in_shape: tuple[int, ...], width: int) -> tuple[int, int]:
    """Count the weights of `efficientnet_b0`'s trunk, and its features."""
    return 4_006_684 + 9 * 32 * in_shape[0], 1280


def densenet121(in_shape: tuple[int, ...], width: int) -> tuple[nn.Module, int]:
    """Build DenseNet-121 (Huang et al. 2017) with a 3×3 stem and no max-pool: 32×32 images end as 4×4 maps.

    Returns the trunk, (N, C, H, W) -> (N, 1024), and 1024. ``width`` is not used.
    """
    from torchvision.models import densenet121 as build

    net = build(weights=None)
    net.features.conv0 = _stem(in_shape[0], 64)
    net.features.pool0 = nn.Identity()
    net.classifier = nn.Identity()
    return cast(nn.Module, net), 1024


def densenet121_count(in_shape: tuple[int, ...], width: int) -> tuple[int, int]:
    """Count the weights of `densenet121`'s trunk, and its features."""
    return 6_944_448 + 9 * 64 * in_shape[0], 1024
