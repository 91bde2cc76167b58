"""Who is attacked: three undefended TRA systems, and images that they read correctly."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tasklab import data, zoo
from tasklab.models import NetworkSpec, build_network
from tasklab.system import System
from tasklab.tasks import TRA

FOLDER = Path("runs/benchmarks")
SHIPPED = {"small_cnn": "mnist-tra"}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """An architecture's data set, balls, and number of rows; the goal is in times of torchattacks.

    `long_eps` is the data set's customary ball, in which undefended systems fall; `eps` may leave some standing.
    """

    dataset: str
    shape: tuple[int, int, int]
    eps: float
    long_eps: float
    rows: int
    goal: float


KINDS = {
    "small_cnn": Kind(dataset="mnist", shape=(1, 28, 28), eps=0.1, long_eps=0.3, rows=256, goal=0.25),
    "resnet18": Kind(dataset="cifar10", shape=(3, 32, 32), eps=8 / 255, long_eps=8 / 255, rows=64, goal=0.5),
    "efficientnet_b0": Kind(dataset="cifar10", shape=(3, 32, 32), eps=8 / 255, long_eps=8 / 255, rows=64, goal=0.6),
}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A system in evaluation mode, images (N, C, H, W) that it reads as labels (N,), and where they come from."""

    system: System
    images: Tensor
    labels: Tensor
    story: str


def subject(arch: str, rows: int, *, seconds: float = 60.0, folder: Path = FOLDER) -> Subject:
    """The system of that architecture and images for it.

    It is the shipped one where there is one; else one trained for at most `seconds` and kept in `folder`; without the
    data (or seconds), random weights with settled BatchNorm, noise, and the network's own answers as labels.
    """
    kind = KINDS[arch]
    present = data.available(kind.dataset)
    if present and SHIPPED.get(arch) in zoo.names():
        name = SHIPPED[arch]
        return _right(zoo.load(name), kind, rows, f"{name}, as shipped")
    if present and seconds > 0:
        file = folder / f"{kind.dataset}-{arch}.safetensors"
        if not file.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _train(arch, kind, seconds).save(file)
        system = System.load(file)
        return _right(system, kind, rows, f"trained for {system.card['seconds']:.0f} s on {kind.dataset}")
    system = _fresh(arch, kind)
    images = torch.rand(rows, *kind.shape, generator=torch.Generator().manual_seed(1))
    _settle(system, images[:64])
    return Subject(system=system, images=images, labels=system.predict(images), story="random weights, noise")


def _right(system: System, kind: Kind, rows: int, story: str) -> Subject:
    """The first images of the test split that the system reads correctly."""
    system.network.eval()
    test = data.load(kind.dataset, "test")
    kept: list[int] = []
    for part in torch.arange(len(test)).split(256):
        kept += part[system.predict(test.x(part)) == test.labels[part]].tolist()
        if len(kept) >= rows:
            break
    chosen = torch.tensor(kept[:rows])
    accuracy = f"{len(kept)} of the first {int(part[-1]) + 1} test images right"
    return Subject(system=system, images=test.x(chosen), labels=test.labels[chosen], story=f"{story}, {accuracy}")


def _train(arch: str, kind: Kind, seconds: float) -> System:
    train = data.load(kind.dataset, "train")
    system = _fresh(arch, kind, mean=train.mean, std=train.std)
    network = system.network.train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0)).split(64)
    start = time.perf_counter()
    for rows in order:
        if time.perf_counter() - start > seconds:
            break
        optimizer.zero_grad()
        system.task.loss(network(train.x(rows)), train.labels[rows]).mean().backward()
        optimizer.step()
    network.eval()
    system.card.update({"data": {"name": kind.dataset}, "seconds": time.perf_counter() - start})
    return system


def _fresh(arch: str, kind: Kind, *, mean: tuple[float, ...] | None = None, std: tuple[float, ...] | None = None
           ) -> System:
    channels = kind.shape[0]
    spec = NetworkSpec(arch=arch, in_shape=kind.shape, outputs=10, mean=mean or (0.5,) * channels,
                       std=std or (0.25,) * channels)
    return System(build_network(spec, seed=0).eval(), TRA(num_classes=10))


def _settle(system: System, images: Tensor) -> None:
    """Give every BatchNorm the statistics of the images."""
    norms = [layer for layer in system.network.modules() if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        system.network.train()(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    system.network.eval()


