"""``tasklab data``: list the image sets, and download those that are missing."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tasklab.cli.common import Bar, print_json
from tasklab.console import say


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    command = commands.add_parser("data", help="list the image sets, or download some")
    command.add_argument("names", nargs="*", metavar="SET", help="mnist, cifar10, cifar100; none lists them all")
    command.add_argument("--root", type=Path, help="folder of the sets (default: $TASKLAB_DATA or the user's cache)")
    command.add_argument("--force", action="store_true", help="download again, even if the files are there")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(call=run)


def run(args: argparse.Namespace) -> int:
    """List the sets, or download some with a progress bar."""
    from tasklab import data

    for name in args.names:
        if name not in data.DATASETS:
            raise ValueError(f"expected a set among {', '.join(data.DATASETS)}, got {name!r}")
    bar = Bar()
    for name in args.names:
        if not data.DATASETS[name].needs_download:
            bar.say(f"{name}: nothing to download")
            continue
        if data.available(name, args.root) and not args.force:
            bar.say(f"{name}: already there")
            continue
        for event in data.download(name, args.root, force=args.force):
            bar.show(event.done, event.total, f"{name}: {event.done / 1e6:.1f} of {event.total / 1e6:.1f} MB")
        bar.say(f"{name}: downloaded and checked")
    names = args.names or list(data.DATASETS)
    rows = [
        {
            "name": name,
            "title": data.DATASETS[name].title,
            "shape": list(data.DATASETS[name].shape),
            "classes": data.DATASETS[name].num_classes,
            "available": data.available(name, args.root),
        }
        for name in names
    ]
    if args.json:
        print_json(rows)
    elif not args.names:
        for row in rows:
            there = "there" if row["available"] else f"bring it with: tasklab data {row['name']}"
            say(f"{row['name']:<10} {'×'.join(map(str, row['shape'])):<8} {row['classes']:>3} classes  {there}")
    return 0
