"""The recorded curves: whole, of the shipped systems, and such as the job would log again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasklab import zoo
from tasklab.curves import KEPT, recorded
from tasklab.jobs import Job, recording, run
from tasklab.jobs.recording import EXTRA, gather, main, settings_of
from tasklab.jobs.training import Training


def test_every_shipped_system_of_digits_has_its_curves() -> None:
    assert {*zoo.names("digits", where=zoo.folder()), *EXTRA} == set(recorded())


@pytest.mark.parametrize("name", sorted(recorded()))
def test_what_is_recorded_is_whole(name: str) -> None:
    entry = recorded()[name]
    training = Training.from_dict(entry["settings"])
    assert training == Training.from_dict(settings_of(name)), "as the command would train it today"
    assert [row["epoch"] for row in entry["epochs"]] == list(range(1, training.recipe.epochs + 1))
    assert all(set(row) == {"epoch", *KEPT} for row in entry["epochs"])
    assert entry["epochs"][entry["epoch"] - 1]["best"]
    assert all(0 <= row[field] <= 1 for row in entry["epochs"]
               for field in ("accuracy", "robust_accuracy", "own_loss_accuracy"))


@pytest.mark.parametrize("name", [name for name in sorted(recorded()) if name not in EXTRA])
def test_it_is_the_training_of_the_system_that_is_shipped(name: str) -> None:
    """Adversarial training times its inner attack, so only the others repeat to the last digit of the clean images."""
    card, entry = zoo.card(name, where=zoo.folder()), recorded()[name]
    adversarial = (entry["settings"]["recipe"]["defence"] or {}).get("defence") == "adversarial"
    described = {(row["objective"], row["eps"]): row["correct"] for row in card["metrics"]}
    again = {(row["objective"], row["eps"]): row["correct"] for row in entry["metrics"]}
    assert described.keys() == again.keys()
    if not adversarial:
        assert (entry["epoch"], again[None, 0.0]) == (card["epoch"], described[None, 0.0])
    assert max(abs(again[key] - described[key]) for key in described) <= (20 if adversarial else 5), "of 400"


def test_the_lesson_it_holds() -> None:
    last = recorded()["digits-rbc"]["epochs"][-1]
    assert last["own_loss_accuracy"] > 0.7
    assert last["robust_accuracy"] < 0.02
    correct = last["own_loss_zero_gradient"]
    assert last["own_loss_accuracy"] == pytest.approx(correct * last["accuracy"], abs=0.03), "no gradient, no attack"
    assert recorded()["digits-tra"]["epochs"][-1]["own_loss_zero_gradient"] == 0


def test_it_records_what_a_job_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"data": "digits", "n": 100, "width": 4, "recipe": {"epochs": 2, "batch_size": 20}, "eps": [0.1],
             "attacked": 10, "watch": {"eps": 0.1, "steps": 2, "images": 10}}
    monkeypatch.setattr(recording, "settings_of", lambda name: small | {"name": name})
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert main([str(tmp_path / "jobs"), "digits-a", "--to", str(tmp_path)]) == 0
    first = json.loads((tmp_path / "curves.json").read_text(encoding="utf-8"))
    entry = recorded(where=tmp_path)["digits-a"]
    logged = [event for event in Job(tmp_path / "jobs" / "digits-a").events() if event["event"] == "epoch"]
    accuracies = [event["accuracy"] for event in logged]
    assert [row["accuracy"] for row in entry["epochs"]] == pytest.approx(accuracies, abs=1e-5)
    other = Job.create(tmp_path / "jobs" / "digits-b", "train", small | {"name": "digits-b"})
    list(run(other))
    assert set(gather(tmp_path / "jobs")) == {"digits-a", "digits-b"}
    assert main([str(tmp_path / "jobs"), "digits-a", "--to", str(tmp_path)]) == 0, "what is done is taken up"
    assert json.loads((tmp_path / "curves.json").read_text(encoding="utf-8"))["digits-a"] == first["digits-a"]


def test_nothing_recorded_is_nothing(tmp_path: Path) -> None:
    assert recorded(where=tmp_path) == {}
