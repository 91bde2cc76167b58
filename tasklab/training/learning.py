"""Which parts of a network learn, and which stay as they are: only parameters that require a gradient are trained."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from tasklab.system import check_outputs
from tasklab.tasks import Task
from tasklab.training.recipe import Recipe

HINT = "try system.network.requires_grad_(True)"


def to_learn(network: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that require a gradient, by name.

    Raises:
        ValueError: there is none, or one of a type or on a device on which it cannot be trained.
    """
    parameters = {name: each for name, each in network.named_parameters() if each.requires_grad}
    if not parameters:
        count = sum(1 for _ in network.parameters())
        got = f"one whose {count} parameters are all frozen; {HINT}" if count else "one without parameters"
        raise ValueError(f"expected a network with something to learn, got {got}")
    where = next(network.parameters()).device
    for name, each in parameters.items():
        if each.dtype != torch.float32:
            raise ValueError(f"expected float32 weights to learn, got {each.dtype} in {name}; "
                             "try system.network.float()")
        if each.device != where or each.is_meta:
            hint = "try weights with values" if each.is_meta else f"try system.to({str(where)!r})"
            raise ValueError(f"expected all weights to learn on one device that holds values, got {name} on "
                             f"{each.device} and the first on {where}; {hint}")
        if each.is_inference():
            raise ValueError(f"expected weights made outside torch.inference_mode(), got {name} made inside, which "
                             "can never learn; try building the network outside")
    return parameters


def still(network: nn.Module) -> list[nn.Module]:
    """The modules whose own buffers stay as they are, since nothing in them learns; most are frozen BatchNorms.

    A module without parameters, such as a BatchNorm without an affine map, is treated like the module around it.
    """
    return list(_still(network, frozen=False))


def _still(module: nn.Module, *, frozen: bool) -> Iterator[nn.Module]:
    own = [each.requires_grad for each in module.parameters()]
    frozen = not any(own) if own else frozen
    if frozen and next(module.buffers(recurse=False), None) is not None:
        yield module
    for child in module.children():
        yield from _still(child, frozen=frozen)


def optimizer(weights: dict[str, nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer for these weights only."""
    chosen = list(weights.values())
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(chosen, lr=recipe.lr, momentum=0.9, nesterov=True, weight_decay=recipe.weight_decay)
    return torch.optim.AdamW(chosen, lr=recipe.lr, weight_decay=recipe.weight_decay)


def outputs(network: nn.Module, x: Tensor, task: Task) -> Tensor:
    """The outputs float32 ``(N, K)`` of a network that is being trained.

    Raises:
        ValueError: outputs of another shape, or a network that cannot take ``x`` because a frozen weight or a buffer
            has another type or is on another device.
    """
    try:
        return check_outputs(network(x), len(x), task)
    except RuntimeError as error:
        if (reason := _misfit(network, x)) is None:
            raise
        raise ValueError(reason) from error


def _misfit(network: nn.Module, x: Tensor) -> str | None:
    for name, each in (*network.named_parameters(), *network.named_buffers()):
        if each.is_floating_point() and each.dtype != x.dtype:
            return f"expected {x.dtype} weights, got {each.dtype} in {name}; try system.network.float()"
        if each.device != x.device:
            return (f"expected a network on one device, got {name} on {each.device} and images on {x.device}; "
                    f"try system.to({str(x.device)!r})")
    return None
