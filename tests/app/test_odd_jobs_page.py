"""The pages of a visitor some of whose jobs are damaged: sentences, and buttons to remove them, never a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from visitors import TOKENS, clean, own_jobs, visit

from lab_ui.panels import training_runs
from lab_ui.visitor import identity, jobs
from tasklab.figures.training import describe_training, training_figure
from tests.jobs.mutated_jobs import write_job, write_neighbours


@pytest.fixture(autouse=True)
def _own_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with own_jobs(monkeypatch, tmp_path / "jobs"):
        yield


def damaged(root: Path, seeds: range, settings: dict[str, object] | None = None, kind: str = "train") -> Path:
    place = root / identity.folder_of(TOKENS["ann"]) / "jobs"
    for seed in seeds:
        folder = place / f"{kind[0]}{seed:05d}"
        write_job(folder, seed, kind, settings)
        if (folder / "queued").is_file():
            (folder / "queued").unlink()  # what begins is tested elsewhere
    return place


@pytest.mark.parametrize("first", [0, 40, 80, 120])
def test_the_train_page_among_damaged_jobs(first: int, tmp_path: Path) -> None:
    write_neighbours(tmp_path / "jobs")
    damaged(tmp_path / "jobs", range(first, first + 40))
    at = visit("train")
    boxes = [button for button in at.button if str(button.key).startswith("remove ")]
    assert boxes, "those that can be read can be removed"
    clean(boxes[0].click().run())
    assert boxes[0].key not in [button.key for button in at.button]


def test_hundreds_of_damaged_trainings_are_drawn_or_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged(tmp_path / "jobs", range(1000, 1400))
    monkeypatch.setattr(identity, "visitor", lambda: identity.folder_of(TOKENS["ann"]))
    views = jobs.mine("train")
    result = training_runs.own_runs("digits")
    assert len(views) > len(result) > 50
    for view in views:
        assert 0 <= view.progress <= 1 and isinstance(view.message, str) and view.title
    for run in result.values():
        training_figure(run.epochs, total=run.total, steps=run.steps)
        describe_training(run.epochs)
        run.at(0.1)


@pytest.mark.parametrize("page", ["robust", "attack_lab", "draw"])
def test_other_pages_among_damaged_jobs(page: str, tmp_path: Path) -> None:
    settings = {"system": "digits-rbc", "file": "/nowhere", "data": "digits", "n": 50, "eps": [0.1], "claim_eps": 0.1,
                "queries": 10, "sources": [], "seed": 0}
    write_neighbours(tmp_path / "jobs")
    damaged(tmp_path / "jobs", range(20), settings, "report")
    damaged(tmp_path / "jobs", range(20))
    visit(page)
