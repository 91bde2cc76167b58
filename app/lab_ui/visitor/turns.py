"""Whose turn it is: visitors share the machine equally, and what runs gives way to somebody who has had less of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from lab_ui.visitor.limits import TURN


class Turns:
    """Keeps how many seconds each visitor has had of the machine.

    Args:
        turn: seconds that a job runs before it gives way.
    """

    def __init__(self, turn: float = TURN) -> None:
        self.turn = turn
        self._had: dict[str, float] = {}

    def had(self, owner: str) -> float:
        """Seconds that a visitor has had, as far as they count."""
        return self._had.get(owner, 0.0)

    def charge(self, owner: str, seconds: float) -> None:
        """Note that a job of a visitor has run for a while."""
        self._had[owner] = self.had(owner) + seconds

    def arrive(self, owner: str, others: Iterable[str]) -> None:
        """Let a visitor in who had no job here: neither time off nor an earlier day counts for or against anybody."""
        present = [self.had(other) for other in others if other != owner]
        if present:
            least = min(present)
            self._had[owner] = min(max(self.had(owner), least), least + 2 * self.turn)

    def order(self, waiting: Sequence[tuple[Path, str]], running: Iterable[str]) -> list[Path]:
        """Who is next: a visitor's first job before anyone's second, then who has had least, then who came first.

        Args:
            waiting: jobs and their owners, in the order in which they came.
            running: owner of each running job.
        """
        turns = Counter(running)
        ranked = []
        for place, (folder, owner) in enumerate(waiting):
            ranked.append((turns[owner], self.had(owner), place, folder))
            turns[owner] += 1
        return [folder for *_, folder in sorted(ranked)]

    def to_give_way(self, running: Sequence[tuple[Path, str, float]], owner: str) -> Path | None:
        """The running job that gives way to one of a visitor, if any does.

        Args:
            running: jobs with their owners and the seconds for which they have run in this turn.
            owner: whose job is next.
        """
        turns = Counter(each for _, each, _ in running)
        mine = (turns[owner], self.had(owner))
        ripe = [
            (turns[each], self.had(each), seconds, folder) for folder, each, seconds in running
            if each != owner and seconds >= self.turn and (turns[each] - 1, self.had(each)) > mine
        ]
        return max(ripe)[-1] if ripe else None
