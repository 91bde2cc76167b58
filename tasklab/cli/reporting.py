"""``tasklab report``: attack systems in many ways, and keep a report on each beside it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasklab.cli.common import Bar, print_json
from tasklab.cli.following import add_ray, attacking
from tasklab.cli.options import number, seed, whole
from tasklab.console import complain, say, usage
from tasklab.files import check_folder

if TYPE_CHECKING:
    from torch import Tensor

    from tasklab.attacks import Settings
    from tasklab.evaluation.report import Report
    from tasklab.evaluation.reporting import TransferSources
    from tasklab.evaluation.shards import AtOnce
    from tasklab.system import System

SOURCES = ("tra", "deepbe")
"""For each data set, two systems whose adversarial images are tried on all others: both have usable gradients."""

RADIUS = number(0, 1, above=True)


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    command = commands.add_parser("report", help="attack systems in many ways, and keep a report on each beside it")
    command.add_argument("systems", nargs="*", metavar="SYSTEM", help="names (default: all systems)")
    command.add_argument("--to", type=Path, metavar="DIR", help="folder of reports.json (default: beside the systems)")
    command.add_argument("--n", type=whole(), default=200, help="the first N test images (default: 200)")
    command.add_argument("--eps", type=RADIUS, nargs="+", help="radii of the curves (default: those of the "
                         "data set, such as 0.05 0.1 0.15 0.2 0.3 of MNIST)")
    command.add_argument("--claim", type=RADIUS, help="the radius that is checked (default: the data set's, "
                         "0.2 of MNIST, 8/255 of CIFAR-10)")
    command.add_argument("--queries", type=whole(), default=500, help="of the score-based attack (default: 500)")
    command.add_argument("--seed", type=seed, default=0, help="of everything random (default: 0)")
    command.add_argument("--root", type=Path, help="folder of the sets (default: $TASKLAB_DATA or the user's cache)")
    command.add_argument("--json", action="store_true", help="print JSON")
    add_ray(command)
    command.set_defaults(call=run)


def run(args: argparse.Namespace) -> int:
    """Make a report on each system in turn, and keep it as soon as it is done."""
    from tasklab import data, zoo
    from tasklab.evaluation.report_file import digest, keep_reports, read_reports
    from tasklab.evaluation.reporting import stream_report
    from tasklab.evaluation.shards import NotMade

    names = args.systems or [name for name in zoo.names() if data.available(zoo.dataset_of(name), args.root)]
    with usage():
        for folder in {args.to} if args.to else {zoo.path(name).parent for name in names}:
            read_reports(check_folder(folder))  # now, rather than after the work
    bar, made = Bar(), attacking(args, Path("runs/report/shards"))
    reports: dict[str, Report] = {}
    sources = {of: _sources(args, of, made) for of in dict.fromkeys(map(zoo.dataset_of, names))}
    made.make_all(_asked(args, names, sources))
    for name in names:
        tried = sources[zoo.dataset_of(name)]
        try:
            for event in stream_report(
                zoo.load(name), tried.images, name=name, eps=args.eps, claim_eps=args.claim, sources=tried,
                queries=args.queries, seed=args.seed, file=digest(zoo.path(name)), attacking=made,
            ):
                bar.show(event.progress, 1.0, f"{name}: {event.message}")
        except NotMade as error:
            bar.say(f"not made: {name}: {error}")
            continue
        bar.clear()
        assert event.report is not None
        reports[name] = event.report
        path = keep_reports({name: event.report}, args.to or zoo.path(name).parent)
        verdicts = "; ".join(f"{curve}: {claim.verdict}" for curve, claim in event.report.assessments.items())
        (complain if args.json else say)(f"{name}: {verdicts} ({event.report.seconds:.0f} s) → {path}")
    if args.json:
        print_json({name: report.to_dict() for name, report in reports.items()})
    if len(reports) < len(names):
        return 1
    made.clear()
    return 0


def _sources(args: argparse.Namespace, of: str, made: AtOnce) -> TransferSources:
    """The images of a data set, and the systems whose adversarial images are tried on all others."""
    from tasklab import data, zoo
    from tasklab.evaluation.reporting import TransferSources

    test = data.load(of, "test", root=args.root)
    systems = {name: zoo.load(name) for name in sorted({f"{of}-{key}" for key in SOURCES} & set(zoo.names(of)))}
    return TransferSources(systems, test.subset(min(args.n, len(test))), seed=args.seed, attacking=made)


def _asked(args: argparse.Namespace, names: Sequence[str], sources: Mapping[str, TransferSources]) -> Iterator[
    tuple[System, Tensor, Tensor, list[Settings]]
]:
    """The attacks of all reports that can be made before any result is known."""
    from tasklab import zoo
    from tasklab.evaluation.reporting import report_attacks, report_radii

    for of, tried in sources.items():
        radii, claim_eps = report_radii(of, args.eps, args.claim)
        attacks = [each for _, each in report_attacks(radii, claim_eps, queries=args.queries, seed=args.seed)]
        lent = [tried.settings(eps) for eps in radii]
        images, labels = tried.images.x(), tried.images.labels
        yield from ((zoo.load(name), images, labels, attacks) for name in names if zoo.dataset_of(name) == of)
        yield from ((system, images, labels, lent) for system in tried.sources.values())
