"""``tasklab show``, a system's card, and ``tasklab list``, everything that can be chosen."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tasklab.cli.common import print_json
from tasklab.console import UsageError, complain, say


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add both commands."""
    show = commands.add_parser("show", help="a system's card")
    show.add_argument("system", help="a shipped system's name, or the path of a .safetensors file")
    show.add_argument("--json", action="store_true", help="print JSON")
    show.set_defaults(call=_show)
    everything = commands.add_parser("list", help="list all systems, tasks, objectives, networks and data sets")
    everything.add_argument("--zoo", type=Path, metavar="DIR", help="another folder of systems")
    everything.add_argument("--catalogue", action="store_true",
                            help="the systems and their figures as a Markdown page; with --json, their cards")
    everything.add_argument("--json", action="store_true", help="print JSON")
    everything.set_defaults(call=_list)


def _show(args: argparse.Namespace) -> int:
    from tasklab import zoo
    from tasklab.evaluation.cards import card_markdown

    path = Path(args.system)
    card = {"name": path.name.removesuffix(zoo.SUFFIX)}
    card |= zoo.card(path.stem, where=path.parent) if path.suffix == zoo.SUFFIX else zoo.card(args.system)
    if args.json:
        print_json(card)
    else:
        say(card_markdown(card))
    return 0


def _list(args: argparse.Namespace) -> int:
    from tasklab import zoo

    if args.zoo is not None and not args.zoo.is_dir():
        raise UsageError(f"expected a folder of systems, got {str(args.zoo)!r}; try another --zoo")
    if args.catalogue:
        return _catalogue(args.zoo, as_json=args.json)
    from tasklab.attacks import OBJECTIVES
    from tasklab.data import DATASETS
    from tasklab.models.registry import ARCHITECTURES
    from tasklab.tasks import TASKS

    names_by_kind = {
        "systems": list(zoo.names(where=args.zoo)), "tasks": list(TASKS), "objectives": list(OBJECTIVES),
        "architectures": list(ARCHITECTURES), "data": list(DATASETS),
    }
    if args.json:
        print_json(names_by_kind)
    else:
        for kind, names in names_by_kind.items():
            say(f"{kind}: {', '.join(names) or 'none'}")
    return 0


def _catalogue(where: Path | None, *, as_json: bool) -> int:
    """Print the page of all systems that can be read; the others are named on standard error."""
    from tasklab import zoo
    from tasklab.evaluation.cards import catalogue_markdown

    cards, left_out = [], []
    for name in zoo.names(where=where):
        try:
            cards.append({"name": name} | zoo.card(name, where=where))
        except (ValueError, OSError) as error:
            left_out.append(str(error))
    if as_json:
        print_json(cards)
    else:
        say(catalogue_markdown(cards))
    for sentence in left_out:
        complain(f"tasklab: left out {sentence}")
    return 1 if left_out else 0
