"""``tasklab transfer``: show the adversarial examples found against each system, and against all, to every other."""

from __future__ import annotations

import argparse
from typing import Any

from tasklab.cli.common import (
    OBJECTIVE_HELP,
    Bar,
    add_attack,
    add_attack_name,
    add_common,
    add_eps,
    attack_settings,
    eps_asked,
    load_system,
    print_table,
    test_images,
)


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    command = commands.add_parser("transfer", help="show each system's adversarial images to the others",
                                  late=add_attack_name)
    command.add_argument("systems", nargs="+", metavar="SYSTEM", help="two or more names or files, of one data set")
    add_eps(command, endless=True)
    add_attack(command)
    command.add_argument("--objective", default="margin", help=OBJECTIVE_HELP + " (default: margin)")
    command.add_argument("--images", choices=("both", "threat"), default="both",
                         help="which images the table counts: those that threat and victim decode correctly, or, as in "
                         "the paper, those that the threat does (default: both)")
    add_common(command, csv="print every number as CSV")
    command.set_defaults(call=run)


def run(args: argparse.Namespace) -> int:
    """Attack each system, show its adversarial images to all, and print one table."""
    from tasklab.evaluation.transfer_matrix import transfer

    systems = {name: load_system(name, args.device) for name in args.systems}
    if len({system.card.get("data", {}).get("name") for system in systems.values()}) > 1:
        raise ValueError("expected systems of one data set, got several; try names that begin alike")
    first = next(iter(systems.values()))
    images, (eps,) = test_images(first, args), eps_asked(args, first)
    bar = Bar()
    settings = attack_settings(args, eps=eps, objective=args.objective, keep="best")
    result = transfer(systems, systems, images.x(), images.labels, settings, progress=bar.evaluation)
    bar.clear()
    form = "json" if args.json else "csv" if args.csv else "markdown"
    print_table(result.table(args.images), result.frame(), form)
    return 0
