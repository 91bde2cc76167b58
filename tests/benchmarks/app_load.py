"""A room at once: ``python -m tests.benchmarks.app_load [sessions] [trainings] [rounds]``.

So many visitors take another picture in the attack lab at the same moment, round after round, while some train, and two
attack many pictures under another seed, on pages of their own. Each is a session over its own websocket and does what
the page's script in a browser does; only the browsers are left out, and all else runs on this machine. Prints medians
and p95 from the click to the scene with the new picture, and to the one with all values of ε; the server's memory and
processor time; and what went wrong.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from tasklab import data
from tests.benchmarks.app_speed import percentile
from tests.benchmarks.sessions import Session, processor, resident
from tests.browser.serving import serving

PATIENCE = 240.0
"""Seconds after which a page, a scene or a training run that has not come is an error."""

WISH = 0.4
"""Seconds after which a browser asks for more values of ε: until the scene is drawn, and 0.3 s more; see scene.js."""


class Visitor(Session):
    """One in the attack lab.

    Args:
        address: of the server.
        image: index of the first picture.
        cookies: that the browser has already.

    Attributes:
        own: how many systems of one's own can be chosen.
    """

    def __init__(self, address: str, image: int, cookies: Mapping[str, str] | None = None) -> None:
        super().__init__(address, "attack_lab", f"image={image}", cookies)
        self.image, self.own = image, 0
        self._clean = ""
        self._finer: str | None = None  # for which more values of ε can be requested, and last were
        self._wished: str | None = None
        self._seen = self._whole_seen = math.inf  # when the present picture came, and all its values of ε

    async def next_picture(self, pictures: int) -> tuple[float, float]:
        """Take the next of so many pictures: milliseconds to its scene, and to that with all values of ε."""
        self.image = (self.image + 1) % pictures
        self._seen = self._whole_seen = math.inf
        begun = time.perf_counter()
        await self.send("image", int_value=self.image)
        await self.whole()
        return 1000 * (self._seen - begun), 1000 * (self._whole_seen - begun)

    async def whole(self) -> None:
        """Wait for all values of ε, and for the page's rest."""
        await self.until(lambda: self._whole_seen < math.inf, "a whole scene", PATIENCE)
        await self.rest(PATIENCE)

    def shown(self, kind: str, element: Any) -> None:
        """Look at the scene, and ask for more values of ε a little later; count one's own systems."""
        if kind == "multiselect" and element.id.endswith("-systems"):
            self.own = sum("my-" in option for option in element.options)
        if kind != "bidi_component" or element.component_name != "tasklab_scene":
            return
        now, (scene,) = time.perf_counter(), json.loads(element.json)
        self._finer = scene["finer"]
        if scene.get("former"):
            return
        if scene["clean"] != self._clean:
            self._clean, self._seen = scene["clean"], now
        if self._finer is None and self._seen < math.inf:
            self._whole_seen = min(now, self._whole_seen)
        elif self._finer != self._wished and not scene["ask"]:
            self._wished = self._finer
            self.begin(self._wish(scene["finer"]))

    async def _wish(self, key: str) -> None:
        await asyncio.sleep(WISH)
        if self._finer == key:
            await self.trigger("attack_lab_scene", "finer", key)


async def _class(address: str, sessions: int, trainings: int, rounds: int) -> list[str]:
    """All that they do, and the lines that say how long it took."""
    pictures = len(data.load("digits", "test"))
    async with AsyncExitStack() as stack:
        trainers = [Session(address, "train") for _ in range(trainings)]
        visitors = [Visitor(address, (20 + 25 * k) % pictures) for k in range(sessions)]
        others = [Session(address, page) for page in ("outputs", "transfer")]
        for each in (*trainers, *visitors, *others):
            await stack.enter_async_context(each)
            await each.rest(PATIENCE)
        for visitor in visitors:
            await visitor.whole()
        alone = resident(address)
        for trainer in trainers:
            await trainer.send("train_start", trigger_value=True)
        took: list[tuple[float, float]] = []
        worked = processor(address)
        for turn in range(rounds):
            for other in others:
                await other.send("seed", int_value=turn + 1)
            took += await asyncio.gather(*(visitor.next_picture(pictures) for visitor in visitors))
        worked = processor(address) - worked
        training = sum(not _trained(trainer) for trainer in trainers)
        for other in others:
            await other.rest(PATIENCE)
        for trainer in trainers:
            await trainer.until(partial(_trained, trainer), "a trained system", PATIENCE)
        full = resident(address)
    everybody: list[Session] = [*trainers, *visitors, *others]
    own = [[await _own(address, each.cookies) for each in group] for group in (trainers, visitors)]
    errors = [error for each in everybody for error in each.errors]
    scenes, wholes = zip(*took, strict=True)
    return [
        "| what | median | p95 | n |",
        "| --- | ---: | ---: | ---: |",
        *(f"| another picture to {what}, {sessions} at once, {trainings} trainings, 2 batches, ms | "
          f"{statistics.median(column):,.0f} | {percentile(column, 95):,.0f} | {len(column)} |"
          for what, column in (("the scene", scenes), ("all values of ε", wholes))),
        "",
        f"Server: {alone:,.0f} MB as all had come, {full:,.0f} MB at the end; {worked / rounds:.1f} s of processor "
        "time a round.",
        f"After the last round, {training} of {trainings} trainings still went on.",
        f"Own systems seen by each trainer: {own[0]}, by each visitor: {own[1]}.",
        f"Errors: {sorted(set(errors)) or 'none'} ({len(errors)}).",
    ]


def _trained(trainer: Session) -> bool:
    """Whether the page offers to attack a system of one's own."""
    return any(key.startswith("attack ") for key in trainer.widgets)


async def _own(address: str, cookies: Mapping[str, str]) -> int:
    """How many systems of one's own somebody with these cookies can choose."""
    async with Visitor(address, 0, cookies) as visitor:
        await visitor.until(lambda: "systems" in visitor.widgets, "the choice of systems", PATIENCE)
        return visitor.own


def main(sessions: str = "10", trainings: str = "3", rounds: str = "5") -> None:
    """Run it and print the table."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder, serving(TASKLAB_JOBS=folder) as address:
        lines = asyncio.run(_class(address, int(sessions), int(trainings), int(rounds)))
    loads = f"Load {load:.1f} before and {os.getloadavg()[0]:.1f} after, {os.cpu_count()} processors."
    sys.stdout.write("\n".join([*lines, loads]) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:4])
