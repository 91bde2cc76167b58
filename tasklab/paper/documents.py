"""A table as files: Markdown to read, CSV and JSON with every number, and a figure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasklab.data.info import info_of
from tasklab.evaluation.tables import to_csv, to_markdown
from tasklab.figures.written import write_all
from tasklab.paper import grid
from tasklab.paper.cells import Workshop
from tasklab.paper.claims import Claim, claims_frame
from tasklab.paper.grid import Cell, Scale
from tasklab.paper.plan import Step, plan
from tasklab.paper.protocol import KINDS, PaperProtocol, ProtocolName
from tasklab.paper.published import COLUMNS
from tasklab.paper.records import Record, read_record
from tasklab.paper.table_claims import table_claims
from tasklab.paper.tables import compared, long_frame, missing, reading_frame, values, wide_frame
from tasklab.text import in_markdown

if TYPE_CHECKING:
    from tasklab.paper.works import Work

TITLES = {
    "table1": "Table 1: adversarial robustness and accuracy of four classification systems",
    "table2": "Table 2: the same after retraining with adversarial examples or Gaussian noise",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Document:
    """A table with everything that belongs to it.

    Args:
        table: ``"table1"`` or ``"table2"``.
        cells: its cells.
        folder: of the records that were made here.
        protocol: the open settings.
        asked: which attacks were to be made.
    """

    table: str
    cells: Sequence[Cell]
    folder: Path
    protocol: PaperProtocol
    asked: ProtocolName = "both"

    @property
    def missing(self) -> list[str]:
        """What was not made, by name."""
        return missing(self.cells, self.folder, self.protocol, KINDS[self.asked])

    @property
    def command(self) -> str:
        """The command that makes what is missing of the table and writes it."""
        usual, protocol, first = PaperProtocol(), self.protocol, self.cells[0]
        words = command_words(
            self.table, dict.fromkeys(cell.data for cell in self.cells),
            dict.fromkeys(cell.arch for cell in self.cells), first.scale, first.seed,
        )
        seeds = len({cell.seed for cell in self.cells})
        words += ["--seeds", str(seeds)] * (seeds > 1)
        words += ["--protocol", self.asked] * (self.asked != "both")
        words += ["--steps", str(protocol.steps)] * (protocol.steps != usual.steps)
        words += ["--step-size", f"{protocol.step_size:g}"] if protocol.step_size is not None else []
        words += ["--start", "image"] * (not protocol.random_start) + ["--units", "normalised"] * protocol.normalised
        return " ".join(words + ["--gap", protocol.gap] * (protocol.gap != usual.gap))

    def claims(self) -> list[Claim]:
        """What the paper concludes from the table, beside what was measured over all of its seeds."""
        return table_claims(self.table, self.cells, partial(read_record, self.folder), self.protocol)

    def plan(self, workshop: Workshop) -> list[Step]:
        """What is still to be made of the cells."""
        return plan(workshop, self.cells, self.protocol, KINDS[self.asked])

    def works(self) -> list[Work]:
        """A table computes nothing beyond its cells."""
        return []

    def wide(self) -> str:
        """The table as in the paper, and the verdicts on its conclusions, in Markdown."""
        table = wide_frame(values(self.cells, self.folder, self.protocol))
        return "\n\n".join([to_markdown(table), to_markdown(claims_frame(self.claims()))])

    def to_markdown(self) -> str:
        """The table, every number with its interval, how each system was made, and what was not made."""
        shown = values(self.cells, self.folder, self.protocol)
        lines = [f"# {TITLES[self.table]}", "", self._explained(), "", f"Written by `{self.command}`.", "",
                 to_markdown(wide_frame(shown)), "", "## What the paper concludes, and what was measured", "",
                 to_markdown(claims_frame(self.claims())), "", "## Every number", "",
                 to_markdown(reading_frame(shown)), "",
                 "## How each system was made"]
        for cell in self.cells:
            if (record := read_record(self.folder, cell)) is not None:
                lines += ["", *made_how(cell, record)]
        lines += ["", "## Not made", "", *([f"- {name}" for name in self.missing] or ["Nothing is missing."])]
        return "\n".join(lines) + "\n"

    def to_csv(self) -> str:
        """Every number on a line of its own."""
        return to_csv(long_frame(values(self.cells, self.folder, self.protocol)))

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, with the record of each cell."""
        records = {cell.name: read_record(self.folder, cell) for cell in self.cells}
        frame = long_frame(values(self.cells, self.folder, self.protocol))
        return {
            "table": self.table, "command": self.command, "asked": self.asked,
            "protocol": dataclasses.asdict(self.protocol),
            "values": frame.to_dict(orient="records"),
            "claims": [dataclasses.asdict(claim) for claim in self.claims()], "not_made": self.missing,
            "cells": {name: record.to_dict() for name, record in records.items() if record is not None},
        }

    def write(self, folder: Path) -> list[Path]:
        """Write all files, and return them."""
        from tasklab.figures.comparison import comparison

        figure = comparison(compared(values(self.cells, self.folder, self.protocol)), [str(each) for each in COLUMNS])
        return write_all(folder, self.table, markdown=self.to_markdown(), csv=self.to_csv(), values=self.to_dict(),
                         figure=figure)

    def _explained(self) -> str:
        """What the numbers mean, with the settings that the paper leaves open."""
        protocol = self.protocol
        size = "2.5·ε/steps" if protocol.step_size is None else f"{protocol.step_size:g}"
        start = "from a random start" if protocol.random_start else "from the image"
        unit = "normalised images" if protocol.normalised else "pixels in [0, 1]"
        counts = sorted({min(cell.scale.attacked, info_of(cell.data).sizes[2]) for cell in self.cells})
        presets = sorted({cell.scale.preset for cell in self.cells})
        retrained = (
            " An arrow after a published number says that retraining raised or lowered it, as in the paper. An arrow "
            "after a measured number says the same where McNemar's test on the same images finds p < 0.05 against the "
            "system before retraining; ≈ stands for no such difference."
        ) if any(cell.base for cell in self.cells) else ""
        return (
            f"Accuracies in %: published / measured / adaptive. LEG: all clean test images. *Measured*: the paper's "
            f"attacks on the system's own training loss, on the first {' or '.join(map(str, counts))} test images; "
            f"FGSM, and PGD with {protocol.steps} steps of {size} {start}, its last iterate; ε counts in {unit}. "
            f"*Adaptive*: what is left of the same images after those attacks, PGD-40 on the margin, PGD-40 on each of "
            f"its terms and the ensemble `{'`, `'.join(presets)}`, image by image: an upper bound on the accuracy in "
            f"the worst case. A number between two intervals decodes to "
            f"{'None' if protocol.gap == 'abnormal' else 'the class below'}. *Confirmed*: the adaptive number is at "
            f"most 5 points lower. *Masked*: it is lower than that, and over 10 % of the images classified correctly "
            f"gave the published attack no gradient at all. *Overstated*: it is lower than that for another reason. "
            f"Intervals are Wilson's, of 95 %.{retrained}"
        )


def command_words(
    what: str, data: Iterable[str], archs: Iterable[str], scale: Scale, seed: int
) -> list[str]:
    """The command of a table or a figure, word by word, as far as both have it."""
    ordinary = next((each for each in (grid.FULL, grid.QUICK) if each.suffix == scale.suffix), scale)
    words = ["tasklab", "paper", what, "--data", *data, "--arch", *archs] + ["--quick"] * (ordinary == grid.QUICK)
    words += ["--n", str(scale.attacked)] * (scale.attacked != ordinary.attacked)
    return words + ["--seed", str(seed)] * (seed != 0)


def made_how(cell: Cell, record: Record) -> list[str]:
    """How a cell was made, in lines of Markdown."""
    card, start = record.card, record.start
    recipe = {key: value for key, value in card.get("recipe", {}).items() if value and key != "defence"}
    defence = card.get("recipe", {}).get("defence")
    lines = [f"### {in_markdown(cell.name)}", "", f"- {record.method}, seed {cell.seed}, weights {record.weights}"]
    if start is not None:
        lines.append(f"- started from {in_markdown(start['name'])}, weights {start['weights']}")
    lines.append(f"- recipe: {_listed(recipe)}" + (f"; defence: {_listed(defence)}" if defence else ""))
    lines.append(f"- on {in_markdown(card.get('device', 'a device that is not named'))}; "
                f"{_listed(card.get('versions', {}))}")
    return [*lines, "", f"      {card.get('command', '')}"]


def _listed(settings: dict[str, Any]) -> str:
    return ", ".join(f"{in_markdown(key)} {in_markdown(value)}" for key, value in settings.items() if value is not None)
