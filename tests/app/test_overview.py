"""The list of all lessons and scenes: it is whole, every page can reach it, and its links open what they say."""

from __future__ import annotations

import html
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import streamlit as st

from lab_ui.basics.lessons import LESSONS, values_of
from lab_ui.basics.scenes import BEGINNING, SCENES
from lab_ui.results import growing
from tasklab.course import PAGES
from tests.app.visitors import clean, visit

PAGE_FILES = Path(__file__).parents[2] / "app" / "app_pages"
LINKS = re.compile(r'<a href="([^"]+)" target="_self">([^<]+)</a>')
CHOICES = ("selectbox", "button_group", "pills", "segmented_control", "multiselect", "number_input")


def listed() -> dict[tuple[str, str], dict[str, list[str]]]:
    """Page and words of each link of the list to the parameters of its address."""
    at = visit("codecs", overview="true")
    assert not at.button, "nothing but the list"
    (body,) = [block.proto.body for block in at.main.get("html") if "lab-all" in block.proto.body]
    links = [(html.unescape(words), urlsplit(html.unescape(address))) for address, words in LINKS.findall(body)]
    return {(parts.path.rsplit("/", 1)[-1], words): parse_qs(parts.query) for words, parts in links}


def test_every_step_and_every_scene_is_in_the_list() -> None:
    links = listed()
    for name, lesson in LESSONS.items():
        for number, step in enumerate(lesson, 1):
            photographs = name == "draw_photographs"
            query = links["draw" if photographs else name, step.words]
            assert query == {"lesson": [str(number)]} | ({"data": ["cifar10"]} if photographs else {})
    for scene in SCENES:
        query = links[scene.page, scene.name]
        for key, value in scene.values.items():
            expected = [str(each).lower() for each in (value if isinstance(value, list) else [value])]
            assert value == BEGINNING.get(key) or [each.lower() for each in query[key]] == expected


def test_every_page_leads_to_the_list() -> None:
    bodies = [block.proto.body for block in visit("start").get("html")]
    assert any('href="./codecs?overview=true"' in body for body in bodies)
    for slug in PAGES:  # the menu is drawn by the frame
        assert "frame.open_page(" in (PAGE_FILES / f"{slug}.py").read_text(encoding="utf-8"), slug


@pytest.mark.parametrize("slug", ["codecs", "attack_lab", "robust", "outputs", "train", "paper"])
def test_a_link_to_a_step_sets_its_scene(slug: str) -> None:
    lesson = LESSONS[slug]
    number = next(number for number in range(len(lesson) - 1, -1, -1) if not lesson[number].needs)
    at = visit(slug, lesson=str(number + 1))
    words = [block.proto.body for block in at.main.get("html") if "aria-live" in block.proto.body]
    assert any(lesson[number].words in html.unescape(body) for body in words)
    chosen = {each.key: each.value for kind in CHOICES for each in at.get(kind) if each.key}
    wanted = {key: value for key, value in values_of(lesson, number).items() if key in chosen}
    assert wanted and {key: chosen[key] for key in wanted} == wanted


def test_the_browser_is_told_of_the_scene_even_if_the_first_run_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    show, runs = growing.show, []

    def interrupted(slug: str, seen: growing.Seen) -> None:
        runs.append(slug)
        if len(runs) == 1:
            st.stop()
        show(slug, seen)

    monkeypatch.setattr(growing, "show", interrupted)
    at = clean(visit("attack_lab", lesson="1").run())
    toggle = at.toggle(key="margin")
    assert len(runs) == 2 and not toggle.value
    assert toggle.proto.set_value, "else the browser would begin with its usual value, and send it"
    clean(toggle.set_value(True).run())
    assert at.toggle(key="margin").value, "from then on it is the visitor's"


@pytest.mark.parametrize("query", [
    {"lesson": "99"}, {"lesson": "x"}, {"lesson": "0"}, {"lesson": "2", "data": "no such data"}, {"lesson": "1" * 5000},
    {"overview": "maybe"},
])
def test_a_link_that_makes_no_sense_opens_the_page(query: dict[str, str]) -> None:
    assert visit("attack_lab", **query).button
