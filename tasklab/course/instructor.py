"""Notes for the teacher of a notebook: one Markdown file for each, beside the notebooks.

Its headings say where in the notebook a note belongs: ``## Section 3``, ``## Exercise 2``, ``## Questions``; what
stands above the first of them opens the copy. An instructor's copy is a teacher's copy with each note behind the
heading that it names, tagged ``instructor``, and with what the plan of the sessions says of the notebook. The notes
repeat nothing that the notebook says itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasklab.course.plan import name_of, names_of, places_of, table, unit_of
from tasklab.course.rubric import points

TAG = "instructor"
"""Tag of the cells that only an instructor's copy has."""

GUIDE = "instructor.md"
"""Name of the file about the course as a whole, which is written beside the copies."""


def notes(name: str, folder: Path) -> dict[str, str]:
    """The notes on a notebook by the unit they belong to; those that open it are under ``""``.

    Args:
        name: the notebook's full name.
        folder: where the notebooks are; the notes are in ``instructor`` inside it.

    Raises:
        ValueError: a heading is not one that a note can have.
    """
    text = (folder / "instructor" / f"{name}.md").read_text(encoding="utf-8")
    opening, *rest = re.split(r"^## ", text, flags=re.MULTILINE)
    result = {"": opening.strip()}
    for each in rest:
        heading, _, body = each.partition("\n")
        match = re.fullmatch(r"Section (\d+)|Exercise (\d+)|(Questions)", heading.strip())
        if match is None:
            raise ValueError(f"expected a note on a section, an exercise or the questions of {name}, got {heading!r}")
        result[match[1] or (f"E{match[2]}" if match[2] else "Q")] = body.strip()
    return result


def annotate(notebook: Any, name: str, folder: Path) -> None:
    """Insert the notes and the plan into a teacher's copy, in place.

    Args:
        notebook: the copy.
        name: the notebook's full name.
        folder: where the notebooks are.

    Raises:
        ValueError: a note belongs to a section or an exercise that the notebook does not have.
    """
    left = notes(name, folder)
    cells = []
    for place, cell in enumerate(notebook.cells):
        cells.append(cell)
        unit = unit_of(cell.source) if cell.cell_type == "markdown" else None
        if place == 0:
            cells.append(_note(f"**For the instructor.** {_planned(name)}\n\n{left.pop('')}"))
        elif unit is not None:
            lines = [_standing(name, unit), _worth(cell.source), left.pop(unit, "")]
            cells.append(_note(f"**For the instructor.** {' '.join(lines[:2]).strip()}\n\n{lines[2]}".strip()))
    if left:
        raise ValueError(f"{name} has notes on {', '.join(name_of(unit) for unit in left)}, and nothing of that name")
    notebook.cells = cells


def guide(folder: Path) -> str:
    """What an instructor should read first: how the course is taught and graded, and the plan of its sessions."""
    text = (folder / "instructor" / "course.md").read_text(encoding="utf-8")
    return text.replace("<!-- plan -->", table())


def _planned(name: str) -> str:
    """In which sessions the notebook is worked on, and how long."""
    lines = [f"Session {number}, “{session.title}”: {work.minutes} minutes for "
             f"{names_of(work.core)}." for number, session, work in places_of(name)]
    return " ".join([*lines, "What else it holds is optional: for whoever is done early, or for home."])


def _standing(name: str, unit: str) -> str:
    numbers = [number for number, _, work in places_of(name) if unit in work.core]
    return f"*Core, session {numbers[0]}.*" if numbers else "*Optional.*"


def _worth(source: str) -> str:
    worth: Mapping[str, int] = points(source)
    return " ".join(f"*{number} points.*" for number in worth.values())


def _note(source: str) -> Any:
    import nbformat

    cell: Any = nbformat.v4.new_markdown_cell(source)  # type: ignore[no-untyped-call]
    cell.metadata["tags"] = [TAG]
    return cell
