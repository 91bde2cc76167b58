"""Cells and works as jobs of the kinds "cell" and "work", so that a cluster can make many of them at once.

A job's folder lies in the folder of all cells, and what it makes lies where `tasklab.paper.cells.make` and
`tasklab.paper.works.Work.make` put it: in the folder above the job's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tasklab.jobs.attacking import attack_of
from tasklab.jobs.executing import Assignment, Event, job_in
from tasklab.jobs.folder import Job
from tasklab.jobs.kinds import watching
from tasklab.paper.cells import RUN, STAGES, Workshop, make
from tasklab.paper.features import MapWork
from tasklab.paper.grid import METHODS, Cell, Scale, Variant
from tasklab.paper.plan import Pace, Step
from tasklab.paper.protocol import Question
from tasklab.paper.records import record_file, system_file
from tasklab.paper.transferring import TransferWork
from tasklab.paper.works import Work

WORKS: dict[str, type[Work]] = {kind.kind: kind for kind in (MapWork, TransferWork)}


def assignments(workshop: Workshop, steps: Sequence[Step], works: Sequence[Work], pace: Pace) -> list[Assignment]:
    """The jobs that make what is missing: each cell after the one it starts from, works after all cells they need.

    Args:
        workshop: where the cells are made.
        steps, works: what is to be made.
        pace: about how long each takes.

    Raises:
        Busy: another process makes one of them as a job.
    """
    made = list[Assignment]()
    trained = {step.cell: f"{step.cell.name}.trained.job" for step in steps if step.train}
    for step in steps:  # in two jobs, so that a cell that starts from another need not wait for the attacks on it
        training = pace.training(step)
        if step.train:
            after = tuple(trained[cell] for cell in [step.cell.start] if cell in trained)
            made.append(_of_cell(workshop, step.cell, (), trained[step.cell], after, training))
        if step.asked or not step.train:
            after = (trained[step.cell],) if step.train else ()
            made.append(_of_cell(workshop, step.cell, step.asked, f"{step.cell.name}.job", after,
                                 pace.whole(step) - training))
    names = [each.name for each in made]
    for work in works:
        settings = {"work": work.kind, "cells": [cell_to_dict(cell) for cell in work.cells], "n": work.n,
                    "device": workshop.device}
        after = tuple(f"{cell.name}{end}" for cell in work.cells for end in (".trained.job", ".job"))
        after = tuple(name for name in after if name in names)
        beside = (f"{work.name}.json", *(name for cell in work.cells for name in _known(cell)))
        made.append(_anew(workshop.folder / f"{work.name}.job", "work", settings, after, beside, work.seconds(pace)))
    return made


def _of_cell(
    workshop: Workshop, cell: Cell, asked: Sequence[Question], name: str, after: tuple[str, ...], weight: float
) -> Assignment:
    settings = {"cell": cell_to_dict(cell), "asked": [question_to_dict(each) for each in asked],
                "device": workshop.device}
    beside = (*_known(cell), *(_known(cell.start) if cell.start is not None else ()),
              f"{cell.name}{RUN}", f"{cell.name}{STAGES}")
    return _anew(workshop.folder / name, "cell", settings, after, beside, weight)


def _known(cell: Cell) -> tuple[str, ...]:
    """Names of the files that are known of a finished cell."""
    return record_file(Path(), cell).name, system_file(Path(), cell).name


def check(settings: dict[str, Any]) -> dict[str, Any]:
    """Check the settings of a cell or a work, as `assignments` writes them.

    Raises:
        ValueError: they are neither.
    """
    try:
        if "work" in settings:
            _work(settings)
        else:
            cell_of(settings["cell"])
            _ = [question_of(each) for each in settings["asked"]]
    except (KeyError, TypeError) as error:
        raise ValueError(f"expected settings of a cell or a work, got others ({error!r})") from None
    return settings


def run(settings: dict[str, Any], folder: Path) -> Iterator[Event]:
    """Make the cell or the work in the folder above."""
    workshop = Workshop(folder=folder.parent, device=settings["device"])
    if "work" in settings:
        work = _work(settings)
        work.make(workshop, watching.get())
        yield {"event": "result", "progress": 1.0, "message": f"{work.name} is made"}
        return
    cell, asked = cell_of(settings["cell"]), [question_of(each) for each in settings["asked"]]
    answered = 0
    for event in make(workshop, cell, asked, progress=watching.get()):
        if event["event"] == "found":
            answered += 1
            question, finding = event["question"], event["finding"]
            yield {"event": "answered", "progress": round(answered / len(asked), 4),
                   "message": f"{question.kind} {question.intensity}".strip() + ", "
                   f"{finding.outcomes.accuracy.percent()} % correct ({finding.seconds:.1f} s)"}
        elif event["event"] != "step" or event["step"] % max(1, event["steps"] // 50) == 0:
            yield event


def cell_to_dict(cell: Cell) -> dict[str, Any]:
    """Plain values that `cell_of` reads."""
    return {"data": cell.data, "arch": cell.arch, "method": cell.method.key, "seed": cell.seed,
            "scale": dataclasses.asdict(cell.scale), "variant": dataclasses.asdict(cell.variant)}


def cell_of(plain: Mapping[str, Any]) -> Cell:
    """The cell that `cell_to_dict` described."""
    return Cell(data=plain["data"], arch=plain["arch"], method=METHODS[plain["method"]], seed=plain["seed"],
                scale=Scale(**plain["scale"]), variant=Variant(**plain["variant"]))


def question_to_dict(question: Question) -> dict[str, Any]:
    """Plain values that `question_of` reads."""
    plain = {each.name: getattr(question, each.name) for each in dataclasses.fields(question)}
    return plain | {"settings": None if question.settings is None else question.settings.to_dict()}


def question_of(plain: Mapping[str, Any]) -> Question:
    """The question that `question_to_dict` described."""
    settings = plain["settings"]
    return Question(**{**plain, "settings": None if settings is None else attack_of(settings)})


def _work(settings: Mapping[str, Any]) -> Work:
    return WORKS[settings["work"]](cells=tuple(map(cell_of, settings["cells"])), n=settings["n"])


def _anew(
    folder: Path, kind: str, settings: dict[str, Any], after: tuple[str, ...], beside: tuple[str, ...], weight: float
) -> Assignment:
    """A new job for what is still to be made; the results of an earlier job of that name are outside its folder."""
    if (folder / "job.json").is_file():
        Job(folder).delete()
    return Assignment(job=job_in(folder, kind, settings), after=after, beside=beside, weight=weight)
