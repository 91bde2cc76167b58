"""``tasklab report``: attack systems in many ways, and keep a report on each beside it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tasklab.cli.common import Bar
from tasklab.cli.options import number, seed, whole
from tasklab.console import say, usage
from tasklab.files import check_folder

SOURCES = ("tra", "deepbe")
"""The systems of each data set whose images are tried on all others: both have gradients to follow."""

RADIUS = number(0, 1, above=True)


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    command = commands.add_parser("report", help="attack systems in many ways, and keep a report on each beside it")
    command.add_argument("systems", nargs="*", metavar="SYSTEM", help="names (default: all that there are)")
    command.add_argument("--to", type=Path, metavar="DIR", help="folder of reports.json (default: beside the systems)")
    command.add_argument("--n", type=whole(), default=200, help="the first N test images (default: 200)")
    command.add_argument("--eps", type=RADIUS, nargs="+", help="radii of the curves (default: those of the "
                         "data set, such as 0.05 0.1 0.15 0.2 0.3 of MNIST)")
    command.add_argument("--claim", type=RADIUS, help="the radius that is checked (default: the data set's, "
                         "0.2 of MNIST, 8/255 of CIFAR-10)")
    command.add_argument("--queries", type=whole(), default=500, help="of the score-based attack (default: 500)")
    command.add_argument("--seed", type=seed, default=0, help="of everything random (default: 0)")
    command.add_argument("--root", type=Path, help="folder of the sets (default: $TASKLAB_DATA or the user's cache)")
    command.set_defaults(call=run)


def run(args: argparse.Namespace) -> int:
    """Make a report on each system in turn, and keep it as soon as it is done."""
    from tasklab import data, zoo
    from tasklab.evaluation.report_file import digest, keep_reports, read_reports
    from tasklab.evaluation.reporting import TransferSources, stream_report

    names = args.systems or [name for name in zoo.names() if data.available(zoo.dataset_of(name), args.root)]
    bar, sources_of = Bar(), dict[str, TransferSources]()
    with usage():
        for folder in {args.to} if args.to else {zoo.path(name).parent for name in names}:
            read_reports(check_folder(folder))  # now, rather than after the work
    for name in names:
        of = zoo.dataset_of(name)
        if of not in sources_of:
            test = data.load(of, "test", root=args.root)
            available = {f"{of}-{key}" for key in SOURCES} & set(zoo.names(of))
            systems = {source: zoo.load(source) for source in sorted(available)}
            sources_of[of] = TransferSources(systems, test.subset(min(args.n, len(test))), seed=args.seed)
        for event in stream_report(
            zoo.load(name), sources_of[of].images, name=name, eps=args.eps, claim_eps=args.claim,
            sources=sources_of[of], queries=args.queries, seed=args.seed, file=digest(zoo.path(name)),
        ):
            bar.show(event.progress, 1.0, f"{name}: {event.message}")
        bar.clear()
        assert event.report is not None
        path = keep_reports({name: event.report}, args.to or zoo.path(name).parent)
        verdicts = "; ".join(f"{curve}: {claim.verdict}" for curve, claim in event.report.assessments.items())
        say(f"{name}: {verdicts} ({event.report.seconds:.0f} s) → {path}")
    return 0
