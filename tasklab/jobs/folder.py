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
from typing import Any, Literal, get_args

from tasklab import files, strict_json
from tasklab.jobs.kinds import check
from tasklab.lock import is_held

State = Literal["queued", "running", "done", "failed", "stopped", "interrupted"]
Ending = Literal["done", "failed", "stopped"]
FORMAT = 1
LARGEST = 1e300
"""No number of a job is as large."""


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
        told = _read(self.folder / "job.json") or {}
        kind, settings, created = told.get("kind"), told.get("settings"), told.get("created")
        whole = told.get("format") == FORMAT and isinstance(kind, str) and isinstance(settings, dict)
        if not whole or not _is_number(created):
            raise JobError(f"expected a job in {self.folder}, got none that reads; try Job.create")
        self.kind: str = kind  # type: ignore[assignment]
        self.settings: dict[str, Any] = settings  # type: ignore[assignment]
        self.created = float(created)  # type: ignore[arg-type]

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
        told = _read(self.folder / "outcome.json") or {}
        state, message, at = told.get("state"), told.get("message"), told.get("at")
        if state not in get_args(Ending) or not isinstance(message, str) or not _is_number(at):
            return None
        return Outcome(state=state, message=message, at=float(at))  # type: ignore[arg-type]

    def events(self) -> list[dict[str, Any]]:
        """What has happened so far, in order; a half-written last line, and what is no event, is left out."""
        try:
            lines = (self.folder / "events.jsonl").read_bytes().split(b"\n")[:-1]
        except OSError:
            return []
        return [event for line in lines if (event := _parsed(line)) is not None and _is_event(event)]

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
        (self.folder / "queued").touch()  # first: where the disk does not take it, all stays as it was
        (self.folder / "stop").unlink(missing_ok=True)
        (self.folder / "outcome.json").unlink(missing_ok=True)

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
        kept = [event for event in self.events() if not (event.get("step") or -math.inf) >= step]
        files.write_text(self.folder / "events.jsonl", "".join(strict_json.dumps(event) + "\n" for event in kept))

    def delete(self) -> None:
        """Remove the folder with all that the job made.

        Raises:
            Busy: it is running.
            OSError: it cannot be removed.
        """
        if self.state == "running":
            raise Busy(f"expected a job that is not running, got {self.folder}; stop it first")
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.folder)


def _read(path: Path) -> dict[str, Any] | None:
    """A file's JSON object, or None where there is none."""
    try:
        return _parsed(path.read_bytes())
    except OSError:
        return None


def _parsed(text: bytes) -> dict[str, Any] | None:
    """A JSON object, or None for anything else; numbers that JSON does not have are refused."""
    try:
        found = json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _refused(word: str) -> None:
    raise ValueError(f"expected a number of JSON, got {word}")


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < LARGEST  # neither infinite nor too large for a float


def _is_event(event: dict[str, Any]) -> bool:
    """Whether the keys that mean something to whoever shows an event hold what they should."""
    numbers = (event.get(key) for key in ("step", "progress", "at"))
    return (
        isinstance(event.get("event"), str) and isinstance(event.get("message", ""), str)
        and all(value is None or _is_number(value) for value in numbers)
    )
