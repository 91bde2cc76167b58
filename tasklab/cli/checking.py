"""``tasklab check`` and ``tasklab check-attack``: what an accuracy under attack means, and whether the attack works."""

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
    print_json,
    test_images,
)
from tasklab.cli.options import number, whole
from tasklab.console import UsageError, say


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add both commands."""
    command = commands.add_parser("check", help="check an accuracy under PGD: did the attack really try?",
                                  late=add_attack_name)
    command.add_argument("system", help="a shipped system's name, or the path of a .safetensors file")
    add_eps(command)
    add_attack(command)
    command.add_argument("--objective", default="train", help=OBJECTIVE_HELP + " (default: train)")
    command.add_argument("--queries", type=whole(), default=1000, help="queries of the score-based attack, for each "
                         "image (default: 1000)")
    add_common(command)
    command.set_defaults(call=_check, n=200)
    test = commands.add_parser("check-attack", help="does an attack find adversarial examples known to exist?",
                               late=add_attack_name)
    test.add_argument("system", help="a shipped system's name, or the path of a .safetensors file")
    add_eps(test)
    add_attack(test)
    test.add_argument("--objective", help=OBJECTIVE_HELP + " (default: the attack's own, mostly margin)")
    test.add_argument("--inner", type=whole(), default=999,
                      help="points that are known not to be adversarial (default: 999)")
    test.add_argument("--draws", type=whole(), default=200, help="points of the random search (default: 200)")
    test.add_argument("--closeness", type=number(0, 1), default=0.5,
                      help="between 0 and 1; the larger, the fewer adversarial examples exist (default: 0.5)")
    add_common(test)
    test.set_defaults(call=_check_attack, n=50)


def _check(args: argparse.Namespace) -> int:
    """Run the claimed attack and those that it is compared with, and print the checks."""
    from tasklab.attacks import PGD
    from tasklab.evaluation.honesty import stream_assessment

    if args.attack != "pgd":
        raise UsageError(f"expected --attack pgd, got {args.attack}; the checks compare PGD with its own variations")
    system = load_system(args.system, args.device)
    (eps,) = eps_asked(args, system)
    claim = attack_settings(args, eps=eps, objective=args.objective, keep="last")
    assert isinstance(claim, PGD)
    bar = Bar()
    images = test_images(system, args)
    *_, assessment = stream_assessment(system, images, claim, queries=args.queries, progress=bar.evaluation)
    bar.clear()
    if args.json:
        print_json({"system": args.system} | assessment.to_dict())
    else:
        say(f"# {args.system}\n\n{assessment.to_markdown()}")
    return 0


def _check_attack(args: argparse.Namespace) -> int:
    """Test the attack image by image, and print how often it and how often random search succeeded."""
    from tasklab.data.radii import eps_said
    from tasklab.evaluation.known_examples import stream_check_attack

    system = load_system(args.system, args.device)
    own = {"keep": "last"} if args.objective == "train" else {}
    (eps,) = eps_asked(args, system)
    settings = attack_settings(args, eps=eps, objective=args.objective, **own)
    bar = Bar()
    *_, test = stream_check_attack(
        system, test_images(system, args), settings, inner=args.inner, draws=args.draws, closeness=args.closeness,
        progress=bar.evaluation,
    )
    bar.clear()
    if args.json:
        print_json({"system": args.system} | test.to_dict())
        return 0
    shown = settings.to_dict()
    say(f"{test.verdict.upper()} · {args.system}, {settings.name} on {shown['objective']}, ε = {eps_said(eps)}, "
          f"{settings.steps} steps × {settings.restarts}")
    say(f"  {test.sentence}")
    say(f"  found {test.found} %, by chance ({test.draws} draws) {test.random} %, no gradient "
          f"{test.zero_gradient} %; images without a test: {test.left_out}")
    return 0
