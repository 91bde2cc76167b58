"""The numbers and images of the start page, recorded in a file so that the page needs no torch.

It is one image of MNIST, attacked with one system's gradients and read by four systems, and the plane that explains
the result. ``python -m lab_ui.results.start_record`` in the app's folder writes the file again.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("start_record.json")

SYSTEMS = ("mnist-tra", "mnist-deepbe", "mnist-int", "mnist-rbc")
IMAGE, EPS, STEPS, AGAINST = 675, 0.1, 10, "mnist-rbc"
"""Index of the image, ε, number of steps, and the system whose decision is attacked: four systems then read it
in four ways."""

DRAGGED = tuple(round(0.01 * step, 2) for step in range(21))
"""The values of ε between which the start page lets a visitor drag."""


@lru_cache(maxsize=1)
def read() -> dict[str, Any]:
    """The record; shared by all visitors, so it must not be changed."""
    recorded: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return recorded


def record() -> dict[str, Any]:
    """Compute the record as plain data.

    Its views are ``clean``, and ``train`` and ``margin`` for attacks on `AGAINST` with these objectives, each with the
    image and what the four systems read. In ``own``, each system is attacked itself, with its margin.
    """
    from tasklab import data, zoo
    from tasklab.attacks import PGD, attack
    from tasklab.models.fast import PLAIN

    test = data.load("mnist", "test")
    x, y = test.x(IMAGE), test.labels[IMAGE : IMAGE + 1]
    systems = {name: zoo.load(name) for name in SYSTEMS}

    def attacked(name: str, objective: str, eps: float = EPS) -> Any:
        settings = PGD(eps=eps, steps=STEPS, random_start=False, keep="best", objective=objective, plan=PLAIN)
        return attack(systems[name], x, y, settings)

    def view(pixels: Any, result: Any = None) -> dict[str, Any]:
        return {
            "picture": _url(pixels), "zero_gradient": result is not None and bool(result.zero_gradient),
            "unmoved": bool((pixels == x).all()),
            "reads": [_answer(system, pixels, int(y)) for system in systems.values()],
        }

    results = {objective: attacked(AGAINST, objective) for objective in ("train", "margin")}
    own = [attacked(name, "margin") for name in SYSTEMS]
    return {
        "data": "mnist", "image": IMAGE, "label": int(y), "eps": EPS, "steps": STEPS, "against": AGAINST,
        "systems": [{"name": name} | _described(system) for name, system in systems.items()],
        "views": {"clean": view(x), **{name: view(result.images, result) for name, result in results.items()}},
        "own": [{"picture": _url(result.images)} | _answer(system, result.images, int(y))
                for system, result in zip(systems.values(), own, strict=True)],
        "drag": [{"eps": eps} | view(attacked(AGAINST, "margin", eps).images) for eps in DRAGGED],
        "plane": _plane(),
    }


def _described(system: Any) -> dict[str, Any]:
    """How a system answers; for a line, where its intervals lie."""
    line = system.task.line
    names = {"answers": system.task.answers, "long_name": system.task.long_name}
    if line is None:
        return names
    ends = ((end - line.lower[0]) / line.span for pair in zip(line.lower, line.upper, strict=True) for end in pair)
    places = [round(end, 3) for end in ends]
    return names | {"intervals": [list(p) for p in zip(places[::2], places[1::2], strict=True)]}


def _answer(system: Any, x: Any, label: int) -> dict[str, Any]:
    """What a system reads, and the outputs by which it does, as it would draw them: bars, bits or a place on a line."""
    from tasklab.figures.style import outcome_of

    task, z = system.task, system.read(x)
    decoded = int(task.codec.decode(z))
    values = task.drawn(z)[0]
    if (line := task.line) is not None:
        shape, drawn = "line", (values - line.lower[0]) / line.span
    elif (gauges := task.gauges) is not None:
        shape, drawn = "bits", ((values - gauges.threshold) / gauges.rail).clamp(-1.6, 1.6)
    else:
        shape, drawn = "bars", (values - values.min()) / (values.max() - values.min())
    return {"decoded": decoded, "outcome": outcome_of(decoded, label), "shape": shape,
            "drawn": [round(float(v), 2) for v in drawn]}


def _plane() -> dict[str, Any]:
    """RBC's plane, and the steps of an attack on the margin from a point where one on the training loss cannot move."""
    import torch

    from lab_ui.results import plane_systems
    from lab_ui.results.plane_systems import Plane
    from tasklab.tasks import make_task

    plane = Plane(data="spirals", n=300, noise=0.015, seed=0, epochs=60, task=make_task("rbc", num_classes=3))
    regions = plane_systems.read(plane, "train")
    followed = plane_systems.follow(plane, 5, 0.25)
    with torch.no_grad():
        return {"picture": _data_url(regions), "flat_share": round(regions.flat_share, 2),
                "trail": [[round(v, 3) for v in point] for point in followed.trajectories[1].points.tolist()]}


def _data_url(regions: Any) -> str:
    """Regions of the plane as a PNG in a data URL."""
    from tasklab.figures.regions import data_url, region_pixels

    return data_url(region_pixels(regions, 360))


def _url(x: Any) -> str:
    """An image as a PNG in a data URL."""
    import base64

    from tasklab import figures

    return "data:image/png;base64," + base64.b64encode(figures.to_png(figures.picture(x[0]))).decode()


if __name__ == "__main__":
    from tasklab import files, strict_json

    files.write_text(FILE, strict_json.dumps(record(), indent=1) + "\n")
