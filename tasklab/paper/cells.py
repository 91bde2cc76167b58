"""Making cells: train the system if it is missing, make the evaluations that are missing, and keep each at once."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tasklab import data, zoo
from tasklab.data import ImageSet
from tasklab.evaluation.counts import outcomes
from tasklab.evaluation.ensemble import stream_worst_case
from tasklab.evaluation.robustness import Progress, stream_rows
from tasklab.jobs.training import train
from tasklab.leftovers import sweep
from tasklab.lock import Lock, Locked
from tasklab.paper.grid import Cell
from tasklab.paper.protocol import Question
from tasklab.paper.records import SHIPPED, Finding, Record, read_record, record_file, system_file, to_hex, write_record
from tasklab.system import System
from tasklab.tasks import Task
from tasklab.training import Run

PATIENCE = 2.0
"""Seconds to wait for a process that is about to leave a cell."""

RUN, STAGES = ".run", ".stages"
"""Ends of the names of a cell's folders: of its training run, and of the finished stages of a worst case."""

Event = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """Where cells are made.

    Args:
        folder: of the cells: their records, systems, and what is needed to go on after a stop.
        root: of the data sets, by default the usual one.
        device: the device that trains and evaluates.
    """

    folder: Path
    root: Path | None = None
    device: str = "cpu"

    def weights(self, cell: Cell) -> Path | None:
        """The file of a cell's system: one made here or, if no record is about another, a shipped one."""
        own = system_file(self.folder, cell)
        if own.is_file():
            return own
        record = read_record(self.folder, cell)
        kept = system_file(zoo.folder() / SHIPPED, cell)  # a system that others start from, without a page of its own
        try:
            shipped = kept if kept.is_file() else zoo.path(cell.name)
        except ValueError:
            return None
        system = System.load(shipped)
        fits = system.task == cell.task if record is None else fingerprint(system) == record.weights
        return shipped if fits else None


def make(
    workshop: Workshop,
    cell: Cell,
    asked: Sequence[Question],
    *,
    progress: Callable[[Progress], object] | None = None,
) -> Generator[Event, None, None]:
    """Train a cell's system if there is none, and answer the questions about it that have no answer yet.

    To stop, stop consuming the events, or kill the process; the same call later resumes. Finished parts are not made
    again.

    Args:
        workshop: where the cell is made.
        cell: the cell; the cell that it starts from has to have been made before.
        asked: the questions; none for the system alone.
        progress: called at each step of each attack.

    Yields:
        The events of `train`, then ``{"event": "found", "question": …, "finding": …}`` after each question.

    Raises:
        Locked: another process is making this cell.
        DataMissing: a set that has to be fetched first.
    """
    workshop.folder.mkdir(parents=True, exist_ok=True)
    try:
        with Lock(workshop.folder / f"{cell.name}.lock", PATIENCE):
            yield from _make(workshop, cell, asked, progress)
    except Locked:
        raise Locked(f"expected a cell that no other process is making, got {cell.name}; wait until that process has "
                     "ended, or try another folder") from None


def train_cell(
    workshop: Workshop, cell: Cell, file: Path, progress: Callable[[Progress], object] | None
) -> Generator[Event, None, None]:
    """Train a cell's system into a file: the only place where a cell is trained.

    Raises:
        ValueError: the system that it starts from has not been made.
    """
    start = None if cell.start is None else workshop.weights(cell.start)
    if cell.start is not None and start is None:
        raise ValueError(f"expected {cell.start.name}, from which {cell.name} starts, got none; make it before")
    training = cell.training(start=start, device=workshop.device)
    yield from train(training, runs=_run(workshop, cell), file=file, root=workshop.root, progress=progress)


def fingerprint(system: System) -> str:
    """A digest of a system's task and weights, whatever file they are in and whatever card they have."""
    digest = hashlib.sha256(repr(system.task).encode())
    for tensor in system.network.state_dict().values():
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:32]


def answer(
    question: Question,
    system: System,
    test: ImageSet,
    *,
    folder: Path | None = None,
    progress: Callable[[Progress], object] | None = None,
) -> Finding:
    """Ask a system one question.

    Args:
        question: what is asked.
        system: the system, on its device.
        test: the test split, on the same device.
        folder: where the finished stages of a worst case are kept, so that the same call can resume.
        progress: called at each step of each attack.
    """
    images = test.subset(min(question.n, len(test)))
    asked = System(system.network, _decoding(system.task, question.gap), card=system.card)
    if question.preset is None:
        attacks = [] if question.settings is None else [question.settings]
        *_, row = stream_rows(asked, images, attacks, progress=progress)
        counted = row.outcomes
        return Finding(
            asked=question.to_dict(), correct=counted.correct, wrong=counted.wrong, abnormal=counted.abnormal,
            clean=row.clean.correct if attacks else None,
            zero_gradient=None if row.zero_gradient is None else row.zero_gradient.count,
            unmoved=None if row.unmoved is None else row.unmoved.count,
            standing=to_hex(row.decoded == row.labels), seconds=row.seconds,
        )
    for _, worst in stream_worst_case(
        asked, images, question.eps, preset=question.preset, seed=question.seed, folder=folder, progress=progress
    ):
        result = worst
    counted = outcomes(result.decoded, result.labels)
    return Finding(
        asked=question.to_dict(), correct=counted.correct, wrong=counted.wrong, abnormal=counted.abnormal,
        standing=to_hex(result.decoded == result.labels), seconds=sum(stage.seconds for stage in result.stages),
    )


def _make(
    workshop: Workshop, cell: Cell, asked: Sequence[Question], progress: Callable[[Progress], object] | None
) -> Generator[Event, None, None]:
    own = system_file(workshop.folder, cell)
    sweep(workshop.folder, [own.name, record_file(workshop.folder, cell).name], older=0)  # nobody else writes them
    file = workshop.weights(cell)
    if file is None:
        yield from train_cell(workshop, cell, own, progress)
        file = own
    system = System.load(file)
    record = read_record(workshop.folder, cell)
    if record is None or record.weights != fingerprint(system):  # else it tells of weights that are no longer there
        record = _record(workshop, cell, system)
        write_record(workshop.folder, cell, record)
    shutil.rmtree(_run(workshop, cell), ignore_errors=True)
    system = system.to(workshop.device)
    test = data.load(cell.data, "test", root=workshop.root).to(workshop.device)
    for question in record.missing(asked):
        stages = workshop.folder / f"{cell.name}{STAGES}" / _short(question)
        finding = answer(question, system, test, folder=stages if question.preset else None, progress=progress)
        record = record.adding(finding)
        write_record(workshop.folder, cell, record)
        shutil.rmtree(stages.parent, ignore_errors=True)
        yield {"event": "found", "question": question, "finding": finding}


def _record(workshop: Workshop, cell: Cell, system: System) -> Record:
    start = workshop.weights(cell.start) if cell.start is not None and "start" in system.card else None
    return Record(
        name=cell.name, method=cell.method.name, card=dict(system.card), weights=fingerprint(system),
        start=None if start is None else {"name": start.stem, "weights": fingerprint(System.load(start))},
        epochs=tuple(Run(_run(workshop, cell)).events()),
    )


def _run(workshop: Workshop, cell: Cell) -> Path:
    return workshop.folder / f"{cell.name}{RUN}"


def _decoding(task: Task, gap: str | None) -> Task:
    """The task with this rule for outputs between two intervals."""
    return task if gap is None else Task.from_dict(task.to_dict() | {"gap": gap})


def _short(question: Question) -> str:
    return hashlib.sha256(json.dumps(question.to_dict(), sort_keys=True).encode()).hexdigest()[:12]
