"""The page on CIFAR-10 is what the values beside it say, and the values say what the page reads in them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tasklab import zoo
from tasklab.cli import parser
from tests.benchmarks.cifar10 import SYSTEMS, attacking, name, page, training


@pytest.fixture(scope="module")
def cells() -> list[dict[str, Any]]:
    return list(json.loads((zoo.folder() / "cifar10.json").read_text(encoding="utf-8")))


def test_the_page_is_written_from_the_values(cells: list[dict[str, Any]]) -> None:
    assert (zoo.folder() / "cifar10.md").read_text(encoding="utf-8") == page(cells)


def test_each_system_was_made_as_the_page_says(cells: list[dict[str, Any]]) -> None:
    words = parser()
    for (arch, task), each in zip(SYSTEMS, cells, strict=True):
        asked = words.parse_args(training(arch, task, "somewhere"))
        made = words.parse_args(each["card"]["command"].split()[1:])
        for args in (asked, made):
            del args.to
        assert asked == made
        assert each["card"]["name"] == name(arch, task) == asked.name
        assert all(row["n"] == words.parse_args(attacking("x")).n for row in each["worst"])


def test_the_own_loss_leaves_what_has_no_gradient_and_the_margin_leaves_nothing(cells: list[dict[str, Any]]) -> None:
    for each in cells:
        rows = [row for row in each["card"]["metrics"] if row["attack"] == "pgd"]
        masked = each["card"]["task"]["task"] != "tra"
        for row in rows:
            if row["objective"] == "train":
                assert (row["zero_gradient"] > 0.3) == masked
                assert (row["accuracy"] > 0.1) == masked
            else:
                assert row["zero_gradient"] == 0 and row["accuracy"] < 0.02
    worst = [row for each in cells for row in each["worst"]]
    assert all(row["worst"]["accuracy"] < 0.01 for row in worst)
