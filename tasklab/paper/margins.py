"""Figure 4: accuracy and robustness of RBC over S, with outputs as published and with outputs scaled to S."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from tasklab.data.radii import eps_said
from tasklab.evaluation.statistics import Mean, Share
from tasklab.paper.claims import Claim, by_images, by_numbers, paired
from tasklab.paper.convergence import EPOCHS, REACHED, converged
from tasklab.paper.figure import Number, PaperFigure, places, pooled
from tasklab.paper.grid import METHODS, TASKS, Cell, Variant
from tasklab.paper.protocol import Kind, PaperProtocol, Question, questions
from tasklab.paper.records import Finding, Record, read_record
from tasklab.tasks.base import Parametrisation

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SIZES = (1.0, 10.0, 50.0, 100.0, 200.0, 350.0, 500.0)
QUICK_SIZES = (1.0, 10.0, 100.0, 350.0)
"""The values of S."""

USUAL = float(TASKS["rbc"]["S"])
"""The paper's S, at which it finds RBC to converge reasonably."""

WAYS: dict[Parametrisation, str] = {"paper": "as published", "scaled": "scaled to S"}
"""How the output layer is sized, by parametrisation."""

PGD5 = PaperProtocol(steps=5)
"""The paper's PGD-5."""

ASKED: dict[Kind, str] = {
    "clean": "clean", "fgsm": "FGSM, training loss", "pgd": "PGD-5, training loss", "margin": "PGD-40, margin",
}
"""What every cell is asked, at the third radius."""


def rbc_cell(cell: Cell, size: float, way: Parametrisation) -> Cell:
    """The cell of RBC with that S; with the tables' settings it is the tables' cell.

    Args:
        cell: its data set, network, seed and scale.
        size: S.
        way: the parametrisation.
    """
    asked = Variant(S=size, parametrisation=way)
    usual = asked == Variant(S=USUAL)
    return dataclasses.replace(cell, method=METHODS["rbc"], variant=Variant() if usual else asked)


def third_radius(cell: Cell, kinds: Sequence[Kind]) -> list[Question]:
    """The clean images, and attacks at the third radius, PGD with the paper's 5 steps."""
    return [each for each in questions(cell, PGD5, kinds) if each.intensity in ("", "III")]


@dataclass(frozen=True, kw_only=True)
class Margins(PaperFigure):
    """Figure 4."""

    name: ClassVar[str] = "fig4"
    title: ClassVar[str] = "Figure 4: accuracy and robustness of RBC over S"
    usual_data: ClassVar[tuple[str, ...]] = ("cifar100",)
    usual_seeds: ClassVar[tuple[int, int]] = (3, 2)

    @property
    def sizes(self) -> tuple[float, ...]:
        """The values of S."""
        return QUICK_SIZES if self.quick else SIZES

    def asked(self) -> dict[Cell, Sequence[Question]]:
        """One cell for each S, parametrisation and seed."""
        cells = [cell for data, arch, _ in places(self) for way in WAYS for size in self.sizes
                 for cell in self._cells(data, arch, way, size)]
        return {cell: third_radius(cell, ("fgsm", "pgd", "margin")) for cell in cells}

    def numbers(self) -> list[Number]:
        """Accuracies, what the attacks left undone, for each seed and for all of them together."""
        numbers = []
        for data, arch, titles in places(self):
            for way, words in WAYS.items():
                for size in self.sizes:
                    of = titles | {"outputs": words, "S": f"{size:g}"}
                    by_seed = {seed: shares for seed in self.seeds
                               if (shares := self._shares(self._cell(data, arch, way, size, seed)))}
                    seeds = tuple(by_seed)
                    groups = [(seed,) for seed in seeds] + [seeds] * (len(seeds) > 1)
                    numbers += [
                        Number(of=of, what=what, seeds=group,
                               value=pooled(by_seed[seed][what] for seed in group if what in by_seed[seed]))
                        for group in groups for what in by_seed[group[0]]
                    ]
                    epochs = self._epochs(data, arch, way, size)
                    if epochs:
                        numbers.append(Number(of=of, what=EPOCHS, value=Mean(tuple(map(float, epochs.values()))),
                                            seeds=tuple(epochs)))
        return numbers

    def claims(self) -> list[Claim]:
        """A larger S is said to give more accuracy and more robustness, and to slow convergence down."""
        claims = []
        for data, arch, titles in places(self):
            for way, words in WAYS.items():
                where = f"{titles['data']}, {titles['network']}, outputs {words}"
                for kind, name in ASKED.items():
                    what = "accuracy on clean images" if kind == "clean" else f"accuracy under {name}"
                    compared = paired(*self._standing(data, arch, way, kind))
                    claims.append(by_images(
                        f"{where}: a larger S gives a higher {what} (S = {USUAL:g} against S = {self.sizes[0]:g})",
                        compared, self._note(data, arch, way) if kind in ("fgsm", "pgd") else "",
                    ))
                large, small = (self._epochs(data, arch, way, size) for size in (USUAL, self.sizes[0]))
                both = [seed for seed in large if seed in small]
                claims.append(by_numbers(
                    f"{where}: a larger S slows convergence down (S = {USUAL:g} against S = {self.sizes[0]:g})",
                    [large[seed] for seed in both], [small[seed] for seed in both], f"seeds, in {EPOCHS} of the last "
                    "validation accuracy",
                ))
        return claims

    def sentences(self) -> list[str]:
        """Between which values each share lies over S."""
        sentences = []
        for data, arch, titles in places(self):
            for way, words in WAYS.items():
                ranges = []
                for what in (*ASKED.values(), "zero gradient"):
                    shares = [share for size in self.sizes if (share := self._all_seeds(data, arch, way, size, what))]
                    if shares:
                        low, high = (100 * end(share.value for share in shares) for end in (min, max))
                        ranges.append(f"{what} {low:.1f} to {high:.1f} %")
                if ranges:
                    sentences.append(f"{titles['data']}, {titles['network']}, outputs {words}: over all values of S "
                                     f"that were made, {', '.join(ranges)}.")
        return sentences

    def explained(self) -> str:
        """What the numbers mean."""
        cells = list(self.asked())
        radii = " or ".join(dict.fromkeys(eps_said(cell.radii[2]) for cell in cells))
        return (
            f"RBC was trained with each S and the same recipe, once with outputs and loss as published, once with an "
            f"output layer of the size S and the loss divided by S². In the second form the loss is the same function "
            f"of the network for every S, so that only the effect of S on the optimiser is left. Accuracies under "
            f"attack are on the first {cells[0].scale.attacked} test images at ε = {radii}: FGSM and PGD-5 on the "
            f"system's training loss, as in the paper, and PGD-40 on the margin, which decides. *Zero gradient* is the "
            f"share of the images classified correctly that gave PGD-5 no gradient; *unmoved* is the share that it "
            f"returned unchanged, bit for bit. Intervals are Wilson's, of 95 %. Where seeds count together, every "
            f"image counts once for each seed, as if they were independent; the same goes for the comparisons, by "
            f"McNemar's exact test on the same images. A claim *holds* where p < 0.05, and *does not hold* where the "
            f"difference is certainly below one point. "
            f"*{EPOCHS.capitalize()}*: the first epoch with {100 * REACHED:g} % of the last validation accuracy, by "
            f"Student's interval over seeds; a system that was made elsewhere may come without its epochs."
        )

    def charts(self) -> dict[str, Figure]:
        """Accuracies over S: a panel for each parametrisation."""
        from tasklab.figures.line_chart import lines

        charts: dict[str, Figure] = {}
        for data, arch, titles in places(self):
            for way, words in WAYS.items():
                curves, spread = {}, {}
                for what in (*ASKED.values(), "zero gradient"):
                    points = [(size, share) for size in self.sizes
                              if (share := self._all_seeds(data, arch, way, size, what))]
                    curves[what] = [size for size, _ in points], [100 * share.value for _, share in points]
                    ends = [share.interval for _, share in points]
                    spread[what] = [100 * low for low, _ in ends], [100 * high for _, high in ends]
                charts[f"{titles['data']}, {titles['network']}: outputs {words}"] = lines(
                    curves, spread=spread, x="S", y="images, %", log_x=True, y_range=(-3, 103))
        return charts

    def _cell(self, data: str, arch: str, way: Parametrisation, size: float, seed: int) -> Cell:
        return rbc_cell(Cell(data=data, arch=arch, method=METHODS["rbc"], seed=seed, scale=self.scale), size, way)

    def _cells(self, data: str, arch: str, way: Parametrisation, size: float) -> list[Cell]:
        return [self._cell(data, arch, way, size, seed) for seed in self.seeds]

    def _shares(self, cell: Cell) -> dict[str, Share]:
        """By name, what is known of a cell."""
        record = read_record(self.folder, cell)
        by_name = {name: finding.outcomes.accuracy for kind, name in ASKED.items()
                 if (finding := _finding(record, cell, kind))}
        pgd = _finding(record, cell, "pgd")
        if pgd and pgd.clean is not None and pgd.zero_gradient is not None and pgd.unmoved is not None:
            by_name |= {"zero gradient": Share(pgd.zero_gradient, pgd.clean), "unmoved": Share(pgd.unmoved, pgd.clean)}
        return by_name

    def _epochs(self, data: str, arch: str, way: Parametrisation, size: float) -> dict[int, int]:
        """How many epochs each seed took to converge, where that was kept."""
        records = {cell.seed: read_record(self.folder, cell) for cell in self._cells(data, arch, way, size)}
        return {seed: converged(record) for seed, record in records.items() if record is not None and record.epochs}

    def _all_seeds(self, data: str, arch: str, way: Parametrisation, size: float, what: str) -> Share | None:
        shares = [self._shares(cell).get(what) for cell in self._cells(data, arch, way, size)]
        known = [share for share in shares if share is not None and share.n]
        return pooled(known) if known else None

    def _standing(
        self, data: str, arch: str, way: Parametrisation, kind: Kind
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Which images stand with the paper's S and with the smallest, for each seed that has both."""
        large, small = [], []
        for seed in self.seeds:
            both = [_finding(read_record(self.folder, cell), cell, kind)
                    for cell in (self._cell(data, arch, way, size, seed) for size in (USUAL, self.sizes[0]))]
            if both[0] and both[1] and both[0].outcomes.n == both[1].outcomes.n:
                large.append(both[0].images)
                small.append(both[1].images)
        return large, small

    def _note(self, data: str, arch: str, way: Parametrisation) -> str:
        shares = [(size, self._all_seeds(data, arch, way, size, "zero gradient")) for size in (USUAL, self.sizes[0])]
        shown = [f"{share.percent()} % at S = {size:g}" for size, share in shares if share]
        return f"; without a gradient: {', '.join(shown)}" if shown else ""


def _finding(record: Record | None, cell: Cell, kind: Kind) -> Finding | None:
    if record is None:
        return None
    (question,) = [each for each in third_radius(cell, () if kind == "clean" else (kind,)) if each.kind == kind]
    return record.find(question)
