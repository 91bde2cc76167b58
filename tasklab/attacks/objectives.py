"""What an attack maximises: a value per example, larger = closer to success."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from tasklab.tasks import TASKS, Task

Value = Callable[[Task, Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Objective:
    """A function of outputs, swept over several parts where it has them (each bit, each class).

    Args:
        name: what results call it.
        value: ``(task, z (N, K), y (N,), part (N,)) -> (N,)``, computed in float32.
        parts: how many parts there are for a task; an attack runs all of them and keeps each example's best.
        targetable: whether ``−value`` at the target class leads to that class.
        check: raises a ValueError for a task that the objective does not fit.
        of: what ``value`` is given as z: the outputs, or the penultimate features ``(N, D)``.
    """

    name: str
    value: Value
    parts: Callable[[Task], int] = lambda task: 1
    targetable: bool = True
    check: Callable[[Task], None] = lambda task: None
    of: Literal["outputs", "features"] = "outputs"

    def __call__(self, task: Task, z: Tensor, y: Tensor, part: Tensor, targets: Tensor | None = None) -> Tensor:
        """The value to maximise, ``(N,)``; with targets, the descent towards them."""
        return self.value(task, z, y, part) if targets is None else -self.value(task, z, targets, part)


def _train(task: Task, z: Tensor, y: Tensor, part: Tensor) -> Tensor:
    return task.loss(z, y)


def _margin(task: Task, z: Tensor, y: Tensor, part: Tensor) -> Tensor:
    return -task.codec.margins(z).gather(1, y[:, None]).squeeze(1)


def _bits(task: Task, z: Tensor, y: Tensor, part: Tensor) -> Tensor:
    return -task.codec.terms(z, y).gather(1, part[:, None]).squeeze(1)


def _sum_bits(task: Task, z: Tensor, y: Tensor, part: Tensor) -> Tensor:
    return -task.codec.terms(z, y).sum(dim=1)


def _soft_margin(task: Task, z: Tensor, y: Tensor, part: Tensor) -> Tensor:
    terms = task.codec.terms(z, y)  # (N, terms)
    tau = terms.detach().abs().median(dim=1).values.clamp_min(1e-6)  # the example's own median: no batch in it
    return tau * torch.logsumexp(-terms / tau[:, None], dim=1)


def _towards_code(task: Task, z: Tensor, y: Tensor, part: Tensor) -> Tensor:
    other = part + (part >= y)  # every class but y
    return task.codec.margins(z).gather(1, other[:, None]).squeeze(1)


def _up(task: Task, z: Tensor, y: Tensor, part: Tensor) -> Tensor:
    return z[:, 0]


def _down(task: Task, z: Tensor, y: Tensor, part: Tensor) -> Tensor:
    return -z[:, 0]


def _unclipped(task: Task, z: Tensor, y: Tensor, part: Tensor) -> Tensor:
    assert task.unclipped is not None
    return task.unclipped.loss(z, y)


def _dlr(task: Task, z: Tensor, y: Tensor, part: Tensor) -> Tensor:
    scores = nn.functional.pad(task.codec.margins(z), (0, 1))  # (N, classes + 1), None's 0 the last
    own = scores.gather(1, y[:, None]).squeeze(1)
    rival = scores.scatter(1, y[:, None], -torch.inf).amax(dim=1)
    ranked = scores.topk(4, dim=1).values
    return (rival - own) / (ranked[:, 0] - ranked[:, 3] + 1e-12)


def _terms(task: Task) -> int:
    z, y = (torch.zeros(shape, dtype=kind, device="cpu") for shape, kind in
            (((1, task.width), torch.float32), ((1,), torch.int64)))
    return task.codec.terms(z, y).shape[1]


def _has_line(task: Task) -> None:
    if task.line is None:
        raise ValueError(f"expected task {_those_with('line')} for objectives 'up' and 'down', got {task.name}; "
                         "try objective='margin'")


def _three_classes(task: Task) -> None:
    if task.num_classes < 3:
        raise ValueError(f"expected at least 3 classes for objective 'dlr', got {task.num_classes}; try 'margin'")


def _stops_at_a_margin(task: Task) -> None:
    if task.unclipped is None:
        stops = " with a loss that stops at no margin" * (type(task).unclipped is not Task.unclipped)
        raise ValueError(f"expected task {_those_with('unclipped')} for objective 'unclipped', got {task.name}{stops}; "
                         "try objective='margin'")


def _those_with(name: str) -> str:
    """The names of the tasks that define this attribute themselves."""
    return " or ".join(kind.name for kind in TASKS.values() if getattr(kind, name) is not getattr(Task, name))


OBJECTIVES: dict[str, Objective] = {
    objective.name: objective
    for objective in (
        Objective("train", _train),  # the task's training loss: the paper's protocol
        Objective("margin", _margin),  # −margins[y]: positive exactly when y has lost
        Objective("bits", _bits, parts=_terms, targetable=False),  # −each term of the margin in turn
        Objective("soft_margin", _soft_margin),  # τ·logsumexp(−terms/τ): between margin and margin + τ·log(terms)
        Objective("sum_bits", _sum_bits),  # −Σ terms
        Objective("towards_code", _towards_code, parts=lambda task: task.num_classes - 1, targetable=False),
        Objective("up", _up, targetable=False, check=_has_line),
        Objective("down", _down, targetable=False, check=_has_line),
        Objective("unclipped", _unclipped, check=_stops_at_a_margin),  # the loss with S' = 10·S, where it stops at S
        Objective("dlr", _dlr, check=_three_classes),  # −(s_y − max_{i≠y} s_i) / (s_π1 − s_π4)
    )
}
"""The named objectives. ``bits`` sweeps bits (RBC, DeepBE), the two ends (INT) or the rivals (TRA).

``dlr`` is AutoAttack's difference of logits ratio (Croce & Hein 2020) on ``class_scores``, free of their scale. Its
divisor ends at the fourth score: the first two are the winner's margin m and None's 0, the third is often the
runner-up's −m, and with it the published divisor ``s_π1 − s_π3`` makes a constant −½ without a gradient. For TRA it is
``−r/(1 + r)``, r the published ratio of the logits, wherever y leads.
"""


def as_objective(objective: str | Objective | Callable[[Task, Tensor, Tensor], Tensor]) -> Objective:
    """A named objective, an `Objective`, or any callable ``(task, z, y) -> (N,)``.

    Raises:
        ValueError, TypeError: no such name; not callable.
    """
    if isinstance(objective, Objective):
        return objective
    if isinstance(objective, str):
        if objective not in OBJECTIVES:
            raise ValueError(f"expected an objective among {', '.join(OBJECTIVES)}, got {objective!r}")
        return OBJECTIVES[objective]
    if callable(objective):
        given = objective
        return Objective(getattr(given, "__name__", type(given).__name__), lambda task, z, y, part: given(task, z, y))
    raise TypeError(f"expected an objective's name or a callable (task, z, y) -> (N,), got {type(objective).__name__}")


def name_of(objective: object) -> str:
    """The name of an objective in a sentence; anything that is not an objective is written as it is.

    >>> name_of("margin"), name_of("nonsense")
    ('margin', 'nonsense')
    """
    try:
        return as_objective(objective).name  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return str(objective)
