"""The number on which each image's decision depends: its margin, one of its bits, or its output on the number line."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasklab.figures.style import Outcome, outcome_of
from tasklab.tasks import Gauges, Line, Task

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Reading:
    """One number for each image, before and after an attack, and what the number means.

    Attributes:
        axis: name of the number.
        before: ``(N,)``, of the clean images.
        after: ``(N,)``, of the attacked images; None where there are none.
        kinds: outcome of each image; for a single bit, "correct" where it has the right value, else "wrong".
        threshold: number at which the decision changes; None where it changes at each end of an interval.
        rails: numbers beyond which training pushes the outputs.
        bands: (from, to, kind): "own" is read as the label, "class" as another class, "None" as None.
        ticks: (position, text) on the axis; empty for plain numbers.
    """

    axis: str
    before: Numbers
    after: Numbers | None
    kinds: tuple[Outcome, ...]
    threshold: float | None
    rails: tuple[float, ...] = ()
    bands: tuple[tuple[float, float, str], ...] = ()
    ticks: tuple[tuple[float, str], ...] = ()

    @property
    def now(self) -> Numbers:
        """The numbers of the attacked images or, where there are none, of the clean ones."""
        return self.before if self.after is None else self.after

    @property
    def window(self) -> tuple[float, float]:
        """Both ends of the axis: rails, threshold, and all numbers except the outermost hundredth on either side."""
        marks = [*self.rails, *([] if self.threshold is None else [self.threshold])]
        own = [band[:2] for band in self.bands if band[2] == "own"]
        marks += [end for ends in own for end in ends if math.isfinite(end)]
        values = np.concatenate([self.before, self.now])
        tails = [float(q) for q in np.quantile(values, (0.01, 0.99))] if len(values) else []
        low, high = min([*marks, *tails], default=0.0), max([*marks, *tails], default=1.0)
        room = 0.06 * ((high - low) or 1.0)
        return low - room, high + room


def read_decisions(
    task: Task, before: Tensor, after: Tensor | None, labels: Tensor, *,
    bit: int | None = None, label: int | None = None,
) -> Reading:
    """The number on which each image's decision depends.

    For TRA and for tasks with bits it is the margin of the true class or, with ``bit``, the output of that bit. For a
    task with intervals it is the output; without ``label``, its distance from the middle of the true class's interval.

    Args:
        task: decodes the outputs.
        before: outputs ``(N, K)`` of the clean images.
        after: outputs ``(N, K)`` of the attacked images; None where there are none.
        labels: true classes ``(N,)``.
        bit: index of a bit, 0..B-1, for tasks with bits.
        label: a class; only its images are read.

    Raises:
        ValueError: outputs and labels do not fit, or the task has no such bit or class.

    >>> import torch
    >>> from tasklab.tasks import make_task
    >>> z = torch.tensor([[40.0, -30.0], [-5.0, -20.0]])
    >>> reading = read_decisions(make_task("rbc", num_classes=4, S=20), z, None, torch.tensor([2, 2]))
    >>> reading.before.tolist(), reading.rails, reading.kinds
    ([30.0, -5.0], (20.0,), ('correct', 'wrong'))
    """
    labels = task.codec.check_labels(labels)
    outputs = [before] if after is None else [before, after]
    for z in outputs:
        if len(task.codec.check_outputs(z)) != len(labels):
            raise ValueError(f"expected as many labels as outputs, got {len(labels)} and {len(z)}")
        if not bool(z.isfinite().all()):
            raise ValueError("expected finite outputs to draw")
    if label is not None:
        if not 0 <= label < task.num_classes:
            raise ValueError(f"expected label in 0..{task.num_classes - 1}, got {label}")
        outputs, labels = [z[labels == label] for z in outputs], labels[labels == label]
    bits = task.gauges.width if task.gauges is not None else 0
    if bit is not None and not 0 <= bit < bits:
        raise ValueError(f"expected bit in 0..{bits - 1}, got {bit}" if bits else f"{task.name} has no bits, got {bit}")
    if task.line is not None:
        return _line(task, task.line, outputs, labels, label)
    if bit is not None and task.gauges is not None:
        return _bit(task.gauges, outputs, labels, bit)
    return _margin(task, outputs, labels)


def _margin(task: Task, outputs: list[Tensor], labels: Tensor) -> Reading:
    numbers = [_floats(task.codec.margins(z).gather(1, labels[:, None])[:, 0]) for z in outputs]
    rails = () if task.gauges is None else (task.gauges.rail,)
    bands = ((0.0, math.inf, "own"),)
    return Reading(axis=task.margin_name, before=numbers[0], after=numbers[1] if len(numbers) > 1 else None,
                   kinds=_outcomes(task.codec.decode(outputs[-1]), labels), threshold=0.0, rails=rails, bands=bands)


def _bit(gauges: Gauges, outputs: list[Tensor], labels: Tensor, bit: int) -> Reading:
    threshold, rail = gauges.threshold, gauges.rail
    target = torch.tensor([row[bit] for row in gauges.rows], device="cpu")[labels.cpu()] > 0
    correct = (outputs[-1][:, bit].cpu() > threshold) == target
    numbers = [_floats(z[:, bit]) for z in outputs]
    return Reading(
        axis=f"output of bit {bit + 1}", before=numbers[0], after=numbers[1] if len(numbers) > 1 else None,
        kinds=tuple("correct" if k else "wrong" for k in correct.tolist()), threshold=threshold,
        rails=(threshold - rail, threshold + rail),
    )


def _line(task: Task, line: Line, outputs: list[Tensor], labels: Tensor, label: int | None) -> Reading:
    half, pace = line.beta / 2, line.alpha + line.beta
    last = task.num_classes - 1
    if label is None:
        middle = torch.tensor(line.lower, dtype=torch.float32, device=outputs[0].device)[labels] + half
        numbers = [_floats(z[:, 0] - middle) for z in outputs]
        ends = [(k * pace - half, k * pace + half, "own" if k == 0 else "class") for k in range(-last, last + 1)]
        axis, ticks = "output, in classes away from the label's", [(k * pace, f"{k:+d}" if k else "0")
                                                                   for k in range(-last, last + 1)]
    else:
        numbers = [_floats(z[:, 0]) for z in outputs]
        pairs = list(zip(line.lower, line.upper, strict=True))
        ends = [(low, high, "own" if k == label else "class") for k, (low, high) in enumerate(pairs)]
        axis, ticks = "output", [((low + high) / 2, str(k)) for k, (low, high) in enumerate(pairs)]
    bands = list(ends)
    if not line.floor and line.alpha:
        bands += [(a[1], b[0], "None") for a, b in itertools.pairwise(ends)]
    return Reading(axis=axis, before=numbers[0], after=numbers[1] if len(numbers) > 1 else None,
                   kinds=_outcomes(task.codec.decode(outputs[-1]), labels), threshold=None, bands=tuple(bands),
                   ticks=tuple(ticks))


def _outcomes(decoded: Tensor, labels: Tensor) -> tuple[Outcome, ...]:
    pairs = zip(decoded.tolist(), labels.tolist(), strict=True)
    return tuple(outcome_of(d, y) for d, y in pairs)


def _floats(values: Tensor) -> Numbers:
    numbers: Numbers = values.detach().cpu().double().numpy()
    return numbers
