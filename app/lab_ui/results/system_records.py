"""What is on record about the systems that a visitor can look at: read from files, never measured here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab_ui.basics.words import title
from lab_ui.results import reports
from lab_ui.visitor import catalogue, jobs, own_systems
from tasklab import zoo
from tasklab.data import DATASETS
from tasklab.evaluation.report import Report
from tasklab.evaluation.standing import Standing, ranked, recorded_worst_cases, standing

if TYPE_CHECKING:
    from pandas import DataFrame

TRAININGS = {"": "without a defence", "adversarial": "under attack", "gaussian": "on noise", "uniform": "on noise"}
"""Name of a defence in a card to the words of the filter; other defences are shown by their own name."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A system in the list.

    Attributes:
        key: its short name.
        standing: what is on record about it.
        report: on it; None where there is none.
        is_own: whether it is the visitor's own.
    """

    key: str
    standing: Standing
    report: Report | None
    is_own: bool

    @property
    def name(self) -> str:
        """Its full name."""
        return self.standing.name

    @property
    def title(self) -> str:
        """Its name as pages show it, with the data set."""
        return f"{title(self.key)} · {DATASETS[self.standing.data].title}"

    @property
    def training(self) -> str:
        """How it was trained, in the words of the filter."""
        return TRAININGS.get(self.standing.defence, self.standing.defence)


def entries(asked: Sequence[jobs.JobView]) -> list[Entry]:
    """All systems of all data sets; those of one data set stand together, the best worst case first.

    Args:
        asked: the visitor's own report jobs, the newest first.
    """
    listed = []
    for dataset in catalogue.DATASETS:
        by_name = {entry.name: entry for key, name in catalogue.systems(dataset)[0].items()
                   if (entry := _entry(dataset, key, name, asked)) is not None}
        listed += [by_name[each.name] for each in ranked(entry.standing for entry in by_name.values())]
    return listed


def frame(listed: Sequence[Entry]) -> DataFrame:
    """The list as a table: one line for each system."""
    import pandas as pd

    return pd.DataFrame([
        {"system": each.name, "data": each.data, "task": each.task, "defence": each.defence, "eps": each.eps}
        | {f"{part} {what}": value for part, record in
           (("clean", each.clean), ("training loss", each.own), ("worst case", each.worst)) for what, value in
           (("accuracy", record and record.accuracy.value), ("n", record and record.accuracy.n))}
        | {"verdict": each.verdict}
        for each in (entry.standing for entry in listed)
    ])


def records_frame(entry: Entry) -> DataFrame:
    """Everything on record about a system as a table: one line for each accuracy."""
    import pandas as pd

    return pd.DataFrame([
        {"source": each.source, "attack": each.attack, "objective": each.objective, "eps": each.eps,
         "steps": each.steps, "restarts": each.restarts, "accuracy": each.accuracy.value, "n": each.accuracy.n,
         "low": each.accuracy.interval[0], "high": each.accuracy.interval[1], "zero_gradient": each.zero_gradient,
         "flags": ", ".join(each.flags)}
        for each in entry.standing.records
    ])


def _entry(dataset: str, key: str, name: str, asked: Sequence[jobs.JobView]) -> Entry | None:
    """A system of the list; None where its file has gone in the meantime."""
    try:
        card, file = catalogue.card(name), catalogue.file(name)
        report, _ = reports.report_of(name, asked)
    except (ValueError, OSError):
        return None
    shipped = file.parent == zoo.folder()
    rows = recorded_worst_cases().get(name, ()) if shipped else ()
    return Entry(key=key, report=report, is_own=own_systems.path(name) is not None,
                 standing=standing(name, dataset, card, report=report, worst_cases=rows))
