"""The drawing pad under a mouse and under keys, and files that are no images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tasklab.data import digit_strokes, draw_strokes
from tests.browser.serving import settled
from tests.browser.visiting import Visit


@pytest.fixture
def tab(address: str, browser: Any) -> Iterator[Visit]:
    visit = Visit(browser, f"{address}/draw?train=false&steps=5")
    yield visit
    visit.close()


def pad(tab: Visit) -> Any:
    return tab.page.get_by_role("application", name="Drawing pad: draw a digit")


def said(tab: Visit, words: str) -> None:
    tab.page.get_by_text(words).first.wait_for()
    settled(tab.page)


def worse(tab: Visit) -> list[str]:
    """What axe finds, but for the role of Streamlit's own drop zone."""
    return [each for each in tab.violations_in_both() if "stFileUploaderDropzone" not in each]


def stroke(tab: Visit, points: list[tuple[float, float]]) -> None:
    """A line of the mouse, points in [0, 1]."""
    pad(tab).scroll_into_view_if_needed()
    box = pad(tab).bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    tab.page.mouse.move(*places[0])
    tab.page.mouse.down()
    for place in places[1:]:
        tab.page.mouse.move(*place, steps=3)
    tab.page.mouse.up()


def test_a_stroke_of_the_mouse_is_read_and_attacked(tab: Visit) -> None:
    assert "systems read it as a 2" in tab.page.locator(".lab-lead").first.inner_text()
    tab.page.locator(".pad .clear").click()
    said(tab, "Nothing is drawn yet")
    for line in digit_strokes(0):
        stroke(tab, list(line))
    said(tab, "systems read it as a 0")
    assert tab.page.locator(".read-own .lab-chip", has_text="0").count() > 15
    assert tab.page.get_by_role("heading", name="Your image, attacked").is_visible()
    tab.page.locator(".pad .undo").click()
    said(tab, "Nothing is drawn yet")
    assert tab.errors == []


def test_a_drawing_survives_a_visit_to_another_page(tab: Visit) -> None:
    tab.page.locator(".pad .clear").click()
    said(tab, "Nothing is drawn yet")
    for line in digit_strokes(3):
        stroke(tab, list(line))
    said(tab, "systems read it as a 3")
    tab.page.get_by_test_id("stTopNavLink").filter(has_text="Transfer").click()
    tab.page.wait_for_url("**/transfer**")
    settled(tab.page)
    tab.page.go_back()
    tab.page.wait_for_url("**/draw**")
    said(tab, "systems read it as a 3")


def test_keys_draw_too_and_leave_the_lesson_alone(tab: Visit) -> None:
    tab.page.locator(".pad .clear").click()
    said(tab, "Nothing is drawn yet")
    pad(tab).focus()
    for _ in range(12):
        tab.page.keyboard.press("ArrowUp")
    tab.page.keyboard.press("Space")
    assert "Pen down" in tab.page.locator(".pad .status").inner_text()
    for _ in range(26):
        tab.page.keyboard.press("ArrowDown")
    tab.page.keyboard.press("Space")
    said(tab, "systems read it as a 1")
    assert "A lesson in 4 steps" in tab.page.locator(".lab-lesson").inner_text()


def test_examples_are_a_keyboard_s_way_round_the_pad(tab: Visit) -> None:
    tab.page.get_by_text("3", exact=True).first.click()
    said(tab, "systems read it as a 3")
    assert tab.page.evaluate("location.search").count("draw_example=3") == 1


def test_uploads_good_and_bad(tab: Visit, tmp_path: Path) -> None:
    bad, good = tmp_path / "text.png", tmp_path / "two.png"
    bad.write_text("hello, I am no image", encoding="utf-8")
    Image.fromarray(255 - draw_strokes(digit_strokes(2))).save(good)
    tab.page.get_by_text("upload", exact=True).click()
    said(tab, "Choose a file, or draw")
    tab.page.locator("input[type=file]").set_input_files(str(bad))
    said(tab, "This file cannot be read")
    assert tab.page.get_by_test_id("stException").count() == 0
    assert worse(tab) == []
    tab.page.locator("input[type=file]").set_input_files(str(good))
    said(tab, "systems read it as a 2")
    assert worse(tab) == []
