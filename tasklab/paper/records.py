"""The findings on each cell, in one JSON file each, which is written after every evaluation and read by the tables."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tasklab import files, strict_json, zoo
from tasklab.evaluation.counts import Outcomes
from tasklab.evaluation.statistics import Share
from tasklab.paper.grid import Cell
from tasklab.paper.protocol import Question

FORMAT = 1
SHIPPED = "paper"
"""The folder of the shipped records, beside the shipped systems."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The answer to one question.

    Attributes:
        asked: the question, as `Question.to_dict`.
        correct, wrong, abnormal: how many images decode to their label, to another class, and to None.
        clean: how many of the images were classified correctly before the attack; None on clean images.
        zero_gradient: of those, how many never gave the attack a gradient other than exactly 0; None where it is not
            known.
        unmoved: of those, how many came back bit for bit; None where it is not known.
        standing: which images decode to their label, as hexadecimal digits; see `images`.
        seconds: what it took.
    """

    asked: Mapping[str, Any]
    correct: int
    wrong: int
    abnormal: int
    clean: int | None = None
    zero_gradient: int | None = None
    unmoved: int | None = None
    standing: str
    seconds: float

    @property
    def outcomes(self) -> Outcomes:
        """Correct, wrong and None."""
        return Outcomes(correct=self.correct, wrong=self.wrong, abnormal=self.abnormal)

    @property
    def zero_share(self) -> Share | None:
        """The share of the correct images that gave no gradient."""
        if self.clean is None or self.zero_gradient is None:
            return None
        return Share(self.zero_gradient, self.clean)

    @property
    def images(self) -> Tensor:
        """bool ``(N,)``: which images decode to their label."""
        return from_hex(self.standing, self.outcomes.n)


def to_hex(which: Tensor) -> str:
    """A bool tensor ``(N,)`` as hexadecimal digits, eight images in two of them.

    >>> to_hex(torch.tensor([True, False, False, False, True]))
    '88'
    """
    return np.packbits(which.cpu().numpy()).tobytes().hex()


def from_hex(digits: str, n: int) -> Tensor:
    """The tensor that `to_hex` wrote.

    Raises:
        ValueError: another number of digits than N images have, or something else than digits.

    >>> from_hex("88", 5).tolist()
    [True, False, False, False, True]
    """
    if len(digits) != 2 * math.ceil(n / 8):
        raise ValueError(f"expected the hexadecimal digits of {n} images, got {len(digits)}")
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(digits), dtype=np.uint8), count=n)
    return torch.from_numpy(bits.astype(bool))


@dataclass(frozen=True, kw_only=True)
class Record:
    """Everything that is known about a cell.

    Attributes:
        name: the cell's.
        method: of the cell, as the paper writes it.
        card: of its system: task, recipe, seed, versions, device, seconds, and the command that made it.
        weights: a digest of its weights and task, as `tasklab.paper.cells.fingerprint` takes it.
        start: name and digest of the system that its training started from; None for fresh weights.
        findings: the answers so far.
        epochs: the events of its training run after each epoch; empty where they were not kept.
    """

    name: str
    method: str
    card: Mapping[str, Any]
    weights: str
    start: Mapping[str, str] | None = None
    findings: tuple[Finding, ...] = ()
    epochs: tuple[Mapping[str, Any], ...] = ()

    def find(self, question: Question) -> Finding | None:
        """The answer to a question, if it is there."""
        asked = question.to_dict()
        return next((finding for finding in self.findings if finding.asked == asked), None)

    def missing(self, questions: Sequence[Question]) -> list[Question]:
        """The questions without an answer."""
        return [question for question in questions if self.find(question) is None]

    def adding(self, finding: Finding) -> Record:
        """The record with one more answer."""
        return dataclasses.replace(self, findings=(*self.findings, finding))

    def to_dict(self) -> dict[str, Any]:
        """Plain values that `from_dict` reads."""
        return {"format": FORMAT} | dataclasses.asdict(self)

    @staticmethod
    def from_dict(plain: Mapping[str, Any]) -> Record:
        """The record that `to_dict` described.

        Raises:
            ValueError: another format, or parts that are missing or wrong.
        """
        try:
            parts = dict(plain)
            if parts.pop("format") != FORMAT:
                raise ValueError(f"expected format {FORMAT}")
            parts["findings"] = tuple(Finding(**finding) for finding in parts["findings"])
            parts["epochs"] = tuple(parts.get("epochs", ()))
            sizes: dict[int, int] = {}  # findings of as many images are compared image by image
            for finding in parts["findings"]:
                assert finding.outcomes.n > 0 and int(finding.images.sum()) == finding.correct
                assert sizes.setdefault(finding.asked["n"], finding.outcomes.n) == finding.outcomes.n
                assert finding.clean is None or 0 <= (finding.zero_gradient or 0) <= finding.clean <= finding.outcomes.n
            assert all(isinstance(parts[name], str) for name in ("name", "method", "weights"))
            assert all(isinstance(part, Mapping) for part in (parts["card"], parts.get("start") or {}))
            return Record(**parts)
        except (AttributeError, KeyError, TypeError, OverflowError, AssertionError) as error:
            raise ValueError(f"expected a record of a cell, got one with other parts ({error!r})") from None


def record_file(folder: Path, cell: Cell) -> Path:
    """Where a cell's record is kept.

    Args:
        folder: of all cells.
        cell: whose.
    """
    return folder / f"{cell.name}.json"


def system_file(folder: Path, cell: Cell) -> Path:
    """Where the system of a cell is kept that was trained here; the arguments are those of `record_file`."""
    return folder / f"{cell.name}{zoo.SUFFIX}"


def read_record(folder: Path, cell: Cell) -> Record | None:
    """The record of a cell from the folder, or else the shipped one; None if the cell was not made.

    The shipped record does not count once the folder has a system of its own, since that has other weights.

    Raises:
        ValueError: the file cannot be read.
    """
    file = record_file(folder, cell)
    if not file.is_file() and not system_file(folder, cell).is_file():
        file = record_file(zoo.folder() / SHIPPED, cell)
    if not file.is_file():
        return None
    try:
        return Record.from_dict(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"expected what was found of {cell.name} in {file}, got a file that cannot be read ({error}); "
                         "try removing it") from None


def write_record(folder: Path, cell: Cell, record: Record) -> None:
    """Write the record of a cell, completely or not at all."""
    files.write_text(record_file(folder, cell), strict_json.dumps(record.to_dict(), indent=1) + "\n")
