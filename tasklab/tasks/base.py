"""The base class of tasks: a codec, a loss, their settings, and what the rest of the library has to know about them."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, TypeVar

from torch import Tensor

from tasklab.checks import keep
from tasklab.codecs import Codec
from tasklab.tasks.drawing import Gauges, Line
from tasklab.tasks.settings import Asked, Typical

Parametrisation = Literal["scaled", "paper"]


@dataclass(frozen=True, kw_only=True)
class Task(ABC):
    """What a network is asked to answer: codewords (`codec`) and how to be trained towards them (`loss`).

    ``parametrisation="scaled"`` gives the output layer the task's natural size, ``z = unit·h + centre``, and training
    divides the loss by ``unit²``: the RBC loss over S² is the same function of h for every S, so one learning rate
    serves them all. ``"paper"`` leaves z and the loss as they are.

    A new task is a frozen dataclass in a file of its own, decorated with `register`. It needs a `name`, a `codec` and
    a `_loss`. Everything else has a default that serves any task; a task overrides what does not fit it.

    Attributes:
        name: the name in lower case by which `make_task` and the command line find it.
        title: a short name for people; by default the name in capitals.
        long_name: the name in full; by default the title.
        summary: one sentence that says what the network answers; by default the first line of the class's docstring.
        rank: tasks are listed in the order of their ranks.
        typical: the settings that a page proposes for a training run.
        opposing_terms: whether the terms of the margin pull in opposite directions, as the two ends of an interval do.
        never_flat: whether the loss has a gradient at every output, so that an attack may maximise it.
        has_inset: whether training can aim further inside than the loss does (`inset_loss`).
        margin_name: what people call the margin that decides whether an image is classified correctly.
    """

    name: ClassVar[str]
    title: ClassVar[str] = ""
    long_name: ClassVar[str] = ""
    summary: ClassVar[str] = ""
    rank: ClassVar[int] = 100
    typical: ClassVar[Typical] = Typical()
    opposing_terms: ClassVar[bool] = False
    never_flat: ClassVar[bool] = False
    has_inset: ClassVar[bool] = False
    margin_name: ClassVar[str] = "margin of the true class"

    num_classes: int = 10
    parametrisation: Parametrisation = "scaled"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "name" in vars(cls):
            cls.title = vars(cls).get("title") or cls.name.upper()
            cls.long_name = vars(cls).get("long_name") or cls.title
            cls.summary = vars(cls).get("summary") or (cls.__doc__ or cls.title).strip().splitlines()[0]

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
        """The size of one unit of the output layer: S for RBC, the span of the line for INT; 1 if not scaled."""
        return self._natural[0] if self.parametrisation == "scaled" else 1.0

    @property
    def centre(self) -> float:
        """The output z where the last layer gives h = 0."""
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

    def targets(self, y: Tensor) -> Tensor | None:
        """Outputs ``(N, K)`` that training aims at for labels ``(N,)``; None where no single point stands for a label.

        `tasklab.training.start_from` fits a new head on a trained trunk to them.
        """
        return None

    @property
    def answers(self) -> str:
        """How a system of this task answers, in a few words, such as ``"4 bits, margin S = 350"``."""
        return f"{self.width} output{'s' * (self.width > 1)}, {self.num_classes} classes"

    def two_class(self) -> Task:
        """The same kind of task with two classes, and a single boundary at which class 0 turns into class 1."""
        return dataclasses.replace(self, num_classes=2)

    def two_class_outputs(self, u: Tensor) -> Tensor:
        """Outputs ``(N, K)`` at which the margin of class 0 is ``−u``, for u ``(N,)``, of a task made by `two_class`.

        Raises:
            TypeError: the task does not define it. Attacks on the task can then not be tested on adversarial examples
                that are known to exist.
        """
        raise TypeError(f"expected a task that defines two_class_outputs, got {self.name}; try adding that method")

    @cached_property
    def gauges(self) -> Gauges | None:
        """One gauge per output, where the decision is drawn that way."""
        return None

    @cached_property
    def line(self) -> Line | None:
        """The line of intervals, where the decision is drawn that way; such a task has a single output."""
        return None

    def scores(self, z: Tensor) -> Tensor:
        """Scores to draw as one bar per class, of which the largest wins: ``(N, classes)``, by default the margins."""
        return self.codec.margins(z)

    def drawn(self, z: Tensor) -> Tensor:
        """The numbers that a figure shows: the outputs if it has gauges or a line, otherwise `scores` as bars."""
        return z if self.gauges or self.line else self.scores(z)

    @cached_property
    def levels(self) -> tuple[float, ...]:
        """One value per class, in units of the output layer, whose average is the output; empty for a linear head."""
        return ()

    @property
    def unclipped(self) -> Task | None:
        """The task with ten times the margin; None where the loss does not stop at a margin."""
        return None

    def inset_loss(self, z: Tensor, y: Tensor, inset: float) -> Tensor:
        """The loss ``(N,)`` with each interval shortened at both ends by the share ``inset`` of its length.

        Raises:
            ValueError: the task has no intervals.
        """
        raise ValueError(f"expected inset=0 for task {self.name}, got {inset}; only tasks with intervals have an inset")

    @classmethod
    def asked(cls) -> dict[str, Asked]:
        """How people are asked for each setting, by its name and in the order of the controls."""
        fields = {f.name: f.metadata["asked"] for f in dataclasses.fields(cls) if "asked" in f.metadata}
        return dict(sorted(fields.items(), key=lambda item: item[1].place))

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


TASKS: dict[str, type[Task]] = {}
"""The registered tasks by name."""

Kind = TypeVar("Kind", bound=type[Task])


def register(kind: Kind) -> Kind:
    """Make a task known by its name, to `make_task`, the command line and the app; a decorator of its class.

    Raises:
        ValueError: another task has that name.
    """
    if TASKS.get(kind.name, kind).__qualname__ != kind.__qualname__:
        raise ValueError(f"expected a name that no task has, got {kind.name!r}; try another name")
    TASKS[kind.name] = kind
    ordered = sorted(TASKS.items(), key=lambda item: item[1].rank)
    TASKS.clear()
    TASKS.update(ordered)
    return kind


def make_task(task: str, **settings: Any) -> Task:
    """The task of that name with these settings; what is not given is the paper's default.

    >>> from tasklab.tasks import make_task
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
