"""How long the app takes, beside its budgets: ``python -m tests.benchmarks.app_speed [repeats]``."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.browser.serving import browsing, serving, settled
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


SHOWN = """() => {
  const main = document.querySelector('[data-testid=stMain]');
  const roots = [main, ...[...main.querySelectorAll('*')].map(e => e.shadowRoot).filter(Boolean)];
  return roots.map(root => root.innerHTML).join();
}"""
"""Everything the page shows beside its bar."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One budget, and what was measured, in milliseconds."""

    what: str
    budget: float
    took: Sequence[float]

    def text(self) -> str:
        """A row of the table."""
        p95 = percentile(self.took, 95)
        held = "yes" if p95 <= self.budget else "no"
        return (f"| {self.what} | {self.budget:,.0f} | {statistics.median(self.took):,.0f} | {p95:,.0f} | "
                f"{len(self.took)} | {held} |")


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of all do not exceed.

    >>> percentile([3.0, 1.0, 2.0], 50), percentile([1.0], 95)
    (2.0, 1.0)
    """
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * int(percent) // 100) - 1)]


def timed(act: Callable[[], object]) -> float:
    """Milliseconds of one act."""
    began = time.perf_counter()
    act()
    return 1000 * (time.perf_counter() - began)


def measure(repeats: int) -> list[Line]:
    """All lines, on one server, the first torch page first."""
    lines = []
    with serving() as address, browsing() as browser:
        fresh = timed(lambda: Visit(browser, f"{address}/attack_lab").close())
        lines.append(Line(what="first torch page of a fresh process", budget=4000, took=[fresh]))
        starts = [timed(lambda: Visit(browser, address).close()) for _ in range(repeats)]
        lines.append(Line(what="Start, a new tab on a warm server", budget=1500, took=starts))
        tab = Visit(browser, f"{address}/attack_lab")
        for part, what in (("eps", "drag ε, per tick"), ("at", "scrub PGD, per tick")):
            lines.append(Line(what=what, budget=16, took=tab.page.evaluate(DRAG % part)))
        lines.append(Line(what="widget to picture, attack lab", budget=400,
                          took=[_widget(tab.page, k) for k in range(repeats)]))
        switches = [_switch(tab.page, title) for _ in range(repeats) for title in ("Codecs", "Attack lab")]
        lines.append(Line(what="page switch", budget=700, took=switches))
        tab.close()
    return lines


def _widget(page: Any, turn: int) -> float:
    """One press of a key on ε, until its answer is on the page: another value each time, so that nothing is kept."""
    slider = page.get_by_test_id("stSidebar").get_by_role("slider", name="ε, the size of the change")
    slider.focus()
    before = page.evaluate(SHOWN)
    return timed(lambda: (slider.press("ArrowRight" if turn % 20 < 10 else "ArrowLeft"), _changed(page, before)))


def _changed(page: Any, before: str) -> None:
    page.wait_for_function(f"old => ({SHOWN})() !== old", arg=before)
    settled(page)


def _switch(page: Any, title: str) -> float:
    link = page.get_by_test_id("stTopNavLink").filter(has_text=title)
    before = page.evaluate(SHOWN)
    return timed(lambda: (link.click(), _changed(page, before)))


def main(repeats: str = "10") -> None:
    """Print the table."""
    head = ["| what | budget ms | median ms | p95 ms | n | held |", "| --- | ---: | ---: | ---: | ---: | --- |"]
    sys.stdout.write("\n".join(head + [line.text() for line in measure(int(repeats))]) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:2])
