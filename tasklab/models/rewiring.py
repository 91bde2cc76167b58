"""Layers with the outputs of ordinary ones, but with a cheaper gradient with respect to the input on a CPU.

They have no gradient with respect to the weights, and no second derivative: they are for the frozen copies that attacks
use.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


class SubsampledConv2d(nn.Module):
    """A strided depthwise convolution whose input gradient is that of stride 1, with zeros between the rows.

    In bfloat16 on a CPU the input gradient of a strided depthwise convolution has no fast kernel, and costs some twenty
    times that of stride 1: two thirds of an attack on EfficientNet-B0.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        """Use the weights of conv."""
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs of the convolution."""
        conv = self.conv
        return cast(Tensor, _Subsampled.apply(x, conv.weight, conv.bias, conv.stride, conv.padding))


class FewChannelsConv2d(nn.Module):
    """A convolution of an image's few channels whose input gradient is computed for whole blocks of pixels.

    A convolution computes 16 output channels at once, and the input gradient is a convolution with 1 or 3 of them. Here
    a block of 4×4 or 2×2 pixels' gradients are the channels of one strided convolution: a third of the time.
    """

    blocks: Tensor

    def __init__(self, conv: nn.Conv2d) -> None:
        """Use the weights of conv, which must not change afterwards."""
        super().__init__()
        self.conv = conv
        self.side = 4 if conv.in_channels == 1 else 2
        self.register_buffer("blocks", _blocks(conv.weight, self.side), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs of the convolution."""
        if x.dim() != 4 or x.shape[2] % self.side or x.shape[3] % self.side:
            return cast(Tensor, self.conv(x))
        return cast(Tensor, _FewChannels.apply(x, self.conv, self.blocks, self.side))


class SummedAverage(nn.Module):
    """The average of each map, (N, C, H, W) -> (N, C, 1, 1), whose gradient is a view instead of a map of its own."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the averages."""
        return x.sum((-2, -1), keepdim=True) * (1 / (x.shape[-2] * x.shape[-1]))


def rewire(network: nn.Module, *, depthwise: bool) -> int:
    """Replace the layers of a frozen network that have a cheaper form here, in place.

    Args:
        network: its weights must not change afterwards. Layers with hooks are not replaced.
        depthwise: whether to replace strided depthwise convolutions, too, which pays in bfloat16.

    Returns:
        The number of layers replaced.
    """
    replacements: dict[str, nn.Module] = {}
    for name, layer in network.named_modules():
        if not name or layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks:
            continue
        if type(layer) is nn.AdaptiveAvgPool2d and layer.output_size in (1, (1, 1)):
            replacements[name] = SummedAverage()
        elif type(layer) is nn.Conv2d and _is_plain(layer):
            few = layer.in_channels <= 4 and layer.groups == 1 and layer.stride == (1, 1) and layer.out_channels >= 8
            padding = cast(tuple[int, int], layer.padding)
            wide = all(k > max(1, p) for k, p in zip(layer.kernel_size, padding, strict=True))
            if few and wide:
                replacements[name] = FewChannelsConv2d(layer)
            elif depthwise and layer.groups == layer.in_channels == layer.out_channels > 1 and max(layer.stride) > 1:
                replacements[name] = SubsampledConv2d(layer)
    for name, layer in replacements.items():
        network.set_submodule(name, layer)
    return len(replacements)


def _is_plain(conv: nn.Conv2d) -> bool:
    return conv.padding_mode == "zeros" and not isinstance(conv.padding, str) and conv.dilation == (1, 1)


def _blocks(weight: Tensor, side: int) -> Tensor:
    """The convolution (C·side², O, kh + side − 1, kw + side − 1) from output gradients to blocks of input gradients."""
    outputs, channels, height, width = weight.shape
    blocks = weight.new_zeros(channels, side, side, outputs, height + side - 1, width + side - 1)
    turned = weight.detach().flip(2, 3).transpose(0, 1)  # (C, O, kh, kw)
    for i in range(side):
        for j in range(side):
            blocks[:, i, j, :, i : i + height, j : j + width] = turned
    return blocks.flatten(0, 2).contiguous(memory_format=torch.channels_last)


class _Subsampled(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple[int, int], padding: tuple[int, int]
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(x, weight, bias, stride, padding, groups=len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None, None, None]:
        x, weight = ctx.saved_tensors
        kernel, (down, across) = weight.shape[2:], ctx.stride
        sides = [n + 2 * p - k + 1 for n, p, k in zip(x.shape[2:], ctx.padding, kernel, strict=True)]
        spread = torch.empty((*g.shape[:2], *sides), dtype=g.dtype, device=g.device, memory_format=torch.channels_last)
        spread.zero_()
        spread[:, :, ::down, ::across] = g
        x, weight = x.to(g.dtype), weight.to(g.dtype)
        gradient = torch.ops.aten.convolution_backward(
            spread, x, weight, None, [1, 1], ctx.padding, [1, 1], False, [0, 0], len(weight), [True, False, False]
        )[0]
        return gradient, None, None, None, None


class _FewChannels(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, conv: nn.Conv2d, blocks: Tensor, side: int) -> Tensor:
        ctx.save_for_backward(blocks)
        ctx.side = side
        padding = cast(tuple[int, int], conv.padding)
        ctx.padding = [k - 1 - p for k, p in zip(conv.kernel_size, padding, strict=True)]
        return cast(Tensor, conv(x))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None, None]:
        (blocks,) = ctx.saved_tensors
        pixels = F.conv2d(g, blocks.to(g.dtype), stride=ctx.side, padding=ctx.padding)  # (N, C·side², H/side, W/side)
        return F.pixel_shuffle(pixels, ctx.side), None, None, None
