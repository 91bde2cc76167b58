"""The paper's conclusions from its tables, compared with the records: as published, and after all attacks together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from tasklab.data.info import info_of
from tasklab.models import ARCHITECTURES
from tasklab.paper.claims import Claim, by_images, paired
from tasklab.paper.grid import METHODS, Cell
from tasklab.paper.protocol import PaperProtocol
from tasklab.paper.published import CLEAN, Column
from tasklab.paper.records import Record
from tasklab.paper.tables import standing


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """A sentence of the paper that says which of two systems classifies more images correctly.

    Attributes:
        words: the sentence.
        more, less: keys of the two methods.
        column: the question that both are asked.
    """

    words: str
    more: str
    less: str
    column: Column


_I, _III = Column("pgd", "I"), Column("pgd", "III")

CONCLUSIONS: dict[str, tuple[Conclusion, ...]] = {
    "table1": (
        Conclusion(words="RBC is more accurate than TRA on clean images", more="rbc", less="tra", column=CLEAN),
        Conclusion(words="INT is more robust than TRA to PGD III", more="int", less="tra", column=_III),
        Conclusion(words="RBC is more robust than TRA to PGD III", more="rbc", less="tra", column=_III),
        Conclusion(words="RBC is more robust than DeepBE to PGD III", more="rbc", less="deepbe", column=_III),
    ),
    "table2": (
        Conclusion(words="adversarial training makes RBC less robust to PGD I", more="rbc", less="rbc-at", column=_I),
        Conclusion(words="Gaussian noise makes RBC more robust to PGD I", more="rbc-gn", less="rbc", column=_I),
        Conclusion(words="Gaussian noise helps RBC more than adversarial training against PGD I", more="rbc-gn",
                   less="rbc-at", column=_I),
        Conclusion(words="RBC+AT is more robust than TRA+AT to PGD III", more="rbc-at", less="tra-at", column=_III),
    ),
}
"""What the paper reads out of each table, for every data set and network in the same way."""


def table_claims(
    table: str, cells: Sequence[Cell], record_of: Callable[[Cell], Record | None], protocol: PaperProtocol
) -> list[Claim]:
    """Each conclusion for each data set and network, over all seeds of the cells; nothing is made.

    Under an attack it is judged twice: by the paper's attack on the training loss, and by the images that all attacks
    of that intensity leave together.

    Args:
        table: a key of `CONCLUSIONS`.
        cells: of the table; their data sets, networks and seeds count.
        record_of: what is known of a cell; None where it was not made.
        protocol: the open settings for which answers are looked up.
    """
    places: dict[tuple[str, str], dict[int, Cell]] = {}
    for cell in cells:
        places.setdefault((cell.data, cell.arch), {})[cell.seed] = cell
    return [
        claim for (data, arch), by_seed in places.items() for conclusion in CONCLUSIONS[table]
        for claim in _judged(conclusion, f"{info_of(data).title}, {ARCHITECTURES[arch].title}", by_seed, record_of,
                             protocol)
    ]


def _judged(
    conclusion: Conclusion, where: str, by_seed: dict[int, Cell], record_of: Callable[[Cell], Record | None],
    protocol: PaperProtocol,
) -> list[Claim]:
    """A conclusion as published and, under an attack, after all attacks together."""
    pairs: list[tuple[tuple[Tensor | None, Tensor | None], ...]] = []
    for cell in by_seed.values():
        both = [dataclasses.replace(cell, method=METHODS[key]) for key in (conclusion.more, conclusion.less)]
        pairs.append(tuple(standing(each, record_of(each), conclusion.column, protocol) for each in both))
    ways = ("",) if conclusion.column == CLEAN else (", as published", ", after all attacks together")
    claims = []
    for index, way in enumerate(ways):
        made = {seed: (more[index], less[index]) for seed, (more, less) in zip(by_seed, pairs, strict=True)}
        whole = {seed: (more, less) for seed, (more, less) in made.items() if more is not None and less is not None}
        higher = sum(int(more.sum()) > int(less.sum()) for more, less in whole.values())
        note = f"; higher with {higher} of {len(whole)} seeds" if len(whole) > 1 else f"; seed {next(iter(whole), 0)}"
        compared = paired([more for more, _ in whole.values()], [less for _, less in whole.values()])
        claims.append(by_images(f"{where}: {conclusion.words}{way}", compared, note))
    return claims
