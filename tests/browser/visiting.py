"""One tab, with what it complained of and whom it asked."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlparse

from tests.browser.serving import settled

STILL = """() => document.getAnimations().every(
    each => each.playState !== 'running' || each.effect.getComputedTiming().endTime === Infinity)"""

COLOURED = """scheme => {
    const ground = getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor;
    const [red, green, blue] = ground.match(/\\d+/g).map(Number);
    return (red + green + blue > 384) === (scheme === 'light');
}"""
"""Whether the page's ground is bright, or dark, as it should be."""


class Visit:
    """A tab on one address, settled; ``moving``: on one that never rests while it is looked at."""

    def __init__(self, browser: Any, url: str, *, moving: bool = False, **settings: Any) -> None:
        self.host = urlparse(url).netloc
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | settings)
        self.context.set_default_timeout(240_000)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.sent: list[Any] = []  # messages to the server
        self.page.on("websocket", lambda socket: self.asked.append(socket.url))
        self.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: self.sent.append(frame)))
        self.page.goto(url)
        if not moving:
            settled(self.page)

    def _heard(self, message: Any) -> None:
        """An error of the page's own; streamlit itself looks for its server below a page's address, in vain."""
        if message.type == "error" and "/_stcore/" not in message.location.get("url", ""):
            self.errors.append(message.text)

    def still(self) -> None:
        """Wait until nothing moves under the hand."""
        self.page.wait_for_function(STILL)

    @property
    def elsewhere(self) -> list[str]:
        """What it asked of others than the app's own server."""
        return [url for url in self.asked
                if urlparse(url).scheme not in ("data", "blob") and urlparse(url).netloc != self.host]

    def violations(self) -> list[str]:
        """What axe finds wrong with the page as it stands."""
        from axe_playwright_python.sync_playwright import Axe

        self.still()  # nothing is half faded
        result = Axe().run(self.page).response["violations"]
        return [f"{v['impact']} {v['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
                for v in result for node in v["nodes"]]

    def violations_in_both(self) -> list[str]:
        """What axe finds wrong in light and in dark colours; the page is left in light ones."""
        result = []
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme)
            self.page.wait_for_function(COLOURED, arg=scheme)
            result += [f"{scheme}: {line}" for line in self.violations()]
        self.page.emulate_media(color_scheme="light")
        self.page.wait_for_function(COLOURED, arg="light")
        return result

    def close(self) -> None:
        """End it, with its cookies."""
        self.context.close()
