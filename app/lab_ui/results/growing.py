"""Attacks that run in the background, first with few steps and then with more, while a page shows what there is so far.

A page hands over the parts of its work, such as one system under one aim, and the stages in which they are made, such
as 18, 75 and 300 steps. It waits a moment; what is not there by then comes later, and the page runs again.
"""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import streamlit as st

from lab_ui.basics.waiting import give_way
from tasklab.attacks.registry import fields_of
from tasklab.experiments.scenario import Scenario
from tasklab.text import duration, in_markdown

THREADS = min(4, os.cpu_count() or 1)
"""Number of parts of one work that are made at the same time."""

_one_by_one = ThreadPoolExecutor(1, "quick attack")
"""Makes the parts of all quick works one after another.

Attacks on small images hold Python's interpreter lock for most of their time. Two of them at once take about as long as
one after the other, but half as much processor time again, which the pages and other visitors then lack.
"""

_later = ThreadPoolExecutor(1, "later stages")
"""Makes what follows the first stage of a quick work, so that nobody's first stage waits behind it."""

SENDING = 0.008
"""Seconds that the server has to send what has been drawn, which needs Python's interpreter lock, too."""

GRACE = 1.0
"""Seconds that other work waits at most for the first answers of other visitors, before each step that it makes."""

PATIENCE = 0.3
"""Seconds that a run of a page waits for the whole work; after that, the page shows what there is."""

LONGER = 3.0
"""Seconds that it waits for the first stage of a quick work, as showing the page twice costs more than the wait."""

POLL = 0.4
"""Seconds between two looks of a page at work that goes on."""

AWAY = 15.0
"""Seconds without a look from its page after which work ends, as nobody waits for it."""

SOON = 1.0
"""Seconds; a stage between the first and the last is left out where the last one will be there by then."""

PENDING = "It is being attacked …"
"""Stands in the place of a result that is not there yet."""

Progress = Callable[[object], object]
"""Called after each step of an attack, with a report on it that is not looked at."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """How far all parts are made before any of them is made further.

    Attributes:
        steps: of each attack.
        attacks: how many attacks one after the other each part takes.
        stops: values of ε, where there are several.
    """

    steps: int
    attacks: int = 1
    stops: tuple[float, ...] = ()


def stages(
    scenario: Scenario, *, slow: bool, attacks: int = 1, stops: tuple[float, ...] = ()
) -> tuple[Stage, ...]:
    """The stages of an attack: a sixteenth of the steps, a quarter and all of them; all at once where it is not slow.

    >>> [stage.steps for stage in stages(Scenario(attack="Square", steps=300), slow=True)]
    [18, 75, 300]
    >>> [stage.steps for stage in stages(Scenario(), slow=False)]
    [10]
    """
    steps = steps_of(scenario)
    counts = sorted({max(1, steps // 16), max(1, steps // 4), steps}) if slow else [steps]
    return tuple(Stage(steps=count, attacks=attacks, stops=stops) for count in counts)


def steps_of(scenario: Scenario) -> int:
    """How many steps the scenario's attack takes.

    >>> steps_of(Scenario()), steps_of(Scenario(attack="FGSM"))
    (10, 1)
    """
    return scenario.steps if "steps" in fields_of(scenario.kind) else 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """What is made by one thread.

    Attributes:
        keys: of its results.
        make: makes the results of a stage, one for each key; it is called on another thread, so it must not use the
            page. It calls the function that it is given with each step of each attack.
    """

    keys: tuple[Hashable, ...]
    make: Callable[[Stage, Progress], Sequence[Any]]


class _Urgent:
    """The first stages of quick works that are waiting or being made, for which other work steps back."""

    def __init__(self) -> None:
        self._count, self._lock, self._none = 0, threading.Lock(), threading.Event()
        self._none.set()

    def __enter__(self) -> None:
        with self._lock:
            self._count += 1
            self._none.clear()

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._count -= 1
            if not self._count:
                self._none.set()

    def over(self, seconds: float) -> bool:
        """Wait until there are none, at most so long, and return whether there are none."""
        return self._none.wait(seconds)


_urgent = _Urgent()


class _Ended(Exception):
    """Raised in the threads of work that is to end."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """Work as it was at one moment: what one run of a page shows.

    Attributes:
        work: goes on meanwhile.
        results: key to result, or to a sentence that says why there is none: those of the newest stage that is whole,
            and before that those of the first stage so far.
        stage: the newest stage that is whole; None where there is none yet.
        finished: whether the work had come to an end, its own or another.
        whole: whether all stages had been made.
    """

    work: Work
    results: Mapping[Any, Any]
    stage: Stage | None
    finished: bool
    whole: bool

    @property
    def stopped(self) -> bool:
        """Whether the visitor stopped the work."""
        return self.finished and self.work.stopped


class Work:
    """Parts that are made stage by stage, in the background.

    Args:
        key: identifies the work.
        attack: its name.
        parts: what is made.
        plan: the stages.
        quick: whether each part takes a fraction of a second; see `_one_by_one`.

    Attributes:
        seen: how far it is; replaced as a whole, so that a page never sees half of a change.
        stopped: whether its visitor stopped it.
    """

    def __init__(
        self, key: str, attack: str, parts: Sequence[Part], plan: Sequence[Stage], *, quick: bool = False
    ) -> None:
        self.key, self.attack, self.parts = key, attack, tuple(parts)
        self.seen = Seen(work=self, results={}, stage=None, finished=not parts, whole=not parts)
        self.stopped = False
        self.failure: BaseException | None = None
        self._left, self._quick, self._first = list(plan), quick, False
        self._made, self._of_stage = 0, 0
        self._lock, self._over, self._change = threading.Lock(), threading.Event(), threading.Event()
        self._begun = self._seen = time.monotonic()
        if parts:
            threading.Thread(target=self._run, daemon=True, name=f"attack {attack}").start()

    @property
    def steps(self) -> tuple[int, int]:
        """How many steps all attacks together have made so far, and how many they are to make in all."""
        total = self._made + sum(self._cost(stage) for stage in self._left)
        return self._made + self._of_stage, max(total, self._made + self._of_stage)

    @property
    def seconds_left(self) -> float | None:
        """An estimate from the steps so far; None in the first second."""
        (made, total), seconds = self.steps, time.monotonic() - self._begun
        return seconds / made * (total - made) if made and seconds > 1 else None

    def wait(self) -> None:
        """Wait until the work is finished, for a while; this run of the page ends if its visitor begins another.

        It waits `PATIENCE` in all, or at most `LONGER` for the first stage of a quick work.

        Raises:
            BaseException: what a part raised, other than a sentence for the visitor.
        """
        begun = time.monotonic()
        while not self.seen.finished and time.monotonic() - begun < (
            LONGER if self._quick and self.seen.stage is None else PATIENCE
        ):
            self.look()
            give_way()
            self._change.wait(0.03)
            self._change.clear()
        if self.failure is not None:
            raise self.failure

    def look(self) -> None:
        """Note that somebody still waits for the work."""
        self._seen = time.monotonic()

    def stop(self) -> None:
        """End the work at its visitor's wish; what there is stays."""
        self.stopped = True
        self.end()

    def end(self) -> None:
        """End the work before the next step of each attack."""
        self._over.set()

    def _run(self) -> None:
        own = None if self._quick else ThreadPoolExecutor(THREADS, "attack")
        try:
            while self._left:
                stage, made = self._left[0], dict[Any, Any]()
                self._first = own is None and self.seen.stage is None
                pool = own or (_one_by_one if self._first else _later)
                with _urgent if self._first else nullcontext():
                    for future in as_completed([pool.submit(self._make, part, stage) for part in self.parts]):
                        made |= future.result()
                        if self.seen.stage is None:
                            self._show(results=dict(made))
                self._made, self._of_stage = self._made + self._cost(stage), 0
                del self._left[0]
                self._show(results=made, stage=stage)
                while len(self._left) > 1 and self._soon(self._left[-1]):
                    del self._left[0]
        except _Ended:
            pass
        except BaseException as failure:  # a mistake in the code, which the page shows as it shows its own
            self.failure = failure
        finally:
            self._over.set()
            if own is not None:
                own.shutdown(wait=False, cancel_futures=True)
            self._show(finished=True, whole=not self._left)

    def _make(self, part: Part, stage: Stage) -> dict[Any, Any]:
        """The results of one part."""
        self._check()
        try:
            return dict(zip(part.keys, part.make(stage, self._step), strict=True))
        except ValueError as error:
            return dict.fromkeys(part.keys, str(error))

    def _step(self, step: object) -> None:
        with self._lock:
            self._of_stage = min(self._of_stage + 1, self._cost(self._left[0])) if self._left else 0
        self._check()
        if not self._first:
            _urgent.over(GRACE)

    def _check(self) -> None:
        if self._over.is_set() or time.monotonic() - self._seen > AWAY:
            raise _Ended

    def _show(self, **changes: Any) -> None:
        self.seen = dataclasses.replace(self.seen, **changes)
        self._change.set()

    def _cost(self, stage: Stage) -> int:
        return stage.steps * stage.attacks * len(self.parts)

    def _soon(self, stage: Stage) -> bool:
        pace = (time.monotonic() - self._begun) / max(1, self._made)
        return pace * self._cost(stage) < SOON


def begin(
    slug: str, key: str, attack: str, parts: Sequence[Part], plan: Sequence[Stage], *, quick: bool = False
) -> Seen:
    """The work of a page, as far as it is after a moment; work for other settings ends.

    Args:
        slug: of the page, or of a section of it.
        key: identifies the work: the settings of the attack, and whatever else its results depend on.
        attack: its name.
        parts: what is made.
        plan: the stages.
        quick: whether each part takes a fraction of a second.
    """
    work: Work | None = st.session_state.get(f"{slug}_work")
    if work is None or work.key != key or (work.seen.finished and not (work.seen.whole or work.stopped)):
        if work is not None:
            work.end()
        work = st.session_state[f"{slug}_work"] = Work(key, attack, parts, plan, quick=quick)
    work.wait()
    return work.seen


def step_back() -> None:
    """Let the server send what has been drawn, and let others have their first answers, before a page computes more."""
    time.sleep(SENDING)
    until = time.monotonic() + GRACE
    while not _urgent.over(0.03) and time.monotonic() < until:
        give_way()


def show(slug: str, seen: Seen) -> None:
    """Draw how far the work of a page is, and a button that stops it; the page runs again when there is more to see."""
    work = seen.work

    @st.fragment(run_every=None if seen.finished else POLL, key=f"{slug} growing")
    def status() -> None:
        work.look()
        if work.seen is not seen:
            st.rerun()
        if seen.whole or (seen.finished and not seen.stopped):
            return
        key = f"{slug}_{'stopped' if seen.finished else 'working'}"
        with st.container(horizontal=True, vertical_alignment="center", key=key):
            if seen.finished:
                st.markdown(in_markdown(f"{work.attack} was stopped. {_shown(seen)}"), width="stretch")
                st.button("Go on", key=f"{slug}_go_on", on_click=_forget, args=(slug,))
            else:
                made, total = work.steps
                st.progress(made / max(total, 1), text=in_markdown(f"{_so_far(work)} {_shown(seen)}"), width="stretch")
                st.button("Stop", key=f"{slug}_stop", on_click=work.stop, help="Ends the attack and keeps the results "
                                                                               "so far.")

    with st.container():
        status()


def as_far_as(scenario: Scenario, seen: Seen) -> Scenario:
    """The scenario whose results are shown: with the steps of the newest whole stage, where the work is not whole."""
    return scenario if seen.whole or seen.stage is None else dataclasses.replace(scenario, steps=seen.stage.steps)


def _so_far(work: Work) -> str:
    made, total = work.steps
    if not made:
        return f"{work.attack} will make {total:,} steps in all."
    left = work.seconds_left
    return f"{work.attack}: {made:,} of {total:,} steps so far" + (f", about {duration(left)} left." if left else ".")


def _shown(seen: Seen) -> str:
    if seen.stage is not None:
        steps = seen.stage.steps
        return f"The page shows what {steps:,} step{'s' * (steps > 1)} of each attack found."
    return "The page shows the results so far." if seen.results else "There are no results yet."


def _forget(slug: str) -> None:
    """Let the work begin again; stages that were made before are kept in a cache."""
    st.session_state.pop(f"{slug}_work", None)


def pending(keys: Sequence[Any], results: Mapping[Any, Any]) -> dict[Any, Any]:
    """The results in the order of their keys, with `PENDING` for those that are not there yet."""
    return {key: results.get(key, PENDING) for key in keys}
