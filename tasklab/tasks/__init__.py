"""Tasks: what a network is asked to answer, one file each.

To add a task, put a file that registers it into this folder; every file here is imported.
"""

from __future__ import annotations

import importlib
import pkgutil

from tasklab.tasks.base import TASKS, Task, make_task, register
from tasklab.tasks.deepbe import DeepBE
from tasklab.tasks.drawing import Gauges, Line
from tasklab.tasks.ecoc import ECOC
from tasklab.tasks.intervals import INT
from tasklab.tasks.rbc import RBC
from tasklab.tasks.settings import Asked, Typical
from tasklab.tasks.tra import TRA

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = [
    "ECOC",
    "INT",
    "RBC",
    "TASKS",
    "TRA",
    "Asked",
    "DeepBE",
    "Gauges",
    "Line",
    "Task",
    "Typical",
    "make_task",
    "register",
]
