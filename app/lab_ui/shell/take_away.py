"""What can be taken away from a page: its code, its tables, its figures and further files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from tasklab.course import notebooks_of

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

IMPORT_TORCH = "import torch\n\n"


@st.fragment
def draw(
    slug: str, code: str | None, tables: Mapping[str, DataFrame | Callable[[], DataFrame]],
    figures: Mapping[str, tuple[Figure | Callable[[], Figure], str]],
    files: Mapping[str, tuple[Callable[[], str], str]],
) -> None:
    """Draw the last bar of a page. Its content is made only when it is opened: most visitors need none of it.

    Args:
        slug: of the page.
        code, tables, figures, files: as in `lab_ui.shell.frame.close_page`.
    """
    bar = st.expander("Code, link, files", key="take_away", on_change="rerun")
    if not bar.open:
        return
    with bar:
        if code is None:
            st.markdown("The code and the files will be here as soon as the results are.")
            return
        st.markdown("This code computes the numbers of this page with the library alone. The address of the page is a "
                    "link to exactly this view.")
        # a box that scrolls sideways cannot be reached by keyboard
        st.code(on_one_thread(code), language="python", wrap_lines=True)
        with st.container(horizontal=True):
            for name, table in tables.items():
                _download(f"{name} (CSV)", _Csv(table), f"{slug}_{name}.csv", f"csv {name}")
            for name, (figure, title) in figures.items():
                _download(f"{name} (HTML figure)", FigurePage(figure, title), f"{slug}_{name}.html", f"html {name}")
            for name, (make, label) in files.items():
                _download(label, make, name, f"file {name}")
        first, *more = notebooks_of(slug)
        further = f" (and {' and '.join(f'`{name}`' for name in more)})" if more else ""
        st.markdown(f"The notebook of this page is `{first}`{further}; "
                    "`tasklab notebooks build --student --to course` writes them all.")


def on_one_thread(code: str) -> str:
    """A snippet that computes with one thread, as the app does.

    With more threads sums are rounded otherwise, so an attack may end elsewhere.

    Args:
        code: of a page; where nothing is computed with torch, it is returned as it is.

    >>> on_one_thread("print(1)")
    'print(1)'
    """
    if not any(words in code for words in ("zoo.load(", "System.load(", "fit(")):
        return code
    return f"import torch\n\ntorch.set_num_threads(1)  # as the app computes\n\n{code.removeprefix(IMPORT_TORCH)}"


def _download(label: str, text: Callable[[], str], name: str, key: str) -> None:
    """A download button. It starts no run of the page: that would lose the message that the file is ready."""
    st.download_button(label, text, name, "text/csv" if name.endswith(".csv") else "text/html", key=key,
                       on_click="ignore")


@dataclass(frozen=True)
class _Csv:
    """A table as CSV, made on request."""

    table: DataFrame | Callable[[], DataFrame]

    def __call__(self) -> str:
        from tasklab.evaluation import to_csv

        table = self.table() if callable(self.table) else self.table
        return to_csv(table)


@dataclass(frozen=True)
class FigurePage:
    """A figure with a title as a complete HTML page, made on request; its menu saves it as SVG."""

    figure: Figure | Callable[[], Figure]
    title: str

    def __call__(self) -> str:
        from tasklab.figures.style import titled

        figure = titled(self.figure() if callable(self.figure) else self.figure, self.title)
        page: str = figure.to_html(config={"toImageButtonOptions": {"format": "svg"}}, include_plotlyjs=True)
        return page
