"""The jobs of all visitors on this machine: who waits, who runs, who is next. Knows nothing of pages.

Everything lasting is in the jobs' folders, ``ROOT/OWNER/jobs/ID``: a server that starts again finds them there. The
jobs are processes of their own that leave, resumable, when the server goes; one that dies takes nothing with it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasklab.jobs import Job, JobError

_log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "tasklab.jobs")
MAX_WAITING = 12
"""How many jobs one visitor may have waiting or running."""

MAX_KEPT = 40
"""How many jobs of one visitor are kept."""

PATIENCE = (10.0, 20.0)
"""Seconds after which a job that was asked to stop is terminated, and killed."""

OWNER = re.compile(r"[a-z0-9]{1,64}")


class Refused(ValueError):
    """One sentence: why there is no further job."""


@dataclass
class _Running:
    process: subprocess.Popen[bytes]
    owner: str
    job: Job
    stop_at: float = 0.0
    told: int = 0


class Scheduler:
    """Runs at most ``at_once`` jobs, first come first served, one per visitor as long as others wait.

    Args:
        root: the folder of all jobs.
        at_once: by default ``TASKLAB_JOBS_AT_ONCE`` from the environment, else as many as there are processors.
        command: what runs a job's folder.
    """

    def __init__(self, root: Path, at_once: int | None = None, command: Sequence[str] = COMMAND) -> None:
        self.root, self.command = root, tuple(command)
        self.at_once = at_once or _whole(os.environ.get("TASKLAB_JOBS_AT_ONCE")) or os.cpu_count() or 1
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._closed = False
        self._running: dict[Path, _Running] = {}
        self._waiting: dict[Path, tuple[str, Job]] = {}
        for owner in sorted(root.iterdir()) if root.is_dir() else []:
            for job in self.jobs(owner.name):
                if job.state == "queued":
                    self._waiting[job.folder] = owner.name, job
        self._thread = threading.Thread(target=self._loop, daemon=True, name="jobs")
        self._thread.start()

    def jobs(self, owner: str) -> list[Job]:
        """A visitor's jobs, the oldest first."""
        place = self._place(owner)
        found = []
        for folder in sorted(place.iterdir()) if place.is_dir() else []:
            with contextlib.suppress(JobError):
                found.append(Job(folder))
        return found

    def job(self, owner: str, name: str) -> Job:
        """One of a visitor's jobs.

        Raises:
            JobError: there is none of that name.
        """
        if not OWNER.fullmatch(name):
            raise JobError(f"expected the name of a job, got {name!r}")
        return Job(self._place(owner) / name)

    def submit(self, owner: str, kind: str, settings: dict[str, Any]) -> Job:
        """Queue a job.

        Raises:
            Refused: this visitor has too many.
            ValueError: settings that the kind refuses.
        """
        with self._lock:
            self._check_room(owner)
            if len(self.jobs(owner)) >= MAX_KEPT:
                raise Refused(f"You have {MAX_KEPT} jobs here, which is all there is room for. Remove some first.")
            name = f"{int(time.time() * 1000):011x}{secrets.token_hex(3)}"
            job = Job.create(self._place(owner) / name, kind, settings)
            self._waiting[job.folder] = owner, job
        self._wake.set()
        return job

    def resume(self, owner: str, job: Job) -> None:
        """Queue a job once more.

        Raises:
            Refused: this visitor has too many.
        """
        with self._lock:
            if job.folder in self._waiting or job.folder in self._running:
                return
            self._check_room(owner)
            job.resume()
            self._waiting[job.folder] = owner, job
        self._wake.set()

    def stop(self, job: Job) -> None:
        """Ask a job to stop; one that waits has stopped at once."""
        with self._lock:
            job.stop()
            if self._waiting.pop(job.folder, None) is not None:
                job.end("stopped", "Stopped before it began.")
        self._wake.set()

    def state(self, job: Job) -> str:
        """A job's state; a process that has just been started counts as running."""
        with self._lock:
            if job.folder in self._running:
                return "running"
            state = job.state
            return "interrupted" if state == "queued" and job.folder not in self._waiting else state

    def before(self, job: Job) -> int:
        """How many waiting jobs come before this one."""
        with self._lock:
            order = self._order()
            return order.index(job.folder) if job.folder in order else 0

    @property
    def running(self) -> int:
        """How many jobs run now."""
        with self._lock:
            return len(self._running)

    def close(self) -> None:
        """End the thread, and let the running jobs go: they leave, resumable."""
        self._closed = True
        self._wake.set()
        self._thread.join(10)
        with self._lock:
            for each in self._running.values():
                _release(each.process)
            for each in self._running.values():
                each.process.wait()
            self._running.clear()

    def _place(self, owner: str) -> Path:
        if not OWNER.fullmatch(owner):
            raise JobError(f"expected an owner, got {owner!r}")
        return self.root / owner / "jobs"

    def _check_room(self, owner: str) -> None:
        mine = [each for each, _ in self._waiting.values()] + [each.owner for each in self._running.values()]
        if mine.count(owner) >= MAX_WAITING:
            raise Refused(f"You have {MAX_WAITING} jobs running or waiting already. Let some finish, or stop them.")

    def _order(self) -> list[Path]:
        """Who is next: a visitor's first job before anyone's second, and so on; of those, first come first served."""
        turns: dict[str, int] = {}
        for each in self._running.values():
            turns[each.owner] = turns.get(each.owner, 0) + 1
        ranked = []
        for folder, (owner, _) in sorted(self._waiting.items(), key=lambda item: (item[1][1].queued_at, item[0])):
            ranked.append((turns.get(owner, 0), len(ranked), folder))
            turns[owner] = turns.get(owner, 0) + 1
        return [folder for _, _, folder in sorted(ranked)]

    def _loop(self) -> None:
        while not self._closed:
            busy = True
            try:
                busy = self._tick()
            except Exception:  # the queue outlives whatever one job does
                _log.exception("the queue of jobs stumbled")
            self._wake.wait(0.2 if busy else None)
            self._wake.clear()

    def _tick(self) -> bool:
        """Collect what ended, press what was asked to stop, start what is next; whether there is anything to watch."""
        with self._lock:
            for folder, each in list(self._running.items()):
                if each.process.poll() is None:
                    _press(each)
                    continue
                _release(each.process)
                del self._running[folder]
                if each.job.waits:  # it never came to begin
                    each.job.end("failed", f"Its process ended with code {each.process.returncode} before it began.")
            for folder in self._order()[: max(0, self.at_once - len(self._running))]:
                owner, job = self._waiting.pop(folder)
                if job.state == "queued":
                    self._start(owner, job)
            return bool(self._running or self._waiting)

    def _start(self, owner: str, job: Job) -> None:
        try:
            with (job.folder / "log.txt").open("ab") as log:
                process = subprocess.Popen(
                    [*self.command, str(job.folder), "--attended"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                    stderr=log, start_new_session=os.name == "posix",
                )
        except OSError as error:
            job.end("failed", f"This machine could not start it: {error.strerror or error}.")
            return
        self._running[job.folder] = _Running(process, owner, job)


def _press(each: _Running) -> None:
    """A job that was asked to stop and does not come to it is terminated, then killed."""
    if not each.job.stopping:
        return
    now = time.monotonic()
    each.stop_at = each.stop_at or now
    if each.told < len(PATIENCE) and now - each.stop_at > PATIENCE[each.told]:
        (each.process.terminate if each.told == 0 else each.process.kill)()
        each.told += 1


def _release(process: subprocess.Popen[bytes]) -> None:
    """Let go of a process: its standard input ends, and so will it."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()


def _whole(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0
