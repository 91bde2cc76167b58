"""A run that was stopped, by whatever means, ends bit for bit where it would have ended."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import digits, epochs, equal_weights, logged, system_of, trained, weights, without_seconds

from tasklab.models.fast import PLAIN
from tasklab.system import System
from tasklab.tasks import INT, RBC, TRA, Task
from tasklab.training import Adversarial, GaussianNoise, Recipe, Run, RunError, StepEvent, TrainingDiverged, fit, loop

BASE = Recipe(epochs=2, batch_size=30, lr=5e-3)
SETTINGS: dict[str, tuple[Task, Recipe]] = {
    "adamw": (RBC(), BASE),
    "sgd": (TRA(), dataclasses.replace(BASE, optimizer="sgd", lr=0.05)),
    "average": (RBC(), dataclasses.replace(BASE, average=0.9)),
    "adversarial": (TRA(), dataclasses.replace(BASE, defence=Adversarial(eps=0.05, steps=2), average=0.5)),
    "noise": (INT(), dataclasses.replace(BASE, defence=GaussianNoise(sigma=0.1), inset=0.1)),
    "augmented": (RBC(), dataclasses.replace(BASE, flip=True, crop=2)),
}
PER_EPOCH = 4
WHOLE = 2 * (PER_EPOCH + 1)


@pytest.fixture(autouse=True)
def no_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """How the inner attack is run is chosen by the clock, which a test cannot rely on."""
    monkeypatch.setattr(loop, "probe", lambda network, x: PLAIN)


def go(name: str, run: Path | None, stop: int | None = None) -> tuple[System, list[str]]:
    task, recipe = SETTINGS[name]
    system, events = trained(
        task, recipe, train=digits(125), validation=digits(60, "validation"), run=run, width=4, stop=stop
    )
    return system, without_seconds(events)


@pytest.mark.parametrize("name", SETTINGS)
def test_stopped_anywhere_it_ends_the_same(name: str, tmp_path: Path) -> None:
    whole, expected = go(name, tmp_path / "whole")
    bare, without_run = go(name, None)
    assert equal_weights(whole, bare)
    assert expected == without_run
    stops = range(1, WHOLE + 1) if name == "adamw" else (1, PER_EPOCH, PER_EPOCH + 1, WHOLE - 2, WHOLE - 1)
    for stop in stops:
        run = tmp_path / f"stopped-{stop}"
        _, seen = go(name, run, stop)
        again, rest = go(name, run)
        assert seen + rest == expected, f"stopped after {stop} events"
        assert equal_weights(again, whole), f"stopped after {stop} events"
        assert logged(Run(run).events()) == logged(Run(tmp_path / "whole").events())
        assert System.load(run / "best.safetensors").task == SETTINGS[name][0]
    assert equal_weights(System.load(tmp_path / "whole" / "best.safetensors"), whole)


@pytest.mark.parametrize("name", ["adamw", "adversarial"])
def test_stopped_again_and_again_it_ends_the_same(name: str, tmp_path: Path) -> None:
    whole, expected = go(name, None)
    seen: list[str] = []
    while len(seen) < len(expected):
        _, part = go(name, tmp_path, min(3, len(expected) - len(seen)))
        seen += part
    again, rest = go(name, tmp_path)
    assert seen == expected
    assert rest == []
    assert equal_weights(again, whole)


@pytest.mark.parametrize("every", ["epoch", "step"])
def test_a_folder_as_it_is_at_any_moment_is_enough(every: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a kill leaves behind is the folder as it was."""
    if every == "step":
        monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", -1.0)
    whole, expected = go("average", None)
    task, recipe = SETTINGS["average"]
    validation = digits(60, "validation")
    running = fit(system_of(task, width=4), digits(125), recipe, validation=validation, run=tmp_path / "run")
    for moment, _ in enumerate(running):
        shutil.copytree(tmp_path / "run", tmp_path / str(moment))
    for moment in (0, 2, PER_EPOCH, PER_EPOCH + 2, WHOLE - 1):
        again, rest = go("average", tmp_path / str(moment))
        assert equal_weights(again, whole), moment
        assert rest == expected[-len(rest):] if rest else moment == WHOLE - 1
        events = Run(tmp_path / str(moment)).events()
        assert [event["epoch"] for event in events] == [1, 2]


def test_a_run_that_is_killed_ends_the_same(tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        import sys, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import torch
        torch.set_num_threads({torch.get_num_threads()})
        from test_resume import SETTINGS, digits, fit, system_of
        task, recipe = SETTINGS["augmented"]
        events = fit(system_of(task, width=4), digits(125), recipe, validation=digits(60, "validation"),
                     run={str(tmp_path / "run")!r})
        for count, event in enumerate(events):
            if count == {PER_EPOCH + 2}:
                print("now", flush=True)
                time.sleep(300)
    """)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=environment,
                               encoding="utf-8")
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "now\n"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]
    whole, expected = go("augmented", None)
    again, rest = go("augmented", tmp_path / "run")
    assert rest == expected[PER_EPOCH + 1 :], "from the end of the first epoch on"
    assert equal_weights(again, whole)
    assert len(Run(tmp_path / "run").events()) == 2


def test_a_diverged_run_keeps_its_last_good_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, expected = go("adamw", None)
    task, recipe = SETTINGS["adamw"]
    system = system_of(task, width=4)
    events = fit(system, digits(125), recipe, validation=digits(60, "validation"), run=tmp_path)
    for _ in range(PER_EPOCH + 2):
        next(events)
    content = (tmp_path / "last.safetensors").read_bytes()
    with torch.no_grad():
        system.network.head.linear.weight.fill_(torch.nan)  # type: ignore[union-attr]
    with pytest.raises(TrainingDiverged, match=r"got nan at step 6 of 8; .* the checkpoint before it is kept in"):
        next(events)
    assert (tmp_path / "last.safetensors").read_bytes() == content
    again, rest = go("adamw", tmp_path)
    assert rest == expected[PER_EPOCH + 1 :]
    assert equal_weights(again, whole)


def test_a_first_epoch_that_diverges_promises_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(TrainingDiverged) as caught:
        trained(TRA(), Recipe(epochs=2, batch_size=30, lr=1e30, optimizer="sgd"), run=tmp_path)
    assert "kept" not in str(caught.value)
    assert not (tmp_path / "last.safetensors").exists()


def test_a_finished_run_gives_its_result_again(tmp_path: Path) -> None:
    whole, _ = go("adversarial", tmp_path)
    again, events = go("adversarial", tmp_path)
    assert events == []
    assert equal_weights(again, whole)


def test_other_settings_in_the_same_folder_are_refused(tmp_path: Path) -> None:
    go("adamw", tmp_path, 2)
    task, recipe = SETTINGS["adamw"]
    data = digits(125)
    wrong = {
        "recipe": (system_of(task, width=4), data, dataclasses.replace(recipe, seed=1)),
        "task": (system_of(RBC(S=3), width=4), data, recipe),
        "network": (system_of(task, width=6), data, recipe),
        "data": (system_of(task, width=4), digits(124), recipe),
    }
    for part, (system, train, changed) in wrong.items():
        with pytest.raises(RunError, match=rf"expected the settings of the run in .*, got .*{part}.*; try a new"):
            fit(system, train, changed, run=tmp_path)
    assert go("adamw", tmp_path)[1], "the run itself is none the worse"


DAMAGES = {
    "settings.json": [b"", b"{", b"[1, 2]", b"\xff\xfe\x00", b"3"],
    "last.safetensors": [b"", b"not this", None],
}


@pytest.mark.parametrize(
    ("name", "content"), [(name, content) for name, contents in DAMAGES.items() for content in contents]
)
def test_a_damaged_folder_is_refused(name: str, content: bytes | None, tmp_path: Path) -> None:
    go("adamw", tmp_path, PER_EPOCH + 2)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-100] if content is None else content)
    with pytest.raises(RunError, match=r"expected .*, got .*; try"):
        go("adamw", tmp_path)


FOREIGN = {
    "lost": None,
    "empty": b"",
    "no JSON": b"{oops}\n",
    "no text": b"\xff\xff\x00\n",
    "no events": b"7\n[]\n",
    "too deep": b"[" * 100_000 + b"\n",
    "another run's": b'{"epoch": 1, "accuracy": 0.1, "best": false, "seconds": 9}\n' * 3,
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("stop", [PER_EPOCH + 2, WHOLE])
def test_events_that_are_lost_come_from_the_checkpoint(
    stop: int, content: bytes | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole, expected = go("adamw", tmp_path / "whole")
    go("adamw", tmp_path / "run", stop)
    file = tmp_path / "run" / "events.jsonl"
    file.unlink() if content is None else file.write_bytes(content)
    again, rest = go("adamw", tmp_path / "run")
    assert rest == expected[stop:]
    assert equal_weights(again, whole)
    assert logged(Run(tmp_path / "run").events()) == logged(Run(tmp_path / "whole").events())
    assert [record.levelname for record in caplog.records].count("WARNING") == 1
    assert "restored from the checkpoint" in caplog.text


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["tasklab.training.run"], "PATIENCE", 0.1)
    whole, expected = go("adamw", None)
    task, recipe = SETTINGS["adamw"]

    def begin() -> Any:
        return fit(system_of(task, width=4), digits(125), recipe, validation=digits(60, "validation"), run=tmp_path)

    first = begin()
    seen = without_seconds([next(first)])
    with pytest.raises(RunError, match=r"expected a folder in which nobody trains, got .*this same process.*; close"):
        begin()
    seen += without_seconds(first)
    assert seen == expected, "the first is not disturbed"
    again, rest = go("adamw", tmp_path)
    assert rest == [] and equal_weights(again, whole), "its end gives the folder back"
    unused = begin()
    unused.close()
    del unused
    begin().close()
    script = (f"from pathlib import Path; from tasklab.lock import Lock; import sys\n"
              f"with Lock(Path({str(tmp_path / 'lock')!r})):\n    print('now', flush=True); sys.stdin.read()")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          env=environment, encoding="utf-8") as process:
        assert process.stdout is not None and process.stdout.readline() == "now\n"
        with pytest.raises(RunError, match=r"where another process does; wait until it has ended, or try another"):
            begin()
        process.kill()
    begin().close()


def test_what_killed_writers_left_is_removed(tmp_path: Path) -> None:
    go("adamw", tmp_path, PER_EPOCH + 2)
    left = [".last.safetensors.ab12_x9z", ".best.safetensors.deadbeef", ".events.jsonl.4711", ".settings.json.12"]
    mine = [".last.safetensors.backup", ".notes.deadbeef", "last.safetensors.bak", ".last.safetensors"]
    for name in left + mine:
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / ".best.safetensors.0000000f").mkdir()
    go("adamw", tmp_path)
    there = {path.name for path in tmp_path.iterdir()}
    assert not there & set(left)
    assert there >= {*mine, ".best.safetensors.0000000f"}


@pytest.mark.parametrize("kind", ["a system", "another network", "no state", "half a state"])
def test_a_checkpoint_of_something_else_is_refused(kind: str, tmp_path: Path) -> None:
    go("adamw", tmp_path, PER_EPOCH + 2)
    last = tmp_path / "last.safetensors"
    if kind == "a system":
        shutil.copy(tmp_path / "best.safetensors", last)
    elif kind == "another network":
        trained(SETTINGS["adamw"][0], BASE, train=digits(125), run=tmp_path / "other", width=6, stop=2)
        shutil.copy(tmp_path / "other" / "last.safetensors", last)
    else:
        from tasklab.checkpoint import read_tensors, write_tensors

        tensors, metadata = read_tensors(last)
        state = json.loads(metadata["state"])
        state.pop("step")
        write_tensors(last, tensors, {"state": json.dumps(state if kind == "half a state" else [])})
    with pytest.raises(RunError, match=r"expected .*, got .*; try a new folder"):
        go("adamw", tmp_path)


def test_a_flipped_bit_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    go("adamw", tmp_path, PER_EPOCH + 2)
    last, draw = tmp_path / "last.safetensors", random.Random(5)
    whole, others = last.read_bytes(), {path: path.read_bytes() for path in tmp_path.iterdir() if path != last}
    for _ in range(40):
        content = bytearray(whole)
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        last.write_bytes(content)
        with pytest.raises(RunError, match=r"expected .*, got .* try a new folder"):
            go("adamw", tmp_path)
        assert last.read_bytes() == content
        assert {path: path.read_bytes() for path in tmp_path.iterdir() if path != last} == others
    last.write_bytes(whole)
    again, _ = go("adamw", tmp_path)
    assert equal_weights(again, go("adamw", None)[0])


def test_a_run_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    from tasklab.checkpoint import read_tensors

    go("adamw", tmp_path, PER_EPOCH + 2)
    tensors, metadata = read_tensors(tmp_path / "last.safetensors")
    save_file(tensors, tmp_path / "last.safetensors", metadata)
    again, _ = go("adamw", tmp_path)
    assert equal_weights(again, go("adamw", None)[0])


def test_a_half_written_event_is_left_out(tmp_path: Path) -> None:
    whole, expected = go("adamw", None)
    go("adamw", tmp_path, PER_EPOCH + 2)
    with (tmp_path / "events.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"epoch": 2, "acc')
    assert len(Run(tmp_path).events()) == 1
    again, rest = go("adamw", tmp_path)
    assert rest == expected[PER_EPOCH + 2 :]
    assert equal_weights(again, whole)
    assert [event["epoch"] for event in Run(tmp_path).events()] == [1, 2]
    assert all(json.loads(line) for line in (tmp_path / "events.jsonl").read_text(encoding="utf-8").splitlines())


def test_no_files_are_left_over(tmp_path: Path) -> None:
    _, events = trained(RBC(), BASE, train=digits(125), run=tmp_path, width=4)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best.safetensors", "events.jsonl", "last.safetensors", "lock", "settings.json",
    ]
    assert len(Run(tmp_path).events()) == len(epochs(events)) == 2
    assert isinstance(events[0], StepEvent)
    assert len(weights(System.load(tmp_path / "best.safetensors"))) > 10
