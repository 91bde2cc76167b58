"""The plane around one image as a live figure: a point is dragged through the plane, and the image follows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import torch

from tasklab.codecs import ABNORMAL
from tasklab.data.radii import eps_said
from tasklab.experiments.ground import Ground
from tasklab.figures.ground import WAYS, describe_ground, what_attacks_do
from tasklab.figures.live.page import live_page
from tasklab.figures.live.sweep import chart_data, how, packed
from tasklab.figures.regions import (
    INK,
    PAPER,
    arrows,
    class_colour,
    climbed,
    data_url,
    labelled_places,
    name_of,
    region_pixels,
)


def ground_html(seen: Ground, *, heading: str = "", title: str = "", classes: Sequence[str] = ()) -> str:
    """The plane through an image, with a point to drag, as a complete HTML file that needs no network.

    The arguments are those of `ground_data`.
    """
    data = ground_data(seen, heading=heading, title=title, classes=classes)
    return live_page("Ground", data, title=heading or "The plane around one image")


def ground_data(seen: Ground, *, heading: str = "", title: str = "", classes: Sequence[str] = ()) -> dict[str, Any]:
    """Everything that the figure shows, as plain values for JSON.

    Each position to which the point can be dragged is the middle of a cell, so all numbers shown are the network's own.

    Args:
        seen: from `tasklab.experiments.ground.ground`.
        heading: above the figure.
        title: name of the system.
        classes: the names of the classes; by default their numbers.
    """
    names = [name_of(classes, k) for k in range(seen.task.num_classes)]
    outputs = seen.outputs.flatten(0, 1)
    marks = arrows(seen)
    data = {
        "heading": heading, "title": title, "side": seen.side, "label": seen.label, "names": names,
        "shape": list(seen.clean.shape[1:]), "clean": packed((255 * seen.clean).round().to(torch.uint8)),
        "directions": packed(255 * seen.directions), "picture": data_url(region_pixels(seen)),
        "chart": chart_data(seen.task, outputs, seen.label, names), "outputs": packed(seen.task.drawn(outputs)),
        "decoded": seen.decoded.flatten().tolist(), "flat": seen.flat.flatten().int().tolist(),
        "loss": packed(seen.value), "margin": packed(seen.margin), "change": packed(seen.change),
        "eps": seen.settings.eps, "eps_said": eps_said(seen.settings.eps), "norm": seen.settings.norm,
        "how": how(seen.settings), "ways": [WAYS[way] for way in seen.spanned_by], "ink": INK, "paper": PAPER,
        "arrows": [
            [*_at(x, y), round(angle), int(zero), class_colour(k)] for x, y, angle, zero, k in
            zip(*(column.tolist() for column in (marks.x, marks.y, marks.angle, marks.zero, marks.read)), strict=True)
        ],
        "words": [[*_at(x, y), "None" if k == ABNORMAL else names[k], "" if k == ABNORMAL else class_colour(k)]
                  for k, x, y in labelled_places(seen, seen.paths)],
        "outline": [_at(x, y) for x, y in seen.outline.tolist()],
        "paths": [
            {"objective": path.objective, "aim": climbed(path.objective), "way": WAYS[path.objective],
             "moved": path.moved, "end": path.end, "points": [_at(x, y) for x, y in path.points.tolist()]}
            for path in seen.paths
        ],
        "lead": what_attacks_do(seen, names), "description": describe_ground(title or "This system", seen, names),
    }
    return data | {"id": hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]}


def _at(x: float, y: float) -> list[float]:
    return [round(x, 4), round(y, 4)]
