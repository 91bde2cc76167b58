"""The benchmark in miniature: every tool takes part, stays in the ball, and is counted by one judge. No times."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.benchmarks import attack_speed
from tests.benchmarks.subjects import KINDS, Subject, subject
from tests.benchmarks.tools import AS_IT_COMES, REFERENCE, SAME, TOOLS, Found, Setting


@pytest.fixture(scope="module")
def target() -> Subject:
    return subject("small_cnn", 24, seconds=0)


@pytest.fixture(scope="module")
def report(target: Subject) -> attack_speed.Table:
    threads = torch.get_num_threads()
    _, tables = attack_speed.run(["small_cnn"], rows=24, steps=3, long_steps=5, repeats=2, threads=threads,
                                 tell=lambda line: None, choose=lambda network, rows: target)
    assert [row.tool for row in tables[1].tools] == [REFERENCE, AS_IT_COMES]
    return tables[0]


def test_all_tools_take_part_and_stay_in_the_ball(report: attack_speed.Table) -> None:
    assert [row.tool for row in report.tools] == list(TOOLS)
    for row in report.tools:
        assert len(row.seconds) == len(row.cpu) == 2
        assert 0.5 * report.setting.eps < row.farthest <= report.setting.eps + 1e-6
        assert row.outside == 0
        assert len(report.ratios(row)) == 2
    text = "\n".join(report.lines())
    assert all(f"| {tool} |" in text for tool in TOOLS)
    assert text.count("≤ 0.25") == 3


@pytest.mark.parametrize("tool", TOOLS)
def test_every_tool_fools_and_the_judge_agrees(tool: str, target: Subject) -> None:
    torch.manual_seed(0)
    result = TOOLS[tool](target.system, target.images, target.labels, Setting(eps=0.3, steps=5))
    with torch.no_grad():
        fooled = int((target.system.network(result.images).argmax(dim=1) != target.labels).sum())
    assert fooled > 12
    if "fooled" in result.remarks:
        assert result.remarks["fooled"] == fooled
    row = attack_speed.Row(tool=tool)
    attack_speed._judge(row, target, result.images)
    assert row.success == fooled / 24


def test_work_is_counted(report: attack_speed.Table) -> None:
    same = next(row for row in report.tools if row.tool == SAME)
    assert same.remarks["backwards"] == 24 * 3, "every step for every row"
    assert same.remarks["forwards"] == 24 * (3 + 3), "and before, at the end, and the verdict"


def test_the_judge_sees_who_leaves_the_ball(target: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TOOLS, "cheat", lambda system, x, y, setting: Found(images=x + 1, remarks={}))
    table = attack_speed.measure("small_cnn", target, Setting(eps=0.1, steps=1), ["cheat", REFERENCE], repeats=1,
                                 warm=False, goals={})
    assert table.tools[0].farthest > 0.9
    assert table.tools[0].outside > 0.9


def test_without_data_labels_are_the_network_s_own(target: Subject) -> None:
    assert torch.equal(target.system.predict(target.images), target.labels)
    assert len(target.labels.unique()) > 1
    assert not target.system.network.training


def test_the_command_writes_json(tmp_path: Path, target: Subject, monkeypatch: pytest.MonkeyPatch,
                                 capsys: pytest.CaptureFixture[str]) -> None:
    threads = torch.get_num_threads()
    monkeypatch.setitem(attack_speed.run.__kwdefaults__, "choose", lambda network, rows: target)
    file = tmp_path / "speed.json"
    attack_speed.main(["--networks", "small_cnn", "--steps", "2", "--long-steps", "0", "--repeats", "1", "--threads",
                       str(threads), "--json", str(file)])
    written = json.loads(file.read_text(encoding="utf-8"))
    assert {"torch", "torchattacks", "foolbox", "ART", "tasklab", "cpu", "load"} <= set(written["machine"])
    assert len(written["tables"]) == 1
    assert "torchattacks" in capsys.readouterr().out


def test_goals_are_those_of_the_three_networks() -> None:
    assert {name: kind.goal for name, kind in KINDS.items()} == {
        "small_cnn": 0.25, "resnet18": 0.5, "efficientnet_b0": 0.6
    }
