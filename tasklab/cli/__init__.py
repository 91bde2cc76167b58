"""The command line: one command for each thing the library does."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from tasklab import __version__
from tasklab.cli import (
    attacking,
    checking,
    comparing,
    data,
    evaluating,
    notebooks,
    reporting,
    showing,
    training,
    transferring,
    worst,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        The exit code: 0 done, 1 it could not be done (one sentence on standard error), 2 wrong usage, 130 interrupted.
    """
    args = parser().parse_args(argv)
    try:
        code: int = args.call(args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has gone; nothing is left to say
        return 0
    except KeyboardInterrupt:
        print("tasklab: interrupted", file=sys.stderr)
        return 130
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        if args.traceback:
            raise
        print(f"tasklab: {error}", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = argparse.ArgumentParser(prog="tasklab", description="Train, attack and understand task-aware classifiers.")
    top.add_argument("--version", action="version", version=f"tasklab {__version__}")
    top.add_argument("--traceback", action="store_true", help="show where an error came from")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for room in (data, training, attacking, evaluating, checking, comparing, reporting, worst, transferring, showing,
                 notebooks):
        room.add(commands)
    return top
