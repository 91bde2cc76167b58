"""The attack lab as a person has it: ε under a hand without a message a tick, steps to play, links, no network."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg

from tasklab.experiments.scenario import Scenario
from tests.browser.serving import serving, settled
from tests.browser.visiting import Visit
from tests.systems import small_zoo

SLIDER = "input[data-part=eps]"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(TASKLAB_ZOO=str(small_zoo().folder), TASKLAB_DATA="/nowhere") as address:
        yield address


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Any]:
    visits = []

    def go(query: str = "", **settings: Any) -> Visit:
        tab = Visit(browser, f"{address}/attack_lab{query}", **settings)
        tab.page.locator(".tl-chip").first.wait_for()
        tab.page.wait_for_function(f"{STOPS} > 9")  # the many stops that the scene asks for are there
        settled(tab.page)
        visits.append(tab)
        return tab

    yield go
    for tab in visits:
        tab.close()


STOPS = """[...document.querySelectorAll('*')].filter(e => e.shadowRoot).map(e => e.shadowRoot.querySelector(
    'input[data-part=eps]')).filter(Boolean).map(e => Number(e.dataset.stops) - 1)[0]"""

CLEAN = """[...document.querySelectorAll('*')].filter(e => e.shadowRoot).map(e => e.shadowRoot.querySelector(
    '[data-part=clean]')).find(Boolean)"""


def told() -> str:
    return "?" + urlencode(small_zoo().query, doseq=True)


def verdicts(tab: Visit) -> list[str]:
    tab.page.evaluate("() => new Promise(requestAnimationFrame)")
    chips = tab.page.locator("[data-part^=chip][data-part*='-'] .tl-chip").all_inner_texts()
    return [re.sub(r" ·.*", "", words.split("reads ")[1]) for words in chips]


def eps(tab: Visit) -> float:
    tab.page.evaluate("() => new Promise(requestAnimationFrame)")
    return float(tab.page.locator("[data-part=epsword]").inner_text().split("=")[1])


def rested(tab: Visit, sent: int) -> None:
    """Wait for the one message, and for what it brings."""
    for _ in range(100):
        if len(tab.sent) > sent:
            break
        tab.page.wait_for_timeout(100)
    tab.page.wait_for_timeout(700)
    settled(tab.page)


def test_a_drag_shows_what_the_library_finds_and_sends_nothing_before_it_rests(visit: Any) -> None:
    tab = visit(told())
    slider = tab.page.locator(SLIDER)
    slider.scroll_into_view_if_needed()
    box, sent = slider.bounding_box(), len(tab.sent)
    y, seen = box["y"] + box["height"] / 2, {}
    tab.page.mouse.move(box["x"] + 0.4 * box["width"], y)
    tab.page.mouse.down()
    for k in range(26):
        tab.page.mouse.move(box["x"] + 8 + (box["width"] - 16) * (25 - k) / 25, y)
        results = verdicts(tab)
        seen[eps(tab)] = results
    tab.page.wait_for_timeout(1000)
    assert len(tab.sent) == sent, "no message while the hand holds"
    tab.page.mouse.up()
    rested(tab, sent)
    assert len(tab.sent) > sent
    assert min(seen) == 0 and max(seen) == 0.5 and len(seen) >= 20
    assert len({tuple(results) for results in seen.values()}) > 1, "something changes on the way"
    for size in (0.0, 0.2, 0.5):
        query = small_zoo().query
        made = Scenario(image=small_zoo().picture, systems=tuple(f"digits-{key}" for key in query["systems"]), eps=size)
        expected = [int(result.decoded) for result in made.run().values()]
        assert seen[size] == ["None" if k < 0 else str(k) for k in expected], size
    assert "eps=0" in tab.page.url
    assert "breaks 0 of 2" in tab.page.locator(".tl-lead").first.inner_text()


def test_keys_move_epsilon_one_stop_at_a_time_and_nothing_else(visit: Any) -> None:
    tab = visit(told())
    slider, sent = tab.page.locator(SLIDER), len(tab.sent)
    slider.focus()
    slider.press("Home")
    assert eps(tab) == 0
    for k in range(4):
        slider.press("ArrowRight")
        assert eps(tab) == pytest.approx(0.02 * (k + 1))
    assert slider.get_attribute("aria-valuetext") == "ε = 0.08"
    assert len(tab.sent) == sent
    rested(tab, sent)
    assert len(tab.sent) > sent
    assert "eps=0.08" in tab.page.url
    assert tab.page.get_by_text("A lesson in").count() == 1, "the page's own shortcuts on the arrows did not act"
    assert "ε = 0.08" in tab.page.locator("[data-part=live]").first.text_content()
    assert tab.page.evaluate("document.activeElement.shadowRoot.activeElement.dataset.part") == "eps"


def test_the_slider_on_the_left_and_the_one_to_drag_are_one(visit: Any) -> None:
    tab = visit(told())
    handle = tab.page.locator("[data-testid=stSidebar]").get_by_role("slider", name="ε, the size of the change")
    for key, value in (("End", 0.5), ("Home", 0.0)):
        sent = len(tab.sent)
        handle.focus()
        handle.press(key)
        rested(tab, sent)
        assert eps(tab) == value


def test_pictures_of_the_strip_are_chosen_and_a_view_is_pinned(visit: Any) -> None:
    tab = visit(told())
    before = verdicts(tab)
    tab.page.get_by_role("button", name="Pin this as A").click()
    tab.page.locator(".tl-pinned").wait_for()
    other = tab.page.locator(".tl-strip button[aria-pressed=false]").first
    place, sent = other.get_attribute("data-place"), len(tab.sent)
    other.click()
    rested(tab, sent)
    tab.page.wait_for_url(f"**image={place}**")
    rows = tab.page.locator(".tl-pinned tbody tr")
    assert rows.count() == len(before)
    assert [row.locator("td").first.inner_text().split("reads ")[1].split(" ")[0] for row in rows.all()] == before
    tab.page.get_by_role("button", name="Unpin A").click()
    tab.page.locator(".tl-pinned").wait_for(state="detached")


def test_the_player_plays_every_sub_step_in_the_browser(visit: Any) -> None:
    tab = visit(told() + "&steps=3")
    deck, sent = tab.page.locator("input[data-part=at]"), len(tab.sent)
    deck.scroll_into_view_if_needed()
    lead = tab.page.locator(".tl-lead").last
    deck.focus()
    deck.press("Home")
    text = []
    for _ in range(12):
        deck.press("ArrowRight")
        tab.page.evaluate("() => new Promise(requestAnimationFrame)")
        text.append(lead.inner_text())
    assert [words.split(" · ")[1] for words in text] == ["gradient", "sign", "step", "projection"] * 3
    assert text[4].startswith("Step 2 of 3")
    tab.page.get_by_role("button", name="◀ step").click()
    tab.page.get_by_role("button", name="◀ step").click()
    assert deck.input_value() == "4"
    tab.page.get_by_role("button", name="Play").click()
    tab.page.wait_for_function("() => [...document.querySelectorAll('*')].some(e => e.shadowRoot?.querySelector("
                               "'input[data-part=at]')?.value === '12')")
    tab.page.get_by_role("button", name="Play").wait_for()  # it has stopped by itself
    assert len(tab.sent) == sent


def test_with_reduced_motion_the_player_goes_by_whole_steps(visit: Any) -> None:
    tab = visit(told() + "&steps=3", reduced_motion="reduce")
    deck = tab.page.locator("input[data-part=at]")
    deck.focus()
    deck.press("Home")
    tab.page.get_by_role("button", name="Play").click()
    seen = set()
    while (value := int(deck.input_value())) < 12:
        seen.add(value)
        tab.page.wait_for_timeout(50)
    assert seen <= {0, 4, 8}


def test_a_link_repeats_the_page_in_another_tab(visit: Any) -> None:
    tab = visit(told())
    slider, sent = tab.page.locator(SLIDER), len(tab.sent)
    slider.focus()
    slider.press("ArrowRight")
    rested(tab, sent)
    again = visit("?" + tab.page.url.partition("?")[2])
    assert eps(again) == eps(tab) == 0.22
    assert verdicts(again) == verdicts(tab)
    assert again.page.locator(".tl-lead").first.inner_text() == tab.page.locator(".tl-lead").first.inner_text()
    assert again.page.locator(".tl-badge").all_inner_texts() == tab.page.locator(".tl-badge").all_inner_texts()


def test_the_file_taken_away_drags_without_a_server(visit: Any, browser: Any, tmp_path: Path) -> None:
    tab = visit(told())
    tab.page.get_by_text("Code, link, files").click()
    tab.page.get_by_role("button", name="ε to drag (one HTML file)").wait_for()
    settled(tab.page)
    tab.still()
    sent = len(tab.sent)
    with tab.page.expect_download() as download:
        tab.page.get_by_role("button", name="ε to drag (one HTML file)").click()
    assert len(tab.sent) == sent + 1  # the file is asked for, and no run that would drop the answer
    file = tmp_path / "scene.html"
    download.value.save_as(file)
    phone: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    context = browser.new_context(**phone, offline=True)
    page, asked = context.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    slider = page.locator(SLIDER)
    assert page.locator("[data-part=epsword]").inner_text() == "ε = 0.20"
    chips = page.locator("[data-part^=chip] .tl-chip").all_inner_texts()
    assert [re.sub(r" ·.*", "", words.split("reads ")[1]) for words in chips] == verdicts(tab)
    slider.focus()
    slider.press("Home")
    page.evaluate("() => new Promise(requestAnimationFrame)")
    assert all("correct" in words for words in page.locator("[data-part^=chip] .tl-chip").all_inner_texts())
    box = slider.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    page.evaluate("() => new Promise(requestAnimationFrame)")
    assert page.locator("[data-part=epsword]").inner_text() == "ε = 0.50"
    assert any("correct" not in words for words in page.locator("[data-part^=chip] .tl-chip").all_inner_texts())
    assert page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [390, 390]
    assert asked == [file.as_uri()]
    context.close()


def test_many_stops_come_without_a_run_of_the_page_and_are_in_its_table(visit: Any, tmp_path: Path) -> None:
    tab = visit(told())
    runs = [message.rerun_script for message in map(BackMsg.FromString, tab.sent) if message.HasField("rerun_script")]
    wishes = [run for run in runs if any("finer" in state.json_trigger_value for state in run.widget_states.widgets)]
    assert len(wishes) == 1
    assert wishes[0].fragment_id, "a run of the whole page would end one that a click has begun, before it is heard"
    tab.page.get_by_text("Code, link, files").click()
    tab.page.get_by_role("button", name="attack (CSV)").wait_for()
    settled(tab.page)
    tab.still()
    with tab.page.expect_download() as download:
        tab.page.get_by_role("button", name="attack (CSV)").click()
    download.value.save_as(tmp_path / "attack.csv")
    rows = list(csv.DictReader((tmp_path / "attack.csv").open(encoding="utf-8")))
    assert len({row["eps"] for row in rows}) == tab.page.evaluate(STOPS) + 1 > 9


def test_a_page_can_be_left_while_it_still_has_something_to_say(visit: Any) -> None:
    tab = visit(told())
    for wait in (0, 150, 250, 290):
        before = tab.page.evaluate(f"({CLEAN}).toDataURL()")
        tab.page.get_by_test_id("stSidebar").get_by_test_id("stNumberInputStepUp").first.click()
        tab.page.wait_for_function(  # another image is shown, and many stops will be requested soon
            f"(clean => clean && clean.toDataURL() !== {before!r})({CLEAN})")
        tab.page.wait_for_timeout(wait)
        tab.page.get_by_test_id("stTopNavLink").filter(has_text="Codecs").click()
        tab.page.locator("[data-panel=int] [data-part=chip]").wait_for(timeout=20_000)
        tab.page.wait_for_timeout(1000)
        assert tab.page.get_by_test_id("stException").count() == 0
        assert "/codecs" in tab.page.url
        tab.page.go_back()
        tab.page.wait_for_function(f"{STOPS} > 9")
        settled(tab.page)


@pytest.mark.parametrize("query", ["", "?systems="])
def test_no_obstacle_and_nobody_else_asked(visit: Any, browser: Any, address: str, query: str) -> None:
    tab = Visit(browser, f"{address}/attack_lab{query}") if query else visit()
    if not query:
        tab.page.get_by_text("More settings").click()
        tab.page.get_by_text("How to read this").click()
        tab.page.wait_for_timeout(400)
        images = tab.page.locator("canvas[role=img], svg[role=img]")
        assert images.count() > 20
        assert all(image.get_attribute("aria-label") for image in images.all())
    assert tab.violations_in_both() == []
    assert tab.errors == []
    assert tab.elsewhere == []
    if query:
        tab.close()


def test_it_fits_a_phone(visit: Any) -> None:
    tab = visit(viewport={"width": 390, "height": 844})
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390
    wide = [element.bounding_box() for element in tab.page.locator(".tl-chip, .tl-cell, .tl svg").all()]
    assert all(box is None or box["x"] + box["width"] <= 391 for box in wide)
