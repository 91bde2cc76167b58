"""The recorded accuracies of a system, from its card, its report and the tables of worst cases, side by side.

Nothing is measured here. A number that is not on record is None.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from tasklab import zoo
from tasklab.data.info import DATASETS
from tasklab.evaluation.honesty import Level
from tasklab.evaluation.report import Report
from tasklab.evaluation.statistics import Share

Source = Literal["card", "report", "ensemble"]

WORST_CASES = ("robustness.json", "cifar10.json")
"""Files beside the shipped systems with the worst cases that the ensembles of `tasklab worst` found."""

SAME = 5e-5
"""Two radii that differ by less than this count as equal, since they are printed alike."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """An accuracy that is on record, and how it was measured.

    Attributes:
        source: where it is recorded: the system's card, its report, or a table of ensembles.
        attack: ``"clean"``, ``"pgd"``, ``"worst case"``, …
        objective: what the attack maximised; None on clean images and for a worst case over several attacks.
        eps: radius in pixel units.
        steps, restarts: of the attack; 0 where there was none, or several.
        accuracy: the share of images that are classified correctly.
        zero_gradient: the share, 0 to 1, of correct images whose gradient was exactly 0; None where it is not known.
        flags: why the accuracy may mislead.
    """

    source: Source
    attack: str
    objective: str | None = None
    eps: float = 0.0
    steps: int = 0
    restarts: int = 0
    accuracy: Share
    zero_gradient: float | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A system to compare with others: three accuracies, each from the best evidence on record, and a verdict on them.

    Attributes:
        name: of the system.
        data: name of its data set.
        eps: radius in pixel units of the accuracies under attack.
        task: name of its task; empty where the card does not say.
        defence: name of the defence that it was trained with; empty where there was none.
        clean: without an attack.
        own: under an attack on the training loss.
        worst: the worst case found over several attacks, image by image.
        verdict: of the report's checks on that attack at ``eps``; None where they are not on record.
        records: everything on record at ``eps``, and on clean images.
    """

    name: str
    data: str
    eps: float
    task: str
    defence: str
    clean: Measured | None
    own: Measured | None
    worst: Measured | None
    verdict: Level | None
    records: tuple[Measured, ...]

    @property
    def rank(self) -> tuple[float, float]:
        """The numbers to rank it by: the worst case found, then the clean accuracy; −1 for those not on record."""
        worst, clean = (-1.0 if each is None else each.accuracy.value for each in (self.worst, self.clean))
        return worst, clean


def standing(
    name: str, data: str, card: Mapping[str, Any], *, report: Report | None = None,
    worst_cases: Iterable[Mapping[str, Any]] = (), eps: float | None = None,
) -> Standing:
    """What is on record about a system.

    Args:
        name: of the system.
        data: name of its data set.
        card: of the system, as `tasklab.card` rebuilds it.
        report: on the system.
        worst_cases: rows of the system from `recorded_worst_cases`.
        eps: radius in pixel units; by default that of the report's claims, else the usual one of the data set.

    >>> from tasklab.evaluation.report_file import kept_report
    >>> found = standing("digits-rbc", "digits", zoo.card("digits-rbc"), report=kept_report("digits-rbc"))
    >>> found.task, found.eps, found.verdict, found.worst.accuracy.count
    ('rbc', 0.2, 'fail', 0)
    """
    if eps is None:
        eps = DATASETS[data].radii.usual if report is None else report.claim_eps
    records = (*_of_card(card, eps), *_of_report(report, eps), *_of_ensembles(worst_cases, eps))
    checked = report is not None and abs(report.claim_eps - eps) <= SAME
    recipe = card.get("recipe", {})
    return Standing(
        name=name, data=data, eps=eps, task=str(card.get("task", {}).get("task", "")), records=records,
        defence=str((recipe.get("defence") or {}).get("defence", "")),
        clean=_largest(record for record in records if record.attack == "clean"),
        own=_largest(record for record in records if record.objective == "train" and record.attack == "pgd"),
        worst=_largest(record for record in records if record.attack == "worst case"),
        verdict=report.assessments["train"].verdict if report is not None and checked else None,
    )


def ranked(standings: Iterable[Standing]) -> list[Standing]:
    """Systems with the best worst case first; those without one on record come last.

    Args:
        standings: of the systems; where they belong to different data sets, each keeps its own ε.
    """
    return sorted(standings, key=lambda each: each.rank, reverse=True)


def recorded_worst_cases(folder: Path | None = None) -> dict[str, tuple[dict[str, Any], ...]]:
    """The worst cases that ensembles of attacks found for the shipped systems, by name.

    Args:
        folder: of the files; by default that of the shipped systems.

    Returns:
        For each system, rows as `tasklab.evaluation.worst_table.WorstRow.to_dict` makes them.
    """
    rows: dict[str, tuple[dict[str, Any], ...]] = {}
    for file in WORST_CASES:
        path = (folder or zoo.folder()) / file
        if path.is_file():
            for row in _rows(str(path), path.stat().st_mtime_ns):
                rows[row["system"]] = (*rows.get(row["system"], ()), row)
    return rows


@lru_cache(maxsize=4)
def _rows(file: str, changed: int) -> tuple[dict[str, Any], ...]:
    content = json.loads(Path(file).read_text(encoding="utf-8"))
    parts = content if isinstance(content, list) else [content]
    return tuple(row for part in parts for row in part["worst"])


def _of_card(card: Mapping[str, Any], eps: float) -> list[Measured]:
    return [
        Measured(source="card", attack=row["attack"], objective=row["objective"], eps=row["eps"], steps=row["steps"],
                 restarts=row["restarts"], accuracy=_counted(row), zero_gradient=row["zero_gradient"],
                 flags=tuple(row["flags"]))
        for row in card.get("metrics", []) if row["attack"] == "clean" or abs(row["eps"] - eps) <= SAME
    ]


def _of_report(report: Report | None, eps: float) -> list[Measured]:
    rows = () if report is None else (report.clean, *(row for row in report.rows if abs(row.eps - eps) <= SAME))
    return [
        Measured(source="report", attack="transfer" if row.curve == "transfer" else row.attack, eps=row.eps,
                 objective=None if row.curve in ("transfer", "worst") else row.objective, steps=row.steps,
                 restarts=row.restarts, accuracy=row.accuracy, zero_gradient=row.zero_gradient_share)
        for row in rows
    ]


def _of_ensembles(rows: Iterable[Mapping[str, Any]], eps: float) -> list[Measured]:
    return [
        Measured(source="ensemble", attack="worst case", eps=row["eps"],
                 accuracy=Share(row["worst"]["correct"], row["n"]))
        for row in rows if abs(row["eps"] - eps) <= SAME
    ]


def _counted(row: Mapping[str, Any]) -> Share:
    """The accuracy in a card's row; where the row has no counts, they are computed from the share."""
    correct = row["correct"]
    return Share(round(row["accuracy"] * row["n"]) if correct is None else correct, row["n"])


def _largest(records: Iterable[Measured]) -> Measured | None:
    """The record on the most images; the first of several, and None if there is none."""
    listed: Sequence[Measured] = list(records)
    return max(listed, key=lambda record: record.accuracy.n if math.isfinite(record.accuracy.value) else 0,
               default=None)
