"""Descriptions of figures of outputs, for people who cannot see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from tasklab.codecs import ABNORMAL
from tasklab.tasks import Task

if TYPE_CHECKING:
    from tasklab.figures.outputs import Outputs


def describe_outputs(task: Task, clean: Outputs, attacked: Outputs | None = None, *, label: int) -> str:
    """One or two sentences that say what `outputs_figure` shows.

    Args:
        task: decodes the outputs.
        clean: outputs ``(K,)`` of the clean image.
        attacked: outputs ``(K,)`` of the attacked image; None where there is none.
        label: the true class.

    >>> from tasklab.tasks import make_task
    >>> describe_outputs(make_task("int"), [24.0], [37.5], label=1)
    'Output on the line of intervals, label 1 from 20 to 36. Before: 24, read as 1. After: 37.5, read as None.'
    """
    parts = [introduce(task, label), f"Before: {_describe(task, clean)}."]
    if attacked is not None:
        parts.append(f"After: {_describe(task, attacked)}.")
    return " ".join(parts)


def introduce(task: Task, label: int, names: Sequence[str] | None = None) -> str:
    """What a figure of the outputs consists of, and which outputs are read as the label.

    Args:
        task: decodes the outputs.
        label: the true class.
        names: of the classes; by default their numbers.
    """
    name = label if names is None else names[label]
    if (line := task.line) is not None:
        return f"Output on the line of intervals, label {name} from {line.lower[label]:g} to {line.upper[label]:g}."
    if (gauges := task.gauges) is not None:
        code = "".join(str(bit) for bit in gauges.rows[label])
        rails = "" if gauges.margin is None else f", rails at ±{gauges.margin:g}"
        return f"One gauge per bit around {gauges.threshold:g}{rails}, label {name} is {code}."
    return f"One bar per class, the largest wins, label {name}."


def with_article(name: str) -> str:
    """The name of a class with its indefinite article.

    >>> with_article("cat"), with_article("airplane"), with_article("8")
    ('a cat', 'an airplane', 'an 8')
    """
    return f"{'an' if name[0] in 'aeio8' else 'a'} {name}"


def _describe(task: Task, z: Outputs) -> str:
    """The outputs of one image, and the label that they are decoded to."""
    values = torch.as_tensor(z, dtype=torch.float32).reshape(1, -1)
    decoded = int(task.codec.decode(values))
    word = "None" if decoded == ABNORMAL else str(decoded)
    if task.line is not None:
        return f"{float(values):.4g}, read as {word}"
    if (gauges := task.gauges) is not None:
        bits = "".join("1" if v > gauges.threshold else "0" for v in values[0].tolist())
        return f"bits {bits}, read as {word}"
    return f"largest for class {int(task.scores(values).argmax())}, read as {word}"
