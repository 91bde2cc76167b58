"""Start: one digit, four systems, and the question that the whole app is about. Needs no torch."""

from __future__ import annotations

import html
from typing import Any

import streamlit as st

from lab_ui import frame, opening
from tasklab.course import PAGES, notebook_of

AIMS = {"none": "no attack", "train": "an attack on the training loss", "margin": "an attack on the decision"}
NAMES = {"tra": "TRA", "deepbe": "DeepBE", "int": "INT", "rbc": "RBC"}
LOOKS = {"correct": ("●", " · correct"), "wrong": ("✕", " · wrong"), "abnormal": ("▨", "")}

LESSON = (
    frame.Step("One 8, four networks. They learned from the same digits; only the way they answer differs: ten scores, "
               "four bits, a point on a line, four bits with a margin.", {"start_aim": "none"}),
    frame.Step("The usual attack climbs the loss that the network was trained with. Two systems break. The other two "
               "do not even move: have we found unbreakable networks?", {"start_aim": "train"}),
    frame.Step("One line changed: the same attack aims at the decision itself. All four break. Their loss was exactly "
               "0, so its gradient was 0, and the first attack had nothing to follow.", {"start_aim": "margin"}),
    frame.Step("Now drag ε yourself in the attack lab, or ask of any number: is it really robust? The pages below "
               "begin where this one ends.", {"start_aim": "margin"}),
)

INVITES = {
    "codecs": "How a network says 3: bars, bits, a line. Drag an output and read it.",
    "attack_lab": "Drag ε, step through PGD, watch the marker cross the line.",
    "robust": "Guess how much is left, then ask the right question.",
    "outputs": "Where all the outputs lie, before and after. What S does.",
    "feature_map": "A map of what a network sees, forming before your eyes.",
    "transfer": "Which systems fall to another one's pictures.",
    "train": "Train your own S in seconds, then attack it.",
    "draw": "Your own handwriting, read and broken.",
    "regions": "Decisions as colours in the plane, trained live.",
}


def page() -> None:
    """The picture, who reads what, and the ways on."""
    lab = frame.open_page("start", lesson=LESSON, bar=())
    found = opening.read()
    head = st.container()
    aim = st.segmented_control(
        "The picture meets", list(AIMS), default="margin", required=True, key="start_aim", bind="query-params",
        format_func=AIMS.__getitem__,
    )
    with head:
        st.html(
            f'<div class="lab-page lab-top"><figure><img src="{found["picture"]}" alt="clean picture of an '
            f'{found["label"]}"><figcaption>clean, an <b>{found["label"]}</b></figcaption></figure>'
            f'<div><h1>tasklab</h1><p class="lab-lead">{headline(found, aim)}</p></div></div>'
        )
    for column, system in zip(st.columns(len(found["systems"])), found["systems"], strict=True):
        with column, st.container(border=True, height="stretch"):
            st.html(card(system, found["label"], aim))
    how = f"PGD, {found['steps']} steps, 1 start, ε = {found['eps']:g}"
    zero = sum(system[aim]["zero_gradient"] for system in found["systems"])
    if aim != "none":
        frame.badge(n=1, objective=aim, how=how, zero_of=(zero, len(found["systems"])))
    st.html('<div class="lab-page"><h2 style="font-size:1.3rem;margin:1rem 0 0">Go on</h2></div>')
    tiles = [slug for slug in PAGES if slug != "start"]
    for start in range(0, len(tiles), 3):
        for column, slug in zip(st.columns(3), tiles[start : start + 3], strict=False):
            with column, st.container(border=True, height="stretch", gap="xsmall"):
                st.page_link(f"app_pages/{slug}.py", label=f"**{notebook_of(slug).title}**")
                st.markdown(INVITES[slug])
    frame.close_page(lab, code=CODE)


def headline(found: dict[str, Any], aim: str) -> str:
    """Who reads what, in a sentence."""
    label = found["label"]
    if aim == "none":
        return f"One {label}. Four networks, trained on the same digits, all read it."
    answers = [system[aim] for system in found["systems"]]
    still = [NAMES[key(system)] for system in found["systems"] if system[aim]["decoded"] == label]
    if still:
        return (f"The attack climbs the loss that each network was trained with. <b>{' and '.join(still)}</b> still "
                f"read <b>{label}</b>. Unbreakable?")
    read = [words(answer["decoded"]) for answer in answers]
    return (f"The same {label}, no pixel changed by more than {found['eps']:g}, and the networks read "
            f"<b>{', '.join(read[:-1])}</b> and <b>{read[-1]}</b>.")


def card(system: dict[str, Any], label: int, aim: str) -> str:
    """One system: its picture and what it reads."""
    answer = system[aim]
    sign, word = LOOKS[answer["outcome"]]
    what = "clean" if aim == "none" else "attacked"
    note = ('<p class="lab-note"><b>Gradient exactly zero:</b> the attack had nothing to follow.</p>'
            if answer["zero_gradient"] else "")
    return (
        f'<div class="lab-page"><div class="lab-head"><h3>{NAMES[key(system)]}</h3>'
        f'<p>{html.escape(system["answers"])}</p></div>'
        f'<img src="{answer["picture"]}" style="max-width:13rem" '
        f'alt="{what} picture of an {label}, read as {words(answer["decoded"])}">'
        f'<p style="margin:0.5rem 0"><span class="lab-chip lab-{answer["outcome"]}">{sign} reads '
        f'{words(answer["decoded"])}{word}</span></p>{note}</div>'
    )


def key(system: dict[str, Any]) -> str:
    """A system's name without that of its data set."""
    return str(system["name"]).partition("-")[2]


def words(decoded: int) -> str:
    """A label as text."""
    return "None" if decoded < 0 else str(decoded)


CODE = """from tasklab.scenario import Scenario

decoded = {pair: result.decoded.item() for pair, result in Scenario().run().items()}
for (system, objective), label in decoded.items():
    print(objective, system, label)  # -1 is None"""

page()
