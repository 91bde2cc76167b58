"""A table of the paper as a table of buttons, which also work by keyboard and with a screen reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from lab_ui.parts.events import sent_value

WEB = Path(__file__).parent / "web"

_grid = st.components.v2.component(
    "tasklab_paper_grid",
    html='<div class="room"><table></table></div>',
    css=(WEB / "paper_grid.css").read_text(encoding="utf-8"),
    js="".join((WEB / name).read_text(encoding="utf-8") for name in ("button_table.js", "paper_grid.js")),
)


def paper_grid(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[Mapping[str, str]], *, caption: str,
    selected: tuple[str, str], key: str, on_pick: Callable[[str, str], None],
) -> None:
    """Draw the table.

    Args:
        rows: each with ``key``, ``help`` and ``cells``; a cell has a ``key``, its ``bars`` (``kind``, ``text`` and a
            ``share`` from 0 to 1), a ``word`` with its ``look``, and its ``words`` for those who do not see it.
        columns: each with ``key`` and ``note``.
        caption: of the table, for those who do not see it.
        selected: row and column of the selected cell.
        key: of the component.
        on_pick: called with row and column of a cell that was clicked, before the page runs again.
    """

    def picked() -> None:
        if cell := sent_value(key, "cell"):
            on_pick(cell["row"], cell["column"])

    data = {"caption": caption, "columns": list(columns), "rows": list(rows), "selected": list(selected)}
    _grid(key=key, data=data, on_cell_change=picked)
