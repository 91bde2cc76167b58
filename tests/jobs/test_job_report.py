"""A report as a job: what it asks, what it keeps, and that it goes on where it was interrupted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasklab import zoo
from tasklab.evaluation.report_file import digest, read_report
from tasklab.jobs import KINDS, Job, run
from tasklab.jobs.kinds import check

SMALL = {"n": 12, "eps": [0.1], "claim_eps": 0.2, "queries": 5, "seed": 3}


def settings(**more: Any) -> dict[str, Any]:
    return {"system": "digits-rbc", "file": str(zoo.path("digits-rbc"))} | SMALL | more


def test_a_report_is_written_and_tells_of_its_file(tmp_path: Path) -> None:
    job = Job.create(tmp_path / "a", "report", settings(sources=["digits-tra"]))
    events = list(run(job))
    assert job.state == "done"
    shown = [event["progress"] for event in events if event.get("progress") is not None]
    assert shown == sorted(shown) and shown[-1] == 1.0
    assert all(len(json.dumps(event)) < 1000 for event in events), "the report itself is no event"
    report = read_report(tmp_path / "a" / "report.json")
    assert report.file == digest(zoo.path("digits-rbc")) and report.n == 12 and report.seed == 3
    assert report.eps == (0.1, 0.2) and report.sources == ("digits-tra",)
    own, margin = (report.tests[aim].found for aim in ("train", "margin"))
    assert report.assessments["train"].verdict == "fail" and own.count < margin.count >= margin.n - 1


def test_it_goes_on_after_an_interruption(tmp_path: Path) -> None:
    whole = Job.create(tmp_path / "whole", "report", settings())
    list(run(whole))
    broken = Job.create(tmp_path / "broken", "report", settings())
    left = iter(run(broken, stopped=lambda: len(lines(tmp_path / "broken")) >= 3))
    list(left)
    assert broken.state == "stopped" and not (tmp_path / "broken" / "report.json").exists()
    kept = lines(tmp_path / "broken")
    assert len(kept) >= 3
    broken.resume()
    list(run(broken))
    assert lines(tmp_path / "broken")[: len(kept)] == kept, "what was there was not made again"
    one, other = (json.loads((job.folder / "report.json").read_text(encoding="utf-8")) for job in (whole, broken))
    assert one | {"seconds": 0} == other | {"seconds": 0}


def lines(folder: Path) -> list[str]:
    file = folder / "rows.jsonl"
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


@pytest.mark.parametrize(
    "wrong",
    [{"n": 0}, {"n": 5000}, {"n": True}, {"queries": 0}, {"eps": [0.0]}, {"eps": [1.0]}, {"eps": ["a"]}, {"data": "x"},
     {"file": "/nowhere"}, {"file": None}, {"sources": ["nobody"]}, {"luck": 1}],
    ids=str,
)
def test_what_cannot_be_asked_is_refused_before_it_begins(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected"):
        Job.create(tmp_path / "a", "report", settings(**wrong))


def test_the_kind_is_known_and_fills_in_its_defaults() -> None:
    assert "report" in KINDS
    result = check("report", {"file": str(zoo.path("digits-tra"))})
    assert result["n"] == 200 and result["eps"] == [0.05, 0.1, 0.15, 0.2, 0.3] and result["claim_eps"] == 0.2
