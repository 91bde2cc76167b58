"""The plane around an image as a person has it: a point under a hand, by keys or by touch, and no message a tick."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tasklab import data, zoo
from tasklab.attacks import PGD
from tasklab.experiments.ground import Ground, ground
from tests.browser.serving import serving, settled
from tests.browser.visiting import Visit
from tests.systems import small_zoo

POINT, SIDE = "[data-part=point]", 55


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(TASKLAB_ZOO=str(small_zoo().folder), TASKLAB_DATA="/nowhere") as address:
        yield address


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Any]:
    visits = []

    def go(**settings: Any) -> Visit:
        query = urlencode(small_zoo().query | {"view": "the plane around the image"}, doseq=True)
        visits.append(Visit(browser, f"{address}/attack_lab?{query}", **settings))
        visits[-1].page.locator(f"{POINT}[aria-valuemax='{SIDE - 1}']").wait_for()  # the many places it asks for
        settled(visits[-1].page)
        return visits[-1]

    yield go
    for tab in visits:
        tab.close()


def library() -> Ground:
    test, index = data.load("digits", "test"), small_zoo().picture
    settings = PGD(eps=0.2, steps=10, random_start=False, keep="best")
    return ground(zoo.load("digits-rbc"), test.x(index), test.labels[index : index + 1], settings, side=SIDE)


def answer(page: Any) -> str:
    page.evaluate("() => new Promise(requestAnimationFrame)")
    return str(page.locator("[data-part=chip]").inner_text().split("reads ")[1].split(" ")[0])


def slope(page: Any) -> str:
    return str(page.locator("[data-part=slope]").inner_text())


def test_a_drag_shows_what_the_network_says_there_and_sends_nothing(visit: Any) -> None:
    tab, seen = visit(), library()
    plane, sent = tab.page.locator("[data-part=plane]"), len(tab.sent)
    plane.scroll_into_view_if_needed()
    box, image = plane.bounding_box(), "e => e.toDataURL()"
    clean = tab.page.locator("[data-part=image]").evaluate(image)
    tab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.page.mouse.down()
    answers = []
    for column in range(SIDE // 2, SIDE, 3):
        tab.page.mouse.move(box["x"] + (column + 0.5) / SIDE * box["width"], box["y"] + box["height"] / 2)
        answers.append(answer(tab.page))
        read = int(seen.decoded[SIDE // 2, column])
        assert answers[-1] == ("None" if read < 0 else str(read))
        assert ("exactly flat" in slope(tab.page)) == bool(seen.flat[SIDE // 2, column])
    tab.page.mouse.up()
    assert len(set(answers)) > 1
    assert tab.page.locator("[data-part=image]").evaluate(image) != clean
    tab.page.get_by_role("button", name="the image", exact=True).click()
    answer(tab.page)
    assert tab.page.locator("[data-part=image]").evaluate(image) == clean
    tab.page.get_by_role("button", name="the end of the attack on the margin").click()
    assert answer(tab.page) == ("None" if seen.paths[0].end < 0 else str(seen.paths[0].end))
    tab.page.wait_for_timeout(1000)
    assert len(tab.sent) == sent


def test_arrow_keys_move_the_point_and_nothing_else_and_it_is_said_where_it_is(visit: Any) -> None:
    tab, seen = visit(), library()
    point, middle = tab.page.locator(POINT), SIDE // 2
    point.focus()
    for key, place in (("ArrowRight", "1 to the right from the image"), ("ArrowLeft", "at the image"),
                       ("ArrowUp", "1 up from the image"), ("Shift+ArrowDown", "4 down from the image"),
                       ("Shift+ArrowLeft", "5 to the left, 4 down from the image"), ("Home", "at the image")):
        point.press(key)
        assert point.get_attribute("aria-valuetext") == place
    for _ in range(5):
        point.press("Shift+ArrowRight")
    assert int(point.get_attribute("aria-valuenow")) == middle + 25
    assert answer(tab.page) == str(int(seen.decoded[middle, middle + 25]))
    tab.page.wait_for_function("() => [...document.querySelectorAll('*')].some(e => e.shadowRoot?.querySelector("
                               "'.tl-ground ~ [data-part=live]')?.textContent.startsWith('Read as '))")
    assert tab.page.get_by_text("A lesson in").count() == 1, "the page's own shortcuts on the arrows did not act"


def test_a_finger_moves_the_point_on_a_phone(visit: Any) -> None:
    tab = visit(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390
    plane = tab.page.locator("[data-part=plane]")
    plane.scroll_into_view_if_needed()
    box = plane.bounding_box()
    tab.page.touchscreen.tap(box["x"] + 0.9 * box["width"], box["y"] + 0.5 * box["height"])
    assert int(tab.page.locator(POINT).get_attribute("aria-valuenow")) == int(0.9 * SIDE)
    target = tab.page.locator(POINT).bounding_box()
    assert min(target["width"], target["height"]) >= 44


def test_no_obstacle_and_nobody_else_asked(visit: Any) -> None:
    tab = visit()
    tab.page.get_by_text("In words").click()
    assert tab.violations_in_both() == []
    tab.page.keyboard.press("l")  # lecture mode
    tab.page.get_by_role("button", name="Leave lecture mode").wait_for()
    settled(tab.page)
    assert tab.violations_in_both() == []
    assert tab.errors == [] and tab.elsewhere == []


def test_the_file_taken_away_moves_without_a_server(visit: Any, browser: Any, tmp_path: Path) -> None:
    tab = visit()
    tab.page.get_by_text("Code, link, files").click()
    button = tab.page.get_by_role("button", name="The plane, with a point to drag (one HTML file)")
    button.wait_for()
    settled(tab.page)
    tab.still()
    with tab.page.expect_download() as download:
        button.click()
    download.value.save_as(tmp_path / "ground.html")
    context = browser.new_context(offline=True)
    page, asked = context.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "ground.html").as_uri())
    before = answer(page)
    page.get_by_role("button", name="the end of the attack on the margin").click()
    assert answer(page) != before
    assert [url for url in asked if not url.startswith("data:")] == [(tmp_path / "ground.html").as_uri()]
    context.close()
