"""The panels of the page “Codecs”: each task's codewords, intervals and loss as plain data for the browser."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pandas as pd
import torch

from lab_ui.basics.words import kind
from tasklab.codecs import Binary, Interval
from tasklab.codecs.codes import hadamard_code, random_code
from tasklab.tasks import INT, RBC, TRA, DeepBE, Task

CLASSES = 10
CODES = ("binary", "gray", "hadamard", "random")
MOST_TILES = 64
"""Up to this number, codewords are shown one by one."""

FARTHEST = 1e5
"""Largest absolute value of an output."""

LABEL = 3
START = {
    "tra": [-3.0, -1.0, 2.0, 6.5, -4.0, 1.0, -5.0, -2.0, 4.0, -1.5],
    "deepbe": [0.1, -0.1, 0.9, 0.7],
    "rbc": [-410.0, -380.0, 420.0, 120.0],
}
"""Outputs that the page opens with: all three read 3, and their losses differ in kind. INT opens in a gap."""


def tasks(
    *, S: float, code: str, bits: int, alpha: float, beta: float, s0: float, gap: str, loss_form: str
) -> dict[str, Task]:
    """The four tasks with these settings. ``bits`` is ignored for the Hadamard code, whose number of bits is fixed."""
    rows = hadamard_code(CLASSES) if code == "hadamard" else random_code(CLASSES, bits) if code == "random" else code
    width = None if code == "hadamard" else bits
    return {
        "int": INT(num_classes=CLASSES, s0=s0, alpha=alpha, beta=beta, gap=gap),  # type: ignore[arg-type]
        "rbc": RBC(num_classes=CLASSES, S=S, bits=width, code=rows),
        "deepbe": DeepBE(num_classes=CLASSES, bits=width, code=rows, loss_form=loss_form),  # type: ignore[arg-type]
        "tra": TRA(num_classes=CLASSES),
    }


def start(key: str, task: Task, label: int = LABEL) -> list[float]:
    """The outputs ``(width,)`` that a panel opens with."""
    if isinstance(task.codec, Interval):
        return [float(task.codec.upper[label]) + (task.codec.alpha / 2 or task.codec.beta)]  # in the gap
    if isinstance(task.codec, Binary) and (task.width != 4 or task.codec.rows[label] != (0, 0, 1, 1)):
        rail = _rail(task)
        return [task.codec.threshold + (2 * bit - 1) * rail for bit in task.codec.rows[label]]
    if isinstance(task, RBC):
        return [float(round(z * (task.S or 100) / 350)) for z in START[key]]
    return START[key]


def panel(key: str, task: Task, label: int) -> dict[str, Any]:
    """One panel as plain data: the task, and how it is drawn."""
    codec = task.codec
    shared = {"key": key, "title": key.upper() if key != "deepbe" else "DeepBE", "kind": kind(task),
              "width": task.width, "start": start(key, task, LABEL)}
    if isinstance(codec, Interval):
        lower, upper = codec.lower.tolist(), codec.upper.tolist()
        step = codec.alpha + codec.beta
        last = float(torch.tensor(codec.s0 + codec.num_classes * step, dtype=torch.float32))
        room = 0.12 * codec.span
        between = "None" if codec.gap == "abnormal" else "the class below"
        return shared | {
            "code": "line", "loss": "interval", "names": ["output on the number line"], "gap": codec.gap,
            "lower": lower, "upper": upper, "reach": [*lower[1:], last] if codec.gap == "floor" else upper,
            "shown": list(range(CLASSES)), "step": _step(codec.span / 400), "middle": codec.s0 + codec.span / 2,
            "span": [codec.s0 - room, max(last, upper[-1]) + room],
            "words": f"β = {codec.beta:g} long each, gaps of α = {codec.alpha:g} read as {between}. "
            "Dashed: the loss along the line, 0 inside the label's own interval.",
        }
    if isinstance(codec, Binary):
        rail, total = _rail(task), 2**codec.width
        reach = 1.7 * rail
        spare = f"{total:,} codewords, {CLASSES} mean a class, {total - CLASSES:,} mean None."
        hinge = not isinstance(task, DeepBE) or task.loss_form == "hinge"
        zone = " Dark ground: loss exactly 0." if hinge else " Its loss is 0 nowhere but on a codeword."
        if isinstance(task, DeepBE) and task.loss_form == "bce":
            zone = " Its loss is 0 nowhere."
        return shared | {
            "code": "bits", "loss": task.loss_form if isinstance(task, DeepBE) else "hinge",
            "names": [f"bit {i + 1}" for i in range(codec.width)], "threshold": codec.threshold, "rail": rail,
            "margin": task.S if isinstance(task, RBC) else 0.0, "rows": [list(row) for row in codec.rows],
            "step": _step(reach / 100), "middle": codec.threshold, "tiles": _tiles(codec),
            "span": [codec.threshold - reach, codec.threshold + reach], "words": spare + zone,
        }
    return shared | {
        "code": "scores", "loss": "cross-entropy", "names": [f"score of {k}" for k in range(CLASSES)], "step": 0.1,
        "middle": 0.0, "span": [-10.0, 10.0],
        "words": "The largest score wins: there is no None, and the loss is never quite 0.",
    }


def numbers(sent: Any, width: int) -> list[float] | None:
    """Outputs from a link or a browser, as a list of ``width`` numbers; None where they are not valid."""
    parts = sent.split(",") if isinstance(sent, str) else sent
    try:
        outputs = [float(part) for part in parts]
    except (OverflowError, TypeError, ValueError):
        return None
    return outputs if len(outputs) == width and all(abs(z) <= FARTHEST for z in outputs) else None


def table(made: dict[str, Task]) -> pd.DataFrame:
    """One row for each class: the ends of its interval, and its bits."""
    line, bits = made["int"].codec, made["rbc"].codec
    assert isinstance(line, Interval) and isinstance(bits, Binary)
    return pd.DataFrame({
        "class": range(CLASSES), "lower": line.lower.tolist(), "upper": line.upper.tolist(),
        "bits": ["".join(map(str, row)) for row in bits.rows],
    })


def code(made: dict[str, Task], outputs: dict[str, list[float]], label: int) -> str:
    """Python that decodes these outputs and computes their losses and gradients with the library alone."""
    lines = ["import torch", "", "from tasklab import make_task", "", f"y = torch.tensor([{label}])", "decoded = {}"]
    for key, task in made.items():
        settings = task.to_dict()
        defaults = type(task)().to_dict()
        given = ", ".join(f"{name}={value!r}" for name, value in settings.items() if value != defaults[name])
        lines += [
            "",
            f'{key} = make_task("{key}"{", " * bool(given)}{given})',
            f"z = torch.tensor([{outputs[key]}], requires_grad=True)",
            f"loss = {key}.loss(z, y)",
            "(gradient,) = torch.autograd.grad(loss.sum(), z)",
            f'decoded["{key}"] = {key}.codec.decode(z.detach()).item()  # -1 is None',
            f'print("{key}", decoded["{key}"], loss.item(), gradient.tolist())',
        ]
    return "\n".join(lines)


def _rail(task: Task) -> float:
    """Distance of the rails from the threshold; a visible one where S = 0."""
    return (task.S or 100.0) if isinstance(task, RBC) else 0.5


def _tiles(codec: Binary) -> list[dict[str, Any]] | None:
    """All codewords with their labels, -1 for None; None where there are too many."""
    if 2**codec.width > MOST_TILES:
        return None
    labels = {row: k for k, row in enumerate(codec.rows)}
    return [{"bits": "".join(map(str, bits)), "label": labels.get(bits, -1)}
            for bits in itertools.product((0, 1), repeat=codec.width)]


def _step(about: float) -> float:
    """A round number of about this size: 1, 2 or 5 times a power of ten."""
    unit = 10.0 ** math.floor(math.log10(about))
    return float(next(factor for factor in (5, 2, 1) if factor * unit <= about * 1.25) * unit)
