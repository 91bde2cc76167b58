"""A job's folder, which is all there is of a job.

``job.json`` (kind and settings), ``events.jsonl`` (what happened), ``outcome.json`` (how it ended); ``queued`` while it
waits, ``stop`` once somebody asked it to, ``lock``, held by the process that runs it; and what the job itself makes.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from tasklab import files, strict_json
from tasklab.jobs.kinds import check
from tasklab.jobs.lock import is_held

State = Literal["queued", "running", "done", "failed", "stopped", "interrupted"]
Ending = Literal["done", "failed", "stopped"]
FORMAT = 1


class JobError(ValueError):
    """A job folder that cannot be used as asked."""


class Busy(JobError):
    """Another process is running this very job."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a job ended.

    Args:
        state: done, failed or stopped.
        message: one sentence for a person.
        at: when, in seconds of the epoch.
    """

    state: Ending
    message: str
    at: float


class Job:
    """The job in a folder.

    Args:
        folder: one that `create` made.

    Raises:
        JobError: there is no readable job in it.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(os.path.abspath(folder))
        told = _read(self.folder / "job.json")
        if told is None or told.get("format") != FORMAT or not isinstance(told.get("kind"), str):
            raise JobError(f"expected a job in {self.folder}, got none that reads; try Job.create")
        self.kind: str = told["kind"]
        self.settings: dict[str, Any] = dict(told["settings"])
        self.created = float(told["created"])

    def __repr__(self) -> str:
        return f"Job({str(self.folder)!r})"

    @staticmethod
    def create(folder: str | Path, kind: str, settings: dict[str, Any]) -> Job:
        """Describe a job in a new folder; nothing runs yet, it is queued.

        Args:
            folder: must not hold a job.
            kind: a name of `KINDS`.
            settings: plain values; what is left out is filled in by the kind's defaults.

        Raises:
            ValueError: no such kind, settings that it refuses, or a folder that holds a job.
        """
        folder = Path(os.path.abspath(folder))
        told = {"format": FORMAT, "kind": kind, "settings": check(kind, settings), "created": time.time()}
        if (folder / "job.json").exists():
            raise JobError(f"expected a folder without a job, got {folder}; try another")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "queued").touch()
        files.write_text(folder / "job.json", strict_json.dumps(told, indent=2) + "\n")
        return Job(folder)

    @property
    def state(self) -> State:
        """What has become of it; "interrupted" is a process that ended without a word, by whatever means."""
        if is_held(self.folder / "lock"):
            return "running"
        if self.waits:
            return "stopped" if self.stopping else "queued"
        if (outcome := self.outcome) is not None:
            return outcome.state
        return "stopped" if self.stopping else "interrupted"

    @property
    def waits(self) -> bool:
        """Whether it has been queued, and not begun since."""
        return (self.folder / "queued").exists()

    @property
    def queued_at(self) -> float:
        """When it was queued, in seconds of the epoch; 0 if it does not wait."""
        try:
            return (self.folder / "queued").stat().st_mtime
        except OSError:
            return 0.0

    @property
    def stopping(self) -> bool:
        """Whether somebody asked it to stop."""
        return (self.folder / "stop").exists()

    @property
    def outcome(self) -> Outcome | None:
        """How it ended, if it did."""
        told = _read(self.folder / "outcome.json")
        try:
            return Outcome(**told) if told is not None else None
        except TypeError:
            return None

    def events(self) -> list[dict[str, Any]]:
        """What has happened so far, in order; a half-written last line is left out."""
        try:
            lines = (self.folder / "events.jsonl").read_bytes().split(b"\n")[:-1]
        except OSError:
            return []
        found = []
        for line in lines:
            with contextlib.suppress(ValueError, TypeError):
                found.append(dict(json.loads(line)))
        return found

    def stop(self) -> None:
        """Ask it to stop; a running one keeps what it has, and can be resumed."""
        (self.folder / "stop").touch()

    def resume(self) -> None:
        """Queue it once more, however it ended.

        Raises:
            Busy: it is running.
        """
        if self.state == "running":
            raise Busy(f"expected a job that is not running, got {self.folder}; stop it first")
        (self.folder / "stop").unlink(missing_ok=True)
        (self.folder / "outcome.json").unlink(missing_ok=True)
        (self.folder / "queued").touch()

    def end(self, state: Ending, message: str) -> Outcome:
        """Write down how it ended."""
        outcome = Outcome(state=state, message=message, at=time.time())
        files.write_text(self.folder / "outcome.json", strict_json.dumps(asdict(outcome)) + "\n")
        (self.folder / "queued").unlink(missing_ok=True)
        return outcome

    def log(self, event: dict[str, Any]) -> None:
        """Append one event; numbers that JSON does not have become null."""
        files.append_line(self.folder / "events.jsonl", strict_json.dumps(event))

    def rewind(self, step: float = math.inf) -> None:
        """Forget half-written lines, and the events from a step on: a resumed run is about to repeat them."""
        kept = [event for event in self.events() if not event.get("step", -math.inf) >= step]
        files.write_text(self.folder / "events.jsonl", "".join(strict_json.dumps(event) + "\n" for event in kept))

    def delete(self) -> None:
        """Remove the folder with all that the job made.

        Raises:
            Busy: it is running.
        """
        if self.state == "running":
            raise Busy(f"expected a job that is not running, got {self.folder}; stop it first")
        shutil.rmtree(self.folder, ignore_errors=True)


def _read(path: Path) -> dict[str, Any] | None:
    """A file's JSON object, or None where there is none."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
