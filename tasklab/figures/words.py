"""Descriptions of figures: each figure carries its description, and notebooks show it below the figure."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def in_words(figure: Figure, words: str) -> Figure:
    """Give a figure the description of what it shows; the figure itself, changed in place.

    Args:
        figure: any figure; a description that it has is replaced.
        words: whole sentences, for those who do not see the figure.
    """
    figure.layout.meta = {"words": words}
    return figure


def words_of(figure: object) -> str:
    """The description that a figure carries; empty if it has none, or if it is no figure.

    >>> import plotly.graph_objects as go
    >>> words_of(in_words(go.Figure(), "Nothing at all.")), words_of(go.Figure()), words_of(3)
    ('Nothing at all.', '', '')
    """
    meta = getattr(getattr(figure, "layout", None), "meta", None)
    return str(meta.get("words", "")) if isinstance(meta, dict) else ""


def show_words() -> None:
    """From now on, show the words of each figure below it, in the notebook that calls this; elsewhere do nothing.

    They are folded. A figure is shown by the last line of a cell; what a cell draws in other ways stays as it is.
    """
    try:
        from IPython import get_ipython
    except ImportError:  # there is no notebook without it
        return
    shell = get_ipython()
    if shell is None:
        return
    for known in list(shell.events.callbacks["post_run_cell"]):
        if getattr(known, "__name__", "") == _below.__name__:  # that of an earlier call, or of a reloaded module
            shell.events.unregister("post_run_cell", known)
    shell.events.register("post_run_cell", _below)


def _below(result: Any) -> None:
    """Show the words of the figure that a cell has just shown."""
    if words := words_of(result.result):
        from IPython.display import HTML, display

        shown = f"<details><summary>This figure in words</summary><p>{html.escape(words)}</p></details>"
        display(HTML(shown))  # type: ignore[no-untyped-call]
