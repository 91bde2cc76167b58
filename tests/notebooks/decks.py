"""Slides without running a notebook: every cell that would be shown has printed a line and drawn a figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest

from tasklab.course import notebooks, slides

FIGURE = {"data": [{"type": "scatter", "x": [0, 1], "y": [1, 0]}], "layout": {
    "title": {"text": "</script> & <b>"}, "meta": {"words": "It falls."}}}


def pretend(notebook: Any, name: str) -> None:
    """What running a notebook would leave in it."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            printed = nbformat.v4.new_output("stream", name="stdout", text=f"printed by {name}\n")  # type: ignore
            drawn = nbformat.v4.new_output("display_data", {slides.PLOTLY: FIGURE})  # type: ignore
            described = nbformat.v4.new_output("display_data", {"text/html": "<details>words</details>"})  # type: ignore
            cell.outputs = [printed, drawn, described]


def write(folder: Path, patch: pytest.MonkeyPatch, only: tuple[str, ...]) -> list[Path]:
    """The slides of the sessions that work on these notebooks."""
    patch.setattr(notebooks, "run", pretend)
    return list(slides.write_slides(folder, only=only))
