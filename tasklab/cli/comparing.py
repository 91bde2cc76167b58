"""``tasklab compare``, two systems on the same images, and ``tasklab distance``, the smallest ε for each image."""

from __future__ import annotations

import argparse
from typing import Any

from tasklab.cli.common import Bar, add_common, add_eps, eps_asked, load_system, print_json, print_table, test_images
from tasklab.cli.options import whole
from tasklab.console import say, usage


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add both commands."""
    compare = commands.add_parser("compare", help="does one system withstand more than another, on the same images?")
    compare.add_argument("first", metavar="A", help="a shipped system's name, or the path of a .safetensors file")
    compare.add_argument("second", metavar="B", help="another one, of the same data set")
    add_eps(compare, nargs="*")
    compare.add_argument("--objectives", nargs="+", default=["margin", "bits"],
                         help="what PGD maximises; the worst case over all of them is compared (default: margin bits)")
    compare.add_argument("--steps", type=whole(), default=40, help="of PGD (default: 40)")
    compare.add_argument("--n", type=whole(), default=1000, help="the first N test images (default: 1000)")
    add_common(compare)
    compare.set_defaults(call=_compare)
    distance = commands.add_parser("distance", help="the smallest ε found for each image")
    distance.add_argument("systems", nargs="+", metavar="SYSTEM", help="shipped names, or paths of .safetensors files")
    distance.add_argument("--norm", choices=("linf", "l2"), default="linf", help="(default: linf)")
    distance.add_argument("--steps", type=whole(), default=20, help="of PGD and FAB (default: 20)")
    distance.add_argument("--fab", action="store_true", help="run FAB after PGD: slower, but often finds a smaller ε")
    distance.add_argument("--criterion", choices=("misclassified", "evaded"), default="misclassified",
                          help="misclassified: another label or None; evaded: another class")
    distance.add_argument("--n", type=whole(), default=200, help="the first N test images (default: 200)")
    add_common(distance, csv="print CSV")
    distance.set_defaults(call=_distance)


def _compare(args: argparse.Namespace) -> int:
    """Attack both systems with the same attacks, and compare them on clean images and at each ε."""
    from tasklab.attacks import PGD
    from tasklab.evaluation.robustness import combined, evaluate
    from tasklab.evaluation.summary import compare

    names = (args.first, args.second)
    systems = [load_system(name, args.device) for name in names]
    if len({system.card.get("data", {}).get("name") for system in systems}) > 1:
        raise ValueError("expected two systems of one data set, got two; try names that begin alike")
    bar, comparisons, radii = Bar(), [], eps_asked(args, systems[0])
    with usage():
        attacks = [PGD(eps=eps, steps=args.steps, objective=objective, seed=args.seed)
                   for eps in radii for objective in args.objectives]
    rows = [evaluate(system, test_images(system, args), attacks, progress=bar.evaluation) for system in systems]
    bar.clear()
    comparisons.append(compare(rows[0][0], rows[1][0], names))
    for eps in radii:
        worst = [combined([row for row in some[1:] if row.eps == eps]) for some in rows]
        comparisons.append(compare(worst[0], worst[1], names))
    if args.json:
        print_json([each.to_dict() for each in comparisons])
    else:
        say("\n".join(each.sentence for each in comparisons))
    return 0


def _distance(args: argparse.Namespace) -> int:
    """Look for the smallest perturbation of each image, and print quantiles or every distance."""
    from tasklab.attacks import FAB, Settings
    from tasklab.attacks.presets import distance_attacks
    from tasklab.evaluation.distances import distance_table, smallest

    objective = "towards_code" if args.criterion == "evaded" else "bits"
    attacks: list[Settings] = distance_attacks(norm=args.norm, steps=args.steps, objective=objective,
                                               criterion=args.criterion, seed=args.seed)
    if args.fab:
        attacks.append(FAB(norm=args.norm, steps=args.steps, objective=objective, criterion=args.criterion,
                           seed=args.seed))
    bar, distances = Bar(), {}
    for name in args.systems:
        system = load_system(name, args.device)
        distances[name] = smallest(system, test_images(system, args), attacks, progress=bar.evaluation)
        bar.say(f"{name}: done")
    table = distance_table(distances)
    if args.json:
        values = {name: each.values.tolist() for name, each in distances.items()}
        print_json({"norm": args.norm, "criterion": args.criterion, "distances": values})
        return 0
    print_table(table.round(4), table, "csv" if args.csv else "markdown")
    return 0
