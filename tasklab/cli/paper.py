"""``tasklab paper``: the paper's tables, published beside measured beside adaptive; makes what is missing."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasklab.cli.common import Bar, check_device, print_json
from tasklab.cli.options import device, number, seed, whole
from tasklab.console import complain, say, usage
from tasklab.files import check_folder
from tasklab.text import duration

if TYPE_CHECKING:
    from tasklab.evaluation.robustness import Progress
    from tasklab.paper.cells import Workshop
    from tasklab.paper.documents import Document
    from tasklab.paper.plan import Pace, Step

TABLES = ("table1", "table2")
DATA = ("mnist", "cifar10", "cifar100", "digits")
NETWORKS = ("efficientnet_b0", "resnet18", "densenet121", "small_cnn")


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    command = commands.add_parser("paper", help="the paper's tables, published beside measured; makes what is missing")
    command.add_argument("table", choices=TABLES, help="table1: four systems; table2: the same retrained")
    command.add_argument("--data", nargs="+", choices=DATA, help="data sets (default: the paper's three; with --quick "
                         "digits)")
    command.add_argument("--arch", nargs="+", choices=NETWORKS, help="networks (default: the paper's two; with --quick "
                         "small_cnn)")
    command.add_argument("--protocol", choices=("paper", "adaptive", "both"), default="both",
                         help="paper: FGSM and PGD on the own loss; adaptive: attacks on the decision (default: both)")
    command.add_argument("--quick", action="store_true", help="a first look: fewer epochs, 100 images, fewer attacks; "
                         "minutes on two cores, without any data set")
    command.add_argument("--show", action="store_true", help="write the table from finished cells alone")
    command.add_argument("--n", type=whole(), help="attack the first N test images (default: 1000; with --quick 100)")
    command.add_argument("--steps", type=whole(), default=20, help="of PGD, where the paper is silent (default: 20)")
    command.add_argument("--step-size", type=number(0), help="of PGD (default: 2.5·ε/steps)")
    command.add_argument("--start", choices=("random", "image"), default="random", help="of PGD (default: random)")
    command.add_argument("--units", choices=("pixels", "normalised"), default="pixels",
                         help="in which ε counts (default: pixels)")
    command.add_argument("--gap", choices=("abnormal", "floor"), default="abnormal",
                         help="what lies between two intervals: None, or the class below (default: abnormal)")
    command.add_argument("--to", type=Path, default=Path("runs/paper"), metavar="DIR",
                         help="folder of the tables, with cells in DIR/cells (default: runs/paper)")
    command.add_argument("--device", type=device, default="cpu", help="cpu or cuda (default: cpu)")
    command.add_argument("--seed", type=seed, default=0, help="of the trainings (default: 0)")
    command.add_argument("--root", type=Path, help="folder of the sets (default: $TASKLAB_DATA or the user's cache)")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(call=run)


def run(args: argparse.Namespace) -> int:
    """Say what is missing and how long it takes, make it, write the table."""
    from tasklab.paper.cells import Workshop

    with usage():
        cells_folder = check_folder(args.to / "cells")
        document = _document(args, cells_folder)
    check_device(args.device)
    bar, done = Bar(), True
    if not args.show:
        done = _make(document, Workshop(folder=cells_folder, root=args.root, device=args.device), bar)
    written = document.write(args.to)
    if args.json:
        print_json(document.to_dict())
    else:
        say(document.wide())
    for name in document.missing:
        complain(f"not made: {name}")
    complain(f"written: {', '.join(str(file) for file in written)}")
    if not done:
        complain("stopped; the same command goes on from there")
    return 0 if done else 130


def _document(args: argparse.Namespace, folder: Path) -> Document:
    """What the options describe."""
    import dataclasses

    from tasklab.paper import grid
    from tasklab.paper.documents import Document
    from tasklab.paper.protocol import PaperProtocol

    scale = grid.QUICK if args.quick else grid.FULL
    scale = scale if args.n is None else dataclasses.replace(scale, attacked=args.n)
    data = args.data or (["digits"] if args.quick else grid.DATA)
    archs = args.arch or (["small_cnn"] if args.quick else grid.NETWORKS)
    protocol = PaperProtocol(
        steps=args.steps, step_size=args.step_size, random_start=args.start == "random",
        normalised=args.units == "normalised", gap=args.gap,
    )
    cells = grid.cells_of(args.table, data, archs, seed=args.seed, scale=scale)
    return Document(table=args.table, cells=cells, folder=folder, protocol=protocol, asked=args.protocol)


def _make(document: Document, workshop: Workshop, bar: Bar) -> bool:
    """Make what is missing; whether nothing interrupted it."""
    from tasklab.paper.plan import Pace, plan
    from tasklab.paper.protocol import KINDS

    steps = plan(workshop, document.cells, document.protocol, KINDS[document.asked])
    if not steps:
        complain("every cell is made already")
        return True
    try:
        bar.say("timing the networks …")
        pace = Pace(workshop, steps)
        for step in steps:
            work = ["trained"] * step.train + [f"{len(step.asked)} evaluations"]
            bar.say(f"  {step.cell.name}: {', '.join(work)}, about {duration(pace.whole(step))}")
        bar.say(f"{len(steps)} cells to make, in about {duration(sum(map(pace.whole, steps)))}")
        for place in range(len(steps)):
            _Maker(workshop, steps[place:], pace, bar, f"({place + 1}/{len(steps)})").make()
    except KeyboardInterrupt:
        bar.clear()
        return False
    bar.clear()
    return True


class _Maker:
    """Makes the first of the steps, and shows how far it is and how long all of them take."""

    def __init__(self, workshop: Workshop, steps: Sequence[Step], pace: Pace, bar: Bar, place: str) -> None:
        self.workshop, self.step, self.pace, self.bar = workshop, steps[0], pace, bar
        self.name = f"{self.step.cell.name} {place}"
        self.training = self.left = pace.training(self.step)
        self.evaluating = pace.whole(self.step) - self.training
        self.later = sum(map(pace.whole, steps[1:]))

    def make(self) -> None:
        """Make the cell, and learn from it how long others take."""
        from tasklab.paper.cells import make

        for event in make(self.workshop, self.step.cell, self.step.asked, progress=self.attacking):
            if event["event"] == "found":
                question, finding = event["question"], event["finding"]
                self.evaluating -= self.pace.question(self.step.cell, question)
                self.left = 0.0
                words = f"{question.kind} {question.intensity}".strip()
                self.bar.say(f"{self.name}: {words}, {finding.outcomes.accuracy.percent()} % correct "
                             f"({finding.seconds:.1f} s)")
            elif event["event"] in ("step", "epoch"):
                self.left = self.training * (1 - event["progress"])
                self.show(event["message"])
        self.pace.learn(self.step.cell)

    def attacking(self, event: Progress) -> None:
        """Show a step of an attack."""
        self.show(f"{event.what}, fooled {event.fooled} of {event.n}")

    def show(self, words: str) -> None:
        """Show how far the cell is."""
        here = self.left + max(self.evaluating, 0.0)
        done = self.pace.whole(self.step) - here
        self.bar.show(done, done + here, f"{self.name}: {words}; about {duration(here + self.later)} left in all")
