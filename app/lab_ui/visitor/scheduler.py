"""The queue of all visitors' jobs on this machine: which wait, which run, which is next. It knows nothing of pages.

Everything that lasts is in the jobs' folders, ``ROOT/OWNER/jobs/ID``, where a server that is started again finds them.
Each job is a process of its own. When the server ends, its jobs end too and can be resumed; a job that crashes harms
neither the server nor another job.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab_ui.basics.refusal import Refused
from lab_ui.visitor.disk import expire, trouble
from lab_ui.visitor.limits import MAX_KEPT, MAX_SECONDS, MAX_TOGETHER, MAX_WAITING
from lab_ui.visitor.places import capacity, ray_address, ray_words
from lab_ui.visitor.turns import Turns
from tasklab.jobs import Job, JobError
from tasklab.leftovers import sweep

_log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "tasklab.jobs")

PATIENCE = (10.0, 20.0)
"""Seconds after which a job that was asked to stop is terminated, and then killed."""

HOUR = 3600.0
"""Seconds in an hour; also the time between two searches for folders that nobody has visited for long."""

TITLE_FIELDS = {"train": ("name", "data"), "download": ("data",), "report": ("system", "data")}
"""For each kind of job, the settings that its title on the page is made of."""

AGAIN = "Stopped; it can go on from here."
UNFINISHED = 4
"""Exit code of a job's process that ended before the job was finished; the job can be resumed."""

OWNER = re.compile(r"[a-z0-9]{1,64}")


@dataclass
class _Running:
    """A running job.

    Attributes:
        began: clock time when its process was started.
        charged: clock time up to which its owner has been charged.
        stop_at: clock time when it was asked to stop; 0 where it was not.
        signals: number of signals sent since, of terminate and kill.
        gives_way: whether it was asked to end for another visitor's job.
        late: whether it has run longer than `MAX_SECONDS`.
    """

    process: subprocess.Popen[bytes]
    owner: str
    job: Job
    began: float
    charged: float
    stop_at: float = 0.0
    signals: int = 0
    gives_way: bool = False
    late: bool = False


class Scheduler:
    """Runs at most ``at_once`` jobs at a time, in fair turns among visitors (`lab_ui.visitor.turns`).

    Args:
        root: the folder of all visitors.
        at_once: by default what `lab_ui.visitor.places.capacity` says; nothing runs before a cluster has said it.
        command: program and arguments, to which a job's folder is added.
        clock: a monotonic clock, in seconds.

    Attributes:
        closed: whether it has come to its end.
    """

    def __init__(
        self, root: Path, at_once: int | None = None, command: Sequence[str] = COMMAND,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.root, self.command, self.clock = root, tuple(command), clock
        self.at_once, self.gpus = at_once or (0 if ray_address() else capacity().at_once), 0
        self.turns = Turns()
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self.closed = False
        self._running: dict[Path, _Running] = {}
        self._waiting: dict[Path, tuple[str, Job]] = {}
        self._spent: dict[Path, float] = {}
        self._skipped: set[Path] = set()
        self._expired_at = -HOUR
        for folder in self._entries(root):
            if not OWNER.fullmatch(folder.name) or not folder.is_dir():
                self._skip(folder, "no visitor's folder")
                continue
            sweep(folder / "systems")
            for job in self.jobs(folder.name):
                if job.state == "queued":
                    self._waiting[job.folder] = folder.name, job
        self._thread = threading.Thread(target=self._loop, daemon=True, name="jobs")
        self._thread.start()

    def jobs(self, owner: str) -> list[Job]:
        """A visitor's jobs, the oldest first; folders that hold no whole job are skipped."""
        jobs = []
        for folder in self._entries(self._jobs_folder(owner)):
            try:
                job = Job(folder)
                values = [job.settings.get(field) for field in TITLE_FIELDS.get(job.kind, ())]
                if not all(isinstance(value, str) for value in values):
                    raise JobError("expected a job whose settings say what it is about")
            except (JobError, OSError) as error:
                self._skip(folder, str(error))
                continue
            jobs.append(job)
        return jobs

    def _entries(self, folder: Path) -> list[Path]:
        """The entries of a folder, sorted; empty where it cannot be read."""
        try:
            return sorted(folder.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            self._skip(folder, str(error))
            return []

    def _skip(self, path: Path, reason: str) -> None:
        """Log, once for each path, that something in the folder of jobs is ignored."""
        if path not in self._skipped:
            self._skipped.add(path)
            _log.warning("skipped %s in the folder of jobs: %s", path, reason)

    def job(self, owner: str, name: str) -> Job:
        """One of a visitor's jobs.

        Raises:
            JobError: there is none of that name.
        """
        if not OWNER.fullmatch(name):
            raise JobError(f"expected the name of a job, got {name!r}")
        return Job(self._jobs_folder(owner) / name)

    def submit(self, owner: str, kind: str, settings: dict[str, Any]) -> Job:
        """Queue a new job.

        Args:
            owner: the visitor.
            kind: one of `tasklab.jobs`.
            settings: plain values; which, depends on the kind.

        Raises:
            Refused: the visitor or all visitors together have too many jobs, or the disk cannot be written.
            ValueError: the settings are not valid for this kind.
        """
        with self._lock:
            self._check_room(owner)
            if len(self.jobs(owner)) >= MAX_KEPT:
                raise Refused(f"You have {MAX_KEPT} jobs here, which is all there is room for. Remove some first.")
            folder = self._jobs_folder(owner) / f"{int(time.time() * 1000):011x}{secrets.token_hex(3)}"
            try:
                job = Job.create(folder, kind, settings)
            except OSError as error:
                shutil.rmtree(folder, ignore_errors=True)
                raise Refused(trouble(error)) from error
            self._enqueue(owner, job)
        self._wake.set()
        return job

    def resume(self, owner: str, job: Job) -> None:
        """Queue a job again that has ended.

        Raises:
            Refused: the visitor or all visitors together have too many jobs, or the disk cannot be written.
        """
        with self._lock:
            if job.folder in self._waiting or job.folder in self._running:
                return
            self._check_room(owner)
            try:
                job.resume()
            except OSError as error:
                raise Refused(trouble(error)) from error
            self._spent.pop(job.folder, None)
            self._enqueue(owner, job)
        self._wake.set()

    def stop(self, job: Job) -> None:
        """Ask a running job to stop; a waiting one is stopped at once.

        Raises:
            Refused: the disk cannot be written.
        """
        with self._lock:
            try:
                job.stop()
                if self._waiting.pop(job.folder, None) is not None:
                    job.end("stopped", AGAIN if job.events() else "Stopped before it began.")
            except OSError as error:
                raise Refused(trouble(error)) from error
        self._wake.set()

    def state(self, job: Job) -> str:
        """A job's state. It is “running” as soon as its process has been started."""
        with self._lock:
            if job.folder in self._running:
                return "running"
            state = job.state
            return "interrupted" if state == "queued" and job.folder not in self._waiting else state

    def before(self, job: Job) -> int:
        """The number of waiting jobs that will be started before this one."""
        with self._lock:
            order = self._order()
            return order.index(job.folder) if job.folder in order else 0

    @property
    def running(self) -> int:
        """The number of running jobs."""
        with self._lock:
            return len(self._running)

    def close(self) -> None:
        """End the thread and the running jobs, which can be resumed later."""
        self.closed = True
        self._wake.set()
        self._thread.join(10)
        with self._lock:
            for each in self._running.values():
                _release(each.process)
            for each in self._running.values():
                each.process.wait()
            self._running.clear()

    def _jobs_folder(self, owner: str) -> Path:
        """The folder of a visitor's jobs.

        Raises:
            JobError: the name of the visitor cannot be the name of a folder.
        """
        if not OWNER.fullmatch(owner):
            raise JobError(f"expected an owner, got {owner!r}")
        return self.root / owner / "jobs"

    def _check_room(self, owner: str) -> None:
        """Raise `Refused` where the visitor, or all visitors together, have too many active jobs."""
        active = [waiting for waiting, _ in self._waiting.values()] + self._owners()
        if active.count(owner) >= MAX_WAITING:
            raise Refused(f"You have {MAX_WAITING} jobs running or waiting already. Let some finish, or stop them.")
        if len(active) >= MAX_TOGETHER:
            raise Refused(f"All visitors together have {MAX_TOGETHER} jobs running or waiting, which is the most that "
                          "this server takes. Try again when some have finished.")

    def _enqueue(self, owner: str, job: Job) -> None:
        """Put a job into the queue."""
        active = {waiting for waiting, _ in self._waiting.values()} | set(self._owners())
        if owner not in active:
            self.turns.arrive(owner, active)
        self._waiting[job.folder] = owner, job

    def _order(self) -> list[Path]:
        """The folders of the waiting jobs, the next one first."""
        arrivals = sorted(self._waiting.items(), key=lambda item: (item[1][1].queued_at, item[0]))
        return self.turns.order([(folder, owner) for folder, (owner, _) in arrivals], self._owners())

    def _owners(self) -> list[str]:
        """The owner of each running job."""
        return [each.owner for each in self._running.values()]

    def _loop(self) -> None:
        if not self.at_once and ray_address():
            of_cluster = capacity()
            self.at_once, self.gpus = of_cluster.at_once, of_cluster.gpus
        while not self.closed:
            busy = True
            try:
                busy = self._tick()
                self._expire()
            except Exception:  # an error in one job must not end the queue
                _log.exception("the queue of jobs stumbled")
            self._wake.wait(0.2 if busy else HOUR)
            self._wake.clear()

    def _expire(self) -> None:
        """Once an hour, remove the folders of visitors who have not come for long."""
        if self.clock() - self._expired_at >= HOUR:
            self._expired_at = self.clock()
            with self._lock:
                expire(self.root, {*self._owners(), *(owner for owner, _ in self._waiting.values())})

    def _tick(self) -> bool:
        """Record ended jobs, enforce requests to stop, start waiting jobs; whether any job is running or waiting."""
        with self._lock:
            for folder, each in list(self._running.items()):
                self._charge(each)
                if each.process.poll() is None:
                    self._enforce_stop(each)
                    continue
                del self._running[folder]
                _release(each.process)
                self._collect(each)
            order = self._order()
            for folder in order[: max(0, self.at_once - len(self._running))]:
                owner, job = self._waiting.pop(folder)
                if job.state == "queued":
                    self._start(owner, job)
            self._make_room()
            return bool(self._running or self._waiting)

    def _charge(self, each: _Running) -> None:
        """Charge the owner of a running job for its time, and stop the job after `MAX_SECONDS`."""
        now = self.clock()
        self.turns.charge(each.owner, now - each.charged)
        self._spent[each.job.folder] = spent = self._spent.get(each.job.folder, 0.0) + now - each.charged
        each.charged = now
        if spent > MAX_SECONDS and not each.late:
            each.late = True
            with contextlib.suppress(OSError):  # the disk may be full; `_enforce_stop` ends the job nevertheless
                each.job.stop()

    def _enforce_stop(self, each: _Running) -> None:
        """Terminate, and then kill, a job that was asked to stop and has not ended in time."""
        if not each.late and not each.job.stopping:
            return
        now = self.clock()
        each.stop_at = each.stop_at or now
        if each.signals < len(PATIENCE) and now - each.stop_at > PATIENCE[each.signals]:
            (each.process.terminate if each.signals == 0 else each.process.kill)()
            each.signals += 1

    def _collect(self, each: _Running) -> None:
        """Record the outcome of a job whose process did not, or queue the job again if it gave way."""
        job, code = each.job, each.process.returncode
        try:
            outcome = job.outcome
            if each.late and (outcome is None or outcome.state == "stopped"):
                job.end("stopped", f"Stopped after {MAX_SECONDS / HOUR:g} hours, which is as long as a job may run; "
                        "it can go on from here.")
            elif job.waits:  # it ended before it began
                job.end("failed", f"Its process ended with code {code} before it began.")
            elif each.gives_way and outcome is None and code == UNFINISHED and not job.stopping:
                job.resume()
                self._waiting[job.folder] = each.owner, job
                return
        except (OSError, JobError) as error:
            _log.warning("how the job in %s ended could not be written down: %s", job.folder, error)
        self._spent.pop(job.folder, None)

    def _make_room(self) -> None:
        """Ask one running job to give way where another visitor, who has had less time, is waiting."""
        running = list(self._running.items())
        if not self._waiting or len(running) < self.at_once or any(each.gives_way for _, each in running):
            return
        owner, _ = self._waiting[self._order()[0]]
        now = self.clock()
        chosen = self.turns.to_give_way([(folder, each.owner, now - each.began) for folder, each in running], owner)
        if chosen is not None and (pipe := self._running[chosen].process.stdin) is not None:
            self._running[chosen].gives_way = True
            with contextlib.suppress(OSError):  # its process has just ended
                pipe.write(b"others wait\n")
                pipe.flush()

    def _start(self, owner: str, job: Job) -> None:
        """Start the process of a job."""
        try:
            with (job.folder / "log.txt").open("ab") as log:
                command = [*self.command, *ray_words(job.kind), str(job.folder), "--attended"]
                process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                    stderr=log, start_new_session=os.name == "posix",
                )
        except OSError as error:
            with contextlib.suppress(OSError):
                job.end("failed", f"This machine could not start it: {error.strerror or error}.")
            return
        now = self.clock()
        self._running[job.folder] = _Running(process, owner, job, now, now)


def _release(process: subprocess.Popen[bytes]) -> None:
    """Close a process's standard input, upon which it ends."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()

