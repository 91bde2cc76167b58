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
    from tasklab.paper.documents import Document

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
    from tasklab.paper.protocol import ASKED

    steps = plan(workshop, document.cells, document.protocol, ASKED[document.asked])
    if not steps:
        complain("every cell is made already")
        return True
    try:
        complain(f"timing a few steps of {len(steps)} cells' networks …")
        pace = Pace(workshop, steps)
        _print_plan(steps, pace)
        _follow(steps, pace, workshop, bar)
    except KeyboardInterrupt:
        bar.clear()
        return False
    bar.clear()
    return True


def _print_plan(steps: Sequence[Step], pace: Pace) -> None:
    """What will be made, and how long it takes at most."""
    for step in steps:
        work = ["train", f"{len(step.asked)} evaluations"] if step.train else [f"{len(step.asked)} evaluations"]
        complain(f"  {step.cell.name}: {', '.join(work)}, about {duration(pace.whole(step))}")
    whole_time = duration(sum(map(pace.whole, steps)))
    complain(f"{len(steps)} cells to make, about {whole_time} at most, as images that fall leave an attack early")


def _follow(steps: Sequence[Step], pace: Pace, workshop: Workshop, bar: Bar) -> None:
    """Make one cell after the other, and show how far it is."""
    from tasklab.evaluation.robustness import Progress
    from tasklab.paper.cells import make

    total = sum(map(pace.whole, steps))
    before = 0.0
    for place, step in enumerate(steps, 1):
        name, trained = f"{step.cell.name} ({place}/{len(steps)})", pace.training(step)
        done = before + trained

        def show(share: float, words: str) -> None:
            bar.show(done - trained * (1 - share), total, f"{name}: {words}, {duration(total - done)} left")

        def attacking(event: Progress) -> None:
            show(1.0, f"{event.what}, fooled {event.fooled} of {event.n}")

        for event in make(workshop, step.cell, step.asked, progress=attacking):
            if event["event"] == "found":
                question, finding = event["question"], event["finding"]
                done += pace.question(step.cell, question)
                words = f"{question.kind} {question.intensity}".strip()
                bar.say(f"{name}: {words} {finding.outcomes.accuracy.percent()} % correct ({finding.seconds:.1f} s)")
            elif event["event"] in ("step", "epoch"):
                show(event["progress"], event["message"])
        before += pace.whole(step)
