"""Tasks: what a network is asked to answer, one file each."""

from __future__ import annotations

from tasklab.tasks.base import INT, RBC, TASKS, TRA, DeepBE, Task, make_task

__all__ = ["INT", "RBC", "TASKS", "TRA", "DeepBE", "Task", "make_task"]
