"""A course in nbgrader with three students: one is right, one is wrong, one hands in what was handed out.

``python -m tests.notebooks.grade`` grades all notebooks, or those that it is given, which takes minutes.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat

from tasklab.course import notebooks
from tasklab.course.grading import CONFIG_NAME, write_assignments
from tests.notebooks.wrong_answers import WRONG

SOLUTION = "### BEGIN SOLUTION"


class Course:
    """The folder of a course with one assignment.

    Args:
        folder: an empty one.
        name: of the notebook.
    """

    def __init__(self, folder: Path, name: str) -> None:
        from nbgrader.apps import NbGraderAPI
        from traitlets.config import PyFileConfigLoader

        self.folder, self.name = folder, name
        list(write_assignments(folder, only=[name], parameters={"FAST": True}))
        config = PyFileConfigLoader(CONFIG_NAME, str(folder)).load_config()
        config.CourseDirectory.root = str(folder)
        config.CourseDirectory.db_url = f"sqlite:///{folder / 'gradebook.db'}"
        self.api = NbGraderAPI(config=config)

    def release(self) -> Path:
        """The students' version, made by nbgrader."""
        done = self.api.generate_assignment(self.name)
        assert done["success"], done
        return self.folder / "release" / self.name / f"{self.name}.ipynb"

    def grade(self, who: str) -> dict[str, float]:
        """Points for each test, after a student has handed in: ``"right"``, ``"wrong"`` or ``"empty"``."""
        handed = self.folder / "submitted" / who / self.name / f"{self.name}.ipynb"
        handed.parent.mkdir(parents=True)
        released = self.folder / "release" / self.name / f"{self.name}.ipynb"
        handed.write_text(_answered(released, self.name, who), encoding="utf-8")
        done = self.api.autograde(self.name, who)
        assert done["success"], done
        with self.api.gradebook as book:
            (notebook,) = book.find_submission(self.name, who).notebooks
            return {grade.name: grade.score for grade in notebook.grades if grade.name.startswith("test-")}


def _answered(released: Path, name: str, who: str) -> str:
    notebook: Any = nbformat.read(released, as_version=4)  # type: ignore[no-untyped-call]
    source = notebooks.read(name)
    solutions: list[str] = []
    for cell in source.cells:
        labels = notebooks.tags(cell)
        if "exercise" in labels:
            solutions.append("")
        elif "solution" in labels and cell.cell_type == "code":
            solutions[-1] += f"\n{cell.source}"
    answers = {"right": solutions, "wrong": [each[0][0] for each in WRONG[name]], "empty": None}[who]
    if answers is not None:
        cells = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("solution")]
        for cell, answer in zip(cells, answers, strict=True):
            cell.source += f"\n{answer}"
    return str(nbformat.writes(notebook))  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    for chosen in [notebooks.find(name) for name in sys.argv[1:]] or notebooks.names():
        with tempfile.TemporaryDirectory() as place:
            course = Course(Path(place), chosen)
            course.release()
            for student in ("right", "wrong", "empty"):
                print(chosen, student, course.grade(student), flush=True)
