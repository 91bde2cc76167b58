"""Cells as jobs: their settings are plain, and what they make is what `make` makes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_cells import PROTOCOL, cell

from tasklab import strict_json
from tasklab.jobs.executing import InTurn
from tasklab.paper.cell_jobs import WORKS, assignments, cell_of, cell_to_dict, question_of, question_to_dict
from tasklab.paper.cells import Workshop, make
from tasklab.paper.features import MapWork
from tasklab.paper.grid import Variant
from tasklab.paper.plan import Pace, plan
from tasklab.paper.protocol import KINDS, questions
from tasklab.paper.records import read_record, system_file
from tasklab.paper.works import Work
from tasklab.system import System


@pytest.mark.parametrize("of", [cell("tra"), cell("rbc-at", seed=3, variant=Variant(S=10, parametrisation="paper"))],
                         ids=lambda each: each.name)
def test_a_cell_and_its_questions_are_known_by_plain_values(of: object) -> None:
    assert cell_of(json.loads(strict_json.dumps(cell_to_dict(of)))) == of  # type: ignore[arg-type]
    for question in questions(of, PROTOCOL, KINDS["both"]):  # type: ignore[arg-type]
        again = question_of(json.loads(strict_json.dumps(question_to_dict(question))))
        assert again.to_dict() == question.to_dict() and again.preset == question.preset


def test_every_work_can_be_a_job() -> None:
    assert set(WORKS.values()) == set(Work.__subclasses__())


def test_jobs_make_what_make_makes_and_bases_come_first(tmp_path: Path) -> None:
    wanted, kinds = [cell("rbc-gn")], KINDS["paper"]
    here, there = Workshop(folder=tmp_path / "here"), Workshop(folder=tmp_path / "there")
    for step in plan(here, wanted, PROTOCOL, kinds):
        for _event in make(here, step.cell, step.asked):
            pass
    steps = plan(there, wanted, PROTOCOL, kinds)
    work = MapWork(cells=(wanted[0],), n=60)
    jobs = assignments(there, steps, [work], Pace(there, wanted))
    rbc, gn = "digits-small-rbc-quick", "digits-small-rbc-gn-quick"
    assert [(each.name, each.after) for each in jobs] == [
        (f"{rbc}.trained.job", ()), (f"{rbc}.job", (f"{rbc}.trained.job",)),
        (f"{gn}.trained.job", (f"{rbc}.trained.job",)), (f"{gn}.job", (f"{gn}.trained.job",)),
        (f"{work.name}.job", (f"{gn}.trained.job", f"{gn}.job"))]
    ends = [event["state"] for event in InTurn().carry_out(jobs) if event["event"] == "ended"]
    assert ends == ["done"] * 5 and work.read(there.folder) is not None
    shown = [event["progress"] for event in jobs[3].job.events() if "progress" in event]
    assert shown == sorted(shown) and shown[-1] == 1.0
    for step in steps:
        records = [read_record(workshop.folder, step.cell) for workshop in (here, there)]
        assert records[0] is not None and records[1] is not None
        assert records[0].weights == records[1].weights
        assert [each.asked for each in records[0].findings] == [each.asked for each in records[1].findings]
        assert [each.standing for each in records[0].findings] == [each.standing for each in records[1].findings]
        assert System.load(system_file(there.folder, step.cell)).task == step.cell.task
