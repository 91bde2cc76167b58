"""Small parts of pages as HTML: headings. No text from a visitor or a file goes into them."""

from __future__ import annotations

import html


def cell_heading(name: str, task_words: str) -> str:
    """The heading of a system's cell: its name, and how it answers."""
    return f'<div class="lab-head"><h3>{html.escape(name)}</h3><p>{html.escape(task_words)}</p></div>'
