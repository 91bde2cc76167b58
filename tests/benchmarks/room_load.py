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

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect

from tasklab.data import digit_strokes
from tests.benchmarks.app_load import resident, server_of
from tests.benchmarks.app_speed import percentile
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
PATIENCE = 15.0
"""Seconds after which an answer that has not come is an error."""


class Phone:
    """One session in a room.

    Args:
        address: of the server.
        code: of the room.
        seed: decides what it draws, and when.
    """

    def __init__(self, address: str, code: str, seed: int) -> None:
        self.url = f"{address.replace('http', 'ws')}/_stcore/stream"
        self.address, self.query, self.random = address, f"join={code}", random.Random(seed)
        self.errors: list[str] = []
        self.sent: list[tuple[int, float, float]] = []  # number on the wall, when it was sent, when it was confirmed
        self.widgets: dict[str, tuple[str, str]] = {}  # name to its id and its fragment
        self.polls: dict[str, asyncio.Task[None]] = {}
        self.texts: dict[tuple[int, ...], str] = {}
        self.page, self.digit, self.number = "", 0, 0
        self.changed = asyncio.Event()

    async def play(self, seconds: float, over: asyncio.Event) -> None:
        """Take part: draw for so long, then watch until it is over."""
        try:
            async with connect(self.url, subprotocols=["streamlit"], max_size=None, origin=self.address) as self.socket:
                reading = asyncio.create_task(self._read())
                await self._run()
                if not await self._until(lambda: {"pad", "guess"} <= self.widgets.keys(), "the page"):
                    return
                end = time.time() + seconds
                await asyncio.sleep(self.random.uniform(0, 5))
                while time.time() < end:
                    await self._draw()
                    await self._guess()
                    await asyncio.sleep(self.random.uniform(4, 10))
                await over.wait()
                await self._until(lambda: "The room is closed" in self.said, "the end")
                reading.cancel()
        except OSError as error:
            self.errors.append(f"{type(error).__name__}: {error}")
        finally:
            for poll in self.polls.values():
                poll.cancel()

    @property
    def said(self) -> str:
        """Everything that stands on its page."""
        return " ".join(self.texts.values())

    async def _draw(self) -> None:
        begun, before = time.time(), len(self.sent)
        strokes = [[[min(1, max(0, x + self.random.gauss(0, 0.015))), min(1, max(0, y + self.random.gauss(0, 0.015)))]
                    for x, y in stroke] for stroke in digit_strokes(self.digit)]
        value = {"token": 0, "brush": round(self.random.uniform(0.06, 0.12), 2), "strokes": strokes}
        name, fragment = self.widgets["pad"]
        self.number = 0
        await self._run(fragment, f"$$STREAMLIT_INTERNAL_KEY_{name}__events",
                        "json_trigger_value", json.dumps([{"event": "sent", "value": value}]))
        if await self._until(lambda: self.number > 0, "the confirmation"):
            self.sent.append((self.number, begun, time.time()))
        assert len(self.sent) <= before + 1

    async def _guess(self) -> None:
        name, fragment = self.widgets["guess"]
        await self._run(fragment, name, "string_array_value", self.random.choice(["none", "a quarter", "half", "all"]))

    async def _run(self, fragment: str = "", name: str = "", kind: str = "", value: Any = None, *,
                   auto: bool = False) -> None:
        message = BackMsg()
        asked = message.rerun_script
        asked.query_string, asked.page_script_hash, asked.fragment_id = self.query, self.page, fragment
        asked.page_name, asked.is_auto_rerun = "" if self.page else "room", auto
        asked.context_info.url = f"{self.address}/room"
        if kind == "json_trigger_value":
            asked.widget_states.widgets.add(id=name, json_trigger_value=value)
        elif kind == "string_array_value":
            asked.widget_states.widgets.add(id=name).string_array_value.data.append(value)
        await self.socket.send(message.SerializeToString())

    async def _read(self) -> None:
        try:
            async for data in self.socket:
                message = ForwardMsg()
                message.ParseFromString(data)
                self._take(message)
                self.changed.set()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self.errors.append(f"{type(error).__name__}: {error}")

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "new_session":
            if not message.metadata.run.fragment_ids:
                for poll in self.polls.values():
                    poll.cancel()
                self.polls.clear()
                self.texts.clear()
        elif kind == "navigation":
            self.page = message.navigation.page_script_hash
        elif kind == "stop_auto_rerun":
            for fragment in message.stop_auto_rerun.fragment_ids:
                if poll := self.polls.pop(fragment, None):
                    poll.cancel()
        elif kind == "ref_hash":
            self.errors.append("the server refers to a message that was not kept")
        elif kind == "auto_rerun":
            fragment = message.auto_rerun.fragment_id
            if fragment not in self.polls:
                self.polls[fragment] = asyncio.create_task(self._poll(fragment, message.auto_rerun.interval))
        elif kind == "script_finished":
            if message.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
                self.errors.append("the script has an error")
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self._show(tuple(message.metadata.delta_path), message.delta.new_element, message.delta.fragment_id)

    def _show(self, place: tuple[int, ...], element: Any, fragment: str) -> None:
        kind = element.WhichOneof("type")
        if kind == "exception" or kind == "alert":
            self.errors.append(str(element.exception.message if kind == "exception" else element.alert.body))
        elif kind == "html":
            self.texts[place] = element.html.body
            if confirmed := re.search(r"Your (\d) is on the wall: number (\d+)", element.html.body):
                self.number = int(confirmed[2])
        elif kind == "bidi_component" and element.bidi_component.component_name == "tasklab_pad":
            self.widgets["pad"] = element.bidi_component.id, fragment
            self.digit = int(json.loads(element.bidi_component.json)["submit"][-1])
        elif kind == "button_group" and "guess" in element.button_group.label:
            self.widgets["guess"] = element.button_group.id, fragment

    async def _poll(self, fragment: str, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self._run(fragment, auto=True)

    async def _until(self, true: Any, what: str) -> bool:
        end = time.time() + PATIENCE
        while not true():
            if time.time() > end:
                self.errors.append(f"{what} did not come within {PATIENCE:.0f} s")
                return False
            self.changed.clear()
            try:
                await asyncio.wait_for(self.changed.wait(), 1.0)
            except TimeoutError:
                continue
        return True


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


def processor(address: str) -> float:
    """Seconds of processor time that the server has used so far."""
    fields = (server_of(address) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(*sys.argv[1:3])
