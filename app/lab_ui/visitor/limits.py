"""All limits of the app: how much one visitor, and all visitors together, may queue, upload and keep."""

from __future__ import annotations

MAX_WAITING = 12
"""How many jobs one visitor may have waiting or running."""

MAX_KEPT = 40
"""How many jobs of one visitor are kept."""

MAX_TOGETHER = 150
"""How many jobs of all visitors together may be waiting or running."""

TURN = 60.0
"""Seconds that a job runs before it is interrupted for another visitor's waiting job; it is resumed later."""

MAX_SECONDS = 6 * 3600.0
"""Seconds that a job may run in all before it is stopped; a job that is resumed may run for as long again."""

EXPIRY_DAYS = 180
"""Days without a visit after which a visitor's jobs and systems are removed."""

MAX_UPLOAD = 64
"""Size limit in megabytes of a system's file that is uploaded."""

MAX_PICTURE = 20
"""Size limit in megabytes of an image that is uploaded."""

MAX_BROUGHT = 20
"""How many uploaded systems are kept for one visitor."""

MAX_HELD = 2 * MAX_UPLOAD
"""Megabytes of uploads that the server holds for one browser tab; beyond that the oldest are dropped."""

MAX_HELD_TOGETHER = 1024
"""Megabytes of uploads that the server holds for all browser tabs together."""

MAX_NAME = 60
"""Length in characters to which the name of an uploaded file is shortened."""

MAX_ROOMS = 20
"""How many rooms are open at the same time."""

MAX_PEOPLE = 400
"""How many phones may take part in one room; each has one drawing and one guess for each attack."""

ROOM_HOURS = 3.0
"""Hours after which a room is closed by itself."""

ROOM_IDLE = 20.0
"""Minutes without the teacher's page after which a room is closed by itself."""

DRAWING_PAUSE = 1.0
"""Seconds between two drawings of one phone."""

WRONG_MINUTES = 10.0
"""Minutes for which a wrong code of a room counts."""

MAX_WRONG = 100
"""How many different wrong codes one network address may try in that time."""

MAX_WRONG_TOGETHER = 1000
"""How many all addresses together may try. With as many every time, the chance to find one of 20 rooms in three hours
is 1 in 2,000."""
