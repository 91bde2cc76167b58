"""``tasklab paper``: a plan, the cells, the table; and the table alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasklab.cli import main
from tasklab.cli import paper as command
from tasklab.models import ARCHITECTURES
from tasklab.paper import cells, grid

SMALL = grid.Scale(suffix="-quick", share=0.05, train=200, width=4, attacked=8, preset="quick")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "QUICK", SMALL)


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[str, str]:
    assert main(["paper", *words]) == 0
    return tuple(capsys.readouterr())  # type: ignore[return-value]


def test_both_tables_from_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any data set: a plan first, then every column; the second table begins with systems of the first."""
    monkeypatch.setenv("TASKLAB_DATA", str(tmp_path / "empty"))
    words = ["--quick", "--to", str(tmp_path)]
    out, err = run(capsys, "table1", *words)
    table, claims = out.split("\n\n")
    header, _, *rows = table.splitlines()
    assert "| FGSM I | FGSM II | FGSM III | PGD I | PGD II | PGD III | LEG |" in header
    assert [row.split(" | ")[2] for row in rows] == ["TRA", "DeepBE", "INT", "RBC"] and "not made" not in out
    assert "RBC is more accurate than TRA on clean images" in claims
    assert err.index("4 cells to make, in about") < err.index("tra-quick (2/8): clean")
    out, err = run(capsys, "table2", *words)
    assert "4 cells to make" in err and all(f"| {name} |" in out for name in ("TRA+AT", "RBC+AT (margin)", "RBC+GN"))
    monkeypatch.delattr(cells, "train")
    again, err = run(capsys, "table2", *words)
    assert again == out and "every cell is made already" in err
    shown, _ = run(capsys, "table2", *words, "--show", "--json")
    content = json.loads(shown)
    assert content["not_made"] == [] and content["cells"].keys() == {
        f"digits-small-{key}-quick" for key in ("tra-at", "rbc-at", "rbc-at-margin", "rbc-gn")}


def test_what_is_not_there_is_shown_by_name_and_not_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(cells, "train")
    out, err = run(capsys, "table1", "--data", "mnist", "--arch", "resnet18", "--show", "--to", str(tmp_path))
    assert "74.55 / not made" in out and "not made: mnist-resnet18-rbc\n" in err


def test_several_seeds_are_rows_of_one_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["table2", "--data", "digits", "--arch", "small_cnn", "--seeds", "3", "--show", "--to", str(tmp_path)]
    table, claims = run(capsys, *words)[0].split("\n\n")
    header, _, *rows = table.splitlines()
    assert header.split(" | ")[3] == "seed" and [row.split(" | ")[3] for row in rows] == ["0", "1", "2"] * 4
    assert "of 3 seeds" in claims
    command = json.loads((tmp_path / "table2.json").read_text(encoding="utf-8"))["command"]
    assert command == "tasklab paper table2 --data digits --arch small_cnn --seeds 3"


def test_what_is_named_twice_counts_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--show", "--to", str(tmp_path), "--data", "mnist"]
    once = run(capsys, "table1", *words, "--arch", "resnet18")
    assert run(capsys, "table1", *words, "mnist", "--arch", "resnet18", "resnet18") == once
    once = run(capsys, "fig4", *words, "--arch", "resnet18")
    assert run(capsys, "fig4", *words, "mnist", "--arch", "resnet18", "resnet18") == once


def test_one_protocol_alone_leaves_the_other_to_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["table1", "--quick", "--n", "4", "--to", str(tmp_path)]
    out, err = run(capsys, *words, "--protocol", "paper")
    assert "adaptive not made" in out and "7 evaluations" in err
    out, err = run(capsys, *words, "--protocol", "adaptive")
    assert "not made" not in out and "  digits-small-tra-quick: 9 evaluations" in err


def test_interrupted_it_writes_what_there_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, asked = cells.answer, []

    def stopping(*given: object, **more: object) -> object:
        asked.append(given[0])
        if len(asked) == 4:
            raise KeyboardInterrupt
        return answer(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(cells, "answer", stopping)
    assert main(["paper", "table1", "--quick", "--to", str(tmp_path)]) == 130
    out, err = capsys.readouterr()
    assert "the same command goes on from there" in err
    assert (out.count("/ not made"), out.count("/ adaptive not made")) == (25, 2), "two of FGSM, and LEG, are made"
    assert "not made: digits-small-rbc-quick\n" in err
    assert not list((tmp_path / "cells").glob("*.job")), "what is needed to go on is elsewhere"


def test_the_networks_and_sets_on_offer_are_those_of_the_grid() -> None:
    assert set(command.TABLES) == set(grid.ROWS)
    assert set(command.DATA) == set(grid.RECIPES)
    assert set(command.NETWORKS) == {name for name, arch in ARCHITECTURES.items() if arch.input_dims == 3}
