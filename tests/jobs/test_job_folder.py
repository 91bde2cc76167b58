"""A job is its folder: what is in it, what state that means, and one job in it at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small_kinds import KINDS, KINDS_HERE, numbers

from tasklab.jobs import Busy, Job, JobError, run
from tasklab.lock import Lock, Locked, is_held


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, module in KINDS_HERE.items():
        monkeypatch.setitem(KINDS, name, module)


def count(folder: Path, **settings: Any) -> Job:
    return Job.create(folder, "count", settings)


def test_a_new_job_is_queued_and_whole(tmp_path: Path) -> None:
    job = count(tmp_path / "job", to=3)
    assert (job.state, job.events(), job.outcome) == ("queued", [], None)
    assert Job(tmp_path / "job").settings == {"to": 3, "seconds": 0.0, "fail_at": 0, "how": "value"}
    assert job.queued_at >= job.created - 1


@pytest.mark.parametrize(
    ("kind", "settings"), [("count", {"colour": 1}), ("cook", {}), ("count", ["to"]), ("train", {"S": 3})]
)
def test_what_a_kind_refuses_leaves_no_folder(kind: str, settings: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected"):
        Job.create(tmp_path / "job", kind, settings)
    assert not (tmp_path / "job").exists()


def test_a_folder_holds_one_job(tmp_path: Path) -> None:
    count(tmp_path)
    with pytest.raises(JobError, match="expected a folder without a job"):
        count(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": 9, "kind": "count", "settings": {}}'])
def test_a_folder_without_a_job_says_so(content: str, tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text(content, encoding="utf-8")
    with pytest.raises(JobError, match="expected a job in"):
        Job(tmp_path)
    with pytest.raises(JobError, match="expected a job in"):
        Job(tmp_path / "nowhere")


def test_it_runs_to_its_end(tmp_path: Path) -> None:
    job = count(tmp_path, to=4)
    seen = [(event["event"], job.state) for event in run(job)]
    assert seen == [("begin", "running")] + [("number", "running")] * 4
    assert job.state == "done"
    assert job.outcome is not None and job.outcome.message == "counted 4"
    assert numbers(job.events()) == [1, 2, 3, 4]
    assert all(event["odd"] is None and event["at"] > 0 for event in job.events()[1:]), "JSON has no NaN"
    assert list(run(job)) == [], "what is done is not done again"


def test_leaving_is_an_interruption_and_it_goes_on(tmp_path: Path) -> None:
    job = count(tmp_path, to=6)
    running = run(job)
    for _ in range(4):  # begin, 1, 2, 3: the last is not kept
        next(running)
    running.close()
    assert job.state == "interrupted"
    assert numbers(list(run(job))) == [3, 4, 5, 6]
    assert numbers(job.events()) == [1, 2, 3, 4, 5, 6], "what is repeated replaces what was logged"
    assert job.state == "done"


def test_asked_to_leave_it_leaves_in_order(tmp_path: Path) -> None:
    job = count(tmp_path, to=6)
    assert numbers(list(run(job, left=lambda: True))) == [1]
    assert job.state == "interrupted"


def test_stop_and_resume(tmp_path: Path) -> None:
    job = count(tmp_path, to=6)
    for event in run(job):
        if event.get("step") == 3:
            job.stop()
    assert job.state == "stopped"
    assert numbers(list(run(job))) == [], "it stays stopped until somebody resumes it"
    assert job.state == "stopped"
    job.resume()
    assert job.state == "queued"
    assert numbers(list(run(job))) == [3, 4, 5, 6]
    assert job.state == "done"


def test_stopped_before_it_began(tmp_path: Path) -> None:
    job = count(tmp_path)
    job.stop()
    assert job.state == "stopped"
    assert numbers(list(run(job))) == []
    assert job.outcome is not None and job.outcome.message == "Stopped before it began."


@pytest.mark.parametrize(
    ("how", "words"),
    [("value", "expected a number that counts, got none; try 3."), ("key", "KeyError: 'lost'."),
     ("memory", "There is not enough memory for this."), ("silent", "RuntimeError.")],
)
def test_a_failure_is_one_sentence_and_can_be_tried_again(how: str, words: str, tmp_path: Path) -> None:
    job = count(tmp_path, fail_at=3, how=how)
    assert numbers(list(run(job))) == [1, 2]
    assert job.state == "failed"
    assert job.outcome is not None and job.outcome.message == words
    job.resume()
    assert job.state == "queued"
    assert numbers(list(run(job))) == []
    assert job.state == "failed"


def test_two_cannot_run_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasklab.jobs.running.PATIENCE", 0.1)
    job = count(tmp_path)
    first = run(job)
    next(first)
    with pytest.raises(Busy, match="runs already"):
        next(run(Job(tmp_path)))
    for use in (job.resume, job.delete):
        with pytest.raises(Busy, match="stop it first"):
            use()
    assert numbers(list(first)) == [1, 2, 3, 4, 5], "the first is not disturbed"
    assert job.state == "done"


def test_looking_does_not_take_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_held(path)
    with Lock(path):
        assert is_held(path)
        with pytest.raises(Locked), Lock(path):
            pass
    assert not is_held(path)
    with Lock(path):
        pass


def test_half_a_line_and_foreign_lines_are_left_out(tmp_path: Path) -> None:
    job = count(tmp_path)
    list(run(job))
    with (tmp_path / "events.jsonl").open("a", encoding="utf-8") as file:
        file.write('not json\n7\n{"event": "number", "st')
    assert numbers(job.events()) == [1, 2, 3, 4, 5]
    job.resume()
    (tmp_path / "kept").write_text("3", encoding="utf-8")
    assert numbers(list(run(job))) == [4, 5]
    assert [event["event"] for event in job.events()].count("begin") == 2
    assert numbers(job.events()) == [1, 2, 3, 4, 5]


def test_an_outcome_that_does_not_read_is_none(tmp_path: Path) -> None:
    job = count(tmp_path)
    list(run(job))
    (tmp_path / "outcome.json").write_text(json.dumps({"state": "done"}), encoding="utf-8")
    assert job.state == "interrupted"


@pytest.mark.parametrize("changed", [
    {"created": None}, {"created": "today"}, {"created": True}, {"created": 1e400}, {"settings": None},
    {"settings": []}, {"kind": 3}, {"format": "1"},
])
def test_a_job_with_something_else_in_it_is_none(changed: dict[str, Any], tmp_path: Path) -> None:
    count(tmp_path)
    content = json.loads((tmp_path / "job.json").read_text("utf-8"))
    (tmp_path / "job.json").write_text(json.dumps(content | changed), "utf-8")
    with pytest.raises(JobError, match="expected a job in"):
        Job(tmp_path)


@pytest.mark.parametrize("line", [
    '{"event": 3}', '{"event": "number", "step": "x"}', '{"event": "number", "progress": NaN}', "[" * 100_000,
    '{"event": "number", "step": 1' + "0" * 400 + "}", '{"event": "number", "message": []}', '{"step": 1}',
])
def test_what_is_no_event_is_left_out(line: str, tmp_path: Path) -> None:
    job = count(tmp_path)
    list(run(job))
    with (tmp_path / "events.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    assert numbers(job.events()) == [1, 2, 3, 4, 5]
    job.rewind(3)
    assert numbers(job.events()) == [1, 2]


@pytest.mark.parametrize("changed", [{"state": "odd"}, {"state": []}, {"message": 3}, {"at": "then"}, {"at": 1e400}])
def test_an_outcome_with_something_else_in_it_is_none(changed: dict[str, Any], tmp_path: Path) -> None:
    job = count(tmp_path)
    list(run(job))
    content = json.loads((tmp_path / "outcome.json").read_text("utf-8"))
    (tmp_path / "outcome.json").write_text(json.dumps(content | changed), "utf-8")
    assert job.outcome is None


def test_a_full_disk_ends_a_job_without_a_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device", str(tmp_path))

    job = count(tmp_path, fail_at=3)
    for event in run(job):
        if event.get("step") == 1:
            monkeypatch.setattr(Job, "end", full)
    monkeypatch.undo()
    assert job.state == "interrupted"


def test_what_killed_writers_left_goes_when_it_runs_again(tmp_path: Path) -> None:
    job = count(tmp_path)
    for name in (".system.safetensors.0a1b2c3d", ".outcome.json.4711", ".events.jsonl.ab12_x9z"):
        (tmp_path / name).write_text("half", "utf-8")
    list(run(job))
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_delete(tmp_path: Path) -> None:
    job = count(tmp_path / "job")
    job.delete()
    assert not (tmp_path / "job").exists()
