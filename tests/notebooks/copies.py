"""Running a copy of a notebook without a kernel: its code cells in one namespace, as a reader's "run all" would."""

from __future__ import annotations

import ast
import contextlib
import io
from collections.abc import Iterator, Sequence
from typing import Any

from tasklab.course import notebooks
from tasklab.figures.words import words_of


def run(
    copy: Any, attempts: Sequence[Sequence[str]] = (), refusals: list[list[Exception | None]] | None = None
) -> list[tuple[int, Exception]]:
    """Run all code cells, failed ones included, and return the failures with their places.

    Args:
        copy: a student's copy or a teacher's.
        attempts: for each exercise of a student's copy, answers as code; its check is run after each of them. The last
            one is the solution, and the next exercises may build on it.
        refusals: filled with a list for each exercise: what its check raised after each answer.
    """
    space: dict[str, Any] = {"__name__": "__main__"}
    failures: list[tuple[int, Exception]] = []
    left, solved = iter(attempts), dict[str, Any]()
    for place, cell in enumerate(copy.cells):
        if cell.cell_type == "code":
            may_fail = "raises-exception" in notebooks.tags(cell)
            if may_fail and refusals is not None:
                refusals.append(list(_refused(next(left, ()), cell.source, space, solved)))
            error = _error(cell.source, space)
            if error is not None:
                failures.append((place, error))
                if not may_fail:
                    break
    return failures


def _refused(
    answers: Sequence[str], check: str, space: dict[str, Any], solved: dict[str, Any]
) -> Iterator[Exception | None]:
    """What the check raises after each answer, each of them in a copy of the namespace; what the last defines is kept.

    Args:
        answers: code.
        check: the code of the cell that follows.
        space: the namespace of the copy, with the empty exercises.
        solved: what the solutions and their checks have defined so far.
    """
    for number, answer in enumerate(answers, 1):
        trial = space | solved
        before = dict(trial)
        if (error := _error(answer, trial)) is not None:
            raise AssertionError(f"expected an answer that runs, got {error!r} from {answer}") from error
        refusal = _error(check, trial)
        if number == len(answers):
            solved |= {name: value for name, value in trial.items() if before.get(name) is not value}
        yield refusal


def _error(source: str, space: dict[str, Any]) -> Exception | None:
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            _run(source, space)
    except Exception as error:  # whatever a cell raises is what is asked for
        return error
    return None


def _run(source: str, space: dict[str, Any]) -> None:
    """A cell, and what JupyterLab would draw of its last value."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"), space)
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), space)
        for draw in ("_repr_html_", "_repr_png_"):
            if hasattr(value, draw):
                getattr(value, draw)()
        if hasattr(value, "to_plotly_json"):
            assert words_of(value), f"expected a figure that says in words what it shows, got none from {source}"
