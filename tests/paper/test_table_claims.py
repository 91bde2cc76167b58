"""What becomes of the paper's conclusions, on records written by hand."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from small_cells import PROTOCOL, TINY, cell, kinds, written

from tasklab.paper.claims import Claim
from tasklab.paper.grid import METHODS, ROWS, cells_of
from tasklab.paper.records import read_record
from tasklab.paper.table_claims import CONCLUSIONS, table_claims


def claims(folder: Path, table: str, seeds: int = 1) -> dict[str, Claim]:
    cells = cells_of(table, ["digits"], ["small_cnn"], seeds=seeds, scale=TINY)
    judged = table_claims(table, cells, partial(read_record, folder), PROTOCOL)
    return {claim.statement.partition(": ")[2]: claim for claim in judged}


def test_one_conclusion_holds_as_published_and_not_after_all_attacks(tmp_path: Path) -> None:
    """Adversarial training takes the mask off: fewer images are left by PGD, and more by all attacks together."""
    written(tmp_path, cell("rbc"), kinds(pgd=range(80), worst=range(10)))
    written(tmp_path, cell("rbc-at"), kinds(pgd=range(50), worst=range(40)))
    judged = claims(tmp_path, "table2")
    words = "adversarial training makes RBC less robust to PGD I"
    assert judged[f"{words}, as published"].verdict == "holds"
    assert judged[f"{words}, after all attacks together"].verdict == "does not hold"
    assert "50.0" in judged[f"{words}, as published"].measured and "seed 0" in judged[f"{words}, as published"].measured


@pytest.mark.parametrize(("rbc", "verdict"), [(range(60, 100), "does not hold"), (range(90), "holds")])
def test_clean_images_are_compared_once(tmp_path: Path, rbc: range, verdict: str) -> None:
    written(tmp_path, cell("tra"), kinds(clean=range(70)))
    written(tmp_path, cell("rbc"), kinds(clean=rbc))
    (claim,) = [claim for words, claim in claims(tmp_path, "table1").items() if "clean" in words]
    assert claim.verdict == verdict


def test_seeds_count_together_and_only_where_both_systems_were_made(tmp_path: Path) -> None:
    for seed, left in enumerate((30, 60, 20)):
        written(tmp_path, cell("rbc", seed=seed), kinds(pgd=range(50)))
        if seed < 2:
            written(tmp_path, cell("rbc-gn", seed=seed), kinds(pgd=range(left)))
    judged = claims(tmp_path, "table2", seeds=3)["Gaussian noise makes RBC more robust to PGD I, as published"]
    assert "(n = 200)" in judged.measured and "higher with 1 of 2 seeds" in judged.measured


def test_nothing_made_nothing_told(tmp_path: Path) -> None:
    for table in ROWS:
        assert {claim.verdict for claim in claims(tmp_path, table).values()} == {"cannot be told"}


def test_every_conclusion_is_about_rows_of_the_grid() -> None:
    assert CONCLUSIONS.keys() == ROWS.keys()
    assert all({each.more, each.less} <= METHODS.keys() for table in CONCLUSIONS.values() for each in table)
