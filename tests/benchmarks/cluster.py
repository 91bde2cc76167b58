"""What a cluster costs and what it brings: ``python -m tests.benchmarks.cluster overhead`` or ``grid``.

``overhead`` times the same 40 tiny training runs without Ray and on a Ray cluster of this machine's processors, each
once its workers have begun. ``grid`` shows how the paper's 42 systems, each with the worst case on 10,000 images at
three intensities, spread over 1, 8 and 64 GPUs, from times measured on one NVIDIA H200 (``pretrained/cifar10.json``).
"""

from __future__ import annotations

import heapq
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from tasklab import zoo
from tasklab.jobs.executing import Executor, InTurn
from tasklab.jobs.sweeping import Sweep
from tasklab.jobs.training_settings import Training
from tasklab.paper.grid import METHODS, ROWS, Cell, cells_of, with_bases
from tasklab.paper.plan import attack_passes, training_passes
from tasklab.paper.protocol import PaperProtocol, questions
from tasklab.training import Recipe

TINY = Training(n=200, width=4, attacked=10, eps=(0.1,), recipe=Recipe(epochs=5, batch_size=40))
JOBS, GPUS, IMAGES = 40, (1, 8, 64), 10_000


def overhead() -> None:
    """The same jobs twice."""
    from tasklab.jobs.cluster import OnRay

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        alone = _seconds(InTurn(), Path(folder) / "alone")
        started = time.perf_counter()
        cluster = OnRay("local")
        ready = time.perf_counter() - started
        on_ray = _seconds(cluster, Path(folder) / "ray")
    print(f"{JOBS} jobs on {os.cpu_count()} processors: {alone:.1f} s without Ray, one after another; {on_ray:.1f} s "
          f"with Ray, ratio {on_ray / alone:.2f}; a cluster of this machine takes {ready:.1f} s to begin")


def _seconds(executor: Executor, folder: Path) -> float:
    """Of the jobs, once as many as there are processors have been made to begin with."""
    first = Sweep(folder=folder / "first", varied={"S": (1.0,)}, base=TINY, seeds=os.cpu_count() or 1)
    for _event in executor.carry_out(first.assignments()):
        pass
    sweep = Sweep(folder=folder, varied={"S": (1.0, 2.0, 4.0, 8.0)}, base=TINY, seeds=JOBS // 4)
    started = time.perf_counter()
    for _event in executor.carry_out(sweep.assignments()):
        pass
    assert not sweep.missing
    return time.perf_counter() - started


def grid() -> None:
    """Hours of the full grid by the number of GPUs."""
    pace, rows = {}, json.loads((zoo.folder() / "cifar10.json").read_text(encoding="utf-8"))
    for card in (row["card"] for row in rows if row["card"]["task"]["task"] == "tra"):
        arch, seconds = card["network"]["arch"], card["seconds"]
        passes = training_passes(Cell(data="cifar10", arch=arch, method=METHODS["tra"]))
        pace[arch] = seconds / passes
        print(f"{arch} on an {card['device']}: {seconds:.0f} s for {passes:,.0f} passes of an image in training, "
              f"{1e6 * pace[arch]:.0f} µs each")
    cells = [cell for table in ROWS for cell in cells_of(table) if cell.method.key != "rbc-at-margin"]
    every = [cell for cell in with_bases(cells) if cell in cells]
    training = {cell: pace[cell.arch] * training_passes(cell) for cell in every}
    attacking = {cell: pace[cell.arch] * _worst_passes(cell) for cell in every}
    _compare(pace, rows)
    hours = [sum(each.values()) / 3600 for each in (training, attacking)]
    chain = max(training[cell] + (training[cell.start] if cell.start else 0) for cell in every) / 3600
    print(f"{len(every)} systems: {hours[0]:.1f} h of training and {hours[1]:.1f} h of attacks on one GPU; the longest "
          f"chain of training runs takes {chain:.2f} h, the longest attack {max(attacking.values()) / 3600:.2f} h")
    for gpus in GPUS:
        whole = makespan(training, attacking, gpus) / 3600
        shards = max(sum(hours) / gpus, chain)
        busy = sum(hours) / whole / gpus
        print(f"{gpus:>3} GPUs: {whole:.1f} h with one job for the attacks on each system ({busy:.0%} busy); no less "
              f"than {shards:.1f} h with them in shards")


def _worst_passes(cell: Cell) -> float:
    asked = questions(cell, PaperProtocol(), ("worst",))[1:]
    return sum(attack_passes(cell, each) for each in asked) * IMAGES / cell.scale.attacked


def _compare(pace: Mapping[str, float], rows: Sequence[dict[str, Any]]) -> None:
    """The estimate of an attack beside what it took."""
    taken = [row["worst"][0]["seconds"] for row in rows if row.get("worst")]
    cell = Cell(data="cifar10", arch="resnet18", method=METHODS["tra"])
    asked = questions(cell, PaperProtocol(), ("worst",))[1]
    print(f"worst case on 1,000 images at intensity I, ResNet-18: estimated "
          f"{pace['resnet18'] * attack_passes(cell, asked):.0f} s; measured on both networks, without a defence: "
          f"{min(taken):.0f} to {max(taken):.0f} s")


def makespan(training: Mapping[Cell, float], attacking: Mapping[Cell, float], gpus: int) -> float:
    """When the last job ends: each begins, after the one that it needs, on the first GPU that is free.

    A cell is trained after the one that it starts from, and attacked after it was trained, each as one job.
    """
    free, trained, last = [0.0] * gpus, dict[Cell, float](), 0.0
    for cell in sorted(training, key=lambda each: bool(each.start)):
        trained[cell] = max(heapq.heappop(free), trained.get(cell.start, 0.0) if cell.start else 0.0) + training[cell]
        heapq.heappush(free, trained[cell])
    for cell in sorted(attacking, key=lambda each: -attacking[each]):
        last = max(last, end := max(heapq.heappop(free), trained[cell]) + attacking[cell])
        heapq.heappush(free, end)
    return max(last, *free)


if __name__ == "__main__":
    {"overhead": overhead, "grid": grid}[sys.argv[1]]()
