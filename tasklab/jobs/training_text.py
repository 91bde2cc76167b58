"""A training run as text: the command that does exactly the same, and Python that trains the same system."""

from __future__ import annotations

import dataclasses
import json
import shlex
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tasklab.tasks import Task
from tasklab.training import Recipe
from tasklab.zoo import SUFFIX

if TYPE_CHECKING:
    from tasklab.jobs.training_settings import Training

NO_OPTION = {"name", "data", "task", "recipe", "device", "watch", "eps", "attacked", "start", "start_file"}
"""Settings that have no option of their own name, or one that is always written."""


def as_command(training: Training, *, threads: int | None = None) -> str:
    """The command that trains and measures the same system; it does not name folders of files.

    Args:
        training: the training run.
        threads: of the computation, on which the last digits of the weights may depend; None leaves them open.
    """
    task, recipe = training.task, training.recipe
    words = ["tasklab", "train", "--data", training.data, "--task", task.name, "--name", training.name]
    words += _options(task, type(task)(num_classes=task.num_classes), {"num_classes"})
    words += _options(recipe, Recipe(), {"defence", "flip", "seed"}) + ["--flip"] * recipe.flip
    words += _options(training, type(training)(), NO_OPTION)
    words += ["--from", training.start] if training.start is not None else []
    if recipe.defence is not None:
        words += ["--defence", recipe.defence.name]
        for name, value in dataclasses.asdict(recipe.defence).items():
            if value is not None:
                words += ["--sigma" if name == "sigma" else f"--defence-{name.replace('_', '-')}", *_words(value)]
    if training.watch is not None:
        words += ["--watch", *_words(training.watch.eps), "--watch-steps", str(training.watch.steps),
                  "--watch-images", str(training.watch.images)]
    words += ["--device", training.device] * (training.device != "cpu")
    words += ["--threads", str(threads)] if threads is not None else []
    words += ["--seed", str(recipe.seed), "--attacked", str(training.attacked), "--eps"]
    return shlex.join(words + [word for radius in training.eps for word in _words(radius)])


def as_code(training: Training) -> str:
    """Python that trains the same system with the library alone and prints what happens."""
    classes, recipe = training.task.num_classes, training.recipe
    settings = _arguments(training.task, type(training.task)(num_classes=classes))
    settings |= {"num_classes": classes} if classes != Task.num_classes else {}
    watch = f", watch=Watch({_written(dataclasses.asdict(training.watch))})" if training.watch else ""
    devices = f", devices={training.devices}" if training.devices > 1 else ""
    imported = [type(training.task).__name__, "Recipe", "fit", "load_data"]
    imported += ["new_system"] if training.start is None else ["System" if _is_file(training.start) else "load"]
    imported += [type(recipe.defence).__name__] if recipe.defence else []
    imported.sort(key=lambda name: (name.islower(), not name.isupper(), name))
    return "\n".join([
        f"from tasklab import {', '.join(imported)}",
        "from tasklab.training import EpochEvent" + ", Watch" * bool(training.watch)
        + ", start_from" * bool(training.start),
        "",
        f"task = {type(training.task).__name__}({_written(settings)})",
        f'train = load_data("{training.data}")' + (f".subset({training.n})" if training.n else ""),
        f'validation = load_data("{training.data}", "validation")',
        *_beginning(training),
        f"recipe = Recipe({_written(_arguments(recipe, Recipe()))})",
        "",
        "epochs = []",
        f"for event in fit(system, train, recipe, validation=validation{watch}{devices}):",
        "    if isinstance(event, EpochEvent):",
        "        epochs.append(event)",
        "        print(event.epoch, event.accuracy, event.own_loss_accuracy, event.robust_accuracy)",
        "",
        f'system.card = {{"name": "{training.name}", "data": {{"name": "{training.data}"}}}}',
        f'system.save("{training.name}.safetensors")',
    ])


def _beginning(training: Training) -> list[str]:
    """The lines that make the system to train."""
    seed = {"seed": training.recipe.seed}
    if training.start is None:
        network = {name: value for name, value in _arguments(training, type(training)()).items()
                   if name in ("arch", "width", "contrast")}
        return [f"system = new_system(task, train, {_written(network | seed)})"]
    read = "System.load" if _is_file(training.start) else "load"
    return [f"base = {read}({_quoted(training.start)})", "base.network.requires_grad_(True)",
            f"system = start_from(base, task, train, {_written(seed)})"]


def _is_file(system: str) -> bool:
    return system.endswith(SUFFIX)


def _arguments(settings: object, usual: object) -> dict[str, Any]:
    """The settings that differ from the usual ones."""
    names = [each.name for each in dataclasses.fields(settings)]  # type: ignore[arg-type]
    return {name: getattr(settings, name) for name in names if getattr(settings, name) != getattr(usual, name)}


def _written(settings: dict[str, Any]) -> str:
    """Settings as they are written in a call."""
    return ", ".join(f"{name}={_quoted(value)}" for name, value in settings.items())


def _quoted(value: object) -> str:
    """A value as it is written in Python.

    >>> print(_quoted('a "new" one'), _quoted("train"), _quoted(0.1))
    "a \\"new\\" one" "train" 0.1
    """
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _options(settings: object, usual: object, left_out: set[str]) -> list[str]:
    """The settings that differ from the usual ones, as options of the command line."""
    words = []
    for name, value in _arguments(settings, usual).items():
        if name not in left_out and value is not None:
            words += ["--" + name.replace("_", "-"), *_words(value)]
    return words


def _words(value: object) -> list[str]:
    """A value as the words of an option: a code matrix as rows of bits, a negative number without an exponent.

    >>> _words((0.3, 0.7)), _words(((0, 1), (1, 0))), _words(-1e-5)
    (['0.3', '0.7'], ['01,10'], ['-0.00001'])
    """
    if isinstance(value, tuple) and all(isinstance(row, tuple) for row in value):
        return [",".join("".join(map(str, row)) for row in value)]
    if isinstance(value, tuple):
        return [word for each in value for word in _words(each)]
    if isinstance(value, float) and value < 0:  # which argparse would take for an option
        return [format(Decimal(repr(value)), "f")]
    return [str(value)]
