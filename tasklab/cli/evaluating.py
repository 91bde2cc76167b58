"""``tasklab evaluate``: clean and attacked outcomes of systems as a table."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from tasklab.cli.following import add_ray, attacking, device_here
from tasklab.console import UsageError, usage
from tasklab.files import check_folder

if TYPE_CHECKING:
    from tasklab.attacks import Settings
    from tasklab.data import ImageSet
    from tasklab.evaluation.robustness import Row
    from tasklab.evaluation.shards import AtOnce
    from tasklab.system import System


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
    add_common(command, csv="print CSV")
    command.add_argument("--run", type=Path, dest="folder",
                         help="with --ray: folder to go on from after an interruption (default: runs/evaluate)")
    add_ray(command)
    command.set_defaults(call=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate each system, and print one table."""
    if args.folder is not None:
        if args.ray is None:
            raise UsageError("expected --run together with --ray, got it alone; try --ray local")
        with usage():
            check_folder(args.folder)
    if args.sources and not args.full:
        raise UsageError("expected --sources together with --full, got them alone; try tasklab transfer")
    made = attacking(args, (args.folder or Path("runs/evaluate")) / "shards")
    code = (_full if args.full else _table)(args, made)
    if code == 0:
        made.clear()
    return code


def _table(args: argparse.Namespace, made: AtOnce) -> int:
    """Print each attack's outcomes."""
    from tasklab.evaluation.tables import frame, table

    asked = {}
    for name in args.systems:
        system = load_system(name, device_here(args))
        asked[name] = system, test_images(system, args), [
            attack_settings(args, eps=eps, objective=objective, **({"keep": "last"} if objective == "train" else {}))
            for eps in eps_asked(args, system)
            for objective in args.objectives
        ]
    rows = _evaluated(made, asked, Bar())
    print_table(table(rows), frame(rows), "json" if args.json else "csv" if args.csv else "markdown")
    return 0 if rows.keys() == asked.keys() else 1


def _full(args: argparse.Namespace, made: AtOnce) -> int:
    """Print the full table: the paper's numbers beside adaptive ones."""
    from tasklab.attacks.presets import full_table_attacks, transfer_attack
    from tasklab.evaluation.summary import full_frame, full_table
    from tasklab.evaluation.transfer_matrix import find_threat, transfer_row

    bar, asked, threats = Bar(), {}, {}
    for name in args.systems:
        system = load_system(name, device_here(args))
        with usage():
            attacks = [settings for eps in eps_asked(args, system)
                       for settings in full_table_attacks(eps, seed=args.seed)]
        asked[name] = system, test_images(system, args), attacks
    rows = _evaluated(made, asked, bar)
    for name, (system, images, _) in ((name, asked[name]) for name in rows):
        radii = eps_asked(args, system)
        for source in (each for each in args.sources if each != name):
            for eps in radii:
                if (source, eps) not in threats:
                    threats[source, eps] = find_threat(
                        source, load_system(source, device_here(args)), images.x(), images.labels,
                        transfer_attack(eps, steps=40, seed=args.seed), progress=bar.evaluation, attacking=made,
                    )
                rows[name].append(transfer_row(system, images, threats[source, eps]))
    bar.clear()
    form = "json" if args.json else "csv" if args.csv else "markdown"
    print_table(full_table(rows), full_frame(rows), form)
    return 0 if rows.keys() == asked.keys() else 1


def _evaluated(
    made: AtOnce, asked: Mapping[str, tuple[System, ImageSet, Sequence[Settings]]], bar: Bar
) -> dict[str, list[Row]]:
    """The rows of each system; on a cluster all attacks on all systems are carried out together."""
    from tasklab.evaluation.robustness import evaluate
    from tasklab.evaluation.shards import NotMade

    rows = {}
    made.make_all((system, images.x(), images.labels, attacks) for system, images, attacks in asked.values())
    for name, (system, images, attacks) in asked.items():
        try:
            rows[name] = evaluate(system, images, attacks, progress=bar.evaluation, attacking=made)
        except NotMade as error:
            bar.say(f"not made: {name}: {error}")
        else:
            bar.say(f"{name}: done")
    if not rows:
        raise NotMade("expected rows of at least one system, got none; the sentences above say why")
    return rows
