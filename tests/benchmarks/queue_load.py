"""A class that presses Train within a minute, on the app's own queue: ``python -m tests.benchmarks.queue_load [N]``.

N visitors (40) queue a training run each, spread over a minute. Printed are how long each waited for its first event
and for its end, and how long an attack on one image by four systems took meanwhile in the server's process, which is
what the attack lab of one more visitor computes.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # as the app has it

import numpy as np

from lab_ui.visitor.scheduler import Scheduler
from tasklab import PGD, attack, data, zoo
from tasklab.jobs import Job
from tasklab.jobs.training_settings import Training
from tasklab.training import Recipe

MINUTE = 60.0
SYSTEMS = ("digits-tra", "digits-deepbe", "digits-int", "digits-rbc")
TRAINING = Training(n=500, width=8, attacked=20, eps=(0.1,), recipe=Recipe(epochs=5, batch_size=32))


def main(visitors: str = "40") -> None:
    """Queue, wait, and print."""
    count = int(visitors)
    systems, test = [zoo.load(name) for name in SYSTEMS], data.load("digits", "test")
    with tempfile.TemporaryDirectory() as folder:
        queue = Scheduler(Path(folder))
        jobs: list[Job] = []
        pressed: list[float] = []
        attacks: list[float] = []
        started = time.time()
        while len(jobs) < count or any(queue.state(job) in ("queued", "running") for job in jobs):
            while len(jobs) < count and time.time() - started >= MINUTE * len(jobs) / count:
                jobs.append(queue.submit(f"visitor{len(jobs)}", "train", TRAINING.to_dict()))
                pressed.append(time.time())
            index = len(attacks) % len(test)
            image, label = test.x()[index : index + 1], test.labels[index : index + 1]
            before = time.perf_counter()
            for system in systems:
                attack(system, image, label, PGD(eps=0.1, steps=20))
            attacks.append(1000 * (time.perf_counter() - before))
            time.sleep(0.25)
        states = [queue.state(job) for job in jobs]
        begun = [job.events()[0]["at"] - at for job, at in zip(jobs, pressed, strict=True)]
        ended = [job.outcome.at - at for job, at in zip(jobs, pressed, strict=True) if job.outcome is not None]
        places = queue.at_once
        queue.close()
    print(f"{count} visitors on {places} processors, {states.count('done')} training runs done in "
          f"{time.time() - started:.0f} s")
    print(f"seconds until it begins: median {np.median(begun):.0f}, longest {max(begun):.0f}; until it ends: median "
          f"{np.median(ended):.0f}, longest {max(ended):.0f}")
    print(f"attack on one image by {len(SYSTEMS)} systems meanwhile, {len(attacks)} times: median "
          f"{np.median(attacks):.0f} ms, 95th percentile {np.percentile(attacks, 95):.0f} ms, longest "
          f"{max(attacks):.0f} ms")


if __name__ == "__main__":
    main(*sys.argv[1:])
