"""The attack lab: one picture, several systems, one attack, aimed at different things."""

from __future__ import annotations

import streamlit as st

from lab_ui import components, controls, frame
from lab_ui.answers import Answer, answer
from lab_ui.words import AIMS, title
from tasklab.scenario import Scenario

ABREAST = 4
"""Columns side by side; further systems continue below."""


LESSON = (
    frame.Step("The attack climbs the training loss, as in the paper. Where a system is fitted, there is no gradient: "
               "nothing happens.", {"train": True, "margin": False}),
    frame.Step("One line changed: the same attack aims at the decision. Now every system breaks.",
               {"train": True, "margin": True}),
    frame.Step("How small can the change be? Halve ε.", {"eps": 0.1}),
    frame.Step("Make the attack count only if another class is read: a None raises an alarm.",
               {"eps": 0.2, "criterion": "evaded"}),
)


def page() -> None:
    """Scenario, result, figures, words."""
    lab = frame.open_page("attack_lab", lesson=LESSON)
    scenario = controls.attack(lab, one_objective=False)
    if not scenario.objectives:
        st.info("Pick at least one aim on the left, and the attack begins.")
        return
    images = lab.pictures
    head = st.container()  # what it all comes to is said when it is known; the cells are drawn as they are found
    components.legend()
    found: dict[tuple[str, str], Answer] = {}
    for aim in scenario.objectives:
        row = st.container()
        for start in range(0, len(lab.chosen), ABREAST):
            columns = st.columns(min(ABREAST, len(lab.chosen)))
            for column, name in zip(columns, lab.chosen[start : start + ABREAST], strict=False):
                with column, st.container(border=True, gap="xsmall", height="stretch"):
                    cell(scenario, name, lab.key(name), aim, found)
        with row:
            components.aim_heading(scenario, aim, [f for (_, a), f in found.items() if a == aim])
    with head:
        components.top(images.x(lab.image), images.classes[images.labels[lab.image]], headline(scenario, found))
    frame.close_page(lab, code=scenario.to_code(list(found)))


def cell(scenario: Scenario, name: str, key: str, aim: str, found: dict[tuple[str, str], Answer]) -> None:
    """One system under one aim, or the sentence that says why there is nothing to show."""
    try:
        found[name, aim] = answer(scenario, name, key, aim)
    except ValueError as error:
        st.html(components.cell_heading(title(key), ""))
        st.info(str(error))
        return
    components.cell(scenario, title(key), aim, found[name, aim])


def headline(scenario: Scenario, found: dict[tuple[str, str], Answer]) -> str:
    """What happened, in a sentence or two."""
    said, spoiled = [], False
    for aim in scenario.objectives:
        row = [f for (_, a), f in found.items() if a == aim]
        right = [f for f in row if f.decoded[0] == f.label]
        spoiled = spoiled or len(right) < len(row)
        if right:
            broken = sum(f.broken for f in right)
            said.append(f"Aimed at {AIMS[aim]}, the attack breaks <b>{broken} of {len(right)}</b>.")
    if not found:
        return "This attack cannot be made as asked; each system says why."
    if not said:
        return "No system reads this picture correctly, even before an attack. Try another one."
    if spoiled:
        said.append("Systems that misread the picture before the attack are not counted.")
    return " ".join(said)


page()
