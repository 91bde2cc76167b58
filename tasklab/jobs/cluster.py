"""Jobs on a Ray cluster: each is a task of Ray, which runs it again where a worker dies; needs the extra "cluster".

Every machine of the cluster sees the folders of the jobs under the same path, as on a shared disk. Progress is read
from the folders, so nothing of a job is lost with the process that handed it over.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib.util
import itertools
import logging
import os
import platform
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tasklab.jobs.executing import Assignment, Event, ended, left_out
from tasklab.jobs.folder import Busy, Job, JobError
from tasklab.jobs.running import run, sentence

TRIES = 3
"""How often a job is begun whose worker dies, before it counts as failed."""

GIVE_WAY = "give_way"
"""Name of a file in a job's folder that asks the job to end at its next step, for others."""

PATIENCE = 60.0
"""Seconds to wait for a dead worker's lock, which the operating system releases once its process has ended."""

POLL = 0.25
"""Seconds between two looks at the folders of running jobs."""

LOG_END = 500
"""Largest number of characters of a log's end in a message."""


def check_ray() -> None:
    """Check that Ray is installed.

    Raises:
        ValueError: it is not.
    """
    if importlib.util.find_spec("ray") is None:
        raise ValueError('expected Ray for jobs on a cluster, got no such package; try pip install "tasklab[cluster]"')


def connect(address: str) -> None:
    """Join a Ray cluster, unless this process has joined one already.

    Args:
        address: HOST:PORT; ``"auto"``, a cluster that runs on this machine; or ``"local"``, a new one of this machine
            alone, which ends with this process.

    Raises:
        ValueError: Ray is not installed, or no cluster answers.
    """
    check_ray()
    import ray

    if ray.is_initialized():
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    host, _, port = address.rpartition(":")
    if host:
        try:
            socket.create_connection((host, int(port)), timeout=5).close()  # Ray itself would end this process
        except (OSError, ValueError, OverflowError):
            raise ValueError(f"expected a Ray cluster at {address}, got no answer; try ray start --head there, or "
                             "local for this machine alone") from None
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    alone = {"include_dashboard": False, "object_store_memory": 100 * 2**20} if address == "local" else {}
    try:
        ray.init(address=address, **quiet, **alone)
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        raise ValueError(f"expected a Ray cluster at {address}, got none ({str(error).splitlines()[0][:200]}); try "
                         "ray start --head, or local for this machine alone") from None


class OnRay:
    """Carries out jobs on a Ray cluster, as many at once as have room there.

    Args:
        address: see `connect`.
        cpus: how many processors each job asks for; it computes with so many threads.
        gpus: how many GPUs, or which part of one.
        threads: of the computation, if other than ``cpus``.
        data: folder of the data sets on the machines of the cluster; None for the usual one.

    Raises:
        ValueError: Ray is not installed, no cluster answers, or no machine of it has so much.
    """

    def __init__(
        self, address: str, *, cpus: int = 1, gpus: float = 0.0, threads: int | None = None, data: Path | None = None
    ) -> None:
        connect(address)
        import ray

        room = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if not any(each.get("CPU", 0) >= cpus and each.get("GPU", 0) >= gpus for each in room):
            raise ValueError(f"expected a machine in the cluster with {cpus} CPU and {gpus:g} GPU for each job, got "
                             "none with as much; try smaller shares")
        self.cpus, self.gpus, self.threads, self.data = cpus, gpus, threads or cpus, data

    def hand_over(self, job: Job) -> RayTask:
        """Hand a queued job to the cluster."""
        return RayTask(job, cpus=self.cpus, gpus=self.gpus, threads=self.threads, data=self.data)

    def carry_out(self, assignments: Sequence[Assignment]) -> Iterator[Event]:
        """See `tasklab.jobs.executing.Executor.carry_out`; the events of several jobs are mixed."""
        waiting = {place: each for place, each in enumerate(assignments) if each.job.state != "done"}
        running: dict[int, _Followed] = {}
        try:
            while waiting or running:
                unfinished = {each.name for each in waiting.values()}
                unfinished |= {each.assignment.name for each in running.values()}
                for place, each in list(waiting.items()):
                    if unfinished & set(each.after):
                        continue
                    del waiting[place]
                    if reason := left_out(each, assignments):
                        yield ended(each, place, reason)
                        continue
                    each.job.resume()
                    running[place] = _Followed(each, self.hand_over(each.job))
                for place, followed in list(running.items()):
                    over = followed.task.poll() is not None
                    for event in followed.new_events():
                        yield event | {"name": followed.assignment.name, "place": place}
                    if over:
                        del running[place]
                        yield ended(followed.assignment, place)
                if running:
                    time.sleep(POLL)
        finally:
            for followed in running.values():
                followed.task.terminate()
            for followed in running.values():
                followed.task.wait(PATIENCE)


class _Followed:
    """A job that is carried out, and which of its events were handed on."""

    def __init__(self, assignment: Assignment, task: RayTask) -> None:
        self.assignment, self.task = assignment, task
        self._size, self._seen = _size(assignment.job), assignment.job.events()

    def new_events(self) -> Iterator[Event]:
        """The events since the last look; a job that goes on from a checkpoint repeats some."""
        if (size := _size(self.assignment.job)) == self._size:
            return
        events, before = self.assignment.job.events(), self._seen
        self._size, self._seen = size, events
        same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(events, before, strict=False)))
        yield from events[same:]


def _size(job: Job) -> int:
    try:
        return (job.folder / "events.jsonl").stat().st_size
    except OSError:
        return 0


class RayTask:
    """A job in the hands of Ray, to be watched and ended as `subprocess.Popen` is.

    Args:
        job: queued.
        cpus, gpus, threads, data: see `OnRay`.

    Attributes:
        returncode: None as long as it is under way; then as of ``python -m tasklab.jobs``.
    """

    def __init__(self, job: Job, *, cpus: int, gpus: float, threads: int, data: Path | None) -> None:
        import ray

        self.job = job
        self.returncode: int | None = None
        self._begun = _begun(job)
        (job.folder / GIVE_WAY).unlink(missing_ok=True)
        task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=TRIES - 1)
        self._ref = task(carry_out).remote(str(job.folder), self._begun, threads, data and str(data))

    def poll(self) -> int | None:
        """The return code, once the job has ended; a job whose workers died is failed by then."""
        import ray

        if self.returncode is None:
            ready, _ = ray.wait([self._ref], timeout=0)
            if ready:
                try:
                    self.returncode = ray.get(self._ref)
                except ray.exceptions.TaskCancelledError:
                    self.returncode = 4
                except ray.exceptions.RayTaskError as error:
                    self.returncode = self._fail(sentence(error.cause))
                except ray.exceptions.RayError as error:
                    times = _times(max(_begun(self.job) - self._begun, 1))
                    log = log_end(self.job) or str(error)[:LOG_END]
                    self.returncode = self._fail(f"Its worker died {times}; the end of its log: {log}")
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait until it has ended, or for so many seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None and (end is None or time.monotonic() < end):
            time.sleep(0.05)
        return self.returncode

    def give_way(self) -> None:
        """Ask it to end at its next step, for others; it can go on from there."""
        with contextlib.suppress(OSError):
            (self.job.folder / GIVE_WAY).touch()

    def terminate(self) -> None:
        """End it as Ctrl-C would; it can go on from its last checkpoint."""
        self._cancel(force=False)

    def kill(self) -> None:
        """End its worker at once."""
        self._cancel(force=True)

    def _cancel(self, *, force: bool) -> None:
        import ray

        with contextlib.suppress(ray.exceptions.RayError, ValueError):
            ray.cancel(self._ref, force=force)

    def _fail(self, message: str) -> int:
        """Write down that the job has failed."""
        with contextlib.suppress(OSError):
            self.job.end("failed", message)
        return 1


def carry_out(folder: str, begun: int, threads: int, data: str | None = None) -> int:
    """Run or resume a job on the machine where this is called: the task that Ray runs.

    Args:
        folder: of the job.
        begun: how often it had been begun when it was handed over.
        threads: of the computation.
        data: folder of the data sets; None for the usual one.

    Returns:
        The code of ``python -m tasklab.jobs``: 0 done, 1 failed, 2 no job, 3 stopped, 4 left unfinished.
    """
    os.environ["OMP_NUM_THREADS"] = str(threads)  # for a process that has not imported torch
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    if data is not None:
        os.environ["TASKLAB_DATA"] = data
    try:
        job = Job(folder)
    except JobError:
        return 2
    with (job.folder / "log.txt").open("a", encoding="utf-8") as log:
        handler = logging.StreamHandler(log)
        logging.getLogger().addHandler(handler)
        faulthandler.enable(log)
        try:
            if _begun(job) - begun >= TRIES:  # such as one that needs more memory than there is, which Ray repeats
                job.end("failed", f"Its worker died {_times(TRIES)}; the end of its log: {log_end(job)}")
                return 1
            _run(job, time.monotonic() + PATIENCE)
        finally:
            faulthandler.disable()
            logging.getLogger().removeHandler(handler)
    outcome = job.outcome
    return 4 if outcome is None else {"done": 0, "failed": 1, "stopped": 3}[outcome.state]


def _run(job: Job, until: float) -> None:
    """Run the job, once the worker that had it before has let go of it."""
    import ray

    place = {"where": platform.node(), "node": ray.get_runtime_context().get_node_id()}
    while True:
        try:
            for _ in run(job, pressed=(job.folder / GIVE_WAY).exists, noted=place):
                pass
            return
        except Busy:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def log_end(job: Job) -> str:
    """The last lines of a job's log, on one line; of a job that logged none, what its last event was."""
    try:
        lines = (job.folder / "log.txt").read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        lines = []
    words = " / ".join(line.strip() for line in lines if line.strip())[-LOG_END:]
    messages = [str(event["message"]) for event in job.events() if "message" in event]
    return words or (messages[-1] if messages else "")


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def _begun(job: Job) -> int:
    return sum(event["event"] == "begin" for event in job.events())
