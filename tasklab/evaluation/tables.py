"""Evaluations as tables: numbers for programs, percentages with intervals for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tasklab.data.radii import eps_said
from tasklab.evaluation.robustness import Row
from tasklab.evaluation.statistics import Share

if TYPE_CHECKING:
    import pandas as pd

FORMULA = ("=", "+", "-", "@", "\t", "\n", "＝", "＋", "－", "＠")
"""Characters that a spreadsheet takes for the beginning of a formula."""

Rows = Sequence[Row] | Mapping[str, Sequence[Row]]
"""The rows of one system, or of several by name."""


def frame(rows: Rows) -> pd.DataFrame:
    """Every number of an evaluation, as a table.

    Args:
        rows: of one system, or of several by name.

    Returns:
        One line for each row, shares in 0..1; a column ``system`` where the systems have names.
    """
    import pandas as pd

    return pd.DataFrame([named | _numbers(row) for named, row in _each(rows)])


def table(rows: Rows) -> pd.DataFrame:
    """An evaluation to read: percentages with Wilson intervals such as ``97.3 [96.1, 98.1]``, and R with its flags.

    Args:
        rows: of one system, or of several by name.
    """
    import pandas as pd

    return pd.DataFrame([named | _words(row) for named, row in _each(rows)])


def to_markdown(table: pd.DataFrame) -> str:
    """A table as Markdown, numbers aligned right; missing values become ``–``.

    >>> import pandas as pd
    >>> print(to_markdown(pd.DataFrame({"attack": ["pgd"], "eps": [0.1]})))
    | attack | eps |
    | --- | ---: |
    | pgd | 0.1 |
    """
    rule = ["---:" if kind.kind in "iuf" else "---" for kind in table.dtypes]
    lines = [[str(name) for name in table.columns], rule]
    lines += [list(line) for line in table.itertuples(index=False)]
    body = [[_cell(cell) for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in body)


def to_csv(table: pd.DataFrame) -> str:
    """A table as CSV with full precision; missing values are empty.

    Text that a spreadsheet would take for a formula is preceded by an apostrophe; numbers stay as they are.

    >>> import pandas as pd
    >>> print(to_csv(pd.DataFrame({"system": ["=1+1", "rbc"], "change": [-0.5, 2]})), end="")
    system,change
    '=1+1,-0.5
    rbc,2.0
    """
    safe = table.copy()
    for column in range(safe.shape[1]):
        if safe.dtypes.iloc[column].kind not in "iufbcmM":
            safe.isetitem(column, safe.iloc[:, column].map(_no_formula))
    safe.columns = [_no_formula(name) for name in safe.columns]
    return str(safe.to_csv(index=False, lineterminator="\n"))


def _no_formula(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    cell = cell.replace("\r\n", "\n").replace("\r", "\n")  # a lone carriage return would end the line
    if not cell.startswith(FORMULA):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def _each(rows: Rows) -> list[tuple[dict[str, object], Row]]:
    if isinstance(rows, Mapping):
        return [({"system": name}, row) for name, some in rows.items() for row in some]
    return [({}, row) for row in rows]


def _numbers(row: Row) -> dict[str, object]:
    numbers: dict[str, object] = {
        "attack": row.attack,
        "objective": row.objective,
        "criterion": row.criterion,
        "norm": row.norm,
        "eps": row.eps,
        "steps": row.steps,
        "restarts": row.restarts,
        "n": row.n,
    }
    result = row.outcomes
    for name, share in (("correct", result.accuracy), ("wrong", result.error), ("abnormal", result.alarm)):
        numbers |= {name: share.value, f"{name}_low": share.interval[0], f"{name}_high": share.interval[1]}
    return numbers | {
        "R": math.nan if row.attack == "clean" else row.stability,
        "flags": ", ".join(row.flags),
        "zero_gradient": math.nan if row.zero_gradient is None else row.zero_gradient.value,
        "nonfinite_gradient": math.nan if row.nonfinite_gradient is None else row.nonfinite_gradient.value,
        "unmoved": math.nan if row.unmoved is None else row.unmoved.value,
        "forwards": row.forwards,
        "backwards": row.backwards,
        "seconds": row.seconds,
    }


def _words(row: Row) -> dict[str, object]:
    def percent(share: Share | None) -> str:
        return "–" if share is None or not share.n else f"{100 * share.value:.1f}"

    result, clean = row.outcomes, row.attack == "clean"
    return {
        "attack": row.attack,
        "objective": row.objective or "–",
        "ε": "–" if clean else f"{eps_said(row.eps)}{' (L2)' if row.norm == 'l2' else ''}",
        "steps": "–" if clean else f"{row.steps}" + (f" × {row.restarts}" if row.restarts > 1 else ""),
        "correct %": result.accuracy.percent(),
        "wrong %": result.error.percent(),
        "None %": result.alarm.percent(),
        "R": "–" if clean or math.isnan(row.stability) else f"{row.stability:.3f}",
        "flags": ", ".join(row.flags),
        "zero gradient %": percent(row.zero_gradient),
        "unmoved %": percent(row.unmoved),
        "n": row.n,
        "seconds": round(row.seconds, 1),
    }


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
