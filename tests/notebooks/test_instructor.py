"""The instructor's material: a plan that fits the clock and the notebooks, and notes where they belong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasklab.course import COURSE, Part, notebooks
from tasklab.course.instructor import GUIDE, TAG, notes
from tasklab.course.plan import PLAN, SESSION_MINUTES, Session, Talk, places_of, table, unit_of
from tasklab.course.rubric import is_open, points

LONGEST_STRETCH = 60
"""Minutes of work that nobody should sit through without a break."""


@pytest.mark.parametrize("session", PLAN, ids=lambda session: session.title)
def test_a_session_fits_its_time_and_has_a_break(session: Session) -> None:
    assert sum(step.minutes for step in session.steps) == SESSION_MINUTES
    stretches, now = [], 0
    for step in session.steps:
        if isinstance(step, Talk) and step.rest:
            stretches.append(now)
            now = 0
        else:
            now += step.minutes
    stretches.append(now)
    assert len(stretches) > 1 and max(stretches) <= LONGEST_STRETCH


@pytest.mark.parametrize("part", COURSE, ids=lambda part: part.notebook)
def test_the_plan_names_what_a_notebook_has_and_leaves_no_notebook_out(part: Part) -> None:
    core = [unit for _, _, work in places_of(part.notebook) for unit in work.core]
    has = [unit_of(cell.source) for cell in notebooks.read(part.notebook).cells if cell.cell_type == "markdown"]
    assert core and set(core) <= set(has) and len(core) == len(set(core))
    assert sum(work.minutes for _, _, work in places_of(part.notebook)) <= part.minutes + 15


def test_the_short_course_stands_on_its_own() -> None:
    """It ends in the review, and has what the review needs."""
    short = [work.notebook for session in PLAN if session.short for work in session.works]
    assert short[-1] == "14" and {"03", "08"} <= set(short)
    assert sum(session.short for session in PLAN) == 5
    assert table().count("| from |") == len(PLAN) and table().count("★") == 5


@pytest.mark.parametrize("name", notebooks.names())
def test_an_instructors_copy_is_a_teachers_copy_with_notes_where_they_belong(name: str) -> None:
    copy, teacher = notebooks.build(name, "instructor"), notebooks.build(name, "teacher")
    sources = [cell.source for cell in copy.cells if TAG not in notebooks.tags(cell)]
    assert sources == [cell.source for cell in teacher.cells], "nothing of the notebook is changed"
    written = notes(name, notebooks.folder())
    assert "Misconceptions" in written[""] and len(written) >= 3
    assert any("iscussion" in note or "ask" in note.lower() for note in written.values())
    text = "\n".join(cell.source for cell in copy.cells if TAG in notebooks.tags(cell))
    assert all(note in text for note in written.values())
    assert "Session " in text
    for before, cell in zip(copy.cells, copy.cells[1:], strict=False):
        if TAG in notebooks.tags(cell) and "points" in cell.source.split("\n")[0]:
            (worth,) = points(before.source).values()
            assert f"*{worth} points.*" in cell.source
            assert not is_open(before.source) or "Graded by a person" in cell.source, "it needs a rubric"


def test_a_note_on_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "instructor").mkdir()
    (tmp_path / "00_tour.py").write_text((notebooks.folder() / "00_tour.py").read_text(encoding="utf-8"),
                                         encoding="utf-8")
    monkeypatch.setattr(notebooks, "folder", lambda: tmp_path)
    for heading, words in (("Section 99", "notes on section 99"), ("Aside", "got 'Aside'")):
        (tmp_path / "instructor" / "00_tour.md").write_text(f"Opening.\n\n## {heading}\n\nText.\n", encoding="utf-8")
        with pytest.raises(ValueError, match=words):
            notebooks.build("00", "instructor")


def test_the_guide_lies_beside_the_copies(tmp_path: Path) -> None:
    guide, copy = notebooks.write(tmp_path, "instructor", only=["13"])
    assert guide.name == GUIDE and copy.name == "13_which_system.ipynb"
    text = guide.read_text(encoding="utf-8")
    assert "### Session 10 · Review this defence" in text and "<!--" not in text

