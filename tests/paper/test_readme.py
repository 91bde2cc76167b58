"""The README's table on the paper says what the shipped records say."""

from __future__ import annotations

import re
from pathlib import Path

from tasklab.paper.grid import cells_of
from tasklab.paper.protocol import PaperProtocol
from tasklab.paper.tables import Value, values

ROOT = Path(__file__).parents[2]
ROWS = {"nothing": "RBC", "Gaussian noise": "RBC+GN", "attacks on its training loss": "RBC+AT",
        "attacks on the margin": "RBC+AT (margin)"}


def shipped(tmp_path: Path, name: str) -> list[Value]:
    """The number under PGD I of each of the three seeds."""
    table = "table1" if name == "RBC" else "table2"
    return [value for seed in (0, 1, 2)
            for value in values(cells_of(table, ["digits"], ["small_cnn"], seed=seed), tmp_path, PaperProtocol())
            if value.cell.method.name == name and str(value.column) == "PGD I"]


def test_the_table_is_what_was_measured(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for row, name in ROWS.items():
        (line,) = re.findall(rf"^\| {row} \| (.*) \| (.*) \| (.*) \| .*\|$", text, re.MULTILINE)
        result = shipped(tmp_path, name)
        assert len(result) == 3
        expected = (
            ", ".join(f"{100 * each.accuracy.value:.1f}" for each in result if each.accuracy),
            ", ".join(f"{100 * each.zero_gradient.value:.0f}" for each in result if each.zero_gradient),
            ", ".join(f"{100 * each.adaptive.value:.1f}" for each in result if each.adaptive),
        )
        assert line == expected
