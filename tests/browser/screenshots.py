"""Images of the pages, to look at: ``python -m tests.browser.screenshots [page] [query]``; without a page, of all."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from tests.browser.serving import ROOT, browsing, serving, settled

SIZES = {"wide": (1280, 800), "phone": (390, 844)}
FOLDER = ROOT / "screenshots"


def main() -> None:
    """Each size in light and dark, as whole pages, into the folder ``screenshots``."""
    pages = sorted(file.stem for file in (ROOT / "app" / "app_pages").glob("*.py"))
    parser = argparse.ArgumentParser(prog="python -m tests.browser.screenshots")
    parser.add_argument("page", nargs="?", choices=pages, help="(default: all)")
    parser.add_argument("query", nargs="?", default="", help="of the address, such as data=mnist")
    given = parser.parse_args()
    slugs, query = [given.page] if given.page else pages, given.query
    FOLDER.mkdir(exist_ok=True)
    with serving() as address, browsing() as browser:
        for each in slugs:
            for size, (width, height) in SIZES.items():
                for scheme in ("light", "dark"):
                    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
                    _draw(page, f"{address}/{'' if each == 'start' else each}?{query}", f"{each}_{size}_{scheme}")
                    page.close()


def _draw(page: Any, address: str, name: str) -> None:
    page.set_default_timeout(240_000)
    page.goto(address)
    settled(page)
    page.wait_for_timeout(500)
    tall = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size(page.viewport_size | {"height": int(tall)})
    page.wait_for_timeout(700)
    path = FOLDER / f"{name}.png"
    page.screenshot(path=str(path))
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
