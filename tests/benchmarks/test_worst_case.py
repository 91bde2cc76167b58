"""The comparison in miniature: every attacker takes part, one judge counts, cells are kept, the page holds them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from tasklab.data import ImageSet
from tasklab.evaluation import ensemble
from tasklab.evaluation.worst_table import stream_worst_rows
from tasklab.system import System
from tasklab.tasks import RBC, TRA, Task
from tests.benchmarks import rivals, worst_case
from tests.benchmarks.rivals import AUTO, LONG, RAW, STANDARD, Found
from tests.benchmarks.robustness_page import CONTRAST, Results, page

EPS = 0.6


def small(task: Task) -> System:
    torch.manual_seed(0)
    layers = nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, task.width)
    return System(nn.Sequential(*layers).eval(), task)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand(8, 1, 4, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("task", [TRA(num_classes=4), RBC(num_classes=4, S=1)])
def test_all_take_part_and_the_ensemble_is_no_weaker(
    task: Task, images: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = small(task)
    labels = system.predict(images)
    monkeypatch.setattr(rivals, "PGD", lambda **given: _short(**given))
    result = rivals.compare(system, images, labels, EPS)
    assert [one.name for one in result] == [STANDARD, AUTO, *([RAW] if isinstance(task, TRA) else []), LONG]
    described = rivals.described(result)["attackers"]
    for name, one in described.items():
        assert one["outside"] == 0
        assert one["broke_what_standard_did_not"] == []
        assert one["standing"] >= described[STANDARD]["standing"], name
    assert 0 <= described[AUTO]["stages"][-1] <= described[AUTO]["stages"][0] <= 8


def _short(**given: object) -> object:
    from tasklab.attacks import PGD

    return PGD(**{**given, "steps": 3, "restarts": 2})  # type: ignore[arg-type]


def test_the_judge_believes_no_one(images: torch.Tensor) -> None:
    system = small(RBC(num_classes=4, S=1))
    labels = system.predict(images)

    def cheat() -> tuple[torch.Tensor, tuple[int, ...]]:
        return (1 - images).clamp(0, 1), ()

    def idle() -> tuple[torch.Tensor, tuple[int, ...]]:
        return images, ()

    far = rivals._timed("cheat", cheat, system, images, labels, EPS)
    assert far.outside == 8 and bool(far.standing.all()), "outside the ball nothing counts"
    assert bool(rivals._timed("idle", idle, system, images, labels, EPS).standing.all())
    wrong = rivals._timed("idle", idle, system, images, 3 - labels.clamp(min=0), EPS)
    assert not bool((wrong.standing & (labels != 3 - labels)).any())


def test_what_is_flat_is_seen(images: torch.Tensor) -> None:
    system = small(RBC(num_classes=4, S=0.0))
    labels = system.predict(images)
    flat = rivals.blind(system, images, labels)
    assert flat["training loss"].value == 1.0 and flat["margin"].value == 0.0
    assert flat["DLR"].value > flat["DLR-T"].value, "the published ratio of m, 0 and −m is a constant"


def test_cells_are_kept_and_the_page_holds_them(
    images: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = small(RBC(num_classes=4, S=1))
    test = ImageSet(name="noise", split="test", images=(255 * images).byte(), labels=system.predict(images),
                    classes=("0", "1", "2", "3"), mean=(0.5,), std=(0.25,))
    standing = torch.tensor([True, False, False, False])
    described = [Found(name=STANDARD, standing=standing, seconds=1.0, cpu=1.0, outside=0),
            Found(name=AUTO, standing=~standing, seconds=10.0, cpu=10.0, outside=0, stages=(4, 3, 3, 3)),
            Found(name=LONG, standing=standing, seconds=2.0, cpu=2.0, outside=0)]
    calls: list[float] = []
    monkeypatch.setattr(worst_case, "compare", lambda *given, **more: calls.append(given[3]) or described)
    less = worst_case.comparison("it", system, test.subset(4), 0.1, tmp_path, block=4)
    cells = [worst_case.comparison("it", system, test, eps, tmp_path, block=4) for eps in (0.1, 0.1, 0.2)]
    assert calls == [0.1, 0.1, 0.2, 0.2], "one call for each new block"
    assert cells[0] == cells[1] == json.loads(json.dumps(cells[0]))
    for cell, blocks in ((less, 1), (cells[0], 2)):
        auto = cell["attackers"][AUTO]
        assert (cell["n"], auto["standing"]) == (4 * blocks, 3 * blocks)
        assert auto["stages"] == [4 * blocks, 3 * blocks, 3 * blocks, 3 * blocks]
        assert (auto["seconds"], auto["broke_what_standard_did_not"]) == (10.0 * blocks, [0, 4][:blocks])
    text = page(Results(n=0, compared=8, reported=0, comparison=cells[1:]), {"threads": 1})
    assert "In 2 of 2 cells no rival leaves fewer images standing" in text
    assert "A rival leaves fewer" not in text
    weaker = json.loads(json.dumps(cells[2]))
    weaker["attackers"][AUTO]["standing"] = 0
    text = page(Results(n=0, compared=8, reported=0, comparison=[cells[1], weaker]), {"threads": 1})
    assert "In 1 of 2 cells" in text and "A rival leaves fewer of it at 0.2 (by 25.0): there" in text
    assert "processor time in 2 of 2" in text and "| 2.0 | 20.0 | 4.0 | 0.10 |" in text


def test_an_attacker_may_leave_later_blocks_out() -> None:
    def block(**standing: int) -> dict[str, object]:
        return {"n": 4, "attackers": {
            {"ours": STANDARD, "auto": AUTO, "raw": RAW, "long": LONG}[name]: {
                "standing": count, "seconds": 1.0, "cpu_seconds": 1.0, "outside": 0, "stages": [4, 3, 3, 3],
                "broke_what_standard_did_not": [1] * (name == "raw"), "left_what_standard_broke": 0,
            } for name, count in standing.items()
        }}

    cell = rivals.joined([block(ours=3, auto=3, raw=2, long=3), block(ours=3, auto=3, long=3)])
    assert (cell["n"], cell["attackers"][AUTO]["n"], cell["attackers"][RAW]["n"]) == (8, 8, 4)
    assert (cell["attackers"][AUTO]["ours"], cell["attackers"][RAW]["ours"]) == (6, 3)
    rows = [{"system": "it", "eps": 0.1, "zero_gradient": {}} | cell]
    text = page(Results(n=0, compared=8, reported=0, comparison=rows), {"threads": 1})
    assert "A rival leaves fewer of it at 0.1 (by 25.0): there" in text, "of the four, not of the eight"
    assert "| 75.0 | 50.0 (n = 4) | 75.0 | 1 |" in text


def test_a_pair_is_read_from_its_finished_cells(
    images: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systems = {"tra": small(TRA(num_classes=4)), "rbc": small(RBC(num_classes=4, S=1))}
    test = ImageSet(name="noise", split="test", images=(255 * images).byte(), labels=systems["tra"].predict(images),
                    classes=("0", "1", "2", "3"), mean=(0.5,), std=(0.25,))
    monkeypatch.setattr(worst_case.zoo, "load", systems.__getitem__)
    first, second = stream_worst_rows(systems, test, [0.01], folder=tmp_path / "worst")
    monkeypatch.setattr(ensemble, "attack", None)  # nothing is attacked again
    result = worst_case.pair(first, second, test, tmp_path)
    split = worst_case.halves(first, test, tmp_path)
    assert (split["n"], split["standing"]) == (8, first.worst.correct) and 0 <= split["first_half"] <= 4
    assert "## Across the whole test set" in page(Results(n=8, compared=0, reported=0, across=[split]), {})
    assert result["both"] + result["first_alone"] == first.worst.correct
    assert result["both"] + result["second_alone"] == second.worst.correct
    assert result["first_alone"] > 0 and 0 < result["p"] <= 1
    text = page(Results(n=8, compared=0, reported=0, pairs=[result]), {})
    assert f"| tra | rbc | 0.01 | {result['both']} | {result['first_alone']} |" in text


def test_contrast_is_told_once_all_four_are_measured(images: torch.Tensor) -> None:
    system = small(TRA(num_classes=4))
    rows = list(stream_worst_rows(dict.fromkeys(CONTRAST, system), (images, system.predict(images)), [0.01]))
    whole, part = (page(Results(n=8, compared=0, reported=0, worst=some), {}) for some in (rows, rows[1:]))
    assert f"| stretched | under attack | {rows[0].worst.accuracy.percent()} |" in whole
    assert "or the contrast?" in whole and "or the contrast?" not in part


@pytest.mark.parametrize("n", ["0"])
def test_the_command_writes_both_files(n: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = Results(n=0, compared=0, reported=0)
    monkeypatch.setattr(worst_case, "run", lambda systems, **given: given["tell"](nothing))
    worst_case.main(["--page", str(tmp_path), "--n", n, "--compare", n, "--report", n, "--systems",
                     "mnist-tra", "--threads", str(torch.get_num_threads())])
    assert json.loads((tmp_path / "robustness.json").read_text(encoding="utf-8"))["worst"] == []
    assert (tmp_path / "robustness.md").read_text(encoding="utf-8").startswith("# How robust")
