"""The sentences of the page on the paper's tables, each computed from the numbers that are shown."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from lab_ui.basics.words import AIMS
from lab_ui.results.paper_tables import PROTOCOL, Table
from tasklab.data.info import info_of
from tasklab.data.radii import eps_said
from tasklab.evaluation.statistics import Share
from tasklab.models import ARCHITECTURES
from tasklab.paper.grid import Cell
from tasklab.paper.protocol import ADAPTIVE_KINDS, questions
from tasklab.paper.published import CLEAN
from tasklab.paper.records import Record
from tasklab.paper.tables import Value
from tasklab.tasks import TASKS
from tasklab.text import duration

SIGNS = {"masked": "✕", "overstated": "▲", "confirmed": "●", "adaptive not made": "○", "not made": "○"}
MEANINGS = {
    "masked": "all attacks together leave over 5 points less than the paper's attack, which had no gradient at all on "
    "over 10 % of the images classified correctly",
    "overstated": "they leave over 5 points less for another reason",
    "confirmed": "they leave at most 5 points less",
}
SYMBOLS = {"S": "S", "s0": "s₀", "alpha": "α", "beta": "β", "bits": "bits"}
"""Settings of a task that are said of a system, and how they are written."""


def one(share: Share) -> str:
    """A share in percent with one decimal.

    >>> one(Share(64, 100))
    '64.0 %'
    """
    return f"{100 * share.value:.1f} %"


def several(share: Share) -> str:
    """The same with its interval.

    >>> several(Share(64, 100))
    '64.0 % [54.2, 72.7]'
    """
    low, high = (100 * end for end in share.interval)
    return f"{one(share)} [{low:.1f}, {high:.1f}]"


def where(value: Value) -> str:
    """System and column of a number, with ε.

    >>> from tasklab.paper.grid import cells_of
    >>> from tasklab.paper.tables import row
    >>> where(row(cells_of("table1", ["mnist"])[0], None, None, PROTOCOL)[0])
    'TRA under FGSM I (ε = 0.1)'
    """
    if value.column == CLEAN:
        return f"{value.cell.method.name} on clean images"
    return f"{value.cell.method.name} under {value.column} (ε = {eps_said(value.eps)})"


def place(cell: Cell) -> str:
    """Data set and network of a cell."""
    return f"{info_of(cell.data).title} with {ARCHITECTURES[cell.arch].title}"


def described(table: Table) -> str:
    """The table in words, for those who do not see it."""
    titles = {"table1": "Table 1: four classification systems under attack", "table2": "Table 2: the same, retrained"}
    return f"{titles[table.document.table]}, {place(table.document.cells[0])}. Accuracies in percent."


def lead(values: Sequence[Value]) -> str:
    """What a table shows, in one or two sentences; HTML."""
    where_made = html.escape(place(values[0].cell))
    judged = [value for value in values if value.adaptive is not None and value.accuracy is not None]
    if not judged:
        if not any(value.accuracy for value in values):
            whose = ": all numbers are the paper's" if any(value.published for value in values) else ""
            return f"No system of this table was made here for {where_made}{whose}."
        return f"On {where_made}, no attack on the decision was made yet, so no number under attack is checked."
    counts = Counter(value.word for value in judged)
    parts = [f"<b>{counts[word]} {word}</b>" for word in MEANINGS if counts[word]]
    words = f"{len(judged)} numbers under attack: {_listed(parts)}."
    gap, widest = max(((_claim(value) - 100 * value.adaptive.value, value)  # type: ignore[union-attr]
                       for value in judged), key=lambda pair: pair[0])
    if gap <= 0:
        return f"{words} None is above what all attacks together leave."
    assert widest.adaptive is not None and widest.accuracy is not None
    system = widest.cell.method.name
    claim = (f"{widest.column} leaves {system} <b>{one(widest.accuracy)}</b>" if widest.published is None
             else f"the paper prints <b>{widest.published.percent:.2f} %</b> for {system} under {widest.column}")
    return f"{words} {claim[:1].upper()}{claim[1:]}, and all attacks together leave <b>{one(widest.adaptive)}</b>."


def _claim(value: Value) -> float:
    """The number that the adaptive one is compared with, in percent: the published one, or else the measured one."""
    assert value.accuracy is not None
    return value.published.percent if value.published is not None else 100 * value.accuracy.value


def numbers(value: Value) -> str:
    """A cell's numbers as the end of a sentence."""
    printed = ("the paper has no number" if value.published is None
               else f"the paper prints {value.published.percent:.2f} %")
    if value.accuracy is None:
        return f"{printed}, and nothing was measured here"
    if value.column == CLEAN:
        return f"{printed}, and {one(value.accuracy)} was measured here"
    if value.adaptive is None:
        rest = "attacks on the decision were not made"
    else:
        rest = f"all attacks together leave {one(value.adaptive)}"
    return f"{printed}, the same attack leaves {one(value.accuracy)} here, and {rest}"


def verdict(value: Value, *, made: bool) -> str:
    """How a cell is to be read, in whole sentences.

    Args:
        value: the cell.
        made: whether there is a record of its system.
    """
    counts = numbers(value)
    if value.accuracy is None:
        reason = "there is no record of it here" if not made else "its system is there, but this was not measured"
        return f"Not made: {reason}. {_capital(counts)}."
    if value.column == CLEAN:
        return f"On all {value.accuracy.n:,} clean test images, {counts}.{_retrained(value)}"
    zero = value.zero_gradient
    flat = "" if zero is None else (f" For {one(zero)} of the images that the system classifies correctly, the "
                                    "gradient of this attack was exactly 0.")
    if value.adaptive is None:
        return f"Not checked: {counts}.{flat}{_retrained(value)}"
    gap = 100 * (value.accuracy.value - value.adaptive.value)
    less = f", which is {gap:.1f} points less" if gap > 0 else ", which is no less"
    why = {"masked": " There the attack had nothing to follow.",
           "overstated": " So a missing gradient does not explain the difference.",
           "confirmed": ""}[value.word] if flat else ""
    return f"{_capital(value.word)}: {counts}{less}.{flat}{why}{_retrained(value)}"


def step(value: Value) -> str:
    """A cell in the words of a lesson."""
    words = [f"{where(value)}: {numbers(value)}."] + [f"{_capital(value.word)}."] * bool(value.word)
    if value.alarm is not None and value.alarm.count:
        words.append(f"Under the paper's attack it answers None to {one(value.alarm)} of the images.")
    return " ".join(words)


def _retrained(value: Value) -> str:
    """How a retrained system's numbers compare with those before, as a further sentence."""
    words = {"↑": "raised", "↓": "lowered", "≈": "did not change beyond chance"}
    changes = [f"{words[arrow]} {what}" for arrow, what in
            zip(value.arrows, ("the measured number", "what all attacks together leave"), strict=True) if arrow]
    return f" Retraining {' and '.join(changes)}." if changes else ""


def attacks(table: Table, value: Value) -> list[tuple[str, Any]]:
    """The attacks on the decision at the ε of a number, each with its finding; None where it was not made."""
    record = table.records.get(value.cell)
    names = {"margin": "PGD on the margin", "bits": "PGD on each of its terms", "worst": "ensemble of attacks"}
    return [(names[each.kind], None if record is None else record.find(each))
            for each in questions(value.cell, PROTOCOL, ADAPTIVE_KINDS) if each.intensity == value.column.intensity]


def short_card(cell: Cell, record: Record) -> str:
    """How a system was made, in short; a part that its card does not have is left out."""
    card = record.card
    recipe, task, seen = (part if isinstance(part := card.get(name), Mapping) else {}
                          for name in ("recipe", "task", "data"))
    settings = [f"{symbol} = {task[name]:g}" for name, symbol in SYMBOLS.items()
                if isinstance(task.get(name), int | float) and abs(task[name]) < 1e9]
    how = f" ({', '.join(settings)})" if settings else ""
    parts = [f"{_capital(TASKS[cell.method.task].long_name)}{how}", ARCHITECTURES[cell.arch].title]
    if "epochs" in recipe:
        images = f" on {seen['train']:,} images" if isinstance(seen.get("train"), int) else ""
        parts.append(f"{recipe['epochs']} epoch{'s' * (recipe['epochs'] != 1)}{images}")
    if cell.method.retraining:
        kind = cell.method.retraining
        against = "Gaussian noise" if kind == "noise" else f"attacks on {AIMS[kind]}"
        parts.append(f"trained with {against} at ε = {eps_said(cell.radii[0])}")
    if record.start is not None:
        parts.append(f"started from {record.start.get('name', 'a system without a name')}")
    parts.append(f"seed {cell.seed}")
    if isinstance(card.get("seconds"), int | float):
        parts.append(f"trained in {duration(card['seconds'])} ({card.get('device', 'unnamed device')})")
    return "; ".join(map(str, parts)) + "."


def glossary(values: Sequence[Value]) -> str:
    """The abbreviations of a table, spelled out; Markdown."""
    tasks = dict.fromkeys(value.cell.method.task for value in values)
    words = [f"**{TASKS[task].title}**: {TASKS[task].long_name}" for task in tasks]
    more = {"AT": "adversarial training on the system's training loss", "AT (margin)": "adversarial training on the "
            "decision margin, which the paper does not have", "GN": "training with Gaussian noise"}
    extra = {name.partition("+")[2] for name in (value.cell.method.name for value in values)}
    return "; ".join(words + [f"**{key}**: {meaning}" for key, meaning in more.items() if key in extra])


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
