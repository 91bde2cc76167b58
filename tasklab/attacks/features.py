"""An objective before the head: towards the features that another class has on average."""

from __future__ import annotations

import torch
from torch import Tensor

from tasklab.attacks.objectives import Objective
from tasklab.checks import check_whole
from tasklab.modes import own_modes
from tasklab.system import System
from tasklab.tasks import Task


def towards_features(system: System, images: Tensor, labels: Tensor, *, batch_size: int = 256) -> Objective:
    """The objective ``−‖f(x) − μ_k‖₂``, f the penultimate features and μ_k their mean over class k.

    After Sabour et al. (2016), who go for the features of one image instead of a class's mean. It is swept over every
    class k but the label, and any attack can maximise it. A head that masks gradients, by rounding or by saturating,
    makes no difference: it only decides whether the attack has succeeded. So if this objective fools a network and
    ``margin`` does not, the masking is in the head.

    Args:
        system: its network must have features.
        images: float32 ``(N, C, H, W)`` in [0, 1] over which the means are taken, each class at least once; training
            images, say.
        labels: int64 ``(N,)``.
        batch_size: images run through the network at once.

    Returns:
        An `Objective` for attacks on this system.

    Raises:
        TypeError, ValueError: a network without features; a class without an image.

    >>> from tasklab.attacks import PGD, attack
    >>> from tasklab.tasks import make_task
    >>> trunk = torch.nn.Flatten()
    >>> network = torch.nn.Sequential(trunk, torch.nn.Linear(4, 1))
    >>> system = System(network, make_task("int", num_classes=2), features=trunk)
    >>> x, y = torch.rand(8, 1, 2, 2), torch.arange(8) % 2
    >>> objective = towards_features(system, x, y)
    >>> attack(system, x, y, PGD(eps=0.1, steps=2, objective=objective)).summary()["objective"]
    'features'
    """
    batch_size = check_whole("batch_size", batch_size, low=1, hint=256)
    labels = system.task.codec.check_labels(labels).to(images.device)
    counts = labels.bincount(minlength=system.task.num_classes)
    if len(images) != len(labels) or not bool((counts > 0).all()):
        missing = (counts == 0).nonzero().flatten().tolist()
        raise ValueError(f"expected an image of every class, and a label for every image, got {len(images)} images, "
                         f"{len(labels)} labels and none of classes {missing}; try more training images")
    with own_modes(), torch.no_grad():
        features = torch.cat([system.features(part) for part in torch.split(images, batch_size)])  # (N, D)
        total = features.new_zeros(len(counts), features.shape[1]).index_add_(0, labels, features)
        means = total / counts[:, None]  # (classes, D)

    def distance(task: Task, f: Tensor, y: Tensor, part: Tensor) -> Tensor:
        distances: Tensor = (f - means.to(f.device)[part + (part >= y)]).norm(dim=1)
        return -distances

    return Objective(
        "features", distance, parts=lambda task: task.num_classes - 1, targetable=False, of="features"
    )
