"""The jobs of a command: where they are carried out, and one view of which runs where and how long they take."""

from __future__ import annotations

import argparse
import contextlib
import logging
import re
import shutil
import signal
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from tasklab import strict_json
from tasklab.cli.common import Bar, check_device
from tasklab.cli.options import number, whole
from tasklab.console import UsageError, complain, interrupt, shows_all, usage
from tasklab.files import check_folder
from tasklab.text import duration

if TYPE_CHECKING:
    from tasklab.evaluation.robustness import Progress
    from tasklab.evaluation.shards import AtOnce
    from tasklab.jobs.executing import Assignment, Event, Executor

ADDRESS = re.compile(r"local|auto|[\w.-]+:\d{1,5}")
EVERY = 1.0
"""Seconds between two lines of progress in JSON."""


def add_ray(command: argparse.ArgumentParser) -> None:
    """Add ``--ray``, ``--job-cpus``, ``--job-gpus`` and ``--storage``.

    Args:
        command: that gets the options.
    """
    command.add_argument("--ray", type=_address, metavar="ADDRESS",
                         help="hand the work to a Ray cluster, HOST:PORT, whose machines see the same folders: auto is "
                         "the one that runs on this machine, local a new one of all its processors (needs the extra "
                         "cluster; default: this process, one after another)")
    command.add_argument("--job-cpus", type=whole(1, 4096),
                         help="with --ray: processors for each job (default: 1, or --devices)")
    command.add_argument("--job-gpus", type=number(0, 1024),
                         help="with --ray: GPUs for each job, or a part of one such as 0.25 (default: 1, or "
                         "--devices, with a --device other than cpu, else 0)")
    command.add_argument("--storage", metavar="URL", help="with --ray: shared storage for machines that do not see "
                         "the same disk, such as s3://bucket/jobs, as fsspec reads it")


def check_options(args: argparse.Namespace) -> None:
    """Check the options of `add_ray`.

    Args:
        args: the parsed options.

    Raises:
        UsageError: options of a cluster without one.
    """
    if args.ray is None and any(each is not None for each in (args.job_cpus, args.job_gpus, args.storage)):
        raise UsageError("expected --job-cpus, --job-gpus and --storage together with --ray, got them alone; try "
                         "--ray local")


def executor_of(args: argparse.Namespace, *, threads: int | None = None) -> Executor:
    """The executor that the options choose: a cluster, or this process, whose device is checked.

    Args:
        args: the parsed options.
        threads: of the computation; None for the usual number, on a cluster as many as a job has processors.

    Raises:
        UsageError: Ray is not installed.
        ValueError: no cluster answers, no machine of it has what a job asks for, or this machine has no such device.
    """
    from tasklab.jobs.executing import InTurn

    on = getattr(args, "device", "cpu")
    check_options(args)
    if args.ray is None:
        check_device(on)
        if not args.traceback and not logging.getLogger("tasklab.jobs").handlers:
            logging.getLogger("tasklab.jobs").addHandler(logging.NullHandler())  # the view tells why a job failed
        return InTurn(threads=threads, data=args.root)
    from tasklab.jobs.cluster import OnRay, check_ray
    from tasklab.jobs.storing import Store
    from tasklab.zoo import SUFFIX

    with usage():
        check_ray()
        store = None if args.storage is None else Store(args.storage)
        if store is not None and str(getattr(args, "start", None)).endswith(SUFFIX):
            raise ValueError("expected a system by its name for --from with --storage, got a file, which the other "
                             "machines do not have")
    devices = getattr(args, "devices", 1)
    cpus = args.job_cpus or (devices if on == "cpu" else 1)
    gpus = args.job_gpus if args.job_gpus is not None else devices * float(on != "cpu")
    return OnRay(args.ray, cpus=cpus, gpus=gpus, threads=threads,
                 data=None if args.root is None else Path(args.root).resolve(), store=store)


def device_here(args: argparse.Namespace) -> str:
    """The device that this process computes on: with ``--ray`` it need not have the one that the jobs use.

    Args:
        args: the parsed options.
    """
    try:
        check_device(args.device)
    except ValueError:
        if args.ray is None:
            raise
        return "cpu"
    return str(args.device)


def attacking(args: argparse.Namespace, folder: Path) -> AtOnce:
    """What runs the attacks of a command: in shards of images on a cluster or, without ``--ray``, in this process.

    Args:
        args: the parsed options.
        folder: of the shards, which every machine of the cluster sees.
    """
    from tasklab.evaluation.shards import AtOnce
    from tasklab.jobs.attacking import Sharded

    executor = executor_of(args)
    if args.ray is None:
        return AtOnce()

    def follow(assignments: Sequence[Assignment], events: Generator[Event, None, None]) -> None:
        View.of(assignments, as_json=args.json, brief=True).follow(events)

    return Sharded(executor, check_folder(folder).resolve(), device=getattr(args, "device", "cpu"), follow=follow)


class View:
    """Shows which job runs where, the progress of all jobs and the time left: a line of progress, or JSON for programs.

    Args:
        weights: name of each job to about how long it takes, in any unit.
        as_json: whether to write lines of JSON to standard error: ``job``, ``place``, ``state``, ``where``,
            ``progress`` (0 to 1, of the job), ``message``, ``done`` (0 to 1, of all jobs) and ``seconds_left``.
        brief: whether neither the begin nor the good end of a job leaves a line on the screen.
        line: the words that an event leaves on the screen; empty for none.
    """

    def __init__(
        self, weights: Mapping[str, float], *, as_json: bool = False, brief: bool = False,
        line: Callable[[Event], str] = lambda event: "",
    ) -> None:
        self.bar, self.as_json, self.brief, self.line = Bar(), as_json, brief, line
        self.weights, self.last = dict(weights), ""
        self.total = sum(self.weights.values()) or 1.0
        self.progress: dict[str, float] = {}
        self.where: dict[str, str] = {}
        self.began: dict[str, float] = {}
        self.over: dict[str, str] = {}
        self.started, self.written = time.monotonic(), 0.0
        self.first: dict[str, float] = {}

    @classmethod
    def of(cls, assignments: Sequence[Assignment], **settings: Any) -> View:
        """The view of some assignments; those that are done already count as such."""
        view = cls({each.name: each.weight for each in assignments}, **settings)
        for each in assignments:
            if each.job.state == "done":
                view.over[each.name] = "done"
                view.progress[each.name] = view.first[each.name] = 1.0
        return view

    def follow(self, events: Generator[Event, None, None]) -> dict[str, str]:
        """Consume the events of an executor and show them; returns the state in which each job ended, by its name.

        Raises:
            KeyboardInterrupt: Ctrl-C. In a job of this process the first one waits for the end of a training step.
        """
        from tasklab.jobs.kinds import watching

        watched = watching.set(self.attacked)
        try:
            with _interrupted() as interrupted, contextlib.closing(events):
                for event in events:
                    self.take(event)
                    interrupted.check(waits="step" in event and not self.where.get(event["name"]))
        finally:
            watching.reset(watched)
            self.bar.clear()
        return self.over

    def attacked(self, event: Progress) -> None:
        """Show a step of an attack of the job whose event came last."""
        if not self.as_json:
            words = f"{event.what}, fooled {event.fooled} of {event.n}"
            self.bar.show(self.done * 1000, 1000, self.words({"name": self.last, "message": words}))

    def take(self, event: Event) -> None:
        """Show one event of an executor."""
        self.last = name = event["name"]
        place = f"{_shown(name)} ({event['place'] + 1}/{len(self.weights)})"
        if event["event"] == "begin":
            again = name in self.began
            self.began[name], self.where[name] = time.monotonic(), event.get("where", "")
            on = f" on {self.where[name]}" * bool(self.where[name])
            self._say(event, "running", f"{place}: begun{' again' * again}{on}")
        elif event["event"] == "ended":
            self.over[name] = event["state"]
            took = f" in {duration(time.monotonic() - self.began[name])}" if name in self.began else ""
            if event["state"] == "done":
                self.progress[name] = 1.0
            reason = "" if event["state"] == "done" else f": {event['message']}" * bool(event["message"])
            self._say(event, event["state"], f"{place}: {event['state']}{took}{reason}")
        else:
            if event.get("progress") is not None:
                self.progress[name] = float(event["progress"])
                self.first.setdefault(name, self.progress[name] if name not in self.began else 0.0)
            if not self.as_json and (words := self.line(event)):
                self.bar.say(f"{place}: {words}" if len(self.weights) > 1 else words)
            if self.as_json and time.monotonic() - self.written >= EVERY:
                self._say(event, "running", "")
            elif not self.as_json:
                self.bar.show(self.done * 1000, 1000, self.words(event))

    @property
    def done(self) -> float:
        """The share of all work that is done, 0 to 1."""
        return min(1.0, sum(self.weights[name] * self.progress.get(name, 0.0) for name in self.weights) / self.total)

    @property
    def seconds_left(self) -> float | None:
        """An estimate from the pace so far; None before 1 % is done."""
        gained = self.done - sum(self.weights[name] * share for name, share in self.first.items()) / self.total
        return (time.monotonic() - self.started) / gained * (1 - self.done) if gained >= 0.01 else None

    def words(self, event: Event) -> str:
        """A line about which job runs where and the time left, no wider than the terminal."""
        running = [name for name in self.began if name not in self.over]
        shown = [f"{_shown(name)}{f' on {self.where[name]}' * bool(self.where[name])} {self.progress.get(name, 0):.0%}"
                 for name in running] if len(running) > 1 else [f"{_shown(event['name'])}: {event.get('message', '')}"]
        left = "" if self.seconds_left is None else f"about {duration(self.seconds_left)} left · "
        ended = sum(1 for name in self.over if name in self.weights)
        room = max(20, shutil.get_terminal_size().columns - 27)  # beside the bar
        if len(self.weights) == 1:
            return f"{left}{event.get('message', '')}"[:room]
        return f"{ended} of {len(self.weights)} · {left}{', '.join(shown)}"[:room]

    def _say(self, event: Event, state: str, words: str) -> None:
        self.written = time.monotonic()
        if not self.as_json:
            if not self.brief or state not in ("running", "done"):
                self.bar.say(words)
            return
        line: dict[str, Any] = {
            "job": event["name"], "place": event["place"], "state": state, "where": self.where.get(event["name"], ""),
            "progress": round(self.progress.get(event["name"], 0.0), 4), "message": event.get("message", ""),
            "done": round(self.done, 4),
            "seconds_left": None if self.seconds_left is None else round(self.seconds_left, 1),
        }
        complain(strict_json.dumps(line, ensure_ascii=not shows_all()))


class _Interrupted:
    """Handles Ctrl-C: while ``waits`` is set, the first waits for the next event; any other interrupts at once."""

    def __init__(self) -> None:
        self.seen = self.waits = False

    def note(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal."""
        if self.seen or not self.waits:
            interrupt(number, frame)
        self.seen = True

    def check(self, *, waits: bool) -> None:
        """Called between two events: interrupt now, or set whether to wait."""
        self.waits = waits
        if self.seen:
            raise KeyboardInterrupt


@contextlib.contextmanager
def _interrupted() -> Iterator[_Interrupted]:
    """Handle Ctrl-C by `_Interrupted` inside the block."""
    noted = _Interrupted()
    before = signal.signal(signal.SIGINT, noted.note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)


def _shown(name: str) -> str:
    """The name of a job on the screen."""
    return name.removesuffix(".job")


def _address(text: str) -> str:
    if not ADDRESS.fullmatch(text):
        shown = text if len(text) <= 40 else text[:40] + "…"
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, auto or local, got {shown!r}")
    return text
