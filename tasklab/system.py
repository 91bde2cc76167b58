"""A system: a network and a task. Images in; outputs, labels and features out."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tasklab import checkpoint
from tasklab.checks import check_whole
from tasklab.data import ImageSet
from tasklab.inputs import check_images, explaining
from tasklab.models.network import build_network
from tasklab.models.sharing import evaluating, exclusively, on_a_copy
from tasklab.models.spec import NetworkSpec
from tasklab.modes import own_modes
from tasklab.tasks import Task


class System:
    """Any ``nn.Module`` from images to outputs, and the task that says what the outputs mean.

    Args:
        network: images ``(N, C, H, W)`` in [0, 1] to outputs ``(N, K)``, with ``K = task.width``;
            normalisation is its first layer. It is never moved, trained or altered here.
        task: codec and loss.
        card: what is known about the system, as plain JSON values.
        features: images to penultimate features ``(N, D)``; by default the network's ``forward_features``.

    >>> from tasklab.tasks import make_task
    >>> system = System(nn.Sequential(nn.Flatten(), nn.Linear(4, 4)), make_task("rbc", S=10))
    >>> system.predict(torch.rand(5, 1, 2, 2)).shape
    torch.Size([5])
    """

    def __init__(
        self,
        network: nn.Module,
        task: Task,
        *,
        card: dict[str, Any] | None = None,
        features: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        if not isinstance(network, nn.Module):
            raise TypeError(f"expected network as a torch.nn.Module, got {type(network).__name__}")
        if not isinstance(task, Task):
            raise TypeError(f"expected task as a tasklab Task, got {type(task).__name__}; try make_task('rbc', S=350)")
        self.network = network
        self.task = task
        self.card: dict[str, Any] = dict(card or {})
        self._given_features = features

    def __repr__(self) -> str:
        return f"System({type(self.network).__name__}, {self.task!r})"

    @property
    def device(self) -> torch.device:
        """The device of the network's first parameter; images have to be on it, too."""
        return next(self.network.parameters(), torch.empty(0, device="cpu")).device

    def outputs(self, x: Tensor) -> Tensor:
        """The outputs of the network in evaluation mode; differentiable.

        The network works on a copy of ``x``, outside the caller's autocast; threads may share it.

        Args:
            x: images ``(N, C, H, W)`` in [0, 1].

        Returns:
            float32 ``(N, K)``. Every submodule's training flag is as it was.

        Raises:
            TypeError: ``x`` is not a tensor of floating-point numbers, or not of the network's type and device.
            ValueError: the network's outputs are not ``(N, K)``.
        """
        with evaluating(self.network), explaining(self.network, check_images(x)):
            return check_outputs(on_a_copy(self.network, x), len(x), self.task)

    def predict(self, x: Tensor, *, batch_size: int = 512) -> Tensor:
        """The decoded labels int64 ``(N,)``, `ABNORMAL` included, computed batch by batch without gradients."""
        return self.task.codec.decode(self.read(x, batch_size=batch_size))

    def read(self, x: Tensor, *, batch_size: int = 512) -> Tensor:
        """`outputs` float32 ``(N, K)`` of any number of images, batch by batch without gradients."""
        size, x = check_whole("batch_size", batch_size, low=1, hint=512), check_images(x)
        with torch.no_grad():
            parts = [self.outputs(part) for part in torch.split(x, size)] if len(x) else []
            return torch.cat(parts) if parts else torch.zeros(0, self.task.width, dtype=torch.float32, device=x.device)

    def margins(self, x: Tensor) -> Tensor:
        """The margin of each class, float32 ``(N, num_classes)``; differentiable, and positive iff it is decoded."""
        return self.task.codec.margins(self.outputs(x))

    def class_scores(self, x: Tensor) -> Tensor:
        """Margins with None's constant 0 appended: float32 ``(N, num_classes + 1)``, whose argmax is the decoder."""
        return nn.functional.pad(self.margins(x), (0, 1))

    @property
    def has_features(self) -> bool:
        """Whether `features` can be computed."""
        return self._given_features is not None or hasattr(self.network, "forward_features")

    def features(self, x: Tensor) -> Tensor:
        """Penultimate features ``(N, D)`` in evaluation mode, differentiable.

        Raises:
            TypeError: the network has no ``forward_features`` and no ``features=`` was given.
        """
        read = self._given_features or getattr(self.network, "forward_features", None)
        if read is None:
            raise TypeError(
                f"expected a network with forward_features, got {type(self.network).__name__}; "
                "try System(network, task, features=lambda x: …)"
            )
        with evaluating(self.network), explaining(self.network, check_images(x)):
            return torch.as_tensor(on_a_copy(read, x), device=x.device).float()

    def as_logits(self) -> nn.Module:
        """A module from images to `class_scores`, for tools that expect logits; class ``num_classes`` is None."""
        return _Logits(self)

    def to(self, device: torch.device | str) -> System:
        """A copy of this system on another device; a function given as ``features`` is passed on unchanged."""
        with exclusively(self.network), own_modes():
            network = copy.deepcopy(self.network)
        network.to(device)
        return System(network, self.task, card=self.card, features=self._given_features)

    def save(self, path: str | Path, *, dtype: Literal["float32", "float16"] = "float32") -> None:
        """Write one safetensors file with the card as its metadata; see `tasklab.checkpoint.save`."""
        checkpoint.save(self.network, self.task, self.card, path, dtype=dtype)

    @staticmethod
    def load(path: str | Path) -> System:
        """Read a file that `save` wrote; see `tasklab.checkpoint.load`."""
        network, task, card = checkpoint.load(path)
        return System(network, task, card=card)


def new_system(
    task: Task,
    data: ImageSet,
    *,
    arch: str = "small_cnn",
    width: int = 32,
    contrast: tuple[float, float] | None = None,
    seed: int | None = None,
) -> System:
    """An untrained system for a data set: input shape and normalisation from the data, outputs and scale from the task.

    Args:
        task: its ``num_classes`` must be the set's.
        data: the training split.
        arch: a name of `tasklab.models.ARCHITECTURES`.
        width: of ``small_cnn`` and ``mlp``; that of the others is fixed.
        contrast: (low, high), grey values to stretch the images between; by default they stay as they are.
        seed: of the initial weights.

    Raises:
        ValueError: another number of classes, no such architecture, or one that does not take such images.
    """
    if task.num_classes != data.num_classes:
        raise ValueError(
            f"expected a task with num_classes={data.num_classes} for {data.name}, got {task.num_classes}; "
            f"try make_task({task.name!r}, num_classes={data.num_classes})"
        )
    spec = NetworkSpec(
        arch=arch, in_shape=data.shape, outputs=task.width, mean=data.mean, std=data.std, scale=task.unit,
        centre=task.centre, width=width, levels=task.levels, contrast=contrast,
    )
    return System(build_network(spec, seed), task)


class _Logits(nn.Module):
    def __init__(self, system: System) -> None:
        super().__init__()
        self.network = system.network
        self._scores = system.class_scores
        self.training = False

    def train(self, mode: bool = True) -> _Logits:
        """Do nothing: scores are computed in evaluation mode, and the network's training flags belong to its owner."""
        return self

    def forward(self, x: Tensor) -> Tensor:
        return self._scores(x)


def check_outputs(z: Tensor, n: int, task: Task) -> Tensor:
    """``z`` as float32, if it has the task's shape ``(n, K)``; a ValueError if not."""
    if not isinstance(z, Tensor) or tuple(z.shape) != (n, task.width):
        got = tuple(z.shape) if isinstance(z, Tensor) else type(z).__name__
        raise ValueError(
            f"expected outputs of shape ({n}, {task.width}) for task {task.name}, got {got}; "
            f"try a network whose last layer has {task.width} outputs"
        )
    return z.float()
