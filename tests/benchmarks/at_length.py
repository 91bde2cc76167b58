"""What torchattacks' AutoAttack and PGD-200 × 10 leave of the systems made to withstand attacks, on 1,000 images.

    python -m tests.benchmarks.at_length [--device cuda] [--folder F] [--systems ...] [--eps ...] [--n 1000]

A cell of a system and an ε says which images stand, judged by the system itself in float32 without TF32. It takes most
of an hour on a core, and half a minute on a large GPU; finished cells are kept in the folder. What the ensemble leaves
of the same images is `tests.benchmarks.worst_case`'s to find, which prints both.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tasklab import data, zoo
from tasklab.attacks import PGD, attack
from tasklab.evaluation.ensemble import Entry, digest
from tasklab.system import System
from tests.benchmarks.rivals import AUTO, LONG, Found, autoattack, timed
from tests.benchmarks.worst_case import EPS, circumstances, kept, made_to_withstand

FOLDER = Path("runs/at_length")


def rivals(system: System, images: Tensor, labels: Tensor, eps: float) -> list[Found]:
    """AutoAttack on the classes' scores with None as one more, and a long PGD on the margin."""
    attackers: dict[str, Callable[[], tuple[Tensor, tuple[int, ...]]]] = {
        AUTO: lambda: autoattack(system.as_logits(), images, labels, eps, system.task.num_classes + 1),
        LONG: lambda: (attack(system, images, labels, long_pgd(eps)).images, ()),
    }
    return [timed(name, run, system, images, labels, eps, repeats=1) for name, run in attackers.items()]


def long_pgd(eps: float) -> PGD:
    """PGD-200 × 10 on the margin."""
    return PGD(eps=eps, steps=200, restarts=10)


def cell(name: str, system: System, images: Tensor, labels: Tensor, eps: float, folder: Path) -> dict[str, Any]:
    """Which of the images stand, by attacker; kept under what fixes it."""
    key = digest(system, images, labels, [(f"torchattacks {version('torchattacks')}", Entry(long_pgd(eps)))])

    def make() -> dict[str, Any]:
        found = rivals(system, images, labels, eps)
        device = images.device
        return {
            "system": name, "eps": eps, "n": len(labels),
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
            "machine": circumstances(torch.get_num_threads()),
            "attackers": {
                one.name: {
                    "fallen": (~one.standing).nonzero().squeeze(1).tolist(), "seconds": round(one.seconds, 3),
                    "outside": one.outside, "stages": list(one.stages),
                }
                for one in found
            },
        }

    return kept(folder / f"{name}-{eps:g}-{key[:12]}.json", make)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and measure what is missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.at_length", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"of finished cells (default: {FOLDER})")
    parser.add_argument("--systems", nargs="+", help="(default: those on MNIST that are made to withstand attacks)")
    parser.add_argument("--eps", type=float, nargs="+", default=list(EPS), help="(default: 0.1 0.2 0.3)")
    parser.add_argument("--n", type=int, default=1000, help="the first N test images (default: 1000)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    given = parser.parse_args(arguments)
    torch.backends.cudnn.allow_tf32 = False
    test = data.load("mnist", "test").subset(given.n)
    for name in given.systems or [name for name in zoo.names("mnist") if made_to_withstand(zoo.load(name))]:
        system = zoo.load(name).to(given.device)
        images, labels = test.x().to(given.device), test.labels.to(given.device)
        for eps in given.eps:
            found = cell(name, system, images, labels, eps, given.folder)
            told = ", ".join(f"{attacker}: {given.n - len(one['fallen'])} stand, {one['seconds']:.0f} s"
                             for attacker, one in found["attackers"].items())
            print(f"{name}, ε = {eps:g}, n = {given.n}: {told}", flush=True)


if __name__ == "__main__":
    main()
