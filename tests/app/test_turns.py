"""Turns among visitors: everybody has an equal share, whenever they come and however much they ask for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from lab_ui.visitor.turns import Turns


class Machine:
    """Jobs that never end on a machine of so many places, second by second, as the scheduler runs them."""

    def __init__(self, places: int, turn: float = 60.0) -> None:
        self.turns, self.places, self.now = Turns(turn), places, 0
        self.running: dict[Path, tuple[str, float]] = {}
        self.waiting: dict[Path, str] = {}

    def submit(self, owner: str, count: int) -> None:
        there = {*self.waiting.values(), *(each for each, _ in self.running.values())}
        if owner not in there:
            self.turns.arrive(owner, there)
        for number in range(count):
            self.waiting[Path(owner) / str(number)] = owner

    def leave(self, owner: str) -> None:
        self.waiting = {job: each for job, each in self.waiting.items() if each != owner}
        self.running = {job: each for job, each in self.running.items() if each[0] != owner}

    def run(self, seconds: int) -> Counter[str]:
        """Seconds that each visitor gets."""
        got: Counter[str] = Counter()
        for _ in range(seconds):
            self.now += 1
            for owner, _ in self.running.values():
                self.turns.charge(owner, 1.0)
                got[owner] += 1
            for job in self._order()[: self.places - len(self.running)]:
                self.running[job] = self.waiting.pop(job), self.now
            if self.waiting and len(self.running) == self.places:
                first = self.waiting[self._order()[0]]
                jobs = [(job, owner, self.now - since) for job, (owner, since) in self.running.items()]
                place = self.turns.to_give_way(jobs, first)
                if place is not None:
                    self.waiting[place] = self.running.pop(place)[0]
        return got

    def _order(self) -> list[Path]:
        return self.turns.order(list(self.waiting.items()), [owner for owner, _ in self.running.values()])


def test_a_late_visitor_does_not_wait_behind_two_long_runs() -> None:
    machine = Machine(2)
    machine.submit("ann", 2)
    machine.run(3000)
    machine.submit("bob", 1)
    got = machine.run(600)
    assert got["bob"] > 590, "one of the two is bob's at once"
    assert 590 < got["ann"] < 610


def test_one_place_is_shared_equally_however_many_jobs_somebody_has() -> None:
    machine = Machine(1)
    machine.submit("ann", 12)
    machine.submit("bob", 1)
    machine.submit("eve", 3)
    got = machine.run(3600)
    assert all(1100 < got[who] < 1300 for who in ("ann", "bob", "eve")), got


def test_yesterday_counts_neither_for_nor_against_anybody() -> None:
    machine = Machine(1)
    machine.submit("ann", 1)
    machine.run(20_000)
    machine.submit("bob", 1)
    got = machine.run(1200)
    assert 500 < got["ann"] < 700, "she does not wait until he has had as much"
    machine.leave("bob")
    machine.run(5000)
    machine.submit("bob", 1)
    assert 500 < machine.run(1200)["bob"] < 700, "nor does he have a claim on the time he was away"


def test_a_stream_of_newcomers_does_not_starve_those_who_are_there() -> None:
    machine = Machine(1)
    machine.submit("ann", 1)
    had = 0
    for number in range(20):
        machine.submit(f"visitor{number}", 1)
        had += machine.run(60)["ann"]
    assert had >= 60


def test_a_turn_is_not_cut_short_and_nobody_gives_way_to_themselves() -> None:
    turns = Turns(60.0)
    turns.charge("ann", 500.0)
    ann = [(Path("1"), "ann", 59.0), (Path("2"), "ann", 30.0)]
    assert turns.to_give_way(ann, "bob") is None
    assert turns.to_give_way([(Path("1"), "ann", 600.0)], "ann") is None
    assert turns.to_give_way([(Path("1"), "ann", 61.0), ann[1]], "bob") == Path("1")
