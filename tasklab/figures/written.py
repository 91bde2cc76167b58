"""The files of a table or a figure: Markdown to read, CSV and JSON with every number, and what is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasklab import files, strict_json

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def write_all(
    folder: Path, name: str, *, markdown: str, csv: str, values: dict[str, Any], figure: Figure
) -> list[Path]:
    """Write ``name.md``, ``.csv``, ``.json``, ``.html`` and ``.figure.json``, each whole or not at all.

    Returns:
        The files, in this order.
    """
    content = {
        "md": markdown, "csv": csv, "json": strict_json.dumps(values, indent=1, ensure_ascii=False) + "\n",
        "html": figure.to_html(include_plotlyjs=True, full_html=True), "figure.json": figure.to_json(),
    }
    written = {folder / f"{name}.{suffix}": text for suffix, text in content.items()}
    for file, text in written.items():
        files.write_text(file, text)
    return list(written)
