"""What the start page shows, recorded so that it needs no torch: ``python -m lab_ui.opening`` in the app's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("opening.json")
AIMS = {"none": None, "train": "train", "margin": "margin"}


def read() -> dict[str, Any]:
    """What was recorded."""
    found: dict[str, Any] = json.loads(FILE.read_text())
    return found


def record() -> dict[str, Any]:
    """The picture, and what each system of the app's first scenario reads: as it is, and under its two attacks."""
    from lab_ui.words import kind
    from tasklab import data, figures, zoo
    from tasklab.figures.style import outcome_of
    from tasklab.scenario import Scenario

    scenario = Scenario()
    test = data.load(scenario.data, "test")
    x, label = test.x(scenario.image), int(test.labels[scenario.image])
    found = scenario.run()

    def answer(name: str, aim: str | None) -> dict[str, Any]:
        result = found[name, aim or "train"]
        decoded = int(result.clean_decoded if aim is None else result.decoded)
        return {
            "decoded": decoded, "outcome": outcome_of(decoded, label),
            "zero_gradient": aim is not None and bool(result.zero_gradient),
            "picture": _url(figures.picture(x if aim is None else result.images)),
        }

    return {
        "label": label, "image": scenario.image, "eps": scenario.eps, "steps": scenario.steps,
        "picture": _url(figures.picture(x)),
        "systems": [
            {"name": name, "answers": kind(zoo.load(name).task),
             **{aim: answer(name, objective) for aim, objective in AIMS.items()}}
            for name in scenario.systems
        ],
    }


def _url(pixels: Any) -> str:
    import base64

    from tasklab import figures

    return "data:image/png;base64," + base64.b64encode(figures.to_png(pixels)).decode()


if __name__ == "__main__":
    FILE.write_text(json.dumps(record(), indent=1) + "\n")
