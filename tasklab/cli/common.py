"""Shared by several commands: systems, data sets, devices, attack settings, progress and tables."""

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

OBJECTIVE_HELP = "what the attack maximises: train (the training loss, the paper's protocol), margin, bits, …"


def add_common(command: argparse.ArgumentParser, *, csv: str = "") -> None:
    """Add ``--device``, ``--seed``, ``--json`` and ``--root``.

    Args:
        command: that gets the options.
        csv: the help of ``--csv``, which goes with no ``--json``; without it, there is no such option.
    """
    command.add_argument("--device", type=device, default="cpu", help="cpu or cuda (default: cpu)")
    command.add_argument("--seed", type=seed, default=0, help="of everything random (default: 0)")
    command.add_argument("--root", type=Path, help="folder of the sets (default: $TASKLAB_DATA or the user's cache)")
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    if csv:
        form.add_argument("--csv", action="store_true", help=csv)


def add_eps(command: argparse.ArgumentParser, *, nargs: str | None = None, endless: bool = False) -> None:
    """Add ``--eps``.

    Args:
        command: that gets the option.
        nargs: how many radii it takes, as in argparse.
        endless: whether an infinite radius is allowed, which some attacks take.
    """
    command.add_argument("--eps", type=number(0, endless=endless), nargs=nargs,
                         help="ε in pixel units, such as 0.2 or 8/255 (default: the smallest of the paper's for the "
                         "data set, 0.1 or 3/255)")


def eps_asked(args: argparse.Namespace, system: System) -> list[float]:
    """The radii in the options; by default the smallest of the paper's for the system's data set.

    Args:
        args: the parsed options.
        system: what is attacked.
    """
    if args.eps is None:
        from tasklab.data.info import radii_of

        return [radii_of(_dataset(system)).paper[0]]
    return list(args.eps) if isinstance(args.eps, list) else [args.eps]


def add_attack_name(command: argparse.ArgumentParser) -> None:
    """Add ``--attack``, one of the registered attacks; it is added late, since listing them imports torch."""
    from tasklab.attacks import ATTACKS

    command.add_argument("--attack", choices=[name.lower() for name in ATTACKS], default="pgd", help="(default: pgd)")


def add_attack(command: argparse.ArgumentParser) -> None:
    """Add the settings of an attack, except its name and its ε.

    Args:
        command: that gets the options.
    """
    command.add_argument("--steps", type=whole(),
                         help="steps, queries or draws (default: the attack's own, 20 for PGD)")
    command.add_argument("--step-size", type=number(0), help="(default: the attack's own, 2.5·eps/steps for PGD)")
    command.add_argument("--norm", choices=("linf", "l2"), help="(default: linf, or the only one that the attack has)")
    command.add_argument("--restarts", type=whole(), help="independent tries (default: 1)")
    command.add_argument("--criterion", choices=("misclassified", "evaded"), default="misclassified",
                         help="misclassified: another label or None; evaded: another class")
    command.add_argument("--n", type=whole(), default=1000, help="the first N test images (default: 1000)")


def attack_settings(args: argparse.Namespace, *, eps: float, objective: str | None, **more: Any) -> Settings:
    """The attack that the options describe. Contradictions are resolved, and reported on standard error.

    Args:
        args: the parsed options.
        eps: radius of the attack.
        objective: what the attack maximises; None for its default.
        more: settings that only some attacks have; the others go without, but for ``targeted``, which they refuse.

    Raises:
        UsageError: an option that the attack does not have, or a value that it refuses.
    """
    from tasklab.attacks.building import build
    from tasklab.attacks.registry import fields_of

    known = fields_of(args.attack)
    asked = {"step_size": args.step_size, "norm": args.norm, "restarts": args.restarts, "steps": args.steps,
             "objective": objective, "keep": getattr(args, "keep", None)}
    chosen = {name: value for name, value in asked.items() if value is not None}
    unknown = sorted(chosen.keys() - known.keys())
    if more.get("targeted") and "targeted" not in known:
        unknown.append("target")
    if unknown:
        raise UsageError(f"expected options that {args.attack} has, got {', '.join(unknown)}; try --attack pgd")
    shared = {name: value for name, value in more.items() if name in known}
    with usage():
        built = build(args.attack, {"eps": eps, "criterion": args.criterion, "seed": args.seed} | shared | chosen)
    for sentence in built.sentences:
        complain(sentence)
    return built.settings


def load_system(name: str, device: str) -> System:
    """A system on a device.

    Args:
        name: of a shipped system, or the path of a checkpoint.
        device: as torch names it.
    """
    from tasklab import zoo
    from tasklab.system import System

    return on_device(System.load(zoo.find(name)), device)


def on_device(system: System, device: str) -> System:
    """A system on a device of this machine.

    Args:
        system: where it is now.
        device: as torch names it.

    Returns:
        A copy on the device; for ``"cpu"``, the system itself.

    Raises:
        ValueError: this machine has no such device.
    """
    if device == "cpu":
        return system
    check_device(device)
    return system.to(device)


def check_device(device: str) -> None:
    """Check that this machine has a device.

    Args:
        device: as torch names it.

    Raises:
        ValueError: it does not.
    """
    import torch

    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError):
        raise ValueError(f"expected a device of this machine, got {device!r}; try --device cpu") from None


def test_images(system: System, args: argparse.Namespace) -> ImageSet:
    """The first test images of the data set that the system was trained on.

    Args:
        system: its card names the data set.
        args: the parsed options; ``n`` is the number of images, ``root`` the folder of the data sets.

    Returns:
        The images, on the system's device.

    Raises:
        ValueError: the card names no data set.
    """
    from tasklab import data

    images = data.load(_dataset(system), "test", root=args.root)
    return images.subset(min(args.n, len(images))).to(system.device)


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
        """Draw the bar, at most ten times a second.

        Args:
            done, total: the progress and its end, in any unit.
            words: shown behind the bar.
        """
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
        """Remove the bar from the screen."""
        if self._width:
            show("\r" + " " * self._width + "\r")
            self._width = 0

    def evaluation(self, event: Progress) -> None:
        """Draw the progress of an evaluation; a callback for its ``progress``."""
        done = event.index + event.step / max(event.steps, 1)
        words = f"{event.what} {event.index + 1}/{event.total}: fooled {event.fooled} of {event.n}"
        self.show(done, event.total, words)


def print_table(table: pd.DataFrame, numbers: pd.DataFrame, form: str) -> None:
    """Print a table.

    Args:
        table: the table to read, printed as Markdown.
        numbers: its numbers, printed as CSV or JSON.
        form: ``"markdown"``, ``"csv"`` or ``"json"``.
    """
    from tasklab.evaluation.tables import to_csv, to_markdown

    if form == "json":
        print_json(numbers.to_dict(orient="records"))
    else:
        say(to_csv(numbers).removesuffix("\n") if form == "csv" else to_markdown(table))


def print_json(value: object) -> None:
    """Print a value as strict JSON. Every command prints JSON through this function.

    Args:
        value: plain values.
    """
    say(strict_json.dumps(value, indent=2, ensure_ascii=not shows_all()))
