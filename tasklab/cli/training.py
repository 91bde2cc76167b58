"""``tasklab train``: train a system, measure it, and write it with its card."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasklab import files
from tasklab.cli.common import add_common, print_json
from tasklab.cli.following import View, add_ray, executor_of
from tasklab.cli.options import number, whole
from tasklab.console import complain, say, usage
from tasklab.files import check_file, check_folder
from tasklab.leftovers import sweep

if TYPE_CHECKING:
    from tasklab.jobs.training import Training
    from tasklab.tasks import Task
    from tasklab.training import Defence, Recipe

def _code(text: str) -> str | list[list[int]]:
    """The name of a code, or its matrix: a row of bits for each class, with commas between them."""
    if "," in text and set(text) <= set("01,"):
        return [[int(bit) for bit in row] for row in text.split(",")]
    if len(text) > 40:
        raise argparse.ArgumentTypeError("expected the name of a code, or its rows such as 00,01,10, got neither")
    return text


RECIPE_SETTINGS: dict[str, Callable[[str], Any]] = {
    "epochs": whole(), "batch_size": whole(2), "optimizer": str, "lr": number(0), "warmup": number(0, 1),
    "weight_decay": number(0), "crop": whole(0), "average": number(0, 1), "inset": number(0, 0.5), "precision": str,
}

RECIPE_WORDS = {
    "epochs": "passes over the training images (default: 4)",
    "batch_size": "images in each step (default: 128)",
    "optimizer": "adamw or sgd (default: adamw)",
    "lr": "the peak of the learning rate, which rises and then falls to 0 (default: 0.003)",
    "warmup": "the share of all steps in which the learning rate rises (default: 0.25)",
    "weight_decay": "how strongly weights are drawn towards 0 (default: 0.01)",
    "crop": "pad images by this many pixels and crop at random (default: 0)",
    "average": "decay of a moving average of the weights, which then is the result; 0 for none (default: 0.0)",
    "inset": "for intervals: aim this far inside their ends, as a share of β (default: 0.0)",
    "precision": "of the training passes: float32, bfloat16, or auto for the quicker one (default: auto)",
}
"""Help on each setting of the recipe, with its default; it is written here since importing the recipe imports torch."""


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    command = commands.add_parser("train", help="train a system, measure it, write it with its card",
                                  late=add_task)
    add_settings(command)
    command.add_argument("--seeds", type=whole(), default=1, help="train this many seeds, keep the first (default: 1)")
    command.add_argument("--to", type=Path, default=Path(), help="folder of NAME.safetensors and NAME.md (default: .)")
    command.add_argument("--run", type=Path, dest="folder", help="folder of the run, to go on after a stop "
                         "(default: runs/NAME)")
    add_ray(command)
    command.set_defaults(call=run)


def add_settings(command: argparse.ArgumentParser) -> None:
    """Add the settings of a training run, except those of the task; see `add_task` and `described`.

    Args:
        command: that gets the options.
    """
    command.add_argument("--data", default="digits", help="digits, mnist, cifar10, cifar100 (default: digits)")
    command.add_argument("--from", dest="start", metavar="SYSTEM",
                         help="start from this trained system's trunk: a name, or a file (default: fresh weights)")
    command.add_argument("--arch", help="network (default: small_cnn, or that of --from)")
    command.add_argument("--width", type=whole(), help="of small_cnn and mlp (default: 32, or that of --from)")
    command.add_argument("--contrast", type=number(), nargs=2, metavar=("LOW", "HIGH"),
                         help="stretch grey values between these (default: leave them)")
    for name, kind in RECIPE_SETTINGS.items():
        command.add_argument(_flag(name), dest=name, type=kind, help=RECIPE_WORDS[name])
    command.add_argument("--flip", action="store_true", help="mirror half of the training images")
    command.add_argument("--defence", choices=("none", "adversarial", "gaussian", "uniform"), default="none",
                         help="train on images that were attacked, or on images with noise (default: none)")
    command.add_argument("--defence-eps", type=number(0), default=0.1,
                         help="ε of adversarial or uniform (default: 0.1)")
    command.add_argument("--defence-steps", type=whole(), default=7, help="inner steps of adversarial (default: 7)")
    command.add_argument("--defence-step-size", type=number(0), help="of adversarial (default: 2.5·ε/steps)")
    command.add_argument("--defence-objective", default="margin", help="inner objective: margin, or train as the paper")
    command.add_argument("--defence-plan", choices=("plain", "folded", "bfloat16"),
                         help="copy of the network that the inner attack runs on (default: the quickest)")
    command.add_argument("--sigma", type=number(0), default=0.1, help="of gaussian, in pixel units (default: 0.1)")
    command.add_argument("--n", type=whole(), help="train on the first N images only (default: all)")
    command.add_argument("--eps", type=number(0), nargs="*",
                         help="radii measured for the card (default: "
                         "the data set's, such as 0.1 0.2 0.3 of MNIST)")
    command.add_argument("--attacked", type=whole(), default=1000,
                         help="test images attacked for the card (default: 1000)")
    command.add_argument("--watch", type=number(0), metavar="EPS",
                         help="after each epoch, attack validation images with this ε; adversarial training keeps the "
                         "epoch that does best (default: only if adversarial, with its ε)")
    command.add_argument("--watch-steps", type=whole(), default=20, help="of these attacks (default: 20)")
    command.add_argument("--watch-images", type=whole(), default=500, help="validation images (default: 500)")
    command.add_argument("--store", choices=("float32", "float16"), default="float32", help="how weights are stored")
    command.add_argument("--name", help="of the system (default: DATA-TASK)")
    command.add_argument("--threads", type=whole(1, 256),
                         help="of the computation; the last digits of the weights may depend on them (default: "
                         "PyTorch's)")
    command.add_argument("--devices", type=whole(), default=1, help="train on this many of the machine's GPUs, or in "
                         "this many processes on the CPU; needs Lightning Fabric (default: 1)")
    add_common(command)


PARAMETRISATION = ("scaled: the output layer is scaled by S or by the length of the line, and the loss is divided by "
                   "the square of that; paper: neither (default: scaled)")


def add_task(command: argparse.ArgumentParser) -> None:
    """Add the task and the settings of every registered task; listing them imports torch."""
    from tasklab.tasks import TASKS

    names = ", ".join(f"{name} ({kind.long_name})" for name, kind in TASKS.items())
    command.add_argument("--task", default="rbc", help=f"{names} (default: rbc)")
    for name, kind in task_settings().items():
        owners: dict[str, list[str]] = {}
        for key, task in TASKS.items():
            if name in task.asked():
                owners.setdefault(task.asked()[name].help, []).append(key)
        words = " ".join(f"of {', '.join(keys)}. {help_}" for help_, keys in owners.items()) or PARAMETRISATION
        command.add_argument(_flag(name), dest=name, type=kind, help=words.replace("%", "%%"))


def task_settings() -> dict[str, Callable[[str], Any]]:
    """How the settings of the registered tasks are read from the command line."""
    from tasklab.tasks import TASKS

    readers: dict[str, Callable[[str], Any]] = {"parametrisation": str}
    for task in TASKS.values():
        for name, asked in task.asked().items():
            low = -math.inf if asked.low is None else asked.low
            kinds: dict[str, Callable[[str], Any]] = {
                "number": number(low, above=asked.above), "whole": whole(int(asked.low or 0)),
                "text": _code if name == "code" else str,
            }
            readers.setdefault(name, kinds[asked.kind])
    return readers


def run(args: argparse.Namespace) -> int:
    """Train each seed, measure the first, and write file and card; after Ctrl-C the same command resumes the run."""
    from tasklab.jobs.seeding import names_of, train_seeds
    from tasklab.jobs.training import RESULT

    with usage():  # now, rather than after the work
        training = described(args)
        file = check_file(args.to, training.name, ".safetensors", ".md")
        folder = check_folder(args.folder or Path("runs") / training.name).resolve()
    executor = executor_of(args, threads=args.threads)
    sweep(args.to, [file.name, file.with_suffix(".md").name])
    names = names_of(training)
    trained = names[:-1] or names  # where there are several, the last one only measures
    view = View(dict.fromkeys(names, 1.0), as_json=args.json, brief=len(names) == 1 and args.ray is None,
                line=lambda event: _line(event) if event["event"] == "epoch" and event["name"] in trained else "")
    try:
        view.follow(train_seeds(training, folder, executor))
    except KeyboardInterrupt:
        complain("stopped; the same command goes on from there")
        return 130
    made = folder / training.name / RESULT
    if not made.is_file():
        raise RuntimeError(f"expected {training.name}, got none, as a training run was not made; the same command "
                           "tries it again")
    files.write_bytes(file, made.read_bytes())
    _write_card(args, file)
    return 0


def _write_card(args: argparse.Namespace, file: Path) -> None:
    """Write the card of a finished system beside it, and print it."""
    from tasklab.checkpoint import read_card
    from tasklab.evaluation.cards import card_markdown

    card = read_card(file)
    page = card_markdown(card)
    files.write_text(file.with_suffix(".md"), page)
    if args.json:
        print_json(card)
    else:
        say(page)


def described(args: argparse.Namespace) -> Training:
    """The training run that the options of `add_settings` and `add_task` describe."""
    from tasklab.data.info import info_of
    from tasklab.jobs.training import Training
    from tasklab.training import Watch

    info = info_of(args.data)
    task = _task(args, info.num_classes)
    watch = None if args.watch is None else Watch(eps=args.watch, steps=args.watch_steps, images=args.watch_images)
    return Training(
        name=f"{args.data}-{task.name}" if args.name is None else args.name, data=args.data, n=args.n, task=task,
        recipe=_recipe(args), start=args.start, device=args.device, watch=watch, devices=args.devices,
        eps=tuple(info.radii.measured if args.eps is None else args.eps), attacked=args.attacked, seeds=args.seeds,
        store=args.store, **_network(args),
    )


def _network(args: argparse.Namespace) -> dict[str, Any]:
    """Architecture, width and contrast as given; otherwise those of the system to start from, or the usual ones."""
    asked = {"arch": args.arch, "width": args.width, "contrast": tuple(args.contrast) if args.contrast else None}
    usual: dict[str, Any] = {}
    if args.start is not None:
        from tasklab import zoo
        from tasklab.checkpoint import read_card

        network = read_card(zoo.find(args.start), whole=False)["network"]
        usual = {"arch": network["arch"], "width": network["width"],
                 "contrast": network["contrast"] and tuple(network["contrast"])}
    return usual | {name: value for name, value in asked.items() if value is not None}


def _task(args: argparse.Namespace, num_classes: int) -> Task:
    from tasklab.tasks import make_task

    settings = {name: getattr(args, name) for name in task_settings() if getattr(args, name) is not None}
    return make_task(args.task, num_classes=num_classes, **settings)


def _recipe(args: argparse.Namespace) -> Recipe:
    from tasklab.training import Recipe

    settings = {name: getattr(args, name) for name in RECIPE_SETTINGS if getattr(args, name) is not None}
    return Recipe(flip=args.flip, defence=_defence(args), seed=args.seed, **settings)


def _defence(args: argparse.Namespace) -> Defence | None:
    from tasklab.training import Adversarial, GaussianNoise, UniformNoise

    if args.defence == "adversarial":
        return Adversarial(
            eps=args.defence_eps, steps=args.defence_steps, step_size=args.defence_step_size,
            objective=args.defence_objective, plan=args.defence_plan,
        )
    if args.defence == "gaussian":
        return GaussianNoise(sigma=args.sigma)
    return UniformNoise(eps=args.defence_eps) if args.defence == "uniform" else None


def _line(event: dict[str, Any]) -> str:
    words = (f"epoch {event['epoch']}/{event['epochs']}: loss {event['loss']:.4g}, "
             f"validation {100 * event['accuracy']:.2f} %")
    if event["robust_accuracy"] is not None:
        words += (f", PGD on margin {100 * event['robust_accuracy']:.1f} %, "
                  f"on training loss {100 * event['own_loss_accuracy']:.1f} %")
    if event["zero_gradient_share"] is not None:
        words += f", inner gradient zero {100 * event['zero_gradient_share']:.1f} %"
    return words + f" ({event['seconds']:.0f} s)" + (" *" if event["best"] else "")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
