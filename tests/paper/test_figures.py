"""The figures as a command: made from nothing, killed, resumed, shown."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
from small_cells import TINY, process

from tasklab.cli import main
from tasklab.cli.paper import FIGURES
from tasklab.paper import cells, convergence, features, grid, margins


def test_killed_within_its_maps_it_goes_on(tmp_path: Path) -> None:
    """What was finished is not made again, and the figure is that of an unbroken run."""
    words = ["fig3", "--quick", "--to", str(tmp_path / "broken")]
    folder = tmp_path / "broken" / "cells"
    with process(*words) as running:
        until = time.monotonic() + 120
        while not list(folder.glob("*.map-*.json")) and running.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        running.send_signal(signal.SIGKILL)
    assert running.returncode == -signal.SIGKILL, "it had not ended yet"
    kept = {file.name: file.stat().st_mtime_ns for file in folder.glob("*-quick*.[js]*") if file.is_file()}
    with process(*words) as running:
        out, errors = running.communicate(timeout=240)
    assert running.returncode == 0, errors
    assert {name: (folder / name).stat().st_mtime_ns for name in kept} == kept
    with process(*words[:-1], str(tmp_path / "whole")) as running:
        whole, errors = running.communicate(timeout=240)
    assert running.returncode == 0, errors
    assert out == whole
    for name in ("fig3.md", "fig3.csv", "fig3.figure.json"):
        assert (tmp_path / "broken" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_every_figure_from_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any data set: a plan first, then the figure; a second time nothing is made."""
    monkeypatch.setenv("TASKLAB_DATA", str(tmp_path / "empty"))
    monkeypatch.setattr(grid, "QUICK", TINY)
    monkeypatch.setattr(features, "IMAGES", 60)
    monkeypatch.setattr(margins, "QUICK_SIZES", (1.0, 350.0))
    monkeypatch.setattr(convergence, "GRID", (1.0,))
    words = ["--quick", "--seeds", "1", "--to", str(tmp_path)]
    for name in FIGURES:
        assert main(["paper", name, *words]) == 0
        out, err = capsys.readouterr()
        assert "to make, in about" in err and "not made" not in err + out
    monkeypatch.delattr(cells, "train")
    for name in FIGURES:
        content = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))
        assert content["not_made"] == [] and content["values"] and content["claims"] and content["command"].startswith(
            f"tasklab paper {name} --data digits --arch small_cnn --quick")
        assert main(["paper", name, *words]) == 0
        again, err = capsys.readouterr()
        assert "every cell is made already" in err and f"| {content['claims'][0]['statement']} |" in again


def test_what_is_not_there_is_shown_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(cells, "train")
    for name in FIGURES:
        assert main(["paper", name, "--show", "--to", str(tmp_path)]) == 0
        assert "not made: " in capsys.readouterr().err


def test_a_figure_refuses_the_options_of_the_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["paper", "fig3", "--steps", "3"]) == 2
    assert "expected options that fig3 has, got steps" in capsys.readouterr().err
    assert main(["paper", "fig3", "--seeds", "2"]) == 2
    assert "got --seeds 2" in capsys.readouterr().err
