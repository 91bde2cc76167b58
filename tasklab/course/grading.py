"""The notebooks as assignments for nbgrader: answers to write, hidden tests, and points.

An exercise and its solution become one cell that nbgrader empties of the solution, and its check a cell of hidden
tests, worth as many points as the exercise allows minutes (`tasklab.course.rubric`). Of a check, students see the
first assertion if nothing has to be computed for it, such as whether an answer was given at all. Open-ended exercises
are graded by a person; of their checks, which only ask whether something is missing, nothing is hidden.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tasklab import files
from tasklab.course import notebooks
from tasklab.course.rubric import is_open, points

CONFIG = """\
# Settings of nbgrader for this course. The students' version of a notebook: nbgrader generate_assignment 00_tour
c = get_config()
c.CourseDirectory.course_id = "tasklab"
c.ClearSolutions.code_stub = {"python": "# Change the lines above, or write below."}
c.Execute.timeout = 600  # seconds for a cell
"""

CONFIG_NAME = "nbgrader_config.py"
"""Name of the file in which nbgrader looks for its settings."""

Cell = Any  # nbformat's NotebookNode, a dict whose keys are attributes


def write_assignments(
    to: str | Path, *, only: Sequence[str] = (), parameters: Mapping[str, object] | None = None, source: str = ""
) -> Iterator[Path]:
    """Write each notebook as the source of an assignment of its own, and yield each file once it is written.

    Args:
        to: the folder of the course. Settings of nbgrader that are in it already are left as they are.
        only: these notebooks, by name or number; by default the whole course.
        parameters, source: as in `tasklab.course.notebooks.build`.

    Raises:
        ValueError: no such notebook or parameter.
    """
    import nbformat

    chosen = [notebooks.find(name) for name in only] or list(notebooks.names())
    config = Path(to) / CONFIG_NAME
    if not config.exists():
        files.write_text(config, CONFIG)
        yield config
    for name in chosen:
        file = Path(to) / "source" / name / f"{name}.ipynb"
        notebook = assignment(name, parameters=parameters, source=source)
        files.write_text(file, str(nbformat.writes(notebook)))  # type: ignore[no-untyped-call]
        yield file


def assignment(name: str, *, parameters: Mapping[str, object] | None = None, source: str = "") -> Any:
    """A notebook as nbgrader's source, with solutions, hidden tests and points.

    Args:
        name: the notebook, or its number.
        parameters, source: as in `tasklab.course.notebooks.build`.

    Returns:
        An nbformat notebook.

    Raises:
        ValueError: no such notebook or parameter.

    >>> cells = [cell.metadata.get("nbgrader", {}) for cell in assignment("13").cells]
    >>> sum(cell.get("points", 0) for cell in cells)
    16
    """
    notebook = notebooks.build(name, "teacher", parameters=parameters, source=source)
    cells: list[Cell] = []
    exercise: Cell | None = None
    heading = ""
    for cell in notebook.cells:
        labels = notebooks.tags(cell)
        if cell.cell_type == "markdown" and points(cell.source):
            heading = cell.source
        if "exercise" in labels:
            exercise = cell
        if "solution" in labels:
            if exercise is not None and cell.cell_type == "code":
                exercise.source += f"\n\n### BEGIN SOLUTION\n{cell.source.strip()}\n### END SOLUTION"
            continue
        if "check" in labels and exercise is not None:
            _grade(exercise, cell, heading)
            exercise = None
        cells.append(cell)
    notebook.cells = cells
    return notebook


def _grade(exercise: Cell, check: Cell, heading: str) -> None:
    """Turn the exercise's cell into an answer and its check into a test, in place."""
    ((title, worth),) = points(heading).items()
    word = title.lower().replace(" ", "-")
    by_hand = is_open(heading)
    exercise.metadata["nbgrader"] = _marks(word, exercise, solution=True, points=worth if by_hand else None)
    check.metadata["nbgrader"] = _marks(f"test-{word}", check, solution=False, points=0 if by_hand else worth)
    if by_hand:
        check.source = f"# {title}: a person grades it, for {worth} points. This asks whether something is missing.\n" \
                       f"{check.source}"
    else:
        seen, hidden = _split(check.source)
        check.source = f"# {title}: {worth} points. The tests behind them are hidden.\n{seen}\n" \
                       f"### BEGIN HIDDEN TESTS\n{hidden}\n### END HIDDEN TESTS"


def _split(source: str) -> tuple[str, str]:
    """The first assertion, if the check begins with one, and the rest; both may be empty."""
    first = ast.parse(source).body[0]
    end = first.end_lineno if isinstance(first, ast.Assert) and first.end_lineno is not None else 0
    lines = source.splitlines()
    return "\n".join(lines[:end]), "\n".join(lines[end:])


def _marks(word: str, cell: Cell, *, solution: bool, points: int | None) -> dict[str, object]:
    """The metadata of a cell for nbgrader: it is graded if it is worth points, and locked if it is not an answer."""
    marks: dict[str, object] = {
        "schema_version": 3, "grade_id": word, "cell_type": cell.cell_type, "task": False,
        "solution": solution, "grade": points is not None, "locked": not solution,
    }
    if points is not None:
        marks["points"] = points
    return marks
