"""``tasklab check``: what an accuracy under attack means, check by check."""

from __future__ import annotations

import argparse
from typing import Any

from tasklab.cli.common import (
    OBJECTIVE_HELP,
    Bar,
    add_attack,
    add_common,
    attack_settings,
    load_system,
    print_json,
    test_images,
)


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    command = commands.add_parser("check", help="question an accuracy under PGD: did the attack try?")
    command.add_argument("system", help="a shipped system's name, or the path of a .safetensors file")
    add_attack(command, eps="0.1")
    command.add_argument("--objective", default="train", help=OBJECTIVE_HELP + " (default: train)")
    command.add_argument("--queries", type=int, default=1000, help="of the score-based attack (default: 1000)")
    add_common(command)
    command.set_defaults(call=run, n=200)


def run(args: argparse.Namespace) -> int:
    """Run the claimed attack and those it is compared with, print the report."""
    from tasklab.attacks import PGD
    from tasklab.evaluation import stream_report

    if args.attack != "pgd":
        raise ValueError(f"expected --attack pgd, got {args.attack}; the checks compare PGD with its own variations")
    system = load_system(args.system, args.device)
    claim = attack_settings(args, eps=args.eps, objective=args.objective, keep="last")
    assert isinstance(claim, PGD)
    bar = Bar()
    for found in stream_report(system, test_images(system, args), claim, queries=args.queries, progress=bar.evaluation):
        report = found
    bar.clear()
    if args.json:
        print_json({"system": args.system} | report.to_dict())
    else:
        print(f"# {args.system}\n\n{report.to_markdown()}")
    return 0
