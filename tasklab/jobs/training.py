"""Jobs of kind "train": train a system, measure it, and keep it with its card.

Both the app's jobs and ``tasklab train`` run `train`; systems with a card are trained nowhere else.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import tempfile
from collections.abc import Callable, Collection, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tasklab import data
from tasklab.attacks.presets import card_attacks
from tasklab.data import ImageSet
from tasklab.evaluation.cards import circumstances, stream_measure
from tasklab.evaluation.robustness import Progress
from tasklab.jobs.kinds import watching
from tasklab.jobs.training_settings import Store, Training
from tasklab.models.fast import Plan
from tasklab.system import System
from tasklab.training import Adversarial, EpochEvent, Run, StepEvent, fit
from tasklab.training.defences import PLANS

__all__ = ["RESULT", "Training", "check", "run", "seed_folder", "train", "train_seed"]

RESULT = "system.safetensors"
STEPS = 200
"""About how many steps of a training run are logged."""

Event = dict[str, Any]


def check(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a `Training`, as a plain dict with every default filled in."""
    return Training.from_dict(settings).to_dict()


def run(settings: dict[str, Any], folder: Path) -> Iterator[Event]:
    """`train` in ``folder/run``, and write ``folder/system.safetensors``.

    Yields:
        The events of `train`, but only some of the steps.
    """
    chosen = Training.from_dict(settings)
    if not (folder / RESULT).exists():  # else it was stopped just after its end
        with contextlib.closing(
            train(chosen, runs=folder / "run", file=folder / RESULT, logged=_epochs_logged(folder),
                  progress=watching.get())
        ) as events:
            for event in events:
                if event["event"] not in ("step", "seed_step") or _is_logged(event):
                    yield event
    yield {"event": "result", "progress": 1.0, "message": f"{chosen.name} is trained and measured", "file": RESULT}
    for seed in chosen.all_seeds:
        shutil.rmtree(seed_folder(folder / "run", seed, chosen), ignore_errors=True)


def train(
    training: Training,
    *,
    runs: Path,
    file: Path,
    root: Path | None = None,
    logged: Collection[int] | None = None,
    progress: Callable[[Progress], object] | None = None,
) -> Generator[Event, None, None]:
    """Train each seed, measure the first one's system as it is stored, and write it with its card.

    To stop, stop consuming the events; the same call later resumes from the run folders.

    Args:
        training: the training run.
        runs: the run folder of the first seed; see `seed_folder` for the others.
        file: where the system is written, once it is measured.
        root: the folder of the data sets, by default the usual one.
        logged: the epochs of the first seed that were yielded before; earlier epochs of a resumed run that are not
            among them are yielded once more. None for none of them.
        progress: called at each step of each attack on the finished system.

    Yields:
        ``step`` and ``epoch`` events with the fields of `StepEvent` and `EpochEvent`, ``seed_step`` and ``seed_epoch``
        for further seeds, then ``measure`` for each row of the card.

    Raises:
        ValueError: a device that this machine does not have, a run folder of another run, or data that do not fit.
        DataMissing: a set that has to be fetched first.
        TrainingDiverged: the loss or a weight became NaN or infinite.
    """
    test = data.load(training.data, "test", root=root)
    accuracies: dict[str, float] = {}
    kept: tuple[System, ImageSet, list[Event]] | None = None
    asked = training
    for seed in training.all_seeds:
        folder = seed_folder(runs, seed, training)
        begun = asked if _is_begun(asked, seed, folder) else training
        system, images, rows = yield from train_seed(begun, seed, folder, root=root, logged=logged)
        share = _share_of_training(training, len(images))
        if seed == training.all_seeds[-1]:
            message = f"{training.name} reads the {len(test)} test images"
            yield {"event": "measure", "progress": share, "message": message}
        accuracies[str(seed)] = _accuracy(system, test)
        kept = kept or (system, images, rows)
        training = _as_it_was(training, Run(seed_folder(runs, seed, training)))
    assert kept is not None
    system, images, rows = kept
    system.card = _card(training, system, images, test, rows, accuracies)
    stored = _as_stored(system, training.store)  # what is measured is what is shipped
    metrics: list[dict[str, Any]] = []
    steps = len(card_attacks(training.eps)) + 2  # the clean images before, and the file after them
    for row in stream_measure(
        stored, test, eps=training.eps, attacked=training.attacked, seed=training.recipe.seed, progress=progress
    ):
        metrics.append(row)
        radius = f", ε = {row['eps']:g}" if row["eps"] else ""
        yield {"event": "measure", "message": f"{training.name} under attack{radius}",
               "progress": round(share + (1 - share) * len(metrics) / steps, 4)}
    stored.card["metrics"] = metrics
    stored.save(file, dtype=training.store)


def seed_folder(runs: Path, seed: int, training: Training) -> Path:
    """The run folder of one of the seeds: that of the first is ``runs`` itself, the others are beside it."""
    return runs if seed == training.recipe.seed else runs.with_name(f"{runs.name}-seed{seed}")


def train_seed(
    training: Training, seed: int, folder: Path, *, root: Path | None = None, logged: Collection[int] | None = None
) -> Generator[Event, None, tuple[System, ImageSet, list[Event]]]:
    """Train with a single seed.

    Args:
        training, root, logged: as in `train`.
        seed: one of the training's.
        folder: of the run.

    Returns:
        The system, its training images and the run's epochs.
    """
    system, images, validation = training.begin(seed=seed, root=root)
    recipe = dataclasses.replace(training.recipe, seed=seed)
    kept = Run(folder)
    log = _TrainingLog(training, seed, len(images))
    events = fit(system, images, recipe, validation=validation, run=folder, watch=training.watch,
                 devices=training.devices)
    with contextlib.closing(events):
        if logged is not None and seed == training.recipe.seed:
            for row in kept.events():
                if row["epoch"] not in logged:  # killed between the checkpoint and the log
                    yield log.epoch(row)
        for event in events:
            yield log.epoch(dataclasses.asdict(event)) if isinstance(event, EpochEvent) else log.step(event)
    return system, images, kept.events()


@dataclass(frozen=True)
class _TrainingLog:
    """A training run's events as plain dicts; those of further seeds have other names, and their steps count on."""

    training: Training
    seed: int
    n: int

    def step(self, event: StepEvent) -> Event:
        message = f"epoch {event.epoch} of {self.training.recipe.epochs}, loss {event.loss:.3g}"
        return self._event("step", dataclasses.asdict(event), event.step, event.step, message)

    def epoch(self, row: Event) -> Event:
        message = (f"epoch {row['epoch']} of {row['epochs']} done, "
                   f"{100 * row['accuracy']:.1f} % of the validation images classified correctly")
        done = row["epoch"] * self._per_epoch
        return self._event("epoch", row, done, done + 0.5, message)  # after the epoch's last step

    def _event(self, kind: str, fields: Event, done: int, step: float, message: str) -> Event:
        training, total = self.training, self._per_epoch * self.training.recipe.epochs
        seeds_before = self.seed - training.recipe.seed
        before, share = seeds_before * total, _share_of_training(training, self.n)
        event = {"event": kind, "message": message,
                 "progress": round(share * (before + done) / (total * training.seeds), 4)}
        if seeds_before:
            event |= {"event": f"seed_{kind}", "seed": self.seed, "message": f"seed {self.seed}, {message}"}
        return event | fields | {"step": before + step}

    @property
    def _per_epoch(self) -> int:
        return self.n // self.training.recipe.batch_size


def _as_it_was(training: Training, run: Run) -> Training:
    """The training run with the choices that were timed at its start as settings, so that it can be repeated."""
    recipe, state = training.recipe, run.state()
    if recipe.precision == "auto":
        recipe = dataclasses.replace(recipe, precision=state["precision"])
    if isinstance(recipe.defence, Adversarial) and recipe.defence.plan is None:
        plan = next(name for name, each in PLANS.items() if each == Plan(**state["plan"]))
        recipe = dataclasses.replace(recipe, defence=dataclasses.replace(recipe.defence, plan=plan))
    return dataclasses.replace(training, recipe=recipe)


def _is_begun(training: Training, seed: int, folder: Path) -> bool:
    """Whether a run was begun with these settings as they are, such as by itself on another machine."""
    try:
        settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
        return bool(settings["recipe"] == dataclasses.replace(training.recipe, seed=seed).to_dict())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _is_logged(step: Event) -> bool:
    """Whether a step is among those that are logged, about `STEPS` in all."""
    every = max(1, step["steps"] // STEPS)
    return bool(step["step"] % every == 0 or step["step"] % step["steps"] == 1)


def _epochs_logged(folder: Path) -> set[int]:
    from tasklab.jobs.folder import Job, JobError

    try:
        events = [event for event in Job(folder).events() if event["event"] == "epoch"]
    except JobError:
        return set()
    return {event["epoch"] for event in events if isinstance(event.get("epoch"), int)}


def _share_of_training(training: Training, n: int) -> float:
    """About which share of the whole time training takes, by the number of images passed; the rest is measuring."""
    steps = training.recipe.defence.steps if isinstance(training.recipe.defence, Adversarial) else 0
    watched = 2 * training.watch.images * training.watch.steps if training.watch else 0
    passed = training.seeds * training.recipe.epochs * (n * (1 + steps) + watched)
    measuring = len(training.eps) * training.attacked * (60 + 40 * training.task.width)
    return round(passed / (passed + measuring / 8), 4)  # large batches, and many images leave early


def _accuracy(system: System, test: ImageSet) -> float:
    decoded = system.predict(test.x().to(system.device)).cpu()
    return int((decoded == test.labels).sum()) / len(test)


def _as_stored(system: System, store: Store) -> System:
    """The system as it is read back from its file, on the same device."""
    with tempfile.TemporaryDirectory() as folder:
        system.save(Path(folder) / RESULT, dtype=store)
        return System.load(Path(folder) / RESULT).to(system.device)


def _card(
    training: Training, system: System, train: ImageSet, test: ImageSet, rows: list[Event], accuracies: dict[str, float]
) -> dict[str, Any]:
    """The card of the first seed's system, without the measurements under attack."""
    device = system.device
    return {
        "name": training.name,
        "data": {"name": train.name, "train": len(train), "test": len(test)},
        **{name: part for name, part in system.card.items() if name == "start"},
        "recipe": training.recipe.to_dict(),
        "epoch": max(row["epoch"] for row in rows if row["best"]),
        "seconds": rows[-1]["seconds"],
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        "seeds": accuracies,
        "float32_accuracy": accuracies[str(training.recipe.seed)],
        "command": training.command(threads=torch.get_num_threads()),
    } | circumstances()
