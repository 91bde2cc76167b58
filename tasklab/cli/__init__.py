"""The command line: one command for each thing the library does."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from tasklab.console import Parser, UsageError, complain, ready
from tasklab.version import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        The exit code: 0 done, 1 failed (with one sentence on standard error), 2 wrong usage, 130 interrupted.
    """
    shown = False
    with ready():
        try:
            args = parser().parse_args(argv)
            shown = args.traceback
            code: int = args.call(args)
            return code
        except KeyboardInterrupt:
            complain("tasklab: interrupted")
            return 130
        except (ValueError, TypeError, OSError, RuntimeError) as error:
            if shown:
                raise
            complain(f"tasklab: {_sentence(error)}")
            return 2 if isinstance(error, UsageError) else 1


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    from tasklab.cli import (
        app,
        attacking,
        checking,
        comparing,
        data,
        evaluating,
        notebooks,
        paper,
        reporting,
        showing,
        sweeping,
        training,
        transferring,
        worst,
    )

    top = Parser(prog="tasklab", description="Train, attack and understand task-aware classifiers.")
    top.add_argument("--version", action="version", version=f"tasklab {__version__}")
    top.add_argument("--traceback", action="store_true", help="show where an error came from")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for room in (data, training, sweeping, attacking, evaluating, checking, comparing, reporting, worst, transferring,
                 showing, notebooks, paper, app):
        room.add(commands)
    return top


def _sentence(error: Exception) -> str:
    """An error on one line; errors of the operating system name the file."""
    if isinstance(error, OSError) and error.strerror:
        return f"expected to read or write {error.filename or 'a file'}, got: {error.strerror}"
    return " ".join(str(error).split("\n"))
