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
from collections.abc import Callable

from lab_ui.basics.refusal import Refused
from lab_ui.visitor import limits
from lab_ui.visitor.room import Drawing, Room

ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""The signs of a code: capitals and digits, without those that look alike."""

LENGTH = 6
"""How many signs a code has: 887 million codes."""

SWEEP = 5.0
"""Seconds between two looks for rooms to delete."""


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
                raise Refused(f"{limits.MAX_ROOMS} rooms are open already, which is the most that this server takes. "
                              "Try again later.")
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

    def attack(self, owner: str, run: Callable[[tuple[Drawing, ...], str, float], object]) -> None:
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
        outcome: object = None
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
            room.empty()

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
            room.empty()
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
