"""A table of worst cases: each cell is the ensemble's own, never run twice, and run again when anything changes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tasklab.attacks import PGD
from tasklab.evaluation import evaluate, worst_case
from tasklab.evaluation.worst_table import stream_worst_rows, worst_markdown
from tasklab.system import System
from tasklab.tasks import RBC
from tests.evaluation.linear_systems import EAST, NORTH, grey_images, linear

X = grey_images(40)
RADII = (0.02, 0.08)


def data_of(system: System) -> tuple[torch.Tensor, torch.Tensor]:
    return X, system.predict(X).clamp(min=0)


def test_every_cell_is_the_ensemble_beside_the_published_attack() -> None:
    systems = {"east": linear(EAST), "north": linear(NORTH)}
    rows = list(stream_worst_rows(systems, data_of(systems["east"]), RADII, preset="quick"))
    assert [(row.system, row.eps) for row in rows] == [(name, r) for name in systems for r in RADII]
    for row in rows:
        data = data_of(systems["east"])
        assert row.worst == worst_case(systems[row.system], data, row.eps, preset="quick").outcomes
        own = PGD(eps=row.eps, steps=20, objective="train", keep="last")
        clean, described = evaluate(systems[row.system], data, [own])
        assert (row.clean, row.own, row.flags) == (clean.outcomes, described.outcomes, described.flags)
        assert row.zero_gradient == described.zero_gradient
        assert sum(broken for _, _, broken in row.stages) == row.clean.correct - row.worst.correct


def test_a_fitted_rbc_is_flagged_and_its_worst_case_is_not_what_its_loss_says() -> None:
    system = linear(EAST, task=RBC(num_classes=2, S=0.0))
    (row,) = stream_worst_rows({"fitted": system}, data_of(system), [0.1], preset="quick")
    assert row.zero_gradient.value > 0.5, "all but those that the random start moved across"
    assert "masked" in row.flags and row.worst.correct < row.own.correct
    assert "masked" in worst_markdown([row])


def test_finished_cells_are_read_and_changed_systems_are_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = linear(EAST)
    (first,) = stream_worst_rows({"it": system}, data_of(system), [0.05], preset="quick", folder=tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr("tasklab.evaluation.worst_table.stream_worst_case", None)
        (again,) = stream_worst_rows({"it": system}, data_of(system), [0.05], preset="quick", folder=tmp_path)
        assert again == first
        changed = linear(EAST, size=20.0)
        with pytest.raises(TypeError):
            list(stream_worst_rows({"it": changed}, data_of(system), [0.05], preset="quick", folder=tmp_path))
    described = again.to_dict()
    worst = described["worst"]
    assert worst["correct"] + worst["wrong"] + worst["none"] == described["n"] == len(X)
    assert worst["low"] <= worst["accuracy"] <= worst["high"]
