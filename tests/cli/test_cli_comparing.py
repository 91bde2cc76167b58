"""The commands that put systems side by side: each prints what the library says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasklab import zoo
from tasklab.cli import main
from tasklab.evaluation.report_file import kept_report


def test_compare_says_who_does_better(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "digits-tra-at", "digits-tra", "--eps", "0.1", "--n", "60", "--steps", "10"]) == 0
    clean, attacked = capsys.readouterr().out.splitlines()
    assert clean.startswith("clean:") and "digits-tra-at does better, by more than chance explains" in attacked
    assert main(["compare", "digits-tra", "digits-tra", "--n", "10", "--steps", "2", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [each["p"] for each in printed] == [1, 1]
    assert main(["compare", "digits-tra", "nobody"]) == 1
    assert "expected a system among" in capsys.readouterr().err


def test_distance_prints_quantiles_or_every_distance(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["distance", "digits-tra", "--n", "12", "--steps", "5"]
    assert main(words) == 0
    assert "50 % fall within" in capsys.readouterr().out
    assert main([*words, "--json", "--criterion", "evaded"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert len(printed["distances"]["digits-tra"]) == 12 and printed["criterion"] == "evaded"
    assert main([*words, "--csv", "--fab", "--norm", "l2"]) == 0
    assert capsys.readouterr().out.startswith("system,norm,n,")


def test_evaluate_full_has_every_column(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", "digits-rbc", "--n", "10", "--eps", "0.2"]
    assert main([*words, "--full", "--sources", "digits-tra"]) == 0
    head, _, line = capsys.readouterr().out.splitlines()
    assert head.count("|") == line.count("|") == 15
    assert "masked" in line and "without" not in line
    assert main([*words, "--sources", "digits-tra"]) == 2
    assert "together with --full" in capsys.readouterr().err


def test_report_keeps_a_report_beside_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["report", "digits-tra", "--n", "8", "--eps", "0.1", "--claim", "0.1", "--queries", "5", "--to"]
    folder = tmp_path / "not" / "there yet"
    assert main([*words, str(folder)]) == 0
    assert "digits-tra: train:" in capsys.readouterr().out
    kept = json.loads((folder / "reports.json").read_text(encoding="utf-8"))["digits-tra"]
    assert kept["n"] == 8 and kept["eps"] == [0.1] and kept["sources"] == ["digits-deepbe"]
    assert {row["curve"] for row in kept["rows"]} == {"train", "margin", "bits", "towards_code", "transfer", "noise",
                                                      "square", "worst"}
    assert main(["report", "digits-int", *words[2:], str(folder)]) == 0
    both = json.loads((folder / "reports.json").read_text(encoding="utf-8"))
    assert both["digits-tra"] == kept, "the other's is left alone"
    file = folder / "digits-tra.safetensors"
    file.write_bytes(zoo.path("digits-tra").read_bytes())
    report = kept_report("digits-tra", file=file)
    assert report is not None and report.to_dict() == kept
    file.write_bytes(zoo.path("digits-int").read_bytes())
    assert kept_report("digits-tra", file=file) is None, "of another checkpoint"
    (folder / "reports.json").write_text("{", encoding="utf-8")
    capsys.readouterr()
    assert main([*words, str(folder)]) == 2, "before the work"
    assert "reports.json" in capsys.readouterr().err
