"""Running a copy of a notebook without a kernel: its code cells in one namespace, as a reader's "run all" would."""

from __future__ import annotations

import ast
import contextlib
import io
from typing import Any

from tasklab.course import notebooks


def run(copy: Any) -> list[tuple[int, Exception]]:
    """Run all code cells, failed ones included, and return the failures with their places."""
    space: dict[str, Any] = {"__name__": "__main__"}
    failures: list[tuple[int, Exception]] = []
    for place, cell in enumerate(copy.cells):
        if cell.cell_type == "code":
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    _run(cell.source, space)
            except Exception as error:  # whatever a cell raises is what is asked for
                failures.append((place, error))
                if "raises-exception" not in notebooks.tags(cell):
                    break
    return failures


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
