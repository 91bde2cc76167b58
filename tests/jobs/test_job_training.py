"""Training as a job: killed half-way it ends where it would have ended, and its result is a system like any other."""

from __future__ import annotations

import ast
import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from small_kinds import process, until

from tasklab import data, zoo
from tasklab.checkpoint import digest_of, read_card
from tasklab.cli import parser, training
from tasklab.jobs import Job, run
from tasklab.jobs.training import RESULT, Training, train
from tasklab.models import NetworkSpec
from tasklab.system import System
from tasklab.tasks import INT, RBC, TRA, DeepBE
from tasklab.training import Adversarial, GaussianNoise, Recipe, UniformNoise, Watch

SMALL: dict[str, Any] = {
    "name": "my-small", "n": 200, "width": 4, "eps": [0.1], "attacked": 20,
    "recipe": {"epochs": 4, "batch_size": 20, "average": 0.9}, "watch": {"eps": 0.2, "steps": 2, "images": 20},
}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return System.load(folder / RESULT).network.state_dict()


def equal(a: Path, b: Path) -> bool:
    first, second = weights(a), weights(b)
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def told(job: Job) -> list[dict[str, Any]]:
    """What the events say, less the times."""
    kept = [event for event in job.events() if event["event"] in ("step", "epoch")]
    return [{k: v for k, v in event.items() if k not in ("at", "seconds")} for event in kept]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """An undisturbed run, in a process like the disturbed ones."""
    job = Job.create(tmp_path_factory.mktemp("whole") / "job", "train", SMALL)
    with process(job.folder) as started:
        _, errors = started.communicate(timeout=300)
    assert (started.returncode, errors) == (0, "")
    return job


def test_it_leaves_a_measured_system(whole: Job) -> None:
    system = System.load(whole.folder / RESULT)
    test = data.load("digits", "test")
    right = float((system.predict(test.x()) == test.labels).float().mean())
    card = system.card
    assert card["metrics"][0]["accuracy"] == pytest.approx(right, abs=1e-6)
    assert [(row["attack"], row["objective"], row["eps"]) for row in card["metrics"][1:]] == [
        ("pgd", "train", 0.1), ("pgd", "margin", 0.1), ("pgd", "bits", 0.1)
    ]
    assert card["name"] == "my-small"
    assert card["data"] == {"name": "digits", "train": 200, "test": 400}
    progress = [event["progress"] for event in whole.events() if "progress" in event]
    assert progress == sorted(progress)
    assert progress[-1] == 1
    epochs = [event for event in whole.events() if event["event"] == "epoch"]
    assert [event["epoch"] for event in epochs] == [1, 2, 3, 4]
    assert all(event["own_loss_accuracy"] is not None for event in epochs)
    assert not (whole.folder / "run").exists(), "what was only for resuming is gone"


def test_killed_half_way_it_ends_with_the_same_weights(whole: Job, tmp_path: Path) -> None:
    job = Job.create(tmp_path / "job", "train", SMALL)
    with process(job.folder, "--attended") as started:
        until(lambda: sum(event["event"] == "epoch" for event in job.events()) >= 2)
        started.kill()
        started.wait()
    assert job.state == "interrupted"
    assert not (job.folder / RESULT).exists()
    job.resume()
    with process(job.folder, "--attended") as started:
        assert started.wait(300) == 0
    assert job.state == "done"
    assert equal(job.folder, whole.folder)
    assert told(job) == told(whole)


def test_stopped_again_and_again_it_ends_with_the_same_weights(whole: Job, tmp_path: Path) -> None:
    job = Job.create(tmp_path / "job", "train", SMALL)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(40):
            left = iter([False] * 6 + [True])
            list(run(job, left=lambda left=left: next(left)))
            if job.state == "done":
                break
    finally:
        torch.set_num_threads(threads)
    assert job.state == "done"
    assert equal(job.folder, whole.folder)
    assert told(job) == told(whole)


def test_an_epoch_that_was_kept_but_not_logged_is_logged(whole: Job, tmp_path: Path) -> None:
    job = Job.create(tmp_path / "job", "train", SMALL)
    for event in run(job):
        if event["event"] == "epoch" and event["epoch"] == 2:
            break
    lines = (job.folder / "events.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (job.folder / "events.jsonl").write_text("".join(line for line in lines if '"event": "epoch"' not in line[:20]
                                                     or json.loads(line)["epoch"] != 2), encoding="utf-8")
    list(run(job))
    assert [event["epoch"] for event in job.events() if event["event"] == "epoch"] == [1, 2, 3, 4]


def test_a_training_that_diverges_is_a_sentence(tmp_path: Path) -> None:
    settings = SMALL | {"recipe": {"epochs": 2, "batch_size": 20, "lr": 1e9, "optimizer": "sgd"}, "watch": None}
    job = Job.create(tmp_path, "train", settings)
    list(run(job))
    assert job.state == "failed"
    assert job.outcome is not None
    assert job.outcome.message.startswith("expected")
    assert job.outcome.message.endswith(".")
    assert "\n" not in job.outcome.message


WRONG: list[dict[str, Any]] = [
    {"name": "../up"}, {"name": ""}, {"data": "imagenet"}, {"n": 3}, {"attacked": 0}, {"arch": "gpt"}, {"eps": [-1]},
    {"task": {"task": "rbc", "S": -1}}, {"task": {"task": "rbc", "num_classes": 4}}, {"recipe": {"epochs": 0}},
    {"watch": {"eps": "much"}}, {"colour": "red"},
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda d: next(iter(d)))
def test_settings_are_checked_before_there_is_a_job(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises((ValueError, TypeError), match="expected"):
        Job.create(tmp_path / "job", "train", SMALL | wrong)


TRAININGS = [
    Training(),
    Training(name="a", task=TRA(), width=16, n=300, recipe=Recipe(epochs=3, flip=True, crop=1, seed=5)),
    Training(
        task=RBC(S=10, code="gray"), contrast=(0.3, 0.7), eps=(0.2,),
        recipe=Recipe(defence=Adversarial(eps=0.2, step_size=0.1, objective="train")),
    ),
    Training(task=DeepBE(loss_form="mse", bits=5), recipe=Recipe(defence=GaussianNoise(sigma=0.3))),
    Training(name="b", start="digits-tra", seeds=2, store="float16", attacked=50),
    Training(task=INT(alpha=2, beta=8, gap="floor"), recipe=Recipe(defence=UniformNoise(eps=0.1), inset=0.4)),
]


@pytest.mark.parametrize("chosen", TRAININGS, ids=lambda t: t.task.name)
def test_settings_survive_a_file_and_the_command_line(chosen: Training) -> None:
    again = Training.from_dict(json.loads(json.dumps(chosen.to_dict())))
    assert again == chosen
    words = chosen.command().split()
    assert words[:2] == ["tasklab", "train"]
    args = parser().parse_args(words[1:])
    assert training.described(args) == chosen


def test_code_that_starts_from_a_file_reads_it_whatever_its_name() -> None:
    for name in ("a \"b\".safetensors", "c\\new.safetensors", "é'.safetensors"):
        tree = ast.parse(Training(start=name).to_code())
        assert name in [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]


def test_the_untrained_system_is_the_one_of_the_command_line() -> None:
    system, train, validation = Training(n=100, task=INT()).begin()
    spec = system.network.spec
    assert isinstance(spec, NetworkSpec)
    assert (len(train), len(validation), len(spec.levels)) == (100, 300, 10)
    again, _, _ = Training(n=100, task=INT()).begin()
    assert all(torch.equal(a, b) for a, b in zip(system.network.parameters(), again.network.parameters(), strict=True))


def test_a_device_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    job = Job.create(tmp_path, "train", SMALL | {"device": "cuda:77"})
    list(run(job))
    assert job.outcome is not None
    assert job.outcome.message == "expected a device of this machine, got 'cuda:77'; try 'cpu'."


def test_a_watch_is_part_of_the_settings() -> None:
    chosen = Training(watch=Watch(eps=0.1, images=10))
    assert Training.from_dict(chosen.to_dict()).watch == Watch(eps=0.1, images=10)
    assert dataclasses.replace(chosen, watch=None).to_dict()["watch"] is None


def test_a_run_goes_on_only_from_the_system_that_it_started_from(tmp_path: Path) -> None:
    """Else the card would name a system that the weights never saw."""
    file = tmp_path / "the.base.safetensors"
    chosen = Training(n=64, recipe=Recipe(epochs=1, batch_size=32), eps=(), attacked=1, start=str(file))

    def finished(training_of: Training, run: str) -> dict[str, Any]:
        made = tmp_path / f"{run}.safetensors"
        for _ in train(training_of, runs=tmp_path / run, file=made):
            pass
        return read_card(made)

    for place, name in enumerate(("digits-tra", "digits-rbc")):
        shutil.copy(zoo.path(name), file)
        digest = digest_of(file)
        assert finished(chosen, name)["start"] == {"name": "the.base", "digest": digest}
        if place:
            with pytest.raises(ValueError, match="got others for start; try a new folder"):
                finished(chosen, "digits-tra")
    with pytest.raises(ValueError, match="got others for start; try a new folder"):
        finished(dataclasses.replace(chosen, start=None), "digits-tra")
