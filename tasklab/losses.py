"""The losses that training minimises, one value per example: ``loss(outputs, codewords) -> (N,)``, never averaged."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def cross_entropy(z: Tensor, one_hot: Tensor) -> Tensor:
    """``−log softmax(z)_y``.

    Args:
        z: scores ``(N, C)``.
        one_hot: codewords ``(N, C)``.

    Returns:
        ``(N,)`` in nats.
    """
    return -(F.log_softmax(z.float(), dim=1) * one_hot).sum(dim=1)


def bit_hinge(z: Tensor, bits: Tensor, *, margin: float = 0.0, threshold: float = 0.0) -> Tensor:
    """``‖relu(margin − (z − threshold)·(2b − 1))‖²``: RBC (equation 3), and DeepBE as the paper rewrites it.

    Args:
        z: outputs ``(N, B)``.
        bits: codewords ``(N, B)`` of 0 and 1.
        margin: S for RBC, 0 for DeepBE.
        threshold: 0 for RBC, 0.5 for DeepBE.

    Returns:
        ``(N,)`` in squared units of z; exactly 0 once every bit has the margin.

    >>> import torch
    >>> bit_hinge(torch.tensor([[100.0, -90.0]]), torch.tensor([[1.0, 0.0]]), margin=100)
    tensor([100.])
    """
    return F.relu(margin - (z.float() - threshold) * (2 * bits - 1)).square().sum(dim=1)


def bit_squared_error(z: Tensor, bits: Tensor) -> Tensor:
    """``‖z − b‖²``: DeepBE's bits fitted by regression (Li et al. 2016).

    Args:
        z: outputs ``(N, B)``.
        bits: codewords b ``(N, B)`` of 0 and 1.

    Returns:
        ``(N,)`` in squared units of z.
    """
    return (z.float() - bits).square().sum(dim=1)


def bit_cross_entropy(z: Tensor, bits: Tensor, *, threshold: float = 0.5) -> Tensor:
    """Binary cross-entropy summed over the bits, with ``z − threshold`` as each bit's logit.

    Args:
        z: outputs ``(N, B)``.
        bits: codewords ``(N, B)`` of 0 and 1.
        threshold: the output at which 0 and 1 are equally likely.

    Returns:
        ``(N,)`` in nats.
    """
    return F.binary_cross_entropy_with_logits(z.float() - threshold, bits, reduction="none").sum(dim=1)


def interval_hinge(z: Tensor, ends: Tensor) -> Tensor:
    """``relu(L − z)² + relu(z − U)²``: the loss of INT, exactly 0 anywhere inside the interval.

    Args:
        z: outputs ``(N, 1)``.
        ends: codewords ``(N, 2)``, L and U of each label.

    Returns:
        ``(N,)`` in squared units of z.

    >>> import torch
    >>> interval_hinge(torch.tensor([[11.0], [13.0], [18.0]]), torch.tensor([[12.0, 15.0]]).expand(3, 2))
    tensor([1., 0., 9.])
    """
    low, high = ends.unbind(dim=1)
    out = z.float().squeeze(1)
    return F.relu(low - out).square() + F.relu(out - high).square()
