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
from lab_ui.visitor.turns import Turns
from tasklab.jobs import Job, JobError
from tasklab.leftovers import sweep

_log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "tasklab.jobs")

PATIENCE = (10.0, 20.0)
"""Seconds after which a job that was asked to stop is terminated, and killed."""

HOUR = 3600.0
"""Seconds between two looks for what nobody has visited for long."""

NAMED = {"train": ("name", "data"), "download": ("data",), "report": ("system", "data")}
"""Words in the settings of each kind of job, without which a page could not say what it is."""

AGAIN = "Stopped; it can go on from here."
LEFT = 4
"""The exit code of a job that left unfinished."""

OWNER = re.compile(r"[a-z0-9]{1,64}")


@dataclass
class _Running:
    process: subprocess.Popen[bytes]
    owner: str
    job: Job
    began: float
    charged: float
    stop_at: float = 0.0
    told: int = 0
    gives_way: bool = False
    late: bool = False


class Scheduler:
    """Runs at most ``at_once`` jobs, by turns among visitors (`lab_ui.visitor.turns`).

    Args:
        root: the folder of all jobs.
        at_once: by default ``TASKLAB_JOBS_AT_ONCE`` from the environment, else as many as there are processors.
        command: what runs a job's folder.
        clock: seconds that only grow.
    """

    def __init__(
        self, root: Path, at_once: int | None = None, command: Sequence[str] = COMMAND,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.root, self.command, self.clock = root, tuple(command), clock
        self.at_once = at_once or _whole(os.environ.get("TASKLAB_JOBS_AT_ONCE")) or os.cpu_count() or 1
        self.turns = Turns()
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._closed = False
        self._running: dict[Path, _Running] = {}
        self._waiting: dict[Path, tuple[str, Job]] = {}
        self._spent: dict[Path, float] = {}
        self._skipped: set[Path] = set()
        self._looked = -HOUR
        for place in self._entries(root):
            if not OWNER.fullmatch(place.name) or not place.is_dir():
                self._skip(place, "no visitor's folder")
                continue
            sweep(place / "systems")
            for job in self.jobs(place.name):
                if job.state == "queued":
                    self._waiting[job.folder] = place.name, job
        self._thread = threading.Thread(target=self._loop, daemon=True, name="jobs")
        self._thread.start()

    def jobs(self, owner: str) -> list[Job]:
        """A visitor's jobs, the oldest first; what is no job is skipped."""
        found = []
        for folder in self._entries(self._place(owner)):
            try:
                job = Job(folder)
                words = [job.settings.get(word) for word in NAMED.get(job.kind, ())]
                if not all(isinstance(word, str) for word in words):
                    raise JobError("expected a job whose settings say what it is about")
            except (JobError, OSError) as error:
                self._skip(folder, str(error))
                continue
            found.append(job)
        return found

    def _entries(self, folder: Path) -> list[Path]:
        """What is in a folder, in order; nothing where there is none that can be read."""
        try:
            return sorted(folder.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            self._skip(folder, str(error))
            return []

    def _skip(self, place: Path, why: str) -> None:
        """Say once that something in the folder of jobs is left alone."""
        if place not in self._skipped:
            self._skipped.add(place)
            _log.warning("skipped %s in the folder of jobs: %s", place, why)

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
            Refused: this visitor has too many, all visitors together have, or the disk does not take it.
            ValueError: settings that the kind refuses.
        """
        with self._lock:
            self._check_room(owner)
            if len(self.jobs(owner)) >= MAX_KEPT:
                raise Refused(f"You have {MAX_KEPT} jobs here, which is all there is room for. Remove some first.")
            folder = self._place(owner) / f"{int(time.time() * 1000):011x}{secrets.token_hex(3)}"
            try:
                job = Job.create(folder, kind, settings)
            except OSError as error:
                shutil.rmtree(folder, ignore_errors=True)
                raise Refused(trouble(error)) from error
            self._wait(owner, job)
        self._wake.set()
        return job

    def resume(self, owner: str, job: Job) -> None:
        """Queue a job once more.

        Raises:
            Refused: this visitor has too many, all visitors together have, or the disk does not take it.
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
            self._wait(owner, job)
        self._wake.set()

    def stop(self, job: Job) -> None:
        """Ask a job to stop; one that waits has stopped at once.

        Raises:
            Refused: the disk does not take it.
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
        active = [each for each, _ in self._waiting.values()] + [each.owner for each in self._running.values()]
        if active.count(owner) >= MAX_WAITING:
            raise Refused(f"You have {MAX_WAITING} jobs running or waiting already. Let some finish, or stop them.")
        if len(active) >= MAX_TOGETHER:
            raise Refused(f"All visitors together have {MAX_TOGETHER} jobs running or waiting, which is all that is "
                          "taken at once. Try again when some have finished.")

    def _wait(self, owner: str, job: Job) -> None:
        """Put a job into the queue."""
        active = {each for each, _ in self._waiting.values()} | {each.owner for each in self._running.values()}
        if owner not in active:
            self.turns.arrive(owner, active)
        self._waiting[job.folder] = owner, job

    def _order(self) -> list[Path]:
        """Who is next."""
        came = sorted(self._waiting.items(), key=lambda item: (item[1][1].queued_at, item[0]))
        return self.turns.order([(folder, owner) for folder, (owner, _) in came], self._owners())

    def _owners(self) -> list[str]:
        return [each.owner for each in self._running.values()]

    def _loop(self) -> None:
        while not self._closed:
            busy = True
            try:
                busy = self._tick()
                self._expire()
            except Exception:  # the queue outlives whatever one job does
                _log.exception("the queue of jobs stumbled")
            self._wake.wait(0.2 if busy else HOUR)
            self._wake.clear()

    def _expire(self) -> None:
        """Remove what nobody has visited for long, now and then."""
        if self.clock() - self._looked >= HOUR:
            self._looked = self.clock()
            with self._lock:
                expire(self.root, {*self._owners(), *(owner for owner, _ in self._waiting.values())})

    def _tick(self) -> bool:
        """Collect what ended, press what was asked to stop, start what is next; whether there is anything to watch."""
        with self._lock:
            for folder, each in list(self._running.items()):
                self._charge(each)
                if each.process.poll() is None:
                    self._press(each)
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
        """Note what a running job has had, and stop it where that is too much."""
        now = self.clock()
        self.turns.charge(each.owner, now - each.charged)
        self._spent[each.job.folder] = spent = self._spent.get(each.job.folder, 0.0) + now - each.charged
        each.charged = now
        if spent > MAX_SECONDS and not each.late:
            each.late = True
            with contextlib.suppress(OSError):  # a disk that is full; `_press` ends it all the same
                each.job.stop()

    def _press(self, each: _Running) -> None:
        """A job that was asked to stop and does not come to it is terminated, then killed."""
        if not each.late and not each.job.stopping:
            return
        now = self.clock()
        each.stop_at = each.stop_at or now
        if each.told < len(PATIENCE) and now - each.stop_at > PATIENCE[each.told]:
            (each.process.terminate if each.told == 0 else each.process.kill)()
            each.told += 1

    def _collect(self, each: _Running) -> None:
        """Write down how a job ended whose process did not, and queue what gave way."""
        job, code = each.job, each.process.returncode
        try:
            outcome = job.outcome
            if each.late and (outcome is None or outcome.state == "stopped"):
                job.end("stopped", f"Stopped after {MAX_SECONDS / HOUR:g} hours, which is as long as a job may run; "
                        "it can go on from here.")
            elif job.waits:  # it never came to begin
                job.end("failed", f"Its process ended with code {code} before it began.")
            elif each.gives_way and outcome is None and code == LEFT and not job.stopping:
                job.resume()
                self._waiting[job.folder] = each.owner, job
                return
        except (OSError, JobError) as error:
            _log.warning("how the job in %s ended could not be written down: %s", job.folder, error)
        self._spent.pop(job.folder, None)

    def _make_room(self) -> None:
        """Where somebody waits who has had less, ask one running job to give way."""
        running = list(self._running.items())
        if not self._waiting or len(running) < self.at_once or any(each.gives_way for _, each in running):
            return
        owner, _ = self._waiting[self._order()[0]]
        now = self.clock()
        place = self.turns.to_give_way([(folder, each.owner, now - each.began) for folder, each in running], owner)
        if place is not None and (pipe := self._running[place].process.stdin) is not None:
            self._running[place].gives_way = True
            with contextlib.suppress(OSError):  # it has just ended
                pipe.write(b"others wait\n")
                pipe.flush()

    def _start(self, owner: str, job: Job) -> None:
        try:
            with (job.folder / "log.txt").open("ab") as log:
                process = subprocess.Popen(
                    [*self.command, str(job.folder), "--attended"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                    stderr=log, start_new_session=os.name == "posix",
                )
        except OSError as error:
            with contextlib.suppress(OSError):
                job.end("failed", f"This machine could not start it: {error.strerror or error}.")
            return
        now = self.clock()
        self._running[job.folder] = _Running(process, owner, job, now, now)


def _release(process: subprocess.Popen[bytes]) -> None:
    """Let go of a process: its standard input ends, and so will it."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()


def _whole(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0
