"""Running the job in a folder as a stream of events: with a lock, requests to stop, resuming, and its outcome."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tasklab.jobs.folder import Busy, Job
from tasklab.jobs.kinds import stream
from tasklab.leftovers import sweep
from tasklab.lock import Lock, Locked

_log = logging.getLogger(__name__)

PATIENCE = 2.0
"""Seconds to wait for another process that holds the lock and may be ending."""

EXPECTED = (ValueError, TypeError, OSError, RuntimeError, ArithmeticError)
"""Errors whose message is a sentence for people; others are bugs, and are reported with their type."""


def run(
    folder: str | Path | Job,
    *,
    stopped: Callable[[], bool] = lambda: False,
    left: Callable[[], bool] = lambda: False,
    pressed: Callable[[], bool] = lambda: False,
    noted: Mapping[str, Any] | None = None,
) -> Iterator[dict[str, Any]]:
    """Run or resume a job; everything that happens is written to its folder.

    Args:
        folder: of a job, or the job.
        stopped: called after each event: whether to end with the outcome "stopped". The stop file has the same effect.
        left: called after each event: whether to end without an outcome, so that the job can be resumed.
        pressed: called after events with a ``step``, where little work is lost: whether to end likewise, for others.
        noted: further fields of the first event, such as where the job runs.

    Yields:
        Each event as logged, with ``at`` in seconds since 1970. The first is ``{"event": "begin"}``; a job that is done
        has no events. When the stream is no longer consumed, the job ends without an outcome.

    Raises:
        Busy: another process is running this job.
    """
    job = folder if isinstance(folder, Job) else Job(folder)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(Lock(job.folder / "lock", PATIENCE))
        except Locked as error:
            raise Busy(f"expected a job that nobody runs, got one that runs already: {error}") from None
        if (outcome := job.outcome) is not None and outcome.state == "done":
            (job.folder / "queued").unlink(missing_ok=True)
            return
        (job.folder / "outcome.json").unlink(missing_ok=True)
        sweep(job.folder, older=0)  # nobody else writes here
        job.rewind()
        begin = _logged(job, {"event": "begin"} | dict(noted or {}))
        (job.folder / "queued").unlink(missing_ok=True)
        yield begin
        yield from _events(job, stopped, left, pressed)


def _events(
    job: Job, stopped: Callable[[], bool], left: Callable[[], bool], pressed: Callable[[], bool]
) -> Iterator[dict[str, Any]]:
    repeated, last = True, "Done."
    try:
        if job.stopping or stopped():
            job.end("stopped", "Stopped before it began.")
            return
        with contextlib.closing(_closeable(stream(job.kind, job.settings, job.folder))) as events:
            for event in events:
                if repeated and "step" in event:
                    job.rewind(event["step"])
                    repeated = False
                last = event.get("message", last)
                yield _logged(job, event)
                if left() or ("step" in event and pressed()):
                    return
                if job.stopping or stopped():
                    break
            else:
                job.end("done", last)
                return
        job.end("stopped", "Stopped; it can go on from here.")
    except Exception as error:
        _log.exception("the job in %s failed", job.folder)
        with contextlib.suppress(OSError):  # a full disk: it is interrupted, then
            job.end("failed", sentence(error))


def sentence(error: BaseException) -> str:
    """An error as one sentence for a person.

    >>> sentence(ValueError("expected S ≥ 0, got -1\\nand more"))
    'expected S ≥ 0, got -1.'
    """
    if isinstance(error, MemoryError):
        return "There is not enough memory for this."
    if isinstance(error, OSError) and error.strerror:
        return f"A file could not be read or written: {error.strerror}."
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else ""
    if not text or not isinstance(error, EXPECTED):
        text = f"{type(error).__name__}: {text}".rstrip(": ")
    return text[:500].rstrip(".") + "."


def _closeable(events: Iterator[dict[str, Any]]) -> Any:
    """A generator, whatever iterator a kind gave."""
    return events if hasattr(events, "close") else (event for event in events)


def _logged(job: Job, event: dict[str, Any]) -> dict[str, Any]:
    stamped = event | {"at": round(time.time(), 3)}
    job.log(stamped)
    return stamped
