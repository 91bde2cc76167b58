"""Figure 5: PGD-5 at the third radius, found against one system and shown to others."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from tasklab.data import ImageSet
from tasklab.data.info import info_of
from tasklab.data.radii import eps_said
from tasklab.evaluation.robustness import Progress
from tasklab.evaluation.statistics import Share
from tasklab.evaluation.transfer_matrix import transfer
from tasklab.evaluation.transfer_result import NOISE, Line
from tasklab.models import ARCHITECTURES
from tasklab.paper.claims import Claim, by_images, paired
from tasklab.paper.figure import Number, PaperFigure
from tasklab.paper.grid import METHODS, ROWS, Cell
from tasklab.paper.margins import rbc_cell, third_radius
from tasklab.paper.plan import FORWARD, Pace
from tasklab.paper.protocol import Question
from tasklab.paper.records import from_hex, to_hex
from tasklab.paper.works import Work
from tasklab.system import System

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SIZES = (10.0, 100.0, 350.0)
"""The values of S among which examples are exchanged; outputs are as published."""

SHOWN_TWICE = ("rbc", "tra")
"""The systems whose examples are exchanged among networks: the paper's, and the one that it compares with."""


@dataclass(frozen=True, kw_only=True)
class TransferWork(Work):
    """One system's examples, shown to others; its cells are the threat's and then the victims'."""

    kind: ClassVar[str] = "transfer"

    def compute(
        self, systems: Sequence[System], test: ImageSet, progress: Callable[[Progress], object] | None
    ) -> dict[str, Any]:
        """For each image, the results of the attack and of each victim."""
        images = test.subset(self.n)
        names = [cell.name for cell in self.cells]
        result = transfer({names[0]: systems[0]}, dict(zip(names[1:], systems[1:], strict=True)), images.x(),
                          images.labels, self._settings, progress=progress)
        (threat,) = result.threats.values()
        return {
            "n": self.n, "correct": to_hex(threat.correct), "unmoved": to_hex(threat.result.unmoved),
            "zero_gradient": to_hex(threat.result.zero_gradient),
            "victims": {cell.victim: {"fooled": to_hex(cell.fooled), "noise": to_hex(cell.noise_fooled),
                                      "correct": to_hex(cell.victim_correct)} for cell in result.cells.values()},
        }

    def seconds(self, pace: Pace) -> float:
        """The attack, and three forward passes of each victim."""
        return pace.passes(self.cells[0], self.n * (self._settings.steps + 2 * FORWARD)) + sum(
            pace.passes(victim, 3 * FORWARD * self.n) for victim in self.cells[1:])

    @property
    def settings(self) -> dict[str, Any]:
        """How many images, and the attack."""
        return {"n": self.n, "attack": self._settings.to_dict()}

    @property
    def _settings(self) -> Any:
        (question,) = [each for each in third_radius(self.cells[0], ("pgd",)) if each.kind == "pgd"]
        return question.settings


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """The results of one threat's examples, as bool tensors ``(N,)``.

    Attributes:
        correct: the images that the threat classifies correctly; only these count.
        unmoved, zero_gradient: whether its attack returned the image unchanged, and whether it never had a gradient.
        fooled, noise: by victim, whether the example fools it, and whether uniform noise of the same ε does.
    """

    correct: Tensor
    unmoved: Tensor
    zero_gradient: Tensor
    fooled: dict[str, Tensor]
    noise: dict[str, Tensor]

    @staticmethod
    def of(result: dict[str, Any]) -> Shown:
        """The results in the values of a `TransferWork`."""
        n = result["n"]
        return Shown(
            correct=from_hex(result["correct"], n), unmoved=from_hex(result["unmoved"], n),
            zero_gradient=from_hex(result["zero_gradient"], n),
            fooled={name: from_hex(each["fooled"], n) for name, each in result["victims"].items()},
            noise={name: from_hex(each["noise"], n) for name, each in result["victims"].items()},
        )


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One matrix.

    Attributes:
        title: what is exchanged among whom.
        cells: by the name that is shown; each is threat and victim.
    """

    title: str
    cells: dict[str, Cell]


@dataclass(frozen=True, kw_only=True)
class Transferring(PaperFigure):
    """Figure 5."""

    name: ClassVar[str] = "fig5"
    title: ClassVar[str] = "Figure 5: transfer of adversarial examples among tasks and networks"
    layout: ClassVar[dict[str, Any]] = {"row": 440, "head": 100, "gap": 0.22}
    usual_data: ClassVar[tuple[str, ...]] = ("cifar100",)
    usual_archs: ClassVar[tuple[str, ...]] = ("efficientnet_b0", "resnet18", "densenet121")

    def panels(self, data: str) -> list[Panel]:
        """The matrices of one data set: among tasks, among networks for RBC and for TRA, and among values of S."""
        first, seed, title = self.archs[0], self.seeds[0], info_of(data).title
        on = f"{title}, {ARCHITECTURES[first].title}"
        panels = [Panel(title=f"{on}, tasks", cells={
            method.name: Cell(data=data, arch=first, method=method, seed=seed, scale=self.scale)
            for method in ROWS["table1"]})]
        for key in SHOWN_TWICE:
            cell = Cell(data=data, arch=first, method=METHODS[key], seed=seed, scale=self.scale)
            if len(self.archs) > 1:
                cells = {ARCHITECTURES[arch].title: dataclasses.replace(cell, arch=arch) for arch in self.archs}
                panels.append(Panel(title=f"{title}, networks of {cell.method.name}", cells=cells))
            else:
                cells = {f"seed {each}": dataclasses.replace(cell, seed=each) for each in (seed, seed + 1)}
                panels.append(Panel(title=f"{on}, seeds of {cell.method.name}", cells=cells))
        cell = Cell(data=data, arch=first, method=METHODS["rbc"], seed=seed, scale=self.scale)
        panels.append(Panel(title=f"{on}, S of RBC, outputs as published", cells={
            f"S = {size:g}": rbc_cell(cell, size, "paper") for size in SIZES}))
        return panels

    def asked(self) -> dict[Cell, Sequence[Question]]:
        """The cells of all matrices, whose systems alone are needed."""
        return {cell: () for data in self.data for panel in self.panels(data) for cell in panel.cells.values()}

    def works(self) -> list[Work]:
        """Each row of each matrix."""
        return [self._work(panel, name) for data in self.data for panel in self.panels(data) for name in panel.cells]

    def numbers(self) -> list[Number]:
        """How many images fool each victim, and the numbers with which to interpret that."""
        numbers: list[Number] = []
        for panel, rows in self._every():
            for threat, row in rows.items():
                seeds = tuple(dict.fromkeys([panel.cells[threat].seed]))
                for victim, cell in panel.cells.items():
                    of = {"matrix": panel.title, "found against": threat, "shown to": victim}
                    fooled = row.fooled[cell.name]
                    shares = {
                        "fooled": Share.of(fooled, row.correct),
                        "fooled, of those with a gradient": Share.of(fooled, row.correct & ~row.zero_gradient),
                        "fooled by noise": Share.of(row.noise[cell.name], row.correct),
                    }
                    if victim == threat:
                        shares |= {"zero gradient": Share.of(row.zero_gradient, row.correct),
                                   "unmoved": Share.of(row.unmoved, row.correct)}
                    both = tuple(dict.fromkeys([*seeds, cell.seed]))
                    numbers += [Number(of=of, what=what, value=share, seeds=both) for what, share in shares.items()]
        return numbers

    def claims(self) -> list[Claim]:
        """Examples are said to transfer less from RBC and INT than from TRA."""
        claims = []
        for data in self.data:
            tasks, rbc, tra, _ = self.panels(data)
            rows = self._rows(tasks)
            for name in ("RBC", "INT"):
                victims = [cell.name for other, cell in tasks.cells.items() if other not in ("TRA", name)]
                pairs = [(rows[threat], victims) if threat in rows else None for threat in ("TRA", name)]
                claims += _compared(f"{tasks.title}: more examples transfer from TRA than from {name} to the others",
                                   [(pairs[0], pairs[1])])
            first, second = self._rows(tra), self._rows(rbc)
            exchanged: list[tuple[Source, Source]] = [
                ((first[source], [tra.cells[target].name]) if source in first else None,
                 (second[source], [rbc.cells[target].name]) if source in second else None)
                for source in rbc.cells for target in rbc.cells if source != target
            ]
            claims += _compared(f"{tra.title} and {rbc.title}: more examples transfer among TRA than among RBC",
                               exchanged)
        return claims

    def explained(self) -> str:
        """What the numbers mean."""
        cells = list(self.asked())
        radii = " or ".join(dict.fromkeys(eps_said(cell.radii[2]) for cell in cells))
        return (
            f"PGD-5 on each system's training loss at ε = {radii}, as in the paper, on the first "
            f"{cells[0].scale.attacked} test images, and how other systems classify its last iterates. *Fooled*: the "
            f"share of images that the victim misclassifies. Images that the attacked system misclassifies without an "
            f"attack are left out, as in the paper, but images that the victim misclassifies anyway are not. Where a "
            f"system is shown its own examples, this is the success of the attack itself. *Zero gradient*: images for "
            f"which the attack never had a gradient; it returns them as noise, and if they do not transfer, that says "
            f"nothing about the systems. *Of those with a gradient* leaves them out. *Fooled by noise*: the same "
            f"images under uniform noise of the same ε. *Unmoved*: returned unchanged, bit for bit. Intervals are "
            f"Wilson's, of 95 %, over images; each system is from one training run. Where a single network is asked "
            f"for, two seeds of it take the place of two networks. Claims compare the examples of two systems on the "
            f"images that both of them classified correctly, all victims together, by McNemar's exact test: a claim "
            f"*holds* where p < 0.05, and *does not hold* where the difference is certainly below one point."
        )

    def charts(self) -> dict[str, Figure]:
        """The matrices, with noise as the last row and the share without a gradient as the last column."""
        from tasklab.figures.matrix import rates_figure
        from tasklab.figures.style import blank

        charts: dict[str, Figure] = {}
        for panel, rows in self._every():
            lines = [
                Line(name=threat, rates={victim: Share.of(row.fooled[cell.name], row.correct)
                                         for victim, cell in panel.cells.items()},
                     zero_gradient=Share.of(row.zero_gradient, row.correct))
                for threat, row in rows.items()
            ]
            if lines:
                some = next(iter(rows.values()))
                lines.append(Line(name=NOISE, rates={
                    victim: Share.of(some.noise[cell.name], some.correct) for victim, cell in panel.cells.items()}))
            charts[panel.title] = blank("not made") if not lines else rates_figure(
                lines, list(panel.cells), last="zero_gradient", names={NOISE: "noise"})
        return charts

    def _work(self, panel: Panel, threat: str) -> TransferWork:
        first = panel.cells[threat]
        n = min(self.scale.attacked, info_of(first.data).sizes[2])
        return TransferWork(cells=(first, *panel.cells.values()), n=n)

    def _rows(self, panel: Panel) -> dict[str, Shown]:
        """The rows that were made."""
        results = {threat: self._work(panel, threat).read(self.folder) for threat in panel.cells}
        return {threat: Shown.of(result) for threat, result in results.items() if result is not None}

    def _every(self) -> list[tuple[Panel, dict[str, Shown]]]:
        return [(panel, self._rows(panel)) for data in self.data for panel in self.panels(data)]


Source = tuple[Shown, list[str]] | None
"""A threat's examples, with the names of the victims that they are shown to; None where they were not made."""


def _compared(statement: str, pairs: Sequence[tuple[Source, Source]]) -> list[Claim]:
    """Whether the first ones' examples fool more often than the second ones', in all and where both had a gradient."""
    sides: dict[bool, tuple[list[Tensor], list[Tensor]]] = {False: ([], []), True: ([], [])}
    idle: list[list[Share]] = [[], []]
    for one, other in pairs:
        if one is None or other is None:
            return [by_images(statement, None)]
        (a, to_a), (b, to_b) = one, other
        for index, row in enumerate((a, b)):
            idle[index].append(Share.of(row.zero_gradient, row.correct))
        for aimed, (first, second) in sides.items():
            kept = a.correct & b.correct
            if aimed:
                kept = kept & ~a.zero_gradient & ~b.zero_gradient
            first += [a.fooled[victim][kept] for victim in to_a]
            second += [b.fooled[victim][kept] for victim in to_b]
    shares = [" and ".join(dict.fromkeys(f"{share.percent()} %" for share in each)) for each in idle]
    return [
        by_images(statement, paired(*sides[False]), f"; without a gradient: {shares[0]} against {shares[1]}"),
        by_images(f"{statement}, on images where both attacks had a gradient", paired(*sides[True])),
    ]
