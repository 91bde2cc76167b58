"""What several commands share: systems, sets, devices, attack settings, progress and tables."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasklab import strict_json
from tasklab.cli.options import device, number, seed, whole
from tasklab.console import UsageError, complain, say, show, shows_all, usage

if TYPE_CHECKING:
    import pandas as pd

    from tasklab.attacks import Settings
    from tasklab.data import ImageSet
    from tasklab.evaluation.robustness import Progress
    from tasklab.system import System

OBJECTIVE_HELP = "what the attack climbs: train (the own loss, the paper's protocol), margin, bits, …"


def add_common(command: argparse.ArgumentParser) -> None:
    """``--device``, ``--seed``, ``--json``, ``--root``."""
    command.add_argument("--device", type=device, default="cpu", help="cpu or cuda (default: cpu)")
    command.add_argument("--seed", type=seed, default=0, help="of everything random (default: 0)")
    command.add_argument("--root", type=Path, help="folder of the sets (default: $TASKLAB_DATA or the user's cache)")
    command.add_argument("--json", action="store_true", help="print JSON")


def add_eps(command: argparse.ArgumentParser, *, nargs: str | None = None, endless: bool = False) -> None:
    """``--eps``, one or several; ``endless``: some attacks take an infinite one."""
    command.add_argument("--eps", type=number(0, endless=endless), nargs=nargs,
                         help="ε in pixel units, such as 0.2 or 8/255 (default: the smallest of the paper's for the "
                         "data set, 0.1 or 3/255)")


def eps_asked(args: argparse.Namespace, system: System) -> list[float]:
    """The ε that were asked for, or what is usual where none were."""
    if args.eps is None:
        from tasklab.data.info import radii_of

        return [radii_of(_dataset(system)).paper[0]]
    return list(args.eps) if isinstance(args.eps, list) else [args.eps]


def add_attack_name(command: argparse.ArgumentParser) -> None:
    """``--attack``, one of the registered attacks; it is added late, since to know them takes torch."""
    from tasklab.attacks import ATTACKS

    command.add_argument("--attack", choices=[name.lower() for name in ATTACKS], default="pgd", help="(default: pgd)")


def add_attack(command: argparse.ArgumentParser) -> None:
    """The settings of an attack, but for its name and its ε."""
    command.add_argument("--steps", type=whole(),
                         help="steps, queries or draws (default: the attack's own, 20 for PGD)")
    command.add_argument("--step-size", type=number(0), help="(default: the attack's own, 2.5·eps/steps for PGD)")
    command.add_argument("--norm", choices=("linf", "l2"), help="(default: linf, or the only one that the attack has)")
    command.add_argument("--restarts", type=whole(), help="independent tries (default: 1)")
    command.add_argument("--criterion", choices=("misclassified", "evaded"), default="misclassified",
                         help="misclassified: another label or None; evaded: another class")
    command.add_argument("--n", type=whole(), default=1000, help="the first N test images (default: 1000)")


def attack_settings(args: argparse.Namespace, *, eps: float, objective: str | None, **more: Any) -> Settings:
    """The attack that the options describe; ``more`` holds what only some attacks have.

    What contradicts itself is settled, and said on standard error.

    Raises:
        UsageError: an option that the attack does not have, or a value that it refuses.
    """
    from tasklab.attacks.building import build
    from tasklab.attacks.registry import fields_of

    known = fields_of(args.attack)
    asked = {"step_size": args.step_size, "norm": args.norm, "restarts": args.restarts, "steps": args.steps,
             "objective": objective, "keep": getattr(args, "keep", None)}
    given = {name: value for name, value in asked.items() if value is not None}
    unknown = sorted(given.keys() - known.keys())
    if more.get("targeted") and "targeted" not in known:
        unknown.append("target")
    if unknown:
        raise UsageError(f"expected options that {args.attack} has, got {', '.join(unknown)}; try --attack pgd")
    shared = {name: value for name, value in more.items() if name in known}
    with usage():
        built = build(args.attack, {"eps": eps, "criterion": args.criterion, "seed": args.seed} | shared | given)
    for sentence in built.sentences:
        complain(sentence)
    return built.settings


def load_system(name: str, device: str) -> System:
    """A shipped system by name, or any by the path of its file."""
    from tasklab import zoo
    from tasklab.system import System

    return on_device(System.load(zoo.find(name)), device)


def on_device(system: System, device: str) -> System:
    """The system on a device of this machine."""
    if device == "cpu":
        return system
    check_device(device)
    return system.to(device)


def check_device(device: str) -> None:
    """Refuse a device that this machine does not have."""
    import torch

    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError):
        raise ValueError(f"expected a device of this machine, got {device!r}; try --device cpu") from None


def test_images(system: System, args: argparse.Namespace) -> ImageSet:
    """The first test images of the set that the system was trained on."""
    from tasklab import data

    found = data.load(_dataset(system), "test", root=args.root)
    return found.subset(min(args.n, len(found))).to(system.device)


def _dataset(system: System) -> str:
    name = system.card.get("data", {}).get("name")
    if name is None:
        raise ValueError("expected a system whose card names its data set, got one that does not; try another file")
    return str(name)


class Bar:
    """A line of progress on standard error, redrawn in a terminal, silent elsewhere."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._drawn = 0.0
        self._width = 0

    def show(self, done: float, total: float, words: str) -> None:
        """Draw ``done`` of ``total``, at most ten times a second."""
        now = time.monotonic()
        if not self._live or (now - self._drawn < 0.1 and done < total):
            return
        self._drawn = now
        full = round(24 * done / total) if total else 24
        line = f"{'█' * full}{'░' * (24 - full)} {words}"
        show("\r" + line.ljust(self._width))
        self._width = len(line)

    def say(self, words: str) -> None:
        """Write a line that stays."""
        self.clear()
        complain(words)

    def clear(self) -> None:
        """Take the bar away."""
        if self._width:
            show("\r" + " " * self._width + "\r")
            self._width = 0

    def evaluation(self, event: Progress) -> None:
        """Draw an evaluation's progress."""
        done = event.index + event.step / max(event.steps, 1)
        words = f"{event.what} {event.index + 1}/{event.total}: fooled {event.fooled} of {event.n}"
        self.show(done, event.total, words)


def print_table(table: pd.DataFrame, numbers: pd.DataFrame, form: str) -> None:
    """Print a table to read as Markdown, or its numbers as CSV or JSON."""
    from tasklab.evaluation.tables import to_csv, to_markdown

    if form == "json":
        print_json(numbers.to_dict(orient="records"))
    else:
        say(to_csv(numbers).removesuffix("\n") if form == "csv" else to_markdown(table))


def print_json(value: object) -> None:
    """Print plain values as strict JSON; all commands do it here."""
    say(strict_json.dumps(value, indent=2, ensure_ascii=not shows_all()))
