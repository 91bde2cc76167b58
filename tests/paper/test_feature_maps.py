"""Figure 3: its numbers are those of the library, and its claims follow from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import silhouette_score
from small_cells import TINY, cell

from tasklab import data
from tasklab.embedding import neighbour_accuracy, read_features
from tasklab.paper import features
from tasklab.paper.cells import Workshop, make
from tasklab.paper.features import SYSTEMS, Features, chosen
from tasklab.paper.records import Record, to_hex, write_record
from tasklab.system import System

N = 120


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "IMAGES", N)


def figure(folder: Path) -> Features:
    return Features(data=("digits",), archs=("small_cnn",), folder=folder, scale=TINY)


def test_the_numbers_are_the_library_s(tmp_path: Path) -> None:
    workshop, drawn = Workshop(folder=tmp_path), figure(tmp_path)
    list(make(workshop, cell("tra"), ()))
    (work,) = [each for each in drawn.works() if each.cells == (cell("tra"),)]
    work.make(workshop)
    file = workshop.weights(cell("tra"))
    assert file is not None
    test, rows = data.load("digits", "test"), chosen(400, N)
    points, labels = read_features(System.load(file), test.x(torch.from_numpy(rows))), test.labels.numpy()[rows]
    results = {(number.of["points"], number.what): number.value.value for number in drawn.numbers()}
    assert results["features", "silhouette"] == pytest.approx(silhouette_score(points, labels), abs=1e-4)
    assert results["features", "k-NN accuracy"] == pytest.approx(neighbour_accuracy(points, labels))
    own = points[labels == 3] - points[labels == 3].mean(axis=0)
    values = np.linalg.svd(own.astype(np.float64))[1]
    described = work.read(tmp_path)
    assert described is not None and described["features"]["elongation"]["3"] == pytest.approx(values[0] / values[1])
    assert drawn.missing == [name for of in ("deepbe", "int", "rbc") for name in (cell(of).name,)] + [
        each.name for each in drawn.works()[1:]]


def written(folder: Path, elongation: dict[str, float], astray: int) -> Features:
    """The figure after made-up records: how long each system's classes are, and how many images are among others."""
    drawn = figure(folder)
    for method, work in zip(SYSTEMS, drawn.works(), strict=True):
        of = cell(method.key)
        write_record(folder, of, Record(name=of.name, method=method.name, card={}, weights="0" * 32))
        which = torch.arange(N) >= astray
        shape: dict[str, Any] = {
            "silhouettes": [0.5] * N, "neighbours": to_hex(which), "separation": {str(k): 2.0 + k for k in range(10)},
            "elongation": {str(k): elongation[method.name] + k / 10 + (k % 2) / 50 for k in range(10)},
        }
        if method.name == "RBC":  # a class is left out where it has no second direction
            del shape["elongation"]["9"]
        results = {"labels": [k % 10 for k in range(N)], "positions": [[k, k % 7] for k in range(N)],
                 "features": shape, "map": shape}
        work.write(folder, ["0" * 32], results)
    return drawn


def test_a_claim_holds_or_does_not_by_the_classes(tmp_path: Path) -> None:
    drawn = written(tmp_path, {"TRA": 1.5, "DeepBE": 1.5, "INT": 1.2, "RBC": 4.0}, astray=0)
    verdicts = {claim.statement.split(", features: ")[1]: claim.verdict for claim in drawn.claims()
                if "map:" not in claim.statement}
    assert verdicts["the classes of RBC are longer and narrower than those of TRA"] == "holds"
    assert verdicts["the classes of INT are longer and narrower than those of TRA"] == "does not hold"
    assert verdicts["no two classes of RBC intersect"] == "holds"
    drawn = written(tmp_path, {"TRA": 1.5, "DeepBE": 1.5, "INT": 1.2, "RBC": 4.0}, astray=1)
    assert {claim.verdict for claim in drawn.claims() if "intersect" in claim.statement} == {"does not hold"}
    assert drawn.missing == [] and len(drawn.drawn().data) == 4 * 11, "ten classes and their names in each panel"
    assert {trace.marker.color for trace in drawn.drawn().data if trace.name == "3"} == {"orange"}


def test_a_map_of_other_weights_is_made_again(tmp_path: Path) -> None:
    drawn = written(tmp_path, {"TRA": 1.5, "DeepBE": 1.5, "INT": 1.2, "RBC": 4.0}, astray=0)
    write_record(tmp_path, cell("rbc"), Record(name=cell("rbc").name, method="RBC", card={}, weights="1" * 32))
    assert drawn.missing == [drawn.works()[3].name]
    assert [step.cell for step in drawn.plan(Workshop(folder=tmp_path))] == [cell("rbc")]


def test_a_map_that_was_altered_is_one_sentence(tmp_path: Path) -> None:
    drawn = written(tmp_path, {"TRA": 1.5, "DeepBE": 1.5, "INT": 1.2, "RBC": 4.0}, astray=0)
    file = tmp_path / f"{drawn.works()[0].name}.json"
    for wrong in ({"found": {"a": 1}}, {"found": {}}, {"digest": ""}):
        content = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps(content | wrong), encoding="utf-8")
        with pytest.raises(ValueError, match=r"got a file that cannot be read .*; try removing it"):
            drawn.works()[0].read(tmp_path)
        file.write_text(json.dumps(content), encoding="utf-8")
