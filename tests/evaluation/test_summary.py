"""The full table groups what it is given by how it was found; paired comparisons count images by hand."""

from __future__ import annotations

import math

import pytest
import torch

from tasklab import data, zoo
from tasklab.attacks import FGSM, PGD, Noise, Square
from tasklab.attacks.presets import full_table_attacks
from tasklab.evaluation import combined, compare, evaluate, full_table, outcomes
from tasklab.evaluation.robustness import Row
from tasklab.evaluation.statistics import Share, mcnemar, wilson
from tasklab.evaluation.summary import GROUPS, Comparison, full_frame, grouped
from tasklab.evaluation.transfer_matrix import find_threat, transfer_row

N = 100


def row(correct: range, *, zero: int = 0, **settings: object) -> Row:
    """An attack that leaves these of 100 images, all of them read correctly before."""
    labels = torch.zeros(N, dtype=torch.int64)
    decoded = torch.ones_like(labels)
    decoded[list(correct)] = 0
    described = {"attack": "pgd", "objective": "margin", "criterion": "misclassified", "norm": "linf", "eps": 0.1,
            "steps": 20, "restarts": 1, "backwards": 1} | settings
    return Row(outcomes=outcomes(decoded, labels), clean=outcomes(labels, labels), zero_gradient=Share(zero, N),
               unmoved=Share(0, N), decoded=decoded, labels=labels, **described)  # type: ignore[arg-type]


ROWS = {
    "a": [
        row(range(100), attack="clean", objective=None, criterion=None, norm=None, eps=0.0),
        row(range(80), attack="fgsm", objective="train"),
        row(range(70), objective="train", zero=60),
        row(range(40)), row(range(10, 50), objective="bits"),
        row(range(60), attack="noise", backwards=0), row(range(5, 95), attack="square", backwards=0),
        row(range(20, 90), attack="transfer", objective="from b", backwards=0),
        row(range(3), objective="towards_code", criterion="evaded"),
    ]
}


def test_each_column_is_what_its_attacks_leave_together() -> None:
    frame = full_frame(ROWS)
    (line,) = frame.to_dict("records")
    expected = {"clean": 1.0, "paper FGSM": 0.8, "paper PGD": 0.7, "white-box adaptive": 0.3, "black box": 0.55,
                "transfer": 0.7, "worst case": 0.2, "R (paper)": 0.7, "R (worst)": 0.2, "None on clean": 0.0}
    for name, value in expected.items():
        assert line[name] == pytest.approx(value), name
    assert (line["worst case low"], line["worst case high"]) == pytest.approx(wilson(20, N))
    assert line["flags"] == "paper PGD masked, paper PGD misses much"


def test_the_table_reads_and_what_was_not_asked_is_a_dash_and_a_flag() -> None:
    table = full_table(ROWS)
    assert list(table.columns) == [
        "system", "ε", "clean %", "None on clean %", "paper FGSM %", "paper PGD %", "white-box adaptive %",
        "black box %", "transfer %", "worst case %", "R (paper)", "R (worst)", "flags", "n",
    ]
    assert table["worst case %"][0] == "20.0 [13.3, 28.9]" and table["R (paper)"][0] == "0.700"
    few = full_table({"a": [*ROWS["a"][:1], row(range(50))]})
    assert few["paper PGD %"][0] == few["R (paper)"][0] == "–"
    assert "without paper FGSM and paper PGD and black box and transfer" in few["flags"][0]
    assert math.isnan(full_frame({"a": [row(range(50))]})["transfer"][0])


def test_a_black_box_that_does_better_is_flagged() -> None:
    rows = [row(range(50)), row(range(40), attack="square", backwards=0)]
    assert "black box beats white box" in full_table({"a": rows})["flags"][0]


def test_each_radius_has_its_line_and_the_protocol_fills_every_column_but_transfer() -> None:
    system, source = zoo.load("digits-rbc"), zoo.load("digits-tra")
    test = data.load("digits", "test").subset(30)
    attacks = [settings for eps in (0.1, 0.2) for settings in full_table_attacks(eps, queries=30)]
    rows = evaluate(system, test, attacks)
    threat = find_threat("digits-tra", source, test.x(), test.labels, PGD(eps=0.2, keep="best"))
    rows.append(transfer_row(system, test, threat))
    table = full_frame({"digits-rbc": rows})
    assert list(table["eps"]) == [0.1, 0.2]
    assert math.isnan(table["transfer"][0]) and not math.isnan(table["transfer"][1])
    for _, line in table.iterrows():
        known = [line[group] for group in GROUPS[:-1] if not math.isnan(line[group])]
        assert line["worst case"] <= min(known) and line["white-box adaptive"] < line["paper PGD"]
        assert "paper PGD masked" in line["flags"]
    assert {type(settings) for settings in full_table_attacks(0.1)} == {FGSM, PGD, Noise, Square}
    assert set(grouped(rows, 0.2)) == set(GROUPS)


def test_a_comparison_counts_images_by_hand() -> None:
    result = compare(row(range(60)), row(range(50, 80)), ("a", "b"))
    assert (result.both, result.only_first, result.only_second, result.neither, result.n) == (10, 50, 20, 20, 100)
    assert [share.count for share in result.shares] == [60, 30]
    left, right = (torch.isin(torch.arange(N), torch.arange(*ends)) for ends in ((0, 60), (50, 80)))
    assert result.p == mcnemar(left, right) < 0.01
    assert "a does better, by more than chance explains" in result.sentence
    assert result.to_dict()["only_first"] == 50


def test_equal_systems_do_not_differ_and_few_images_prove_nothing() -> None:
    same = compare(row(range(50)), row(range(50)))
    assert same.p == 1 and "no difference beyond chance" in same.sentence
    few = compare(row(range(52)), row(range(50)))
    assert few.p > 0.05 and "no difference" in few.sentence
    perhaps = Comparison(names=("a", "b"), what="clean", both=0, only_first=1, only_second=9, neither=0, p=0.03)
    assert "b does better, perhaps by chance" in perhaps.sentence


def test_worst_cases_and_clean_rows_are_compared_as_such() -> None:
    clean = compare(ROWS["a"][0], ROWS["a"][0])
    assert clean.what == "clean"
    worst = [combined(ROWS["a"][3:5]), combined([row(range(90))])]
    assert compare(worst[0], worst[1]).what == "worst case found, ε = 0.1"


def test_rows_that_are_not_paired_are_refused() -> None:
    for other in (row(range(5), eps=0.2), row(range(5), norm="l2"), ROWS["a"][0]):
        with pytest.raises(ValueError, match="one ε, norm and criterion"):
            compare(row(range(5)), other)
