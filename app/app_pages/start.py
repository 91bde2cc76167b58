"""The page “Start”: one image that four systems read differently, and a tour that explains why. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from lab_ui.basics.glossary import CITED
from lab_ui.panels import start_view
from lab_ui.parts.start_drag import start_drag
from lab_ui.results import start_record
from lab_ui.shell import address, frame
from tasklab.course import PAGES, title_of


@dataclass(frozen=True, kw_only=True)
class Stop:
    """One stop of the tour.

    Attributes:
        view: the view of the record that is shown.
        title: may name recorded values in braces.
        words: may name recorded values in braces.
        page: slug of the page that the stop leads to.
        values: widget key to value on that page.
        invite: the label of the button that leads there.
    """

    view: str
    title: str
    words: str
    page: str
    invite: str
    values: Mapping[str, Any] = field(default_factory=dict)


TOUR = (
    Stop(view="margin", title="One image. Four answers.",
         words="You see a {label}. So did four neural networks, before an attack changed it. Drag ε, the "
               "most that it may change any pixel.",
         page="attack_lab", invite="Attack it yourself"),
    Stop(view="clean", title="Before, all four read {label}.",
         words="They learned from the same digits. Only the way they answer differs: scores, bits, a number on a line.",
         page="codecs", invite="Take the answers apart"),
    Stop(view="train", title="The published attack finds nothing.",
         words="It climbs the training loss of {against}. Here that loss is exactly 0, and so is its gradient: not one "
               "pixel changes. Is {against} unbreakable?",
         page="attack_lab", invite="See it for yourself",
         values={"train": True, "margin": False, "systems": ["tra", "rbc"]}),
    Stop(view="plane", title="A flat loss is no protection.",
         words="Where the colour is full, the gradient of the training loss is 0, so an attack on that loss stays "
               "where it starts. Yet the border is close.",
         page="regions", invite="Explore the plane",
         values={"regions_set": "spirals", "regions_tasks": ["TRA", "RBC"], "regions_noise": 0.015, "regions_point": 5,
                 "regions_field": "training loss", "regions_revealed": True}),
    Stop(view="margin", title="Now the attack aims at the decision.",
         words="Only this one line of it is different, and {against} reads {broken}. The attack was computed on "
               "{against} alone, yet it changes other answers, too.",
         page="attack_lab", invite="Change that line",
         values={"train": True, "margin": True, "systems": ["tra", "deepbe", "int", "rbc"]}),
    Stop(view="own", title="Aimed at each in turn, it breaks {fallen} of four.",
         words="So when somebody tells you how much a network withstands, ask: against which attack?",
         page="robust", invite="Ask: is it really robust?"),
)

ROW = 4
"""Number of tiles in a row."""

AIMS = {"train": "the training loss", "margin": "the decision margin"}
"""As in `lab_ui.basics.words`, which imports torch."""

CODE = """from tasklab import data, zoo
from tasklab.attacks import PGD, attack

test = data.load("{data}", "test")
x, y = test.x({image}), test.labels[{image}:{after}]
systems = {{name: zoo.load(name) for name in {names}}}

decoded = {{}}
for objective in ("train", "margin"):
    settings = PGD(eps={eps:g}, steps={steps}, random_start=False, keep="best", objective=objective)
    result = attack(systems["{against}"], x, y, settings)
    decoded[objective] = [system.predict(result.images).item() for system in systems.values()]
    print(objective, decoded[objective])  # -1 is None"""


def page() -> None:
    """Draw the image and what is read, the buttons of the tour, and the links to the other pages."""
    lab = frame.open_page("start", bar=())
    st.html(start_view.STYLE)
    record = start_record.read()
    index = address.place("stop", "start_stop", len(TOUR), 0)
    stop, values = TOUR[index], _values(record)
    st.html(start_view.stage(record, stop.view, stop.title.format(**values), stop.words.format(**values)))
    with st.container():  # so that what follows keeps its place in the page
        if index == 0:
            stops = start_view.dragged(record)
            start_drag(stops, [each["eps"] for each in record["drag"]].index(record["eps"]), key="start_drag")
    last = index == len(TOUR) - 1
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button("◀", key="start_back", on_click=_go, args=(index - 1,), disabled=index == 0, shortcut="Left",
                  help="Back")
        words = "The tour: three minutes ▶" if index == 0 else "Once more from the start" if last else "Next ▶"
        st.button(words, key="start_next", on_click=_go, args=(0 if last else index + 1,), shortcut="Right",
                  type="secondary" if last else "primary")
        st.button(stop.invite, key="start_open", on_click=_leave, args=(stop, record),
                  type="primary" if last else "secondary")
        st.html(f'<p class="lab-lesson">{index + 1} of {len(TOUR)}</p>')
    _badge(record, stop.view, is_dragged=index == 0)
    st.markdown(f"TRA, DeepBE, INT and RBC after {CITED}")
    st.html('<h2 class="front-go">All pages</h2>')
    tiles = [slug for slug in PAGES if slug != "start"]
    for start in range(0, len(tiles), ROW):
        for column, slug in zip(st.columns(ROW), tiles[start : start + ROW], strict=False):
            with column, st.container(border=True, height="stretch", gap="xsmall", key=f"tile_{slug}"):
                st.page_link(f"app_pages/{slug}.py", label=title_of(slug))
                st.markdown(PAGES[slug])
    frame.close_page(lab, code=CODE.format(**record | {
        "after": record["image"] + 1, "names": [system["name"] for system in record["systems"]],
    }))


def _values(record: Mapping[str, Any]) -> dict[str, Any]:
    """The recorded values that the texts of the tour name in braces."""
    against = [system["name"] for system in record["systems"]].index(record["against"])
    return {
        "label": record["label"],
        "against": start_view.name_of(record["systems"][against]),
        "broken": start_view.read_as(record["views"]["margin"]["reads"][against]["decoded"]),
        "fallen": {4: "four", 3: "three", 2: "two"}[
            sum(answer["decoded"] != record["label"] for answer in record["own"])],
    }


def _badge(record: Mapping[str, Any], view: str, *, is_dragged: bool) -> None:
    """Draw the conditions under which the numbers of a view were measured: at one ε, or anew at each one."""
    name, eps = _values(record)["against"], record["eps"]
    how = f"PGD, {record['steps']} steps, 1 start, {'anew for each ε' if is_dragged else f'ε = {eps:g}'}"
    if view == "clean":
        st.caption("n = 1 image · no attack")
        return
    if view == "plane":
        st.caption("n = 1 point · aimed at the training loss and at the decision margin · PGD, 20 steps, 1 start, "
                   "ε = 0.25 · gradient of the training loss exactly 0")
        return
    if view == "own":
        frame.badge(n=1, aim=AIMS["margin"], how=f"{how}, computed on each system itself")
        return
    frame.badge(n=1, aim=AIMS[view], how=f"{how}, computed on {name}",
                zero=float(record["views"][view]["zero_gradient"]))


def _leave(stop: Stop, record: Mapping[str, Any]) -> None:
    """Go to a stop's page. The attack lab opens with the same image, if its data set is on this machine."""
    from tasklab import data  # here, because it imports torch, which the next page needs anyway

    values = {}
    if stop.page == "attack_lab" and data.available(record["data"]):
        values = {"data": record["data"], "image": record["image"], "eps": record["eps"]}
    frame.leave_for(stop.page, values | dict(stop.values))


def _go(stop: int) -> None:
    st.session_state["start_stop"] = stop


page()
