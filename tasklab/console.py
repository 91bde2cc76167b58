"""What a command says, on consoles of any kind: small encodings, full disks, readers that have gone, and Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NoReturn, TextIO


class UsageError(ValueError):
    """Options that are wrong in themselves, whatever the system and the data."""


@contextlib.contextmanager
def usage() -> Iterator[None]:
    """What is refused in here was asked for in a wrong way: a `UsageError`."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise UsageError(str(error)) from error


class Parser(argparse.ArgumentParser):
    """A parser that refuses in one sentence, and prints as `say` and `complain` do.

    Args:
        late: adds options that are slow to find out, once the parser is asked to parse.
    """

    def __init__(self, *args: Any, late: Callable[[argparse.ArgumentParser], None] | None = None, **more: Any) -> None:
        super().__init__(*args, **more)
        self._late = late

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's, with the late options."""
        self.complete()
        return super().parse_known_args(args, namespace)

    def complete(self) -> None:
        """Add the late options now."""
        if self._late is not None:
            late, self._late = self._late, None
            late(self)

    def error(self, message: str) -> NoReturn:
        """One sentence, and exit code 2."""
        said = message.removeprefix("argument ").strip()
        self.exit(2, f"{self.prog}: {said} (see {self.prog} --help)\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        if message:
            (say if file is sys.stdout else complain)(message.removesuffix("\n"))


@contextlib.contextmanager
def ready() -> Iterator[None]:
    """Prepare this process for a command: what it prints never stops it, and Ctrl-C ends it quietly."""
    prepare_streams()
    ours = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if ours else None
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warned  # type: ignore[assignment]
            yield
    finally:
        if before is signal.default_int_handler:
            signal.signal(signal.SIGINT, before)


def prepare_streams() -> None:
    """Have characters spelled out that the console cannot show, and streams that are closed lead to nowhere."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started this; a file opened later must not take its place
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(words: str) -> None:
    """Write a line to standard output at once. If its reader has gone, nothing more is said, and the work goes on.

    Raises:
        OSError: it cannot be written, as on a full disk.
    """
    stream = sys.stdout
    try:
        stream.write(words + "\n")
        stream.flush()
    except BrokenPipeError:
        _silence(stream)
    except OSError as error:
        _silence(stream)
        raise OSError(f"expected a standard output that takes what is printed, got: {error.strerror}") from None


def complain(words: str) -> None:
    """Write a line to standard error, if anybody can read it."""
    show(words + "\n")


def show(words: str) -> None:
    """Write to standard error as it is; not being able to is no reason to stop."""
    try:
        sys.stderr.write(words)
        sys.stderr.flush()
    except OSError:
        _silence(sys.stderr)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Ctrl-C: interrupt; but amid an import, where an exception may abort the process, leave at once.

    Raises:
        KeyboardInterrupt: nothing is being imported.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            complain("tasklab: interrupted")
            os._exit(130)
        frame = frame.f_back
    raise KeyboardInterrupt


def shows_all() -> bool:
    """Whether standard output can show every character."""
    return (getattr(sys.stdout, "encoding", None) or "").lower().startswith("utf")


def _silence(stream: TextIO) -> None:
    """Have a stream write to nowhere from now on, what it has kept back included."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _warned(message: Warning | str, *where: Any) -> None:
    complain(f"tasklab: warning: {message}")
