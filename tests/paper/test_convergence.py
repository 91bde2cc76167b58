"""Figure 2: its curves are the training's own, and what it says of two systems follows from them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from small_cells import TINY, cell

from tasklab.paper.cells import Workshop, make
from tasklab.paper.convergence import Convergence, converged
from tasklab.paper.grid import RECIPES, Variant
from tasklab.paper.protocol import PaperProtocol, questions
from tasklab.paper.records import Finding, Record, read_record, to_hex, write_record
from tasklab.training import fit

N = 400


def figure(folder: Path, data: str = "digits") -> Convergence:
    return Convergence(data=(data,), archs=("small_cnn",), folder=folder, scale=TINY, seeds=(0, 1, 2))


def test_the_curve_is_the_training_s_own(tmp_path: Path) -> None:
    of = cell("rbc", variant=Variant(lr=0.003))
    assert of.recipe.lr == 0.003 and of.name == "digits-small-rbc-lr0.003-quick"
    list(make(Workshop(folder=tmp_path), of, ()))
    record = read_record(tmp_path, of)
    system, train, validation = of.training().begin()
    events = [event for event in fit(system, train, of.recipe, validation=validation) if hasattr(event, "epochs")]
    assert record is not None and len(events) == of.recipe.epochs
    for kept, event in zip(record.epochs, events, strict=True):
        assert kept["loss"] == pytest.approx(event.loss, rel=1e-4)
        assert kept["accuracy"] == pytest.approx(event.accuracy, abs=0.01)


def test_the_grid_changes_the_rate_alone(tmp_path: Path) -> None:
    cells = figure(tmp_path).asked()
    assert len(cells) == len({each.name for each in cells}) == 2 * 4 * 3
    for each in cells:
        assert dataclasses.replace(each.recipe, lr=1.0, seed=0) == dataclasses.replace(cell("rbc").recipe, lr=1.0)
    assert sum(each.recipe.lr == RECIPES["digits"].lr for each in cells) == 2 * 3


def written(folder: Path, reached: dict[str, int], data: str = "digits", correct: int = 350) -> Convergence:
    """The figure after made-up records: TRA reads 300 test images; epochs are as asked for."""
    drawn = figure(folder, data)
    for of in drawn.asked():
        rbc, usual = of.method.key == "rbc", RECIPES[data].lr
        after = reached["rbc" if rbc else "tra"] + (of.seed % 2 if rbc else 0)
        last = 0.9 if of.recipe.lr == usual / 2 else 0.8
        epochs = tuple({"epoch": k, "loss": 4.0 / k, "accuracy": last * (1 if k >= after else 0.5)}
                       for k in range(1, 9))
        (question,) = questions(of, PaperProtocol(), ())
        which = torch.arange(N) < (correct if rbc else 300)
        finding = Finding(asked=question.to_dict(), correct=int(which.sum()), wrong=N - int(which.sum()), abnormal=0,
                          standing=to_hex(which), seconds=1.0)
        write_record(folder, of, Record(name=of.name, method=of.method.name, card={}, weights="0" * 32,
                                        findings=(finding,), epochs=epochs))
    return drawn


def test_the_best_rate_and_the_epochs_are_the_records(tmp_path: Path) -> None:
    drawn = written(tmp_path, {"tra": 2, "rbc": 4})
    lines = {(number.of["system"], number.of["rate"], number.what): number.value for number in drawn.numbers()
             if len(number.seeds) == 3}
    assert lines["RBC", "0.0015 (own best)", "validation accuracy"].value == pytest.approx(0.9)
    assert lines["RBC", "0.003 (equal recipe)", "epochs to 95 %"].value == pytest.approx((4 + 5 + 4) / 3)
    assert lines["TRA", "0.003 (equal recipe)", "loss left"].value == pytest.approx(1 / 8)
    assert any("RBC was earlier with 0 of the seeds, later with 3 and level with 0." in each
               for each in drawn.sentences())
    record = read_record(tmp_path, next(iter(drawn.asked())))
    assert record is not None and converged(record) == 2


@pytest.mark.parametrize(("correct", "verdict"), [(350, "holds"), (300, "does not hold"), (250, "does not hold")])
def test_on_a_simple_set_the_claim_is_of_accuracy(tmp_path: Path, correct: int, verdict: str) -> None:
    claims = written(tmp_path, {"tra": 2, "rbc": 2}, correct=correct).claims()
    assert [claim.verdict for claim in claims] == [verdict] * 2
    assert all("higher test accuracy" in claim.statement and "(n = 1,200)" in claim.measured for claim in claims)


@pytest.mark.parametrize(("tra", "rbc", "verdict"), [
    (2, 5, "holds"), (5, 1, "does not hold"), (2, 2, "cannot be told"),
])
def test_on_cifar100_the_claim_is_of_speed(tmp_path: Path, tra: int, rbc: int, verdict: str) -> None:
    claims = written(tmp_path, {"tra": tra, "rbc": rbc}, "cifar100").claims()
    assert [claim.verdict for claim in claims] == [verdict] * 2 and "more slowly" in claims[0].statement


def test_a_rate_is_the_best_once_all_were_tried(tmp_path: Path) -> None:
    drawn = written(tmp_path, {"tra": 2, "rbc": 4})
    gone = next(each for each in drawn.asked() if each.method.key == "rbc" and each.seed == 2)
    (tmp_path / f"{gone.name}.json").unlink()
    assert drawn.missing == [gone.name] and not any("own best" in number.of["rate"] for number in drawn.numbers()
                                                    if number.of["system"] == "RBC")
    assert [claim.verdict for claim in drawn.claims()] == ["holds", "cannot be told"]
