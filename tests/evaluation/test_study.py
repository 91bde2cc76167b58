"""A study says what single calls of the library say, survives JSON, and what is read from it adds up."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tasklab import data, zoo
from tasklab.attacks.presets import ASKED, curve_attack
from tasklab.data import ImageSet
from tasklab.evaluation import evaluate, stream_report
from tasklab.evaluation.row_store import RowStore
from tasklab.evaluation.studies import curves_of, distances_of, keep_studies, kept_study, row_of, zeros_of
from tasklab.evaluation.study import CLAIMS, CURVES, TransferSources, stream_study
from tasklab.system import System
from tasklab.tasks import TRA

N = 30


@lru_cache(maxsize=1)
def images() -> ImageSet:
    return data.load("digits", "test").subset(N)


@lru_cache(maxsize=2)
def study(name: str = "digits-rbc") -> dict[str, Any]:
    sources = TransferSources({"digits-tra": zoo.load("digits-tra")}, images())
    *events, last = stream_study(zoo.load(name), images(), name=name, eps=(0.1, 0.3), claim_eps=0.2, sources=sources,
                                 queries=20)
    assert all(event["event"] == "row" and 0 < event["progress"] <= 1 and event["message"] for event in events)
    return dict(last["study"])


def test_its_rows_are_those_of_evaluate() -> None:
    found = study()
    assert found["eps"] == [0.1, 0.2, 0.3] and {row["curve"] for row in found["rows"]} == {*CURVES, "square"}
    for curve in ("train", "margin", "towards_code"):
        _, row = evaluate(zoo.load("digits-rbc"), images(), [curve_attack(curve, 0.2)])
        kept = row_of(found, curve, 0.2)
        assert kept is not None and row.zero_gradient is not None
        assert (kept["correct"], kept["wrong"], kept["abnormal"]) == (
            row.outcomes.correct, row.outcomes.wrong, row.outcomes.abnormal)
        assert kept["zero_gradient"] == row.zero_gradient.count


def test_the_worst_case_is_below_every_other_curve() -> None:
    curves = curves_of(study())
    for eps, share in curves["worst"].items():
        for curve in set(curves) - {"worst", "towards_code"}:
            assert eps not in curves[curve] or share.count <= curves[curve][eps].count
    assert curves["train"][0.0].count == study()["clean"]["correct"]


def test_none_withstands_where_only_another_class_counts() -> None:
    row = row_of(study(), "towards_code", 0.1)
    assert row is not None and row["criterion"] == "evaded"
    assert curves_of(study())["towards_code"][0.1].count == row["correct"] + row["abnormal"]


def test_zeros_are_shares_of_the_correct_images_and_search_has_none() -> None:
    zeros = zeros_of(study())
    row = row_of(study(), "train", 0.2)
    assert row is not None and zeros["train"][0.2] == row["zero_gradient"] / row["clean"] > 0.3
    assert set(zeros["margin"].values()) == {0.0} and "noise" not in zeros and "transfer" not in zeros


def test_its_reports_are_those_of_the_checks() -> None:
    for claim in CLAIMS:
        kept = study()["reports"][claim]
        *_, report = stream_report(zoo.load("digits-rbc"), images(), curve_attack(claim, 0.2), queries=20)  # type: ignore[arg-type]
        same = {check.name: check.level for check in report.checks}
        found = {check["name"]: check["level"] for check in kept["checks"]}
        assert found["zero gradient"] == same["zero gradient"] and found["unbounded"] == same["unbounded"]
        assert set(found) == set(same) and "not run" not in found.values()
        assert kept["accuracy"] == report.claim.outcomes.accuracy.value
    assert study()["tests"]["train"]["verdict"] == "fail" and study()["tests"]["margin"]["verdict"] == "pass"


def test_it_survives_json_and_a_folder_of_studies(tmp_path: Path) -> None:
    assert json.loads(json.dumps(study(), allow_nan=False)) == study()
    keep_studies({"b": {"x": 1}}, tmp_path)
    keep_studies({"a": study()}, tmp_path)
    kept = json.loads((tmp_path / "reports.json").read_text(encoding="utf-8"))
    assert kept == {"a": study(), "b": {"x": 1}}
    assert len((tmp_path / "reports.json").read_text(encoding="utf-8").splitlines()) == 4, "a line for each"
    (tmp_path / "reports.json").write_text("{", encoding="utf-8")
    file = tmp_path / "a.safetensors"
    file.write_bytes(b"anything")
    assert kept_study("a", file=file) is None, "a damaged file is as if there were none"


def test_distances_come_back() -> None:
    values = distances_of(study())
    assert len(values) == N and float(values.median()) < 0.15
    assert distances_of({"distances": [None, 0.25]}).tolist() == [math.inf, 0.25]


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


def test_a_system_without_features_is_studied_without_the_test_of_attacks() -> None:
    plain = System(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), TRA())
    *_, last = stream_study(plain, images().subset(4), eps=(0.1,), claim_eps=0.1, queries=2)
    assert last["study"]["tests"] == {} and last["study"]["sources"] == []
    assert not any(row["curve"] == "transfer" for row in last["study"]["rows"])


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(ValueError, match="among train"):
        curve_attack("transfer", 0.1)
    assert {curve_attack(curve, 0.1).eps for curve in ASKED} == {0.1}
    for eps in ((0.0,), (1.0,)):
        with pytest.raises(ValueError, match="between 0 and 1"):
            next(stream_study(zoo.load("digits-tra"), images(), eps=eps))
