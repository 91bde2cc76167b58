"""Output of commands on any console: limited encodings, full disks, closed pipes, and Ctrl-C."""

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
    """Options of a command that are not valid for any system and data set."""


@contextlib.contextmanager
def usage() -> Iterator[None]:
    """Turn each ValueError or TypeError inside the block into a `UsageError`."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise UsageError(str(error)) from error


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence, and which prints by `say` and `complain`.

    Args:
        late: adds options that are slow to list, once the parser begins to parse.
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
        """Print one sentence and exit with code 2."""
        sentence = message.removeprefix("argument ").strip()
        self.exit(2, f"{self.prog}: {sentence} (see {self.prog} --help)\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        if message:
            (say if file is sys.stdout else complain)(message.removesuffix("\n"))


@contextlib.contextmanager
def ready() -> Iterator[None]:
    """Prepare this process for a command: failing output does not end it, and Ctrl-C ends it quietly."""
    prepare_streams()
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if in_main else None
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
    """Let streams escape the characters that the console cannot show, and replace closed ones by the null device."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the parent process; a file opened later must not get its descriptor
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(words: str) -> None:
    """Write a line to standard output and flush it. Once its reader has gone, output is discarded and the work goes on.

    Raises:
        OSError: the line cannot be written, such as on a full disk.
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
    """Write a line to standard error, if that is possible."""
    show(words + "\n")


def show(words: str) -> None:
    """Write text to standard error as it is; a failure is ignored."""
    try:
        sys.stderr.write(words)
        sys.stderr.flush()
    except OSError:
        _silence(sys.stderr)


def interrupt(number: int, frame: FrameType | None) -> None:
    """The handler of Ctrl-C. During an import, where an exception may abort the process, it exits at once.

    Raises:
        KeyboardInterrupt: at any other time.
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
    """Redirect a stream to the null device, including what it has buffered."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def _warned(message: Warning | str, *where: Any) -> None:
    complain(f"tasklab: warning: {message}")
