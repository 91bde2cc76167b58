"""The matrix of transfer rates as a table of buttons, which also work by keyboard and with a screen reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from lab_ui.parts.events import sent_value
from tasklab.evaluation import Share, TransferResult
from tasklab.evaluation.transfer_result import NOISE, Filter, Line
from tasklab.figures.matrix import WORDS

WEB = Path(__file__).parent / "web"

_grid = st.components.v2.component(
    "tasklab_transfer_grid",
    html='<div class="room"><table></table></div>',
    css=(WEB / "transfer_grid.css").read_text(encoding="utf-8"),
    js="".join((WEB / name).read_text(encoding="utf-8") for name in ("button_table.js", "transfer_grid.js")),
)


def transfer_grid(
    result: TransferResult, images: Filter, *, names: Mapping[str, str], caption: str, selected: tuple[str, str] | None,
    key: str, on_pick: Callable[[str, str], None],
) -> None:
    """Draw the matrix.

    Args:
        result: the rates.
        images: which images count.
        names: name of a system to the name that is shown.
        caption: of the table, for those who do not see it.
        selected: threat and victim of the selected cell, if it is in this matrix.
        key: of the component.
        on_pick: called with threat and victim of a cell that was clicked, before the page runs again.
    """

    def picked() -> None:
        if cell := sent_value(key, "cell"):
            on_pick(cell["threat"], cell["victim"])

    rows = [_row(line, names) for line in result.lines(images)]
    columns = [{"key": victim, "name": names.get(victim, victim)} for victim in result.victims]
    data = {"caption": caption, "columns": columns, "rows": rows, "selected": list(selected or ())}
    _grid(key=key, data=data, on_cell_change=picked)


def _row(line: Line, names: Mapping[str, str]) -> dict[str, Any]:
    """One row of the matrix as the browser needs it."""
    name = WORDS.get(line.name, names.get(line.name, line.name))
    cells = [
        {"key": victim, "share": rate.value if rate.n else None, "text": percent(rate), "own": victim == line.name,
         "words": f"{_from(line.name, name)} {names.get(victim, victim)}: {counted(rate)}"}
        for victim, rate in line.rates.items()
    ]
    unmoved = line.unmoved
    return {
        "key": line.name, "name": name, "cells": cells, "opens": line.name != NOISE, "masked": line.masked,
        "still_text": "" if unmoved is None else percent(unmoved),
        "still_words": "" if unmoved is None else f"images that the attack on {name} returned unchanged: "
        + counted(unmoved),
    }


def percent(share: Share) -> str:
    """A share in whole percent; “–” where nothing was counted.

    >>> percent(Share(88, 100)), percent(Share(0, 0))
    ('88 %', '–')
    """
    return f"{100 * share.value:.0f} %" if share.n else "–"


def counted(share: Share) -> str:
    """A share with its count, its percentage and its 95 % interval.

    >>> counted(Share(88, 100))
    '88 of 100, 88 % [80, 93]'
    """
    if not share.n:
        return "no image counts"
    low, high = share.interval
    return f"{share.count} of {share.n}, {percent(share)} [{100 * low:.0f}, {100 * high:.0f}]"


def _from(line: str, name: str) -> str:
    """Whose images a row shows, as the beginning of a cell's description."""
    if line == NOISE:
        return f"{name}, shown to"
    return f"{name}, shown to" if line in WORDS else f"{name}'s images, shown to"
