"""The published numbers, held against the paper itself where its text is at hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tasklab.paper.published import CLEAN, COLUMNS, PUBLISHED, TABLES

PAPER = Path(__file__).parents[3] / "shared" / "paper.md"
NAMES = {"MNIST": "mnist", "CIFAR10": "cifar10", "CIFAR100": "cifar100", "EfficientNetB0": "efficientnet_b0",
         "ResNet18": "resnet18"}


@pytest.mark.skipif(not PAPER.is_file(), reason="the text of the paper is not beside this checkout")
def test_every_number_and_arrow_is_the_paper_s() -> None:
    printed, data, arch = {}, "", ""
    for line in PAPER.read_text(encoding="utf-8").splitlines():
        cells = [re.sub(r"</?b>|\s", "", cell) for cell in line.split("\t")]
        if len(cells) != 10 or not re.match(r"\d", cells[3]):
            continue
        data, arch = cells[0] or data, cells[1] or arch
        for column, cell in zip(COLUMNS, cells[3:], strict=True):
            printed[NAMES[data], NAMES[arch], cells[2], column] = cell
    assert {key: str(value) for key, value in PUBLISHED.items()} == printed


def test_the_tables_have_as_many_numbers_as_the_paper() -> None:
    counts = {table: sum(system in systems for _, _, system, _ in PUBLISHED) for table, systems in TABLES.items()}
    assert counts == {"table1": 168, "table2": 126}


def test_all_arrows_but_one_are_as_table_1_has_it() -> None:
    """A single arrow of Table 2 contradicts the numbers on either side of it."""
    wrong = []
    for (data, arch, system, column), value in PUBLISHED.items():
        if value.arrow:
            before = PUBLISHED[data, arch, system[:3], column]
            if (value.percent > before.percent) != (value.arrow == "↑"):
                wrong.append((data, arch, system, str(column), str(before), str(value)))
    assert wrong == [("cifar10", "efficientnet_b0", "RBC+GN", "PGD II", "85.30", "88.53↓")]
    assert PUBLISHED["mnist", "efficientnet_b0", "TRA", CLEAN].percent == 99.49
