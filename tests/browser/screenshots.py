"""Images of the pages, to look at: ``python -m tests.browser.screenshots [page] [query]``; without a page, of all.

With ``--lessons`` every step of the lessons is drawn, too; with ``--readme`` only the image of the README is made anew.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from PIL import Image

from lab_ui.basics.lessons import LESSONS
from tests.browser.serving import ROOT, browsing, serving, settled

SIZES = {"wide": (1280, 720), "hall": (1920, 1080), "phone": (390, 844)}
FOLDER = ROOT / "screenshots"
README, WIDTH = ROOT / "app" / "attack_lab.png", 1280
"""The image of the README, and its width in pixels."""


def main() -> None:
    """Each size in light and dark, as whole pages, into the folder ``screenshots``."""
    pages = sorted(file.stem for file in (ROOT / "app" / "app_pages").glob("*.py"))
    parser = argparse.ArgumentParser(prog="python -m tests.browser.screenshots")
    parser.add_argument("page", nargs="?", choices=pages, help="(default: all)")
    parser.add_argument("query", nargs="?", default="", help="of the address, such as data=mnist")
    parser.add_argument("--lessons", action="store_true", help="every step of the lessons, as it opens")
    parser.add_argument("--readme", action="store_true", help="only the image of the README")
    given = parser.parse_args()
    slugs, query = [given.page] if given.page else pages, given.query
    FOLDER.mkdir(exist_ok=True)
    with serving() as address, browsing() as browser:
        if given.readme:
            page = browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme="light")
            _draw(page, f"{address}/attack_lab", README, until=".st-key-attack_lab_scene")
            Image.open(README).convert("RGB").quantize(256).save(README, optimize=True)  # a third of the size
            return
        for each in slugs:
            steps = range(1, len(LESSONS.get(each, ())) + 1) if given.lessons else ()
            for size, (width, height) in SIZES.items():
                for scheme in ("light", "dark"):
                    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
                    url, name = f"{address}/{'' if each == 'start' else each}?{query}", f"{each}_{size}_{scheme}"
                    _draw(page, url, FOLDER / f"{name}.png")
                    page.close()
                    for step in steps:
                        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
                        _draw(page, f"{url}&lesson={step}", FOLDER / f"{name}_{step}.png", whole=False)
                        page.close()


def _draw(page: Any, address: str, file: Path, *, whole: bool = True, until: str = "") -> None:
    """An image of a page.

    Args:
        page: a tab.
        address: of the page.
        file: where to.
        whole: whether to draw all of it, or what its window shows after a step has scrolled to its subject.
        until: CSS selector of the element with whose lower end the image ends; empty for all.
    """
    page.set_default_timeout(240_000)
    page.goto(address)
    settled(page)
    page.wait_for_timeout(2000)  # by then a figure has asked for what it shows later, and a step has been scrolled to
    settled(page)
    if whole:
        tall = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
        page.set_viewport_size(page.viewport_size | {"height": int(tall)})
        page.wait_for_timeout(700)
        settled(page)
    size = page.viewport_size
    if until:
        box = page.locator(until).bounding_box()
        size = size | {"height": int(box["y"] + box["height"])}
    page.screenshot(path=str(file), clip={"x": 0, "y": 0} | size)
    sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main()
