"""The codecs page under a hand, by mouse, finger and keys: read as the library reads it, no message while it moves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from lab_ui.panels import codec_panels
from tests.browser.serving import settled
from tests.browser.visiting import Visit

MADE = codec_panels.tasks(S=350, code="binary", bits=4, alpha=4.0, beta=16.0, s0=0.0, gap="abnormal", loss_form="hinge")


@pytest.fixture
def tab(browser: Any, address: str) -> Iterator[Visit]:
    tab = Visit(browser, f"{address}/codecs")
    tab.page.wait_for_selector("[data-panel=int] [role=slider]")
    yield tab
    tab.close()


def values(tab: Visit, key: str) -> list[float]:
    tab.page.evaluate("() => new Promise(requestAnimationFrame)")
    handles = tab.page.locator(f"[data-panel={key}] [role=slider]").all()
    return [float(handle.get_attribute("aria-valuenow")) for handle in handles]


def shown(tab: Visit, key: str) -> str:
    """What the chip reads: a class or None."""
    return tab.page.locator(f"[data-panel={key}] .tl-chip").inner_text().split("reads ")[1].split(" ")[0]


def agrees(tab: Visit, key: str) -> int:
    """That the page reads what stands in it as the library does; what that is."""
    decoded = int(MADE[key].codec.decode(torch.tensor([values(tab, key)])))
    assert shown(tab, key) == ("None" if decoded < 0 else str(decoded))
    return decoded


def test_a_marker_dragged_along_the_line_goes_through_gaps_and_classes(tab: Visit) -> None:
    area = tab.page.locator("[data-panel=int] [data-part=drag]")
    area.scroll_into_view_if_needed()
    box, sent = area.bounding_box(), len(tab.sent)
    y, read = box["y"] + box["height"] / 2, []
    tab.page.mouse.move(box["x"] + 20, y)
    tab.page.mouse.down()
    for k in range(60):
        tab.page.mouse.move(box["x"] + 20 + k * (box["width"] - 40) / 59, y)
        read.append(agrees(tab, "int"))
    assert len(tab.sent) == sent, "no message while the hand moves"
    tab.page.mouse.up()
    assert set(read) == {*range(10), -1}
    classes = [k for k in read if k >= 0]
    assert classes == sorted(classes)
    tab.page.wait_for_timeout(1500)
    assert len(tab.sent) == sent + 1, "one message when it rests"
    tab.page.get_by_text("Code, link, files").click()
    tab.page.locator("[data-testid=stCode]").wait_for()
    settled(tab.page)
    assert f"z = torch.tensor([[{values(tab, 'int')[0]}]]" in tab.page.locator("[data-testid=stCode]").text_content()


def test_the_page_can_be_left_before_the_hand_has_rested(tab: Visit) -> None:
    for wait in (0, 300, 560):
        area = tab.page.locator("[data-panel=int] [data-part=drag]")
        area.scroll_into_view_if_needed()
        box = area.bounding_box()
        tab.page.mouse.move(box["x"] + 20, box["y"] + box["height"] / 2)
        tab.page.mouse.down()
        tab.page.mouse.move(box["x"] + 120 + wait / 5, box["y"] + box["height"] / 2)
        tab.page.mouse.up()
        tab.page.wait_for_timeout(wait)
        tab.page.get_by_test_id("stTopNavLink").filter(has_text="Start").click()
        tab.page.locator(".front").wait_for(timeout=20_000)
        tab.page.wait_for_timeout(1000)
        assert tab.page.get_by_test_id("stException").count() == 0
        assert "/codecs" not in tab.page.url
        tab.page.go_back()
        area.wait_for()
        settled(tab.page)


def test_a_bit_dragged_across_its_threshold_and_to_its_rail(tab: Visit) -> None:
    area = tab.page.locator("[data-panel=rbc] [data-part=drag]")
    area.scroll_into_view_if_needed()
    box, note = area.bounding_box(), tab.page.locator("[data-panel=rbc] [data-part=loss]")
    x = box["x"] + 44 + 0.875 * (box["width"] - 44)  # the fourth bit
    tab.page.mouse.move(x, box["y"] + 60)
    tab.page.mouse.down()
    read = []
    for y in range(10, 130, 4):
        tab.page.mouse.move(x, box["y"] + y)
        read.append(agrees(tab, "rbc"))
    tab.page.mouse.move(x, box["y"] + 12)
    agrees(tab, "rbc")
    assert "0, exactly" in note.inner_text()
    assert "The loss does not pull" in tab.page.locator("[data-panel=rbc] [data-part=pull]").inner_text()
    tab.page.mouse.up()
    assert read[0] == 3 and read[-1] == 2  # 0011 and 0010


def test_keys_move_a_marker_to_the_very_end_of_an_interval_and_beyond(tab: Visit) -> None:
    handle = tab.page.locator("[data-panel=int] [role=slider]")
    handle.focus()
    url = tab.page.url
    while values(tab, "int")[0] > 76:
        handle.press("ArrowLeft")
    assert values(tab, "int") == [76]
    assert agrees(tab, "int") == 3  # an interval holds its end
    handle.press("ArrowRight")
    assert agrees(tab, "int") == -1
    handle.press("End")
    assert agrees(tab, "int") == -1
    handle.press("Home")
    assert agrees(tab, "int") == -1
    handle.press("PageUp")
    assert tab.page.url == url, "the page's own shortcuts on the arrows did not act"
    assert tab.page.get_by_text("A lesson in").count() == 1
    assert "read as" in handle.get_attribute("aria-valuetext")


def test_codewords_can_be_chosen_and_six_of_them_mean_none(tab: Visit) -> None:
    tiles = tab.page.locator("[data-panel=rbc] [data-bits]")
    assert tiles.count() == 16
    read = []
    for k in range(16):
        tiles.nth(k).click()
        read.append(agrees(tab, "rbc"))
        assert tiles.nth(k).get_attribute("aria-current") == "true"
    assert read == [*range(10), *[-1] * 6]


def test_scores_have_no_none(tab: Visit) -> None:
    handles, read = tab.page.locator("[data-panel=tra] [role=slider]"), set()
    for k in range(10):
        handles.nth(k).focus()
        handles.nth(k).press("End")
        read.add(agrees(tab, "tra"))
        handles.nth(k).press("Home")
        read.add(agrees(tab, "tra"))
    assert -1 not in read


def test_a_finger_drags_on_a_phone(browser: Any, address: str) -> None:
    tab = Visit(browser, f"{address}/codecs", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    area = tab.page.locator("[data-panel=int] [data-part=drag]")
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    tab.page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert agrees(tab, "int") in (4, 5, -1)
    assert abs(values(tab, "int")[0] - 98) < 6
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390
    tab.close()


def test_it_is_accessible_and_asks_nobody(browser: Any, address: str) -> None:
    tab = Visit(browser, f"{address}/codecs")
    tab.page.wait_for_selector("[data-panel=tra] [role=slider]")
    assert tab.violations_in_both() == []
    assert tab.errors == []
    assert tab.elsewhere == []
    tab.close()
