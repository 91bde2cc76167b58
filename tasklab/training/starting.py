"""Starting from a trained system: its trunk is kept, and its head too if it fits; otherwise a new head is fitted."""

from __future__ import annotations

import dataclasses
import warnings

import torch
from torch import Tensor

from tasklab.data import ImageSet
from tasklab.models.network import Network, build_network
from tasklab.models.sharing import on_a_copy
from tasklab.modes import own_modes
from tasklab.system import System
from tasklab.tasks import Task

FITTED_ON = 5000
"""The largest number of images to whose features a head is fitted."""

RIDGE = 1e-3
"""Weight of the penalty on the head's weights, as a share of the features' mean variance."""

ITERATIONS = 200
"""The largest number of steps of a logistic regression."""

ABSENT = -10.0
"""The score of a class without any image."""

SHARPER = (1.0, 1.5, 2.0, 3.0, 4.0)
"""Factors tried for the class scores of a head with levels, of which the first that is large enough is taken."""

LOST = 0.0005
"""How much lower the accuracy of the average of levels may be than that of the class scores themselves."""

WIDEST = 80.0
"""The largest gap between an image's two best scores: e⁻⁸⁰ leaves room for smaller gradients in float32."""

BATCH = 512


@own_modes()
def start_from(base: System, task: Task, images: ImageSet, *, seed: int = 0) -> System:
    """A system for a task that begins with the trunk of a trained system, whatever the task of that system.

    Where both tasks are equal, the head is kept as well. Otherwise a new head is fitted to the trunk's features of some
    images: by least squares, with a small ridge penalty, where the task defines the outputs that training aims at
    (`Task.targets`: bits); by logistic regression where the head has one score per class (class scores, and the levels
    of intervals). Any other head has fresh weights.

    Args:
        base: a trained system with a tasklab `Network`; it is not changed. Frozen parts of its trunk stay frozen.
        task: of the new system.
        images: the training set; a new head is fitted to its first images.
        seed: of a head with fresh weights.

    Returns:
        The new system on the base's device, with an empty card.

    Raises:
        TypeError: the base's network is not a tasklab `Network`.
        ValueError: no images, images of another shape than the base takes or of another number of classes than the
            task's, or a base whose features are not finite numbers.
    """
    network = base.network
    if not isinstance(network, Network):
        raise TypeError(f"expected a system with a tasklab Network to start from, got {type(network).__name__}")
    if images.shape != network.spec.in_shape:
        raise ValueError(f"expected images of shape {network.spec.in_shape} for the system to start from, "
                         f"got {images.name} with {images.shape}")
    if images.num_classes != task.num_classes:
        raise ValueError(f"expected a task with num_classes={images.num_classes} for {images.name}, "
                         f"got {task.num_classes}")
    if not len(images):
        raise ValueError(f"expected images to fit a head to, got none of {images.name}")
    copied = base.to(base.device).network
    assert isinstance(copied, Network)
    if task == base.task:
        return System(copied, task)
    spec = dataclasses.replace(network.spec, outputs=task.width, scale=task.unit, centre=task.centre,
                               levels=task.levels)
    started = build_network(spec, seed).to(base.device).eval()
    started.trunk = copied.trunk
    _fit_head(started, task, images.subset(min(FITTED_ON, len(images))))
    return System(started, task)


def _fit_head(network: Network, task: Task, images: ImageSet) -> None:
    """Fit the head to the features of these images, if the task defines how."""
    linear, targets = network.head.linear, task.targets(images.labels)
    if targets is None and linear.out_features != task.num_classes:
        return
    with torch.no_grad():
        parts = (part.to(linear.weight.device) for part in torch.split(images.x(), BATCH))
        features = torch.cat([on_a_copy(network.forward_features, part).double().cpu() for part in parts])
        if not bool(features.isfinite().all()):
            raise ValueError("expected a trained system to start from, got one whose features are not finite numbers")
        if targets is not None:
            weight, bias = least_squares(features, (targets.double() - task.centre) / task.unit)
        else:
            weight, bias = logistic_regression(features, images.labels, task.num_classes)
            if task.levels:
                sharpness = _sharpness(features @ weight.T + bias, task, images.labels)
                weight, bias = sharpness * weight, sharpness * bias
        linear.weight.copy_(weight)
        linear.bias.copy_(bias)


def _sharpness(scores: Tensor, task: Task, labels: Tensor) -> float:
    """The smallest factor, at least 1, with which an average of levels classifies as the class scores ``(N, C)`` do.

    Logistic regression is calibrated, so some of its averages are unsure and lie between two levels, which belongs to
    no class. But where the best score is far above the others, softmax has almost no gradient left, and hides the
    system from every attack that follows gradients. So the scores are sharpened no further than these images need, and
    for all but one in a hundred of them the gap between the two best scores stays within `WIDEST`.
    """
    best = scores.topk(2, dim=1).values
    gap = float((best[:, 0] - best[:, 1]).quantile(0.99))
    most = max(1.0, WIDEST / gap) if gap > 0 else 1.0
    levels = torch.tensor(task.levels, dtype=scores.dtype)
    enough = float((scores.argmax(dim=1) == labels).double().mean()) - LOST
    for factor in SHARPER:
        z = task.unit * (factor * scores).softmax(dim=1) @ levels + task.centre
        accuracy = float((task.codec.decode(z[:, None].float()) == labels).double().mean())
        if accuracy >= enough or factor >= most:
            return min(factor, most)
    return min(SHARPER[-1], most)


def logistic_regression(features: Tensor, labels: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """The class scores that scikit-learn's multinomial logistic regression fits, in units of the features.

    Args:
        features: float64 ``(N, D)``; they are divided by their overall standard deviation for the fit.
        labels: int64 ``(N,)``; a class that is not among them has a score below all others.
        num_classes: C.

    Returns:
        Weights ``(C, D)`` and biases ``(C,)``.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    size = features.std().clamp(min=1e-12)
    present = torch.unique(labels)
    weight = torch.zeros(num_classes, features.shape[1], dtype=torch.float64)
    bias = torch.full((num_classes,), ABSENT, dtype=torch.float64)
    if len(present) < 2:
        bias[present] = 0.0
        return weight, bias
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # training goes on from where the steps end
        fitted = LogisticRegression(max_iter=ITERATIONS).fit((features / size).numpy(), labels.numpy())
    rows, offsets = torch.from_numpy(fitted.coef_), torch.from_numpy(fitted.intercept_)
    if len(present) == 2:  # it then fits one score, that of the second class over the first
        rows, offsets = torch.cat([-rows / 2, rows / 2]), torch.cat([-offsets / 2, offsets / 2])
    weight[present], bias[present] = rows / size, offsets
    return weight, bias


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
