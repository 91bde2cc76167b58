"""The panels of the page “Codecs”: each task's codewords, intervals and loss as plain data for the browser."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pandas as pd
import torch

from tasklab.codecs.codes import hadamard_code, random_code
from tasklab.tasks import Gauges, Line, Task, make_task

CLASSES = 10
CODES = ("binary", "gray", "hadamard", "random")
MOST_TILES = 64
"""The largest number of codewords that are shown one by one."""

FARTHEST = 1e5
"""Largest absolute value of an output."""

LABEL = 3
START = {
    "tra": [-3.0, -1.0, 2.0, 6.5, -4.0, 1.0, -5.0, -2.0, 4.0, -1.5],
    "deepbe": [0.1, -0.1, 0.9, 0.7],
    "rbc": [-410.0, -380.0, 420.0, 120.0],
}
"""Outputs that the page opens with: all three mean 3, and their losses differ in kind. INT opens in a gap."""


def tasks(
    *, S: float, code: str, bits: int, alpha: float, beta: float, s0: float, gap: str, loss_form: str
) -> dict[str, Task]:
    """The four tasks with these settings. ``bits`` is ignored for the Hadamard code, whose number of bits is fixed."""
    rows = hadamard_code(CLASSES) if code == "hadamard" else random_code(CLASSES, bits) if code == "random" else code
    width = None if code == "hadamard" else bits
    return {
        "int": make_task("int", num_classes=CLASSES, s0=s0, alpha=alpha, beta=beta, gap=gap),
        "rbc": make_task("rbc", num_classes=CLASSES, S=S, bits=width, code=rows),
        "deepbe": make_task("deepbe", num_classes=CLASSES, bits=width, code=rows, loss_form=loss_form),
        "tra": make_task("tra", num_classes=CLASSES),
    }


def start(key: str, task: Task, label: int = LABEL) -> list[float]:
    """The outputs ``(width,)`` that a panel opens with."""
    if (line := task.line) is not None:
        return [line.upper[label] + (line.alpha / 2 or line.beta)]  # in the gap
    if (gauges := task.gauges) is None:
        return START[key]
    if gauges.rows[label] != (0, 0, 1, 1):
        return [gauges.threshold + (2 * bit - 1) * _rail(gauges) for bit in gauges.rows[label]]
    if gauges.margin is not None:
        return [float(round(z * _rail(gauges) / 350)) for z in START[key]]
    return START[key]


def panel(key: str, task: Task, label: int) -> dict[str, Any]:
    """One panel as plain data: the task, and how it is drawn."""
    shared = {"key": key, "title": task.title, "kind": task.answers,
              "width": task.width, "start": start(key, task, LABEL)}
    if (line := task.line) is not None:
        return shared | _interval_panel(line)
    if (gauges := task.gauges) is not None:
        return shared | _bit_panel(gauges)
    return shared | {
        "code": "scores", "loss": "cross-entropy", "names": [f"score of {k}" for k in range(CLASSES)], "step": 0.1,
        "middle": 0.0, "span": [-10.0, 10.0],
        "words": "The largest score wins: there is no None, and the loss is never quite 0.",
    }


def _interval_panel(line: Line) -> dict[str, Any]:
    start, room = line.start, 0.12 * line.span
    last = float(torch.tensor(start + CLASSES * (line.alpha + line.beta), dtype=torch.float32))
    between = "the class below" if line.floor else "None"
    return {
        "code": "line", "loss": "interval", "names": ["output on the number line"],
        "gap": "floor" if line.floor else "abnormal", "lower": list(line.lower), "upper": list(line.upper),
        "reach": [*line.lower[1:], last] if line.floor else list(line.upper),
        "shown": list(range(CLASSES)), "step": _step(line.span / 400), "middle": start + line.span / 2,
        "span": [start - room, max(last, line.upper[-1]) + room],
        "words": f"Each interval is β = {line.beta:g} long, each gap is α = {line.alpha:g} long and means {between}. "
        "The dashed curve is the loss along the line, which is 0 inside the label's interval.",
    }


def _bit_panel(gauges: Gauges) -> dict[str, Any]:
    rail, total = _rail(gauges), 2**gauges.width
    reach = 1.7 * rail
    spare = f"Of {total:,} codewords, {CLASSES} mean a class and {total - CLASSES:,} mean None."
    zone = {"hinge": " Where the blue is stronger, the loss is exactly 0.", "bce": " The loss is never 0."}.get(
        gauges.loss, " The loss is 0 only on the codeword of the label."
    )
    return {
        "code": "bits", "loss": gauges.loss, "names": [f"bit {i + 1}" for i in range(gauges.width)],
        "threshold": gauges.threshold, "rail": rail, "margin": gauges.margin or 0.0,
        "rows": [list(row) for row in gauges.rows], "step": _step(reach / 100), "middle": gauges.threshold,
        "tiles": _tiles(gauges), "span": [gauges.threshold - reach, gauges.threshold + reach], "words": spare + zone,
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
    line, bits = made["int"].line, made["rbc"].gauges
    assert line is not None and bits is not None
    return pd.DataFrame({
        "class": range(CLASSES), "lower": line.lower, "upper": line.upper,
        "bits": ["".join(map(str, row)) for row in bits.rows],
    })


def code(made: dict[str, Task], outputs: dict[str, list[float]], label: int) -> str:
    """Python that decodes these outputs and computes their losses and gradients with the library alone."""
    lines = ["import torch", "", "from tasklab import make_task", "", f"y = torch.tensor([{label}])", "decoded = {}"]
    for key, task in made.items():
        settings = task.to_dict()
        defaults = type(task)().to_dict()
        arguments = ", ".join(f"{name}={value!r}" for name, value in settings.items() if value != defaults[name])
        lines += [
            "",
            f'{key} = make_task("{key}"{", " * bool(arguments)}{arguments})',
            f"z = torch.tensor([{outputs[key]}], requires_grad=True)",
            f"loss = {key}.loss(z, y)",
            "(gradient,) = torch.autograd.grad(loss.sum(), z)",
            f'decoded["{key}"] = {key}.codec.decode(z.detach()).item()  # -1 is None',
            f'print("{key}", decoded["{key}"], loss.item(), gradient.tolist())',
        ]
    return "\n".join(lines)


def _rail(gauges: Gauges) -> float:
    """Distance of the rails from the threshold; a visible one where S = 0."""
    return gauges.rail or 100.0


def _tiles(gauges: Gauges) -> list[dict[str, Any]] | None:
    """All codewords with their labels, -1 for None; None where there are too many."""
    if 2**gauges.width > MOST_TILES:
        return None
    labels = {row: k for k, row in enumerate(gauges.rows)}
    return [{"bits": "".join(map(str, bits)), "label": labels.get(bits, -1)}
            for bits in itertools.product((0, 1), repeat=gauges.width)]


def _step(about: float) -> float:
    """A round number of about this size: 1, 2 or 5 times a power of ten."""
    unit = 10.0 ** math.floor(math.log10(about))
    return float(next(factor for factor in (5, 2, 1) if factor * unit <= about * 1.25) * unit)
