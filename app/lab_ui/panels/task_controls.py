"""Controls for the settings of any task, as the task's own file describes them. Links hold their values."""

from __future__ import annotations

from typing import Any, Final

import streamlit as st

from tasklab.tasks import TASKS, Asked

URL: Final = "query-params"


def settings(name: str, classes: int, prefix: str) -> dict[str, Any]:
    """The controls of a task, drawn in its order, and what they say.

    Args:
        name: of the task.
        classes: of the data set.
        prefix: of the controls' keys, such as ``"train_"``.
    """
    usual = {field: TASKS[name].__dataclass_fields__[field].default for field in TASKS[name].asked()}
    asked = {field: each for field, each in TASKS[name].asked().items() if each.on_pages}
    halves = [field for field, each in asked.items() if each.half]
    values = {field: _control(st, field, each, usual[field], classes, prefix)
              for field, each in asked.items() if not each.half}
    if halves:
        columns = st.columns(2)
        for index, field in enumerate(halves):
            values[field] = _control(columns[index % 2], field, asked[field], usual[field], classes, prefix)
    return values


def _control(where: Any, field: str, asked: Asked, usual: Any, classes: int, prefix: str) -> Any:
    """One control, and its value."""
    key = prefix + (asked.key or field)
    if asked.kind == "text":
        return where.selectbox(asked.title, asked.choices, key=key, bind=URL, help=asked.help)
    if asked.limits is not None:
        low, high = asked.limits(classes)
        key += "" if classes == 10 else f"_{classes}"  # bounds of its own, and so a value of its own
        return where.number_input(asked.title, low, high, key=key, bind=URL, help=asked.help)
    return where.number_input(asked.title, *asked.offered, float(usual), 1.0, key=key, bind=URL, help=asked.help)
