"""The paper's tables as the app shows them: what was made of each, read again only when a file has changed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from lab_ui.visitor import catalogue
from tasklab import zoo
from tasklab.data import DATASETS
from tasklab.data.radii import eps_said
from tasklab.figures.comparison import comparison
from tasklab.models import ARCHITECTURES
from tasklab.paper import grid
from tasklab.paper.cells import fingerprint
from tasklab.paper.claims import Claim
from tasklab.paper.documents import Document
from tasklab.paper.grid import FULL, QUICK, Cell, Scale, cells_of
from tasklab.paper.protocol import PaperProtocol
from tasklab.paper.published import COLUMNS
from tasklab.paper.records import SHIPPED, Record, read_record, record_file, system_file
from tasklab.paper.table_claims import table_claims
from tasklab.paper.tables import Value, compared, long_frame, row

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

OWN = Path("runs/paper/cells")
"""Where ``tasklab paper`` keeps the records that it makes."""

PROTOCOL = PaperProtocol()
"""What is shown: the numbers for the usual values of the settings that the paper leaves open."""

SEEDS = 10
"""Records are looked for with seeds below this one."""

TABLES = {"Table 1": "table1", "Table 2": "table2"}
DATA = (*grid.DATA, "digits")
NETWORKS = {ARCHITECTURES[arch].title: arch for arch in (*grid.NETWORKS, "small_cnn")}
"""The paper's networks, and the small one; name for people to name in the library."""

Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """One table for one data set and one network.

    Attributes:
        document: the table with its cells.
        values: its numbers, row by row.
        records: what is known of each cell that was made.
        seeds: all that there are records for.
        claims: what the paper concludes from the table, and what was measured over all of these seeds.
        troubles: a sentence for each file that could not be read.
    """

    document: Document
    values: tuple[Value, ...]
    records: dict[Cell, Record]
    seeds: tuple[int, ...]
    claims: tuple[Claim, ...]
    troubles: tuple[str, ...]

    def frame(self) -> pd.DataFrame:
        """Every number on a line of its own."""
        return long_frame(self.values)

    def figure(self) -> Figure:
        """The table as a figure."""
        return comparison(compared(self.values), [str(column) for column in COLUMNS])

    def find(self, system: str, column: str) -> Value:
        """The number in a row and a column, both as the paper writes them."""
        return next(value for value in self.values
                    if value.cell.method.name == system and str(value.column) == column)


def datasets() -> list[str]:
    """All data sets, those with a record first."""
    return sorted(DATA, key=lambda data: not any(_is_made(cell) for arch in NETWORKS.values()
                                                 for cell in _both(data, arch)))


def networks(data: str) -> list[str]:
    """The names of the networks that there are numbers for, those with a record first; the small one always."""
    made = [name for name, arch in NETWORKS.items() if any(_is_made(cell) for cell in _both(data, arch))]
    return made + [name for name, arch in NETWORKS.items()
                   if name not in made and (arch == "small_cnn" or data in grid.DATA)]


def seeds(data: str, network: str) -> tuple[int, ...]:
    """The seeds that there are records for, and the first one always."""
    return tuple(seed for seed in range(SEEDS) if not seed or any(
        _is_made(cell) for cell in _both(data, NETWORKS[network], seed)))


def title(table: Table, name: str) -> str:
    """The title of a table's figure in a file.

    Args:
        table: whose figure it is.
        name: as the paper numbers it.
    """
    cell = table.document.cells[0]
    radii = ", ".join(eps_said(eps) for eps in sorted({value.eps for value in table.values if value.eps}))
    counts = sorted({value.accuracy.n for value in table.values if value.accuracy is not None and value.eps})
    n = " and ".join(f"{count:,}" for count in counts) or "not measured"
    return (f"{name} of the paper: published and measured · {DATASETS[cell.data].title}, {cell.arch} · n = {n} · "
            f"FGSM and PGD · ε = {radii}")


def read(table: str, data: str, network: str, seed: int = 0) -> Table:
    """One table.

    Args:
        table: a value of `TABLES`.
        data: a data set.
        network: a key of `NETWORKS`.
        seed: of the training runs.
    """
    arch, every = NETWORKS[network], seeds(data, network)
    made = [cell.scale for cell in _both(data, arch, seed) if _is_made(cell)]
    scale = FULL if FULL in made or not made else QUICK
    cells = [cell for each in every for cell in cells_of(table, [data], [arch], seed=each, scale=scale)]
    needed = [file for cell in grid.with_bases(cells) for file in files(cell)]
    return _read(table, data, arch, seed, every, scale, OWN, stamp(needed))


@lru_cache(maxsize=64)
def _read(
    table: str, data: str, arch: str, seed: int, every: tuple[int, ...], scale: Scale, folder: Path, stamp: Stamp
) -> Table:
    of_seed = {each: cells_of(table, [data], [arch], seed=each, scale=scale) for each in every}
    cells, all_cells = of_seed[seed], [cell for each in of_seed.values() for cell in each]
    records, troubles = dict[Cell, Record](), list[str]()
    for cell in grid.with_bases(all_cells):
        try:
            record = read_record(folder, cell)
        except (OSError, ValueError):
            troubles.append(f"The record of {cell.name} is damaged and was left out; replace its file with an "
                            "undamaged copy, or remove it and make the cell again.")
            continue
        if record is not None:
            records[cell] = record
    values = [value for cell in cells for value in row(
        cell, records.get(cell), None if cell.base is None else records.get(cell.base), PROTOCOL)]
    document = Document(table=table, cells=cells, folder=folder, protocol=PROTOCOL)
    claims = table_claims(table, all_cells, records.get, PROTOCOL)
    return Table(document=document, values=tuple(values), records=records, seeds=every, claims=tuple(claims),
                 troubles=tuple(troubles))


def is_shipped(cell: Cell, record: Record) -> bool:
    """Whether the attack lab has the system of a cell, with the weights that its record is about."""
    try:
        return _fingerprint(cell.name, catalogue.stamp(cell.name)) == record.weights
    except (OSError, ValueError):
        return False


@lru_cache(maxsize=64)
def _fingerprint(name: str, stamp: str) -> str:
    return fingerprint(catalogue.system(name))


def _both(data: str, arch: str, seed: int = 0) -> list[Cell]:
    """The cells of both tables, in full and at the quick scale."""
    return [cell for table in TABLES.values() for scale in (FULL, QUICK)
            for cell in cells_of(table, [data], [arch], seed=seed, scale=scale)]


def files(cell: Cell) -> list[Path]:
    """All files on which the numbers of a cell depend."""
    return [record_file(OWN, cell), system_file(OWN, cell), record_file(zoo.folder() / SHIPPED, cell)]


def _is_made(cell: Cell) -> bool:
    own, system, shipped = files(cell)
    return own.is_file() or (shipped.is_file() and not system.is_file())


def stamp(needed: list[Path]) -> Stamp:
    """By which a change of any of these files is noticed."""
    stamps = []
    for file in needed:
        try:
            status = file.stat()
        except OSError:
            continue
        stamps.append((str(file), status.st_mtime_ns, status.st_size))
    return tuple(stamps)
