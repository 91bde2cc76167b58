"""The shipped results of several seeds: complete, and what the benchmark would measure again."""

from __future__ import annotations

import json

import pytest

from tasklab import zoo
from tasklab.paper.records import from_hex
from tests.benchmarks.course_seeds import SEEDS, VARIANTS, made, measured

SHIPPED = json.loads((zoo.folder() / "course_seeds.json").read_text(encoding="utf-8"))


def test_every_system_is_there_and_its_numbers_agree() -> None:
    assert set(SHIPPED) == set(VARIANTS)
    for part, lines in SHIPPED.items():
        assert {(row["variant"], row["seed"]) for row in lines} == {(v, s) for v in VARIANTS[part] for s in SEEDS}
        for row in lines:
            assert from_hex(row["standing"], 400).float().mean().item() == pytest.approx(row["worst"])
            assert row["worst"] <= min(row["own_loss"], row["margin"], row["bits"], row["clean"])


def test_a_system_made_again_has_about_the_shipped_numbers() -> None:
    """About, since another processor rounds differently, and training amplifies that."""
    (shipped,) = (row for row in SHIPPED["head"] if (row["variant"], row["seed"]) == ("both", 0))
    again = measured(made("head", "both", 0), 0, variant="both")
    for name in ("clean", "own_loss", "zero_gradient", "margin", "worst"):
        assert again[name] == pytest.approx(shipped[name], abs=0.08), name
