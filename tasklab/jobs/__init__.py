"""Jobs: long work described by plain settings, with everything it makes in one folder.

``python -m tasklab.jobs FOLDER`` runs or resumes the job in a folder as a process of its own.
"""

from __future__ import annotations

from tasklab.jobs.folder import Busy, Job, JobError, Outcome, State
from tasklab.jobs.kinds import KINDS
from tasklab.jobs.running import run

__all__ = ["KINDS", "Busy", "Job", "JobError", "Outcome", "State", "run"]
