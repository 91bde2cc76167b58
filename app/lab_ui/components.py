"""How results are shown: pictures, verdicts, charts, notes. HTML made of our own numbers and words only."""

from __future__ import annotations

import base64
import html

import streamlit as st
from torch import Tensor

from lab_ui import frame
from lab_ui.answers import Answer
from lab_ui.words import AIM_NOTES, AIMS, HELP, kind, number, read
from tasklab import figures
from tasklab.figures.style import outcome_of
from tasklab.scenario import Scenario


def image_tag(x: Tensor | None, alt: str, pixels: figures.pictures.Pixels | None = None) -> str:
    """An ``img`` of the very pixels; the browser enlarges them without blur."""
    pixels = figures.picture(x) if pixels is None else pixels
    source = base64.b64encode(figures.to_png(pixels)).decode()
    return f'<img src="data:image/png;base64,{source}" alt="{html.escape(alt)}">'


def chip(decoded: int, label: int) -> str:
    """What was read, with colour, sign and word."""
    outcome, look = outcome_of(decoded, label), figures.look_of(decoded, label)
    word = "" if outcome == "abnormal" else f" · {look.word}"
    return f'<span class="lab-chip lab-{outcome}">{look.sign} reads {read(decoded)}{word}</span>'


def top(x: Tensor, label: str, words: str) -> None:
    """The head of the page: the picture as it is, and what became of it."""
    st.html(
        f'<div class="lab-page lab-top"><figure>{image_tag(x, f"clean picture of a {label}")}'
        f"<figcaption>clean, a <b>{html.escape(label)}</b></figcaption></figure>"
        f'<div><h1>Attack lab</h1><p class="lab-lead">{words}</p></div></div>'
    )


def aim_heading(scenario: Scenario, aim: str, row: list[Answer]) -> None:
    """The head of a row, with what stands behind its answers."""
    st.html(f'<div class="lab-aim"><h2>Aimed at {AIMS[aim]}</h2><p>{html.escape(AIM_NOTES[aim])}</p></div>')
    if row:
        zero = sum(found.zero_gradient for found in row)
        frame.badge(n=1, objective=aim, how=f"{how(scenario)}, ε = {scenario.eps:g}", help=HELP["badge"],
                    zero_of=(zero, len(row)))


def cell_heading(name: str, task_words: str) -> str:
    """The head of a cell."""
    return f'<div class="lab-head"><h3>{html.escape(name)}</h3><p>{html.escape(task_words)}</p></div>'


def cell(scenario: Scenario, name: str, aim: str, found: Answer) -> None:
    """Everything about one system under one aim."""
    before, after = found.decoded
    st.html(
        cell_heading(name, kind(found.task)) + _pair(found) + '<div class="lab-read">' + chip(after, found.label)
        + f"<span>{_before(before, found.label)}</span></div>"
    )
    chart(f"{name}, attack aimed at {AIMS[aim]}", found)
    note = zero_note(scenario, found)
    if note:
        st.html(f'<p class="lab-note">{note}</p>')
    margins = " → ".join(number(m) for m in found.margins)
    st.caption(f"margin of {found.label}: **{margins}**", help=HELP["margin"])


def chart(name: str, found: Answer) -> None:
    """The outputs before and after, with the same in words for those who do not see them."""
    words = figures.describe_outputs(found.task, *found.outputs, label=found.label)
    figure = figures.outputs_figure(found.task, *found.outputs, label=found.label, height=200, legend=False)
    st.plotly_chart(figure, config={"displayModeBar": False}, alt=f"{name}. {words}", key=f"chart {name}")


def how(scenario: Scenario) -> str:
    """An attack in a few words."""
    if scenario.attack == "FGSM":
        return "FGSM, 1 step"
    starts = scenario.restarts if scenario.random_start and scenario.attack in ("PGD", "APGD") else 1
    return f"{scenario.attack}, {scenario.steps} steps, {starts} start{'s' * (starts > 1)}"


def zero_note(scenario: Scenario, found: Answer) -> str:
    """Why nothing happened, where nothing happened."""
    if found.zero_gradient:
        moved = "the picture came back unmoved" if found.unmoved else "only the random start moved the picture"
        return f"<b>Gradient exactly zero:</b> the attack had nothing to follow; {moved}."
    if found.unmoved and scenario.eps == 0:
        return "<b>ε is 0.</b> No pixel may change."
    if found.unmoved:
        return "<b>Unmoved.</b> No step brought the attack nearer to success, so the picture is as it was."
    return ""


def legend() -> None:
    """How to read the charts: one line for all of them."""
    st.html(
        '<p class="lab-key"><span>○ before</span>'
        f'<span><span style="color:{figures.BLUE}">◆</span> after, on the label\'s side</span>'
        f'<span><span style="color:{figures.ORANGE}">✖</span> after, on the wrong side</span>'
        "<span>▨ None: no class at all</span><span>blue ground: what the label needs</span>"
        "<span>▲ the true label</span></p>"
    )


def _before(decoded: int, label: int) -> str:
    if decoded == label:
        return f"before: {read(decoded)}"
    return f"before: {read(decoded)}, already {figures.look_of(decoded, label).word}"


def _pair(found: Answer) -> str:
    """What the attack changed, k times as large, and the attacked picture."""
    k = figures.amplification(found.clean, found.attacked)
    change = figures.perturbation(found.clean, found.attacked, k)
    said = "no change" if found.unmoved else f"change × {k:g}"
    left = image_tag(None, f"{said}: grey is unchanged, bright is lighter, dark is darker", change)
    right = image_tag(found.attacked, f"attacked picture, read as {read(found.decoded[1])}")
    return (f'<div class="lab-page lab-pair"><figure>{left}<figcaption>{said}</figcaption></figure>'
            f"<figure>{right}<figcaption>attacked</figcaption></figure></div>")
