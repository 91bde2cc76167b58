"""Figure 2: how TRA and RBC converge, with one recipe for both and each at the best rate of a small grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from tasklab.data.info import info_of
from tasklab.evaluation.statistics import Mean, Share
from tasklab.paper.claims import Claim, by_images, by_numbers, paired
from tasklab.paper.figure import Number, PaperFigure, places, pooled
from tasklab.paper.grid import DATA as PAPER_DATA
from tasklab.paper.grid import METHODS, NETWORKS, RECIPES, Cell, Variant
from tasklab.paper.protocol import PaperProtocol, Question, questions
from tasklab.paper.records import Record, read_record

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

GRID = (0.25, 0.5, 1.0, 2.0)
"""The peak learning rates that are tried, in units of the data set's usual one."""

EQUAL = 1.0
"""The rate at which both systems are compared with an equal recipe."""

REACHED = 0.95
"""A training run counts as converged after the first epoch with this share of its last validation accuracy."""

EPOCHS = f"epochs to {100 * REACHED:g} %"

SYSTEMS = ("tra", "rbc")
SLOWER = ("cifar100",)
"""Where the paper finds RBC to converge more slowly; elsewhere it finds it to be more accurate."""


@dataclass(frozen=True, kw_only=True)
class Convergence(PaperFigure):
    """Figure 2."""

    name: ClassVar[str] = "fig2"
    title: ClassVar[str] = "Figure 2: convergence of traditional and robust binary-label classification"
    layout: ClassVar[dict[str, Any]] = {"row": 360}
    usual_data: ClassVar[tuple[str, ...]] = PAPER_DATA
    usual_archs: ClassVar[tuple[str, ...]] = NETWORKS
    usual_seeds: ClassVar[tuple[int, int]] = (3, 2)

    def asked(self) -> dict[Cell, Sequence[Question]]:
        """One cell for each system, rate and seed; each is asked for its test accuracy alone."""
        cells = [cell for data, arch, _ in places(self) for key in SYSTEMS for share in GRID
                 for cell in self._cells(data, arch, key, share)]
        return {cell: questions(cell, PaperProtocol(), ()) for cell in cells}

    def numbers(self) -> list[Number]:
        """Accuracies, losses and epochs, for each seed and for all of them together."""
        numbers = []
        for data, arch, titles in places(self):
            for key in SYSTEMS:
                best = self._best(data, arch, key)
                for share in GRID:
                    marks = ["equal recipe"] * (share == EQUAL) + ["own best"] * (share == best)
                    rate = f"{self._rate(data, share):g}" + (f" ({', '.join(marks)})" if marks else "")
                    of = titles | {"system": METHODS[key].name, "rate": rate}
                    made = {cell.seed: record for cell in self._cells(data, arch, key, share)
                            if (record := self._record(cell)) is not None}
                    groups = [(seed,) for seed in made] + [tuple(made)] * (len(made) > 1)
                    for group in groups:
                        records = [made[seed] for seed in group]
                        numbers += [Number(of=of, what=what, value=value, seeds=group)
                                  for what, value in _measured(data, records).items()]
        return numbers

    def claims(self) -> list[Claim]:
        """More accurate on the simpler sets, slower on CIFAR-100."""
        claims = []
        for data, arch, titles in places(self):
            for setting in self._settings(data, arch):
                where = f"{titles['data']}, {titles['network']}, {setting}"
                pairs = self._pairs(data, arch, setting)
                if data in SLOWER:
                    claims.append(by_numbers(
                        f"{where}: RBC converges more slowly than TRA",
                        [converged(rbc) for _, rbc in pairs], [converged(tra) for tra, _ in pairs],
                        f"seeds, in epochs to {100 * REACHED:g} % of the last validation accuracy"))
                else:
                    images = [(_test(tra), _test(rbc)) for tra, rbc in pairs]
                    claims.append(by_images(f"{where}: RBC reaches a higher test accuracy than TRA",
                                           paired([rbc for _, rbc in images], [tra for tra, _ in images])))
        return claims

    def sentences(self) -> list[str]:
        """Which system converges earlier, seed by seed, and whether a best rate lies at an end of the grid."""
        lines = []
        for data, arch, titles in places(self):
            where = f"{titles['data']}, {titles['network']}"
            for setting in self._settings(data, arch):
                pairs = [(converged(tra), converged(rbc)) for tra, rbc in self._pairs(data, arch, setting)]
                if not pairs:
                    continue
                tra, rbc = (Mean(tuple(float(pair[index]) for pair in pairs)) for index in (0, 1))
                counts = (sum(b < a for a, b in pairs), sum(b > a for a, b in pairs), sum(b == a for a, b in pairs))
                lines.append(
                    f"{where}, {setting}: RBC reaches {100 * REACHED:g} % of its last validation accuracy after {rbc} "
                    f"epochs, TRA after {tra} (means over {len(pairs)} seeds); RBC was earlier with {counts[0]} of "
                    f"the seeds, later with {counts[1]} and level with {counts[2]}.")
            ends = [METHODS[key].name for key in SYSTEMS if self._best(data, arch, key) in (GRID[0], GRID[-1])]
            if ends:
                lines.append(f"{where}: the best rate of {' and of '.join(ends)} lies at an end of the grid, so that "
                             "a better one may lie beyond it.")
        return lines

    def explained(self) -> str:
        """What the numbers mean."""
        rates = "; ".join(f"{info_of(data).title} {', '.join(f'{self._rate(data, share):g}' for share in GRID)}"
                          for data in self.data)
        return (
            f"TRA and RBC were trained with the same recipe at peak learning rates of a grid ({rates}). *Equal "
            f"recipe*: both at the data set's usual rate. *Own best*: each at the rate with the highest mean "
            f"validation accuracy after the last epoch. Validation accuracy is that of the averaged weights where the "
            f"recipe averages them; test accuracy is that of the best epoch. *{EPOCHS.capitalize()}*: the first epoch "
            f"with that share of the last validation accuracy. *Loss left*: the training loss of the last epoch "
            f"over that of the first, since the losses of the two have different units. Shares have Wilson's 95 % "
            f"intervals, means over seeds Student's; where seeds count together, every image counts once for each "
            f"seed, as if they were independent. Test accuracies are compared by McNemar's exact test on the same "
            f"images: a claim *holds* where p < 0.05 and *does not hold* where the difference is certainly below one "
            f"point. Epochs are compared by the interval of the mean paired difference. The paper does not use digits; "
            f"its claims about MNIST and CIFAR-10 are compared with them. In the figure, bars reach from the lowest to "
            f"the highest seed."
        )

    def charts(self) -> dict[str, Figure]:
        """Loss and validation accuracy by epoch, in two panels for each setting."""
        from tasklab.figures.line_chart import lines
        from tasklab.figures.style import blank

        charts: dict[str, Figure] = {}
        for data, arch, titles in places(self):
            for setting in self._settings(data, arch):
                pairs = self._pairs(data, arch, setting)
                for what, words in (("loss", "loss left"), ("accuracy", "validation accuracy")):
                    curves, spread = {}, {}
                    for index, key in enumerate(SYSTEMS):
                        rows = [[100 * value for value in _curve(pair[index], what)] for pair in pairs]
                        epochs = list(zip(*rows, strict=True))
                        name = METHODS[key].name
                        curves[name] = ([epoch + 1 for epoch in range(len(epochs))],
                                        [Mean(values).value for values in epochs])
                        spread[name] = [min(values) for values in epochs], [max(values) for values in epochs]
                    charts[f"{titles['data']}, {titles['network']}, {setting}: {what}"] = (
                        lines(curves, spread=spread, x="epoch", y=f"{words}, %") if pairs else blank("not made"))
        return charts

    def _rate(self, data: str, share: float) -> float:
        return RECIPES[data].lr * share

    def _cells(self, data: str, arch: str, key: str, share: float) -> list[Cell]:
        variant = Variant(lr=self._rate(data, share))
        return [Cell(data=data, arch=arch, method=METHODS[key], seed=seed, scale=self.scale, variant=variant)
                for seed in self.seeds]

    def _record(self, cell: Cell) -> Record | None:
        """The record of a cell that was trained and asked."""
        record = read_record(self.folder, cell)
        asked = questions(cell, PaperProtocol(), ())
        return record if record is not None and record.epochs and not record.missing(asked) else None

    def _records(self, data: str, arch: str, key: str, share: float) -> list[Record]:
        """The records of all seeds; empty unless every seed was made."""
        records = [self._record(cell) for cell in self._cells(data, arch, key, share)]
        known = [record for record in records if record is not None]
        return known if len(known) == len(records) else []

    def _best(self, data: str, arch: str, key: str) -> float | None:
        """The rate with the highest validation accuracy, in units of the usual one; None until all were tried."""
        tried = {share: self._records(data, arch, key, share) for share in GRID}
        if not all(tried.values()):
            return None
        return max(GRID, key=lambda share: Mean(tuple(record.epochs[-1]["accuracy"] for record in tried[share])).value)

    def _settings(self, data: str, arch: str) -> dict[str, tuple[float | None, float | None]]:
        """The rates of TRA and of RBC by the name of the comparison."""
        tra, rbc = (self._best(data, arch, key) for key in SYSTEMS)
        return {"equal recipe": (EQUAL, EQUAL), "own best rate": (tra, rbc)}

    def _pairs(self, data: str, arch: str, setting: str) -> list[tuple[Record, Record]]:
        """The records of TRA and of RBC, seed by seed; none where any is missing."""
        rates = self._settings(data, arch)[setting]
        tra, rbc = ([] if share is None else self._records(data, arch, key, share)
                    for key, share in zip(SYSTEMS, rates, strict=True))
        return list(zip(tra, rbc, strict=True)) if tra and rbc else []


def _curve(record: Record, what: str) -> list[float]:
    """The validation accuracy of each epoch, or the training loss over that of the first."""
    values = [float(epoch[what]) for epoch in record.epochs]
    return values if what == "accuracy" else [value / values[0] if values[0] else 0.0 for value in values]


def converged(record: Record) -> int:
    """The first epoch with `REACHED` of the last validation accuracy, from a record that has epochs."""
    curve = _curve(record, "accuracy")
    return next(epoch for epoch, value in enumerate(curve, start=1) if value >= REACHED * curve[-1])


def _test(record: Record) -> Tensor:
    """Which test images are classified correctly."""
    return next(finding.images for finding in record.findings if finding.asked["kind"] == "clean")


def _measured(data: str, records: Sequence[Record]) -> dict[str, Any]:
    """The results of several training runs of one system."""
    n = info_of(data).sizes[1]
    return {
        "validation accuracy": pooled(Share(round(record.epochs[-1]["accuracy"] * n), n) for record in records),
        "test accuracy": pooled(Share.of(_test(record)) for record in records),
        EPOCHS: Mean(tuple(float(converged(record)) for record in records)),
        "loss left": Mean(tuple(_curve(record, "loss")[-1] for record in records)),
    }
