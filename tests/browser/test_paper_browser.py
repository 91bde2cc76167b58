"""The page on the paper's tables under a mouse and under keys, accessible in light and dark, fit for a phone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tasklab.paper.grid import METHODS, Cell
from tests.browser.serving import serving, settled
from tests.browser.visiting import COLOURED, Visit
from tests.paper.small_cells import kinds, written

PLACE = 'button[data-place="{}|{}"]'


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server in a folder where one cell of each word was made, for a network of the paper."""
    folder = tmp_path_factory.mktemp("made")
    for key, left, zero in (("tra", 100, 0), ("deepbe", 40, 0), ("rbc", 2, 60)):
        cell = Cell(data="cifar10", arch="resnet18", method=METHODS[key])
        written(folder / "runs" / "paper" / "cells", cell, kinds(worst=range(left)), zero=zero,
                card={"command": f"tasklab train --name {cell.name}"})
    with serving(folder, TASKLAB_DATA="/nowhere") as address:
        yield address


@pytest.fixture
def tab(address: str, browser: Any) -> Iterator[Visit]:
    visit = Visit(browser, f"{address}/paper?paper_data=cifar10&paper_network=ResNet-18", color_scheme="light",
                  viewport={"width": 1280, "height": 720})
    yield visit
    assert visit.errors == [] and visit.elsewhere == []
    visit.close()


def opened(tab: Visit, words: str) -> None:
    tab.page.get_by_role("heading", name=words).wait_for()
    settled(tab.page)


def test_a_click_opens_a_cell_and_the_link_keeps_it(tab: Visit, address: str, browser: Any) -> None:
    tab.page.locator(PLACE.format("DeepBE", "FGSM II")).click()
    opened(tab, "DeepBE under FGSM II (ε = 6/255)")
    assert tab.page.get_by_text("Overstated: the paper prints 66.64 %").count() == 1
    tab.page.wait_for_function("location.search.includes('paper_system=DeepBE')")
    again = Visit(browser, f"{address}/paper?{tab.page.url.partition('?')[2]}")
    opened(again, "DeepBE under FGSM II (ε = 6/255)")
    again.page.locator('button[aria-pressed="true"][data-place]').wait_for()
    assert again.page.locator('button[aria-pressed="true"][data-place]').get_attribute("data-place") == "DeepBE|FGSM II"
    again.close()


def test_arrows_and_enter_open_a_cell_and_leave_the_lesson_alone(tab: Visit) -> None:
    tab.page.locator(PLACE.format("RBC", "PGD III")).focus()
    for key in ("ArrowUp", "ArrowLeft", "ArrowRight", "ArrowRight", "ArrowRight", "Enter"):
        tab.page.keyboard.press(key)
    opened(tab, "INT on clean images")
    assert "A lesson in 6 steps" in tab.page.locator(".lab-lesson").inner_text()
    assert tab.page.locator('button[data-place][tabindex="0"]').count() == 1, "one stop of the Tab key"


def test_every_word_is_accessible_in_light_and_dark_and_on_a_phone(tab: Visit) -> None:
    tab.page.locator("button[data-place]").first.wait_for()
    words = tab.page.locator("button[data-place]").all_inner_texts()
    assert len(words) == 28
    for word in ("masked", "overstated", "confirmed", "not made"):
        assert any(word in each for each in words), word
    assert tab.violations_in_both() == []
    tab.page.set_viewport_size({"width": 390, "height": 844})
    tab.page.wait_for_timeout(700)
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert tab.violations() == [], "on a phone"
    last = tab.page.locator(PLACE.format("TRA", "LEG"))
    last.scroll_into_view_if_needed()
    box = last.bounding_box()
    assert box and box["x"] + box["width"] <= 390, "the table scrolls in its own place"


def test_lecture_mode_keeps_the_table(tab: Visit) -> None:
    tab.page.keyboard.press("l")
    tab.page.get_by_role("button", name="Leave lecture mode").wait_for()
    settled(tab.page)
    assert tab.page.locator("button[data-place]").count() == 28
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_words_in_a_figure_follow_a_change_of_the_theme(tab: Visit) -> None:
    tab.page.get_by_role("radio", name="Figure 5").click()
    word = tab.page.locator(".stPlotlyChart .textpoint text", has_text="%").first
    word.wait_for()
    settled(tab.page)
    brightness = []
    for scheme in ("light", "dark"):
        tab.page.emulate_media(color_scheme=scheme)
        tab.page.wait_for_function(COLOURED, arg=scheme)
        fill = word.evaluate("text => getComputedStyle(text).fill.match(/\\d+/g).map(Number)")
        brightness.append(sum(fill) / 3)
    assert brightness[0] < 64 and brightness[1] > 192
