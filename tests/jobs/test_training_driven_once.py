"""Training is driven in one place: a card's command makes the very same system again, whoever made the first."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from small_kinds import process

from tasklab.cli import main, parser, training
from tasklab.jobs import Job, run
from tasklab.jobs.training import RESULT, Training
from tasklab.system import System
from tasklab.tasks import INT, RBC, DeepBE
from tasklab.training import Adversarial, GaussianNoise, Recipe, Watch, fit
from tasklab.training.defences import PLANS

SMALL: dict[str, Any] = {"name": "my-small", "n": 200, "width": 4, "eps": [0.1], "attacked": 20}
SHORT: dict[str, Any] = {"epochs": 3, "batch_size": 10, "average": 0.9, "seed": 3}
CASES: dict[str, dict[str, Any]] = {
    "as the app does": {"recipe": SHORT, "watch": {"eps": 0.2, "steps": 2, "images": 20}},
    "intervals": {"task": {"task": "int", "s0": -1e-05}, "recipe": SHORT | {"inset": 0.4}, "contrast": [0.3, 0.7]},
    "from a fitted system": {"task": {"task": "tra"}, "start": "digits-rbc", "width": 32, "recipe": SHORT},
    "a code of one's own": {"task": {"task": "rbc", "code": [[k >> i & 1 for i in range(5)] for k in range(10)]},
                            "recipe": SHORT | {"defence": {"defence": "gaussian", "sigma": 0.1}}},
    "hardened, watched otherwise": {
        "recipe": SHORT | {"defence": {"defence": "adversarial", "eps": 0.2, "steps": 2, "step_size": None,
                                       "objective": "margin"}},
        "watch": {"eps": 0.05, "steps": 3, "images": 50},
    },
    "several seeds in half precision": {"recipe": SHORT, "seeds": 2, "store": "float16"},
}


def card_of(system: System) -> dict[str, Any]:
    """A card less what differs from run to run."""
    return {key: value for key, value in system.card.items() if key not in ("seconds", "name")}


@pytest.mark.parametrize("plan", PLANS)
def test_what_was_timed_in_training_is_told(plan: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy of the network that the inner attack runs on is the quickest here; elsewhere another one might be."""
    fitting = sys.modules[fit.__module__]
    job = Job.create(tmp_path / "job", "train", SMALL | CASES["hardened, watched otherwise"])
    monkeypatch.setattr(fitting, "probe", lambda network, x: PLANS[plan])  # type: ignore[index]
    list(run(job))
    first = System.load(job.folder / RESULT)
    assert first.card["recipe"]["defence"]["plan"] == plan
    monkeypatch.setattr(fitting, "probe", lambda network, x: pytest.fail("it was timed once more"))
    words = shlex.split(first.card["command"])
    assert main([*words[1:], "--to", str(tmp_path), "--run", str(tmp_path / "run")]) == 0
    second = System.load(tmp_path / "my-small.safetensors")
    again = second.network.state_dict()
    assert all(torch.equal(value, again[key]) for key, value in first.network.state_dict().items())
    assert card_of(first) == card_of(second)


@pytest.mark.parametrize("case", CASES)
def test_a_cards_command_is_what_made_it(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = Job.create(tmp_path / "job", "train", SMALL | CASES[case])
    list(run(job))
    assert job.outcome is not None and job.state == "done", job.outcome
    first = System.load(job.folder / RESULT)
    words = shlex.split(first.card["command"])
    assert words[:2] == ["tasklab", "train"]
    assert main([*words[1:], "--to", str(tmp_path), "--run", str(tmp_path / "run"), "--json"]) == 0
    second = System.load(tmp_path / "my-small.safetensors")
    assert first.task == second.task
    weights, again = first.network.state_dict(), second.network.state_dict()
    assert weights.keys() == again.keys() and all(torch.equal(weights[key], again[key]) for key in weights)
    assert json.dumps(card_of(first)) == json.dumps(card_of(second)), "byte for byte, the order included"
    printed = json.loads(capsys.readouterr().out)
    assert {key: printed[key] for key in card_of(first)} == card_of(first)
    assert set(first.card["seeds"]) == {str(3 + k) for k in range(SMALL.get("seeds", CASES[case].get("seeds", 1)))}


def test_the_command_names_the_threads_that_a_job_had(tmp_path: Path) -> None:
    """A job runs in a process with one thread; its command does so too, however many there are here."""
    job = Job.create(tmp_path / "job", "train", SMALL | CASES["as the app does"])
    with process(job.folder) as started:
        assert started.wait(300) == 0
    first = System.load(job.folder / RESULT)
    words = shlex.split(first.card["command"])
    assert words[words.index("--threads") + 1] == "1"
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert main([*words[1:], "--to", str(tmp_path), "--run", str(tmp_path / "run")]) == 0
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    second = System.load(tmp_path / "my-small.safetensors")
    again = second.network.state_dict()
    assert all(torch.equal(value, again[key]) for key, value in first.network.state_dict().items())
    assert second.card["threads"] == first.card["threads"] == 1


ODD = [
    Training(task=RBC(code=tuple(tuple(k >> i & 1 for i in range(6)) for k in range(10)))),
    Training(task=INT(s0=-1e-7), recipe=Recipe(lr=1e-9), device="cuda", seeds=3, store="float16"),
    Training(task=DeepBE(), watch=Watch(eps=8 / 255, steps=7, images=9), eps=()),
    Training(recipe=Recipe(defence=Adversarial(eps=1e-9, objective="train")), watch=Watch(eps=0.0)),
    Training(data="cifar10", recipe=Recipe(defence=GaussianNoise(sigma=1e-5)), name="läuft gut"),
]


@pytest.mark.parametrize("chosen", ODD, ids=range(len(ODD)))
def test_odd_settings_survive_the_command(chosen: Training) -> None:
    words = shlex.split(chosen.command(threads=3))
    args = parser().parse_args(words[1:])
    assert training.described(args) == chosen
    assert args.threads == 3


def test_a_job_of_several_seeds_goes_on_where_it_was_left(tmp_path: Path) -> None:
    settings = SMALL | CASES["several seeds in half precision"]
    whole, parts = (Job.create(tmp_path / name, "train", settings) for name in ("whole", "parts"))
    list(run(whole))
    for _ in range(100):
        left = iter([False] * 30 + [True])
        list(run(parts, left=lambda left=left: next(left)))
        if parts.state == "done":
            break
    assert parts.state == "done"
    assert [{k: v for k, v in event.items() if k not in ("at", "seconds")} for event in parts.events()
            if event["event"] != "begin"] == [
        {k: v for k, v in event.items() if k not in ("at", "seconds")} for event in whole.events()
        if event["event"] != "begin"]
    steps = [event["step"] for event in whole.events() if "step" in event]
    assert steps == sorted(set(steps))
    assert [event["epoch"] for event in whole.events() if event["event"] == "epoch"] == [1, 2, 3]
    assert [event["seed"] for event in whole.events() if event["event"] == "seed_epoch"] == [4, 4, 4]
    assert System.load(whole.folder / RESULT).card["seeds"] == System.load(parts.folder / RESULT).card["seeds"]
    assert not list(whole.folder.glob("run*")), "what was only for resuming is gone"


def test_the_command_leaves_the_epochs_of_each_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = shlex.split(Training.from_dict(SMALL | {"recipe": SHORT, "seeds": 2}).command())
    assert main([*words[1:], "--to", str(tmp_path), "--run", str(tmp_path / "run")]) == 0
    lines = [line.split(": loss")[0] for line in capsys.readouterr().err.splitlines() if ": epoch " in line]
    assert lines == [f"my-small-seed{seed} ({place}/3): epoch {number}/3"
                     for place, seed in ((1, 3), (2, 4)) for number in (1, 2, 3)]
    for seed in (3, 4):
        events = Job(tmp_path / "run" / f"my-small-seed{seed}").events()
        assert [event["epoch"] for event in events if event["event"] == "epoch"] == [1, 2, 3]
