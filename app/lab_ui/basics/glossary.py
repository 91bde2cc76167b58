"""The glossary, which every page opens from the line at its top. It needs no torch."""

from __future__ import annotations

import streamlit as st

from tasklab.course.references import PAPER as KEY
from tasklab.course.references import REFERENCES
from tasklab.course.words import names_markdown, tasks_markdown, words_markdown

PAPER = REFERENCES[KEY].address
"""Address of the paper whose systems these are."""

CITED = REFERENCES[KEY].markdown
"""The paper whose systems these are."""

DIFFERENT = (
    "Pages may show different accuracies for one system under “the same” attack, and all of them are right: the "
    "attacks differ in the number of images (n), in the number of steps and random starts, and in which of the steps "
    "counts. Each page says so beside its numbers, and the page on a system lists them next to each other."
)


def glossary() -> None:
    """Draw the button that opens the glossary."""
    with st.popover("Glossary", key="glossary"):
        st.markdown(tasks_markdown())
        st.markdown(words_markdown())
        with st.expander("Names used elsewhere"):
            st.markdown(names_markdown())
        st.markdown(f"{DIFFERENT}\n\n{CITED}")
