"""Every page as a person first sees it: no errors, nobody else asked, accessible in light and dark, fit for a phone."""

from __future__ import annotations

from typing import Any

import pytest

from lab_ui.basics.lessons import LESSONS
from lab_ui.parts.browser import KEYS
from tasklab.course import PAGES, title_of
from tests.browser.serving import settled
from tests.browser.visiting import Visit


@pytest.mark.parametrize("slug", PAGES)
def test_every_page(slug: str, address: str, browser: Any) -> None:
    tab = Visit(browser, f"{address}/{'' if slug == 'start' else slug}")
    try:
        assert tab.page.get_by_test_id("stException").count() == 0
        assert tab.page.get_by_role("button", name="Glossary").count() == 1
        if (bar := tab.page.get_by_text("Code, link, files")).count():
            bar.click()
            tab.page.get_by_text("The notebook of this page is").wait_for()
            tab.still()
        assert tab.violations_in_both() == []
        unnamed = tab.page.locator("img:not([alt])").count()
        assert unnamed == 0
        tab.page.set_viewport_size({"width": 390, "height": 844})
        tab.page.wait_for_timeout(700)
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390, "wider than a phone"
        assert tab.errors == []
        assert tab.elsewhere == []
    finally:
        tab.close()


def test_the_navigation_leads_to_every_page(address: str, browser: Any) -> None:
    tab = Visit(browser, address, viewport={"width": 1500, "height": 900})
    try:
        for slug in PAGES:
            tab.page.get_by_test_id("stTopNavLink").filter(has_text=title_of(slug)).click()
            tab.page.wait_for_url(f"{address}/{'' if slug == 'start' else slug}**")
            settled(tab.page)
            assert tab.page.get_by_test_id("stException").count() == 0
        assert tab.errors == []
    finally:
        tab.close()


IN_VIEW = """(scene) => {
    const find = (root) => root.querySelector(`[data-subject="${scene}"]`)
        ?? [...root.querySelectorAll('*')].reduce((hit, e) => hit ?? (e.shadowRoot && find(e.shadowRoot)), null);
    const box = find(document)?.getBoundingClientRect();
    const strip = document.querySelector('.st-key-strip').getBoundingClientRect();
    const whole = box?.bottom <= innerHeight, begins = box?.top < strip.bottom + 120;
    return strip.top > 0 && box?.height > 40 && box.top > strip.bottom && (whole || begins);
}"""
"""Whether the outlined subject of a step, or its beginning if it is too tall, is in view below its sentences."""


@pytest.mark.parametrize("slug", [slug for slug in LESSONS if slug != "draw_photographs"])
def test_what_a_step_of_a_lesson_is_about_is_in_view_with_its_sentence(slug: str, address: str, browser: Any) -> None:
    short = "?regions_epochs=5" if slug == "regions" else ""
    tab = Visit(browser, f"{address}/{slug}{short}", viewport={"width": 1280, "height": 720})
    try:
        for index, step in enumerate(LESSONS[slug]):
            tab.page.keyboard.press("ArrowRight")
            tab.page.get_by_text(step.words.split(". ")[0]).wait_for()
            tab.page.wait_for_function(IN_VIEW, arg=f"{slug} {index}", timeout=60_000)
            settled(tab.page)  # what is drawn late must not push it away
            tab.page.wait_for_function(IN_VIEW, arg=f"{slug} {index}", timeout=20_000)
        assert tab.errors == []
    finally:
        tab.close()


def test_on_a_phone_the_sentence_of_a_step_is_in_view_and_its_subject_is_outlined(address: str, browser: Any) -> None:
    tab = Visit(browser, f"{address}/codecs?lesson=3", viewport={"width": 390, "height": 844})
    try:
        tab.page.wait_for_function(
            "() => [...document.querySelectorAll('*')].some(e => e.shadowRoot?.querySelector('[data-subject]'))")
        tab.page.wait_for_timeout(1000)  # within which it would have been scrolled to
        sentence = tab.page.locator(".lab-lesson[aria-live]").bounding_box()
        assert sentence["y"] > 0 and sentence["y"] + sentence["height"] < 844
    finally:
        tab.close()


def chart_size(tab: Visit) -> list[float]:
    """The heights of the first live chart and of a word in it, in pixels, once it is drawn."""
    heights = "svg => [svg, svg.querySelector('text')].map(part => part ? part.getBoundingClientRect().height : 0)"
    while not all(measured := tab.page.locator(".tl-chart svg").first.evaluate(heights)):
        tab.page.wait_for_timeout(200)
    return list(measured)


def test_lecture_mode_hides_the_controls_and_comes_back_by_key(address: str, browser: Any) -> None:
    tab = Visit(browser, f"{address}/attack_lab")
    try:
        assert tab.page.get_by_test_id("stSidebar").is_visible()
        tab.page.locator(".tl-chart svg text").first.wait_for()
        settled(tab.page)
        usual = chart_size(tab)
        tab.page.keyboard.press("l")
        tab.page.get_by_role("button", name="Leave lecture mode").wait_for()
        settled(tab.page)
        assert not tab.page.get_by_test_id("stSidebar").is_visible()
        for _ in range(120):  # charts are drawn anew a moment after their page has got its size
            larger = [large > 1.5 * small for large, small in zip(chart_size(tab), usual, strict=True)]
            if larger == [True, True]:
                break
            tab.page.wait_for_timeout(500)
        assert larger == [True, True]
        tab.page.keyboard.press("l")
        tab.page.get_by_test_id("stSidebar").wait_for()
        tab.page.keyboard.press("PageDown")
        tab.page.wait_for_timeout(500)
        resting = f"A lesson in {len(LESSONS['attack_lab'])} steps."
        assert tab.page.locator(".lab-lesson").all_inner_texts() == [resting], "it scrolls, as ever"
    finally:
        tab.close()


def test_arrow_keys_walk_through_the_lesson(address: str, browser: Any) -> None:
    tab = Visit(browser, f"{address}/attack_lab")
    try:
        for number in (1, 2):
            tab.page.keyboard.press("ArrowRight")
            tab.page.wait_for_url(f"**lesson={number}*")
            assert step(tab) == str(number)
        tab.page.keyboard.press("ArrowLeft")
        tab.page.wait_for_url("**lesson=1*")
        assert step(tab) == "1"
        slider = tab.page.get_by_test_id("stSidebar").get_by_role("slider", name="ε, the size of the change")
        slider.focus()
        before = slider.input_value()
        slider.press("ArrowRight")
        settled(tab.page)
        assert slider.input_value() != before
        assert step(tab) == "1", "a slider's arrow is not the lesson's"
    finally:
        tab.close()


def step(tab: Visit) -> str:
    """Number of the step of the lesson that is open."""
    tab.still()
    settled(tab.page)
    return tab.page.locator(".lab-lesson", has_text=" of ").first.inner_text().partition(" of ")[0]


@pytest.mark.parametrize("slug", ["codecs", "start"])
def test_a_remote_control_walks_in_lecture_mode_and_a_reload_keeps_the_place(
    slug: str, address: str, browser: Any
) -> None:
    place = {"codecs": "", "start": "1"}[slug]
    tab = Visit(browser, f"{address}/{slug.replace('start', '')}?lecture=true", viewport={"width": 1280, "height": 720})
    try:
        tab.page.get_by_role("button", name="Leave lecture mode").wait_for()
        for key, number in (("PageDown", 1), ("PageDown", 2), (" ", 3), ("PageUp", 2)):
            expected = str(number + bool(place))
            tab.page.keyboard.press(key)
            tab.page.locator(".lab-lesson", has_text=f"{expected} of ").wait_for()
            settled(tab.page)
        tab.page.get_by_role("button", name="Scenes").wait_for()
        tab.page.reload()
        settled(tab.page)
        assert step(tab) == expected
        assert tab.page.get_by_role("button", name="Leave lecture mode").count() == 1
        assert tab.errors == []
    finally:
        tab.close()


def test_a_page_is_one_entry_of_the_history_and_comes_back_as_it_was_left(address: str, browser: Any) -> None:
    tab = Visit(browser, f"{address}/attack_lab?eps=0.18")
    try:
        for slug in ("codecs", "outputs"):
            entries = tab.page.evaluate("history.length")
            tab.page.get_by_test_id("stTopNavLink").filter(has_text=title_of(slug)).click()
            tab.page.wait_for_url(f"**/{slug}**")
            settled(tab.page)
            tab.page.keyboard.press("ArrowRight")
            tab.page.wait_for_url(f"**/{slug}?*lesson=1*")
            settled(tab.page)
            assert tab.page.evaluate("history.length") == entries + 1
        for turn, slug in (("back", "codecs"), ("back", "attack_lab"), ("forward", "codecs"), ("forward", "outputs")):
            tab.page.evaluate(f"history.{turn}()")
            tab.page.wait_for_url(f"**/{slug}**")
            settled(tab.page)
        tab.page.evaluate("history.back(); setTimeout(() => history.back(), 20)")  # before the page between is there
        tab.page.get_by_test_id("stSidebar").get_by_role("slider", name="ε, the size of the change").wait_for()
        settled(tab.page)
        assert "/attack_lab" in tab.page.url and tab.page.evaluate("history.length") == entries + 1
        handle = tab.page.get_by_test_id("stSidebar").get_by_role("slider", name="ε, the size of the change")
        handle.wait_for()
        assert handle.input_value() == "0.18" and "eps=0.18" in tab.page.url
    finally:
        tab.close()


def test_the_link_is_copied_and_the_keys_are_told(address: str, browser: Any) -> None:
    tab = Visit(browser, f"{address}/codecs", permissions=["clipboard-read", "clipboard-write"])
    try:
        tab.page.keyboard.press("ArrowRight")
        tab.page.wait_for_url("**lesson=1**")
        tab.page.get_by_role("button", name="Copy link").click()
        tab.page.get_by_role("button", name="Copied").wait_for()
        assert tab.page.evaluate("navigator.clipboard.readText()") == tab.page.url
        tab.page.keyboard.press("?")
        sheet = tab.page.get_by_role("dialog", name="Keys")
        sheet.wait_for()
        assert tab.violations() == []
        assert all(keys in sheet.inner_text() for keys, _ in KEYS)
        tab.page.keyboard.press("Escape")
        sheet.wait_for(state="hidden")
    finally:
        tab.close()
