"""The page of claims in a browser: guess, see, flip; accessible in light and dark, fit for a phone and a hall."""

from __future__ import annotations

from typing import Any

from tests.browser.serving import settled
from tests.browser.visiting import Visit


def test_guess_see_and_flip(address: str, browser: Any) -> None:
    tab = Visit(browser, f"{address}/robust")
    try:
        page = tab.page
        assert page.locator(".rob-claim").count() == 0
        page.get_by_text("hardly any", exact=True).click()
        settled(page)
        page.get_by_text("Show me", exact=True).click()
        page.locator(".rob-claim").first.wait_for()
        settled(page)
        assert page.locator(".rob-claim").count() == 2
        assert page.get_by_text("hardly any").count() == 1, "what was guessed"
        before = page.locator(".rob-lights").inner_text()
        assert "✕ fail" in before
        page.locator(".st-key-robust_aim").get_by_text("margin", exact=True).click()
        page.wait_for_function("old => document.querySelector('.rob-lights').innerText !== old", arg=before)
        settled(page)
        assert "✕ fail" not in page.locator(".rob-lights").inner_text()
        assert "robust_aim=margin" in page.url
        assert tab.violations_in_both() == []
        page.set_viewport_size({"width": 390, "height": 844})
        page.wait_for_timeout(700)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, "wider than a phone"
        assert tab.elsewhere == []
    finally:
        tab.close()


def test_a_closed_light_opens_by_keyboard_and_lecture_mode_keeps_the_lights(address: str, browser: Any) -> None:
    tab = Visit(browser, f"{address}/robust?robust_aim=margin")
    try:
        closed = tab.page.locator(".rob-lights details:not([open])").first
        closed.locator("summary").focus()
        tab.page.keyboard.press("Enter")
        assert tab.page.locator(".rob-lights details[open]").count() >= 1
        tab.page.keyboard.press("l")
        tab.page.get_by_role("button", name="Leave lecture mode").wait_for()
        settled(tab.page)
        assert tab.page.locator(".rob-lights").is_visible()
        assert tab.page.get_by_text("Measure it yourself").count() == 0
    finally:
        tab.close()
