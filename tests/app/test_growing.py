"""Attacks in the background: first with few steps, then with more; old results are marked, and work can be stopped."""

from __future__ import annotations

import doctest
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import streamlit as st
import torch
from streamlit.testing.v1 import AppTest

from lab_ui.results import growing
from lab_ui.results.growing import PENDING, Part, Progress, Stage, Work
from tasklab import zoo
from tests.app.live_parts import shipped
from tests.app.visitors import clean, until, visit
from tests.systems import small_zoo

STAGES = (Stage(steps=2), Stage(steps=4), Stage(steps=8))


@pytest.fixture(autouse=True)
def _own_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[None]:
    """Only the small zoo, no answer kept from before, every stage made; threads given back."""
    monkeypatch.setenv("TASKLAB_ZOO", str(small_zoo().folder))
    monkeypatch.setattr(zoo, "folder", lambda: tmp_path / "nothing shipped")
    monkeypatch.setattr(growing, "SOON", 0.0)
    threads = torch.get_num_threads()
    st.cache_resource.clear()
    st.cache_data.clear()
    yield
    torch.set_num_threads(threads)


class Gates:
    """Parts that wait at each stage until they are let through, and make one step each."""

    def __init__(self) -> None:
        self.open: dict[tuple[str, int], threading.Event] = {}
        self.ended: list[str] = []
        self.steps: Counter[str] = Counter()

    def let(self, name: str, steps: int) -> None:
        self.open.setdefault((name, steps), threading.Event()).set()

    def part(self, name: str) -> Part:
        def make(stage: Stage, progress: Progress) -> Sequence[str]:
            gate = self.open.setdefault((name, stage.steps), threading.Event())
            try:
                while not gate.wait(0.01):
                    progress(None)  # type: ignore[arg-type]
                    self.steps[name] += 1
            except BaseException:
                self.ended.append(name)
                raise
            return [f"{name} {stage.steps}"]
        return Part(keys=(name,), make=make)


def test_quick_works_are_made_one_after_the_other_and_one_that_ended_holds_up_no_other() -> None:
    gates = Gates()
    first, second = (Work(name, "PGD", [gates.part(name)], STAGES[:1], quick=True) for name in "ab")
    gates.let("b", 2)
    slow = Work("c", "Square", [gates.part("c")], STAGES[:1])
    gates.let("c", 2)
    until(lambda: slow.seen.whole)
    assert not second.seen.results, "it waits for the first, although it could be made"
    first.end()
    until(lambda: second.seen.whole)
    assert gates.ended == ["a"] and second.seen.results == {"b": "b 2"}


def test_a_first_stage_waits_behind_no_later_one() -> None:
    gates = Gates()
    for name in ("a", "b"):
        gates.let(name, 2)
    first = Work("a", "PGD", [gates.part("a")], STAGES[:2], quick=True)
    until(lambda: ("a", 4) in gates.open)  # it is at its second stage, where it stays
    second = Work("b", "PGD", [gates.part("b")], STAGES[:2], quick=True)
    until(lambda: second.seen.stage == STAGES[0])
    assert first.seen.stage == STAGES[0]
    for name in ("a", "b"):
        gates.let(name, 4)
    until(lambda: first.seen.whole and second.seen.whole)


def test_what_follows_a_first_answer_steps_back_for_those_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "GRACE", 600.0)
    gates = Gates()
    gates.let("a", 2)
    first = Work("a", "PGD", [gates.part("a")], STAGES[:2], quick=True)
    until(lambda: ("a", 4) in gates.open and gates.steps["a"])
    second = Work("b", "PGD", [gates.part("b")], STAGES[:1], quick=True)
    until(lambda: gates.steps["b"])
    made = gates.steps["a"] + 1  # with the step that is being made
    time.sleep(0.5)
    assert gates.steps["a"] <= made
    gates.let("b", 2)
    until(lambda: second.seen.whole and gates.steps["a"] > made)
    first.end()


def test_one_stage_follows_the_other_and_none_is_mixed_with_the_next() -> None:
    gates = Gates()
    work = Work("key", "Square", [gates.part("a"), gates.part("b")], STAGES)
    gates.let("a", 2)
    until(lambda: work.seen.results)
    assert growing.pending(["a", "b"], work.seen.results) == {"a": "a 2", "b": PENDING} and work.seen.stage is None
    gates.let("b", 2)
    until(lambda: work.seen.stage == STAGES[0])
    gates.let("b", 4)
    assert work.seen.results == {"a": "a 2", "b": "b 2"}, "both as of one stage"
    for name in ("a", "b"):
        for stage in STAGES:
            gates.let(name, stage.steps)
    until(lambda: work.seen.finished)
    assert work.seen.results == {"a": "a 8", "b": "b 8"} and work.seen.whole
    assert work.steps == (28, 28)


def test_what_stops_keeps_the_last_whole_stage() -> None:
    gates = Gates()
    work = Work("key", "Square", [gates.part("a"), gates.part("b")], STAGES)
    for name in ("a", "b"):
        gates.let(name, 2)
    gates.let("a", 4)
    until(lambda: work.seen.stage == STAGES[0])
    work.stop()
    until(lambda: work.seen.finished and gates.ended)
    assert work.seen.results == {"a": "a 2", "b": "b 2"} and not work.seen.whole and work.stopped


def test_work_that_nobody_looks_at_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "AWAY", 0.2)
    gates = Gates()
    work = Work("key", "Square", [gates.part("a")], STAGES)
    until(lambda: work.seen.finished)
    assert gates.ended == ["a"] and not work.seen.whole and not work.stopped


def raising(error: Exception) -> Callable[[Stage, Progress], Sequence[str]]:
    def make(stage: Stage, progress: Progress) -> Sequence[str]:
        raise error
    return make


def test_a_refusal_is_a_result_and_a_mistake_reaches_the_page() -> None:
    gates = Gates()
    gates.let("b", 2)
    work = Work("key", "Square", [Part(keys=("a",), make=raising(ValueError("No.")))], STAGES[:1])
    until(lambda: work.seen.finished)
    assert work.seen.results == {"a": "No."}
    work = Work("key", "Square", [Part(keys=("a",), make=raising(RuntimeError("a mistake")))], STAGES[:1])
    with pytest.raises(RuntimeError, match="a mistake"):
        work.wait()


def progress_bars(at: AppTest) -> list[str]:
    return [bar.proto.text for bar in at.main.get("progress")]


@pytest.mark.parametrize(("page", "slug"), [("attack_lab", "attack_lab"), ("draw", "draw")])
def test_the_former_picture_is_marked_until_the_new_attack_has_found_something(
    monkeypatch: pytest.MonkeyPatch, page: str, slug: str
) -> None:
    at = visit(page, systems=["rbc"], steps="3")
    first = shipped(at, "scene")
    assert first is not None and not first.get("former")
    gate = threading.Event()
    take = Work._step

    def wait(work: Work, step: Any) -> None:
        while not gate.wait(0.01):
            work._check()
        take(work, step)

    monkeypatch.setattr(Work, "_step", wait)
    monkeypatch.setattr(growing, "PATIENCE", 0.0)
    clean(at.selectbox(key="attack").set_value("Square").run())
    former = shipped(at, "scene")
    assert former is not None and former["former"] and former["how"] == first["how"]
    (words,) = progress_bars(at)
    assert words.startswith("Square will make") and "no results yet" in words
    before: Work = at.session_state[f"{slug}_work"]
    clean(at.number_input(key="seed").set_value(1).run())
    until(lambda: before.seen.finished)
    assert not before.seen.results, "other settings end the work for those before"
    gate.set()
    work: Work = at.session_state[f"{slug}_work"]
    until(lambda: work.seen.finished)
    new = shipped(clean(at.run()), "scene")
    assert new is not None and not new.get("former") and new["how"].startswith("Square, 300 steps")
    assert progress_bars(at) == []


def test_an_attack_can_be_stopped_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    at = visit("attack_lab", systems=["rbc"], steps="3")
    gate, take = threading.Event(), Work._step

    def wait(work: Work, step: Any) -> None:
        while work.seen.stage is not None and not gate.wait(0.01):
            work._check()
        take(work, step)

    monkeypatch.setattr(Work, "_step", wait)
    monkeypatch.setattr(growing, "PATIENCE", 0.0)
    at.selectbox(key="attack").set_value("Square").run()
    until(lambda: at.session_state["attack_lab_work"].seen.stage is not None)
    scene = shipped(clean(at.run()), "scene")
    assert scene is not None and scene["how"].startswith("Square, 18 steps"), "few tries, and it says so"
    assert "18 steps of each attack" in progress_bars(at)[0]
    clean(at.button(key="attack_lab_stop").click().run())
    until(lambda: at.session_state["attack_lab_work"].seen.finished)
    scene = shipped(clean(at.run()), "scene")
    assert scene is not None and scene["how"].startswith("Square, 18 steps") and not progress_bars(at)
    at.session_state["take_away"] = True
    assert "Square(eps=0.2, steps=18" in clean(at.run()).code[-1].value
    gate.set()
    monkeypatch.setattr(growing, "PATIENCE", 600.0)
    clean(at.button(key="attack_lab_go_on").click().run())
    scene = shipped(at, "scene")
    assert scene is not None and scene["how"].startswith("Square, 300 steps")


def drawn(at: AppTest) -> list[Any]:
    """The charts and matrices on a page."""
    grids = [each for each in at.main.get("bidi_component") if "grid" in each.proto.component_name]
    return [*at.main.get("plotly_chart"), *grids]


@pytest.mark.parametrize("page", ["outputs", "transfer"])
def test_pages_of_many_pictures_show_nothing_old_while_they_work(monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    at = visit(page, systems=["tra", "rbc"], steps="2", n="50")
    assert drawn(at)
    gate, take = threading.Event(), Work._step

    def wait(work: Work, step: Any) -> None:
        while not gate.wait(0.01):
            work._check()
        take(work, step)

    monkeypatch.setattr(Work, "_step", wait)
    monkeypatch.setattr(growing, "PATIENCE", 0.0)
    clean(at.selectbox(key="attack").set_value("Noise").run())
    assert not drawn(at) and progress_bars(at)
    gate.set()
    until(lambda: at.session_state[f"{page}_work"].seen.finished)
    assert drawn(clean(at.run())) and not progress_bars(at)


def test_doctests() -> None:
    assert doctest.testmod(growing).failed == 0
