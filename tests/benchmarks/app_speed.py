"""How long the app takes, beside its budgets: ``python -m tests.benchmarks.app_speed [repeats]``.

Another ε and another picture are asked for on each data set that is there, MNIST and CIFAR-10 beside the digits.
"""

from __future__ import annotations

import base64
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tasklab import data
from tests.browser.serving import SETTLED, browsing, serving
from tests.browser.visiting import Visit

DRAG = """async () => {
  const roots = [document, ...[...document.querySelectorAll('*')].map(e => e.shadowRoot).filter(Boolean)];
  const slider = roots.map(r => r.querySelector('input[data-part=%s]')).find(Boolean);
  const took = [];
  for (let k = 0; k < 60; k++) {
    slider.value = (k * 7) %% (Number(slider.max) + 1);
    const began = performance.now();
    slider.dispatchEvent(new Event('input', {bubbles: true}));
    slider.getBoundingClientRect();  // what was changed is laid out
    took.push(performance.now() - began);
    await new Promise(requestAnimationFrame);
  }
  return took;
}"""
"""Each tick of a drag: the handlers and the layout that they cause, in milliseconds."""


FIND = """name => {
  const roots = [document, ...[...document.querySelectorAll('*')].map(e => e.shadowRoot).filter(Boolean)];
  return roots.map(root => root.querySelector(`[data-part=${name}]`)).find(Boolean);
}"""
SHOWN = {"start": "document.querySelector('.front img')?.complete", "attack_lab": f"({FIND})('clean')"}
"""Whether a page shows its picture."""

ARRIVAL = """(() => {
  const settled = SETTLED;
  let seen = null;
  window.labTook = new Promise(done => {
    const look = () => {
      if (seen === null && document.body && (LOOKS)) seen = performance.now();
      if (seen !== null && settled()) done([seen, performance.now()]);
      else requestAnimationFrame(look);
    };
    look();
  });
})()""".replace("SETTLED", SETTLED)
"""From the call of an address to its picture, and to the whole page at rest, in milliseconds."""

SCENE = {
    "eps": f"({FIND})('epsword')?.textContent", "picture": f"({FIND})('clean')?.toDataURL()",
    "page": f"({FIND})('epsword') ? 'lab' : ({FIND})('perfect') ? 'codecs' : undefined",
}
"""What the attack lab's scene says once another ε, or another picture, has come to it; which of two pages is there."""

MANY_STOPS = f"Number(({FIND})('eps')?.dataset.stops) > 9"
"""Whether the scene has the many stops that it asks for a moment after it has come."""

BUDGETS = {"digits": 250, "mnist": 250, "cifar10": 350}
"""Milliseconds to the scene with another ε or another picture, by data set."""

FRESH = 5
"""Servers that are started for their first page."""

FRAME = "document.querySelector('.lab-live img')?.src"
"""The first of the planes that are in training on the Regions page."""

STOPWATCH = """(looks) => {
  const settled = SETTLED, before = eval(looks);
  let began, seen = null;
  for (const act of ['keydown', 'click']) {
    addEventListener(act, () => { began ??= performance.now(); }, {capture: true});
  }
  window.labTook = new Promise(done => {
    const look = () => {
      const now = performance.now(), shown = seen === null ? eval(looks) : undefined;
      if (began !== undefined && shown !== undefined && shown !== before) seen = now - began;
      if (seen !== null && settled()) done([seen, now - began]);
      else requestAnimationFrame(look);
    };
    look();
  });
}""".replace("SETTLED", SETTLED)
"""From a key or a click to the frame in which something shows another value, and to the one in which the whole page is
at rest again, in milliseconds; to be started before, and read as ``labTook`` after."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One budget, if there is one, and what was measured, in milliseconds."""

    what: str
    budget: float | None
    took: Sequence[float]

    def text(self) -> str:
        """A row of the table."""
        p95 = percentile(self.took, 95)
        budget = "–" if self.budget is None else f"{self.budget:,.0f}"
        held = "–" if self.budget is None else "yes" if p95 <= self.budget else "no"
        return (f"| {self.what} | {budget} | {statistics.median(self.took):,.0f} | {p95:,.0f} | "
                f"{len(self.took)} | {held} |")


class Wire:
    """What goes between a page and its server, with the times at which the browser's network saw it."""

    def __init__(self, page: Any) -> None:
        self._sent: list[float] = []
        self._came: list[tuple[float, bytes]] = []
        session = page.context.new_cdp_session(page)
        session.on("Network.webSocketFrameSent", lambda event: self._sent.append(event["timestamp"]))
        session.on("Network.webSocketFrameReceived", lambda event: self._came.append(
            (event["timestamp"], base64.b64decode(event["response"]["payloadData"]))))
        session.send("Network.enable")

    def clear(self) -> None:
        """Forget what went before."""
        self._sent.clear()
        self._came.clear()

    def answered(self, name: str) -> float:
        """Milliseconds from the first word to the server to the first of its messages that has a component's name."""
        return 1000 * (next(at for at, message in self._came if name.encode() in message) - self._sent[0])


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of all do not exceed.

    >>> percentile([3.0, 1.0, 2.0], 50), percentile([1.0], 95)
    (2.0, 1.0)
    """
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * int(percent) // 100) - 1)]


def measure(repeats: int) -> list[Line]:
    """All lines: the first torch page, each time of a server of its own; all others of one."""
    lines: list[Line] = []

    def arrivals(what: str, budget: float | None, pairs: Sequence[tuple[float, float]]) -> None:
        lines.append(Line(what=f"{what}, to its picture", budget=budget, took=[seen for seen, _ in pairs]))
        lines.append(Line(what=f"{what}, to rest", budget=None, took=[rest for _, rest in pairs]))

    with browsing() as browser:
        pairs = []
        for _ in range(min(repeats, FRESH)):
            with serving() as address:
                pairs.append(arrived(browser, f"{address}/attack_lab", SHOWN["attack_lab"]))
        arrivals("first torch page of a fresh process", 4000, pairs)
    with serving() as address, browsing() as browser:
        for slug, path, what, budget in (
            ("start", "", "Start, nothing kept by the browser", 1500),
            ("attack_lab", "attack_lab", "attack lab, nothing kept by the browser", None),
        ):
            url = f"{address}/{path}"
            arrived(browser, url, SHOWN[slug])  # the server is warm
            arrivals(what, budget, [arrived(browser, url, SHOWN[slug]) for _ in range(repeats)])
        tab = Visit(browser, f"{address}/attack_lab")
        for part, what in (("eps", "drag ε, per tick"), ("at", "scrub PGD, per tick")):
            lines.append(Line(what=what, budget=16, took=tab.page.evaluate(DRAG % part)))
        tab.close()
        for dataset in filter(data.available, BUDGETS):
            radii = data.DATASETS[dataset].radii
            tab = Visit(browser, f"{address}/attack_lab?data={dataset}&eps=0")
            wire = Wire(tab.page)
            steps = round(radii.most * radii.per)  # of the control
            for what, act, times in (
                ("another ε", partial(_slider(tab.page).press, "ArrowRight"), min(repeats, steps)),
                ("another picture", another_picture(tab.page).click, repeats),
            ):
                pairs, served = [], []
                for _ in range(times):
                    tab.page.wait_for_function(MANY_STOPS)
                    wire.clear()
                    pairs.append(watched(tab.page, act, SCENE["eps" if what == "another ε" else "picture"]))
                    served.append(wire.answered("tasklab_scene"))
                what += f", {dataset}"
                lines.append(Line(what=f"{what}, to the scene", budget=BUDGETS[dataset],
                                  took=[seen for seen, _ in pairs]))
                lines.append(Line(what=f"{what}, of which server", budget=None, took=served))
                lines.append(Line(what=f"{what}, to the whole page at rest", budget=None,
                                  took=[rest for _, rest in pairs]))
            tab.close()
        tab = Visit(browser, f"{address}/attack_lab")
        switches = []
        for title in ("Codecs", "Attack lab") * repeats:
            link = tab.page.get_by_test_id("stTopNavLink").filter(has_text=title)
            switches.append(watched(tab.page, link.click, SCENE["page"])[1])
        lines.append(Line(what="page switch", budget=700, took=switches))
        tab.close()
        tab = Visit(browser, f"{address}/regions")
        tab.page.get_by_text("More settings").click()
        seed = tab.page.get_by_test_id("stNumberInput").filter(has_text="Seed")
        another_seed = seed.get_by_test_id("stNumberInputStepUp")
        pairs = [watched(tab.page, another_seed.click, FRAME) for _ in range(repeats)]
        lines.append(Line(what="Regions, another seed, to the first frame", budget=300,
                          took=[seen for seen, _ in pairs]))
        lines.append(Line(what="Regions, another seed, to the trained planes at rest", budget=3000,
                          took=[rest for _, rest in pairs]))
        tab.close()
    return lines


def arrived(browser: Any, url: str, looks: str) -> tuple[float, float]:
    """Milliseconds from the call of an address in a browser that holds nothing of it, to its picture and to rest."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_init_script(ARRIVAL.replace("LOOKS", looks))
    page = context.new_page()
    page.goto(url)
    seen, rest = page.evaluate("labTook")
    context.close()
    return seen, rest


def watched(page: Any, act: Callable[[], object], looks: str) -> tuple[float, float]:
    """Milliseconds from one act to the change that is looked for, and to the whole page's rest, as the browser says."""
    page.evaluate(STOPWATCH, looks)
    act()
    seen, rest = page.evaluate("labTook")
    return seen, rest


def another_picture(page: Any) -> Any:
    """What takes the next picture of the set."""
    return page.get_by_test_id("stSidebar").get_by_test_id("stNumberInputStepUp").first


def _slider(page: Any) -> Any:
    return page.get_by_test_id("stSidebar").get_by_role("slider", name="ε, the size of the change")


def main(repeats: str = "10") -> None:
    """Print the table."""
    head = ["| what | budget ms | median ms | p95 ms | n | held |", "| --- | ---: | ---: | ---: | ---: | --- |"]
    sys.stdout.write("\n".join(head + [line.text() for line in measure(int(repeats))]) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:2])
