"""The front door as a person has it: a tour by keys that does not jump, fit for a phone, without an obstacle."""

from __future__ import annotations

from typing import Any

from tests.browser.serving import serving, settled
from tests.browser.visiting import Visit


def at_stop(tab: Visit, stop: int) -> None:
    tab.page.get_by_text(f"{stop} of 6", exact=True).wait_for()
    tab.page.wait_for_timeout(700)  # images fade in


def test_keys_walk_the_tour_and_nothing_jumps(address: str, browser: Any) -> None:
    tab = Visit(browser, address)
    try:
        heights = []
        for stop in range(1, 7):
            at_stop(tab, stop)
            heights.append(tab.page.locator(".front").bounding_box()["height"])
            assert tab.violations_in_both() == [], f"stop {stop}"
            if stop < 6:
                tab.page.keyboard.press("ArrowRight")
        assert max(heights) - min(heights) < 4
        tab.page.keyboard.press("ArrowLeft")
        at_stop(tab, 5)
        assert tab.errors == []
        assert tab.elsewhere == []
    finally:
        tab.close()


def test_the_stage_fits_a_laptop_and_a_phone(address: str, browser: Any) -> None:
    tab = Visit(browser, address, viewport={"width": 1280, "height": 800})
    try:
        at_stop(tab, 1)
        button = tab.page.get_by_role("button", name="The tour").bounding_box()
        assert button["y"] + button["height"] < 800, "the tour begins on the first screen"
        for width in (390, 700, 1000):
            tab.page.set_viewport_size({"width": width, "height": 844})
            tab.page.wait_for_timeout(500)
            assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
            spilled = tab.page.evaluate(
                "[...document.querySelectorAll('.front-answer b')].filter(e => e.scrollWidth > e.clientWidth).length"
            )
            assert spilled == 0
    finally:
        tab.close()


def test_epsilon_is_dragged_without_the_server(address: str, browser: Any) -> None:
    tab = Visit(browser, address, viewport={"width": 1280, "height": 720})
    try:
        at_stop(tab, 1)
        slider = tab.page.get_by_role("slider", name="ε, the most")
        assert slider.bounding_box()["y"] < 720, "on the first screen"
        answers = tab.page.locator(".front-answer b")
        begun, sent = answers.all_inner_texts(), len(tab.sent)
        slider.press("Home")
        assert set(answers.all_inner_texts()) == {"1"}, "without an attack all four are right"
        slider.press("End")
        assert "1" not in answers.all_inner_texts()
        assert tab.page.get_by_text("ε = 0.20").count() == 1 and begun != answers.all_inner_texts()
        assert len(tab.sent) == sent, "the server was asked"
        assert tab.violations() == []
    finally:
        tab.close()


def test_a_stop_opens_its_page(address: str, browser: Any) -> None:
    tab = Visit(browser, address)
    try:
        at_stop(tab, 1)
        tab.page.get_by_role("button", name="Attack it yourself").click()
        tab.page.wait_for_url("**/attack_lab**")
        settled(tab.page)
        assert tab.page.get_by_test_id("stException").count() == 0
        tab.page.go_back()
        tab.page.get_by_text("One image. Four answers.").wait_for()
    finally:
        tab.close()


def test_who_waits_for_torch_is_told_so_once(browser: Any) -> None:
    with serving(TASKLAB_DATA="/nowhere") as address:
        for described in (True, False):
            tab = Visit(browser, f"{address}/attack_lab", moving=True)
            word = tab.page.get_by_text("PyTorch is being loaded")
            if described:
                word.wait_for()
            tab.page.locator(".tl-chip").first.wait_for()
            settled(tab.page)
            assert word.count() == 0
            tab.close()
