"""A sweep: one job for each combination and seed; stopped and gone on with; a run that fails leaves the others."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from tasklab.cli import main
from tasklab.evaluation.statistics import Mean, Share
from tasklab.figures.settings import over_setting
from tasklab.jobs.executing import InTurn
from tasklab.jobs.sweeping import Quantity, Sweep
from tasklab.jobs.training_settings import Training
from tasklab.training import Recipe

BASE = Training(n=200, width=4, attacked=10, eps=(0.1,), recipe=Recipe(epochs=1, batch_size=40))
CLEAN = Quantity("clean", None, 0.0)
WORDS = ["sweep", "--data", "digits", "--n", "200", "--width", "4", "--batch-size", "40", "--attacked", "10",
         "--epochs", "1", "--eps", "0.1"]


def sweep(folder: Path, seeds: int = 1, **varied: Any) -> Sweep:
    return Sweep(folder=folder, varied=varied, base=BASE, seeds=seeds)


def test_every_combination_and_seed_is_one_training_run(tmp_path: Path) -> None:
    made = sweep(tmp_path, seeds=2, S=(1.0, 10.0, 1.0), lr=(1e-3, 1e-2))
    assert made.combinations == [{"S": s, "lr": lr} for s in (1.0, 10.0) for lr in (1e-3, 1e-2)]
    assert [(t.task.to_dict()["S"], t.recipe.lr, t.recipe.seed) for t in made.trainings] == [
        (s, lr, seed) for s in (1.0, 10.0) for lr in (1e-3, 1e-2) for seed in (0, 1)]
    assert len({t.name for t in made.trainings}) == 8
    rest = [dataclasses.replace(t, name=BASE.name, task=BASE.task, recipe=BASE.recipe) for t in made.trainings]
    assert rest == [BASE] * 8, "nothing else differs"


@pytest.mark.parametrize(("varied", "words"), [
    ({}, "at least one setting"), ({"S": ()}, "at least one setting"), ({"alpha": (1,)}, "got 'alpha'"),
    ({"seed": (1, 2)}, "got 'seed'"), ({"num_classes": (10,)}, "got 'num_classes'"), ({"S": (-1.0,)}, "S"),
    ({"epochs": (0,)}, "epochs"),
])
def test_what_cannot_be_varied_is_refused_before_anything_runs(
    tmp_path: Path, varied: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        sweep(tmp_path, **varied)
    assert not list(tmp_path.iterdir())


def test_stopped_it_goes_on_and_makes_nothing_twice(tmp_path: Path) -> None:
    made = sweep(tmp_path, seeds=2, S=(1.0, 10.0))
    names = [t.name for t in made.trainings]
    events = InTurn().carry_out(made.assignments())
    for event in events:
        if event["event"] == "step" and event["place"] == 1:
            break
    events.close()  # type: ignore[attr-defined]
    assert list(made.missing) == names[1:] and [point.seeds for point in made.points()] == [(0,), ()]
    assert isinstance(made.points()[0].measured[CLEAN], Share)
    begun = [event["name"] for event in InTurn().carry_out(made.assignments()) if event["event"] == "begin"]
    assert begun == names[1:] and made.missing == {} and list(InTurn().carry_out(made.assignments())) == []
    share = made.points()[1].measured[CLEAN]
    assert isinstance(share, Mean) and share.n == 2
    assert list(sweep(tmp_path, seeds=1, S=(1.0, 10.0)).missing) == [], "a part of it is made, too"


def test_a_run_that_fails_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = sweep(tmp_path, S=(1.0, 10.0))
    first = made.trainings[0].name
    real = Training.begin

    def begin(training: Training, **more: Any) -> Any:
        if training.name == first:
            raise ValueError("expected luck, got none")
        return real(training, **more)

    monkeypatch.setattr(Training, "begin", begin)
    for _event in InTurn().carry_out(made.assignments()):
        pass
    assert made.missing == {first: "expected luck, got none."}
    assert [point.seeds for point in made.points()] == [(), (0,)]


def test_jobs_of_another_sweep_are_not_taken_for_its_own(tmp_path: Path) -> None:
    other = Sweep(folder=tmp_path, varied={"S": (1.0,)}, base=dataclasses.replace(BASE, attacked=20))
    for _event in InTurn().carry_out(other.assignments()):
        pass
    with pytest.raises(ValueError, match="with other settings; try another folder"):
        sweep(tmp_path, S=(1.0,)).assignments()


def test_the_command_writes_one_table_and_one_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*WORDS, "--vary", "S=1,100", "--vary", "parametrisation=scaled,paper", "--to", str(tmp_path)]
    assert main(words) == 0
    out, err = capsys.readouterr()
    header, _, *rows = out.splitlines()
    assert header.startswith("| S | parametrisation | seeds | clean | pgd on train, ε = 0.1 |")
    assert [row.split(" | ")[:2] for row in rows] == [
        ["| 1", "scaled"], ["| 1", "paper"], ["| 100", "scaled"], ["| 100", "paper"]]
    assert err.count(": begun\n") == 4 and "written: " in err
    content = json.loads((tmp_path / "sweep.json").read_text(encoding="utf-8"))
    assert content["not_made"] == {} and len(content["jobs"]) == 4
    assert {value["n"] for value in content["values"] if value["quantity"] != "clean"} == {10}
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["values"] == content["values"]


@pytest.mark.parametrize("given", ["S", "S=", "S=much", "breadth=3", "S=1,,2", "seed=1,2"])
def test_what_is_not_a_setting_with_values_is_wrong_usage(
    tmp_path: Path, given: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*WORDS, "--vary", given, "--to", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("tasklab: ") and len(err.splitlines()) == 1 and not list(tmp_path.iterdir())


def test_the_figure_has_a_line_for_each_quantity_and_a_panel_for_each_other_setting() -> None:
    points = [({"S": s, "form": form}, {"clean": Share(90, 100), "pgd": Mean((0.1, 0.3))})
              for s in (1.0, 350.0) for form in ("a", "b")]
    figure = over_setting(points, "S")
    assert [trace.name for trace in figure.data] == ["clean", "pgd"] * 2
    assert list(figure.data[0].x) == [1.0, 350.0] and list(figure.data[1].y) == pytest.approx([20.0, 20.0])
    assert figure.layout.xaxis.type == "log"
    by_word = over_setting(points, "form")
    assert list(by_word.layout.xaxis.ticktext) == ["a", "b"] and by_word.layout.xaxis.type != "log"
    with pytest.raises(ValueError, match="finish a training run"):
        over_setting([({"S": 1.0}, {})], "S")
