"""Jobs of kind "train": train a system, measure it, and keep it with its card as ``system.safetensors``."""

from __future__ import annotations

import dataclasses
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from tasklab import data
from tasklab.data import ImageSet
from tasklab.evaluation.cards import circumstances, measure
from tasklab.models.registry import ARCHITECTURES
from tasklab.models.spec import NetworkSpec
from tasklab.system import System, new_system
from tasklab.tasks import RBC, Task
from tasklab.training import Adversarial, EpochEvent, Recipe, Run, StepEvent, Watch, fit

RESULT = "system.safetensors"
STEPS = 200
"""About how many steps of a training are logged."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """Everything that fixes a training, and what is measured of its result.

    Args:
        name: of the system.
        data: the set.
        n: train on so many images only; None for all.
        task, recipe: what is trained, and how.
        arch, width, stairs, contrast: of the network; see `tasklab.system.new_system`.
        device: ``"cpu"`` or ``"cuda"``.
        watch: what is measured after each epoch, None for nothing but the clean accuracy.
        eps: radii measured for the card.
        attacked: test images attacked for the card.
    """

    name: str = "my-system"
    data: str = "digits"
    n: int | None = None
    task: Task = field(default_factory=RBC)
    recipe: Recipe = field(default_factory=lambda: Recipe(epochs=20, batch_size=32, average=0.99))
    arch: str = "small_cnn"
    width: int = 32
    stairs: int | None = None
    contrast: tuple[float, float] | None = None
    device: str = "cpu"
    watch: Watch | None = None
    eps: tuple[float, ...] = (0.1, 0.2, 0.3)
    attacked: int = 200

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name or self.name != Path(self.name).name:
            raise ValueError(f"expected a name that can be a file's, got {self.name!r}; try 'my-system'")
        if self.data not in data.DATASETS:
            raise ValueError(f"expected a data set, one of {', '.join(data.DATASETS)}, got {self.data!r}")
        info = data.DATASETS[self.data]
        if self.task.num_classes != info.num_classes:
            raise ValueError(f"expected a task with num_classes={info.num_classes}, got {self.task.num_classes}")
        for name, low in (("n", self.recipe.batch_size), ("attacked", 1)):
            value = getattr(self, name)
            if value is None and name == "n":
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < low:
                raise ValueError(f"expected {name} as an integer ≥ {low}, got {value!r}")
        if self.arch not in ARCHITECTURES:
            raise ValueError(f"expected arch to be one of {', '.join(ARCHITECTURES)}, got {self.arch!r}")
        NetworkSpec(  # its errors are raised now, too
            arch=self.arch, in_shape=info.shape, outputs=self.task.width, mean=(0.5,) * info.shape[0],
            std=(0.5,) * info.shape[0], width=self.width, stairs=self.stairs or 0,
        )
        for radius in self.eps:
            Watch(eps=radius)  # its errors are raised now

    def to_dict(self) -> dict[str, Any]:
        """A plain dict (JSON-safe) that `from_dict` reads."""
        told = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return told | {
            "task": self.task.to_dict(), "recipe": self.recipe.to_dict(), "eps": list(self.eps),
            "watch": dataclasses.asdict(self.watch) if self.watch else None,
        }

    @staticmethod
    def from_dict(settings: dict[str, Any]) -> Training:
        """The training that `to_dict` described; what is left out has its default.

        Raises:
            ValueError: an unknown setting, or a value that is refused.
        """
        known = {f.name for f in dataclasses.fields(Training)}
        if unknown := sorted(settings.keys() - known):
            raise ValueError(f"expected settings among {', '.join(sorted(known))}, got {', '.join(unknown)}")
        found = dict(settings)
        if "task" in found:
            found["task"] = Task.from_dict(found["task"])
        if "recipe" in found:
            found["recipe"] = Recipe.from_dict(found["recipe"])
        if found.get("watch") is not None:
            found["watch"] = Watch(**found["watch"])
        if "eps" in found:
            found["eps"] = tuple(float(radius) for radius in found["eps"])
        if found.get("contrast") is not None:
            found["contrast"] = tuple(float(value) for value in found["contrast"])
        return Training(**found)

    def begin(self) -> tuple[System, ImageSet, ImageSet]:
        """The untrained system on its device, the training images and the validation images."""
        train, validation = (data.load(self.data, split) for split in ("train", "validation"))
        train = train.subset(min(self.n, len(train))) if self.n else train
        untrained = new_system(
            self.task, train, arch=self.arch, width=self.width, stairs=self.stairs, contrast=self.contrast,
            seed=self.recipe.seed,
        )
        try:
            return untrained.to(self.device), train, validation
        except (RuntimeError, AssertionError):
            raise ValueError(f"expected a device of this machine, got {self.device!r}; try 'cpu'") from None

    def command(self) -> str:
        """The same on the command line."""
        words = ["tasklab", "train", "--data", self.data, "--task", self.task.name, "--name", self.name]
        words += _flags(self.task, type(self.task)(num_classes=self.task.num_classes), {"num_classes"})
        words += _flags(self.recipe, Recipe(), {"defence", "flip", "seed"}) + ["--flip"] * self.recipe.flip
        words += _flags(self, Training(), {"name", "data", "task", "recipe", "device", "watch", "eps", "attacked"})
        if self.recipe.defence is not None:
            words += ["--defence", self.recipe.defence.name]
            for name, value in dataclasses.asdict(self.recipe.defence).items():
                if value is not None:
                    words += ["--sigma" if name == "sigma" else f"--defence-{name.replace('_', '-')}", str(value)]
        words += ["--seed", str(self.recipe.seed), "--attacked", str(self.attacked), "--eps", *map(str, self.eps)]
        return shlex.join(words)

    def to_code(self) -> str:
        """Python that trains the same system with the library alone and prints what happens.

        >>> print(Training(name="mine", n=300).to_code().splitlines()[4])
        train = load_data("digits").subset(300)
        """
        classes = self.task.num_classes
        given = _arguments(self.task, type(self.task)(num_classes=classes))
        given |= {"num_classes": classes} if classes != Task.num_classes else {}
        network = {name: value for name, value in _arguments(self, Training()).items()
                   if name in ("arch", "width", "stairs", "contrast")} | {"seed": self.recipe.seed}
        recipe = _arguments(self.recipe, Recipe())
        watch = f", watch=Watch({_written(dataclasses.asdict(self.watch))})" if self.watch else ""
        imported = [type(self.task).__name__, "Recipe", "fit", "load_data", "new_system"]
        imported += [type(self.recipe.defence).__name__] if self.recipe.defence else []
        imported.sort(key=lambda name: (name.islower(), not name.isupper(), name))
        return "\n".join([
            f"from tasklab import {', '.join(imported)}",
            "from tasklab.training import EpochEvent" + (", Watch" if self.watch else ""),
            "",
            f"task = {type(self.task).__name__}({_written(given)})",
            f'train = load_data("{self.data}")' + (f".subset({self.n})" if self.n else ""),
            f'validation = load_data("{self.data}", "validation")',
            f"system = new_system(task, train, {_written(network)})",
            f"recipe = Recipe({_written(recipe)})",
            "",
            "epochs = []",
            f"for event in fit(system, train, recipe, validation=validation{watch}):",
            "    if isinstance(event, EpochEvent):",
            "        epochs.append(event)",
            "        print(event.epoch, event.accuracy, event.own_loss_accuracy, event.robust_accuracy)",
            "",
            f'system.card = {{"name": "{self.name}", "data": {{"name": "{self.data}"}}}}',
            f'system.save("{self.name}.safetensors")',
        ])


def check(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a `Training`, as a plain dict with every default filled in."""
    return Training.from_dict(settings).to_dict()


def run(settings: dict[str, Any], folder: Path) -> Iterator[dict[str, Any]]:
    """Train in ``folder/run``, measure, and write ``folder/system.safetensors``.

    Yields:
        ``step`` and ``epoch`` events with the fields of `StepEvent` and `EpochEvent`, then ``measure`` for each radius.
    """
    chosen = Training.from_dict(settings)
    done = {"event": "result", "progress": 1.0, "message": f"{chosen.name} is trained and measured", "file": RESULT}
    if (folder / RESULT).exists():  # stopped just after its end
        yield done
        return
    system, train, validation = chosen.begin()
    test = data.load(chosen.data, "test")
    run_folder = Run(folder / "run")
    logged = _epochs_logged(folder)
    events = fit(system, train, chosen.recipe, validation=validation, run=run_folder.folder, watch=chosen.watch)
    share = _share_of_training(chosen, len(train))
    per_epoch = len(train) // chosen.recipe.batch_size
    for row in run_folder.events():
        if row["epoch"] not in logged:  # killed between the checkpoint and the log
            yield _epoch(row, per_epoch, share)
    every = max(1, per_epoch * chosen.recipe.epochs // STEPS)
    try:
        for event in events:
            if isinstance(event, EpochEvent):
                yield _epoch(dataclasses.asdict(event), per_epoch, share)
            elif event.step % every == 0 or event.step == 1:
                yield _step(event, per_epoch, share)
    finally:
        events.close()
    rows = run_folder.events()
    system.card = _card(chosen, system, train, test, rows)
    metrics: list[dict[str, Any]] = []
    yield {"event": "measure", "progress": share, "message": f"{chosen.name} reads the {len(test)} test images"}
    for place, radius in enumerate((None, *chosen.eps)):
        found = measure(system, test, eps=[radius] if radius else [], attacked=chosen.attacked, seed=chosen.recipe.seed)
        metrics += found if radius is None else found[1:]
        yield {"event": "measure", "progress": round(share + (1 - share) * (place + 1) / (len(chosen.eps) + 2), 4),
               "message": f"{chosen.name} under attack" + (f", ε = {radius:g}" if radius else "")}
    system.card |= {"metrics": metrics, "float32_accuracy": metrics[0]["accuracy"],
                    "seeds": {str(chosen.recipe.seed): metrics[0]["accuracy"]}}
    system.save(folder / RESULT)
    yield done
    shutil.rmtree(run_folder.folder, ignore_errors=True)


def _epochs_logged(folder: Path) -> set[int]:
    from tasklab.jobs.folder import Job, JobError

    try:
        events = [event for event in Job(folder).events() if event["event"] == "epoch"]
    except JobError:
        return set()
    return {event["epoch"] for event in events if isinstance(event.get("epoch"), int)}


def _step(event: StepEvent, per_epoch: int, share: float) -> dict[str, Any]:
    message = f"epoch {event.epoch} of {event.steps // per_epoch}, loss {event.loss:.3g}"
    progress = round(share * event.step / event.steps, 4)
    return {"event": "step", "progress": progress, "message": message} | dataclasses.asdict(event)


def _epoch(row: dict[str, Any], per_epoch: int, share: float) -> dict[str, Any]:
    accuracy = f"{100 * row['accuracy']:.1f} % of the validation images read correctly"
    message = f"epoch {row['epoch']} of {row['epochs']} done, {accuracy}"
    progress = round(share * row["epoch"] / row["epochs"], 4)
    step = row["epoch"] * per_epoch + 0.5  # after the epoch's last step
    return {"event": "epoch", "step": step, "progress": progress, "message": message} | row


def _share_of_training(chosen: Training, n: int) -> float:
    """About which part of the whole time goes into training, by images passed; the rest is measuring."""
    steps = chosen.recipe.defence.steps if isinstance(chosen.recipe.defence, Adversarial) else 0
    watched = 2 * chosen.watch.images * chosen.watch.steps if chosen.watch else 0
    training = chosen.recipe.epochs * (n * (1 + steps) + watched)
    measuring = len(chosen.eps) * chosen.attacked * (60 + 40 * chosen.task.width)
    return round(training / (training + measuring / 8), 4)  # large batches, and many images leave early


def _card(
    chosen: Training, system: System, train: ImageSet, test: ImageSet, rows: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "name": chosen.name,
        "data": {"name": train.name, "train": len(train), "test": len(test)},
        "recipe": chosen.recipe.to_dict(),
        "epoch": max(row["epoch"] for row in rows if row["best"]),
        "seconds": rows[-1]["seconds"],
        "device": str(system.device) if system.device.type == "cpu" else torch.cuda.get_device_name(system.device),
        "command": chosen.command(),
    } | circumstances()


def _arguments(given: object, usual: object) -> dict[str, Any]:
    """The settings that differ from the usual ones."""
    names = [each.name for each in dataclasses.fields(given)]  # type: ignore[arg-type]
    return {name: getattr(given, name) for name in names if getattr(given, name) != getattr(usual, name)}


def _written(settings: dict[str, Any]) -> str:
    """Settings as they are written in a call."""
    return ", ".join(f"{name}={_quoted(value)}" for name, value in settings.items())


def _quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _flags(given: object, usual: object, left_out: set[str]) -> list[str]:
    """The settings that differ from the usual ones, as options of the command line."""
    words = []
    for name, value in _arguments(given, usual).items():
        if name not in left_out and value is not None:
            words += ["--" + name.replace("_", "-"), *map(str, value if isinstance(value, tuple) else (value,))]
    return words
