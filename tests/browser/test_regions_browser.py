"""The plane as a person has it: training that can be watched and stopped, a click that chooses a point, no obstacle."""

from __future__ import annotations

from typing import Any

from tests.browser.serving import settled
from tests.browser.visiting import Visit

CHANGED = "before => { const e = document.querySelectorAll('.lab-live img')[1]; return e && e.src !== before; }"

SQUARE = """() => {
    const { width, height } = document.querySelector('[data-testid=stPlotlyChart] .main-svg').getBoundingClientRect();
    return width < 390 && Math.abs(width - height) < 2;
}"""
"""No blank band above or below the first plane on a phone."""


def drawn(tab: Visit) -> None:
    """Training has ended, and the squares can be clicked."""
    tab.page.wait_for_selector("[data-testid=stPlotlyChart] .main-svg")
    settled(tab.page)
    tab.page.wait_for_timeout(1000)
    settled(tab.page)


def test_training_moves_the_picture_until_it_is_stopped(visit: Any) -> None:
    four = "&".join(f"regions_tasks={name}" for name in ("TRA", "DeepBE", "INT", "RBC"))
    tab = visit(f"regions?regions_epochs=200&regions_n=1000&{four}", moving=True)  # long enough to be stopped
    picture = ".lab-live img >> nth=1"
    tab.page.wait_for_selector(picture)
    first = tab.page.get_attribute(picture, "src")
    tab.page.wait_for_function(CHANGED, arg=first)
    tab.page.get_by_test_id("stMain").get_by_role("button", name="Stop").click()
    tab.page.get_by_role("button", name="Go on").wait_for()
    held = tab.page.get_attribute(picture, "src")
    tab.page.wait_for_timeout(3000)
    assert tab.page.get_attribute(picture, "src") == held
    tab.page.get_by_role("button", name="Go on").click()
    tab.page.wait_for_function(CHANGED, arg=held)
    assert tab.errors == []


def test_a_click_in_a_square_attacks_the_nearest_point(visit: Any) -> None:
    tab = visit("regions?regions_epochs=10")
    drawn(tab)
    tab.page.get_by_role("button", name="Show me").click()
    tab.page.locator(".lab-ways").nth(1).wait_for()
    drawn(tab)
    text = tab.page.locator(".lab-ways").nth(1).inner_text()
    square = tab.page.locator("[data-testid=stPlotlyChart] .nsewdrag").nth(0)
    box = square.bounding_box()
    square.scroll_into_view_if_needed()
    square.click(position={"x": 0.26 * box["width"], "y": 0.74 * box["height"]}, force=True)  # among the As
    tab.page.wait_for_url("**regions_point=**")
    drawn(tab)
    chosen = tab.page.get_by_role("spinbutton", name="Point under attack").input_value()
    assert chosen != "8"
    assert tab.page.locator(".lab-ways").nth(1).inner_text() != text
    assert tab.page.locator('[aria-label*="on a point of class A"]').count() >= 2
    assert tab.errors == []


def test_no_obstacle_once_all_is_shown(visit: Any) -> None:
    tab = visit("regions?regions_epochs=10&regions_tasks=INT&regions_tasks=RBC")
    drawn(tab)
    tab.page.get_by_role("button", name="Show me").click()
    tab.page.locator(".lab-ways").nth(1).wait_for()
    drawn(tab)
    assert tab.violations_in_both() == []
    tab.page.set_viewport_size({"width": 390, "height": 844})
    tab.page.wait_for_timeout(700)
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390
    tab.page.wait_for_function(SQUARE)
