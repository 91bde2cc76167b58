"""The queue: capped, fair, first come first served; what dies takes nothing with it, and what is on disk is enough."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from visitors import scheduling, until

from lab_ui import scheduler as module
from lab_ui.scheduler import Refused, Scheduler
from tasklab.jobs import KINDS, Job, JobError
from tasklab.lock import Lock

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
