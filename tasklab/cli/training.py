"""``tasklab train``: train a system, measure it, and write it with its card."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from tasklab import files
from tasklab.attacks.presets import card_attacks
from tasklab.cli.common import Bar, add_common, print_json
from tasklab.cli.options import number, whole
from tasklab.console import interrupt, say, usage
from tasklab.files import check_file, check_folder
from tasklab.leftovers import sweep

if TYPE_CHECKING:
    from tasklab.data import ImageSet
    from tasklab.system import System
    from tasklab.tasks import Task
    from tasklab.training import Defence, Recipe

TASK_SETTINGS: dict[str, Callable[[str], Any]] = {
    "S": number(0), "alpha": number(0), "beta": number(0, above=True), "s0": number(), "gap": str,
    "bits": whole(), "code": str, "loss_form": str, "parametrisation": str,
}
RECIPE_SETTINGS: dict[str, Callable[[str], Any]] = {
    "epochs": whole(), "batch_size": whole(2), "optimizer": str, "lr": number(0), "warmup": number(0, 1),
    "weight_decay": number(0), "crop": whole(0), "average": number(0, 1), "inset": number(0, 0.5), "precision": str,
}


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    command = commands.add_parser("train", help="train a system, measure it, write it with its card")
    command.add_argument("--data", default="digits", help="digits, mnist, cifar10, cifar100 (default: digits)")
    command.add_argument("--task", default="rbc", help="tra, deepbe, int or rbc (default: rbc)")
    for name, kind in TASK_SETTINGS.items():
        command.add_argument(_flag(name), dest=name, type=kind, help="of the task (default: the paper's)")
    command.add_argument("--arch", default="small_cnn", help="network (default: small_cnn)")
    command.add_argument("--width", type=whole(), default=32, help="of small_cnn and mlp (default: 32)")
    command.add_argument("--stairs", type=whole(0), help="sigmoid steps before the output (default: for int)")
    command.add_argument("--contrast", type=number(), nargs=2, metavar=("LOW", "HIGH"),
                         help="stretch grey values between these (default: leave them)")
    for name, kind in RECIPE_SETTINGS.items():
        command.add_argument(_flag(name), dest=name, type=kind, help="of the recipe")
    command.add_argument("--flip", action="store_true", help="mirror half of the images")
    command.add_argument("--defence", choices=("none", "adversarial", "gaussian", "uniform"), default="none")
    command.add_argument("--defence-eps", type=number(0), default=0.1,
                         help="ε of adversarial or uniform (default: 0.1)")
    command.add_argument("--defence-steps", type=whole(), default=7, help="inner steps of adversarial (default: 7)")
    command.add_argument("--defence-step-size", type=number(0), help="of adversarial (default: 2.5·ε/steps)")
    command.add_argument("--defence-objective", default="margin", help="inner objective: margin, or train as the paper")
    command.add_argument("--sigma", type=number(0), default=0.1, help="of gaussian, in pixel units (default: 0.1)")
    command.add_argument("--n", type=whole(), help="train on so many images only")
    command.add_argument("--eps", type=number(0), nargs="*",
                         help="radii measured for the card (default: "
                         "the data set's, such as 0.1 0.2 0.3 of MNIST)")
    command.add_argument("--attacked", type=whole(), default=1000,
                         help="test images attacked for the card (default: 1000)")
    command.add_argument("--seeds", type=whole(), default=1, help="train so many seeds; the first is kept (default: 1)")
    command.add_argument("--store", choices=("float32", "float16"), default="float32", help="how weights are stored")
    command.add_argument("--name", help="of the system (default: DATA-TASK)")
    command.add_argument("--to", type=Path, default=Path(), help="folder of NAME.safetensors and NAME.md (default: .)")
    command.add_argument("--run", type=Path, dest="folder", help="folder of the run, to go on after a stop "
                         "(default: runs/NAME)")
    add_common(command)
    command.set_defaults(call=run)


def run(args: argparse.Namespace) -> int:
    """Train each seed, measure the first, write file and card; Ctrl-C leaves a run that goes on."""
    import torch

    from tasklab import data
    from tasklab.data.info import info_of
    from tasklab.evaluation.cards import card_markdown, circumstances, measure
    from tasklab.system import System

    with usage():  # now, rather than after the work
        info = info_of(args.data)
        radii = list(info.radii.measured if args.eps is None else args.eps)
        card_attacks(radii)
        task, recipe = _task(args, info.num_classes), _recipe(args)
        name = f"{args.data}-{task.name}" if args.name is None else args.name
        file = check_file(args.to, name, ".safetensors", ".md")
        folder = check_folder(args.folder or Path("runs") / name)
    sweep(args.to, [f"{name}.safetensors", f"{name}.md"])
    train, validation, test = (data.load(args.data, split, root=args.root) for split in ("train", "validation", "test"))
    train = train.subset(args.n) if args.n else train
    bar = Bar()
    systems = []
    for seed in range(args.seed, args.seed + args.seeds):
        own = dataclasses.replace(recipe, seed=seed)
        where = folder if seed == args.seed else folder.with_name(f"{folder.name}-seed{seed}")
        trained = _train(args, task, train, validation, own, where, bar)
        if trained is None:
            bar.say(f"stopped; the same command goes on from {where}")
            return 130
        systems.append(trained)
    system, events = systems[0]
    accuracies = {str(s): _accuracy(each, test) for s, (each, _) in enumerate(systems, start=args.seed)}
    best = max(event["epoch"] for event in events if event["best"])
    system.card = {
        "name": name,
        "data": {"name": train.name, "train": len(train), "test": len(test)},
        "recipe": recipe.to_dict(),
        "epoch": best,
        "seconds": events[-1]["seconds"],
        "device": str(system.device) if system.device.type == "cpu" else torch.cuda.get_device_name(system.device),
        "seeds": accuracies,
        "float32_accuracy": accuracies[str(args.seed)],
        "command": _command(args),
    } | circumstances()
    system.save(file, dtype=args.store)
    stored = System.load(file).to(args.device)  # what is measured is what is shipped
    stored.card["metrics"] = measure(
        stored, test, eps=radii, attacked=args.attacked, seed=args.seed, progress=bar.evaluation
    )
    bar.clear()
    stored.save(file, dtype=args.store)
    page = card_markdown(stored.card)
    files.write_text(args.to / f"{name}.md", page)
    if args.json:
        print_json(stored.card)
    else:
        say(page)
    return 0


def _train(
    args: argparse.Namespace, task: Task, train: ImageSet, validation: ImageSet, recipe: Recipe, folder: Path, bar: Bar
) -> tuple[System, list[dict[str, Any]]] | None:
    """The trained system and its epochs' events, or None when interrupted."""
    from tasklab.cli.common import on_device
    from tasklab.system import new_system
    from tasklab.training import EpochEvent, Run, fit

    with usage():
        untrained = new_system(
            task, train, arch=args.arch, width=args.width, stairs=args.stairs, seed=recipe.seed,
            contrast=tuple(args.contrast) if args.contrast else None,
        )
    system = on_device(untrained, args.device)
    events = fit(system, train, recipe, validation=validation, run=folder)
    with _interrupted() as stop:
        for event in events:
            if isinstance(event, EpochEvent):
                bar.say(_line(event))
            else:
                left = event.seconds / event.step * (event.steps - event.step)
                bar.show(event.step, event.steps, f"epoch {event.epoch}, loss {event.loss:.4g}, {left:.0f} s left")
            if stop:
                events.close()
                bar.clear()
                return None
    bar.clear()
    return system, Run(folder).events()


@contextmanager
def _interrupted() -> Iterator[list[int]]:
    """A list that is no longer empty after a first Ctrl-C; a second one interrupts at once."""
    seen: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if seen:
            interrupt(number, frame)
        seen.append(number)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, before)


def _task(args: argparse.Namespace, num_classes: int) -> Task:
    from tasklab.tasks import make_task

    given = {name: getattr(args, name) for name in TASK_SETTINGS if getattr(args, name) is not None}
    return make_task(args.task, num_classes=num_classes, **given)


def _recipe(args: argparse.Namespace) -> Recipe:
    from tasklab.training import Recipe

    given = {name: getattr(args, name) for name in RECIPE_SETTINGS if getattr(args, name) is not None}
    return Recipe(flip=args.flip, defence=_defence(args), seed=args.seed, **given)


def _defence(args: argparse.Namespace) -> Defence | None:
    from tasklab.training import Adversarial, GaussianNoise, UniformNoise

    if args.defence == "adversarial":
        return Adversarial(
            eps=args.defence_eps, steps=args.defence_steps, step_size=args.defence_step_size,
            objective=args.defence_objective,
        )
    if args.defence == "gaussian":
        return GaussianNoise(sigma=args.sigma)
    return UniformNoise(eps=args.defence_eps) if args.defence == "uniform" else None


def _accuracy(system: System, test: ImageSet) -> float:
    decoded = system.predict(test.x().to(system.device)).cpu()
    return float((decoded == test.labels).float().mean())


def _line(event: Any) -> str:
    words = f"epoch {event.epoch}/{event.epochs}: loss {event.loss:.4g}, validation {100 * event.accuracy:.2f} %"
    if event.robust_accuracy is not None:
        words += (f", PGD on margin {100 * event.robust_accuracy:.1f} %, on own loss "
                  f"{100 * event.own_loss_accuracy:.1f} %, inner gradient zero {100 * event.zero_gradient_share:.1f} %")
    return words + f" ({event.seconds:.0f} s)" + (" *" if event.best else "")


def _command(args: argparse.Namespace) -> str:
    """The command as given, less what only says where files lie."""
    words, local = [], {"--root", "--run", "--device"}
    given = iter(sys.argv[1:])
    for word in given:
        if word.split("=")[0] in local:
            if "=" not in word:
                next(given, None)
        else:
            words.append(word)
    return shlex.join(["tasklab", *words])


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
