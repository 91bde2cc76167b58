"""What the course claims is backed by assertions, and a claim without one is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasklab.course import notebooks
from tasklab.course.claims import claims, gaps, markdown


@pytest.mark.parametrize("name", notebooks.names())
def test_every_claim_has_its_assertion(name: str) -> None:
    assert gaps(name) == []


def test_the_table_has_a_row_for_each_claim() -> None:
    rows = markdown(notebooks.names()).splitlines()[2:]
    assert len(rows) == sum(len(claims(name)) for name in notebooks.names()) > 100
    assert all(row.startswith("| ") and row.endswith("` |") and "`assert " in row for row in rows)
    assert any("the attack returned exactly the image" in row and "unmoved" in row for row in rows)


@pytest.mark.parametrize(("old", "new", "complaint"), [
    ("  # ✓2", "", "no assertion has the mark ✓2 of: TRA and DeepBE now read another digit"),
    (" [✓3]", "", "no sentence has the mark ✓3 of: assert all((bool(own[key].unmoved)"),
    (" [✓5]", "", "nothing is marked in: RBC: one or more bits were pushed"),
    ("Nothing was attacked!", "RBC keeps 97 % of its accuracy.", "a measured number without a mark in: RBC keeps 97 %"),
    ("Nothing was attacked!", "That gains 7 points.", "a measured number without a mark in: That gains 7 points."),
])
def test_what_is_missing_is_noticed(
    old: str, new: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (notebooks.folder() / "00_tour.py").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "00_tour.py").write_text(text.replace(old, new), encoding="utf-8")
    monkeypatch.setattr(notebooks, "folder", lambda: tmp_path)
    assert any(line.startswith(complaint) for line in gaps("00")), gaps("00")


def test_what_needs_no_assertion_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals, predictions, tables, exercises and questions."""
    text = (notebooks.folder() / "00_tour.py").read_text(encoding="utf-8")
    plain = "The band is a 95 % interval.\n#\n# **Predict.** Is it 20 %?\n#\n# | 30 % |"
    text = text.replace("Nothing was attacked!", plain)
    text += "\n# %% [markdown]\n# ## Exercise 3 · More\n#\n# Reach 90 %.\n#\n# ## Questions\n#\n# 1. Why 50 %?\n"
    (tmp_path / "00_tour.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(notebooks, "folder", lambda: tmp_path)
    assert gaps("00") == []
