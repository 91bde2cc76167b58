"""The attack lab on a photograph, with a hand on ε: levels, classes by name, colours, and what the library finds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from tasklab import data, zoo
from tasklab.attacks import PGD
from tasklab.data.info import radii_of
from tasklab.experiments.sweep import sweep_each
from tests.browser.serving import serving, settled
from tests.browser.visiting import Visit
from tests.photographs import photograph_zoo

pytestmark = pytest.mark.skipif(not data.available("cifar10"), reason="CIFAR-10 is not under TASKLAB_DATA")

SLIDER = "input[data-part=eps]"
PICTURE = 3
STOPS = radii_of("cifar10").many
FINE = f"""Number([...document.querySelectorAll('*')].filter(e => e.shadowRoot).map(e => e.shadowRoot.querySelector(
    'input[data-part=eps]')).find(Boolean)?.dataset.stops) === {len(STOPS)}"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(TASKLAB_ZOO=str(photograph_zoo())) as address:
        yield address


def lab(browser: Any, address: str, **settings: Any) -> Visit:
    tab = Visit(browser, f"{address}/attack_lab?data=cifar10&image={PICTURE}&systems=tra&systems=rbc&systems=int",
                **settings)
    tab.page.locator(".tl-chip").first.wait_for()
    tab.page.wait_for_function(FINE)
    settled(tab.page)
    return tab


def shown(tab: Visit) -> tuple[str, list[str]]:
    """ε as it is said, and what every cell reads."""
    tab.page.evaluate("() => new Promise(requestAnimationFrame)")
    chips = tab.page.locator("[data-part^=chip][data-part*='-'] .tl-chip").all_inner_texts()
    return (tab.page.locator("[data-part=epsword]").inner_text(),
            [words.split("reads ")[1].split(" ·")[0].strip() for words in chips])


def test_a_drag_over_a_photograph_shows_what_the_library_finds(browser: Any, address: str) -> None:
    tab = lab(browser, address)
    slider = tab.page.locator(SLIDER)
    slider.scroll_into_view_if_needed()
    box, sent, seen = slider.bounding_box(), len(tab.sent), {}
    y, last = box["y"] + box["height"] / 2, len(STOPS) - 1
    tab.page.mouse.move(box["x"] + box["width"] / 2, y)
    tab.page.mouse.down()
    for k in range(last, 3, -1):
        tab.page.mouse.move(box["x"] + 8 + (box["width"] - 16) * k / last, y)
        text, read = shown(tab)
        seen[text] = read
    tab.page.wait_for_timeout(700)
    assert len(tab.sent) == sent, "no message while the hand holds"
    tab.page.mouse.up()
    tab.page.wait_for_function("location.search.includes('eps=')")
    settled(tab.page)
    assert next(iter(seen)) == "ε = 16/255" and list(seen)[-1] == "ε = 4/255" and "ε = 8/255" in seen
    eps = float(parse_qs(urlparse(tab.page.url).query)["eps"][0])
    assert eps == pytest.approx(4 / 255, abs=1e-6)
    test = data.load("cifar10", "test")
    settings = PGD(eps=0, steps=10, random_start=False, keep="best")
    systems = [zoo.load(f"cifar10-{key}", where=photograph_zoo()) for key in ("tra", "rbc", "int")]
    x, y = test.x(PICTURE), test.labels[PICTURE : PICTURE + 1]
    result = [sweep_each(system, x, y, settings, ("train", "margin"), STOPS)
             for system in systems]
    for text, place in (("ε = 16/255", len(STOPS) - 1), ("ε = 4/255", STOPS.index(4 / 255))):
        decoded = [int(of[aim].decoded[place]) for aim in (0, 1) for of in result]
        assert seen[text] == ["None" if k < 0 else test.classes[k] for k in decoded], text
    assert shown(tab)[0] == "ε = 4/255", "it stays where the hand left it"
    assert tab.errors == [] and tab.elsewhere == []
    tab.close()


def test_it_is_in_colour_and_without_obstacles(browser: Any, address: str) -> None:
    tab = lab(browser, address)
    pixels = tab.page.locator("canvas[data-part=clean]").evaluate(
        "canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]")
    expected = (data.load("cifar10", "test").x(PICTURE)[0] * 255).round().int().permute(1, 2, 0).reshape(-1, 3)
    assert [pixels[i : i + 3] for i in range(0, len(pixels), 4)] == expected.tolist()
    assert tab.page.locator("canvas[data-part=clean]").get_attribute("aria-label") == "clean image of an airplane"
    assert tab.violations() == []
    tab.close()


def test_it_fits_a_phone(browser: Any, address: str) -> None:
    tab = lab(browser, address, viewport={"width": 390, "height": 844})
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390
    cells = tab.page.locator(".tl-cell").all()
    for cell in cells:
        chip, around = cell.locator(".tl-chip").bounding_box(), cell.bounding_box()
        assert chip["x"] + chip["width"] <= around["x"] + around["width"]
    tab.close()
