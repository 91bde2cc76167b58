"""Figure 4: which cells it has, what they are asked, and what its claims say of made-up records."""

from __future__ import annotations

from pathlib import Path

import torch
from small_cells import TINY, cell

from tasklab import data
from tasklab.attacks import PGD
from tasklab.evaluation import evaluate
from tasklab.paper.cells import Workshop, make
from tasklab.paper.margins import Margins, rbc_cell
from tasklab.paper.records import Finding, Record, to_hex, write_record
from tasklab.system import System

N = 400


def figure(folder: Path, seeds: tuple[int, ...] = (0, 1, 2)) -> Margins:
    return Margins(data=("digits",), archs=("small_cnn",), folder=folder, scale=TINY, seeds=seeds)


def test_the_usual_margin_is_the_tables_cell_and_others_have_names_of_their_own(tmp_path: Path) -> None:
    assert rbc_cell(cell("rbc"), 350, "scaled") == cell("rbc")
    cells = list(figure(tmp_path).asked())
    assert len({each.name for each in cells}) == len(cells) == 2 * 3 * 4
    small = rbc_cell(cell("rbc"), 10, "paper")
    assert small.name == "digits-small-rbc-s10-unscaled-quick"
    assert (small.task.to_dict()["S"], small.task.unit) == (10, 1) and small.recipe == cell("rbc").recipe


def test_the_numbers_are_the_library_s(tmp_path: Path) -> None:
    drawn, workshop, of = figure(tmp_path, (0,)), Workshop(folder=tmp_path), rbc_cell(cell("rbc"), 1, "paper")
    list(make(workshop, of, drawn.asked()[of]))
    file = workshop.weights(of)
    assert file is not None
    row = evaluate(System.load(file), data.load("digits", "test").subset(TINY.attacked),
                   [PGD(eps=0.3, steps=5, objective="train", keep="last")])[1]
    results = {number.what: number.value for number in drawn.numbers()}
    assert results["PGD-5, training loss"] == row.outcomes.accuracy
    assert (results["zero gradient"], results["unmoved"]) == (row.zero_gradient, row.unmoved)
    assert results["clean"].n == 400 and len(drawn.missing) == 7


def written(folder: Path, standing: dict[tuple[float, str], int]) -> Margins:
    """The figure after made-up records: by S and kind of attack, how many of 400 images stand."""
    drawn = figure(folder)
    for of, asked in drawn.asked().items():
        size = of.task.to_dict()["S"]
        findings = []
        for question in asked:
            which = torch.arange(N) < standing.get((size, question.kind), 200)
            clean = question.kind == "clean"
            findings.append(Finding(
                asked=question.to_dict(), correct=int(which.sum()), wrong=N - int(which.sum()), abnormal=0,
                clean=None if clean else N, zero_gradient=None if clean else 100, unmoved=None if clean else 40,
                standing=to_hex(which), seconds=1.0))
        slow = 4 + of.seed % 2 if size > 1 else 1
        epochs = tuple({"epoch": k, "accuracy": 0.9 if k >= slow else 0.1} for k in range(1, 7))
        write_record(folder, of, Record(name=of.name, method="RBC", card={}, weights="0" * 32,
                                        findings=tuple(findings), epochs=epochs))
    return drawn


def test_a_claim_compares_the_same_images_of_all_seeds(tmp_path: Path) -> None:
    drawn = written(tmp_path, {(350, "pgd"): 300, (350, "fgsm"): 100})
    verdicts = {claim.statement.split(": ")[1].split(" (S =")[0]: claim for claim in drawn.claims()}
    assert verdicts["a larger S gives a higher accuracy under PGD-5, training loss"].verdict == "holds"
    assert verdicts["a larger S gives a higher accuracy under FGSM, training loss"].verdict == "does not hold"
    same = verdicts["a larger S gives a higher accuracy under PGD-40, margin"]
    assert same.verdict == "does not hold" and "(n = 1,200)" in same.measured
    higher = verdicts["a larger S gives a higher accuracy under PGD-5, training loss"]
    assert "without a gradient: 25.0 [" in higher.measured
    slower = verdicts["a larger S slows convergence down"]
    assert slower.verdict == "holds" and "against 1 [1, 1]" in slower.measured and "over 3 seeds" in slower.measured
    assert any("PGD-5, training loss 50.0 to 75.0 %" in sentence for sentence in drawn.sentences())
    assert drawn.missing == [] and "Nothing is missing" in drawn.to_markdown()


def test_without_records_nothing_can_be_told(tmp_path: Path) -> None:
    drawn = figure(tmp_path)
    assert {claim.verdict for claim in drawn.claims()} == {"cannot be told"} and drawn.sentences() == []
    assert [path.name for path in drawn.write(tmp_path)] == [
        f"fig4.{end}" for end in ("md", "csv", "json", "html", "figure.json")]
