"""Jobs on a Ray cluster: each is a task of Ray, which runs it again where a worker dies; needs the extra "cluster".

Every machine of the cluster sees the folders of the jobs under the same path, as on a shared disk, or else carries them
to and from shared storage (`tasklab.jobs.storing`). Progress is read from the folders, so no part of a job is lost if
the process that handed it over ends.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from tasklab import strict_json
from tasklab.console import complain, say
from tasklab.jobs.executing import Assignment, Event, ended, left_out
from tasklab.jobs.folder import Job
from tasklab.jobs.running import sentence
from tasklab.jobs.storing import Store
from tasklab.jobs.worker import (
    GIVE_WAY,
    LOG_END,
    PATIENCE,
    TRIES,
    carry_out,
    carry_out_stored,
    log_end,
    spelt,
    times_begun,
)

POLL = 0.25
"""Seconds between two looks at the folders of running jobs."""

GPU_SHARE = 0.25
"""The part of a GPU that a job of `watch` asks for: small networks leave room for others on it."""


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
    except Exception as error:  # Ray raises bare ones, too
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"expected a Ray cluster at {address}, got none ({reason}); try "
                         "ray start --head there, RAY_AUTH_MODE=token where the cluster asks for its token, or local "
                         "for this machine alone") from None


class OnRay:
    """Carries out jobs on a Ray cluster, as many at once as have room there.

    Args:
        address: see `connect`.
        cpus: how many processors each job asks for, and with how many threads it computes.
        gpus: how many GPUs, or which part of one, each job asks for.
        threads: of the computation, if other than ``cpus``.
        data: folder of the data sets on the machines of the cluster; None for the usual one.
        store: where folders are exchanged; None where all machines see the same disk.

    Raises:
        ValueError: Ray is not installed, no cluster answers, or no machine of it has that many processors or GPUs.
    """

    def __init__(
        self, address: str, *, cpus: int = 1, gpus: float = 0.0, threads: int | None = None, data: Path | None = None,
        store: Store | None = None,
    ) -> None:
        connect(address)
        import ray

        room = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if not any(each.get("CPU", 0) >= cpus and each.get("GPU", 0) >= gpus for each in room):
            raise ValueError(f"expected a machine in the cluster with {cpus} CPU and {gpus:g} GPU for each job, got "
                             "none with as much; try smaller shares")
        self.cpus, self.gpus, self.threads, self.data = cpus, gpus, threads or cpus, data
        self.store = store

    def hand_over(self, job: Job, carried: Sequence[str] = (), beside: Sequence[str] = ()) -> RayTask:
        """Hand a queued job to the cluster, with what is beside its folder; see `Assignment`."""
        return RayTask(job, cpus=self.cpus, gpus=self.gpus, threads=self.threads, data=self.data, store=self.store,
                       carried=carried, beside=beside)

    def carry_out(self, assignments: Sequence[Assignment]) -> Generator[Event, None, None]:
        """See `tasklab.jobs.executing.Executor.carry_out`; the events of several jobs are mixed."""
        import ray

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
                    running[place] = _Followed(each, self.hand_over(each.job, each.carried, each.beside))
                for place, followed in list(running.items()):
                    over = followed.task.poll() is not None
                    for event in followed.new_events():
                        yield event | {"name": followed.assignment.name, "place": place}
                    if over:
                        del running[place]
                        yield ended(followed.assignment, place)
                if running:
                    ray.wait([followed.task.ref for followed in running.values()], timeout=POLL)
        finally:
            for followed in running.values():
                followed.task.terminate()
            for followed in running.values():
                followed.task.wait(PATIENCE)
            if self.store is not None:
                for name in {name for each in assignments for name in each.carried}:
                    self.store.remove(name)


class _Followed:
    """A job that is being carried out, and which of its events have been passed on."""

    def __init__(self, assignment: Assignment, task: RayTask) -> None:
        self.assignment, self.task = assignment, task
        self._size, self._seen = _size(assignment.job), assignment.job.events()

    def new_events(self) -> Iterator[Event]:
        """The events since the last look; a job that goes on from a checkpoint repeats some."""
        self.task.fetch()
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
    """A job in the hands of Ray, to be watched and ended as ``subprocess.Popen`` is.

    Args:
        job: queued.
        cpus, gpus, threads, data, store: see `OnRay`.
        carried, beside: see `Assignment`.

    Attributes:
        ref: Ray's reference to its result.
        returncode: None until the job has ended; then the exit code of ``python -m tasklab.jobs``.
    """

    def __init__(
        self, job: Job, *, cpus: int, gpus: float, threads: int, data: Path | None, store: Store | None = None,
        carried: Sequence[str] = (), beside: Sequence[str] = (),
    ) -> None:
        import ray

        self.job, self.name, self.store, self._fetched = job, job.folder.name, store, time.monotonic()
        self.returncode: int | None = None
        if store is not None:
            self._take_up(store)
        self._begun = times_begun(job)
        (job.folder / GIVE_WAY).unlink(missing_ok=True)
        task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=TRIES - 1)
        given = self._begun, threads, data and str(data)
        if store is None:
            self.ref = task(carry_out).remote(str(job.folder), *given)
            return
        kept = (self.name, *beside)
        store.push(job.folder.parent, self.name, kept)
        for name in carried:
            store.copy_in(job.folder.parent / name, name)
        self.ref = task(carry_out_stored).remote(store.url, self.name, tuple(carried), kept, *given)

    def poll(self) -> int | None:
        """The return code, once the job has ended; a job whose workers died is failed by then."""
        import ray

        if self.returncode is None:
            ready, _ = ray.wait([self.ref], timeout=0)
            if ready:
                self.fetch(every=0.0)
                try:
                    self.returncode = ray.get(self.ref)
                except ray.exceptions.TaskCancelledError:
                    self.returncode = 4
                except ray.exceptions.RayTaskError as error:
                    self.returncode = self._fail(sentence(error.cause))
                except ray.exceptions.RayError as error:
                    times = spelt(max(times_begun(self.job) - self._begun, 1))
                    log = log_end(self.job) or str(error)[:LOG_END]
                    self.returncode = self._fail(f"Its worker died {times}; the end of its log: {log}")
                if self.store is not None:
                    self.store.remove(self.name)
        return self.returncode

    def _take_up(self, store: Store) -> None:
        """Fetch what the storage already has of the job, in case the process that handed it over before was killed."""
        store.pull(self.job.folder.parent, self.name)
        self.job.resume()

    def fetch(self, *, every: float = 1.0) -> None:
        """Fetch what the job has written so far from the shared storage, and pass a request to stop on to it."""
        if self.store is None or time.monotonic() - self._fetched < every:
            return
        if self.job.stopping:
            self.store.copy_in(self.job.folder / "stop", f"{self.name}/{self.name}/stop")
        self.store.pull(self.job.folder.parent, self.name)
        self._fetched = time.monotonic()

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait until it has ended, or at most ``timeout`` seconds."""
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
        self.give_way()  # as an interrupt that comes at the wrong moment is lost
        self._cancel(force=False)

    def kill(self) -> None:
        """End its worker at once."""
        self._cancel(force=True)

    def _cancel(self, *, force: bool) -> None:
        import ray

        with contextlib.suppress(ray.exceptions.RayError, ValueError):
            ray.cancel(self.ref, force=force)

    def _fail(self, message: str) -> int:
        """Write down that the job has failed."""
        with contextlib.suppress(OSError):
            self.job.end("failed", message)
        return 1


def watch(
    job: Job, address: str, *, stopped: Callable[[], bool], left: Callable[[], bool], pressed: Callable[[], bool],
    threads: int = 1,
) -> int:
    """Hand a queued job to a cluster, and wait until it has ended; what happens is in its folder.

    Args:
        job: the job. If its device is not the CPU, it gets `GPU_SHARE` of a GPU.
        address: see `connect`.
        stopped, left, pressed: as in `tasklab.jobs.run`.
        threads: of the computation; as many processors are asked for.

    Returns:
        The code of ``python -m tasklab.jobs``.

    Raises:
        ValueError: no cluster answers.
    """
    connect(address)
    gpus = GPU_SHARE if job.settings.get("device", "cpu") != "cpu" else 0.0
    task = RayTask(job, cpus=threads, gpus=gpus, threads=threads, data=None)
    asked = False
    while (code := task.poll()) is None:
        if left():
            task.terminate()
            task.wait(PATIENCE)
            return 4
        if stopped() and not job.stopping:
            job.stop()
        if pressed() and not asked:
            asked = True
            task.give_way()
        time.sleep(POLL)
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m tasklab.jobs.cluster ADDRESS``: print how much room a cluster has, as JSON."""
    (address,) = sys.argv[1:] if arguments is None else arguments
    try:
        connect(address)
    except ValueError as error:
        complain(str(error))
        return 1
    import ray

    room = ray.cluster_resources()
    say(strict_json.dumps({"cpus": int(room.get("CPU", 0)), "gpus": int(room.get("GPU", 0))}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
