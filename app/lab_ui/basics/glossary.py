"""The glossary, which every page opens from the line at its top. It needs no torch."""

from __future__ import annotations

import streamlit as st

PAPER = "https://arxiv.org/abs/2010.05125"
"""Address of the paper whose systems these are."""

CITED = ("K. Han, Y. Li, X. Long and Y. Ge (2020): *Learning Task-aware Robust Deep Learning Systems*. "
         f"[arXiv:2010.05125]({PAPER}).")

TASKS = {
    "TRA": ("traditional classification", "One score for each class; the largest wins."),
    "DeepBE": ("deep binary encoding", "A few bits, each read as 1 above 0.5 and as 0 below."),
    "INT": ("interval-label classification", "One number on a line; each class has an interval, and a gap means None."),
    "RBC": ("robust binary-label classification", "A few bits read by their sign, trained to lie S away from 0."),
    "ECOC": ("error-correcting output codes", "More bits than needed; the nearest codeword wins."),
}
"""Short name of a task to its full name, and how it answers."""

WORDS = {
    "ε": "How much an attack may change any pixel; black is 0 and white is 1.",
    "PGD": "Projected gradient descent: an attack that takes small steps along the gradient of what it is aimed at.",
    "training loss": "What training made small. The paper's attacks make it large again.",
    "margin": "The distance of the outputs to where the decision changes: positive while the image is classified "
              "correctly.",
    "gradient exactly 0": "Where a training loss is exactly 0 it has no gradient, and an attack on it has nothing to "
                          "follow. That is called gradient masking.",
    "None": "The outputs belong to no class: an alarm rather than an answer.",
    "worst case found": "An image counts as correct only if none of several attacks fooled it. A better attack may "
                        "still find more, so it is an upper bound.",
    "an honest number": "The checks on the attack found nothing to say against the accuracy that it left. If the "
                        "attack itself failed, it says “do not trust this number”.",
}
"""Term to what it means."""

DIFFERENT = (
    "Pages may show different accuracies of one system under “the same” attack, and all of them are right: they differ "
    "in how many images were attacked (n), in steps and random starts, and in which step counts. Each page says so "
    "beside its number, and the page on a system lists them next to each other."
)


def glossary() -> None:
    """Draw the button that opens the glossary."""
    with st.popover("Glossary", key="glossary"):
        st.markdown("\n".join(f"- **{name}**, {full_name}. {words}" for name, (full_name, words) in TASKS.items()))
        st.markdown("\n".join(f"- **{term}**: {words}" for term, words in WORDS.items()))
        st.markdown(f"{DIFFERENT}\n\n{CITED}")
