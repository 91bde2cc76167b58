"""Small systems whose attacks can be checked by hand: linear ones, and a perceptron with exact arithmetic."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tasklab.codecs import Argmax, Binary, Interval
from tasklab.system import System
from tasklab.tasks import INT, RBC, TRA, DeepBE, Task

SHAPE = (1, 4, 4)
SIZE = 16

TASKS: dict[str, Task] = {
    "tra": TRA(num_classes=4),
    "rbc": RBC(num_classes=6, S=4),
    "deepbe": DeepBE(num_classes=6, loss_form="bce"),
    "int": INT(num_classes=4, alpha=1, beta=3),
    "int-floor": INT(num_classes=4, alpha=1, beta=3, gap="floor"),
}
"""With four terms at most, and outputs of the size that `linear` gives them."""


def linear(task: Task, *, seed: int = 0, scale: float = 1.0) -> System:
    """One linear layer on the pixels, its outputs in the middle of the code at mid-grey."""
    generator = torch.Generator().manual_seed(seed)
    layer = nn.Linear(SIZE, task.width)
    width = 6.0 if isinstance(task, INT) else 1.0
    middle = 7.5 if isinstance(task, INT) else getattr(task, "threshold", 0.0)
    with torch.no_grad():
        layer.weight.copy_(scale * width * torch.randn(task.width, SIZE, generator=generator))
        layer.bias.copy_(middle - layer.weight.sum(dim=1) / 2)
    return System(nn.Sequential(nn.Flatten(), layer), task)


def sample(system: System, n: int, *, low: float = 0.3, high: float = 0.7, seed: int = 1) -> tuple[Tensor, Tensor]:
    """Images uniform in ``[low, high]`` that decode to a class, and that class."""
    generator = torch.Generator().manual_seed(seed)
    images = low + (high - low) * torch.rand(20 * n, *SHAPE, generator=generator)
    labels = system.predict(images)
    kept = (labels >= 0).nonzero().squeeze(1)[:n]
    assert len(kept) == n
    return images[kept], labels[kept]


def planes(system: System, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The terms of a linear system's margin, straight from the paper: ``t = a·x + c`` must be positive for each.

    Returns:
        a float64 ``(N, terms, pixels)`` and c ``(N, terms)``.
    """
    layer, codec = system.network[1], system.task.codec
    weight, bias = layer.weight.detach().double(), layer.bias.detach().double()
    slopes, offsets = [], []
    for y in labels.tolist():
        if isinstance(codec, Argmax):
            rivals = [j for j in range(codec.num_classes) if j != y]
            slopes.append(torch.stack([weight[y] - weight[j] for j in rivals]))
            offsets.append(torch.stack([bias[y] - bias[j] for j in rivals]))
        elif isinstance(codec, Binary):
            signs = torch.tensor([1.0 if bit else -1.0 for bit in codec.rows[y]], dtype=torch.float64)
            slopes.append(signs[:, None] * weight)
            offsets.append(signs * (bias - codec.threshold))
        else:
            assert isinstance(codec, Interval)
            start = codec.s0 + y * (codec.alpha + codec.beta)
            end = start + codec.beta + (codec.alpha if codec.gap == "floor" else 0.0)
            slopes.append(torch.cat([weight, -weight]))
            offsets.append(torch.stack([bias[0] - start, end - bias[0]]))
    return torch.stack(slopes), torch.stack(offsets)


def terms(system: System, images: Tensor, labels: Tensor) -> Tensor:
    """``a·x + c``, float64 ``(N, terms)``."""
    a, c = planes(system, labels)
    return (a * images.double().flatten(1)[:, None]).sum(dim=2) + c


def lowest_terms(system: System, images: Tensor, labels: Tensor, eps: float, norm: str) -> Tensor:
    """The lowest value that each term can reach in the ball and in [0, 1] (under L2: in the ball alone)."""
    a, _ = planes(system, labels)
    if norm == "l2":
        return terms(system, images, labels) - eps * a.norm(dim=2)
    x = images.double().flatten(1)[:, None]
    down = torch.minimum(a * ((x - eps).clamp_min(0) - x), a * ((x + eps).clamp_max(1) - x))
    return terms(system, images, labels) + down.sum(dim=2)


def exact_perceptron(task: Task, *, seed: int = 0) -> System:
    """Two layers with weights in eighths: input gradients of a margin are sums that float32 makes without rounding."""
    generator = torch.Generator().manual_seed(seed)
    network = nn.Sequential(nn.Flatten(), nn.Linear(SIZE, 8), nn.ReLU(), nn.Linear(8, task.width))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randint(-8, 9, parameter.shape, generator=generator) / 8)
        network[3].weight.mul_(4 if isinstance(task, INT) else 1)
        network[3].bias += task.centre
    return System(network, task)


def byte_images(n: int, *, seed: int = 2) -> Tensor:
    """Images whose pixels are multiples of 1/256, zeros and ones among them."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 257, (n, *SHAPE), generator=generator) / 256


def conv_system(task: Task, *, seed: int = 0, gain: float = 5.0) -> System:
    """A small convolutional network with random weights, on 8×8 images."""
    generator = torch.Generator().manual_seed(seed)
    network = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(6, 8, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(32, task.width),
    )
    with torch.no_grad():
        for parameter in network.parameters():
            fan_in = parameter[0].numel()
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * (2 / fan_in) ** 0.5 / parameter.ndim)
        network[6].weight.mul_(gain)
    return System(network, task)


def centred(task: Task, images: Tensor) -> System:
    """`conv_system`, its outputs on these images spread about the middle of the code."""
    system = conv_system(task)
    layer, spread = system.network[6], 3.0 if isinstance(task, INT) else 1.0
    with torch.no_grad():
        layer.weight.mul_(spread / system.outputs(images).std(dim=0)[:, None])
        layer.bias += task.centre - system.outputs(images).mean(dim=0)
    return system
