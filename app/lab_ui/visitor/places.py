"""Where jobs run: on this machine or, with ``TASKLAB_RAY`` in the server's environment, on a Ray cluster.

A job on a cluster still has a small process here, which hands it over and watches it. So the queue knows no difference,
the server never waits for the cluster, and a cluster that is gone fails the jobs and nothing else. The machines of the
cluster see the folder of jobs under the same path.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from dataclasses import dataclass

_log = logging.getLogger(__name__)

HERE = ("download",)
"""Kinds of jobs that always run on this machine, as their results are needed here."""

PATIENCE = 60.0
"""Seconds to wait for a cluster's answer when the server is started."""


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """How many jobs may run at a time.

    Attributes:
        at_once: jobs at a time.
        gpus: of the cluster; 0 without one.
    """

    at_once: int
    gpus: int = 0


def ray_address() -> str:
    """Of the cluster that jobs are handed to; empty for this machine."""
    return os.environ.get("TASKLAB_RAY", "").strip()


def ray_words(kind: str) -> tuple[str, ...]:
    """What the command of a job's process has to say of the cluster.

    Args:
        kind: of the job.
    """
    address = ray_address()
    return ("--ray", address) if address and kind not in HERE else ()


def capacity() -> Capacity:
    """How many jobs may run at a time; asks the cluster, if there is one.

    ``TASKLAB_JOBS_AT_ONCE`` from the environment goes first; otherwise it is the number of processors.
    """
    chosen, address = _whole(os.environ.get("TASKLAB_JOBS_AT_ONCE")), ray_address()
    cpus, gpus = os.cpu_count() or 1, 0
    if address:
        try:
            asked = subprocess.run([sys.executable, "-m", "tasklab.jobs.cluster", address], stdin=subprocess.DEVNULL,
                                   capture_output=True, encoding="utf-8", timeout=PATIENCE, check=True)
            answer = json.loads(asked.stdout.splitlines()[-1])
            cpus, gpus = max(1, int(answer["cpus"])), int(answer["gpus"])
        except (OSError, subprocess.SubprocessError, ValueError, KeyError, IndexError) as error:
            _log.warning("the cluster at %s did not say how many jobs it has room for: %s", address, error)
    return Capacity(at_once=chosen or cpus, gpus=gpus)


def _whole(text: str | None) -> int:
    """A whole number from the environment; 0 where it is none."""
    return int(text) if text and text.isdigit() else 0
