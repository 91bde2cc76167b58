"""The course as sessions of 90 minutes in class: the steps of each, which parts are core, and when there is a break.

A session works through core sections of one or two notebooks. The rest of a notebook is optional, for students who
finish early, or for home. An instructor's copy says so at each heading, and the slides of a session follow the plan.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tasklab.course.parts import COURSE, Part

SESSION_MINUTES = 90
"""Length of a session in minutes, breaks included."""

HEADING = re.compile(r"^## (?:(?P<section>\d+) · |Exercise (?P<exercise>\d+) · |Questions)", re.MULTILINE)
"""The headings of a notebook that a plan can name: ``## 3 · Intervals``, ``## Exercise 2 · …``, ``## Questions``."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """Work on a notebook.

    Attributes:
        notebook: its number, such as ``"03"``.
        core: the units that everybody works on: ``"3"`` is a section, ``"E2"`` an exercise, ``"Q"`` the questions.
        minutes: for the core units.
    """

    notebook: str
    core: tuple[str, ...]
    minutes: int

    @property
    def part(self) -> Part:
        """Its entry in the list of the course."""
        return next(part for part in COURSE if part.notebook.startswith(self.notebook))


@dataclass(frozen=True, kw_only=True)
class Talk:
    """Time for the whole class, or a break.

    Attributes:
        what: a phrase for the plan.
        minutes: its length.
        rest: whether it is a break.
    """

    what: str
    minutes: int
    rest: bool = False


@dataclass(frozen=True, kw_only=True)
class Session:
    """A session of 90 minutes.

    Attributes:
        title: of the session and of its slides.
        outcome: what a student can say at its end, in one sentence.
        steps: in their order; their minutes add up to `SESSION_MINUTES`.
        short: whether it belongs to the short course of five sessions.
    """

    title: str
    outcome: str
    steps: tuple[Work | Talk, ...]
    short: bool = False

    @property
    def works(self) -> tuple[Work, ...]:
        """Its notebooks."""
        return tuple(step for step in self.steps if isinstance(step, Work))


PAUSE = Talk(what="Break", minutes=10, rest=True)

PLAN = (
    Session(
        title="Four kinds of answer", short=True,
        outcome="An image that withstood an attack may never have been attacked.",
        steps=(
            Talk(what="Who attacks, what may be changed, what counts as success; the tour of the app's start page",
                 minutes=10),
            Work(notebook="00", core=("1", "2", "3", "4", "5", "E1", "Q"), minutes=25), PAUSE,
            Work(notebook="01", core=("1", "2", "3", "4", "5", "6", "E1"), minutes=40),
            Talk(what="What surprised you? One sentence from each row", minutes=5),
        ),
    ),
    Session(
        title="What training leaves behind",
        outcome="Training makes losses exactly 0, and a histogram of margins shows where.",
        steps=(
            Talk(what="Answers to the questions of notebook 01", minutes=5),
            Work(notebook="02", core=("1", "2", "3", "4", "E1"), minutes=40), PAUSE,
            Work(notebook="04", core=("1", "2", "3", "E1"), minutes=30),
            Talk(what="Predict for next time: what happens if one word of the attack is changed?", minutes=5),
        ),
    ),
    Session(
        title="Attacks from scratch", short=True,
        outcome="An attack is ten lines, and every one of them is a decision that a table should report.",
        steps=(
            Work(notebook="03", core=("1", "2", "3", "4", "5", "E1"), minutes=45), PAUSE,
            Work(notebook="03", core=("6", "E2"), minutes=20),
            Talk(what="Discussion: how would you weaken an attack so that nobody notices? Exercise 3 goes home",
                 minutes=15),
        ),
    ),
    Session(
        title="Maps, and images that transfer",
        outcome="A map shows neighbours, not boundaries; a transfer rate of 0 may mean that no image was changed.",
        steps=(
            Talk(what="Two of the attacks that were weakened at home", minutes=5),
            Work(notebook="05", core=("1", "2", "3", "4"), minutes=35), PAUSE,
            Work(notebook="06", core=("1", "2", "3", "E1"), minutes=30),
            Talk(what="Discussion: which figures of your own field claim more than they show?", minutes=10),
        ),
    ),
    Session(
        title="The parameter S, and a plane",
        outcome="The effect of S is one of optimisation, and a map shows where a loss is flat.",
        steps=(
            Work(notebook="07", core=("1", "2", "3", "4", "6"), minutes=40), PAUSE,
            Work(notebook="10", core=("1", "2", "3", "4"), minutes=30),
            Talk(what="Discussion: one system of each kind, or several seeds?", minutes=10),
        ),
    ),
    Session(
        title="Is it really robust?", short=True,
        outcome="Masking leaves clues, and each of them can be looked for with one line of code.",
        steps=(
            Work(notebook="08", core=("1", "2", "3", "4"), minutes=35), PAUSE,
            Work(notebook="08", core=("5", "6", "7", "E1"), minutes=35),
            Talk(what="The class writes the checklist of a reviewer on the board", minutes=10),
        ),
    ),
    Session(
        title="Adversarial training", short=True,
        outcome="A defence that helps can lower the published number.",
        steps=(
            Talk(what="Vote: does retraining on attacks without a gradient help?", minutes=5),
            Work(notebook="09", core=("1", "2"), minutes=40), PAUSE,
            Work(notebook="09", core=("3", "4", "E1"), minutes=25),
            Talk(what="Vote again, and say which figure changed your mind", minutes=10),
        ),
    ),
    Session(
        title="The paper, and a choice",
        outcome="A measurement can be repeated, and the conclusion from it can still be wrong.",
        steps=(
            Work(notebook="12", core=("1", "2", "3", "4", "5"), minutes=45), PAUSE,
            Work(notebook="13", core=("1", "2", "E2"), minutes=25),
            Talk(what="Discussion: what should the authors be told, and in which tone?", minutes=10),
        ),
    ),
    Session(
        title="Bring your own",
        outcome="A code can detect an attack, unless the attack is aimed at the code.",
        steps=(
            Work(notebook="11", core=("1", "2", "3", "E1"), minutes=40), PAUSE,
            Work(notebook="11", core=("4", "5", "E3"), minutes=30),
            Talk(what="The review is handed out: the submissions, the rubric, groups of two or three", minutes=10),
        ),
    ),
    Session(
        title="Review this defence", short=True,
        outcome="A verdict on a claim needs evidence that anybody can verify.",
        steps=(
            Work(notebook="14", core=("1", "2", "E1", "E2"), minutes=40), PAUSE,
            Work(notebook="14", core=("E3", "E4"), minutes=30),
            Talk(what="Two groups defend their verdicts; exercise 5 is handed in a week later", minutes=10),
        ),
    ),
)
"""All sessions in their order."""


def unit_of(source: str) -> str | None:
    """The unit that begins in a cell of text: ``"3"``, ``"E2"`` or ``"Q"``; None if no unit does.

    >>> unit_of("## Exercise 2 · A parity bit (8 minutes)")
    'E2'
    """
    match = HEADING.search(source)
    if match is None:
        return None
    return match["section"] or (f"E{match['exercise']}" if match["exercise"] else "Q")


def places_of(notebook: str) -> Iterator[tuple[int, Session, Work]]:
    """Where the plan works on a notebook: the number of the session, the session, and the step."""
    for number, session in enumerate(PLAN, 1):
        for work in session.works:
            if work.part.notebook == notebook:
                yield number, session, work


def name_of(unit: str) -> str:
    """The name of a unit in a sentence.

    >>> name_of("3"), name_of("E2"), name_of("Q")
    ('section 3', 'exercise 2', 'the questions')
    """
    if unit == "Q":
        return "the questions"
    return f"exercise {unit[1:]}" if unit.startswith("E") else f"section {unit}"


def names_of(core: tuple[str, ...]) -> str:
    """What a step works on, in a few words.

    >>> names_of(("1", "2", "3", "5", "E1", "Q"))
    'sections 1 to 3 and 5, exercise 1, the questions'
    """
    kinds = {"section": [int(unit) for unit in core if unit.isdigit()],
             "exercise": [int(unit[1:]) for unit in core if unit.startswith("E")]}
    phrases = [f"{kind}{'s' if len(numbers) > 1 else ''} {_ranges(numbers)}"
               for kind, numbers in kinds.items() if numbers]
    return ", ".join(phrases + ["the questions"] * ("Q" in core))


def _ranges(numbers: list[int]) -> str:
    """The numbers 1, 2, 3, 5 as "1 to 3 and 5"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    words = [f"{run[0]} to {run[-1]}" if len(run) > 2 else " and ".join(map(str, run)) for run in runs]
    return " and ".join(words)


def table() -> str:
    """The whole plan in Markdown: one table for each session, with the clock running from 0:00."""
    blocks = []
    for number, session in enumerate(PLAN, 1):
        star = " ★" if session.short else ""
        lines = [f"### Session {number} · {session.title}{star}", "", f"*{session.outcome}*", "",
                 "| from | minutes | what |", "| --- | --- | --- |"]
        clock = 0
        for step in session.steps:
            lines.append(f"| {clock // 60}:{clock % 60:02} | {step.minutes} | {_words(step)} |")
            clock += step.minutes
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _words(step: Work | Talk) -> str:
    if isinstance(step, Talk):
        return f"*{step.what}*" if step.rest else step.what
    return f"Notebook {step.notebook}, {step.part.title}: {names_of(step.core)}"
