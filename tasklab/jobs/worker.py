"""The work of a Ray cluster's worker: it runs a job in a folder on a shared disk, or copied from shared storage."""

from __future__ import annotations

import faulthandler
import logging
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tasklab import files
from tasklab.jobs.folder import Busy, Job, JobError
from tasklab.jobs.running import run
from tasklab.jobs.storing import Store

TRIES = 3
"""How often a job whose worker dies is begun before it counts as failed."""

GIVE_WAY = "give_way"
"""Name of a file in a job's folder that asks the job to end at its next step, for others."""

PATIENCE = 60.0
"""Seconds to wait for a dead worker's lock, which the operating system releases once its process has ended."""

LOG_END = 500
"""Largest number of characters of a log's end in a message."""


def carry_out(
    folder: str, begun: int, threads: int, data: str | None = None, stopped: Callable[[], bool] = lambda: False
) -> int:
    """Run or resume a job on the machine where this is called: the task that Ray runs.

    Args:
        folder: of the job.
        begun: how often it had been begun when it was handed over.
        threads: of the computation.
        data: folder of the data sets; None for the usual one.
        stopped: called after each event: whether to stop.

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
            if times_begun(job) - begun >= TRIES:  # such as one that needs more memory than there is, which Ray repeats
                job.end("failed", f"Its worker died {spelt(TRIES)}; the end of its log: {log_end(job)}")
                return 1
            _run(job, time.monotonic() + PATIENCE, stopped)
        finally:
            faulthandler.disable()
            logging.getLogger().removeHandler(handler)
    outcome = job.outcome
    return 4 if outcome is None else {"done": 0, "failed": 1, "stopped": 3}[outcome.state]


def carry_out_stored(
    url: str, name: str, carried: Sequence[str], kept: Sequence[str], begun: int, threads: int, data: str | None = None
) -> int:
    """Run or resume a job in shared storage, which is copied to a folder of this machine and back.

    Args:
        url: of the storage; see `tasklab.jobs.storing.Store`.
        name: of the job's folder in it.
        carried: names of files that it reads.
        kept: names of what it reads, makes or changes, beginning with its own folder.
        begun, threads, data: as for `carry_out`.
    """
    store = Store(url)
    with tempfile.TemporaryDirectory(prefix="tasklab-") as place, store.lease(name):
        store.pull(Path(place), name)
        for each in carried:
            files.write_bytes(Path(place) / each, store.read(each) or b"")
        try:
            return carry_out(str(Path(place) / name), begun, threads, data, _Pushing(store, Path(place), name, kept))
        finally:
            store.push(Path(place), name, kept)


class _Pushing:
    """Called after each event: copies the job to the storage, at most once a second; returns whether it is to stop."""

    def __init__(self, store: Store, place: Path, name: str, kept: Sequence[str]) -> None:
        self.store, self.place, self.name, self.kept, self.at = store, place, name, kept, time.monotonic()

    def __call__(self) -> bool:
        if time.monotonic() - self.at < 1:
            return False
        self.store.push(self.place, self.name, self.kept)
        self.at = time.monotonic()
        return self.store.read(f"{self.name}/{self.name}/stop") is not None


def _run(job: Job, until: float, stopped: Callable[[], bool]) -> None:
    """Run the job, once the worker that had it before has released its lock."""
    import ray

    place = {"where": platform.node(), "node": ray.get_runtime_context().get_node_id()}
    while True:
        try:
            for _ in run(job, stopped=stopped, pressed=(job.folder / GIVE_WAY).exists, noted=place):
                pass
            return
        except Busy:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def log_end(job: Job) -> str:
    """The last lines of a job's log, on one line; for a job without a log, the message of its last event."""
    try:
        lines = (job.folder / "log.txt").read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        lines = []
    words = " / ".join(line.strip() for line in lines if line.strip())[-LOG_END:]
    messages = [str(event["message"]) for event in job.events() if "message" in event]
    return words or (messages[-1] if messages else "")


def spelt(number: int) -> str:
    """How often, in words: once, twice, 3 times."""
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def times_begun(job: Job) -> int:
    """How often a job was begun."""
    return sum(event["event"] == "begin" for event in job.events())
