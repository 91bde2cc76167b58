"""PGD on three networks by tasklab, a bare loop, torchattacks, foolbox and ART: same weights, rows, steps and batch.

    python -m tests.benchmarks.attack_speed [--networks small_cnn ...] [--rows N] [--steps 20] [--repeats 5]

The tools take turns, so that whatever else the machine does falls on all of them; each round gives every tool's time as
a multiple of torchattacks' in that round. Who was fooled is counted for all by one judge: the network itself.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import torch

from tests.benchmarks.subjects import KINDS, Subject, subject
from tests.benchmarks.tools import AS_IT_COMES, LEAVING, REFERENCE, SAME, TOOLS, Setting, versions

LONG_GOAL = 0.1


@dataclass(kw_only=True)
class Row:
    """One tool's rounds on one network: seconds by the clock and of CPU, and what its images turned out to be."""

    tool: str
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    first: float = 0.0  # seconds of the round to warm up; tasklab's includes the probe
    success: float = 0.0
    farthest: float = 0.0
    outside: float = 0.0
    remarks: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Table:
    """One network under one setting; `goals` are tools' goals in times of torchattacks."""

    network: str
    story: str
    rows: int
    setting: Setting
    goals: dict[str, float]
    tools: list[Row]

    def ratios(self, row: Row, *, cpu: bool = False) -> list[float]:
        """Each round's time in times of torchattacks' in the same round."""
        base = next(other for other in self.tools if other.tool == REFERENCE)
        pairs = zip(row.cpu, base.cpu, strict=True) if cpu else zip(row.seconds, base.seconds, strict=True)
        return [mine / theirs for mine, theirs in pairs]

    def lines(self) -> list[str]:
        """The table in Markdown."""
        setting = self.setting
        head = (f"### {self.network}: PGD-{setting.steps}, ε {setting.eps:.4g}, "
                f"step {setting.step_size:.4g}, random start, {self.rows} rows in one batch")
        lines = [head, f"({self.story})", "",
                 "| tool | seconds | first | ÷ torchattacks (min–max) | of CPU | goal | fooled | change | remarks |",
                 "|---|---|---|---|---|---|---|---|---|"]
        for row in self.tools:
            remarks = ", ".join(f"{key} {value}" for key, value in row.remarks.items())
            ratios = self.ratios(row)
            spread = f"{median(ratios):.3f} ({min(ratios):.3f}–{max(ratios):.3f})"
            first = f"{row.first:.2f}" if row.first else ""
            goal = f"≤ {self.goals[row.tool]:g}" if row.tool in self.goals else ""
            cells = [row.tool, f"{median(row.seconds):.2f}", first, spread, f"{median(self.ratios(row, cpu=True)):.3f}",
                     goal, f"{row.success:.1%}", f"{row.farthest:.5f}", remarks]
            lines.append(f"| {' | '.join(cells)} |")
        return [*lines, ""]


def measure(network: str, target: Subject, setting: Setting, tools: Sequence[str], *, repeats: int, warm: bool,
            goals: dict[str, float]) -> Table:
    """Let the tools take turns, `repeats` rounds after one to warm up."""
    rows = [Row(tool=tool) for tool in tools]
    for turn in range(-1 if warm else 0, repeats):
        for row in rows:
            torch.manual_seed(turn + 1)  # the others' random starts
            start, cpu = time.perf_counter(), time.process_time()
            result = TOOLS[row.tool](target.system, target.images, target.labels, setting)
            seconds, used = time.perf_counter() - start, time.process_time() - cpu
            if turn < 0:
                row.first = seconds
                continue
            row.seconds.append(seconds)
            row.cpu.append(used)
            row.remarks = result.remarks
            _judge(row, target, result.images.detach())
    for row in rows:
        row.success /= repeats
    return Table(network=network, story=target.story, rows=len(target.images), setting=setting, goals=goals, tools=rows)


def _judge(row: Row, target: Subject, images: torch.Tensor) -> None:
    """Count who is fooled, in float32 on the network itself, and how far the images went."""
    if images.shape != target.images.shape:
        raise ValueError(f"expected images {tuple(target.images.shape)}, got {tuple(images.shape)} from {row.tool}")
    decoded = target.system.predict(images, batch_size=256)
    row.success += float((decoded != target.labels).double().mean())  # the mean over the rounds in the end
    row.farthest = max(row.farthest, float((images - target.images).abs().max()))
    row.outside = max(row.outside, float(torch.relu(images - 1).max()), float(torch.relu(-images).max()))


def machine(threads: int) -> dict[str, Any]:
    """Versions, hardware, and how busy it is."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    return {
        "python": platform.python_version(), **versions(), "cpu": model or platform.processor() or platform.machine(),
        "cores": os.cpu_count(), "capability": torch.backends.cpu.get_cpu_capability(), "threads": threads,
        "load": [round(load, 1) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None,
    }


def run(networks: Sequence[str], *, rows: int | None, steps: int, long_steps: int, repeats: int, threads: int,
        tell: Callable[[str], object] = print, choose: Callable[[str, int], Subject] = subject
        ) -> tuple[dict[str, Any], list[Table]]:
    """Measure everything, telling each table's lines as soon as it is there."""
    torch.set_num_threads(threads)
    about = machine(threads)
    tell(", ".join(f"{key} {value}" for key, value in about.items()) + "\n")
    tables = []
    for network in networks:
        kind = KINDS[network]
        target = choose(network, rows or kind.rows)
        setting = Setting(eps=kind.eps, steps=steps)
        goals = dict.fromkeys((SAME, LEAVING, AS_IT_COMES), kind.goal)
        tables.append(measure(network, target, setting, list(TOOLS), repeats=repeats, warm=True, goals=goals))
        tell("\n".join(tables[-1].lines()))
        if long_steps:
            setting = Setting(eps=kind.long_eps, steps=long_steps)
            tables.append(measure(network, target, setting, [REFERENCE, AS_IT_COMES], repeats=repeats, warm=False,
                                  goals={AS_IT_COMES: LONG_GOAL}))
            tell("\n".join(tables[-1].lines()))
    return about, tables


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.attack_speed", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--rows", type=int, help="images, all in one batch; by default "
                        + ", ".join(f"{kind.rows} for {name}" for name, kind in KINDS.items()))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--long-steps", type=int, default=100, help="of the second table; 0: no such table")
    parser.add_argument("--repeats", type=int, default=5, help="rounds after the one to warm up")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--json", type=Path, help="also write everything measured to this file")
    given = parser.parse_args(arguments)
    for name in ("rows", "steps", "repeats", "threads"):
        if getattr(given, name) is not None and getattr(given, name) < 1:
            parser.error(f"expected --{name} as a whole number ≥ 1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the other tools' about their own imports
        about, tables = run(given.networks, rows=given.rows, steps=given.steps, long_steps=given.long_steps,
                            repeats=given.repeats, threads=given.threads)
    if given.json:
        described = {"machine": about, "tables": [asdict(table) for table in tables]}
        given.json.write_text(json.dumps(described, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
