"""The page “Paper”: its tables, each number beside what was measured here and what is left of it; and its figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import streamlit as st

from lab_ui.basics.lab import Lab
from lab_ui.basics.words import SYSTEMS
from lab_ui.panels import paper_views
from lab_ui.parts import charts
from lab_ui.results import paper_figures, paper_tables, paper_words
from lab_ui.results.paper_figures import FIGURES, Shown
from lab_ui.results.paper_tables import TABLES, Table
from lab_ui.shell import frame, menus
from tasklab.data import DATASETS
from tasklab.paper.grid import ROWS
from tasklab.paper.published import COLUMNS
from tasklab.text import in_markdown

URL: Final = "query-params"
COLUMN_NAMES = [str(column) for column in COLUMNS]
USUAL = {"Table 1": "RBC", "Table 2": "RBC+AT"}
"""The system that is opened first in each table."""

CITED = ("K. Han, Y. Li, X. Long and Y. Ge, *Learning Task-aware Robust Deep Learning Systems*. The paper leaves some "
         "settings of its attacks open. Here PGD takes 20 steps of 2.5·ε/steps from a random start, and ε is in units "
         "of pixel values from 0 to 1.")


def page() -> None:
    """Draw the controls, the table, one of its cells, and the downloads."""
    datasets = paper_tables.datasets()
    named = st.query_params.pop("data", None)  # in links that a scenario makes
    if named in datasets and "paper_data" not in (*st.query_params, *st.session_state):
        st.session_state["paper_data"] = named
    data = _before("paper_data", datasets)
    network = _before("paper_network", paper_tables.networks(data))
    seeds = [str(seed) for seed in paper_tables.seeds(data, network)]
    seed = _before("paper_seed", seeds)
    lab = frame.open_page("paper", bar=())
    st.html(paper_views.STYLE)
    head = st.container()
    with st.container(horizontal=True, vertical_alignment="top"):
        name = st.segmented_control(
            "Table or figure", [*TABLES, *FIGURES], default="Table 1", required=True, key="paper_table", bind=URL,
            help="Which part of the paper is shown. Table 1: four systems. Table 2: systems trained again with "
                 "attacked or noisy images. Figure 2: training curves. Figure 3: maps of features. Figure 4: RBC with "
                 "several values of S. Figure 5: transfer.",
        )
        if name in FIGURES:
            places = paper_figures.places(name)
            titles = {each: DATASETS[each].title for each in places}
            data = menus.one(st.segmented_control, "Data set", titles, next(iter(places)), key="paper_figure_data",
                             required=True, wrap=True)
            network = _select("Network", places[data], "paper_figure_network", width=200)
        else:
            titles = {each: DATASETS[each].title for each in datasets}
            data = menus.one(st.segmented_control, "Data set", titles, datasets[0], key="paper_data", required=True,
                             wrap=True, help="The images of the table. Data sets for which there are results come "
                                             "first.")
            network = _select("Network", paper_tables.networks(data), "paper_network", width=200)
            seeds = [str(seed) for seed in paper_tables.seeds(data, network)]
            if len(seeds) > 1:
                seed = _select("Seed", seeds, "paper_seed", width=90)
    if name in FIGURES:
        _figure(lab, head, name, data, network)
        return
    table = paper_tables.read(TABLES[name], data, network, int(seed) if seed in seeds else 0)
    with head:
        frame.headline("Paper", paper_words.lead(table.values))
    for sentence in table.troubles:
        st.warning(in_markdown(sentence))
    left, right = st.columns([17, 10], gap="medium")
    with right:
        with st.container(key="paper_cell", gap="small"):
            with st.container(horizontal=True):
                system = _select("System", [method.name for method in ROWS[TABLES[name]]], "paper_system",
                                 usual=USUAL[name])
                column = _select("Attack", COLUMN_NAMES, "paper_column", usual="PGD III")
            value = table.find(system, column)
            paper_views.opened(table, value)
        task = SYSTEMS[value.cell.method.task]
        st.page_link("app_pages/systems.py", label=f"All trained systems that answer as {task}",
                     query_params={"systems_task": task})
    frame.tell(lab, cell=lambda: paper_words.step(value))
    with left:
        paper_views.grid(table, value)
        paper_views.key(table.values)
        st.caption(CITED)
        paper_views.claims(table.claims, "table", f"{DATASETS[data].title}, {network}")
    frame.close_page(lab, code=_code(table), tables={table.document.table: table.frame},
                     figures={table.document.table: (table.figure, paper_tables.title(table, name))})


def _figure(lab: Lab, head: Any, name: str, data: str, network: str) -> None:
    """Draw one of the paper's figures, its claims, its numbers, and the downloads."""
    try:
        shown = paper_figures.read(name, data, network)
    except ValueError as error:
        with head:
            frame.headline("Paper", f"{name} cannot be shown.")
        st.warning(in_markdown(error))
        return
    with head:
        frame.headline("Paper", shown.lead)
    place = f"{DATASETS[data].title}, {network}"
    panels = list(shown.charts.items())
    for first in range(0, len(panels), 2):
        for index, column in enumerate(st.columns(2)[: len(panels) - first], first):
            panel = panels[index][0].replace(f"{place}, ", "").replace(f"{place}: ", "").replace(f", {place}", "")
            with column:
                st.markdown(f"**{in_markdown(panel[:1].upper() + panel[1:])}**")
                charts.plot(panels[index][1], key=f"paper_figure_{index}", alt=f"{panel}. {shown.words}")
    st.caption(shown.document.explained())
    paper_views.claims(shown.claims, "figure", place)
    for sentence in shown.sentences:
        st.caption(in_markdown(sentence))
    with st.expander("Every number, with its interval"):
        st.dataframe(shown.reading(), hide_index=True)
    if shown.missing:
        st.caption(in_markdown(f"Not made: {', '.join(shown.missing)}."))
    st.caption("This command makes whatever is missing in this figure and writes it:")
    st.code(shown.document.command, language=None, wrap_lines=True)
    frame.close_page(lab, code=_figure_code(shown), tables={shown.document.name: shown.frame},
                     figures={shown.document.name: (shown.document.drawn, paper_figures.title(shown))})


def _before(key: str, options: Sequence[str]) -> str:
    """The value of a control before it is drawn: the selected one, or that of the URL, or the first."""
    value = str(st.session_state.get(key) or st.query_params.get(key, ""))
    return value if value in options else options[0]


def _select(
    label: str, options: Sequence[str], key: str, *, usual: str = "", width: int | Literal["stretch"] = "stretch"
) -> str:
    """A control whose options depend on other controls; the usual option is selected if the present one is gone."""
    usual = usual or options[0]
    if st.session_state.get(key, usual) not in options:
        del st.session_state[key]
    chosen: str = st.selectbox(label, options, options.index(usual), key=key, bind=URL, width=width)
    return chosen


def _code(table: Table) -> str:
    """Python that reads the same numbers with the library alone."""
    cell = table.document.cells[0]
    scale = "QUICK" if cell.scale.suffix else "FULL"
    return "\n".join([
        "from pathlib import Path",
        "",
        f"from tasklab.paper.grid import {scale}, cells_of",
        "from tasklab.paper.protocol import PaperProtocol",
        "from tasklab.paper.tables import long_frame, values, wide_frame",
        "",
        f'cells = cells_of("{table.document.table}", ["{cell.data}"], ["{cell.arch}"],',
        f"                 seed={cell.seed}, scale={scale})",
        f'numbers = values(cells, Path("{paper_tables.OWN.as_posix()}"), PaperProtocol())',
        "table = long_frame(numbers)  # every number with its interval",
        "print(wide_frame(numbers).to_string(index=False))",
    ])


def _figure_code(shown: Shown) -> str:
    """Python that reads the same figure with the library alone."""
    document = shown.document
    kind = type(document)
    return "\n".join([
        "from pathlib import Path",
        "",
        "from tasklab.paper.grid import FULL",
        f"from {kind.__module__} import {kind.__name__}",
        "",
        f'folder = Path("{paper_tables.OWN.as_posix()}")  # what is shipped is read where nothing is there',
        f"shown = {kind.__name__}(data={document.data!r}, archs={document.archs!r}, folder=folder, scale=FULL,",
        f"{' ' * len(f'shown = {kind.__name__}(')}seeds={document.seeds!r})",
        "table = shown.frame()  # every number with its interval",
        "print(shown.wide())",
        "# shown.drawn().show()",
    ])


page()
