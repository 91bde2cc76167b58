"""Cells so small that a table takes seconds, in this process and in others; and records written by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from tasklab.paper.grid import METHODS, Cell, Scale
from tasklab.paper.protocol import KINDS, PaperProtocol, questions
from tasklab.paper.records import Finding, Record, to_hex, write_record

ROOT = Path(__file__).parents[2]
TINY = Scale(suffix="-quick", share=0.2, train=256, width=4, attacked=8, preset="quick")
PROTOCOL = PaperProtocol()
N = 100
"""Images of a record written by hand, whatever number was asked for."""


def cell(method: str, **more: object) -> Cell:
    """A tiny cell on digits."""
    return Cell(data="digits", arch="small_cnn", method=METHODS[method], scale=TINY, **more)  # type: ignore[arg-type]


def process(*words: str) -> subprocess.Popen[str]:
    """``tasklab paper`` with these words in a process of its own, its ``--quick`` as small as `TINY`."""
    code = (
        "import sys\nfrom tasklab.cli import main\nfrom tasklab.paper import grid\n"
        f"grid.QUICK = grid.{TINY!r}\nraise SystemExit(main(['paper', *sys.argv[1:]]))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
    )


def written(
    folder: Path, of: Cell, standing: Mapping[str, range], zero: int = 0, left_out: tuple[str, ...] = (), *,
    weights: str = "0" * 32, card: Mapping[str, Any] | None = None,
) -> None:
    """Write a record: by kind of attack, which of 100 images stand at every intensity; of the others, one is None."""
    findings = []
    for question in questions(of, PROTOCOL, KINDS["both"]):
        if question.kind in left_out:
            continue
        which = torch.zeros(N, dtype=torch.bool)
        which[list(standing[question.kind])] = True
        clean, lost = question.kind == "clean", N - int(which.sum())
        findings.append(Finding(
            asked=question.to_dict(), correct=N - lost, wrong=lost - min(lost, 1), abnormal=min(lost, 1),
            clean=None if clean else N, zero_gradient=None if clean else zero, standing=to_hex(which), seconds=1.0,
        ))
    write_record(folder, of, Record(name=of.name, method=of.method.name, card=card or {}, weights=weights,
                                    findings=tuple(findings)))


def kinds(**standing: range) -> dict[str, range]:
    """Everything stands, but for what is named."""
    return {kind: range(N) for kind in ("clean", *KINDS["both"])} | standing
