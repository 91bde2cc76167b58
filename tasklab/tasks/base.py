"""Tasks: a codec, a loss and their settings. Frozen, hashable, to and from plain dicts."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

from torch import Tensor

from tasklab import losses
from tasklab.checks import as_number, keep
from tasklab.codecs import Argmax, Binary, Codec, Interval
from tasklab.codecs.codes import Rows

Parametrisation = Literal["scaled", "paper"]


@dataclass(frozen=True, kw_only=True)
class Task(ABC):
    """What a network is asked to answer: codewords (`codec`) and how to be trained towards them (`loss`).

    ``parametrisation="scaled"`` gives the output layer the task's natural size, ``z = unit·h + centre``, and training
    divides the loss by ``unit²``: the RBC loss over S² is the same function of h for every S, so one learning rate
    serves them all. ``"paper"`` leaves z and the loss as they are.
    """

    name: ClassVar[str]
    num_classes: int = 10
    parametrisation: Parametrisation = "scaled"

    def __post_init__(self) -> None:
        if self.parametrisation not in ("scaled", "paper"):
            raise ValueError(f"expected parametrisation 'scaled' or 'paper', got {self.parametrisation!r}")
        keep(self, num_classes=self.codec.num_classes)  # the codec's errors are raised now

    @cached_property
    @abstractmethod
    def codec(self) -> Codec:
        """Labels ⇄ codewords."""

    @abstractmethod
    def _loss(self, z: Tensor, codewords: Tensor) -> Tensor: ...

    @property
    def _natural(self) -> tuple[float, float]:
        """Unit and centre of the outputs."""
        return 1.0, 0.0

    @property
    def width(self) -> int:
        """K, the number of outputs."""
        return self.codec.width

    @property
    def unit(self) -> float:
        """The size of one unit of the output layer: S for RBC, the line's span for INT; 1 as in the paper."""
        return self._natural[0] if self.parametrisation == "scaled" else 1.0

    @property
    def centre(self) -> float:
        """The output of a layer that says 0."""
        return self._natural[1] if self.parametrisation == "scaled" else 0.0

    def loss(self, z: Tensor, y: Tensor) -> Tensor:
        """The training loss of each example as published, in the units of z.

        Args:
            z: outputs ``(N, K)``.
            y: labels ``(N,)``.

        Returns:
            float32 ``(N,)``.

        Raises:
            TypeError, ValueError: outputs or labels of another type, shape or range.
        """
        codewords = self.codec.encode(y)
        if len(self.codec.check_outputs(z)) != len(y):
            raise ValueError(f"expected as many labels as outputs, got {len(y)} labels and {len(z)} outputs")
        return self._loss(z, codewords)

    def to_dict(self) -> dict[str, Any]:
        """A plain dict (JSON-safe) from which `from_dict` makes an equal task."""
        described: dict[str, Any] = {"task": self.name}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            described[field.name] = [list(row) for row in value] if isinstance(value, tuple) else value
        return described

    @staticmethod
    def from_dict(settings: dict[str, Any]) -> Task:
        """The task that `to_dict` described.

        Raises:
            ValueError: not a dict, no such task, or a setting it does not have.
        """
        if not isinstance(settings, dict) or "task" not in settings:
            raise ValueError(f"expected a dict with the key 'task', got {settings!r}")
        return make_task(**settings)


@dataclass(frozen=True, kw_only=True)
class TRA(Task):
    """Traditional classification: one score per class, cross-entropy, argmax."""

    name: ClassVar[str] = "tra"

    @cached_property
    def codec(self) -> Argmax:
        """One-hot."""
        return Argmax(num_classes=self.num_classes)

    def _loss(self, z: Tensor, codewords: Tensor) -> Tensor:
        return losses.cross_entropy(z, codewords)


@dataclass(frozen=True, kw_only=True)
class _Bits(Task):
    bits: int | None = None
    code: str | Rows = "binary"
    threshold: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        keep(self, bits=self.codec.bits, code=self.codec.code)

    @cached_property
    def codec(self) -> Binary:
        """Bits."""
        return Binary(num_classes=self.num_classes, bits=self.bits, code=self.code, threshold=self.threshold)


@dataclass(frozen=True, kw_only=True)
class DeepBE(_Bits):
    """Bits around 0.5 (Li et al. 2016), fitted by ``loss_form``: ``"hinge"`` (the paper's), ``"mse"`` or ``"bce"``.

    Under ``"hinge"`` every correct example has exactly zero loss: it is RBC with S = 0 around 0.5.
    """

    name: ClassVar[str] = "deepbe"
    threshold: ClassVar[float] = 0.5
    loss_form: Literal["hinge", "mse", "bce"] = "hinge"

    def __post_init__(self) -> None:
        if self.loss_form not in ("hinge", "mse", "bce"):
            raise ValueError(f"expected loss_form 'hinge', 'mse' or 'bce', got {self.loss_form!r}")
        super().__post_init__()

    @property
    def _natural(self) -> tuple[float, float]:
        return 1.0, self.threshold

    def _loss(self, z: Tensor, codewords: Tensor) -> Tensor:
        if self.loss_form == "mse":
            return losses.bit_squared_error(z, codewords)
        if self.loss_form == "bce":
            return losses.bit_cross_entropy(z, codewords, threshold=self.threshold)
        return losses.bit_hinge(z, codewords, threshold=self.threshold)


@dataclass(frozen=True, kw_only=True)
class RBC(_Bits):
    """Robust binary-label classification: every bit on its side of 0 by a margin S (equations 2 and 3)."""

    name: ClassVar[str] = "rbc"
    S: float = 350.0

    def __post_init__(self) -> None:
        size = as_number(self.S)
        if size is None or not 0 <= size < math.inf:
            raise ValueError(f"expected S as a finite number ≥ 0 (the margin of a bit), got {self.S!r}; try S=350")
        keep(self, S=float(size))
        super().__post_init__()

    @property
    def _natural(self) -> tuple[float, float]:
        return self.S or 1.0, 0.0

    def _loss(self, z: Tensor, codewords: Tensor) -> Tensor:
        return losses.bit_hinge(z, codewords, margin=self.S)


@dataclass(frozen=True, kw_only=True)
class INT(Task):
    """Interval-label classification: one output on a line, one interval per class (equation 1)."""

    name: ClassVar[str] = "int"
    s0: float = 0.0
    alpha: float = 4.0
    beta: float = 16.0
    gap: Literal["abnormal", "floor"] = "abnormal"

    def __post_init__(self) -> None:
        super().__post_init__()
        keep(self, s0=self.codec.s0, alpha=self.codec.alpha, beta=self.codec.beta)

    @cached_property
    def codec(self) -> Interval:
        """Intervals."""
        return Interval(num_classes=self.num_classes, s0=self.s0, alpha=self.alpha, beta=self.beta, gap=self.gap)

    @property
    def _natural(self) -> tuple[float, float]:
        return self.codec.span, self.s0 + self.codec.span / 2

    def _loss(self, z: Tensor, codewords: Tensor) -> Tensor:
        return losses.interval_hinge(z, codewords)


TASKS: dict[str, type[Task]] = {kind.name: kind for kind in (TRA, DeepBE, INT, RBC)}
"""The registry: a new task is one codec, one loss and one line here."""


def make_task(task: str, **settings: Any) -> Task:
    """The task of that name with these settings; what is not given is the paper's default.

    >>> make_task("rbc", S=100)
    RBC(num_classes=10, parametrisation='scaled', bits=4, code='binary', S=100.0)

    Raises:
        ValueError: no such task or setting, or a value that the task refuses.
    """
    if not isinstance(task, str) or task.lower() not in TASKS:
        raise ValueError(f"expected a task among {', '.join(TASKS)}, got {task!r}")
    kind = TASKS[task.lower()]
    known = {f.name for f in dataclasses.fields(kind)}
    if unknown := sorted(set(settings) - known):
        raise ValueError(f"expected settings of {task} among {', '.join(sorted(known))}, got {', '.join(unknown)}")
    return kind(**settings)
