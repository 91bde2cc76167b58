"""The error for a request of a visitor that is refused."""

from __future__ import annotations


class Refused(ValueError):
    """One sentence for a visitor: why what was asked for is not done, and what to try instead."""
