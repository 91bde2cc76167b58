"""``tasklab worst``: the worst case that an ensemble of attacks finds, for one system or as a table; resumable."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasklab.cli.common import Bar, add_common, add_eps, eps_asked, load_system, print_json, test_images
from tasklab.cli.following import add_ray, attacking, device_here
from tasklab.cli.options import whole
from tasklab.console import UsageError, say, usage
from tasklab.files import check_folder

if TYPE_CHECKING:
    from tasklab.evaluation.shards import Attacking


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    command = commands.add_parser("worst", help="the worst case found by an ensemble of attacks")
    command.add_argument("systems", nargs="+", metavar="SYSTEM",
                         help="a shipped system's name, or the path of a .safetensors file")
    add_eps(command, nargs="+")
    command.add_argument("--preset", default="quick", help="quick, standard or full (default: quick)")
    command.add_argument("--table", action="store_true",
                         help="print a Markdown table, with PGD on the training loss beside the worst case, as for "
                         "several systems or ε")
    command.add_argument("--sources", nargs="*", default=[], metavar="SYSTEM",
                         help="systems whose images are tried (not in a table)")
    command.add_argument("--criterion", choices=("misclassified", "evaded"), default="misclassified",
                         help="misclassified: another label or None; evaded: another class")
    command.add_argument("--n", type=whole(), default=200, help="the first N test images (default: 200)")
    command.add_argument("--run", type=Path, dest="folder", help="folder to go on from after an interruption "
                         "(default: none; with --ray runs/worst)")
    add_common(command)
    add_ray(command)
    command.set_defaults(call=run)


def run(args: argparse.Namespace) -> int:
    """Run each stage on the survivors of the last, and print the accuracy that is left."""
    from tasklab.attacks.presets import PRESETS

    with usage():
        if args.preset not in PRESETS:
            raise ValueError(f"expected --preset among {', '.join(PRESETS)}, got {args.preset!r}")
        if args.folder is None and args.ray is not None:
            args.folder = Path("runs/worst")
        if args.folder is not None:
            check_folder(args.folder)
    several = args.table or len(args.systems) * len(args.eps or [None]) > 1
    if several and args.sources:
        raise UsageError("expected no --sources in a table, got some; try one system and one ε")
    made = attacking(args, (args.folder or Path()) / "shards")
    code = _table(args, made) if several else _one(args, made)
    if code == 0:
        made.clear()
    return code


def _one(args: argparse.Namespace, made: Attacking) -> int:
    from tasklab.data.radii import eps_said
    from tasklab.evaluation.ensemble import stream_worst_case

    name = args.systems[0]
    system = load_system(name, device_here(args))
    (eps,) = eps_asked(args, system)
    bar = Bar()
    for stage, so_far in stream_worst_case(
        system, test_images(system, args), eps, preset=args.preset, folder=args.folder, seed=args.seed,
        sources={source: load_system(source, device_here(args)) for source in args.sources}, criterion=args.criterion,
        progress=bar.evaluation, attacking=made,
    ):
        bar.say(f"{stage.name}: {stage.broken} of {stage.tried} fell, {100 * stage.standing:.1f} % stand "
                f"({stage.seconds:.1f} s)")
        worst = so_far
    if args.json:
        print_json({
            "system": name, "eps": eps, "preset": args.preset, "criterion": args.criterion,
            "n": worst.outcomes.n, "correct": worst.outcomes.correct, "wrong": worst.outcomes.wrong,
            "abnormal": worst.outcomes.abnormal, "stages": [vars(stage) for stage in worst.stages],
            "broken_by": worst.broken_by.tolist(),
        })
        return 0
    say(f"{name}, ε = {eps_said(eps)}, worst case found by {len(worst.stages)} attacks ({args.preset}): "
          f"correct {worst.outcomes.accuracy.percent()} %, wrong {worst.outcomes.error.percent()} %, "
          f"None {worst.outcomes.alarm.percent()} %, n = {worst.outcomes.n}")
    return 0


def _table(args: argparse.Namespace, made: Attacking) -> int:
    from tasklab.data.radii import eps_said
    from tasklab.evaluation.shards import NotMade
    from tasklab.evaluation.worst_table import stream_worst_rows, worst_markdown

    bar, rows, failed = Bar(), [], False
    for name in args.systems:
        system = load_system(name, device_here(args))
        images = test_images(system, args)
        for eps in eps_asked(args, system):
            try:
                (row,) = stream_worst_rows(
                    {Path(name).stem: system}, images, [eps], preset=args.preset, criterion=args.criterion,
                    seed=args.seed, folder=args.folder, progress=bar.evaluation, attacking=made,
                )
            except NotMade as error:
                failed = True
                bar.say(f"not made: {name}, ε = {eps_said(eps)}: {error}")
                continue
            bar.say(f"{row.system}, ε = {eps_said(row.eps)}: {row.worst.accuracy.percent()} % stand "
                    f"({row.seconds:.1f} s)")
            rows.append(row)
    if args.json:
        print_json([row.to_dict() for row in rows])
    else:
        say(worst_markdown(rows))
    return 1 if failed else 0
