"""The drawings of a room under attack, and what the room guessed beside what came out. Nothing is cached here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from lab_ui.basics.words import read, title
from lab_ui.parts.drawing_pad import Drawing as Strokes
from lab_ui.results import drawn_picture
from lab_ui.visitor import catalogue
from lab_ui.visitor.room import SIDE, Drawing
from tasklab.attacks import Settings, attack
from tasklab.experiments.scenario import Scenario

DATA = "mnist"
KEYS = ("tra", "deepbe", "int", "rbc")
"""Short names of the systems that are attacked."""

WORDS = {0: "none", 25: "a quarter", 50: "half", 75: "three quarters", 100: "all"}
"""What can be guessed, in words."""


@dataclass(frozen=True, kw_only=True)
class Read:
    """What an attack did to one drawing.

    Attributes:
        label: the digit that it shows.
        before, after: the labels that the system read; -1 is None.
        zero: whether the gradient was exactly 0 at every step.
        unmoved: whether no pixel was changed.
        pixels: the attacked drawing, as in `Drawing`.
    """

    label: int
    before: int
    after: int
    zero: bool
    unmoved: bool
    pixels: bytes


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Counts over the drawings on the wall.

    Attributes:
        n: how many drawings there are.
        before, after: how many of them were classified correctly before and after the attack.
        zero, unmoved: of those that were classified correctly before, how many had a gradient of exactly 0 at every
            step, and how many were not changed.
    """

    n: int
    before: int
    after: int
    zero: int
    unmoved: int

    @property
    def share(self) -> float:
        """The share, 0 to 1, of all drawings that are classified correctly after the attack."""
        return self.after / self.n if self.n else 0.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One attack on all drawings: short name of a system to drawing's number to what happened to it."""

    settings: Settings
    reads: Mapping[str, Mapping[int, Read]]

    def counts(self, key: str, wall: Sequence[Drawing]) -> Counts:
        """Counts for a system over the drawings that are on the wall now."""
        reads = [self.reads[key][drawing.number] for drawing in wall]
        correct = [each for each in reads if each.before == each.label]
        return Counts(
            n=len(reads), before=len(correct), after=sum(each.after == each.label for each in reads),
            zero=sum(each.zero for each in correct), unmoved=sum(each.unmoved for each in correct),
        )


def available() -> dict[str, str]:
    """Short name to full name of the systems that are attacked and whose files are there."""
    systems, _ = catalogue.systems(DATA)
    return {key: systems[key] for key in KEYS if key in systems}


def pixels_of(strokes: Strokes) -> bytes:
    """A drawing as MNIST has its digits: `SIDE`² bytes.

    Raises:
        PictureError: one sentence: nothing is drawn.
    """
    x = drawn_picture.rendered(strokes, DATA)
    return (x * 255).round().to(torch.uint8).numpy().tobytes()


def attacked(wall: Sequence[Drawing], aim: str, eps: float) -> Outcome:
    """Attack all drawings in one batch for each system.

    Args:
        wall: the drawings.
        aim: the objective.
        eps: the largest change of a pixel, 0 to 1.
    """
    x = torch.frombuffer(bytearray(b"".join(each.pixels for each in wall)), dtype=torch.uint8)
    x = x.reshape(len(wall), 1, SIDE, SIDE).float() / 255
    y = torch.tensor([each.label for each in wall])
    systems = available()
    settings = Scenario(data=DATA, systems=tuple(systems.values()), eps=eps).settings(aim)
    reads = {}
    for key, name in systems.items():
        result = attack(catalogue.system(name), x, y, settings)
        images = (result.images * 255).round().to(torch.uint8)
        reads[key] = {
            drawing.number: Read(
                label=drawing.label, before=int(result.clean_decoded[k]), after=int(result.decoded[k]),
                zero=bool(result.zero_gradient[k]), unmoved=bool(result.unmoved[k]), pixels=images[k].numpy().tobytes(),
            )
            for k, drawing in enumerate(wall)
        }
    return Outcome(settings=settings, reads=reads)


def verdict(tally: Mapping[int, int], counts: Counts) -> str:
    """What the room guessed and what it was, in a sentence; HTML without any text of a visitor.

    >>> verdict({0: 2, 50: 5}, Counts(n=8, before=8, after=0, zero=0, unmoved=0))
    'The room said <b>half</b> (5 of 7 guesses); it was <b>0 %</b> (0 of 8 drawings).'
    """
    was = f"it was <b>{counts.share:.0%}</b>".replace("%", " %") + f" ({counts.after} of {counts.n} drawings)"
    total, most = sum(tally.values()), max(tally.values(), default=0)
    if not total:
        return f"Nobody guessed; {was}."
    winners = [WORDS[share] for share in sorted(tally) if tally[share] == most]
    if len(winners) == 1:
        guesses = f"{most} of {total} guesses" if total > 1 else "the only guess"
        return f"The room said <b>{winners[0]}</b> ({guesses}); {was}."
    listed = f"{', '.join(winners[:-1])} and {winners[-1]}"
    return f"The room was divided between <b>{listed}</b> ({most} guesses each); {was}."


def explanation(key: str, train: Counts, margin: Counts) -> str:
    """Why the two aims differ for a system, from the counts of both attacks; plain text.

    >>> def counts(after, zero):
    ...     return Counts(n=9, before=8, after=after, zero=zero, unmoved=zero)
    >>> explanation("rbc", counts(8, 8), counts(0, 0)).split(":")[0]
    'Aimed at the training loss, the gradient was exactly 0 on all 8 drawings that RBC had classified correctly'
    """
    name, correct = title(key), train.before
    if not correct:
        return f"{name} classified no drawing correctly, so there was nothing left for an attack to break."
    end = (f"The first attack left {train.after} of {train.n} drawings classified correctly, the second "
           f"{margin.after}; drawings, ε and steps were the same, and only the aim differed.")
    if not train.zero:
        return (f"{name}'s training loss had a gradient on every drawing that it had classified correctly, so the "
                f"attack had something to climb whichever way it was aimed. {end}")
    every = f"all {correct}" if train.zero == correct else f"{train.zero} of the {correct}"
    return (f"Aimed at the training loss, the gradient was exactly 0 on {every} drawings that {name} had classified "
            f"correctly: there the loss is flat, so there was nothing to climb, and {_of_them(train.unmoved, correct)} "
            f"came back unchanged. Aimed at the decision margin, it was exactly 0 on {_of_them(margin.zero, correct)}. "
            f"{end}")


def own_words(key: str, drawing: Drawing, each: Read) -> str:
    """What became of one drawing, for the phone that sent it; plain text."""
    after = "and the attack changed no pixel of it" if each.unmoved else f"and as {read(each.after)} after the attack"
    return f"{title(key)} read your {drawing.label} as {read(each.before)}, {after}."


def _of_them(number: int, every: int) -> str:
    return "none of them" if number == 0 else "all of them" if number == every else f"{number} of them"
