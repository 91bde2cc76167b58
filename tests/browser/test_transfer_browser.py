"""The matrix of transfer rates under a mouse and under keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.serving import serving, settled
from tests.browser.visiting import Visit
from tests.systems import small_zoo

QUERY = "n=50&steps=5"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(TASKLAB_ZOO=str(small_zoo().folder), TASKLAB_DATA="/nowhere") as address:
        yield address


@pytest.fixture
def tab(address: str, browser: Any) -> Iterator[Visit]:
    visit = Visit(browser, f"{address}/transfer?{QUERY}")
    yield visit
    visit.close()


def pressed(tab: Visit) -> list[str]:
    buttons = tab.page.locator('button[data-place][aria-pressed="true"]')
    buttons.first.wait_for()  # the grid draws itself after the page has come
    return [buttons.nth(i).get_attribute("data-place") for i in range(buttons.count())]


def opened(tab: Visit, words: str) -> None:
    tab.page.get_by_role("heading", name=words).wait_for()
    settled(tab.page)


def test_a_click_opens_a_cell_and_the_link_keeps_it(tab: Visit, address: str, browser: Any) -> None:
    tab.page.locator('button[data-place="digits-deepbe|digits-int"]').click()
    opened(tab, "DeepBE → INT")
    assert pressed(tab) == ["digits-deepbe|digits-int"]
    assert tab.page.locator("a.moved").count() > 3
    tab.page.wait_for_function("location.search.includes('transfer_victim')")
    again = Visit(browser, f"{address}/transfer?{tab.page.url.partition('?')[2]}")
    assert pressed(again) == ["digits-deepbe|digits-int"]
    assert again.page.locator("a.moved").count() == tab.page.locator("a.moved").count()
    again.close()


def test_arrows_and_enter_open_a_cell_and_leave_the_lesson_alone(tab: Visit) -> None:
    tab.page.locator('button[data-place="digits-tra|digits-rbc"]').focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowRight", "ArrowLeft"):
        tab.page.keyboard.press(key)
    tab.page.keyboard.press("Enter")
    opened(tab, "RBC → INT")
    assert pressed(tab) == ["digits-rbc|digits-int"]
    focused = tab.page.evaluate(
        "(() => { let e = document.activeElement; while (e?.shadowRoot) e = e.shadowRoot.activeElement;"
        " return e?.dataset?.place; })()"
    )
    assert focused == "digits-rbc|digits-int", "the focus stays where the hand is"
    assert "A lesson in 4 steps" in tab.page.locator(".lab-lesson").inner_text()
    assert tab.page.locator('button[data-place][tabindex="0"]').count() == 1, "one stop of the Tab key"


def test_both_matrices_are_accessible_in_light_and_dark(tab: Visit) -> None:
    tab.page.get_by_role("button", name="Show me").click()
    tab.page.get_by_role("heading", name="Aimed at the decision margin").wait_for()
    settled(tab.page)
    assert tab.page.locator("table:visible").count() == 2
    assert tab.violations_in_both() == []
    tab.page.set_viewport_size({"width": 390, "height": 844})
    tab.page.wait_for_timeout(700)
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_picture_leads_to_the_attack_lab(tab: Visit) -> None:
    tab.page.locator("a.moved").first.click()
    tab.page.wait_for_url("**/attack_lab?**")
    settled(tab.page)
    assert "systems=tra&systems=rbc" in tab.page.url
    assert tab.page.get_by_test_id("stException").count() == 0
