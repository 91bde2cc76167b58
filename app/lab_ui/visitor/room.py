"""One room of a class: its phones, what they have drawn and guessed, and what its attacks did."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lab_ui.basics.refusal import Refused
from lab_ui.visitor import limits

AIMS = ("train", "margin")
"""The objectives of a room's attacks, in their order."""

SHARES = (0, 25, 50, 75, 100)
"""What can be guessed: how many per cent of the drawings are still classified correctly after the attack."""

SIDE = 28
"""Pixels of a side of a drawing, as the systems of MNIST take it."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """One drawing on the wall.

    Attributes:
        number: its number on the wall, from 1.
        label: the digit that it shows, as its author says.
        pixels: 28·28 bytes, row by row, 0 is black.
    """

    number: int
    label: int
    pixels: bytes


@dataclass(eq=False)
class Room:
    """A room. Its phones use `join`, `draw` and `guess`; everything else is the teacher's, through `Rooms`.

    Attributes:
        code: six signs that lead into the room.
        owner: the teacher, as in `identity.visitor`.
        opened, seen: when it was opened, and when the teacher's page was last drawn, by the clock of `Rooms`.
        eps: ε of the attacks.
        system: short name of the system that the guesses are about.
        people: hashes of the phones that take part.
        drawings: the drawing of each phone that has sent one.
        barred: phones whose drawing the teacher has taken off the wall; they cannot send another one.
        guesses: objective to the guess of each phone, one of `SHARES`.
        revealed: objectives whose guesses are shown; they take no more guesses.
        outcomes: objective to what its attack did; see `lab_ui.results.room_attacks`.
        attacking: whether an attack is running.
        version: changes whenever anything else does.
    """

    code: str
    owner: str
    opened: float
    seen: float
    eps: float
    system: str
    people: set[str] = field(default_factory=set)
    drawings: dict[str, Drawing] = field(default_factory=dict)
    barred: set[str] = field(default_factory=set)
    guesses: dict[str, dict[str, int]] = field(default_factory=lambda: {aim: {} for aim in AIMS})
    revealed: set[str] = field(default_factory=set)
    outcomes: dict[str, Any] = field(default_factory=dict)
    attacking: bool = False
    version: int = 0
    _numbers: int = 0
    round: int = 0
    _sent: dict[str, float] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _clock: Callable[[], float] = field(default=time.monotonic, repr=False)

    @property
    def stage(self) -> int:
        """How many attacks are done, 0 to 2."""
        return len(self.outcomes)

    @property
    def aim(self) -> str | None:
        """The objective of the next attack; None after the last one."""
        return AIMS[self.stage] if self.stage < len(AIMS) else None

    @property
    def voting(self) -> bool:
        """Whether guesses are taken."""
        return self.aim is not None and self.aim not in self.revealed and not self.attacking

    @property
    def drawable(self) -> bool:
        """Whether drawings are taken: until the first attack begins."""
        return not self.stage and not self.attacking

    @property
    def situation(self) -> tuple[Any, ...]:
        """What a phone shows depends on this alone, beside what the phone itself has sent."""
        return self.stage, self.attacking, self.voting, self.eps, self.system, self.round

    def wall(self) -> tuple[Drawing, ...]:
        """All drawings by their numbers."""
        with self._lock:
            return tuple(sorted(self.drawings.values(), key=lambda drawing: drawing.number))

    def tally(self, aim: str) -> dict[int, int]:
        """How often each share of `SHARES` was guessed."""
        with self._lock:
            counts = Counter(self.guesses[aim].values())
        return {share: counts[share] for share in SHARES}

    def join(self, who: str) -> None:
        """Take part.

        Raises:
            Refused: the room is full.
        """
        with self._lock:
            if who not in self.people and len(self.people) >= limits.MAX_PEOPLE:
                raise Refused(f"This room is full: {limits.MAX_PEOPLE} phones are taking part already.")
            if who not in self.people:
                self.people.add(who)
                self.version += 1

    def draw(self, who: str, label: int, pixels: bytes) -> Drawing:
        """Put a drawing on the wall, in place of an earlier one of the same phone.

        Raises:
            Refused: the phone does not take part, or was barred; drawings are no longer taken; too many at once.
            ValueError: the label is no digit, or the drawing has another size.
        """
        if label not in range(10) or len(pixels) != SIDE * SIDE:
            raise ValueError(f"expected a digit and {SIDE * SIDE} bytes, got {label!r} and {len(pixels)} bytes")
        with self._lock:
            self.may_draw(who)
            self._sent[who] = self._clock()
            if who not in self.drawings:
                self._numbers += 1
            number = self.drawings[who].number if who in self.drawings else self._numbers
            self.drawings[who] = Drawing(number=number, label=label, pixels=pixels)
            self.version += 1
            return self.drawings[who]

    def may_draw(self, who: str) -> None:
        """Check whether a phone may send a drawing now.

        Raises:
            Refused: as in `draw`.
        """
        with self._lock:
            if who not in self.people:
                raise Refused("This phone does not take part in the room.")
            if who in self.barred:
                raise Refused("The teacher has taken your drawing off the wall.")
            if not self.drawable:
                raise Refused("The drawings are being attacked; no more are taken now.")
            if self._clock() - self._sent.get(who, -limits.DRAWING_PAUSE) < limits.DRAWING_PAUSE:
                raise Refused("That was too quick. Wait a second, then send it again.")

    def guess(self, who: str, share: int) -> None:
        """Guess what the next attack leaves; a later guess of the same phone replaces an earlier one.

        Raises:
            Refused: the phone does not take part, or guesses are no longer taken.
            ValueError: the share is not one of `SHARES`.
        """
        if share not in SHARES:
            raise ValueError(f"expected a share among {SHARES}, got {share!r}")
        with self._lock:
            if who not in self.people:
                raise Refused("This phone does not take part in the room.")
            if not self.voting or self.aim is None:
                raise Refused("No more guesses are taken for this attack.")
            self.guesses[self.aim][who] = share
            self.version += 1

    def empty(self) -> None:
        """Delete all drawings, guesses and outcomes. Phones that were barred stay so."""
        self.drawings.clear()
        self._sent.clear()
        self.outcomes.clear()
        self.revealed.clear()
        for guesses in self.guesses.values():
            guesses.clear()
        self._numbers, self.attacking = 0, False
        self.round += 1
        self.version += 1
