"""Fair turns: visitors share the machine equally, and a running job gives way to a visitor who has had less time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from lab_ui.visitor.limits import TURN


class Turns:
    """Counts how many seconds of the machine each visitor has had, and orders the waiting jobs by it.

    Args:
        turn: seconds that a job runs before it gives way.
    """

    def __init__(self, turn: float = TURN) -> None:
        self.turn = turn
        self._used: dict[str, float] = {}

    def had(self, owner: str) -> float:
        """Seconds of the machine that are counted for a visitor."""
        return self._used.get(owner, 0.0)

    def charge(self, owner: str, seconds: float) -> None:
        """Count the seconds for which a job of a visitor has run."""
        self._used[owner] = self.had(owner) + seconds

    def arrive(self, owner: str, others: Iterable[str]) -> None:
        """Add a visitor who had no job here, with a count near the others', so that earlier days hardly matter.

        Args:
            owner: the visitor.
            others: visitors who have jobs that wait or run.
        """
        present = [self.had(other) for other in others if other != owner]
        if present:
            least = min(present)
            self._used[owner] = min(max(self.had(owner), least), least + 2 * self.turn)

    def order(self, waiting: Sequence[tuple[Path, str]], running: Iterable[str]) -> list[Path]:
        """The order in which jobs are started.

        A visitor's first job comes before anyone's second; then comes whoever has had least time, then who came first.

        Args:
            waiting: jobs and their owners, in the order in which they came.
            running: owner of each running job.

        Returns:
            The folders of the waiting jobs, the next one first.
        """
        turns = Counter(running)
        ranked = []
        for index, (folder, owner) in enumerate(waiting):
            ranked.append((turns[owner], self.had(owner), index, folder))
            turns[owner] += 1
        return [folder for *_, folder in sorted(ranked)]

    def to_give_way(self, running: Sequence[tuple[Path, str, float]], owner: str) -> Path | None:
        """The running job that is interrupted for a visitor's waiting one; None where none is.

        Args:
            running: jobs with their owners and the seconds for which they have run in this turn.
            owner: visitor whose job is next.
        """
        turns = Counter(other for _, other, _ in running)
        claim = (turns[owner], self.had(owner))
        candidates = [
            (turns[other], self.had(other), seconds, folder) for folder, other, seconds in running
            if other != owner and seconds >= self.turn and (turns[other] - 1, self.had(other)) > claim
        ]
        return max(candidates)[-1] if candidates else None
