"""A job as a process of its own: killed, terminated, deserted by whoever started it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from small_kinds import KINDS, KINDS_HERE, numbers, process, until

from tasklab.jobs import Job, run


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, module in KINDS_HERE.items():
        monkeypatch.setitem(KINDS, name, module)


def slow(folder: Path) -> Job:
    return Job.create(folder, "count", {"to": 2000, "seconds": 0.05})


def begun(job: Job) -> bool:
    return len(numbers(job.events())) >= 3


def test_it_says_what_happens(tmp_path: Path) -> None:
    Job.create(tmp_path, "count", {"to": 3})
    with process(tmp_path) as started:
        out, errors = started.communicate(timeout=120)
    assert (started.returncode, out, errors) == (0, "counted 1\ncounted 2\ncounted 3\n", "")


def test_a_failure_is_its_exit_code_and_its_last_line(tmp_path: Path) -> None:
    Job.create(tmp_path, "count", {"fail_at": 2})
    with process(tmp_path) as started:
        _, errors = started.communicate(timeout=120)
    assert started.returncode == 1
    assert errors.splitlines()[-1] == "expected a number that counts, got none; try 3."


def test_no_job_is_a_sentence(tmp_path: Path) -> None:
    with process(tmp_path / "nowhere") as started:
        _, errors = started.communicate(timeout=120)
    assert started.returncode == 2
    assert errors.startswith("expected a job in")
    assert errors.count("\n") == 1


def test_killed_it_is_interrupted_and_goes_on(tmp_path: Path) -> None:
    job = slow(tmp_path)
    with process(tmp_path, "--attended") as started:
        until(lambda: begun(job))
        assert job.state == "running"
        started.kill()
        started.wait()
    assert job.state == "interrupted"
    before = max(numbers(job.events()))
    events = run(job, left=lambda: max(numbers(job.events())) > before + 2)
    again = numbers(list(events))
    assert again[0] in (before, before + 1), "from the last number that was kept"
    assert numbers(job.events()) == list(range(1, again[-1] + 1))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_terminated_it_stops_in_order(number: int, tmp_path: Path) -> None:
    job = slow(tmp_path)
    with process(tmp_path) as started:
        until(lambda: begun(job))
        started.send_signal(number)
        assert started.wait(60) == 3
    assert job.state == "stopped"


def test_the_stop_file_stops_it(tmp_path: Path) -> None:
    job = slow(tmp_path)
    with process(tmp_path, "--attended") as started:
        until(lambda: begun(job))
        job.stop()
        assert started.wait(60) == 3
    assert job.state == "stopped"


def test_deserted_it_leaves_and_can_go_on(tmp_path: Path) -> None:
    job = slow(tmp_path)
    with process(tmp_path, "--attended") as started:
        until(lambda: begun(job))
        assert started.stdin is not None
        started.stdin.close()
        assert started.wait(60) == 4
    assert job.state == "interrupted"


def test_told_that_others_wait_it_leaves_and_can_go_on(tmp_path: Path) -> None:
    job = slow(tmp_path)
    with process(tmp_path, "--attended") as started:
        until(lambda: begun(job))
        assert started.stdin is not None
        started.stdin.write("others wait\n")
        started.stdin.flush()
        assert started.wait(60) == 4
    assert job.state == "interrupted"


def test_a_disk_that_takes_nothing_is_a_sentence(tmp_path: Path) -> None:
    job = Job.create(tmp_path, "count", {"to": 3})
    (tmp_path / "events.jsonl").mkdir()
    with process(tmp_path, "--attended") as started:
        _, errors = started.communicate(timeout=120)
    assert started.returncode == 2
    assert errors.startswith("A file could not be read or written: ") and errors.count("\n") == 1
    assert job.outcome is None


def test_two_processes_cannot_run_one_folder(tmp_path: Path) -> None:
    job = slow(tmp_path)
    with process(tmp_path, "--attended") as first:
        until(lambda: begun(job))
        with process(tmp_path, "--attended") as second:
            _, errors = second.communicate(timeout=120)
        assert second.returncode == 2
        assert "runs already" in errors
        assert first.poll() is None
        so_far = len(numbers(job.events()))
        until(lambda: len(numbers(job.events())) > so_far)


def test_started_by_hand_a_stopped_job_goes_on(tmp_path: Path) -> None:
    job = Job.create(tmp_path, "count", {"to": 4})
    job.stop()
    assert list(run(job)) and job.state == "stopped"
    with process(tmp_path) as started:
        started.communicate(timeout=120)
    assert (started.returncode, job.state) == (0, "done")
