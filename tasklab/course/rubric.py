"""What an exercise is worth: one point for each minute that its heading allows."""

from __future__ import annotations

import re

HOMEWORK_POINTS = 15
"""Points of an exercise that is done at home."""

HEADING = re.compile(
    r"^## (?P<exercise>Exercise \d+) · (?P<title>.+?) \((?:(?P<minutes>\d+) minutes|homework)\)$", re.MULTILINE
)


def points(source: str) -> dict[str, int]:
    """Points by the exercise whose heading a text has.

    >>> points("## Exercise 2 · A parity bit (8 minutes)")
    {'Exercise 2': 8}
    """
    return {match["exercise"]: int(match["minutes"] or HOMEWORK_POINTS) for match in HEADING.finditer(source)}


def is_open(source: str) -> bool:
    """Whether the exercise of a heading has no single right answer, so that a person has to grade it.

    >>> is_open("## Exercise 3 · Open-ended: your verdict (15 minutes)")
    True
    """
    return any(match["title"].startswith("Open-ended") for match in HEADING.finditer(source))
