"""A report says what single calls of the library say, survives JSON, and is refused where it does not fit."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tasklab import data, zoo
from tasklab.attacks.presets import ASKED, curve_attack
from tasklab.data import ImageSet
from tasklab.evaluation import evaluate, stream_assessment
from tasklab.evaluation.report import CLAIMS, CURVES, Report
from tasklab.evaluation.report_file import (
    FILE,
    digest,
    keep_reports,
    kept_report,
    read_report,
    read_reports,
    write_report,
)
from tasklab.evaluation.reporting import TransferSources, stream_report
from tasklab.evaluation.row_store import RowStore
from tasklab.system import System
from tasklab.tasks import TRA
from tests.odd_files import ODD_VALUES, places

N = 30


@lru_cache(maxsize=1)
def images() -> ImageSet:
    return data.load("digits", "test").subset(N)


@lru_cache(maxsize=2)
def report(name: str = "digits-rbc") -> Report:
    sources = TransferSources({"digits-tra": zoo.load("digits-tra")}, images())
    *events, last = stream_report(zoo.load(name), images(), name=name, eps=(0.1, 0.3), claim_eps=0.2, sources=sources,
                                  queries=20)
    assert all(event.report is None and 0 < event.progress <= 1 and event.message for event in events)
    assert last.report is not None
    return last.report


def test_its_rows_are_those_of_evaluate() -> None:
    assert report().eps == (0.1, 0.2, 0.3) and {row.curve for row in report().rows} == {*CURVES, "square"}
    for curve in ("train", "margin", "towards_code"):
        _, row = evaluate(zoo.load("digits-rbc"), images(), [curve_attack(curve, 0.2)])
        point = report().row(curve, 0.2)
        assert point is not None and row.zero_gradient is not None
        assert (point.outcomes, point.zero_gradient) == (row.outcomes, row.zero_gradient.count)


def test_the_worst_case_is_below_every_other_curve() -> None:
    curves = report().curves()
    for eps, share in curves["worst"].items():
        for curve in set(curves) - {"worst", "towards_code"}:
            assert eps not in curves[curve] or share.count <= curves[curve][eps].count
    assert curves["train"][0.0].count == report().clean.outcomes.correct


def test_none_withstands_where_only_another_class_counts() -> None:
    row = report().row("towards_code", 0.1)
    assert row is not None and row.criterion == "evaded"
    assert report().curves()["towards_code"][0.1].count == row.outcomes.correct + row.outcomes.abnormal


def test_zeros_are_shares_of_the_correct_images_and_search_has_none() -> None:
    zeros = report().zero_gradients()
    row = report().row("train", 0.2)
    assert row is not None and row.zero_gradient is not None
    assert zeros["train"][0.2] == row.zero_gradient / row.clean > 0.3
    assert set(zeros["margin"].values()) == {0.0} and "noise" not in zeros and "transfer" not in zeros


def test_its_claims_are_checked_as_alone() -> None:
    for claim in CLAIMS:
        assessment = report().assessments[claim]
        *_, alone = stream_assessment(zoo.load("digits-rbc"), images(), curve_attack(claim, 0.2), queries=20)  # type: ignore[arg-type]
        same = {check.name: check.level for check in alone.checks}
        results = {check.name: check.level for check in assessment.checks}
        assert results["zero gradient"] == same["zero gradient"] and results["unbounded"] == same["unbounded"]
        assert set(results) == set(same) and "not run" not in results.values()
        assert assessment.accuracy == alone.accuracy
    assert report().tests["train"].verdict == "fail" and report().tests["margin"].verdict == "pass"


def test_it_survives_json_and_a_folder_of_reports(tmp_path: Path) -> None:
    written = json.dumps(report().to_dict(), allow_nan=False)
    again = Report.from_dict(json.loads(written))
    assert json.dumps(again.to_dict()) == written
    assert (again.rows, again.assessments, again.distances) == (report().rows, report().assessments, report().distances)
    write_report(report(), tmp_path / "report.json")
    assert read_report(tmp_path / "report.json") == again
    file = tmp_path / "b.safetensors"
    file.write_bytes(b"anything")
    keep_reports({"b": replace(report(), file=digest(file))}, tmp_path)
    keep_reports({"a": report()}, tmp_path)
    assert list(read_reports(tmp_path)) == ["a", "b"] and read_reports(tmp_path)["a"] == again
    assert len((tmp_path / FILE).read_text(encoding="utf-8").splitlines()) == 4, "a line for each"
    assert kept_report("b", file=file) == replace(again, file=digest(file))
    file.write_bytes(b"another")
    assert kept_report("b", file=file) is None, "of another checkpoint"


def test_every_shipped_report_is_read() -> None:
    reports = read_reports(zoo.folder())
    assert {f"{report.data}-" for report in reports.values()} == {f"{name.split('-')[0]}-" for name in reports}
    assert [name for name, report in reports.items() if name != report.name] == []


def refused(values: object) -> bool:
    """Whether a report is refused; it is in a sentence, and else it can be written again."""
    try:
        json.dumps(Report.from_dict(json.loads(json.dumps(values))).to_dict(), allow_nan=False)
    except ValueError as error:
        sentence = str(error)
    else:
        return False
    assert sentence.startswith("expected ") and sentence.isprintable() and len(sentence) < 500, sentence
    return True


def test_what_does_not_fit_is_refused_in_a_sentence() -> None:
    whole = report().to_dict()
    for way in places(whole):
        if any(isinstance(key, int) and key > 0 for key in way) or "plan" in way:
            continue  # the first entry of each list stands for all
        for odd in ODD_VALUES:
            values = copy.deepcopy(whole)
            inside: Any = values
            for key in way[:-1]:
                inside = inside[key]
            usual, inside[way[-1]] = inside[way[-1]], odd
            fits = type(odd) is type(usual) or None in (odd, usual) or {type(odd), type(usual)} == {int, float}
            assert refused(values) or fits, (way, odd)
    for left_out in whole:
        with pytest.raises(ValueError, match=f"got none of {left_out}"):
            Report.from_dict({key: value for key, value in whole.items() if key != left_out})
    for wrong, words in (({"n": N + 1}, "on all its n = 31"), ({"format": 2}, "format of a report as one of 1, got 2"),
                         ({"claim_eps": 0.25}, "at its claim_eps"), ({"reports": {}}, "checks on train and margin"),
                         ({"luck": 1}, "got also luck")):
        with pytest.raises(ValueError, match=words):
            Report.from_dict(whole | wrong)


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000, '{"a": {"x": 1}}', '{"a": []}', "\x00"], ids=repr)
def test_a_file_that_does_not_fit_is_refused_by_name_and_shown_as_none(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"reports\.json.* try tasklab report"):
        keep_reports({"b": report()}, tmp_path)
    assert (tmp_path / FILE).read_text(encoding="utf-8") == text, "what was there stays"
    file = tmp_path / "a.safetensors"
    file.write_bytes(b"anything")
    assert kept_report("a", file=file) is None


def test_distances_come_back() -> None:
    distances = report().distances
    assert len(distances) == N and sorted(distances)[N // 2] < 0.15
    values = report().to_dict()
    values["distances"][:2] = None, 0.25
    again = Report.from_dict(values)
    assert again.distances[:2] == (math.inf, 0.25) and again.to_dict() == values
    assert again.beyond(0.25)[:2].tolist() == [True, False]


def test_kept_rows_belong_to_their_system_and_settings(tmp_path: Path) -> None:
    system, few = zoo.load("digits-tra"), images().subset(5)
    clean, row = evaluate(system, few, [curve_attack("train", 0.1)])
    RowStore(tmp_path, system, few).write(row)
    again = RowStore(tmp_path, system, few).read(curve_attack("train", 0.1), clean)
    assert again is not None and torch.equal(again.decoded, row.decoded)
    assert (again.outcomes, again.zero_gradient, again.unmoved, again.objective, again.backwards) == (
        row.outcomes, row.zero_gradient, row.unmoved, row.objective, row.backwards)
    assert RowStore(tmp_path, system, few).read(curve_attack("train", 0.2), clean) is None
    assert RowStore(tmp_path, zoo.load("digits-int"), few).read(curve_attack("train", 0.1), clean) is None
    (tmp_path / "rows.jsonl").write_text("half a li", encoding="utf-8")
    assert RowStore(tmp_path, system, few).read(curve_attack("train", 0.1), clean) is None


def test_a_system_without_features_has_a_report_without_the_test_of_attacks() -> None:
    plain = System(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), TRA())
    *_, last = stream_report(plain, images().subset(4), eps=(0.1,), claim_eps=0.1, queries=2)
    assert last.report is not None and last.report.tests == {} and last.report.sources == ()
    assert not any(row.curve == "transfer" for row in last.report.rows)
    Report.from_dict(last.report.to_dict())


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(ValueError, match="among train"):
        curve_attack("transfer", 0.1)
    assert {curve_attack(curve, 0.1).eps for curve in ASKED} == {0.1}
    for eps in ((0.0,), (1.0,)):
        with pytest.raises(ValueError, match="between 0 and 1"):
            next(stream_report(zoo.load("digits-tra"), images(), eps=eps))
