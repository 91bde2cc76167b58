"""``tasklab paper``: the paper's tables and figures, published beside measured; cells that are missing are made."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasklab.cli.common import print_json
from tasklab.cli.following import View, add_ray, check_options, device_here, executor_of
from tasklab.cli.options import device, number, seed, whole
from tasklab.console import complain, say, usage
from tasklab.files import check_folder
from tasklab.text import duration

if TYPE_CHECKING:
    from tasklab.jobs.executing import Assignment, Event
    from tasklab.paper.cells import Workshop
    from tasklab.paper.documents import Document
    from tasklab.paper.figure import PaperFigure

TABLES = ("table1", "table2")
FIGURES = ("fig2", "fig3", "fig4", "fig5")
ONLY_TABLES = ("protocol", "steps", "step_size", "start", "units", "gap")
"""Options that figures do not have, since the paper fixes their attacks."""

DATA = ("mnist", "cifar10", "cifar100", "digits")
NETWORKS = ("efficientnet_b0", "resnet18", "densenet121", "small_cnn")


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    command = commands.add_parser("paper", help="the paper's tables and figures, published beside measured")
    command.add_argument("what", choices=TABLES + FIGURES, help="table1: four systems; table2: the same retrained; "
                         "fig2: convergence; fig3: maps of features; fig4: RBC over S; fig5: transfer")
    command.add_argument("--data", nargs="+", choices=DATA, help="data sets (default: the paper's; with --quick "
                         "digits)")
    command.add_argument("--arch", nargs="+", choices=NETWORKS, help="networks (default: the paper's; with --quick "
                         "small_cnn)")
    command.add_argument("--protocol", choices=("paper", "adaptive", "both"),
                         help="of the tables; paper: FGSM and PGD on the training loss; adaptive: attacks on the "
                         "decision (default: both)")
    command.add_argument("--quick", action="store_true", help="a first look: fewer epochs, 100 images, fewer attacks; "
                         "minutes on two cores, without any data set")
    command.add_argument("--show", action="store_true", help="write it from finished cells alone")
    command.add_argument("--n", type=whole(), help="attack the first N test images (default: 1000; with --quick 100)")
    command.add_argument("--steps", type=whole(), help="of PGD in the tables, where the paper is silent (default: 20)")
    command.add_argument("--step-size", type=number(0), help="of PGD in the tables (default: 2.5·ε/steps)")
    command.add_argument("--start", choices=("random", "image"), help="of PGD in the tables (default: random)")
    command.add_argument("--units", choices=("pixels", "normalised"), help="in which ε counts in the tables (default: "
                         "pixels)")
    command.add_argument("--gap", choices=("abnormal", "floor"),
                         help="in the tables, what lies between two intervals: None, or the class below (default: "
                         "abnormal)")
    command.add_argument("--to", type=Path, default=Path("runs/paper"), metavar="DIR",
                         help="folder of what is written, with cells in DIR/cells (default: runs/paper)")
    command.add_argument("--device", type=device, default="cpu", help="cpu or cuda (default: cpu)")
    command.add_argument("--seed", type=seed, default=0, help="of the training runs (default: 0)")
    command.add_argument("--seeds", type=whole(), help="training runs of each system, with seeds from --seed "
                         "on (default: 1; in figures that compare seeds 3, with --quick 2)")
    command.add_argument("--root", type=Path, help="folder of the sets (default: $TASKLAB_DATA or the user's cache)")
    command.add_argument("--json", action="store_true", help="print JSON")
    add_ray(command)
    command.set_defaults(call=run)


def run(args: argparse.Namespace) -> int:
    """Print what is missing and how long it takes, make it, and write the table or figure."""
    from tasklab.paper.cells import Workshop

    check_options(args)
    with usage():
        cells_folder = check_folder(args.to / "cells")
        args.data, args.arch = ([*dict.fromkeys(each)] if each else None for each in (args.data, args.arch))
        document = _figure(args, cells_folder) if args.what in FIGURES else _document(args, cells_folder)
    workshop = Workshop(folder=cells_folder.resolve(), root=args.root, device=args.device)
    code = 0 if args.show else _make(args, document, workshop)
    written = document.write(args.to)
    if args.json:
        print_json(document.to_dict())
    else:
        say(document.wide())
    for name in document.missing:
        complain(f"not made: {name}")
    complain(f"written: {', '.join(str(file) for file in written)}")
    if code == 130:
        complain("stopped; the same command goes on from there")
    return code


def _figure(args: argparse.Namespace, folder: Path) -> PaperFigure:
    """The figure that the options describe."""
    from tasklab.paper import grid
    from tasklab.paper.convergence import Convergence
    from tasklab.paper.features import Features
    from tasklab.paper.margins import Margins
    from tasklab.paper.transferring import Transferring

    if given := [name for name in ONLY_TABLES if getattr(args, name) is not None]:
        raise ValueError(f"expected options that {args.what} has, got {', '.join(given)}; try table1")
    kinds: dict[str, type[PaperFigure]] = {each.name: each for each in (Convergence, Features, Margins, Transferring)}
    kind, scale = kinds[args.what], grid.QUICK if args.quick else grid.FULL
    seeds = args.seeds or kind.usual_seeds[args.quick]
    if seeds > 1 and kind.usual_seeds == (1, 1):
        raise ValueError(f"expected a single training of each system for {args.what}, got --seeds {seeds}; try --seed")
    return kind(
        data=tuple(args.data or (["digits"] if args.quick else kind.usual_data)),
        archs=tuple(args.arch or (["small_cnn"] if args.quick else kind.usual_archs)),
        folder=folder, scale=scale if args.n is None else dataclasses.replace(scale, attacked=args.n),
        seeds=tuple(range(args.seed, args.seed + seeds)),
    )


def _document(args: argparse.Namespace, folder: Path) -> Document:
    """The table that the options describe."""
    from tasklab.paper import grid
    from tasklab.paper.documents import Document
    from tasklab.paper.protocol import PaperProtocol

    scale = grid.QUICK if args.quick else grid.FULL
    scale = scale if args.n is None else dataclasses.replace(scale, attacked=args.n)
    data = args.data or (["digits"] if args.quick else grid.DATA)
    archs = args.arch or (["small_cnn"] if args.quick else grid.NETWORKS)
    protocol = PaperProtocol(
        steps=args.steps or PaperProtocol().steps, step_size=args.step_size, random_start=args.start != "image",
        normalised=args.units == "normalised", gap=args.gap or "abnormal",
    )
    cells = grid.cells_of(args.what, data, archs, seed=args.seed, seeds=args.seeds or 1, scale=scale)
    return Document(table=args.what, cells=cells, folder=folder, protocol=protocol, asked=args.protocol or "both")


def _make(args: argparse.Namespace, document: Document | PaperFigure, workshop: Workshop) -> int:
    """Make what is missing, on a cluster as many cells at once as it has room for.

    Returns:
        0; 1 where something could not be made; 130 where it was interrupted.
    """
    from tasklab.paper.cell_jobs import assignments
    from tasklab.paper.plan import Pace

    executor = executor_of(args)
    steps = document.plan(workshop)
    works = [work for work in document.works() if work.read(workshop.folder) is None]
    if not steps and not works:
        complain("every cell is made already")
        return 0
    jobs: list[Assignment] = []
    try:
        complain("timing the networks …")
        probed = dataclasses.replace(workshop, device=device_here(args))
        pace = Pace(probed, [step.cell for step in steps] + [cell for work in works for cell in work.cells])
        for step in steps:
            made = ["trained"] * step.train + [f"{len(step.asked)} evaluations"] * bool(step.asked)
            complain(f"  {step.cell.name}: {', '.join(made or ['read'])}, about {duration(pace.whole(step))}")
        for work in works:
            complain(f"  {work.name}: about {duration(work.seconds(pace))}")
        whole = sum(map(pace.whole, steps)) + sum(work.seconds(pace) for work in works)
        counts = [f"{len(steps)} cells"] * bool(steps) + [f"{len(works)} computations"] * bool(works)
        complain(f"{' and '.join(counts)} to make, in about {duration(whole)}"
                 + " if this machine made them" * (args.ray is not None))
        jobs = assignments(workshop, steps, works, pace)
        View.of(jobs, as_json=args.json, line=_answer).follow(executor.carry_out(jobs))
        return 0 if all(each.job.state == "done" for each in jobs) else 1
    except KeyboardInterrupt:
        return 130
    finally:
        for job in (each.job for each in jobs):
            if job.state not in ("failed", "running"):  # what it made is outside its folder
                job.delete()


def _answer(event: Event) -> str:
    """The words that an answered question leaves on the screen."""
    return str(event["message"]) if event["event"] == "answered" else ""
