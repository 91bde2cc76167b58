"""Jobs of the kind "report": measure the robustness of one system; the result is ``report.json``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasklab import data, zoo
from tasklab.evaluation.report_file import digest, write_report
from tasklab.evaluation.reporting import TransferSources, stream_report
from tasklab.system import System

RESULT = "report.json"
MOST = 1000
"""Largest number of images of a report."""

DEFAULTS: dict[str, Any] = {
    "system": "", "file": None, "data": "digits", "n": 200, "eps": None, "claim_eps": None, "queries": 500,
    "sources": [], "seed": 0,
}


def check(settings: dict[str, Any]) -> dict[str, Any]:
    """Check the settings: ``file``, a checkpoint; ``system``, its name; ``sources``, in the zoo; see `stream_report`.

    An ε that is None becomes the usual one of the data set.

    Raises:
        ValueError: a setting is unknown or not valid.
    """
    if unknown := sorted(settings.keys() - DEFAULTS.keys()):
        raise ValueError(f"expected settings of a report among {', '.join(DEFAULTS)}, got {', '.join(unknown)}")
    values = DEFAULTS | settings
    if values["data"] not in data.DATASETS:
        raise ValueError(f"expected a data set, one of {', '.join(data.DATASETS)}, got {values['data']!r}")
    radii = data.DATASETS[values["data"]].radii
    values["eps"] = list(radii.curve) if values["eps"] is None else values["eps"]
    values["claim_eps"] = radii.usual if values["claim_eps"] is None else values["claim_eps"]
    for name, most in (("n", MOST), ("queries", 10_000)):
        if isinstance(values[name], bool) or not isinstance(values[name], int) or not 1 <= values[name] <= most:
            raise ValueError(f"expected {name} as an integer in 1..{most}, got {values[name]!r}")
    if not isinstance(values["file"], str) or not Path(values["file"]).is_file():
        raise ValueError(f"expected the file of a system, got {values['file']!r}")
    asked = [*values["eps"], values["claim_eps"]]
    if not all(isinstance(radius, float) and 0 < radius < 1 for radius in asked):
        raise ValueError(f"expected radii between 0 and 1, got {asked}")
    for name in values["sources"]:
        zoo.path(name)  # raises an error if there is no such system
    return values


def run(settings: dict[str, Any], folder: Path) -> Iterator[dict[str, Any]]:
    """Run `stream_report` in ``folder``; at the end it writes ``report.json``."""
    chosen = check(settings)
    file = Path(chosen["file"])
    system, images = System.load(file), data.load(chosen["data"], "test")
    images = images.subset(min(chosen["n"], len(images)))
    sources = TransferSources({name: zoo.load(name) for name in chosen["sources"]}, images, seed=chosen["seed"])
    for event in stream_report(
        system, images, name=chosen["system"], eps=chosen["eps"], claim_eps=chosen["claim_eps"], sources=sources,
        queries=chosen["queries"], seed=chosen["seed"], folder=folder, file=digest(file),
    ):
        if event.report is not None:
            write_report(event.report, folder / RESULT)
        kind = "row" if event.report is None else "report"
        yield {"event": kind, "progress": event.progress, "message": event.message}
