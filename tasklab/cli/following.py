"""The jobs of a command: where they are carried out, and one view of which runs where and how long they take."""

from __future__ import annotations

import argparse
import re
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasklab import strict_json
from tasklab.cli.common import Bar, check_device
from tasklab.cli.options import number, whole
from tasklab.console import UsageError, complain, shows_all, usage
from tasklab.files import check_folder
from tasklab.text import duration

if TYPE_CHECKING:
    from tasklab.jobs.attacking import Sharded
    from tasklab.jobs.executing import Assignment, Event, Executor

ADDRESS = re.compile(r"local|auto|[\w.-]+:\d{1,5}")
EVERY = 1.0
"""Seconds between two lines of progress in JSON."""


def add_ray(command: argparse.ArgumentParser, *, storage: bool = False) -> None:
    """Add ``--ray``, ``--job-cpus`` and ``--job-gpus``.

    Args:
        command: that gets the options.
        storage: whether its jobs can be carried to and from shared storage, by ``--storage``.
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
    command.set_defaults(storage=None)
    if storage:
        command.add_argument("--storage", metavar="URL", help="with --ray: shared storage for machines that do not see "
                             "the same disk, such as s3://bucket/jobs, as fsspec reads it")


def executor_of(args: argparse.Namespace, *, threads: int | None = None) -> Executor | None:
    """The executor that the options choose; None for this process, whose device is checked.

    Args:
        args: the parsed options.
        threads: of the computation; None for as many as a job has processors.

    Raises:
        UsageError: Ray is not installed.
        ValueError: no cluster answers, no machine of it has what a job asks for, or this machine has no such device.
    """
    on = getattr(args, "device", "cpu")
    if args.ray is None:
        if any(each is not None for each in (args.job_cpus, args.job_gpus, args.storage)):
            raise UsageError("expected --job-cpus, --job-gpus and --storage together with --ray, got them alone; try "
                             "--ray local")
        check_device(on)
        return None
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


def sharded(args: argparse.Namespace, folder: Path) -> Sharded | None:
    """Runs the attacks of a command in shards of images on a cluster; None without ``--ray``.

    Args:
        args: the parsed options.
        folder: of the shards, which every machine of the cluster sees.
    """
    executor = executor_of(args)
    if executor is None:
        return None
    from tasklab.jobs.attacking import Sharded

    def follow(assignments: Sequence[Assignment], events: Iterable[Event]) -> None:
        View.of(assignments, as_json=args.json, brief=True).follow(events)

    return Sharded(executor, check_folder(folder).resolve(), device=args.device, follow=follow)


class View:
    """Shows which job runs where, the progress of all jobs and the time left: a line of progress, or JSON for programs.

    Args:
        weights: name of each job to about how long it takes, in any unit.
        as_json: whether to write lines of JSON to standard error: ``job``, ``place``, ``state``, ``where``,
            ``progress`` (0 to 1, of the job), ``message``, ``done`` (0 to 1, of all jobs) and ``seconds_left``.
        brief: whether only jobs that failed leave a line on the screen.
    """

    def __init__(self, weights: Mapping[str, float], *, as_json: bool = False, brief: bool = False) -> None:
        self.bar, self.as_json, self.brief, self.weights = Bar(), as_json, brief, dict(weights)
        self.total = sum(self.weights.values()) or 1.0
        self.progress: dict[str, float] = {}
        self.where: dict[str, str] = {}
        self.began: dict[str, float] = {}
        self.over: dict[str, str] = {}
        self.started, self.written = time.monotonic(), 0.0
        self.first: dict[str, float] = {}

    @classmethod
    def of(cls, assignments: Sequence[Assignment], *, as_json: bool = False, brief: bool = False) -> View:
        """The view of some assignments; those that are done already count as such."""
        view = cls({each.name: each.weight for each in assignments}, as_json=as_json, brief=brief)
        for each in assignments:
            if each.job.state == "done":
                view.over[each.name] = "done"
                view.progress[each.name] = view.first[each.name] = 1.0
        return view

    def follow(self, events: Iterable[Event]) -> dict[str, str]:
        """Consume the events of an executor and show them; returns the state in which each job ended, by its name."""
        try:
            for event in events:
                self.take(event)
        finally:
            self.bar.clear()
        return self.over

    def take(self, event: Event) -> None:
        """Show one event of an executor."""
        name, place = event["name"], f"{event['name']} ({event['place'] + 1}/{len(self.weights)})"
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
        shown = [f"{name}{f' on {self.where[name]}' * bool(self.where[name])} {self.progress.get(name, 0):.0%}"
                 for name in running] if len(running) > 1 else [f"{event['name']}: {event.get('message', '')}"]
        left = "" if self.seconds_left is None else f"about {duration(self.seconds_left)} left · "
        ended = sum(1 for name in self.over if name in self.weights)
        room = max(20, shutil.get_terminal_size().columns - 27)  # beside the bar
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


def _address(text: str) -> str:
    if not ADDRESS.fullmatch(text):
        shown = text if len(text) <= 40 else text[:40] + "…"
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, auto or local, got {shown!r}")
    return text
