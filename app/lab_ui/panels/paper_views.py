"""What the page on the paper's tables draws: the grid, its key, and one cell opened."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import streamlit as st

from lab_ui.parts.paper_grid import paper_grid
from lab_ui.results import paper_tables, paper_words
from lab_ui.results.paper_tables import Table
from lab_ui.results.paper_words import SIGNS, one, several
from lab_ui.shell import controls
from tasklab.data.radii import eps_said
from tasklab.experiments.scenario import Scenario
from tasklab.paper.claims import Claim, Verdict
from tasklab.paper.published import CLEAN, COLUMNS
from tasklab.paper.records import Finding
from tasklab.paper.tables import Value
from tasklab.tasks import TASKS

KINDS = ("published", "measured", "adaptive")
CLAIM_SIGNS: dict[Verdict, str] = {"holds": "●", "does not hold": "✕", "cannot be told": "○"}
STYLE = """
<style>
.pap-swatch { display: inline-block; width: 1.6rem; height: 0.85rem; border: 1.5px solid #8a8a8a; border-radius: 2px;
  vertical-align: -0.05rem; }
.pap-measured { border-color: #1f78c8; background: color-mix(in srgb, #1f78c8 32%, transparent); }
.pap-adaptive { border-color: #e0700a;
  background: repeating-linear-gradient(-45deg, #e0700a55 0 3px, transparent 3px 7px); }
.pap-cell h2 { font-size: 1.3rem; font-weight: 700; padding: 0; margin: 0; }
.pap-cell p { margin: 0.2rem 0; line-height: 1.35; }
.pap-cell table { border-collapse: collapse; width: 100%; font-size: 0.95rem; margin: 0.4rem 0; }
.pap-cell :is(th, td) { border: 0; border-top: 1px solid #8a8a8a44; padding: 0.15rem 0.4rem 0.15rem 0;
  text-align: right; font-weight: 400; white-space: nowrap; }
.pap-cell th:first-child { text-align: left; white-space: normal; }
.pap-cell thead :is(th, td) { font-weight: 600; border-top: 0; }
.pap-cell td span { display: block; font-size: 0.85rem; line-height: 1.1; }
.pap-cell .pap-small { font-size: 0.95rem; }
.pap-claims h2 { font-size: 1.3rem; font-weight: 700; padding: 0; margin: 0; }
.pap-claims table { border-collapse: collapse; width: 100%; font-size: 0.95rem; margin: 0.4rem 0; }
.pap-claims :is(th, td) { border: 0; border-top: 1px solid #8a8a8a44; padding: 0.25rem 0.8rem 0.25rem 0;
  text-align: left; vertical-align: top; font-weight: 400; }
.pap-claims thead th { font-weight: 600; }
.pap-claims td:nth-child(2) { white-space: nowrap; font-weight: 600; }
@media (max-width: 640px) {
  .pap-claims :is(table, tbody, tr, th, td) { display: block; }
  .pap-claims thead { display: none; }
  .pap-claims tr { border-top: 1px solid #8a8a8a44; padding: 0.3rem 0; }
  .pap-claims :is(th, td) { border: 0; padding: 0; }
  .pap-cell :is(th, td span) { white-space: normal; }
  .pap-cell table { font-size: 0.9rem; }
}
</style>
"""


def grid(table: Table, selected: Value) -> None:
    """Draw the table as buttons; a click on one sets the controls of the cell."""
    columns = []
    for column in COLUMNS:
        eps = next(value.eps for value in table.values if value.column == column)
        columns.append({"key": str(column), "note": f"ε = {eps_said(eps)}" if eps else "clean images"})
    has_published = any(value.published for value in table.values)
    rows = [
        {"key": cell.method.name, "help": TASKS[cell.method.task].long_name,
         "cells": [_cell(value, has_published=has_published) for value in table.values if value.cell == cell]}
        for cell in table.document.cells
    ]
    paper_grid(rows, columns, caption=paper_words.described(table), key="paper_grid",
               selected=(selected.cell.method.name, str(selected.column)), on_pick=_pick)


def key(values: Sequence[Value]) -> None:
    """Draw what bars and words mean, and the abbreviations."""
    st.html(
        '<p class="lab-key"><span><span class="pap-swatch"></span> published</span>'
        '<span><span class="pap-swatch pap-measured"></span> measured here, as in the paper</span>'
        '<span><span class="pap-swatch pap-adaptive"></span> left by all attacks together (adaptive)</span></p>'
    )
    meanings = "; ".join(f"**{SIGNS[word]} {word}**: {words}" for word, words in paper_words.MEANINGS.items())
    arrows = " ↑, ↓ and ≈: raised, lowered, or not changed beyond chance by retraining." \
        if any(value.cell.base for value in values) else ""
    st.caption(f"Accuracies in %. {meanings}.{arrows} {paper_words.glossary(values)}.")


def claims(measured: Sequence[Claim], source: str, place: str) -> None:
    """Draw what the paper concludes, with what was measured over all seeds.

    Args:
        measured: the paper's conclusions.
        source: what the conclusions are drawn from, such as "table".
        place: data set and network, which are removed from the beginning of each statement.
    """
    lines = []
    for claim in measured:
        sign = CLAIM_SIGNS[claim.verdict]
        statement = claim.statement.removeprefix(place).lstrip(":, ")
        lines.append(f"<tr><th scope='row'>{html.escape(statement[:1].upper() + statement[1:])}</th>"
                     f"<td>{sign} {html.escape(claim.verdict)}</td><td>{html.escape(claim.measured)}</td></tr>")
    st.html(f'<div class="lab-page pap-claims"><h2>What the paper concludes from this {source}</h2><table><thead><tr>'
            "<th scope='col'>Conclusion</th><th scope='col'>Here</th><th scope='col'>Measured</th></tr></thead>"
            f"<tbody>{''.join(lines)}</tbody></table></div>")


def opened(table: Table, value: Value) -> None:
    """Draw one cell: its numbers, sentence, outcomes, system and command, and the way to the attack lab."""
    record = table.records.get(value.cell)
    parts = [f"<h2>{html.escape(paper_words.where(value))}</h2>",
             f"<p>{html.escape(paper_words.verdict(value, made=record is not None))}</p>"]
    if value.measured is not None:
        parts.append(_outcomes(table, value, value.measured))
    if record is not None:
        parts.append(f'<p class="pap-small"><b>{html.escape(value.cell.name)}.</b> '
                     f"{html.escape(paper_words.short_card(value.cell, record))}</p>")
    st.html(f'<div class="lab-page pap-cell">{"".join(parts)}</div>')
    if record is not None and paper_tables.is_shipped(value.cell, record):
        at_eps = "" if value.column == CLEAN else f" at ε = {eps_said(value.eps)}"
        st.html(f'<p><a href="{html.escape(_link(value))}" target="_self">Open this system in the attack lab{at_eps}'
                "</a></p>")
    if record is not None and record.card.get("command"):
        st.caption("This command trained the system:")
        st.code(str(record.card["command"]), language=None, wrap_lines=True)
    st.caption("This command makes whatever is missing in this table and writes it:")
    st.code(table.document.command, language=None, wrap_lines=True)


def _cell(value: Value, *, has_published: bool) -> dict[str, Any]:
    """One cell as the browser needs it; a dash stands for a number that is missing from a table of the paper."""
    published = value.published
    shown: list[tuple[str, str, float | None]] = [
        ("published", "–", None) if published is None else ("published", str(published), published.percent / 100)
    ] if has_published else []
    shown += [
        *((kind, f"{100 * share.value:.1f}{arrow}", share.value)
          for kind, share, arrow in zip(KINDS[1:], (value.accuracy, value.adaptive), value.arrows, strict=True)
          if share is not None),
    ]
    bars = [{"kind": kind if share is not None else "none", "text": text, "share": share}
            for kind, text, share in shown]
    numbers = ", ".join([f"{kind} {text} %" for kind, text, share in shown if share is not None]
                     + [value.word] * bool(value.word))
    return {"key": str(value.column), "bars": bars, "word": _word(value), "look": value.word,
            "words": f"{paper_words.where(value)}: {numbers or 'no number'}"}


def _word(value: Value) -> str:
    return f"{SIGNS[value.word]} {value.word}" if value.word else ""


def _outcomes(table: Table, value: Value, measured: Finding) -> str:
    """Correct, wrong and None under the paper's attack and under those on the decision, as an HTML table."""
    clean = value.column == CLEAN
    name = "clean images" if clean else f"{value.column.attack.upper()}, as in the paper"
    lines = [_line(name, measured, clean=clean)]
    if not clean:
        lines += [_line(each, finding, clean=False, intervals=False)
                  for each, finding in paper_words.attacks(table, value)]
    if value.adaptive is not None:
        lines.append(f"<tr><th scope='row'><b>all together</b></th><td><b>{one(value.adaptive)}</b>"
                     f"<span>{_interval(several(value.adaptive))}</span></td><td></td><td></td><td></td></tr>")
    columns = ["correct", "wrong", "None"] + ["no gradient"] * (not clean)
    head = "".join(f"<th scope='col'>{each}</th>" for each in columns)
    return (f"<table><thead><tr><td>n = {measured.outcomes.n:,}</td>{head}</tr></thead>"
            f"<tbody>{''.join(lines)}</tbody></table>")


def _line(name: str, finding: Finding | None, *, clean: bool, intervals: bool = True) -> str:
    """One attack's outcomes; the share without a gradient is among the images that were classified correctly before."""
    head = f"<tr><th scope='row'>{html.escape(name)}</th>"
    if finding is None:
        return f"{head}<td colspan='4'>not made</td></tr>"
    outcomes = finding.outcomes
    shares = [outcomes.accuracy, outcomes.error, outcomes.alarm] + [finding.zero_share] * (not clean)
    fields = "".join(
        "<td>–</td>" if share is None else
        f"<td>{one(share)}" + (f"<span>{_interval(several(share))}</span>" if intervals else "") + "</td>"
        for share in shares
    )
    return f"{head}{fields}</tr>"


def _interval(words: str) -> str:
    return words[words.index("["):]


def _link(value: Value) -> str:
    """The address of the attack lab with a cell's system, ε and attack; on clean images with its usual attack."""
    data = value.cell.data
    settings: dict[str, Any] = {}
    if value.column != CLEAN:
        settings = {"eps": value.eps, "attack": value.column.attack.upper()}
    if value.column.attack == "pgd":
        settings["steps"] = paper_tables.PROTOCOL.steps
    scenario = Scenario(data=data, image=controls.PICTURE[data], n=controls.MANY[data], systems=(value.cell.name,),
                        **settings)
    return scenario.link("attack_lab", base=".")


def _pick(row: str, column: str) -> None:
    st.session_state.update({"paper_system": row, "paper_column": column})
