"""Pictures of every page, for looking at: ``python -m tests.browser.screenshots [query] [name]``."""

from __future__ import annotations

import sys

from tests.browser.serving import ROOT, browsing, serving, settled

SIZES = {"wide": (1280, 800), "phone": (390, 844)}
FOLDER = ROOT / "screenshots"


def main(query: str = "", name: str = "attack_lab") -> None:
    """Each size in light and dark, as whole pages, into the folder ``screenshots``."""
    FOLDER.mkdir(exist_ok=True)
    with serving() as address, browsing() as browser:
        for size, (width, height) in SIZES.items():
            for scheme in ("light", "dark"):
                page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
                page.set_default_timeout(240_000)
                page.goto(f"{address}/?{query}")
                settled(page)
                page.wait_for_timeout(500)
                tall = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
                page.set_viewport_size({"width": width, "height": int(tall)})
                page.wait_for_timeout(700)
                path = FOLDER / f"{name}_{size}_{scheme}.png"
                page.screenshot(path=str(path))
                page.close()
                sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
