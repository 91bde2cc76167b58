"""Cells so small that a table takes seconds, in this process and in others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tasklab.paper.grid import METHODS, Cell, Scale

ROOT = Path(__file__).parents[2]
TINY = Scale(suffix="-quick", share=0.2, train=256, width=4, attacked=8, preset="quick")


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
