"""A room full of phones: ``python -m tests.benchmarks.room_load [phones] [seconds]``, 60 for two minutes by default.

A teacher's page in Chromium shows the wall. Each phone is a session of its own on the same server, over its own
websocket, and speaks as the page's script in a browser does: it runs the page, polls, draws a digit for a few seconds,
sends it, guesses, and draws again. Then the teacher attacks twice and closes the room. Prints the errors, how long a
drawing took to be confirmed on its phone and to appear on the wall, the attacks, and the server's processor time and
memory. Only the browsers of the phones are left out: all else runs on this machine.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import statistics
import sys
import tempfile
import threading
import time
from typing import Any

from streamlit.proto.Common_pb2 import StringArray

from tasklab.data import digit_strokes
from tests.benchmarks.app_speed import percentile
from tests.benchmarks.sessions import Session, processor, resident
from tests.browser.serving import browsing, serving, settled
from tests.browser.visiting import Visit

WATCH = """() => {
    window.wallSeen = [];
    const last = {};
    new MutationObserver(() => {
        for (const figure of document.querySelectorAll('.room-wall figure')) {
            const number = figure.querySelector('small').textContent, src = figure.querySelector('img').src;
            if (last[number] !== src) {
                last[number] = src;
                window.wallSeen.push([Number(number), Date.now() / 1000]);
            }
        }
    }).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ['src'] });
}"""
GUESS = "room_guess_train_0"
"""Key of the guess about the first attack."""


class Phone(Session):
    """One session in a room.

    Args:
        address: of the server.
        code: of the room.
        seed: decides what it draws, and when.
    """

    def __init__(self, address: str, code: str, seed: int) -> None:
        super().__init__(address, "room", f"join={code}")
        self.random = random.Random(seed)
        self.sent: list[tuple[int, float, float]] = []  # number on the wall, when it was sent, when it was confirmed
        self.digit, self.number, self.closed = 0, 0, False

    async def play(self, seconds: float, over: asyncio.Event) -> None:
        """Take part: draw for so long, then watch until it is over."""
        try:
            async with self:
                if not await self.until(lambda: {"room_pad", GUESS} <= self.widgets.keys(), "the page"):
                    return
                end = time.time() + seconds
                await asyncio.sleep(self.random.uniform(0, 5))
                while time.time() < end:
                    await self._draw()
                    await self._guess()
                    await asyncio.sleep(self.random.uniform(4, 10))
                await over.wait()
                await self.until(lambda: self.closed, "the end")
        except OSError as error:
            self.errors.append(f"{type(error).__name__}: {error}")

    def shown(self, kind: str, element: Any) -> None:
        """Look for the digit that is asked for, for the confirmation, and for the end."""
        if kind == "alert":
            self.errors.append(str(element.body))
        elif kind == "html":
            self.closed = self.closed or "The room is closed" in element.body
            if confirmed := re.search(r"Your (\d) is on the wall: number (\d+)", element.body):
                self.number = int(confirmed[2])
        elif kind == "bidi_component" and element.component_name == "tasklab_pad":
            self.digit = int(json.loads(element.json)["submit"][-1])

    async def _draw(self) -> None:
        begun = time.time()
        strokes = [[[min(1, max(0, x + self.random.gauss(0, 0.015))), min(1, max(0, y + self.random.gauss(0, 0.015)))]
                    for x, y in stroke] for stroke in digit_strokes(self.digit)]
        value = {"token": 0, "brush": round(self.random.uniform(0.06, 0.12), 2), "strokes": strokes}
        self.number = 0
        await self.trigger("room_pad", "sent", value)
        if await self.until(lambda: self.number > 0, "the confirmation"):
            self.sent.append((self.number, begun, time.time()))

    async def _guess(self) -> None:
        guess = self.random.choice(["none", "a quarter", "half", "all"])
        await self.send(GUESS, string_array_value=StringArray(data=[guess]))


async def _class(phones: list[Phone], seconds: float, over: threading.Event) -> None:
    done = asyncio.Event()

    async def watch() -> None:
        while not over.is_set():
            await asyncio.sleep(0.2)
        done.set()

    await asyncio.gather(watch(), *(phone.play(seconds, done) for phone in phones))


def main(phones: str = "60", seconds: str = "120") -> None:
    """Run it and print the table."""
    with tempfile.TemporaryDirectory() as folder, serving(TASKLAB_JOBS=folder) as address, browsing() as browser:
        teacher = Visit(browser, f"{address}/room", viewport={"width": 1280, "height": 720})
        teacher.page.get_by_role("button", name="Open a room").click()
        teacher.page.get_by_text("Show the guesses").first.wait_for()
        settled(teacher.page)
        code = re.sub(r"\W", "", teacher.page.locator("h1").inner_text().removeprefix("Room"))
        teacher.page.evaluate(WATCH)
        alone, worked, load = resident(address), processor(address), os.getloadavg()[0]
        room = [Phone(address, code, seed) for seed in range(int(phones))]
        over = threading.Event()
        class_ = threading.Thread(target=lambda: asyncio.run(_class(room, float(seconds), over)))
        class_.start()
        end = time.time() + float(seconds) + 15  # the last drawing is on the wall by then
        while time.time() < end:
            teacher.page.wait_for_timeout(1000)
        full, worked = resident(address), processor(address) - worked
        seen = teacher.page.evaluate("window.wallSeen")
        attacks, verdicts = [], []
        for column in (2, 3):  # of the table, the names of its rows not counted
            begun = time.time()
            teacher.page.keyboard.press("a")
            teacher.page.locator(f".room-table thead th:nth-child({column + 1})").wait_for()
            attacks.append(time.time() - begun)
            settled(teacher.page)
            verdicts.append(teacher.page.locator(".lab-lead").first.inner_text())
        teacher.page.get_by_role("button", name="Close the room").click()
        teacher.page.get_by_role("button", name="Delete everything").click()
        teacher.page.get_by_text("Open a room").first.wait_for()
        over.set()
        class_.join(120)
        sent = [each for phone in room for each in phone.sent]
        confirmed = [then - begun for _, begun, then in sent]
        delays = [next((at - begun for number, at in seen if number == mine and at > begun), float("inf"))
                  for mine, begun, _ in sent]
        errors = [error for phone in room for error in phone.errors] + teacher.errors
        lines = [
            f"{phones} phones for {seconds} s, load {load:.1f} before and {os.getloadavg()[0]:.1f} after, "
            f"{os.cpu_count()} processors",
            "",
            "| what | median | p95 | largest | n |",
            "| --- | ---: | ---: | ---: | ---: |",
            *(f"| {what}, s | {statistics.median(times):.2f} | {percentile(times, 95):.2f} | {max(times):.2f} | "
              f"{len(times)} |" for what, times in (("from sending to the phone's confirmation", confirmed),
                                                   ("from sending to the wall", delays))),
            "",
            f"On the wall within 2 s: {sum(delay <= 2 for delay in delays)} of {len(delays)}.",
            f"Attacks: {attacks[0]:.1f} s and {attacks[1]:.1f} s. {' '.join(verdicts)}",
            f"Server: {alone:,.0f} MB before, {full:,.0f} MB with all phones; {worked:.0f} s of processor time in "
            f"{float(seconds) + 15:.0f} s.",
            f"Errors: {sorted(set(errors)) or 'none'} ({len(errors)}).",
        ]
        sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
