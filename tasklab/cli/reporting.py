"""``tasklab report``: attack systems in many ways, and keep a report on each beside it."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasklab.cli.common import Bar
from tasklab.cli.following import View, add_ray, executor_of
from tasklab.cli.options import number, seed, whole
from tasklab.console import say, usage
from tasklab.files import check_folder

if TYPE_CHECKING:
    from tasklab.evaluation.report import Report
    from tasklab.jobs.executing import Executor

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
    add_ray(command)
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
    executor = executor_of(args)
    if executor is not None:
        return _on_cluster(args, names, executor)
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
        _say(name, event.report, path)
    return 0


def _on_cluster(args: argparse.Namespace, names: Sequence[str], executor: Executor) -> int:
    """Make each report as a job of its own, and keep those that were made."""
    from tasklab import zoo
    from tasklab.evaluation.report_file import digest, keep_reports, read_report
    from tasklab.jobs.executing import Assignment, job_in
    from tasklab.jobs.reporting import RESULT

    assignments = {}
    with usage():
        for name in names:
            of, file = zoo.dataset_of(name), zoo.path(name).resolve()
            settings = {
                "system": name, "file": str(file), "data": of, "n": args.n, "eps": args.eps, "claim_eps": args.claim,
                "queries": args.queries, "seed": args.seed,
                "sources": sorted({f"{of}-{key}" for key in SOURCES} & set(zoo.names(of))),
            }
            folder = check_folder("runs/report").resolve() / f"{name}-{digest(file)[:12]}"
            assignments[name] = Assignment(job=job_in(folder, "report", settings))
    View.of(list(assignments.values())).follow(executor.carry_out(list(assignments.values())))
    made = {name: each.job.folder for name, each in assignments.items() if each.job.state == "done"}
    for name, folder in made.items():
        report = read_report(folder / RESULT)
        _say(name, report, keep_reports({name: report}, args.to or zoo.path(name).parent))
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if made.keys() == assignments.keys() else 1


def _say(name: str, report: Report, path: Path) -> None:
    verdicts = "; ".join(f"{curve}: {claim.verdict}" for curve, claim in report.assessments.items())
    say(f"{name}: {verdicts} ({report.seconds:.0f} s) → {path}")
