"""The architectures by name: what each is for, which inputs it takes, and how its trunk is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from tasklab.models import small, vision

Trunk = tuple[nn.Module, int]
"""A module from normalised inputs to features (N, D), and D."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The properties of an architecture.

    Attributes:
        name: key of `ARCHITECTURES`.
        title: name for people.
        description: one sentence.
        input_dims: 3 for images (C, H, W), 1 for points (D,).
        has_width: whether `NetworkSpec.width` can be chosen.
        build: from in_shape and width to the trunk and its number of features.
        count: from in_shape and width to the number of weights and of features, without building the trunk.
    """

    name: str
    title: str
    description: str
    input_dims: int
    has_width: bool
    build: Callable[[tuple[int, ...], int], Trunk]
    count: Callable[[tuple[int, ...], int], tuple[int, int]]


ARCHITECTURES: dict[str, Architecture] = {
    a.name: a
    for a in (
        Architecture(
            name="mlp",
            title="MLP",
            description="Three hidden layers of `width` units, for points in the plane.",
            input_dims=1,
            has_width=True,
            build=small.mlp,
            count=small.mlp_count,
        ),
        Architecture(
            name="small_cnn",
            title="Small CNN",
            description="Four 3×3 convolutions of up to `width` channels, 128 features: seconds per epoch on a CPU.",
            input_dims=3,
            has_width=True,
            build=small.small_cnn,
            count=small.small_cnn_count,
        ),
        Architecture(
            name="resnet18",
            title="ResNet-18",
            description="torchvision's ResNet-18 with a 3×3 stem for small images: 11 million weights.",
            input_dims=3,
            has_width=False,
            build=vision.resnet18,
            count=vision.resnet18_count,
        ),
        Architecture(
            name="efficientnet_b0",
            title="EfficientNet-B0",
            description="torchvision's EfficientNet-B0 with a stride-1 stem for small images: 4 million weights.",
            input_dims=3,
            has_width=False,
            build=vision.efficientnet_b0,
            count=vision.efficientnet_b0_count,
        ),
        Architecture(
            name="densenet121",
            title="DenseNet-121",
            description="torchvision's DenseNet-121 with a 3×3 stem for small images: 7 million weights.",
            input_dims=3,
            has_width=False,
            build=vision.densenet121,
            count=vision.densenet121_count,
        ),
    )
}
"""Every architecture by name, the small ones first."""
