"""Jobs of kind "report": study one system, and keep what was found as ``report.json``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasklab import data, files, strict_json, zoo
from tasklab.evaluation.studies import digest
from tasklab.evaluation.study import TransferSources, stream_study
from tasklab.system import System

RESULT = "report.json"
MOST = 1000
"""Pictures that a report may use."""

DEFAULTS: dict[str, Any] = {
    "system": "", "file": None, "data": "digits", "n": 200, "eps": None, "claim_eps": None, "queries": 500,
    "sources": [], "seed": 0,
}


def check(settings: dict[str, Any]) -> dict[str, Any]:
    """``file``: the system's checkpoint; ``system``: what it is called; ``sources``: in the zoo; see `stream_study`.

    Radii that are None become those customary on the data set.

    Raises:
        ValueError: an unknown setting, or a value that is refused.
    """
    if unknown := sorted(settings.keys() - DEFAULTS.keys()):
        raise ValueError(f"expected settings of a report among {', '.join(DEFAULTS)}, got {', '.join(unknown)}")
    found = DEFAULTS | settings
    if found["data"] not in data.DATASETS:
        raise ValueError(f"expected a data set, one of {', '.join(data.DATASETS)}, got {found['data']!r}")
    radii = data.DATASETS[found["data"]].radii
    found["eps"] = list(radii.curve) if found["eps"] is None else found["eps"]
    found["claim_eps"] = radii.usual if found["claim_eps"] is None else found["claim_eps"]
    for name, most in (("n", MOST), ("queries", 10_000)):
        if isinstance(found[name], bool) or not isinstance(found[name], int) or not 1 <= found[name] <= most:
            raise ValueError(f"expected {name} as an integer in 1..{most}, got {found[name]!r}")
    if not isinstance(found["file"], str) or not Path(found["file"]).is_file():
        raise ValueError(f"expected the file of a system, got {found['file']!r}")
    asked = [*found["eps"], found["claim_eps"]]
    if not all(isinstance(radius, float) and 0 < radius < 1 for radius in asked):
        raise ValueError(f"expected radii between 0 and 1, got {asked}")
    for name in found["sources"]:
        zoo.path(name)  # its error is raised now
    return found


def run(settings: dict[str, Any], folder: Path) -> Iterator[dict[str, Any]]:
    """`stream_study` in ``folder``; ``report.json`` is there when it is done."""
    chosen = check(settings)
    file = Path(chosen["file"])
    system, images = System.load(file), data.load(chosen["data"], "test")
    images = images.subset(min(chosen["n"], len(images)))
    sources = TransferSources({name: zoo.load(name) for name in chosen["sources"]}, images, seed=chosen["seed"])
    for event in stream_study(
        system, images, name=chosen["system"], eps=chosen["eps"], claim_eps=chosen["claim_eps"], sources=sources,
        queries=chosen["queries"], seed=chosen["seed"], folder=folder,
    ):
        study = event.pop("study", None)
        if study is not None:
            files.write_text(folder / RESULT, strict_json.dumps(study | {"file": digest(file)}) + "\n")
        yield event
