"""Slides in a browser without a network: every slide fits, figures are drawn once shown, formulas have a shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.notebooks.decks import write

pytestmark = pytest.mark.browser

STATE = """() => {
  const slide = Reveal.getCurrentSlide(), box = slide.getBoundingClientRect();
  return {bottom: box.bottom, height: innerHeight, last: Reveal.isLastSlide(), text: slide.innerText,
          figures: slide.querySelectorAll(".figure").length,
          drawn: slide.querySelectorAll(".figure svg.main-svg").length,
          formulas: [...slide.querySelectorAll("msub")].map(each => each.getBoundingClientRect().height)};
}"""


def test_every_slide_fits_and_needs_no_network(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file,) = write(tmp_path, monkeypatch, ("03",))
    context = browser.new_context(viewport={"width": 1280, "height": 720}, offline=True)
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("requestfailed", lambda request: errors.append(request.url))
    page.on("request", lambda request: request.url.startswith(("file:", "data:")) or errors.append(request.url))
    page.goto(file.as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    seen, figures, formulas = 0, 0, []
    while True:
        page.wait_for_function("""() => { const here = Reveal.getCurrentSlide();
            return here.querySelectorAll(".figure").length == here.querySelectorAll(".figure.drawn").length }""")
        state = page.evaluate(STATE)
        assert state["bottom"] <= state["height"] + 1, state["text"]
        assert state["text"].strip() or state["figures"], "no slide is empty"
        assert state["drawn"] >= state["figures"]
        figures, formulas, seen = figures + state["figures"], formulas + state["formulas"], seen + 1
        if state["last"]:
            break
        page.keyboard.press("Space")
    context.close()
    assert errors == [] and seen > 20 and figures > 3 and formulas and min(formulas) > 0
