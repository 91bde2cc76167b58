"""What one visitor, and all visitors together, may queue, upload and keep: every such limit of the app."""

from __future__ import annotations

MAX_WAITING = 12
"""How many jobs one visitor may have waiting or running."""

MAX_KEPT = 40
"""How many jobs of one visitor are kept."""

MAX_TOGETHER = 150
"""How many jobs of all visitors together may be waiting or running."""

TURN = 60.0
"""Seconds that a job runs before it gives way to another visitor's, where one waits; it goes on from there later."""

MAX_SECONDS = 6 * 3600.0
"""How long a job runs in all before it is stopped; whoever resumes it has as long again."""

EXPIRY_DAYS = 180
"""Days without a visit after which a visitor's jobs and systems are removed."""

MAX_UPLOAD = 64
"""Megabytes of a system that is brought."""

MAX_PICTURE = 20
"""Megabytes of a picture."""

MAX_BROUGHT = 20
"""How many brought systems are kept for one visitor."""

MAX_HELD = 2 * MAX_UPLOAD
"""Megabytes of uploads that the server holds for one tab; of more, the oldest are dropped."""

MAX_HELD_TOGETHER = 1024
"""Megabytes of uploads that the server holds for all tabs together."""

MAX_NAME = 60
"""Characters that are kept of the name of a visitor's file."""
