"""Assignments for nbgrader: what students get, and what really grading their answers gives."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from tasklab.course import notebooks
from tasklab.course.grading import CONFIG_NAME, assignment, write_assignments
from tasklab.course.rubric import is_open, points
from tests.notebooks.grade import SOLUTION, Course

GRADED = "13_which_system"
"""The notebook that is really graded here: it computes nothing, so it takes seconds."""


@pytest.mark.parametrize("name", notebooks.names())
def test_every_exercise_is_an_answer_with_points_and_tests(name: str) -> None:
    source = assignment(name)
    marks = [cell.metadata["nbgrader"] for cell in source.cells if "nbgrader" in cell.metadata]
    headings = [cell.source for cell in source.cells if cell.cell_type == "markdown" and points(cell.source)]
    assert [mark["grade_id"] for mark in marks] == [
        word for number in range(1, len(headings) + 1) for word in (f"exercise-{number}", f"test-exercise-{number}")]
    assert sum(mark.get("points", 0) for mark in marks) == sum(sum(points(each).values()) for each in headings)
    by_hand = [is_open(each) for each in headings]
    assert [mark["grade"] for mark in marks if mark["solution"]] == by_hand, "a person grades what is open-ended"
    tests = [cell.source for cell in source.cells if cell.metadata.get("nbgrader", {}).get("locked")]
    assert ["BEGIN HIDDEN TESTS" in test for test in tests] == [not each for each in by_hand]
    for cell in source.cells:
        if SOLUTION in cell.source:
            compile(cell.source, name, "exec")
    assert not [cell for cell in source.cells if "solution" in notebooks.tags(cell)]


def test_a_right_a_wrong_and_an_empty_submission_get_the_points_they_should(tmp_path: Path) -> None:
    pytest.importorskip("nbgrader")
    course = Course(tmp_path, GRADED)
    released = nbformat.read(course.release(), as_version=4)  # type: ignore[no-untyped-call]
    text = "\n".join(cell.source for cell in released.cells)
    assert SOLUTION not in text and "HIDDEN" not in text and 'table["clean"].max()' not in text
    assert 'assert sentence' not in text and "replace this line" in text and "8 points" in text
    grades = {who: course.grade(who) for who in ("right", "wrong", "empty")}
    assert grades == {"right": {"test-exercise-1": 8, "test-exercise-2": 8},
                      "wrong": {"test-exercise-1": 0, "test-exercise-2": 0},
                      "empty": {"test-exercise-1": 0, "test-exercise-2": 0}}


def test_settings_that_are_there_are_left(tmp_path: Path) -> None:
    (tmp_path / CONFIG_NAME).write_text("# mine\n", encoding="utf-8")
    (file,) = write_assignments(tmp_path, only=["13"])
    assert file == tmp_path / "source" / GRADED / f"{GRADED}.ipynb"
    assert (tmp_path / CONFIG_NAME).read_text(encoding="utf-8") == "# mine\n"
