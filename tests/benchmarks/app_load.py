"""A room at once: ``python -m tests.benchmarks.app_load [sessions] [trainings] [rounds]``.

So many visitors, each a browser context of its own, take another picture in the attack lab, drag ε and scrub PGD in the
browser; some train at the same time, and two attack many pictures at once under another seed, on pages of their own.
Prints medians and p95 of a round, the server's memory, and what went wrong.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.app_speed import DRAG, SCENE, STOPWATCH, another_picture, percentile
from tests.browser.serving import browsing, serving, settled
from tests.browser.visiting import Visit

SELDOM = STOPWATCH.replace("requestAnimationFrame(look)", "setTimeout(look, 100)")
"""The stopwatch of many tabs at once, which would otherwise keep the machine busy by themselves."""


def main(sessions: str = "10", trainings: str = "3", rounds: str = "5") -> None:
    """Run it and print the table."""
    with tempfile.TemporaryDirectory() as folder, serving(TASKLAB_JOBS=folder) as address, browsing() as browser:
        trainers = [Visit(browser, f"{address}/train") for _ in range(int(trainings))]
        visitors = [Visit(browser, f"{address}/attack_lab?image={20 + k}") for k in range(int(sessions))]
        others = [Visit(browser, f"{address}/{slug}") for slug in ("outputs", "transfer")]
        alone = resident(address)
        for tab in trainers:
            tab.page.get_by_role("button", name="▶ Train").click()
        took: list[tuple[float, float]] = []
        ticks: list[float] = []
        for turn in range(int(rounds)):
            for tab in visitors:
                tab.page.evaluate(SELDOM, SCENE["picture"])
            for tab in others:
                tab.page.get_by_test_id("stNumberInputStepUp").first.click()  # of the seed
            for tab in visitors:  # all at once, then everybody waits
                another_picture(tab.page).click()
            took += [tab.page.evaluate("labTook") for tab in visitors]
            for part in ("eps", "at"):
                ticks += visitors[turn % len(visitors)].page.evaluate(DRAG % part)
        for tab in trainers:
            tab.page.get_by_role("button", name="Attack it").first.wait_for()
        everybody = (*visitors, *trainers, *others)
        for tab in everybody:
            settled(tab.page)
        errors = [error for tab in everybody for error in tab.errors]
        errors += [text for tab in everybody for text in tab.page.get_by_test_id("stException").all_inner_texts()]
        own = [_own(tab.page, address) for tab in (*trainers, visitors[0])]
        lines = [
            "| what | median | p95 | n |",
            "| --- | ---: | ---: | ---: |",
            *(f"| another picture to {what}, {sessions} at once, {trainings} trainings, 2 batches, ms | "
              f"{statistics.median(column):,.0f} | {percentile(column, 95):,.0f} | {len(column)} |"
              for what, column in zip(("the scene", "rest"), zip(*took, strict=True), strict=True)),
            f"| tick of a drag or scrub, ms | {statistics.median(ticks):,.1f} | {percentile(ticks, 95):,.1f} | "
            f"{len(ticks)} |",
            "",
            f"Memory of the server: {alone:,.0f} MB as all had come, {resident(address):,.0f} MB at the end.",
            f"Errors: {errors or 'none'}. Own systems seen by each trainer, and by a visitor: {own}.",
        ]
        sys.stdout.write("\n".join(lines) + "\n")


def resident(address: str) -> float:
    """Megabytes of the server that listens there."""
    pages = int((server_of(address) / "statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def server_of(address: str) -> Path:
    """The folder in /proc of the server that listens there."""
    port = address.rsplit(":", 1)[1]
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            command = (process / "cmdline").read_bytes().split(b"\0")
            if b"streamlit" in command and port.encode() in command:
                return process
    raise RuntimeError(f"no server listens on port {port}")


def _own(page: Any, address: str) -> int:
    """How many systems of one's own a visitor can choose."""
    page.goto(f"{address}/attack_lab")
    settled(page)
    page.get_by_test_id("stSidebar").get_by_test_id("stMultiSelect").locator("input").click()
    return int(page.get_by_role("option", name="my-").count())


if __name__ == "__main__":
    main(*sys.argv[1:4])
