"""What is still to be made for a table, in which order, and about how long it takes on this machine."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from tasklab.attacks import PGD, Settings, attack
from tasklab.attacks.presets import worst_case_attacks
from tasklab.data.info import info_of
from tasklab.paper.cells import Workshop
from tasklab.paper.grid import METHODS, Cell, with_bases
from tasklab.paper.protocol import Kind, PaperProtocol, Question, questions
from tasklab.paper.records import read_record, record_file
from tasklab.training import Adversarial, StepEvent, Watch, fit

FORWARD = 1 / 3
"""The cost of a forward pass, as a share of that of a forward and a backward pass."""

TAKEN: dict[Kind, float] = {"margin": 0.8, "bits": 0.35, "worst": 0.25}
"""The share of its passes that an attack takes, as images that fall leave it: measured on the quick cells of digits."""

STEPS, PROBED = 3, 32
"""Steps of training, and of an attack, that are timed where nothing was finished yet, and images in each of them."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """What is still to be made of one cell.

    Attributes:
        cell: the cell.
        train: whether its system has to be trained.
        asked: the questions that have to be answered.
    """

    cell: Cell
    train: bool
    asked: tuple[Question, ...]


def plan(workshop: Workshop, cells: Iterable[Cell], protocol: PaperProtocol, kinds: Sequence[Kind]) -> list[Step]:
    """What is still to be made, cells that others start from before those; nothing is trained or attacked.

    Args:
        workshop: where.
        cells: of the table.
        protocol, kinds: what they are asked; see `questions`.
    """
    return plan_asked(workshop, {cell: questions(cell, protocol, kinds) for cell in with_bases(cells)})


def plan_asked(
    workshop: Workshop, asked: Mapping[Cell, Sequence[Question]], used: Collection[Cell] = ()
) -> list[Step]:
    """The same, where each cell has questions of its own.

    Args:
        workshop: where.
        asked: the questions to each cell.
        used: the cells whose systems are needed, whatever is known of them.
    """
    every = with_bases([*asked, *used])
    records = {cell: read_record(workshop.folder, cell) for cell in every}
    wanted = {cell: asked.get(cell, ()) for cell in every}
    left = {cell: tuple(each if (record := records[cell]) is None else record.missing(each))
            for cell, each in wanted.items()}
    without = {cell for cell in every if workshop.weights(cell) is None}
    made = {cell for cell in every if left[cell] or (cell in used and (cell in without or records[cell] is None))}
    trained = made & without
    for cell in reversed(every):  # what another starts from stands before it
        if cell in trained and cell.start in without:
            trained.add(cell.start)
    return [Step(cell=cell, train=cell in trained, asked=tuple(wanted[cell]) if cell in trained else left[cell])
            for cell in every if cell in made or cell in trained]


def training_passes(cell: Cell) -> float:
    """The number of forward and backward passes of an image that train a cell's system and choose its best epoch."""
    sizes, recipe = info_of(cell.data).sizes, cell.recipe
    images, inner, watched = min(cell.scale.train or sizes[0], sizes[0]), 0, 0
    if isinstance(recipe.defence, Adversarial):  # which is watched under two attacks after each epoch
        inner, watch = recipe.defence.steps, Watch(eps=recipe.defence.eps)
        watched = 2 * watch.steps * min(watch.images, sizes[1])
    return recipe.epochs * (images * (1 + inner) + watched + FORWARD * sizes[1]) + 2 * FORWARD * sizes[2]


def attack_passes(cell: Cell, question: Question) -> float:
    """About how many forward and backward passes of an image answer a question."""
    if question.kind == "clean":
        return FORWARD * question.n
    if question.settings is not None:
        passes = question.n * (2 * FORWARD + _passes(question.settings, cell))
    else:
        assert question.preset is not None
        entries = worst_case_attacks(cell.task, question.eps, question.preset, seed=question.seed)
        passes = math.fsum(math.ceil(entry.share * question.n) * _passes(entry.settings, cell) for entry in entries)
    return TAKEN.get(question.kind, 1.0) * passes


def _passes(settings: Settings, cell: Cell) -> float:
    return settings.steps * settings.rows(cell.task) * (1 if settings.uses_gradients else FORWARD)


class Pace:
    """Seconds for each pass of an image: as finished cells of the same network took, or else as a short probe takes.

    Args:
        workshop: whose finished cells tell the pace.
        cells: of which something is to be made; networks that are in none of them are not timed.
    """

    def __init__(self, workshop: Workshop, cells: Iterable[Cell]) -> None:
        self._workshop = workshop
        self._probed: dict[tuple[str, str], tuple[float, float]] = {}
        self._seconds: dict[tuple[str, str, str], float] = {}
        for cell in cells:
            if (cell.data, cell.arch, "training") not in self._seconds:
                self.learn(cell)

    def learn(self, cell: Cell, asked: Sequence[Question] = ()) -> None:
        """Note the pace of a cell's network on its data set, for training and for each kind of attack.

        Args:
            cell: which; those with other methods tell it as well.
            asked: questions that may have been answered, besides those of the tables.
        """
        network, known = (cell.data, cell.arch), self._finished(cell, asked)
        for what in ("training", *get_args(Kind)):
            if what not in known and network not in self._probed:
                self._probed[network] = _probe(self._workshop, cell)
            self._seconds[*network, what] = known[what] if what in known else self._probed[network][what != "training"]

    def training(self, step: Step) -> float:
        """About how many seconds the training takes; 0 without one."""
        return self._of(step.cell, "training") * training_passes(step.cell) if step.train else 0.0

    def question(self, cell: Cell, question: Question) -> float:
        """About how many seconds the answer takes."""
        return self._of(cell, question.kind) * attack_passes(cell, question)

    def whole(self, step: Step) -> float:
        """About how many seconds the step takes."""
        return self.training(step) + math.fsum(self.question(step.cell, each) for each in step.asked)

    def _of(self, cell: Cell, what: str) -> float:
        return self._seconds[cell.data, cell.arch, what]

    def passes(self, cell: Cell, number: float) -> float:
        """About how many seconds this number of forward and backward passes of an image takes."""
        return self._of(cell, "pgd") * number

    def _finished(self, cell: Cell, asked: Sequence[Question]) -> dict[str, float]:
        """Seconds for each pass in those cells of the same network and set that were made here."""
        spent: dict[str, list[tuple[float, float]]] = {}
        for each in (dataclasses.replace(cell, method=method) for method in METHODS.values()):
            record = read_record(self._workshop.folder, each)
            if record is None or not record_file(self._workshop.folder, each).is_file():
                continue  # shipped ones were made on another machine
            if record.card.get("seconds"):
                spent.setdefault("training", []).append((record.card["seconds"], training_passes(each)))
            for finding in record.findings:
                kind = finding.asked["kind"]
                usual = questions(each, PaperProtocol(), () if kind == "clean" else (kind,))
                question = next((one for one in (*usual, *asked) if one.to_dict() == finding.asked), None)
                if question is not None:
                    spent.setdefault(kind, []).append((finding.seconds, attack_passes(each, question)))
        return {what: math.fsum(s for s, _ in pairs) / math.fsum(p for _, p in pairs) for what, pairs in spent.items()}


def _probe(workshop: Workshop, cell: Cell) -> tuple[float, float]:
    """Seconds for each pass of an image in training, and in an attack, from a few steps on small batches."""
    untrained, train, _ = cell.training(device=workshop.device).begin(root=workshop.root)
    size = min(PROBED, cell.recipe.batch_size)
    recipe = dataclasses.replace(cell.recipe, epochs=1, defence=None, batch_size=size)
    few = train.subset(min(STEPS * size, len(train)))
    first, *_, last = (event for event in fit(untrained, few, recipe) if isinstance(event, StepEvent))
    training = (last.seconds - first.seconds) / max(last.step - first.step, 1) / size
    images = few.subset(size).to(workshop.device)
    settings = PGD(eps=cell.radii[0], steps=STEPS, objective="train", keep="last")
    started = time.perf_counter()
    attack(untrained, images.x(), images.labels, settings)
    return training, (time.perf_counter() - started) / (size * (STEPS + 2 * FORWARD))
