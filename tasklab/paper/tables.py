"""The paper's tables as they were published beside what was measured, from the records of finished cells alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tasklab.data.info import info_of
from tasklab.data.radii import eps_said
from tasklab.evaluation.honesty import ADAPTIVE
from tasklab.evaluation.robustness import MASKED
from tasklab.evaluation.statistics import Share, mcnemar
from tasklab.models import ARCHITECTURES
from tasklab.paper.grid import Cell
from tasklab.paper.protocol import ADAPTIVE_KINDS, KINDS, Kind, PaperProtocol, Question, questions
from tasklab.paper.published import CLEAN, COLUMNS, PUBLISHED, Column, Published
from tasklab.paper.records import Finding, Record, read_record

if TYPE_CHECKING:
    import pandas as pd

    from tasklab.figures.comparison import Compared

SURE = 0.05
"""A measured arrow is drawn only if the p value of McNemar's test on the same images is below this."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Value:
    """One number of a table, published and measured.

    Attributes:
        cell: the system.
        column: the question.
        eps: in pixel units; 0 for clean images.
        published: the paper's number; None where it has none.
        measured: the same question to the system made here; None where that was not made.
        adaptive: the images that every attack at this ε leaves, the published ones included; None where an adaptive
            attack was not made, and on clean images.
        arrows: of a retrained system, whether ``measured`` and ``adaptive`` are above or below those of the system it
            was retrained from: ``"↑"``, ``"↓"``, or ``"≈"`` for no difference beyond chance.
    """

    cell: Cell
    column: Column
    eps: float
    published: Published | None
    measured: Finding | None
    adaptive: Share | None
    arrows: tuple[str, str] = ("", "")

    @property
    def accuracy(self) -> Share | None:
        """The share of images that are still classified correctly; None where it was not measured."""
        return None if self.measured is None else self.measured.outcomes.accuracy

    @property
    def alarm(self) -> Share | None:
        """The share of images that are decoded to None."""
        return None if self.measured is None else self.measured.outcomes.alarm

    @property
    def zero_gradient(self) -> Share | None:
        """The share of correct images that gave the published attack no gradient; None on clean images."""
        return None if self.measured is None else self.measured.zero_share

    @property
    def word(self) -> str:
        """The verdict on the measured number.

        ``"masked"``: more than five points above the adaptive one, and over 10 % of the correct images had no gradient;
        ``"overstated"``: as far above it for another reason; ``"confirmed"``: not so far above it.
        """
        if self.accuracy is None:
            return "not made"
        if self.column == CLEAN:
            return ""
        if self.adaptive is None:
            return "adaptive not made"
        if round(self.accuracy.value - self.adaptive.value, 9) <= ADAPTIVE:  # 1 − 0.95 is more than 0.05
            return "confirmed"
        zero = self.zero_gradient
        return "masked" if zero is not None and zero.value > MASKED else "overstated"

    @property
    def text(self) -> str:
        """Published / measured / adaptive in percent, and the word."""
        parts = ["–" if self.published is None else str(self.published)]
        for share, arrow in ((self.accuracy, self.arrows[0]), (self.adaptive, self.arrows[1])):
            parts += [] if share is None else [f"{100 * share.value:.1f}{arrow}"]
        if self.word.endswith("not made"):
            return " / ".join([*parts, self.word])
        return " ".join(filter(None, [" / ".join(parts), self.word]))


def values(cells: Sequence[Cell], folder: Path, protocol: PaperProtocol) -> list[Value]:
    """Every number of a table, row by row; nothing is made.

    Args:
        cells: of the table; see `cells_of`.
        folder: of the records that were made here.
        protocol: the open settings for which answers are looked up.
    """
    return [
        value for cell in cells for value in row(
            cell, read_record(folder, cell), None if cell.base is None else read_record(folder, cell.base), protocol)
    ]


def row(cell: Cell, record: Record | None, base: Record | None, protocol: PaperProtocol) -> list[Value]:
    """The numbers of one row.

    Args:
        cell: the row's.
        record: what is known of it; None where it was not made.
        base: the same of the system that it was retrained from; None where there is none.
        protocol: the open settings for which answers are looked up.
    """
    asked = _asked(cell, protocol)
    numbers = []
    for column in COLUMNS:
        question = asked[column.attack, column.intensity]
        own, before = (_standing(each, question, asked) for each in (record, base))
        numbers.append(Value(
            cell=cell, column=column, eps=question.eps,
            published=PUBLISHED.get((cell.data, cell.arch, cell.method.name, column)),
            measured=None if record is None else record.find(question),
            adaptive=None if own[1] is None else Share.of(own[1]),
            arrows=(_arrow(before[0], own[0]), _arrow(before[1], own[1])),
        ))
    return numbers


def missing(cells: Sequence[Cell], folder: Path, protocol: PaperProtocol, kinds: Sequence[Kind]) -> list[str]:
    """What was not made, by name: whole cells, and the questions that are open in others."""
    names = []
    for cell in cells:
        record, asked = read_record(folder, cell), questions(cell, protocol, kinds)
        if record is None:
            names.append(cell.name)
        elif left := record.missing(asked):
            names.append(f"{cell.name}: {', '.join(f'{each.kind} {each.intensity}'.strip() for each in left)}")
    return names


def wide_frame(numbers: Sequence[Value]) -> pd.DataFrame:
    """The table as in the paper, each cell with published / measured / adaptive and a word."""
    import pandas as pd

    lines: dict[Cell, dict[str, str]] = {}
    named = _with_seeds(numbers)
    for value in numbers:
        line = lines.setdefault(value.cell, named(value.cell))
        line[str(value.column)] = value.text
    return pd.DataFrame(list(lines.values()))


def long_frame(numbers: Sequence[Value]) -> pd.DataFrame:
    """Every number on a line of its own: shares in 0..1 with both ends of their 95 % Wilson intervals."""
    import pandas as pd

    return pd.DataFrame([_numbers(value) for value in numbers])


def reading_frame(numbers: Sequence[Value]) -> pd.DataFrame:
    """The same to read: percentages with intervals."""
    import pandas as pd

    def percent(share: Share | None) -> str:
        return "–" if share is None else share.percent()

    named = _with_seeds(numbers)
    return pd.DataFrame([
        named(value.cell) | {
            "column": str(value.column), "ε": eps_said(value.eps) if value.eps else "–",
            "published": "–" if value.published is None else str(value.published),
            "measured": percent(value.accuracy) + value.arrows[0],
            "None": percent(value.alarm),
            "zero gradient": percent(value.zero_gradient),
            "adaptive": percent(value.adaptive) + value.arrows[1],
            "verdict": value.word or "–", "n": str(value.accuracy.n) if value.accuracy else "–",
        }
        for value in numbers
    ])


def compared(numbers: Sequence[Value]) -> dict[str, list[Compared]]:
    """The rows of the table as `tasklab.figures.comparison.comparison` draws them."""
    from tasklab.figures.comparison import Compared

    rows: dict[str, list[Compared]] = {}
    for value in numbers:
        percent, arrow = (None, "") if value.published is None else (value.published.percent, value.published.arrow)
        named = _named(value.cell)
        seed = f", seed {value.cell.seed}" if value.cell.seed else ""
        rows.setdefault(f"{named['system']}\n{named['network']}\n{named['data']}{seed}", []).append(Compared(
            published=percent, measured=value.accuracy, adaptive=value.adaptive, arrows=(arrow, *value.arrows),
            word=value.word, note=_note(value),
        ))
    return rows


def standing(
    cell: Cell, record: Record | None, column: Column, protocol: PaperProtocol
) -> tuple[Tensor | None, Tensor | None]:
    """Which images a system still classifies correctly: under a column's attack, and under all of its intensity.

    Args:
        cell: the system.
        record: what is known of it; None where it was not made.
        column: the question.
        protocol: the open settings for which answers are looked up.

    Returns:
        Two tensors, bool ``(n,)``; None where something was not made. On clean images the second one is None.
    """
    asked = _asked(cell, protocol)
    return _standing(record, asked[column.attack, column.intensity], asked)


def _asked(cell: Cell, protocol: PaperProtocol) -> dict[tuple[str, str], Question]:
    return {(each.kind, each.intensity): each for each in questions(cell, protocol, KINDS["both"])}


def _standing(
    record: Record | None, question: Question, asked: dict[tuple[str, str], Question]
) -> tuple[Tensor | None, Tensor | None]:
    """Which images stand under the question's attack, and which under every attack of the same intensity."""
    if record is None:
        return None, None
    finding = record.find(question)
    own = None if finding is None else finding.images
    if question.kind == "clean":
        return own, None
    here = {kind: record.find(each) for (kind, intensity), each in asked.items() if intensity == question.intensity}
    if any(here[kind] is None for kind in ADAPTIVE_KINDS):
        return own, None
    return own, torch.stack([each.images for each in here.values() if each is not None]).all(dim=0)


def _arrow(before: Tensor | None, after: Tensor | None) -> str:
    if before is None or after is None or len(before) != len(after):
        return ""
    if mcnemar(before, after) >= SURE:
        return "≈"
    return "↑" if int(after.sum()) > int(before.sum()) else "↓"


def _named(cell: Cell) -> dict[str, str]:
    return {"data": info_of(cell.data).title, "network": ARCHITECTURES[cell.arch].title, "system": cell.method.name}


def _with_seeds(numbers: Sequence[Value]) -> Callable[[Cell], dict[str, str]]:
    """How rows are named: with the seed where there are several."""
    several = len({value.cell.seed for value in numbers}) > 1
    return lambda cell: _named(cell) | ({"seed": str(cell.seed)} if several else {})


def _numbers(value: Value) -> dict[str, Any]:
    cell = value.cell

    def number(share: Share | None) -> float:
        return math.nan if share is None else share.value

    line: dict[str, Any] = {
        "data": cell.data, "network": cell.arch, "system": cell.method.name, "column": str(value.column),
        "eps": value.eps, "published": math.nan if value.published is None else round(value.published.percent / 100, 4),
        "published arrow": "" if value.published is None else value.published.arrow,
    }
    for name, share in (("measured", value.accuracy), ("adaptive", value.adaptive)):
        low, high = (math.nan, math.nan) if share is None else share.interval
        line |= {name: number(share), f"{name} low": low, f"{name} high": high}
    return line | {
        "measured arrow": value.arrows[0], "adaptive arrow": value.arrows[1], "None": number(value.alarm),
        "zero gradient": number(value.zero_gradient), "n": value.accuracy.n if value.accuracy else 0,
        "seed": cell.seed, "word": value.word, "cell": cell.name,
    }


def _note(value: Value) -> str:
    shares = {"measured": value.accuracy, "without a gradient": value.zero_gradient, "adaptive": value.adaptive}
    parts = [] if value.published is None else [f"published {value.published} %"]
    parts += [f"{name} {share.percent()} %" for name, share in shares.items() if share is not None]
    radius = f", ε = {eps_said(value.eps)}" if value.eps else ""
    return f"{value.cell.name}, {value.column}{radius}: {', '.join([*parts, *filter(None, [value.word])])}"
