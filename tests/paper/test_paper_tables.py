"""The tables: what their words, arrows and gaps say, on records written by hand."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from small_cells import PROTOCOL, cell, kinds, written

from tasklab.evaluation.statistics import Share
from tasklab.figures.comparison import BARS, comparison, describe_comparison
from tasklab.paper.documents import Document
from tasklab.paper.grid import Cell, cells_of
from tasklab.paper.protocol import KINDS, PaperProtocol
from tasklab.paper.published import COLUMNS
from tasklab.paper.tables import Value, compared, missing, values


def found(folder: Path, of: Cell) -> dict[str, Value]:
    return {str(value.column): value for value in values([of], folder, PROTOCOL)}


def test_the_adaptive_number_is_what_every_attack_leaves(tmp_path: Path) -> None:
    """Image by image: attacks that break different images break them all."""
    written(tmp_path, cell("rbc"), kinds(margin=range(0, 60), bits=range(30, 90), worst=range(0, 80)))
    value = found(tmp_path, cell("rbc"))["PGD II"]
    assert value.accuracy == Share(100, 100) and value.adaptive == Share(30, 100)


@pytest.mark.parametrize(("worst", "zero", "word"), [
    (range(95), 90, "confirmed"), (range(90), 9, "overstated"), (range(90), 11, "masked"), (range(0), 100, "masked"),
])
def test_a_word_says_what_to_think_of_the_number(tmp_path: Path, worst: range, zero: int, word: str) -> None:
    written(tmp_path, cell("rbc"), kinds(worst=worst), zero=zero)
    table = found(tmp_path, cell("rbc"))
    assert table["FGSM I"].word == word and table["LEG"].word == ""
    assert table["FGSM I"].text == f"– / 100.0 / {len(worst):.1f} {word}"


def test_an_arrow_compares_the_same_images_before_and_after(tmp_path: Path) -> None:
    written(tmp_path, cell("rbc"), kinds(fgsm=range(50), pgd=range(50), worst=range(10)))
    written(tmp_path, cell("rbc-at"), kinds(fgsm=range(30), pgd=range(49), worst=range(30)))
    table = found(tmp_path, cell("rbc-at"))
    assert (table["FGSM I"].arrows, table["PGD I"].arrows, table["LEG"].arrows) == (("↓", "↑"), ("≈", "↑"), ("≈", ""))
    assert found(tmp_path, cell("rbc"))["FGSM I"].arrows == ("", "")


def test_what_was_not_made_is_named(tmp_path: Path) -> None:
    written(tmp_path, cell("rbc"), kinds(), left_out=("worst", "pgd"))
    table = found(tmp_path, cell("rbc"))
    assert table["FGSM I"].word == "adaptive not made" and table["PGD I"].text == "– / not made"
    assert missing([cell("rbc"), cell("int")], tmp_path, PROTOCOL, KINDS["both"]) == [
        f"{cell('rbc').name}: pgd I, pgd II, pgd III, worst I, worst II, worst III", cell("int").name]
    other = PaperProtocol(steps=3)
    assert {value.word for value in values([cell("rbc")], tmp_path, other) if "PGD" in str(value.column)} == {
        "not made"}, "with other settings it is another number"


def test_a_table_without_a_cell_shows_all_that_was_published(tmp_path: Path) -> None:
    cells = cells_of("table2")
    document = Document(table="table2", cells=cells, folder=tmp_path, protocol=PROTOCOL)
    assert document.missing == [each.name for each in cells]
    text = document.to_markdown()
    assert "| MNIST | ResNet-18 | RBC+GN | 99.30↑ / not made |" in text
    assert all(f"- {each.name}\n" in text for each in cells)
    rows = list(csv.DictReader(io.StringIO(document.to_csv())))
    assert sum(bool(row["published"]) for row in rows) == 126 and not any(row["measured"] for row in rows)


def test_the_files_say_the_same(tmp_path: Path) -> None:
    written(tmp_path / "cells", cell("rbc"), kinds(worst=range(0, 20)), zero=80)
    document = Document(table="table1", cells=[cell("rbc")], folder=tmp_path / "cells", protocol=PROTOCOL)
    files = {file.name: file for file in document.write(tmp_path)}
    content = json.loads(files["table1.json"].read_text(encoding="utf-8"))
    rows = list(csv.DictReader(io.StringIO(files["table1.csv"].read_text(encoding="utf-8"))))
    assert [float(row["measured"]) for row in rows] == [value["measured"] for value in content["values"]]
    assert content["values"][0]["adaptive"] == 0.2 and content["values"][0]["word"] == "masked"
    assert content["cells"][cell("rbc").name]["weights"] == "0" * 32
    assert "100.0 / 20.0 masked" in files["table1.md"].read_text(encoding="utf-8")
    assert content["command"] == "tasklab paper table1 --data digits --arch small_cnn --quick --n 8"
    assert json.loads(files["table1.figure.json"].read_text(encoding="utf-8"))["data"]


def test_the_figure_has_every_number_and_word(tmp_path: Path) -> None:
    written(tmp_path, cell("rbc"), kinds(worst=range(0, 20)), zero=80)
    rows = compared(values([cell("rbc"), cell("int")], tmp_path, PROTOCOL))
    figure = comparison(rows, [str(column) for column in COLUMNS])
    bars = {trace.name: trace for trace in figure.data if trace.type == "bar"}
    assert list(bars) == list(BARS)
    assert {name: len(trace.x) for name, trace in bars.items()} == {"published": 0, "measured": 7, "adaptive": 6}
    (text,) = [trace.text for trace in figure.data if trace.type == "scatter"]
    assert sum("masked" in words for words in text) == 6 and sum("not made" in words for words in text) == 7
    words = describe_comparison(rows, [str(column) for column in COLUMNS])
    assert "RBC, Small CNN, Digits (8×8). FGSM I: measured 100.0 %, adaptive 20.0 %, masked" in words
