"""Rooms of a class: what its phones have drawn and guessed, in the memory of the server and nowhere else.

A room is deleted with everything in it when its teacher closes it, when it is too old, or when the teacher's page has
not been open for long. Nobody's name is asked; a phone is known by a hash that is made for this room alone.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab_ui.basics.refusal import Refused
from lab_ui.visitor import limits

ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""The signs of a code: capitals and digits, without those that look alike."""

LENGTH = 6
"""How many signs a code has: 887 million codes."""

AIMS = ("train", "margin")
"""The objectives of a room's attacks, in their order."""

SHARES = (0, 25, 50, 75, 100)
"""What can be guessed: how many per cent of the drawings are still classified correctly after the attack."""

SIDE = 28
"""Pixels of a side of a drawing, as the systems of MNIST take it."""

SWEEP = 5.0
"""Seconds between two looks for rooms to delete."""


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
                raise Refused(f"This room is full: {limits.MAX_PEOPLE} phones take part already.")
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
                raise Refused("That was quick. Wait a second, then send it again.")

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

    def _empty(self) -> None:
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


class Rooms:
    """All rooms of the server.

    Args:
        clock: seconds, never going back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rooms: dict[str, Room] = {}
        self._wrong: dict[tuple[str | None, str], float] = {}
        self._lock = threading.RLock()
        self._sweeping = False

    def create(self, owner: str, *, eps: float, system: str) -> Room:
        """Open a room, in place of an earlier one of the same teacher.

        Raises:
            Refused: too many rooms are open.
        """
        with self._lock:
            self.sweep()
            self.close(owner)
            if len(self._rooms) >= limits.MAX_ROOMS:
                raise Refused(f"{limits.MAX_ROOMS} rooms are open, and this server has no more. Try again later.")
            code = next(code for code in iter(new_code, "") if code not in self._rooms)
            now = self._clock()
            room = Room(code=code, owner=owner, opened=now, seen=now, eps=eps, system=system, _clock=self._clock)
            self._rooms[code] = room
            if not self._sweeping:
                self._sweeping = True
                threading.Thread(target=self._watch, daemon=True, name="rooms").start()
            return room

    def mine(self, owner: str | None) -> Room | None:
        """The room of a teacher, whose page is being drawn; None where there is none."""
        with self._lock:
            self.sweep()
            for room in self._rooms.values():
                if room.owner == owner:
                    room.seen = self._clock()
                    return room
        return None

    def still(self, code: str) -> Room | None:
        """A room that a phone has been in before, by its code; None once it is closed."""
        with self._lock:
            self.sweep()
            return self._rooms.get(code)

    def find(self, code: str, address: str | None) -> Room:
        """A room by the code that somebody has typed or scanned.

        Args:
            code: as from `plain`.
            address: network address of whoever asks; None where it is not known.

        Raises:
            Refused: there is no such room, or too many wrong codes were tried.
        """
        with self._lock:
            self.sweep()
            own = sum(tried == address for tried, _ in self._wrong)
            if own >= limits.MAX_WRONG or len(self._wrong) >= limits.MAX_WRONG_TOGETHER:
                raise Refused(f"Too many wrong codes were tried. Wait {limits.WRONG_MINUTES:.0f} minutes.")
            room = self._rooms.get(code)
            if room is None:
                self._wrong[address, code[:LENGTH]] = self._clock()
                raise Refused("There is no room with this code, or it is closed. Look at the code on the wall.")
            return room

    def settle(self, owner: str, *, eps: float, system: str) -> None:
        """Change what the guesses are about, as long as no attack is done."""
        room = self._own(owner)
        with room._lock:
            if room.drawable and (room.eps, room.system) != (eps, system):
                room.eps, room.system = eps, system
                room.version += 1

    def reveal(self, owner: str) -> None:
        """Show the guesses about the next attack, and take no more of them."""
        room = self._own(owner)
        with room._lock:
            if room.aim is not None:
                room.revealed.add(room.aim)
                room.version += 1

    def attack(self, owner: str, run: Callable[[tuple[Drawing, ...], str, float], Mapping[str, Any]]) -> None:
        """Attack all drawings at the room's next objective, and keep the outcome.

        Args:
            owner: the teacher.
            run: called with the drawings, the objective and ε; returns the outcome. No drawing and no guess is taken
                meanwhile.

        Raises:
            Refused: there is no drawing, both attacks are done, or one is running.
        """
        room = self._own(owner)
        with room._lock:
            aim, wall = room.aim, room.wall()
            if aim is None or not wall or room.attacking:
                raise Refused("There is nothing to attack now.")
            begun = room.round
            room.attacking = True
            room.revealed.add(aim)
            room.version += 1
        outcome: Mapping[str, Any] | None = None
        try:
            outcome = run(wall, aim, room.eps)
        finally:
            with room._lock:
                if room.round == begun:  # else the room was emptied or closed meanwhile
                    room.attacking = False
                    room.version += 1
                    if outcome is not None:
                        room.outcomes[aim] = outcome
                    else:
                        room.revealed.discard(aim)

    def remove(self, owner: str, number: int) -> None:
        """Take a drawing off the wall; its phone cannot send another one."""
        room = self._own(owner)
        with room._lock:
            for who, drawing in list(room.drawings.items()):
                if drawing.number == number:
                    del room.drawings[who]
                    room.barred.add(who)
                    room.version += 1

    def restart(self, owner: str) -> None:
        """Empty the room for another round; its code and its phones stay."""
        room = self._own(owner)
        with room._lock:
            room._empty()

    def close(self, owner: str) -> None:
        """Delete the room of a teacher with everything in it; nothing happens where there is none."""
        with self._lock:
            for room in [room for room in self._rooms.values() if room.owner == owner]:
                self._delete(room)

    def sweep(self) -> None:
        """Delete rooms that are too old or left alone, and forget wrong codes of long ago."""
        with self._lock:
            now = self._clock()
            for room in list(self._rooms.values()):
                if now - room.opened > 3600 * limits.ROOM_HOURS or now - room.seen > 60 * limits.ROOM_IDLE:
                    self._delete(room)
            self._wrong = {key: at for key, at in self._wrong.items() if now - at < 60 * limits.WRONG_MINUTES}

    def _own(self, owner: str) -> Room:
        room = self.mine(owner)
        if room is None:
            raise Refused("Your room is closed.")
        return room

    def _delete(self, room: Room) -> None:
        del self._rooms[room.code]
        with room._lock:
            room._empty()
            room.people.clear()
            room.barred.clear()

    def _watch(self) -> None:
        """Delete rooms in time, also where nobody looks; ends with the last room."""
        while True:
            time.sleep(SWEEP)
            with self._lock:
                self.sweep()
                if not self._rooms:
                    self._sweeping = False
                    return


_STORE = Rooms()


def store() -> Rooms:
    """The rooms of this server. They are in no cache of Streamlit's: any browser can have those cleared."""
    return _STORE


def new_code() -> str:
    """A random code."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def plain(typed: str) -> str:
    """A code as it was typed: capitals, without spaces and other signs.

    >>> plain(" abc-def "), plain("<b>")
    ('ABCDEF', 'B')
    """
    return re.sub(f"[^{ALPHABET}]", "", typed[:100].upper())[: LENGTH + 1]


def guest(token: str, code: str) -> str:
    """What a room knows of a phone: a hash of the phone's token that differs from room to room."""
    return hashlib.sha256(f"{token} {code}".encode()).hexdigest()[:32]
