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
    found, refused = run(setup, keys)
    components.top(images.x(setup.image), images.classes[images.labels[setup.image]], headline(setup, found))
    components.legend()
    for aim in setup.aims:
        components.aim_heading(setup, aim, [cell for (_, a), cell in found.items() if a == aim])
        for start in range(0, len(setup.systems), ABREAST):
            row = setup.systems[start : start + ABREAST]
            for column, name in zip(st.columns(min(ABREAST, len(setup.systems))), row, strict=False):
                with column, st.container(border=True, gap="xsmall", height="stretch"):
                    if (name, aim) in found:
                        components.cell(setup, title(keys[name]), aim, found[name, aim])
                    else:
                        st.html(components.cell_heading(title(keys[name]), ""))
                        st.info(refused[name, aim])
    with st.expander("Code and link"):
        st.markdown("This page, with the library alone. The address of this page is a link to exactly this view.")
        st.code(setup.code(list(found)), language="python")


def run(setup: Setup, keys: dict[str, str]) -> tuple[dict[tuple[str, str], Answer], dict[tuple[str, str], str]]:
    """The answer of each cell, or the sentence that says why there is none."""
    found, refused = {}, {}
    for aim in setup.aims:
        for name in setup.systems:
            try:
                found[name, aim] = answer(setup, name, keys[name], aim)
            except ValueError as error:
                refused[name, aim] = str(error)
    return found, refused


def headline(setup: Setup, found: dict[tuple[str, str], Answer]) -> str:
    """What happened, in a sentence or two."""
    said, spoiled = [], False
    for aim in setup.aims:
        cells = [cell for (_, a), cell in found.items() if a == aim]
        right = [cell for cell in cells if cell.decoded[0] == cell.label]
        spoiled = spoiled or len(right) < len(cells)
        if right:
            broken = sum(cell.broken for cell in right)
            said.append(f"Aimed at {AIMS[aim]}, the attack breaks <b>{broken} of {len(right)}</b>.")
    if not found:
        return "This attack cannot be made as asked; each system says why."
    if not said:
        return "No system reads this picture correctly, even before an attack. Try another one."
    if spoiled:
        said.append("Systems that misread the picture before the attack are not counted.")
    return " ".join(said)


page()
