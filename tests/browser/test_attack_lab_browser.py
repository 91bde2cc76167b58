"""The attack lab as a person has it: no errors, keys, links, no network, readable by assistive technology."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode, urlparse

import pytest

from tests.browser.serving import browsing, chromium, serving, settled
from tests.systems import small_zoo

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine; set CHROMIUM to one"),
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(TASKLAB_ZOO=str(small_zoo().folder)) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsing() as browser:
        yield browser


class Visit:
    """One tab, with what it complained of and whom it asked."""

    def __init__(self, browser: Any, url: str, **settings: Any) -> None:
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, **settings)
        self.context.set_default_timeout(240_000)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("websocket", lambda socket: self.asked.append(socket.url))
        self.page.goto(url)
        settled(self.page)

    def verdicts(self) -> list[str]:
        return self.page.locator(".lab-chip").all_inner_texts()

    def close(self) -> None:
        self.context.close()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Any]:
    visits = []

    def go(query: str = "", **settings: Any) -> Visit:
        visits.append(Visit(browser, f"{address}/{query}", **settings))
        return visits[-1]

    yield go
    for tab in visits:
        tab.close()


def test_it_loads_without_errors_and_asks_nobody_else(visit: Any, address: str) -> None:
    tab = visit()
    assert tab.errors == []
    host = urlparse(address).netloc
    elsewhere = [url for url in tab.asked if urlparse(url).scheme not in ("data", "blob")
                 and urlparse(url).netloc != host]
    assert elsewhere == []
    assert tab.page.get_by_role("heading", name="Aimed at the decision margin").is_visible()


def test_keys_change_epsilon_and_the_outcome(visit: Any) -> None:
    tab = visit("?" + urlencode(small_zoo().query, doseq=True))
    before = tab.verdicts()
    assert any("wrong" in words or "None" in words for words in before)
    handle = tab.page.get_by_role("slider", name="ε, the size of the change")
    handle.focus()
    handle.press("Home")  # ε = 0: nothing may change
    tab.page.wait_for_function("document.querySelector('.lab-lead').innerText.includes('breaks 0 of')")
    settled(tab.page)
    assert tab.verdicts() != before
    assert all("correct" in words for words in tab.verdicts())
    assert "eps=0" in tab.page.url


def test_a_link_repeats_the_page_in_another_tab(visit: Any) -> None:
    tab = visit("?" + urlencode(small_zoo().query, doseq=True))
    handle = tab.page.get_by_role("slider", name="ε, the size of the change")
    handle.focus()
    handle.press("ArrowRight")
    tab.page.wait_for_url("**eps=**")
    settled(tab.page)
    tab.page.wait_for_function("document.querySelector('.stCaptionContainer, [data-testid=stCaptionContainer]')")
    tab.page.wait_for_timeout(500)
    settled(tab.page)
    again = visit("?" + tab.page.url.partition("?")[2])
    assert again.verdicts() == tab.verdicts()
    assert again.page.locator(".lab-lead").inner_text() == tab.page.locator(".lab-lead").inner_text()
    captions = "[data-testid=stMain] [data-testid=stCaptionContainer]"
    assert again.page.locator(captions).all_inner_texts() == tab.page.locator(captions).all_inner_texts()


def test_charts_and_pictures_say_what_they_show(visit: Any) -> None:
    tab = visit()
    charts = tab.page.locator("[data-testid=stPlotlyChart]")
    named = tab.page.locator('[aria-label*="Before:"][aria-label*="After:"]')
    assert charts.count() == named.count() > 0
    assert all(tab.page.locator("img").nth(i).get_attribute("alt") for i in range(tab.page.locator("img").count()))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("query", ["", "?systems="])
def test_no_serious_obstacle(visit: Any, scheme: str, query: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    tab = visit(query, color_scheme=scheme)
    tab.page.get_by_text("More settings").click()
    tab.page.wait_for_timeout(400)
    found = Axe().run(tab.page).response["violations"]
    serious = [f"{v['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}" for v in found
               for node in v["nodes"] if v["impact"] in ("serious", "critical")]
    assert serious == []


def test_it_fits_a_phone(visit: Any) -> None:
    tab = visit()
    tab.page.set_viewport_size({"width": 390, "height": 844})
    tab.page.wait_for_timeout(500)
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390
    wide = tab.page.evaluate(
        "[...document.querySelectorAll('.lab-chip, .lab-page, .stPlotlyChart')]"
        ".filter(e => e.getBoundingClientRect().right > 391).length"
    )
    assert wide == 0
