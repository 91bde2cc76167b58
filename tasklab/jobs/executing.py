"""Executors, which carry out jobs. A job has plain settings as input and a folder as output, wherever it is run.

`InTurn` runs jobs in this process, one after another; `tasklab.jobs.cluster.OnRay` hands them to a Ray cluster. Whoever
has jobs made, such as a sweep, consumes the same events from either, and reads the same folders afterwards.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tasklab import strict_json
from tasklab.jobs.folder import Job
from tasklab.jobs.kinds import check
from tasklab.jobs.running import run

Event = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """A job to carry out.

    Attributes:
        job: the job; the name of its folder is unique among all assignments.
        after: names of assignments that have to be done before; if one of them fails, this job is left out.
        carried: names of files beside the job's folder that it reads and that do not change.
        beside: names of files and folders beside the job's folder that it reads, makes or changes.
        weight: about how long it takes, in any unit that all assignments share.
    """

    job: Job
    after: tuple[str, ...] = ()
    carried: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    weight: float = 1.0

    @property
    def name(self) -> str:
        """The name of the job among all assignments."""
        return self.job.folder.name


class Executor(Protocol):
    """Carries out jobs."""

    def carry_out(self, assignments: Sequence[Assignment]) -> Generator[Event, None, None]:
        """Carry out the jobs that are not done yet; if one fails, the others are carried out all the same.

        To stop, stop consuming the events; the same call later resumes the jobs.

        Args:
            assignments: each after those that it needs.

        Yields:
            The events of `tasklab.jobs.run`, with ``name`` of the assignment and ``place`` among all of them, and
            ``where`` in the first one if another machine may have it. After the last one of a job comes
            ``{"event": "ended", "state": …, "message": …}``, which is the only event of a job that is left out.

        Raises:
            Busy: another process runs one of the jobs.
        """


class InTurn:
    """Carries out jobs in this process, one after another.

    Args:
        threads: of the computation; None for the usual number.
        data: folder of the data sets; None for the usual one.
    """

    def __init__(self, *, threads: int | None = None, data: Path | None = None) -> None:
        self.threads, self.data = threads, data

    def carry_out(self, assignments: Sequence[Assignment]) -> Generator[Event, None, None]:
        """See `Executor.carry_out`."""
        with self._prepared():
            for place, each in enumerate(assignments):
                if each.job.state == "done":
                    continue
                if reason := left_out(each, assignments):
                    yield ended(each, place, reason)
                    continue
                each.job.resume()
                for event in run(each.job):
                    yield event | {"name": each.name, "place": place}
                yield ended(each, place)

    @contextlib.contextmanager
    def _prepared(self) -> Iterator[None]:
        """Set the number of threads and the folder of the data sets for the block."""
        import torch

        threads, data = torch.get_num_threads(), os.environ.get("TASKLAB_DATA")
        try:
            if self.threads is not None:
                torch.set_num_threads(self.threads)
            if self.data is not None:
                os.environ["TASKLAB_DATA"] = str(self.data)
            yield
        finally:
            torch.set_num_threads(threads)
            os.environ.pop("TASKLAB_DATA", None)
            if data is not None:
                os.environ["TASKLAB_DATA"] = data


def job_in(folder: Path, kind: str, settings: dict[str, Any]) -> Job:
    """The job with these settings in a folder; it is created if there is none.

    Raises:
        ValueError: the folder holds a job with other settings, or the settings are not valid.
    """
    if not (folder / "job.json").is_file():
        return Job.create(folder, kind, settings)
    job = Job(folder)
    if job.kind != kind or strict_json.plain(check(kind, job.settings)) != strict_json.plain(check(kind, settings)):
        raise ValueError(f"expected the jobs of this command in {folder.parent}, got {folder.name} with other "
                         "settings; try another folder")
    return job


def left_out(assignment: Assignment, assignments: Sequence[Assignment]) -> str:
    """Why a job cannot be carried out, because a job that it needs was not done; empty if it can."""
    needed = [each for each in assignments if each.name in assignment.after and each.job.state != "done"]
    return f"Left out, as {needed[0].name} was not made." if needed else ""


def ended(assignment: Assignment, place: int, left_out: str = "") -> Event:
    """The last event of a job.

    Args:
        assignment: of the job.
        place: among all assignments.
        left_out: why it was never begun; empty where it was.
    """
    state, outcome = "left out" if left_out else assignment.job.state, assignment.job.outcome
    message = left_out or ("" if outcome is None else outcome.message)
    return {"event": "ended", "state": state, "message": message, "name": assignment.name, "place": place}
