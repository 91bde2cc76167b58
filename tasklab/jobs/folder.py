"""A job's folder, which holds everything about the job.

Its files are ``job.json`` (kind and settings), ``events.jsonl`` (its events), ``outcome.json`` (how it ended),
``queued`` (there while it waits), ``stop`` (there once it was asked to stop), ``lock`` (locked by the process that runs
it), and whatever the job itself makes.
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
"""All numbers of a job are smaller than this."""


class JobError(ValueError):
    """A job's folder cannot be used as requested."""


class Busy(JobError):
    """Another process is running this job."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a job ended.

    Args:
        state: done, failed or stopped.
        message: one sentence for a person.
        at: when it ended, in seconds since 1970.
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
        content = _read(self.folder / "job.json") or {}
        kind, settings, created = content.get("kind"), content.get("settings"), content.get("created")
        whole = content.get("format") == FORMAT and isinstance(kind, str) and isinstance(settings, dict)
        if not whole or not _is_number(created):
            raise JobError(f"expected a job in {self.folder}, got none that reads; try Job.create")
        self.kind: str = kind  # type: ignore[assignment]
        self.settings: dict[str, Any] = settings  # type: ignore[assignment]
        self.created = float(created)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return f"Job({str(self.folder)!r})"

    @staticmethod
    def create(folder: str | Path, kind: str, settings: dict[str, Any]) -> Job:
        """Describe a job in a folder and queue it; nothing runs yet.

        Args:
            folder: made if needed; must not hold a job.
            kind: a key of `KINDS`.
            settings: plain values; missing ones get the defaults of the kind.

        Raises:
            ValueError: there is no such kind, the settings are not valid, or the folder holds a job already.
        """
        folder = Path(os.path.abspath(folder))
        content = {"format": FORMAT, "kind": kind, "settings": check(kind, settings), "created": time.time()}
        if (folder / "job.json").exists():
            raise JobError(f"expected a folder without a job, got {folder}; try another")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "queued").touch()
        files.write_text(folder / "job.json", strict_json.dumps(content, indent=2) + "\n")
        return Job(folder)

    @property
    def state(self) -> State:
        """The job's state; "interrupted" means that its process ended without writing an outcome."""
        if is_held(self.folder / "lock"):
            return "running"
        if self.waits:
            return "stopped" if self.stopping else "queued"
        if (outcome := self.outcome) is not None:
            return outcome.state
        return "stopped" if self.stopping else "interrupted"

    @property
    def waits(self) -> bool:
        """Whether it is queued and has not begun since."""
        return (self.folder / "queued").exists()

    @property
    def queued_at(self) -> float:
        """When it was queued, in seconds since 1970; 0 if it is not waiting."""
        try:
            return (self.folder / "queued").stat().st_mtime
        except OSError:
            return 0.0

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return (self.folder / "stop").exists()

    @property
    def outcome(self) -> Outcome | None:
        """How it ended; None if it has not."""
        content = _read(self.folder / "outcome.json") or {}
        state, message, at = content.get("state"), content.get("message"), content.get("at")
        if state not in get_args(Ending) or not isinstance(message, str) or not _is_number(at):
            return None
        return Outcome(state=state, message=message, at=float(at))  # type: ignore[arg-type]

    def events(self) -> list[dict[str, Any]]:
        """Its events so far, in order; lines that are incomplete or not an event are left out."""
        try:
            lines = (self.folder / "events.jsonl").read_bytes().split(b"\n")[:-1]
        except OSError:
            return []
        return [event for line in lines if (event := _parsed(line)) is not None and _is_event(event)]

    def stop(self) -> None:
        """Ask it to stop; a running job keeps its results so far and can be resumed."""
        (self.folder / "stop").touch()

    def resume(self) -> None:
        """Queue it again, however it ended.

        Raises:
            Busy: it is running.
        """
        if self.state == "running":
            raise Busy(f"expected a job that is not running, got {self.folder}; stop it first")
        (self.folder / "queued").touch()  # first, so that nothing is changed if the disk cannot be written
        (self.folder / "stop").unlink(missing_ok=True)
        (self.folder / "outcome.json").unlink(missing_ok=True)

    def end(self, state: Ending, message: str) -> Outcome:
        """Write the outcome."""
        outcome = Outcome(state=state, message=message, at=time.time())
        files.write_text(self.folder / "outcome.json", strict_json.dumps(asdict(outcome)) + "\n")
        (self.folder / "queued").unlink(missing_ok=True)
        return outcome

    def log(self, event: dict[str, Any]) -> None:
        """Append an event; NaN and infinity, which JSON does not have, become null."""
        files.append_line(self.folder / "events.jsonl", strict_json.dumps(event))

    def rewind(self, step: float = math.inf) -> None:
        """Remove incomplete lines and all events from ``step`` on, which a resumed run will log again."""
        kept = [event for event in self.events() if not (event.get("step") or -math.inf) >= step]
        files.write_text(self.folder / "events.jsonl", "".join(strict_json.dumps(event) + "\n" for event in kept))

    def delete(self) -> None:
        """Remove the folder with everything that the job made.

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
    """A JSON object, or None for anything else, such as a text with NaN or infinity."""
    try:
        value = json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _refused(word: str) -> None:
    raise ValueError(f"expected a number of JSON, got {word}")


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < LARGEST  # neither infinite nor too large for a float


def _is_event(event: dict[str, Any]) -> bool:
    """Whether the keys of an event that are used for display have the right types."""
    numbers = (event.get(key) for key in ("step", "progress", "at"))
    return (
        isinstance(event.get("event"), str) and isinstance(event.get("message", ""), str)
        and all(value is None or _is_number(value) for value in numbers)
    )
