"""``tasklab evaluate``: clean and attacked outcomes of systems as a table."""

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
from tasklab.console import UsageError, usage


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    command = commands.add_parser("evaluate", help="outcomes of systems, clean and under attack, as a table",
                                  late=add_attack_name)
    command.add_argument("systems", nargs="+", metavar="SYSTEM", help="shipped names, or paths of .safetensors files")
    add_eps(command, nargs="*", endless=True)
    command.add_argument("--objectives", nargs="+", default=["train", "margin"],
                         help=OBJECTIVE_HELP + " (default: train margin)")
    add_attack(command)
    command.add_argument("--full", action="store_true",
                         help="one line for each system and ε: the paper's protocol beside adaptive attacks, search "
                         "without gradients, transfer and the worst case; --objectives and the attack are not used")
    command.add_argument("--sources", nargs="*", default=[], metavar="SYSTEM",
                         help="with --full: systems whose adversarial images are shown to the others")
    command.add_argument("--csv", action="store_true", help="print CSV")
    add_common(command)
    command.set_defaults(call=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate each system, print one table."""
    if args.full:
        return _full(args)
    if args.sources:
        raise UsageError("expected --sources together with --full, got them alone; try tasklab transfer")
    from tasklab.evaluation.robustness import evaluate
    from tasklab.evaluation.tables import frame, table

    bar, rows = Bar(), {}
    for name in args.systems:
        system = load_system(name, args.device)
        attacks = [
            attack_settings(args, eps=eps, objective=objective, **({"keep": "last"} if objective == "train" else {}))
            for eps in eps_asked(args, system)
            for objective in args.objectives
        ]
        rows[name] = evaluate(system, test_images(system, args), attacks, progress=bar.evaluation)
        bar.say(f"{name}: done")
    print_table(table(rows), frame(rows), "json" if args.json else "csv" if args.csv else "markdown")
    return 0


def _full(args: argparse.Namespace) -> int:
    """The full table: everything beside its honest counterpart."""
    from tasklab.attacks.presets import full_table_attacks, transfer_attack
    from tasklab.evaluation.robustness import evaluate
    from tasklab.evaluation.summary import full_frame, full_table
    from tasklab.evaluation.transfer_matrix import find_threat, transfer_row

    bar, rows, threats = Bar(), {}, {}
    for name in args.systems:
        system = load_system(name, args.device)
        images, radii = test_images(system, args), eps_asked(args, system)
        with usage():
            attacks = [settings for eps in radii for settings in full_table_attacks(eps, seed=args.seed)]
        rows[name] = evaluate(system, images, attacks, progress=bar.evaluation)
        for source in (each for each in args.sources if each != name):
            for eps in radii:
                if (source, eps) not in threats:
                    threats[source, eps] = find_threat(
                        source, load_system(source, args.device), images.x(), images.labels,
                        transfer_attack(eps, steps=40, seed=args.seed), progress=bar.evaluation,
                    )
                rows[name].append(transfer_row(system, images, threats[source, eps]))
        bar.say(f"{name}: done")
    form = "json" if args.json else "csv" if args.csv else "markdown"
    print_table(full_table(rows), full_frame(rows), form)
    return 0
