"""What all figures of the paper share: the cells and works that they need, numbers, claims, and the files."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tasklab.data.info import info_of
from tasklab.evaluation.statistics import Mean, Share
from tasklab.evaluation.tables import to_csv, to_markdown
from tasklab.figures.written import write_all
from tasklab.models import ARCHITECTURES
from tasklab.paper.cells import Workshop
from tasklab.paper.claims import Claim, claims_frame
from tasklab.paper.documents import command_words, made_how
from tasklab.paper.grid import Cell, Scale
from tasklab.paper.plan import Step, plan_asked
from tasklab.paper.protocol import Question
from tasklab.paper.records import read_record
from tasklab.paper.works import Work
from tasklab.text import in_markdown

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure


@dataclass(frozen=True, kw_only=True)
class Number:
    """One measured number.

    Attributes:
        of: what it was measured on, such as ``{"data": "MNIST", "system": "RBC"}``.
        what: the name of the quantity.
        value: the number, with its interval.
        seeds: of the training runs behind it.
    """

    of: Mapping[str, str]
    what: str
    value: Share | Mean
    seeds: tuple[int, ...]

    @property
    def text(self) -> str:
        """The number with its interval; a share in percent."""
        return f"{self.value} %" if isinstance(self.value, Share) else str(self.value)

    def line(self) -> dict[str, Any]:
        """The number as plain values; a share in 0..1."""
        low, high = self.value.interval
        return {**self.of, "quantity": self.what, "value": self.value.value, "low": low, "high": high,
                "n": self.value.n, "seeds": " ".join(map(str, self.seeds))}


@dataclass(frozen=True, kw_only=True)
class PaperFigure(ABC):
    """A figure with everything that belongs to it.

    Attributes:
        name: ``"fig2"`` to ``"fig5"``.
        title: what it shows.
        layout: of its panels; see `tasklab.figures.panels.panels`.
        usual_data, usual_archs: those of the paper.
        usual_seeds: how many seeds there are, in full and for a first look.

    Args:
        data, archs: the sets and networks.
        folder: of the records that were made here.
        scale: how much work goes into a cell.
        seeds: of the training runs.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    layout: ClassVar[dict[str, Any]] = {}
    usual_data: ClassVar[tuple[str, ...]]
    usual_archs: ClassVar[tuple[str, ...]] = ("efficientnet_b0",)
    usual_seeds: ClassVar[tuple[int, int]] = (1, 1)

    data: tuple[str, ...]
    archs: tuple[str, ...]
    folder: Path
    scale: Scale
    seeds: tuple[int, ...] = (0,)

    @property
    def quick(self) -> bool:
        """Whether it is a first look."""
        return bool(self.scale.suffix)

    @abstractmethod
    def asked(self) -> dict[Cell, Sequence[Question]]:
        """Its cells, with what each is asked."""

    def works(self) -> Sequence[Work]:
        """The computations on the systems of its cells."""
        return ()

    @abstractmethod
    def numbers(self) -> list[Number]:
        """Every number that was measured."""

    @abstractmethod
    def claims(self) -> list[Claim]:
        """What the paper claims, beside what was measured."""

    def sentences(self) -> list[str]:
        """What the numbers say beyond the paper's claims."""
        return []

    @abstractmethod
    def explained(self) -> str:
        """What the numbers mean."""

    @abstractmethod
    def charts(self) -> dict[str, Figure]:
        """The panels by their titles."""

    def drawn(self) -> Figure:
        """The figure."""
        from tasklab.figures.panels import panels

        return panels(self.charts(), **self.layout)

    def plan(self, workshop: Workshop) -> list[Step]:
        """What is still to be made of the cells."""
        used = {cell for work in self.works() if work.read(self.folder) is None for cell in work.cells}
        return plan_asked(workshop, self.asked(), used)

    @property
    def missing(self) -> list[str]:
        """What was not made, by name."""
        names = []
        for cell, questions in self.asked().items():
            record = read_record(self.folder, cell)
            if record is None:
                names.append(cell.name)
            elif left := record.missing(questions):
                names.append(f"{cell.name}: {', '.join(f'{each.kind} {each.intensity}'.strip() for each in left)}")
        return names + [work.name for work in self.works() if work.read(self.folder) is None]

    @property
    def command(self) -> str:
        """The command that makes what is missing of the figure and writes it."""
        words = command_words(self.name, self.data, self.archs, self.scale, self.seeds[0])
        usual = self.usual_seeds[self.quick]
        return " ".join(words + ["--seeds", str(len(self.seeds))] * (len(self.seeds) != usual))

    def reading(self, numbers: Iterable[Number]) -> pd.DataFrame:
        """The numbers to read: one column for each quantity."""
        import pandas as pd

        lines: dict[tuple[str, ...], dict[str, str]] = {}
        for number in numbers:
            key = (*number.of.values(), *map(str, number.seeds))
            line = lines.setdefault(key, dict(number.of) | {"seeds": ", ".join(map(str, number.seeds))})
            line[number.what] = number.text
        return pd.DataFrame(list(lines.values())).fillna("–")

    def wide(self) -> str:
        """Numbers and claims, in Markdown."""
        tables = [to_markdown(self.reading(self.numbers())), to_markdown(claims_frame(self.claims()))]
        return "\n\n".join([*tables, *self.sentences()])

    def to_markdown(self) -> str:
        """Claims, every number with its interval, how each system was made, and what was not made."""
        lines = [f"# {self.title}", "", self.explained(), "", f"Written by `{self.command}`.", "",
                 "## What the paper claims, and what was measured", "", to_markdown(claims_frame(self.claims())), "",
                 *(line for sentence in self.sentences() for line in (sentence, "")), "## Every number", "",
                 to_markdown(self.reading(self.numbers())), "",
                 "## How each system was made"]
        for cell in self.asked():
            if (record := read_record(self.folder, cell)) is not None:
                lines += ["", *made_how(cell, record)]
        missing = [f"- {in_markdown(name)}" for name in self.missing]
        return "\n".join([*lines, "", "## Not made", "", *(missing or ["Nothing is missing."])]) + "\n"

    def frame(self) -> pd.DataFrame:
        """Every number on a line of its own."""
        import pandas as pd

        return pd.DataFrame([number.line() for number in self.numbers()])

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, with the record of each cell and what the works found."""
        records = {cell.name: read_record(self.folder, cell) for cell in self.asked()}
        return {
            "figure": self.name, "command": self.command, "values": self.frame().to_dict(orient="records"),
            "claims": [dataclasses.asdict(claim) for claim in self.claims()], "sentences": self.sentences(),
            "not_made": self.missing,
            "cells": {name: record.to_dict() for name, record in records.items() if record is not None},
            "works": {work.name: result for work in self.works() if (result := work.read(self.folder)) is not None},
        }

    def write(self, folder: Path) -> list[Path]:
        """Write all files, and return them."""
        return write_all(folder, self.name, markdown=self.to_markdown(), csv=to_csv(self.frame()),
                         values=self.to_dict(), figure=self.drawn())


def places(figure: PaperFigure) -> list[tuple[str, str, dict[str, str]]]:
    """Each data set with each network, and both of their titles."""
    return [(data, arch, {"data": info_of(data).title, "network": ARCHITECTURES[arch].title})
            for data in figure.data for arch in figure.archs]


def pooled(shares: Iterable[Share]) -> Share:
    """Several shares as one, such as those of several seeds."""
    every = list(shares)
    return Share(sum(share.count for share in every), sum(share.n for share in every))
