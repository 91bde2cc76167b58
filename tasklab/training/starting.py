"""Starting from a fitted system: its trunk is kept, and its head where it fits, else a new one is solved for."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from tasklab.data import ImageSet
from tasklab.models.network import Network, build_network
from tasklab.modes import own_modes
from tasklab.system import System
from tasklab.tasks import Task

SOLVED_ON = 10_000
"""The most images on whose features a head is solved for."""

RIDGE = 1e-3
"""Weight of the penalty on the head's weights, as a share of the features' mean variance."""

BATCH = 512


@own_modes()
def start_from(base: System, task: Task, images: ImageSet, *, seed: int = 0) -> System:
    """A system for a task that begins with the trunk of a fitted one, whatever that one's task.

    The head is the fitted one's where both tasks are equal. Otherwise it is new: for a task that knows the outputs it
    trains towards (`Task.targets`: bits and intervals), the least-squares fit of these outputs to the trunk's features,
    with a small ridge penalty; for any other, fresh weights.

    Args:
        base: a fitted system with a tasklab `Network`; it is not changed. What of its trunk is frozen stays frozen.
        task: of the new system.
        images: the training set; its first images are used to solve for a new head.
        seed: of a head with fresh weights.

    Returns:
        The new system on the base's device, with an empty card.

    Raises:
        TypeError: the base's network is not a tasklab `Network`.
        ValueError: images of another shape than the base takes, or of another number of classes than the task's.
    """
    network = base.network
    if not isinstance(network, Network):
        raise TypeError(f"expected a system with a tasklab Network to start from, got {type(network).__name__}")
    if images.shape != network.spec.in_shape:
        raise ValueError(f"expected images of shape {network.spec.in_shape}, as the system to start from takes them, "
                         f"got {images.name} with {images.shape}")
    if images.num_classes != task.num_classes:
        raise ValueError(f"expected a task with num_classes={images.num_classes} for {images.name}, "
                         f"got {task.num_classes}")
    if task == base.task:
        return System(base.to(base.device).network, task)
    spec = dataclasses.replace(network.spec, outputs=task.width, scale=task.unit, centre=task.centre, stairs=0)
    started = build_network(spec, seed).to(base.device)
    copied = base.to(base.device).network
    assert isinstance(copied, Network)
    started.trunk = copied.trunk
    system = System(started.eval(), task)
    few = images.subset(min(SOLVED_ON, len(images)))
    if (targets := task.targets(few.labels)) is not None:
        with torch.no_grad():
            parts = torch.split(few.x(), BATCH)
            features = torch.cat([system.features(part.to(base.device)).double() for part in parts])
            weight, bias = least_squares(features, (targets.to(features) - task.centre) / task.unit)
            started.head.linear.weight.copy_(weight)
            started.head.linear.bias.copy_(bias)
    return system


def least_squares(features: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The linear map whose outputs come closest to the targets, with a ridge penalty on its weights.

    Args:
        features: float64 ``(N, D)``.
        targets: float64 ``(N, K)``.

    Returns:
        Weights ``(K, D)`` and biases ``(K,)``.
    """
    centre, mean = features.mean(dim=0), targets.mean(dim=0)
    centred = features - centre
    covariance = centred.T @ centred / len(features)
    penalty = RIDGE * covariance.diagonal().mean().clamp(min=1e-12)
    eye = torch.eye(len(covariance), dtype=torch.float64, device=features.device)
    weight = torch.linalg.solve(covariance + penalty * eye, centred.T @ (targets - mean) / len(features)).T
    return weight, mean - weight @ centre
