"""``python -m tasklab.jobs FOLDER``: run or resume the job in a folder.

The exit code is 0 for done, 1 for failed, 2 for a folder that cannot be run, 3 for stopped, 4 for left unfinished.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import threading
import time
from types import FrameType

from tasklab.console import complain, prepare_streams, say

GRACE = 20.0
"""Seconds that a job has to reach its next event after the process that started it has ended."""

NICE = 5
"""By how much the priority of a job is lowered (`os.nice`), so that the app stays responsive."""


def main(arguments: list[str] | None = None) -> int:
    """Run a job to its end and print its messages to standard output; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tasklab.jobs", description="Run or resume the job in a folder.")
    parser.add_argument("folder", help="one that tasklab.jobs.Job.create made")
    parser.add_argument("--threads", type=int, default=1, help="of the computation (default: 1)")
    parser.add_argument("--attended", action="store_true",
                        help="leave, resumable, when standard input closes: whoever started this has gone; a line "
                        "there asks to give way to others")
    parser.add_argument("--ray", metavar="ADDRESS", help="have a Ray cluster run it, and watch it from here")
    args = parser.parse_args(arguments)
    os.environ["OMP_NUM_THREADS"] = str(args.threads)  # before torch is imported
    prepare_streams()
    asked, gone, pressed = threading.Event(), threading.Event(), threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, _noting(asked))
    if args.attended:
        with contextlib.suppress(AttributeError, OSError):
            os.nice(NICE)
        threading.Thread(target=_watch_input, args=(pressed, gone), daemon=True).start()
    from tasklab.jobs.folder import Job, JobError
    from tasklab.jobs.running import run, sentence

    try:
        job = Job(args.folder)
        if not args.attended and job.state != "running" and job.state != "done":
            job.resume()
        if args.ray is not None:
            from tasklab.jobs.cluster import watch

            return watch(job, args.ray, stopped=asked.is_set, left=gone.is_set, pressed=pressed.is_set,
                         threads=args.threads)
        for event in run(job, stopped=asked.is_set, left=gone.is_set, pressed=pressed.is_set):
            if "message" in event:
                say(event["message"])
    except JobError as error:
        complain(str(error))
        return 2
    except ValueError as error:  # there is no such cluster
        job.end("failed", str(error))
        complain(str(error))
        return 1
    except OSError as error:  # such as a full disk before the job has begun
        complain(sentence(error))
        return 2
    outcome = job.outcome
    if outcome is None:
        return 4
    if outcome.state != "done":
        complain(outcome.message)
    return {"done": 0, "failed": 1, "stopped": 3}[outcome.state]


def _noting(asked: threading.Event) -> signal.Handlers:
    def note(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt  # the second signal ends it at once
        asked.set()

    return note  # type: ignore[return-value]


def _watch_input(pressed: threading.Event, gone: threading.Event) -> None:
    """Watch standard input: a line asks to give way to others; its end means that the parent process has ended."""
    with contextlib.suppress(OSError, ValueError):
        while os.read(0, 1024):
            pressed.set()
    gone.set()
    time.sleep(GRACE)
    os._exit(4)


if __name__ == "__main__":
    raise SystemExit(main())
