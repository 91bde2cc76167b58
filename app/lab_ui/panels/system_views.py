"""The parts of the page “Systems”: the ranked table of all systems, and what is on record about one of them."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from lab_ui.basics.words import AIMS, linked, title
from lab_ui.panels import training_runs
from lab_ui.panels.training_runs import RunView
from lab_ui.parts.charts import plot
from lab_ui.results import reports
from lab_ui.results.reports import CURVES
from lab_ui.results.system_records import Entry
from lab_ui.shell import frame
from lab_ui.visitor import catalogue
from tasklab import figures
from tasklab.data import DATASETS
from tasklab.data.radii import eps_said
from tasklab.evaluation.cards import card_markdown
from tasklab.evaluation.standing import Measured, Standing
from tasklab.evaluation.statistics import Share
from tasklab.figures.report import describe_curves
from tasklab.figures.training import describe_training, training_figure
from tasklab.tasks import TASKS
from tasklab.text import in_html, in_markdown

STYLE = """
<style>
.sys-wide { overflow-x: auto; }
.sys-table { border-collapse: collapse; width: 100%; font-size: 1.05rem; }
.sys-table caption { text-align: left; font-size: 1.2rem; font-weight: 700; padding: 0.9rem 0 0.3rem; }
.sys-table th, .sys-table td { text-align: left; padding: 0.35rem 0.6rem; border-top: 1px solid #8a8a8a44;
  vertical-align: top; line-height: 1.25; }
.sys-table thead th { font-weight: 600; border: 0; font-size: 0.95rem; }
.sys-table tbody th { font-weight: 600; }
.sys-table a, .lab-lead a { color: inherit; text-decoration: underline; text-underline-offset: 0.15em; }
.sys-table b { font-size: 1.2rem; white-space: nowrap; }
.sys-table small { display: block; font-size: 0.85rem; white-space: nowrap; }
.sys-table .rob-light { white-space: normal; min-width: 0; text-align: left; }
.sys-facts { display: grid; grid-template-columns: 6.5rem 1fr; gap: 0.2rem 1rem; margin: 0; }
.sys-facts dt { font-weight: 600; }
.sys-facts dd { margin: 0; }
.sys-facts { margin-bottom: 0.6rem !important; }
</style>
"""

SOURCES = {"card": "the card", "report": "the report", "ensemble": "the table of worst cases"}
"""Where a number is recorded, in words."""

KEPT = {"last": "the last step", "first": "the first step that succeeds", "best": "the best step"}
"""Which step of an attack counts, in words."""

FACTS = {"S": "S", "bits": "number of bits", "alpha": "α", "beta": "β", "s0": "s₀", "loss": "loss"}
"""Settings of a task that are shown, and their names."""


def table(entries: Sequence[Entry]) -> str:
    """The systems of one data set as HTML, ranked as they come."""
    first = entries[0].standing
    caption = f"{DATASETS[first.data].title}, attacks of ε = {eps_said(first.eps)}"
    head = "".join(f'<th scope="col">{words}</th>' for words in (
        "rank", "system", "no attack", "worst case found", f"attack on {AIMS['train']}", "verdict on it"))
    rows = "".join(_row(rank, entry) for rank, entry in enumerate(entries, 1))
    return (f'<div class="sys-wide" role="region" tabindex="0" aria-label="{html.escape(caption)}">'
            f'<table class="sys-table"><caption>{html.escape(caption)}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>")


def _row(rank: int, entry: Entry) -> str:
    each = entry.standing
    own = " <small>yours</small>" if entry.is_own else ""
    verdict = "not checked yet" if each.verdict is None else reports.verdict(each.verdict)
    cells = "".join(f"<td>{cell}</td>" for cell in (*map(_cell, (each.clean, each.worst, each.own)), verdict))
    return f'<tr><td>{rank}</td><th scope="row">{title_html(entry)}{own}</th>{cells}</tr>'


def _cell(record: Measured | None) -> str:
    """An accuracy with its interval and n as HTML."""
    if record is None:
        return "not measured"
    low, high = (100 * end for end in record.accuracy.interval)
    value = 100 * record.accuracy.value
    return (f"<b>{value:.1f} %</b><small>[{low:.1f}, {high:.1f}], n = {record.accuracy.n:,}</small>")


def title_html(entry: Entry) -> str:
    """A system's name as a link to its page; HTML."""
    return linked(entry.name, title(entry.key))


def lead(entry: Entry) -> str:
    """What the system is and what is left of its accuracy, in two sentences; HTML."""
    each = entry.standing
    task = TASKS.get(each.task)
    what = "" if task is None else f"{html.escape(task.long_name[0].upper() + task.long_name[1:])}. "
    parts = [f"{words} <b>{100 * record.accuracy.value:.0f} %</b>" for words, record in (
        ("without an attack", each.clean), (f"under an attack on {AIMS['train']}", each.own),
        ("in the worst case found", each.worst)) if record is not None]
    left = f"Classified correctly: {', '.join(parts)} (ε = {eps_said(each.eps)})." if parts else "Nothing was measured."
    return f"{what}{left}"


def numbers(entry: Entry) -> None:
    """Draw the three accuracies with their conditions; where one is missing, the command that makes it."""
    each = entry.standing
    named = (("Without an attack", each.clean), (f"Attack on {AIMS['train']}", each.own),
             ("Worst case found", each.worst))
    for column, (words, record) in zip(st.columns(3, gap="small"), named, strict=True):
        with column:
            if record is None:
                st.html(f'<div class="rob-claim"><h2>{words}</h2><p class="rob-number">–</p>'
                        "<p>This was not measured.</p></div>")
                continue
            low, high = (100 * end for end in record.accuracy.interval)
            light = reports.verdict(each.verdict) if record is each.own and each.verdict is not None else ""
            st.html(f'<div class="rob-claim"><h2>{words}</h2><p class="rob-number">'
                    f"{100 * record.accuracy.value:.1f} % <span>[{low:.1f}, {high:.1f}]</span></p><p>{light}</p></div>")
            st.caption(in_markdown(_conditions(record)))
    missing = _commands(entry)
    if missing:
        st.markdown("Some numbers are not on record. These commands compute them, on this machine or another:")
        st.code("\n".join(missing), language=None, wrap_lines=True)


def _conditions(record: Measured) -> str:
    """How an accuracy was measured, in a line."""
    parts = [f"n = {record.accuracy.n:,} test images"]
    if record.steps and record.attack != "worst case":
        starts = f"{record.restarts} start{'s' * (record.restarts > 1)}"
        parts.append(f"{record.attack.upper()}, {record.steps} steps, {starts}")
    elif record.attack == "worst case":
        parts.append("several attacks together")
    if record.eps:
        parts.append(f"ε = {eps_said(record.eps, number=True)}")
    if record.zero_gradient:
        parts.append(f"gradient exactly 0 for {frame.share(record.zero_gradient)}")
    return " · ".join([*parts, f"from {SOURCES[record.source]}"])


def _commands(entry: Entry) -> list[str]:
    """Commands for the numbers that are not on record."""
    each, file = entry.standing, entry.name if not entry.is_own else f"{entry.name}.safetensors"
    eps = eps_said(each.eps)
    lines = []
    if each.clean is None or each.own is None:
        lines.append(f"tasklab evaluate {file} --eps {eps}")
    if not any(record.source == "ensemble" for record in each.records):
        lines.append(f"tasklab worst {file} --eps {eps} --preset standard --n 1000")
    if entry.report is None and not entry.is_own:
        lines.append(f"tasklab report {file} --to reports")
    return lines


def several_answers(each: Standing, run: RunView | None) -> None:
    """Draw why pages give different accuracies for one and the same attack, from what is on record."""
    rows = [(SOURCES[record.source].capitalize(), f"the first {record.accuracy.n:,} test images", record.steps,
             f"{record.restarts} at random", KEPT["last"], record.accuracy.value)
            for record in each.records if record.objective == "train" and record.attack == "pgd"]
    watch = None if run is None else run.training.watch
    last = run.epochs[-1].get("own_loss_accuracy") if run is not None and run.epochs else None
    if watch is not None and last is not None:
        rows.append((f"The training curve, ε = {eps_said(watch.eps)}", f"{watch.images} validation images",
                     watch.steps, "1 at random", KEPT[watch.attack("train").keep], float(last)))
    if len(rows) < 2:
        return
    with st.expander("Why other pages show other numbers for the same attack"):
        st.markdown(
            "The attack on the training loss has several settings, and each page says which ones it uses: how many "
            "images, how many steps, from how many starts, and which step counts. More steps and more starts leave "
            "less; few images leave more to chance. The pages with a live attack begin at the image itself instead "
            "of a random start, take as many steps as are set there, and keep the best of them.")
        head = ("recorded in", "on", "steps", "starts", "what counts", "correct")
        body = "".join(f"<tr><th scope='row'>{html.escape(where)}</th>" + "".join(
            f"<td>{html.escape(str(cell))}</td>" for cell in cells) + f"<td><b>{100 * share:.1f} %</b></td></tr>"
            for where, *cells, share in rows)
        st.html('<div class="sys-wide" role="region" tabindex="0" aria-label="one attack, several settings">'
                f'<table class="sys-table"><thead><tr>{"".join(f"<th scope=col>{word}</th>" for word in head)}</tr>'
                f"</thead><tbody>{body}</tbody></table></div>")


def run_of(entry: Entry) -> RunView | None:
    """The recorded training of a system, or the visitor's own run; None where there is no curve."""
    data = entry.standing.data
    if not entry.is_own:
        return training_runs.recorded_runs(data).get(entry.name)
    return next((run for run in training_runs.own_runs(data).values() if run.title == entry.key), None)


def curve(entry: Entry, run: RunView | None, card: Mapping[str, Any]) -> Any:
    """Draw the training curve, or say how one is made; the figure, if there is one."""
    st.html('<div class="lab-aim"><h2>How it was trained</h2></div>')
    if run is None or not run.epochs:
        st.markdown("The curve of this training run was not recorded."
                    + (" This command trains the system again and prints the numbers of every epoch:"
                       if "command" in card else " On the page “Train” every training run is recorded."))
        if "command" in card:
            st.code(str(card["command"]), language=None, wrap_lines=True)
        return None
    figure = training_figure(run.epochs, total=run.total, height=330)
    plot(figure, key="systems_training", alt=f"{title(entry.key)}. {describe_training(run.epochs)}")
    watch = run.training.watch
    if watch is not None:
        st.caption(f"Accuracies on the validation set; those under attack on {watch.images} images: PGD, "
                   f"{watch.steps} steps, 1 start, ε = {eps_said(watch.eps, number=True)}.")
    return figure


def under_attack(entry: Entry) -> Any:
    """Draw accuracy against ε from the report, or say how one is made; the figure, if there is one."""
    st.html('<div class="lab-aim"><h2>What attacks leave</h2></div>')
    report = entry.report
    if report is None:
        st.markdown("There is no report on this system yet, with its accuracy at several ε and the checks on the "
                    "attacks. A button on the page “Really robust?” makes one.")
        return None
    measured = report.curves()
    curves: dict[str, dict[float, Share]] = {
        each: measured[each] for each in ("train", "margin", "worst") if each in measured}
    figure = figures.accuracy_curves(curves, names=CURVES, marks={"": report.claim_eps}, up="classified correctly, %",
                                     height=330)
    plot(figure, key="systems_curves", alt=f"{title(entry.key)}. {describe_curves(curves, names=CURVES)}")
    st.caption(f"n = {report.n} images, bands: 95 % intervals. All lines are upper bounds: a stronger attack may "
               "leave less.")
    return figure


def about(entry: Entry, run: RunView | None, name: str) -> str:
    """Number of images, attacks and ε in the title of a figure in a file."""
    report, watch = entry.report, None if run is None else run.training.watch
    if name == "under attack" and report is not None:
        return f"accuracy under PGD and in the worst case found · n = {report.n} · ε up to {eps_said(max(report.eps))}"
    if watch is None:
        return "accuracies on the validation set"
    return f"accuracies on the validation set · under PGD n = {watch.images}, ε = {eps_said(watch.eps, number=True)}"


def buttons(entry: Entry) -> None:
    """Draw the buttons that lead on: attack it, ask about it, download it."""
    data, key = entry.standing.data, entry.key
    keys = catalogue.systems(data)[0]
    beside = [other for other in (entry.standing.task,) if other in keys and other != key]
    with st.container(horizontal=True):
        st.button("Attack it", type="primary", key="systems_attack", on_click=frame.leave_for,
                  args=("attack_lab", {"data": data, "systems": [*beside, key]}),
                  help="Opens the attack lab with this system" + " beside a shipped one" * bool(beside))
        st.button("Is it really robust?" if entry.report is not None else "Measure its robustness",
                  key="systems_ask", on_click=frame.leave_for, args=("robust", {"data": data, "robust_system": key}))
        try:
            file = catalogue.file(entry.name)
        except (ValueError, OSError):
            return
        st.download_button("Download", file.read_bytes, f"{entry.name}.safetensors", key="systems_download",
                           on_click="ignore", help="One file with its card, for `System.load`.")


def card_page(card: Mapping[str, Any]) -> None:
    """Draw the whole card, closed."""
    with st.expander("The whole card: settings, recipe, every measurement"):
        st.markdown(card_markdown(dict(card)).replace("\n# ", "\n#### ").replace("# ", "#### ", 1))


def facts(card: Mapping[str, Any]) -> str:
    """Task, network, images and recipe in a few lines of HTML."""
    task, network, recipe, data = (card.get(part, {}) for part in ("task", "network", "recipe", "data"))
    kind = TASKS.get(str(task.get("task", "")))
    lines = {
        "Answers": "" if kind is None else f"{kind.summary} {_settings(task)}",
        "Network": ", ".join(in_html(network[key], 60) + words for key, words in
                             (("arch", ""), ("width", " channels wide")) if network.get(key) is not None)
        + (", contrast stretched" if network.get("contrast") else ""),
        "Images": f"{data.get('train', 0):,} of {in_html(data.get('name', ''), 40)} to train on",
        "Recipe": ", ".join(f"{recipe[key]} {words}" for key, words in
                            (("epochs", "epochs"), ("batch_size", "images a step")) if key in recipe)
        + (f", defence: {in_html(_defence(recipe), 120)}" if recipe else ""),
    }
    return '<dl class="sys-facts">' + "".join(
        f"<dt>{word}</dt><dd>{words}</dd>" for word, words in lines.items() if words) + "</dl>"


def _settings(task: Mapping[str, Any]) -> str:
    """The settings of a task; HTML."""
    values = {words: task[key] for key, words in FACTS.items() if task.get(key) is not None}
    return ", ".join(f"{words} {in_html(f'{value:g}' if isinstance(value, float) else value, 40)}"
                     for words, value in values.items())


def _defence(recipe: Mapping[str, Any]) -> str:
    defence = recipe.get("defence")
    if not defence:
        return "none"
    settings = ", ".join(f"{key} {value}" for key, value in defence.items() if key != "defence" and value is not None)
    return f"{defence['defence']} ({settings})" if settings else str(defence["defence"])
