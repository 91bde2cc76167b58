"""The page “Systems”: all systems in one ranked table, and a page on each of them. Everything is read from files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import streamlit as st

from lab_ui.basics.lab import Lab
from lab_ui.basics.words import SYSTEMS
from lab_ui.panels import system_views
from lab_ui.results import reports, system_records
from lab_ui.results.system_records import Entry
from lab_ui.shell import frame
from lab_ui.visitor import catalogue, jobs
from tasklab.data import DATASETS
from tasklab.text import in_markdown

URL: Final = "query-params"
YOURS = "yours"
"""The option of the control “Trained” that means the visitor's own systems."""


def page() -> None:
    """Draw the table of all systems or, where the URL names one, its page."""
    lab = frame.open_page("systems", bar=())
    st.html(reports.STYLE + system_views.STYLE)
    listed = system_records.entries(jobs.mine("report"))
    name = st.query_params.get("system")
    chosen = next((entry for entry in listed if entry.name == name), None)
    if chosen is not None:
        _one(lab, chosen)
        return
    if name is not None:
        st.warning(f"There is no system “{in_markdown(name, 60)}” here. Choose one of those below.")
    _all(lab, listed)


def _all(lab: Lab, listed: Sequence[Entry]) -> None:
    """Draw the filters and a ranked table for each data set."""
    head = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        filters = _filters(listed)
    kept = [entry for entry in listed if all(fits(entry) for fits in filters)]
    with head:
        frame.headline("Systems", _lead(kept))
    if not kept:
        st.info("No system matches all of these filters. Remove one of them.")
    for dataset in catalogue.DATASETS:
        if group := [entry for entry in kept if entry.standing.data == dataset]:
            st.html(system_views.table(group))
    st.caption("In brackets: 95 % intervals. The rank is by the worst case found, then by the accuracy without an "
               "attack. All numbers under attack are upper bounds: a stronger attack may leave less. A name opens the "
               "page on that system.")
    for sentence in dict.fromkeys(words for dataset in catalogue.DATASETS for words in catalogue.systems(dataset)[1]):
        st.warning(in_markdown(sentence))
    frame.close_page(lab, code=CODE_ALL, tables={"systems": lambda: system_records.frame(kept)})


def _filters(listed: Sequence[Entry]) -> list[Callable[[Entry], bool]]:
    """Draw the filters; what each of those in use keeps."""
    datasets = [each for each in catalogue.DATASETS if any(entry.standing.data == each for entry in listed)]
    named = {DATASETS[each].title: each for each in datasets}
    chosen = st.pills("Data set", list(named), selection_mode="multi", key="systems_data", bind=URL)
    answers = {SYSTEMS.get(each, each): each for each in SYSTEMS
               if any(entry.standing.task == each for entry in listed)}
    tasks = st.pills("Answers as", list(answers), selection_mode="multi", key="systems_task", bind=URL)
    trainings = list(dict.fromkeys(entry.training for entry in listed))
    if any(entry.is_own for entry in listed):
        trainings.append(YOURS)
    trained = st.pills("Trained", trainings, selection_mode="multi", key="systems_training", bind=URL)
    return [
        lambda entry: not chosen or entry.standing.data in [named[title] for title in chosen],
        lambda entry: not tasks or entry.standing.task in [answers[title] for title in tasks],
        lambda entry: not trained or entry.training in trained or (entry.is_own and YOURS in trained),
    ]


def _lead(kept: Sequence[Entry]) -> str:
    """Which systems keep most in the worst case found; HTML."""
    sentences = []
    for dataset in catalogue.DATASETS:
        first = next((entry for entry in kept if entry.standing.data == dataset), None)
        if first is not None and first.standing.worst is not None:
            sentences.append(f"on {DATASETS[dataset].title} {system_views.title_html(first)} "
                             f"(<b>{100 * first.standing.worst.accuracy.value:.0f} %</b>)")
    if not sentences:
        return "All systems, ranked by what is left of their accuracy in the worst case found."
    return f"The highest accuracies in the worst case found: {'; '.join(sentences)}."


def _one(lab: Lab, entry: Entry) -> None:
    """Draw the page on one system."""
    try:
        card = catalogue.card(entry.name)
    except (ValueError, OSError) as error:
        st.error(in_markdown(error))
        return
    st.page_link("app_pages/systems.py", label="◀ All systems", query_params={})
    frame.headline(entry.title, system_views.lead(entry))
    system_views.buttons(entry)
    system_views.numbers(entry)
    run = system_views.run_of(entry)
    left, right = st.columns(2, gap="medium")
    with left:
        attacked = system_views.under_attack(entry)
    with right:
        trained = system_views.curve(entry, run, card)
    st.html('<div class="lab-aim"><h2>What it is</h2></div>' + system_views.facts(card))
    system_views.several_answers(entry.standing, run)
    system_views.card_page(card)
    drawn = {"under attack": attacked, "training": trained}
    frame.close_page(
        lab, code=_code(entry), figures={
            name: (figure, f"{entry.title}: {system_views.about(entry, run, name)}")
            for name, figure in drawn.items() if figure is not None},
        tables={"records": lambda: system_records.records_frame(entry)},
    )


CODE_ALL = """from tasklab import zoo
from tasklab.evaluation.report_file import kept_report
from tasklab.evaluation.standing import ranked, recorded_worst_cases, standing

worst_cases = recorded_worst_cases()
systems = [
    standing(name, zoo.dataset_of(name), zoo.card(name), report=kept_report(name),
             worst_cases=worst_cases.get(name, ()))
    for name in zoo.names()
]
for each in ranked(systems):
    print(each.data, each.name, each.clean, each.own, each.worst, each.verdict, sep="\\n    ")"""


def _code(entry: Entry) -> str:
    """Python that reads the same numbers with the library alone."""
    if entry.is_own:
        return "\n".join([
            "from tasklab import System",
            "from tasklab.evaluation.standing import standing",
            "",
            f'system = System.load("{entry.name}.safetensors")  # downloaded from this page',
            f'row = standing("{entry.name}", "{entry.standing.data}", system.card)',
            "print(row.clean, row.own, row.worst, sep=\"\\n\")",
        ])
    return "\n".join([
        "from tasklab import zoo",
        "from tasklab.evaluation.report_file import kept_report",
        "from tasklab.evaluation.standing import recorded_worst_cases, standing",
        "",
        f'name = "{entry.name}"',
        f'row = standing(name, "{entry.standing.data}", zoo.card(name), report=kept_report(name),',
        "               worst_cases=recorded_worst_cases().get(name, ()))",
        "print(row.clean, row.own, row.worst, row.verdict, sep=\"\\n\")",
    ])


page()
