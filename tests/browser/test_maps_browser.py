"""Outputs and feature map as a person has them: a map forms, is lassoed, clicked, and follows an attack by keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.serving import serving, settled
from tests.browser.visiting import Visit
from tests.systems import small_zoo

MAP = """[...document.querySelectorAll('*')].filter(e => e.shadowRoot).map(e => e.shadowRoot.querySelector('.map'))
    .concat([...document.querySelectorAll('.map')]).filter(e => e && e.live)[0]"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(TASKLAB_ZOO=str(small_zoo().folder), TASKLAB_DATA="/nowhere") as address:
        yield address


def still(tab: Visit) -> None:
    """Wait until the map is finished and no point moves."""
    tab.page.wait_for_function(f"() => {{ const map = {MAP}; return map && map.dataset.phase === 'still'; }}")
    settled(tab.page)
    tab.page.wait_for_function(f"() => !{MAP}.live.animation")


def seen(tab: Visit, expression: str) -> Any:
    return tab.page.evaluate(f"() => {{ const map = {MAP}, live = map.live; return {expression}; }}")


def written(tab: Visit) -> set[str]:
    """The words that the map writes on itself when it is drawn, but for those of its points."""
    words: list[str] = seen(tab, """(() => {
        const words = [], halo = live.halo;
        live.halo = (text) => words.push(text);
        live.draw();
        live.halo = halo;
        live.draw();
        return words;
    })()""")
    return set(words)


def around(tab: Visit, row: int, far: float) -> None:
    """Draw a lasso around a point of the map."""
    x, y = seen(tab, f"live.pixels({row})")
    tab.page.mouse.move(x - far, y - far)
    tab.page.mouse.down()
    for dx, dy in ((far, -far), (far, far), (-far, far), (-far, -far)):
        tab.page.mouse.move(x + dx, y + dy, steps=4)
    tab.page.mouse.up()


def test_a_map_forms_and_can_be_watched_again(visit: Any) -> None:
    tab = visit("feature_map?systems=rbc")
    still(tab)
    assert tab.page.get_by_text("lie among images of their own class").count() == 1
    end = seen(tab, "[...live.now]")
    tab.page.get_by_role("button", name="Watch it form").click()
    tab.page.wait_for_function(f"() => {MAP}.dataset.phase === 'forming'")
    tab.page.wait_for_timeout(300)
    assert seen(tab, "[...live.now]") != end, "points are on their way"
    still(tab)
    assert seen(tab, "[...live.now]") == pytest.approx(end, abs=1e-6)
    assert tab.errors == []


def test_a_lasso_selects_and_pictures_appear(visit: Any) -> None:
    tab = visit("feature_map?systems=rbc&feature_map_kind=PCA")
    still(tab)
    around(tab, 3, 40)
    tab.page.locator(".map-picked").wait_for()
    settled(tab.page)
    picked = seen(tab, "[...live.picked]")
    inside = seen(tab, "live.data.rows.filter(r => { const [x, y] = live.pixels(r), [a, b] = live.pixels(3);"
                       " return Math.abs(x - a) < 39.5 && Math.abs(y - b) < 39.5; })")
    assert 3 in picked and set(inside) <= set(picked)
    assert tab.page.locator(".map-side h2", has_text=f"{len(picked)} images picked").count() == 1
    assert tab.page.locator(".map-picked img").count() == min(18, len(picked))
    box = seen(tab, "(b => [b.left + 6, b.top + 6])(live.canvas.getBoundingClientRect())")
    tab.page.mouse.click(*box)  # nothing there: nothing is picked
    tab.page.locator(".map-picked").wait_for(state="detached")
    assert tab.errors == []


def test_a_click_on_a_point_opens_the_attack_lab_with_that_picture(visit: Any) -> None:
    tab = visit("feature_map?systems=tra&systems=rbc&feature_map_kind=PCA&eps=0.1")
    still(tab)
    row = seen(tab, "live.data.rows.find(r => live.nearest(...live.spot(live.now[2 * r], live.now[2 * r + 1])) === r)")
    x, y = seen(tab, f"live.pixels({row})")
    tab.page.mouse.move(x, y)
    assert tab.page.locator(".tip").inner_text().startswith(f"image {row}, a ")
    tab.page.mouse.click(x, y)
    tab.page.wait_for_url("**/attack_lab**")
    settled(tab.page)
    assert tab.page.get_by_role("spinbutton", name="Image (0 to 399)").input_value() == str(row)
    assert "eps=0.1" in tab.page.url
    assert tab.errors == []


THUMB = """(() => {
    const { width, height } = live.thumb.getBoundingClientRect(), style = live.thumb.style;
    const [x, y] = style.backgroundPosition.split(' ').map(parseFloat);
    return [Math.round(-x / width), Math.round(-y / height), width > 40 && style.backgroundImage];
})()"""
"""Column and row of the image that is shown beside a point, and from which sheet it is."""


def shown(tab: Visit) -> int:
    """The row of the point whose image is shown, checked against the words beside it."""
    tab.page.wait_for_function(f"() => (live => !live.asked && !live.thumb.hidden && !live.tip.hidden)({MAP}.live)")
    (column, line, source), columns = seen(tab, THUMB), seen(tab, "window.tasklabSheets.get(live.data.sheet).columns")
    row = int(line * columns + column)
    label, decoded = seen(tab, f"[live.data.labels[{row}], live.data.decoded[{row}]]")
    words = tab.page.locator(".tip").inner_text()
    assert words.startswith(f"image {row}, a") and f" {label}\n" in words and f"read as {decoded}" in words
    assert source.startswith('url("data:image/png;base64,')
    return row


def test_a_point_shows_its_image_to_a_mouse_and_to_keys(visit: Any) -> None:
    tab = visit("feature_map?systems=rbc&feature_map_kind=PCA")
    still(tab)
    row = seen(tab, "live.data.rows.find(r => live.nearest(...live.spot(live.now[2 * r], live.now[2 * r + 1])) === r)")
    tab.page.mouse.move(*seen(tab, f"live.pixels({row})"))
    assert shown(tab) == row
    tab.page.mouse.move(2, 2)
    tab.page.locator(".tip").wait_for(state="hidden")
    tab.page.get_by_role("combobox", name="Pick a class").focus()
    tab.page.keyboard.press("Tab")
    seen_rows = [shown(tab)]
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "Shift+ArrowRight"):
        tab.page.keyboard.press(key)
        tab.page.wait_for_function(f"before => {MAP}.live.at !== before", arg=seen_rows[-1])
        seen_rows.append(shown(tab))
    across = [seen(tab, f"live.pixels({each})") for each in seen_rows]
    assert across[1][0] > across[0][0] and across[2][1] > across[1][1] and across[3][0] < across[2][0]
    assert seen_rows[4] == seen_rows[3] + 1, "from image to image"
    assert seen(tab, "map.querySelector('.heard').textContent") == seen(tab, "live.words(live.at)"), "it is said, too"
    assert tab.page.locator(".lab-lesson").first.inner_text().startswith("A lesson in"), "the lesson has other arrows"
    assert tab.violations() == []
    tab.page.keyboard.press("Escape")
    tab.page.locator(".tip").wait_for(state="hidden")
    tab.page.keyboard.press("ArrowUp")
    row = shown(tab)
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url(f"**/attack_lab**image={row}*")
    assert tab.errors == []


def test_a_first_tap_shows_the_image_and_a_second_opens_it(visit: Any) -> None:
    tab = visit("feature_map?systems=rbc&feature_map_kind=PCA", viewport={"width": 390, "height": 844}, has_touch=True)
    still(tab)
    row = seen(tab, "live.data.rows.find(r => live.nearest(...live.spot(live.now[2 * r], live.now[2 * r + 1])) === r)")
    seen(tab, "live.canvas.scrollIntoView({ block: 'center' })")
    tab.page.touchscreen.tap(*seen(tab, f"live.pixels({row})"))
    assert shown(tab) == row and "/feature_map" in tab.page.url
    tab.page.touchscreen.tap(*seen(tab, f"live.pixels({row})"))
    tab.page.wait_for_url(f"**/attack_lab**image={row}*")
    assert tab.errors == []


def test_the_keyboard_moves_many_pictures_through_the_attack(visit: Any) -> None:
    tab = visit("feature_map?systems=rbc&feature_map_kind=PCA&n=50")
    still(tab)
    tab.page.get_by_role("button", name="Show me").click()
    slider = tab.page.locator(".steps input")
    slider.wait_for()
    still(tab)
    moved = seen(tab, "[...live.now]")
    assert written(tab) >= set("0123456789"), "classes keep their names under the attack"
    asked = len(tab.sent)
    slider.focus()
    slider.press("Home")
    still(tab)
    assert seen(tab, "map.dataset.step") == "0"
    assert seen(tab, "[...live.now]") == pytest.approx(seen(tab, "[...live.home]"))
    assert seen(tab, "[...live.now]") != moved
    slider.press("End")
    still(tab)
    assert seen(tab, "[...live.now]") == pytest.approx(moved)
    assert len(tab.sent) == asked, "the server is not asked for it"
    tab.page.get_by_role("combobox", name="Pick a class").select_option("3")
    tab.page.locator(".map-picked").wait_for()
    labels = seen(tab, "[...new Set([...live.picked].map(r => live.data.labels[r]))]")
    assert labels == [3]


def test_another_projection_moves_the_same_points(visit: Any) -> None:
    tab = visit("feature_map?systems=int&feature_map_kind=PCA")
    still(tab)
    tab.page.evaluate(f"() => {{ {MAP}.mark = 'same'; }}")
    before = seen(tab, "[...live.now]")
    tab.page.locator('[data-testid="stMain"] button', has_text="Outputs").last.click()
    tab.page.wait_for_function(f"() => {MAP}.live.data.bands")
    still(tab)
    assert seen(tab, "map.mark") == "same", "the map was not made anew"
    assert seen(tab, "[...live.now]") != before
    assert tab.errors == []


def test_no_obstacle_once_everything_is_shown(visit: Any) -> None:
    tab = visit("feature_map?systems=rbc&feature_map_kind=PCA&n=50")
    still(tab)
    tab.page.get_by_role("button", name="Show me").click()
    tab.page.locator(".steps input").wait_for()
    tab.page.get_by_role("combobox", name="Pick a class").select_option("3")
    tab.page.locator(".map-picked").wait_for()
    still(tab)
    assert tab.violations_in_both() == []
    tab = visit("outputs?n=50")
    tab.page.get_by_role("button", name="Show me").click()
    tab.page.get_by_text("S stretches the whole histogram").wait_for()
    settled(tab.page)
    assert tab.violations_in_both() == []
    assert tab.page.locator("[data-testid=stPlotlyChart]").count() > 5  # four systems, and at least two S


@pytest.mark.parametrize("page", ["feature_map?feature_map_kind=PCA", "outputs?n=50"])
def test_it_fits_a_phone(visit: Any, page: str) -> None:
    tab = visit(page, viewport={"width": 390, "height": 844})
    if "map" in page:
        still(tab)
    tab.page.wait_for_timeout(500)
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert tab.errors == []
