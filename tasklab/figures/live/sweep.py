"""One image under attack as a live figure: all results are sent at once, and dragging ε selects which one is shown.

`scene_data` makes the data for the browser; `scene_html` makes an HTML file of them that needs no server.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from tasklab.attacks import Settings
from tasklab.attacks.objectives import as_objective
from tasklab.attacks.registry import fields_of
from tasklab.data.radii import eps_said
from tasklab.experiments.sweep import Sweep
from tasklab.figures.describing import introduce
from tasklab.figures.live.page import live_page
from tasklab.figures.outputs import line_ends
from tasklab.figures.pictures import amplification
from tasklab.tasks import Task

Cells = Mapping[tuple[str, str], "Sweep | str"]
"""System and objective to a sweep, or to the sentence that says why there is none."""


def scene_html(
    cells: Cells, *, eps: float | None = None, title: str = "", names: Sequence[str] | None = None,
    titles: Mapping[str, str] | None = None, aims: Mapping[str, tuple[str, str]] | None = None,
    notes: Mapping[str, str] | None = None,
) -> str:
    """One image under attack, with ε to drag, as a complete HTML file; the arguments are those of `scene_data`.

    It needs no network.

    >>> from torch import nn
    >>> from tasklab.attacks import FGSM
    >>> from tasklab.experiments.sweep import sweep
    >>> from tasklab.system import System
    >>> from tasklab.tasks import make_task
    >>> system = System(nn.Sequential(nn.Flatten(), nn.Linear(4, 1)), make_task("int"))
    >>> result = sweep(system, torch.full((1, 1, 2, 2), 0.5), torch.tensor([0]), FGSM(eps=0), (0.0, 0.25))
    >>> page = scene_html({("my system", "margin"): result})
    >>> "<script" in page, "http://" in page or "https://" in page
    (True, False)
    """
    data = scene_data(cells, eps=eps, title=title, names=names, titles=titles, aims=aims, notes=notes)
    return live_page("Scene", data, title=title or "One image under attack")


def scene_data(
    cells: Cells, *, eps: float | None = None, title: str = "", names: Sequence[str] | None = None,
    titles: Mapping[str, str] | None = None, aims: Mapping[str, tuple[str, str]] | None = None,
    notes: Mapping[str, str] | None = None, coming: Sequence[float] = (),
) -> dict[str, Any]:
    """Everything that the figure shows, as plain values for JSON.

    Args:
        cells: sweeps of one image over the same values of ε (stops), for each system and each objective.
        eps: first position of the slider; by default in the middle.
        title: above the figure.
        names: of the classes; by default their numbers.
        titles: key of a system to its name.
        aims: key of an objective to its name and a sentence about it.
        notes: a term to its explanation, below the figure.
        coming: further stops on the slider, whose results will follow; until then the nearest result is shown.

    Raises:
        ValueError: there is no sweep, or the sweeps have different images or stops.
    """
    sweeps = [cell for cell in cells.values() if isinstance(cell, Sweep)]
    if not sweeps:
        raise ValueError("expected at least one sweep, got none; try sweep(system, x, y, PGD(eps=0.2))")
    one = sweeps[0]
    for other in sweeps:
        if other.stops != one.stops or other.label != one.label or not torch.equal(other.clean, one.clean):
            raise ValueError("expected sweeps of one image over the same stops, got different ones")
    track = sorted({*one.stops, *coming})
    names = [str(k) for k in range(one.task.num_classes)] if names is None else list(names)
    titles, aims = titles or {}, aims or {}
    rows = []
    for aim in dict.fromkeys(objective for _, objective in cells):
        heading, note = aims.get(aim, (f"“{aim}”", ""))
        rows.append({"key": aim, "title": heading, "note": note, "cells": [
            {"key": key, "title": titles.get(key, key)} | _cell(cell, names)
            for (key, objective), cell in cells.items() if objective == aim
        ]})
    data = {
        "title": title, "name": names[one.label], "label": one.label, "names": names,
        "shape": list(one.clean.shape[1:]), "clean": packed((one.clean * 255).round().to(torch.uint8)),
        "stops": [round(stop, 12) for stop in one.stops], "said": [eps_said(stop) for stop in one.stops],
        "numbers": [eps_said(stop, number=True) for stop in one.stops], "norm": one.settings.norm,
        "track": [round(stop, 12) for stop in track], "end": eps_said(track[-1], number=True),
        "how": how(one.settings),
        "aims": rows, "notes": dict(notes or {}),
    }
    identity = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]
    return data | {"id": identity, "eps": one.stops[len(one.stops) // 2] if eps is None else eps}


def how(settings: Settings) -> str:
    """The settings of an attack in a few words.

    >>> from tasklab.attacks import FGSM, PGD
    >>> how(PGD(eps=0.1, steps=10, random_start=False)), how(FGSM(eps=0.1))
    ('PGD, 10 steps, 1 start', 'FGSM, 1 step')
    """
    words = f"{type(settings).__name__}, {settings.steps} step{'s' * (settings.steps > 1)}"
    if "restarts" in fields_of(type(settings)):
        words += f", {settings.restarts} start{'s' * (settings.restarts > 1)}"
    return words + ", targeted" * settings.targeted


def _cell(cell: Sweep | str, names: Sequence[str]) -> dict[str, Any]:
    """One system under one objective; the changes of pixels are sent as shares of the largest, in 8 bits."""
    if isinstance(cell, str):
        return {"refused": cell}
    change = (cell.images - cell.clean).flatten(1)
    peak = change.abs().amax(dim=1)
    drawn = cell.task.drawn
    levels = (127 * change / torch.where(peak > 0, peak, 1)[:, None]).round().to(torch.int8)
    return {
        "kind": cell.task.answers, "objective": as_objective(cell.settings.objective).name,
        "chart": chart_data(cell.task, torch.cat([cell.clean_outputs[None], cell.outputs]), cell.label, names),
        "before": {"outputs": drawn(cell.clean_outputs[None])[0].tolist(), "decoded": cell.clean_decoded,
                   "margin": cell.clean_margin},
        "outputs": drawn(cell.outputs).tolist(), "decoded": cell.decoded.tolist(), "margins": cell.margins.tolist(),
        "fooled": cell.fooled.tolist(), "zero": cell.zero_gradient.tolist(), "unmoved": cell.unmoved.tolist(),
        "peak": peak.tolist(), "k": [amplification(cell.clean, image) for image in cell.images],
        "changes": packed(levels),
    }


def chart_data(task: Task, z: Tensor, label: int, names: Sequence[str], *, most: int = 10) -> dict[str, Any]:
    """What a chart of outputs needs besides the outputs.

    Args:
        task: decodes the outputs.
        z: all outputs ``(N, K)`` that the chart must have room for.
        label: the true class.
        names: of the classes.
        most: largest number of bars.
    """
    shared = {"all": list(names), "intro": introduce(task, label, names)}
    if (line := task.line) is not None:
        low, high = line_ends(line, z.flatten().tolist())
        every = max(1, math.ceil(task.num_classes / 20))
        shown = [k for k in range(task.num_classes) if k % every == 0 or k == label]
        return shared | {
            "kind": "line", "lower": list(line.lower), "upper": list(line.upper), "floor": line.floor,
            "end": line.end, "low": low, "high": high, "shown": shown, "names": list(names),
        }
    if (gauges := task.gauges) is not None:
        reach = 1.25 * max(gauges.rail or 1.0, float((z - gauges.threshold).abs().max()))
        return shared | {
            "kind": "gauges", "threshold": gauges.threshold, "rail": gauges.rail, "reach": reach,
            "signs": [2 * bit - 1 for bit in gauges.rows[label]],
        }
    z = task.scores(z)
    largest = z.amax(dim=0)
    largest[label] = torch.inf
    classes = sorted(largest.argsort(descending=True)[:most].tolist())
    low, high = min(0.0, float(z[:, classes].min())), max(0.0, float(z[:, classes].max()))
    room = 0.16 * ((high - low) or 1.0)
    return shared | {"kind": "bars", "classes": classes, "names": [names[k] for k in classes], "low": low - room / 2,
                     "high": high + room}


def packed(values: Tensor) -> str:
    """The bytes of a tensor as base64, for ``bytes`` and its like in the scripts."""
    return base64.b64encode(values.cpu().contiguous().numpy().tobytes()).decode()
