"""Works: computations on finished systems beyond what a cell is asked, each kept as one JSON file."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tasklab import data, files, strict_json, zoo
from tasklab.data import ImageSet
from tasklab.evaluation.robustness import Progress
from tasklab.paper.cells import Workshop, fingerprint
from tasklab.paper.grid import Cell
from tasklab.paper.plan import Pace
from tasklab.paper.records import SHIPPED, read_record
from tasklab.system import System


@dataclass(frozen=True, kw_only=True)
class Work(ABC):
    """A computation on the systems of some cells.

    Attributes:
        kind: what it is, in a word for names of files.
        cells: whose systems it is about, the one that the file is called after first.
        n: how many test images.
    """

    kind: ClassVar[str]
    cells: tuple[Cell, ...]
    n: int

    @abstractmethod
    def compute(
        self, systems: Sequence[System], test: ImageSet, progress: Callable[[Progress], object] | None
    ) -> dict[str, Any]:
        """Compute the result, as plain values.

        Args:
            systems: of the cells, on one device.
            test: the test split, on the same device.
            progress: called at each step of each attack.
        """

    @abstractmethod
    def seconds(self, pace: Pace) -> float:
        """About how long it takes."""

    @property
    def settings(self) -> dict[str, Any]:
        """The values that identify the work, together with its kind and cells."""
        return {"n": self.n}

    @property
    def name(self) -> str:
        """The name of the work and of its file."""
        identity = [self.kind, [cell.name for cell in self.cells], self.settings]
        return f"{self.cells[0].name}.{self.kind}-{hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:8]}"

    def read(self, folder: Path) -> dict[str, Any] | None:
        """The result in the folder, or else the shipped one; None if there is none, or only one of other weights.

        Raises:
            ValueError: the file cannot be read.
        """
        file = self.file(folder)
        if not file.is_file():
            file = self.file(zoo.folder() / SHIPPED)
        records = [read_record(folder, cell) for cell in self.cells]
        if not file.is_file() or any(record is None for record in records):
            return None
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            weights, result = list(content["weights"]), dict(content["found"])
            if content["digest"] != _digest(result):
                raise ValueError("it was altered")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"expected a result in {file}, got a file that cannot be read ({error!r}); try "
                             "removing it") from None
        return result if weights == [record.weights for record in records if record is not None] else None

    def make(self, workshop: Workshop, progress: Callable[[Progress], object] | None = None) -> None:
        """Compute it and keep it; its cells have to have been made before."""
        paths = [workshop.weights(cell) for cell in self.cells]
        systems = [System.load(path) for path in paths if path is not None]
        if len(systems) < len(self.cells):
            missing = [cell.name for cell, path in zip(self.cells, paths, strict=True) if path is None]
            raise ValueError(f"expected the systems of {self.name}, got none of {', '.join(missing)}; make them before")
        weights = [fingerprint(system) for system in systems]
        test = data.load(self.cells[0].data, "test", root=workshop.root).to(workshop.device)
        on_device = [system.to(workshop.device) for system in systems]
        self.write(workshop.folder, weights, self.compute(on_device, test, progress))

    def write(self, folder: Path, weights: Sequence[str], result: dict[str, Any]) -> None:
        """Keep what was found on systems with these fingerprints."""
        plain = strict_json.plain(result)
        content = {"settings": self.settings, "cells": [cell.name for cell in self.cells], "weights": list(weights),
                   "found": plain, "digest": _digest(plain)}
        files.write_text(self.file(folder), strict_json.dumps(content) + "\n")

    def file(self, folder: Path) -> Path:
        """The file of the result in the folder."""
        return folder / f"{self.name}.json"


def _digest(result: dict[str, Any]) -> str:
    """A digest of the result as it is written to the file."""
    return hashlib.sha256(json.dumps(result, sort_keys=True).encode()).hexdigest()[:16]
