"""Tables: every number comes out as it went in, and reads as people write it."""

from __future__ import annotations

import csv
import io

import pytest
from linear_systems import EAST, NORTH, grey_images, linear, sides

from tasklab.attacks import PGD
from tasklab.data.radii import eps_said
from tasklab.evaluation import evaluate, frame, table, to_csv, to_markdown
from tasklab.tasks import RBC

pd = pytest.importorskip("pandas")

X = grey_images(200)
Y = (sides(X, EAST) > 0).long()
ROWS = evaluate(
    linear(EAST, RBC(num_classes=2, S=1e-4)),
    (X, Y),
    [
        PGD(eps=8 / 255, steps=3, objective="train", random_start=False),
        PGD(eps=0.1, steps=3, restarts=2),
        PGD(eps=0.5, norm="l2", steps=3),
    ],
)


def test_a_frame_holds_every_number() -> None:
    numbers = frame(ROWS)
    assert list(numbers["attack"]) == ["clean", "pgd", "pgd", "pgd"]
    for row, (_, line) in zip(ROWS, numbers.iterrows(), strict=True):
        assert line["correct"] == row.outcomes.accuracy.value
        assert (line["correct_low"], line["correct_high"]) == row.outcomes.accuracy.interval
        assert line["correct"] + line["wrong"] + line["abnormal"] == pytest.approx(1)
        assert (line["n"], line["eps"], line["steps"], line["flags"]) == (200, row.eps, row.steps, ", ".join(row.flags))
    assert pd.isna(numbers["R"][0])
    assert (numbers["R"][1], numbers["flags"][1]) == (1, "masked, unmoved")


def test_a_table_reads_as_percent_with_intervals_and_r_stands_beside_its_flags() -> None:
    words = table(ROWS)
    assert words["correct %"][0] == "100.0 [98.1, 100.0]"
    assert list(words["ε"]) == ["–", "8/255", "0.1", "0.5 (L2)"]
    assert list(words["steps"]) == ["–", "3", "3 × 2", "3"]
    assert (words["R"][0], words["R"][1], words["flags"][1]) == ("–", "1.000", "masked, unmoved")
    assert list(words.columns).index("flags") == list(words.columns).index("R") + 1
    assert words["zero gradient %"][1] == "100.0"


def test_systems_are_named_in_the_first_column() -> None:
    other = evaluate(linear(NORTH), (X, Y))
    assert list(frame({"east": ROWS, "north": other})["system"]) == ["east"] * 4 + ["north"]
    assert table({"east": ROWS}).columns[0] == "system"


def test_markdown_is_a_pipe_table() -> None:
    lines = to_markdown(table(ROWS)).splitlines()
    assert len(lines) == 2 + 4
    assert {line.count("|") for line in lines} == {len(table(ROWS).columns) + 1}
    assert lines[0].startswith("| attack | objective | ε | steps | correct % |")
    assert lines[1].startswith("| --- | --- |")
    assert lines[2].startswith("| clean | – | – | – | 100.0 [98.1, 100.0] |")


def test_markdown_escapes_and_marks_what_is_missing() -> None:
    odd = pd.DataFrame({"a|b": ["x|y\nz", None], "n": [1.5, float("nan")]}, index=["p", "q"])
    assert to_markdown(odd).splitlines() == ["| a\\|b | n |", "| --- | ---: |", "| x\\|y z | 1.5 |", "| – | – |"]


def test_csv_comes_back_as_it_went() -> None:
    numbers = frame({"east": ROWS})
    back = pd.read_csv(io.StringIO(to_csv(numbers)))
    for name in ("eps", "correct", "correct_low", "R", "seconds"):
        pd.testing.assert_series_equal(back[name], numbers[name], check_dtype=False, rtol=1e-12)


def test_csv_holds_no_formulas_and_leaves_numbers_alone() -> None:
    words = ["=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "-0.5", "+3e-2", "digits-rbc", None]
    odd = pd.DataFrame({"=name": words, "change": [-0.5] * len(words), "n": -2})
    back = list(csv.reader(io.StringIO(to_csv(odd), newline="")))
    assert back[0] == ["'=name", "change", "n"]
    assert [line[0] for line in back[1:]] == [*(f"'{word}" for word in words[:5]), "'\n=1", "'＝1", *words[7:10], ""]
    assert {(line[1], line[2]) for line in back[1:]} == {("-0.5", "-2")}
    assert odd.iloc[0, 0] == "=1+1", "the table itself is left alone"


def test_no_rows_are_an_empty_table() -> None:
    assert len(frame([])) == 0


@pytest.mark.parametrize(
    ("eps", "text"),
    [
        (8 / 255, "8/255"),
        (1.5 / 255, "1.5/255"),
        (0.3, "0.3"),
        (0.1, "0.1"),
        (0.0, "0"),
        (1.0, "1"),
        (0.5, "0.5"),
        (0.2, "0.2"),
        (0.031, "0.031"),
        (0.012345678, "0.01235"),
    ],
)
def test_a_radius_is_written_as_people_do(eps: float, text: str) -> None:
    assert eps_said(eps) == text
