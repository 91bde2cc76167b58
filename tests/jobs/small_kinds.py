"""A kind of job that only counts, and jobs as processes, for tests."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tasklab.jobs.kinds import KINDS

ROOT = Path(__file__).parents[2]
KINDS_HERE = {"count": "small_kinds"}
DEFAULTS = {"to": 5, "seconds": 0.0, "fail_at": 0, "how": "value"}
FAILURES: dict[str, BaseException] = {
    "value": ValueError("expected a number that counts, got none; try 3\nand a second line"),
    "key": KeyError("lost"),
    "memory": MemoryError(),
    "silent": RuntimeError(),
}


def check(settings: dict[str, Any]) -> dict[str, Any]:
    if unknown := settings.keys() - DEFAULTS.keys():
        raise ValueError(f"expected settings of a count, got {', '.join(unknown)}")
    return DEFAULTS | settings


def run(settings: dict[str, Any], folder: Path) -> Iterator[dict[str, Any]]:
    """Count, keeping every second number: a resumed count repeats what it has not kept."""
    kept = folder / "kept"
    begin = int(kept.read_text(encoding="utf-8")) if kept.exists() else 0
    for number in range(begin + 1, settings["to"] + 1):
        if number == settings["fail_at"]:
            if settings["how"] == "killed":
                logging.getLogger("count").warning("no memory for %d", number)
                os.kill(os.getpid(), signal.SIGKILL)
            raise FAILURES[settings["how"]]
        time.sleep(settings["seconds"])
        if number % 2 == 0:
            kept.write_text(str(number), encoding="utf-8")
        yield {"event": "number", "step": number, "progress": number / settings["to"], "message": f"counted {number}",
               "odd": float("nan")}


def register() -> None:
    """Let this process know the kinds of this file."""
    KINDS.update(KINDS_HERE)


@contextlib.contextmanager
def process(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """The job of a folder as a process, which knows the kinds of this file; killed at the end if need be."""
    code = (
        "import sys; from tasklab.jobs.kinds import KINDS; from tasklab.jobs.__main__ import main; "
        f"KINDS.update({KINDS_HERE!r}); raise SystemExit(main(sys.argv[1:]))"
    )
    paths = os.pathsep.join([str(Path(__file__).parent), str(ROOT)])
    started = subprocess.Popen(
        [sys.executable, "-c", code, str(folder), *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, encoding="utf-8", env=os.environ | {"PYTHONPATH": paths},
    )
    try:
        yield started
    finally:
        started.kill()
        started.wait()
        for pipe in (started.stdin, started.stdout, started.stderr):
            assert pipe is not None
            pipe.close()


def until(true: Callable[[], object], seconds: float = 120.0) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def numbers(events: list[dict[str, Any]]) -> list[int]:
    return [event["step"] for event in events if event["event"] == "number"]


__all__ = ["KINDS", "KINDS_HERE", "numbers", "process", "register", "until"]
