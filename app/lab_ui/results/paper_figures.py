"""The paper's figures as the app shows them: what was made of each, read again only when a file has changed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from lab_ui.results import paper_tables
from lab_ui.results.paper_tables import Stamp
from tasklab import zoo
from tasklab.data import DATASETS
from tasklab.models import ARCHITECTURES
from tasklab.paper import grid
from tasklab.paper.claims import Claim
from tasklab.paper.convergence import Convergence
from tasklab.paper.features import Features
from tasklab.paper.figure import PaperFigure
from tasklab.paper.grid import FULL
from tasklab.paper.margins import Margins
from tasklab.paper.records import SHIPPED
from tasklab.paper.transferring import Transferring

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

FIGURES: dict[str, type[PaperFigure]] = {
    "Figure 2": Convergence, "Figure 3": Features, "Figure 4": Margins, "Figure 5": Transferring,
}

NOTHING = {"digits": [ARCHITECTURES["small_cnn"].title]}
"""What is offered where nothing was made: the place where it takes the least time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """One figure for one data set and one network.

    Attributes:
        document: the figure with its cells.
        charts: title of each panel to the panel.
        claims: what the paper claims, and what was measured.
        sentences: what the numbers say beyond that.
        missing: names of what was not made.
    """

    document: PaperFigure
    charts: dict[str, Figure]
    claims: tuple[Claim, ...]
    sentences: tuple[str, ...]
    missing: tuple[str, ...]

    def frame(self) -> pd.DataFrame:
        """Every number on a line of its own."""
        return self.document.frame()

    def reading(self) -> pd.DataFrame:
        """The numbers to read: one column for each quantity."""
        return self.document.reading(self.document.numbers())

    @property
    def lead(self) -> str:
        """What the figure shows, and how many of the paper's claims were found to hold."""
        judged = [claim.verdict for claim in self.claims if claim.verdict != "cannot be told"]
        if not judged:
            return f"{self.document.title}. What was made here decides none of the claims that the paper draws from it."
        count = judged.count("holds")
        return (f"{self.document.title}. Of the claims that the paper draws from it and that can be judged by what was "
                f"made here, {count} of {len(judged)} hold{'s' * (count == 1)}.")

    @property
    def words(self) -> str:
        """What the figure shows, for those who do not see it."""
        claims = [f"{claim.statement.partition(': ')[2]}: {claim.verdict}" for claim in self.claims]
        return " ".join([f"{self.document.title}.", *self.sentences, *(f"{claim}." for claim in claims)])


def read(name: str, data: str, network: str) -> Shown:
    """One figure, in full, with all of its seeds.

    Args:
        name: a key of `FIGURES`.
        data: a data set.
        network: a key of `paper_tables.NETWORKS`.

    Raises:
        ValueError: a record that does not read.
    """
    document = _document(name, data, paper_tables.NETWORKS[network])
    return _read(name, data, network, paper_tables.OWN, paper_tables.stamp(_files(document)))


def is_made(name: str, data: str, network: str) -> bool:
    """Whether anything that the figure alone needs was made."""
    document = _document(name, data, paper_tables.NETWORKS[network])
    works = [work.file(folder) for work in document.works() for folder in _folders()]
    own = [file for cell in document.asked() if cell.variant != grid.Variant() for file in paper_tables.files(cell)]
    return any(file.is_file() for file in (*works, *own))


def places(name: str) -> dict[str, list[str]]:
    """Data set to the networks for which the figure was made, at least in part; `NOTHING` where there are none."""
    made = {data: [network for network in paper_tables.NETWORKS if is_made(name, data, network)]
            for data in paper_tables.DATA}
    return {data: networks for data, networks in made.items() if networks} or NOTHING


def title(shown: Shown) -> str:
    """The title of a figure in a file."""
    document = shown.document
    return f"{document.title} · {DATASETS[document.data[0]].title}, {document.archs[0]} · {_seeds(document)}"


def _seeds(document: PaperFigure) -> str:
    count = len(document.seeds)
    return f"{count} seeds" if count > 1 else "one seed"


@lru_cache(maxsize=32)
def _read(name: str, data: str, network: str, folder: Path, stamp: Stamp) -> Shown:
    document = _document(name, data, paper_tables.NETWORKS[network])
    return Shown(document=document, charts=document.charts(), claims=tuple(document.claims()),
                 sentences=tuple(document.sentences()), missing=tuple(document.missing))


def _document(name: str, data: str, arch: str) -> PaperFigure:
    kind = FIGURES[name]
    return kind(data=(data,), archs=(arch,), folder=paper_tables.OWN, scale=FULL,
                seeds=tuple(range(kind.usual_seeds[0])))


def _files(document: PaperFigure) -> list[Path]:
    """All files on which the figure depends."""
    works = [work.file(folder) for work in document.works() for folder in _folders()]
    return works + [file for cell in document.asked() for file in paper_tables.files(cell)]


def _folders() -> tuple[Path, Path]:
    return paper_tables.OWN, zoo.folder() / SHIPPED
