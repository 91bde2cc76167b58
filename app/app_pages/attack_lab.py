"""The attack lab: one picture, several systems, one attack, aimed at different things."""

from __future__ import annotations

import streamlit as st

from lab_ui import components, controls, shelf
from lab_ui.answers import Answer, answer
from lab_ui.setup import Setup
from lab_ui.words import AIMS, title

ABREAST = 4
"""Columns side by side; further systems continue below."""


def page() -> None:
    """Scenario, result, figures, words."""
    components.style()
    with st.sidebar:
        dataset = controls.dataset()
    images = shelf.test_set(dataset)
    if images is None:
        shelf.offer_download(dataset)
        return
    systems, troubles = shelf.systems(dataset)
    for sentence in troubles:
        st.warning(sentence)
    if not systems:
        st.info("There is no trained system for these pictures here. Choose another data set on the left, or put "
                "systems of your own into the folder that TASKLAB_ZOO names.")
        return
    with st.sidebar:
        setup = controls.setup(dataset, images, systems)
    keys = {name: key for key, name in systems.items()}
    if not setup.systems or not setup.aims:
        st.info(f"Pick at least one {'system' if not setup.systems else 'aim'} on the left, and the attack begins.")
        return
    head = st.container()  # what it all comes to is said when it is known; the cells are drawn as they are found
    components.legend()
    found: dict[tuple[str, str], Answer] = {}
    for aim in setup.aims:
        row = st.container()
        for start in range(0, len(setup.systems), ABREAST):
            columns = st.columns(min(ABREAST, len(setup.systems)))
            for column, name in zip(columns, setup.systems[start : start + ABREAST], strict=False):
                with column, st.container(border=True, gap="xsmall", height="stretch"):
                    cell(setup, name, keys[name], aim, found)
        with row:
            components.aim_heading(setup, aim, [f for (_, a), f in found.items() if a == aim])
    with head:
        components.top(images.x(setup.image), images.classes[images.labels[setup.image]], headline(setup, found))
    with st.expander("Code and link"):
        st.markdown("This page, with the library alone. The address of this page is a link to exactly this view.")
        st.code(setup.code(list(found)), language="python")


def cell(setup: Setup, name: str, key: str, aim: str, found: dict[tuple[str, str], Answer]) -> None:
    """One system under one aim, or the sentence that says why there is nothing to show."""
    try:
        found[name, aim] = answer(setup, name, key, aim)
    except ValueError as error:
        st.html(components.cell_heading(title(key), ""))
        st.info(str(error))
        return
    components.cell(setup, title(key), aim, found[name, aim])


def headline(setup: Setup, found: dict[tuple[str, str], Answer]) -> str:
    """What happened, in a sentence or two."""
    said, spoiled = [], False
    for aim in setup.aims:
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
