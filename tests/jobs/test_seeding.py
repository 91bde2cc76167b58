"""The seeds of a training run as jobs of their own make the system that one process makes."""

from __future__ import annotations

from pathlib import Path

import torch

from tasklab.jobs.executing import InTurn
from tasklab.jobs.seeding import train_seeds
from tasklab.jobs.training import RESULT, train
from tasklab.jobs.training_settings import Training
from tasklab.system import System
from tasklab.training import Recipe

THREE = Training(name="mine", n=200, width=4, attacked=10, eps=(0.1,), seeds=3,
                 recipe=Recipe(epochs=1, batch_size=40, seed=5))


def test_the_system_and_its_card_are_those_of_one_process(tmp_path: Path) -> None:
    for _event in train(THREE, runs=tmp_path / "run", file=tmp_path / RESULT):
        pass
    events = list(train_seeds(THREE, tmp_path / "jobs", InTurn()))
    ends = [(event["name"], event["place"], event["state"]) for event in events if event["event"] == "ended"]
    assert ends == [("mine-seed5", 0, "done"), ("mine-seed6", 1, "done"), ("mine-seed7", 2, "done"),
                    ("mine", 3, "done")]
    assert sum(event["event"] == "epoch" and event["name"] == "mine" for event in events) <= 1, "it only measures"
    one, other = System.load(tmp_path / RESULT), System.load(tmp_path / "jobs" / "mine" / RESULT)
    states = one.network.state_dict(), other.network.state_dict()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    for key in ("seeds", "epoch", "recipe", "command", "name", "data"):
        assert one.card[key] == other.card[key], key
    assert len(one.card["seeds"]) == 3
    again = [event["event"] for event in train_seeds(THREE, tmp_path / "jobs", InTurn())]
    assert again == [], "nothing is made twice"


def test_a_seed_that_fails_leaves_the_system_unmade(tmp_path: Path) -> None:
    events = train_seeds(THREE, tmp_path, InTurn())
    for event in events:
        if event["event"] == "begin" and event["name"] == "mine-seed6":
            (tmp_path / "mine-seed6" / "run").write_text("in the way", encoding="utf-8")
            break
    ends = {event["name"]: event["state"] for event in events if event["event"] == "ended"}
    assert ends == {"mine-seed6": "failed", "mine-seed7": "done"}
