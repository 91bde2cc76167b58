"""The queue: capped, by turns; what dies takes nothing with it, and what is on disk is enough."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from visitors import scheduling, until

from lab_ui.basics.refusal import Refused
from lab_ui.visitor import scheduler as module
from lab_ui.visitor.places import ray_words
from lab_ui.visitor.scheduler import Scheduler
from tasklab.jobs import KINDS, Job, JobError
from tasklab.lock import Lock
from tests.jobs.mutated_jobs import write_job, write_neighbours

HELPERS = Path(__file__).parents[1] / "jobs"
SLOW = {"to": 4000, "seconds": 0.02}


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HELPERS))
    monkeypatch.setitem(KINDS, "count", "small_kinds")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """What runs a job that counts."""
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HELPERS), str(root)]))
    code = ("import sys; from tasklab.jobs.kinds import KINDS; from tasklab.jobs.__main__ import main; "
            "KINDS['count'] = 'small_kinds'; raise SystemExit(main(sys.argv[1:]))")
    return (sys.executable, "-c", code)


def held(queue: Scheduler) -> Callable[[], None]:
    """Nothing starts until the result is called: the order can be looked at."""
    room, queue.at_once = queue.at_once, 0

    def go() -> None:
        queue.at_once = room
        queue._wake.set()

    return go


def states(queue: Scheduler, *jobs: Job) -> list[str]:
    return [queue.state(job) for job in jobs]


def counted(job: Job) -> int:
    return sum(event["event"] == "number" for event in job.events())


def test_no_more_run_than_may_and_all_get_done(tmp_path: Path, command: tuple[str, ...]) -> None:
    with scheduling(tmp_path, at_once=2, command=command) as queue:
        jobs = [queue.submit(f"v{i}", "count", {"to": 10, "seconds": 0.03}) for i in range(5)]
        most = 0
        while any(state != "done" for state in states(queue, *jobs)):
            most = max(most, queue.running)
            assert states(queue, *jobs).count("running") <= 2
            time.sleep(0.02)
        assert most == 2


def test_one_of_each_visitor_comes_before_anyones_second(tmp_path: Path) -> None:
    with scheduling(tmp_path, at_once=1) as queue:
        held(queue)
        greedy = [queue.submit("ann", "count", {}) for _ in range(3)]
        bob, eve = queue.submit("bob", "count", {}), queue.submit("eve", "count", {})
        second = queue.submit("bob", "count", {})
        order = [greedy[0], bob, eve, greedy[1], second, greedy[2]]
        assert [queue.before(job) for job in order] == [0, 1, 2, 3, 4, 5]


def test_somebody_who_runs_one_waits_while_others_do(tmp_path: Path, command: tuple[str, ...]) -> None:
    with scheduling(tmp_path, at_once=2, command=command) as queue:
        first = queue.submit("ann", "count", SLOW)
        until(lambda: counted(first))
        go = held(queue)
        second, bob = queue.submit("ann", "count", SLOW), queue.submit("bob", "count", SLOW)
        go()
        until(lambda: counted(bob))
        assert states(queue, first, second, bob) == ["running", "queued", "running"]
        queue.stop(bob)
        until(lambda: queue.state(second) == "running")  # nobody else waits: a second one may run


def test_what_runs_is_stopped_and_goes_on(tmp_path: Path, command: tuple[str, ...]) -> None:
    with scheduling(tmp_path, at_once=1, command=command) as queue:
        job, waiting = queue.submit("ann", "count", SLOW), queue.submit("bob", "count", SLOW)
        until(lambda: counted(job) > 3)
        queue.stop(waiting)
        assert states(queue, waiting) == ["stopped"]
        queue.stop(job)
        until(lambda: queue.state(job) == "stopped")
        before = counted(job)
        queue.resume("ann", job)
        until(lambda: counted(job) > before + 3)
        steps = [event["step"] for event in job.events() if event["event"] == "number"]
        assert steps == list(range(1, len(steps) + 1))


def test_one_that_dies_takes_nothing_with_it(tmp_path: Path, command: tuple[str, ...]) -> None:
    with scheduling(tmp_path, at_once=2, command=command) as queue:
        victim, other = queue.submit("ann", "count", SLOW), queue.submit("bob", "count", SLOW)
        failing = queue.submit("eve", "count", {"fail_at": 1})
        until(lambda: counted(victim) > 2 and counted(other) > 2)
        queue._running[victim.folder].process.kill()
        until(lambda: queue.state(victim) == "interrupted")
        until(lambda: queue.state(failing) == "failed")
        before = counted(other)
        until(lambda: counted(other) > before + 3)
        queue.resume("ann", victim)
        until(lambda: queue.state(victim) == "running")


def test_a_server_that_ends_leaves_jobs_that_go_on(tmp_path: Path, command: tuple[str, ...]) -> None:
    with scheduling(tmp_path, at_once=1, command=command) as queue:
        job, waiting = queue.submit("ann", "count", SLOW), queue.submit("bob", "count", {"to": 2})
        until(lambda: counted(job) > 3)
    assert (job.state, waiting.state) == ("interrupted", "queued")
    with scheduling(tmp_path, at_once=1, command=command) as queue:
        until(lambda: queue.state(waiting) == "done")
        assert [queue.state(each) for each in queue.jobs("ann")] == ["interrupted"], "it waits for its visitor"
        before = counted(job)
        queue.resume("ann", queue.jobs("ann")[0])
        until(lambda: counted(job) > before + 3)


def test_a_job_that_does_not_listen_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setattr(module, "PATIENCE", (0.2, 0.4))
    with scheduling(tmp_path, at_once=1, command=command) as queue:
        job = queue.submit("ann", "count", {"to": 3, "seconds": 600.0})
        until(lambda: job.events())
        queue.stop(job)
        until(lambda: queue.running == 0, 60)
        assert queue.state(job) == "stopped"


@pytest.mark.parametrize("broken", [("/nowhere/python",), (sys.executable, "-c", "raise SystemExit(9)")])
def test_a_job_that_cannot_begin_fails_once(broken: tuple[str, ...], tmp_path: Path) -> None:
    with scheduling(tmp_path, at_once=1, command=broken) as queue:
        job = queue.submit("ann", "count", {})
        until(lambda: queue.state(job) == "failed")
        outcome = job.outcome
        assert outcome is not None
        assert outcome.message.endswith(".") and "\n" not in outcome.message
        time.sleep(0.5)
        assert job.outcome == outcome, "it is not tried for ever"


def test_a_visitor_cannot_fill_the_queue_nor_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    with scheduling(tmp_path, at_once=1) as queue:
        held(queue)
        jobs = [queue.submit("ann", "count", {}) for _ in range(3)]
        with pytest.raises(Refused, match="3 jobs running or waiting"):
            queue.submit("ann", "count", {})
        queue.submit("bob", "count", {})
        for job in jobs:
            queue.stop(job)
        monkeypatch.setattr(module, "MAX_KEPT", 3)
        with pytest.raises(Refused, match="3 jobs here"):
            queue.submit("ann", "count", {})


def test_all_visitors_together_cannot_fill_the_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TOGETHER", 5)
    with scheduling(tmp_path, at_once=1) as queue:
        held(queue)
        first, *_ = [queue.submit(f"visitor{number}", "count", {}) for number in range(5)]
        with pytest.raises(Refused, match=r"^All visitors together have 5 jobs running or waiting"):
            queue.submit("late", "count", {})
        assert queue.jobs("late") == []
        queue.stop(first)
        queue.submit("late", "count", {})
        with pytest.raises(Refused, match="All visitors together"):
            queue.resume("visitor0", first)


class Clock:
    """Time that goes on when it is told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_job_that_runs_too_long_is_stopped_and_goes_on_when_it_is_resumed(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    clock = Clock()
    with scheduling(tmp_path, at_once=1, command=command, clock=clock) as queue:
        job, other = queue.submit("ann", "count", SLOW), queue.submit("ann", "count", SLOW)
        until(lambda: counted(job) > 3)
        clock.now += module.MAX_SECONDS + 1
        until(lambda: queue.state(job) == "stopped")
        until(lambda: job.outcome is not None and "hours" in job.outcome.message)
        assert job.outcome is not None
        assert job.outcome.message.startswith("Stopped after 6 hours, ")
        assert job.outcome.message.endswith("; it can go on from here.")
        until(lambda: counted(other) > 1)
        queue.stop(other)
        before = counted(job)
        queue.resume("ann", job)
        until(lambda: counted(job) > before + 3)
        assert queue.state(job) == "running", "it has as long again"


def test_what_runs_gives_way_to_a_late_visitor_and_loses_nothing(tmp_path: Path, command: tuple[str, ...]) -> None:
    clock = Clock()
    with scheduling(tmp_path, at_once=2, command=command, clock=clock) as queue:
        first, second = (queue.submit("ann", "count", SLOW) for _ in range(2))
        until(lambda: counted(first) > 2 and counted(second) > 2)
        bob = queue.submit("bob", "count", {"to": 30, "seconds": 0.02})
        assert queue.state(bob) == "queued"
        clock.now += queue.turns.turn / 2
        queue._wake.set()
        clock.now += queue.turns.turn
        until(lambda: counted(bob))
        assert sorted(states(queue, first, second)) == ["queued", "running"]
        until(lambda: queue.state(bob) == "done")
        until(lambda: states(queue, first, second) == ["running", "running"])
        before = counted(first), counted(second)
        until(lambda: counted(first) > before[0] + 3 and counted(second) > before[1] + 3)
        for job in (first, second):
            steps = [event["step"] for event in job.events() if event["event"] == "number"]
            assert steps == list(range(1, len(steps) + 1))


def test_a_job_between_steps_that_are_kept_does_not_give_way(tmp_path: Path) -> None:
    from tasklab.jobs import run

    job = Job.create(tmp_path, "count", {"to": 4})
    seen = [event["event"] for event in run(job, pressed=lambda: True)]
    assert (seen, job.state) == (["begin", "number"], "interrupted")
    job.resume()
    assert [event["event"] for event in run(job)] == ["begin", *["number"] * 4]


def test_neighbours_are_skipped_with_one_line_each(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_neighbours(tmp_path)
    with scheduling(tmp_path, at_once=1) as queue:
        held(queue)
        whole = queue.submit("ann", "count", {})
        place = tmp_path / "ann" / "jobs"
        write_neighbours(place)
        content = json.loads((whole.folder / "job.json").read_text("utf-8"))
        for name, changed in {"1": content | {"created": None}, "2": content | {"settings": 3}, "3": {}}.items():
            (place / name).mkdir()
            (place / name / "job.json").write_text(json.dumps(changed), "utf-8")
        for _ in range(3):
            assert [job.folder for job in queue.jobs("ann")] == [whole.folder]
        queue.submit("ann", "count", {})
    with scheduling(tmp_path, at_once=1) as queue:
        held(queue)
        assert len(queue.jobs("ann")) == 2
    lines = [record.getMessage() for record in caplog.records if "skipped" in record.getMessage()]
    for name in ("lost+found", ".DS_Store", "README.txt", "UPPER", "1", "2", "3"):
        mine = [line for line in lines if f"/{name} in the folder of jobs" in line]
        assert mine and len(mine) == len({line.split(" in the folder")[0] for line in mine}) * 2, f"{name}: {mine}"


def test_hundreds_of_odd_folders_stop_nobody(tmp_path: Path) -> None:
    for seed in range(300):
        write_job(tmp_path / "ann" / "jobs" / f"{seed:04d}", seed, "count", {"to": 3})
    with scheduling(tmp_path, at_once=1) as queue:
        held(queue)
        result = queue.jobs("ann")
        assert 50 < len(result) < 300
        for job in result:
            assert queue.state(job) in ("queued", "running", "done", "failed", "stopped", "interrupted")
            for event in job.events():
                json.dumps(event, allow_nan=False)
            with contextlib.suppress(ValueError, OSError):  # a sentence
                job.rewind(2)
        bob = queue.submit("bob", "count", {})
        assert queue.jobs("bob")[0].folder == bob.folder


FULL = OSError(errno.ENOSPC, "No space left on device", "/srv/secret/place")


def raising(*_: Any, **__: Any) -> None:
    raise FULL


@pytest.mark.parametrize("what", ["submit", "resume", "stop"])
def test_a_full_disk_is_a_sentence(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with scheduling(tmp_path, at_once=1) as queue:
        held(queue)
        job, stopped = queue.submit("ann", "count", {}), queue.submit("ann", "count", {})
        queue.stop(stopped)
        use = {"submit": lambda: queue.submit("bob", "count", {}), "resume": lambda: queue.resume("ann", stopped),
               "stop": lambda: queue.stop(job)}[what]
        with monkeypatch.context() as full:
            full.setattr(Path, "touch", raising)
            with pytest.raises(Refused, match=r"^The disk of this machine is full, so .*\.$"):
                use()
        assert queue.jobs("bob") == []
        assert states(queue, job, stopped) == ["queued", "stopped"], "nothing is half done"


@pytest.mark.parametrize("place", ["", "ann", "ann/jobs"])
def test_a_folder_that_cannot_be_one_is_a_sentence(place: str, tmp_path: Path) -> None:
    (tmp_path / "root" / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "root" / place).write_text("a file", "utf-8")
    with scheduling(tmp_path / "root", at_once=1) as queue:
        assert queue.jobs("ann") == []
        with pytest.raises(Refused, match="cannot be written to"):
            queue.submit("ann", "count", {})


def test_a_job_whose_ending_cannot_be_written_does_not_stop_the_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scheduling(tmp_path, at_once=1, command=("/nowhere/python",)) as queue:
        with monkeypatch.context() as broken:
            broken.setattr(Job, "end", raising)
            lost = queue.submit("ann", "count", {})
            until(lambda: lost.folder not in queue._waiting and queue._lock.acquire(timeout=1))
            queue._lock.release()
        failed = queue.submit("ann", "count", {})
        until(lambda: queue.state(failed) == "failed")
        assert queue.state(lost) == "interrupted"


def test_unfinished_files_go_when_the_server_starts_again(tmp_path: Path) -> None:
    place = tmp_path / "ann" / "systems"
    place.mkdir(parents=True)
    names = (".digits-my-rbc.safetensors.ab12cd34", ".digits-my-int.safetensors.0a0a0a0a", "digits-my-rbc.safetensors")
    for name in names:
        (place / name).write_bytes(b"half")
    os.utime(place / names[0], (1.0, 1.0))
    with scheduling(tmp_path, at_once=1):
        assert {file.name for file in place.iterdir()} == set(names[1:]), "one may still be written"


def test_a_name_cannot_leave_the_folder(tmp_path: Path) -> None:
    with scheduling(tmp_path, at_once=1) as queue:
        for wrong in ("../bob", "", "a/b", "."):
            with pytest.raises(JobError):
                queue.job("ann", wrong)
            with pytest.raises(JobError):
                queue.jobs(wrong)


def test_one_that_runs_elsewhere_is_seen_as_running(tmp_path: Path) -> None:
    with scheduling(tmp_path, at_once=1) as queue:
        held(queue)
        job = queue.submit("ann", "count", {})
        with Lock(job.folder / "lock"):
            assert queue.state(job) == "running"


def test_the_cap_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with scheduling(tmp_path) as queue:
        assert queue.at_once == os.cpu_count()
    monkeypatch.setenv("TASKLAB_JOBS_AT_ONCE", "7")
    with scheduling(tmp_path) as queue:
        assert queue.at_once == 7


def test_a_cluster_that_does_not_answer_fails_the_job_in_a_sentence(
    tmp_path: Path, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether Ray is installed or not; a download, which this machine needs, is not handed over."""
    monkeypatch.setenv("TASKLAB_RAY", "127.0.0.1:9")
    assert [ray_words(kind) for kind in ("train", "download")] == [("--ray", "127.0.0.1:9"), ()]
    monkeypatch.setenv("TASKLAB_JOBS_AT_ONCE", "1")
    with scheduling(tmp_path, command=command) as queue:
        job = queue.submit("ann", "count", {})
        until(lambda: queue.state(job) == "failed")
        assert job.outcome is not None and job.outcome.message.startswith("expected ")
        assert queue.at_once == 1 and queue.gpus == 0
