"""The training loop, as a stream of events: to stop a run, stop iterating; to resume it, start it again."""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tasklab.attacks import attack
from tasklab.checks import check_whole
from tasklab.data import ImageSet, augment
from tasklab.models.fast import PLAIN, Plan, probe
from tasklab.models.network import seeded
from tasklab.models.sharing import exclusively
from tasklab.modes import own_modes, own_steps
from tasklab.system import System
from tasklab.training.defences import PLANS, Adversarial
from tasklab.training.devices import Devices
from tasklab.training.events import EpochEvent, StepEvent, TrainingDiverged, TrainingEvent, Watch
from tasklab.training.learning import optimizer, outputs, still, to_learn
from tasklab.training.precision import Precision, is_large, lay_out, quicker_precision
from tasklab.training.recipe import Recipe
from tasklab.training.run import Run, RunError, flatten, unflatten
from tasklab.training.spreading import spread

CHECKPOINT_SECONDS = 60.0
"""Within long epochs, a checkpoint is written about this often."""


def fit(
    system: System,
    train: ImageSet,
    recipe: Recipe,
    *,
    validation: ImageSet | None = None,
    run: str | Path | None = None,
    watch: Watch | None = None,
    devices: int = 1,
) -> Generator[TrainingEvent, None, None]:
    """Train the system's network in place; at the end it holds the weights of the best epoch.

    Only parameters that require a gradient when this is called learn; no flag is changed. A frozen parameter stays the
    same bit for bit. If none of a module's parameters learns, it runs in evaluation mode, and its buffers, such as the
    statistics of a BatchNorm, stay the same as well. `tasklab.zoo.load` freezes the networks that it loads: call
    ``system.network.requires_grad_(True)`` to train such a network further, or the same on one layer, such as
    ``system.network.head``, to train that layer alone.

    Args:
        system: the system to train, on the device it is on.
        train: training images.
        recipe: how to train.
        validation: images by which the best epoch is chosen; without them the last epoch counts as the best.
        run: a folder. If a run was stopped there, by whatever means, it goes on from its last checkpoint and has the
            same outcome as without the stop, on a CPU bit for bit. A run is identified by its settings, by which
            parameters are frozen, by a digest of all images and labels, and by the digest of the system that it started
            from, if the card has one.
        watch: what to measure under attack after each epoch. By default only adversarial training is watched, at its
            own ε, and only adversarial training chooses its best epoch by these measurements.
        devices: number of devices, all of the kind that the system is on. Each has a process of its own, which learns
            from its share of each batch. Gradients and the statistics of BatchNorm are those of the whole batch, so
            that the run is the same as on a single device up to rounding, except for random numbers that the network
            itself draws, such as those of dropout. Several devices need Lightning Fabric, and a script that calls this
            must guard its main part by ``if __name__ == "__main__":``.

    Yields:
        A `StepEvent` after each step and an `EpochEvent` after each epoch.

    Raises:
        ValueError: settings that do not fit the task or the data, a network in which nothing learns or whose weights
            are not float32 on one device, a folder that holds another run, or more devices than there are.
        TrainingDiverged: the loss or a weight became NaN or infinite; the last checkpoint was written before that.
    """
    stream = functools.partial(_stream, train=train, recipe=recipe, validation=validation, run=run, watch=watch)
    if check_whole("devices", devices, low=1) == 1:
        return stream(system, Devices())
    if recipe.batch_size % devices:
        raise ValueError(f"expected a batch_size that {devices} devices can share equally, got {recipe.batch_size}; "
                         f"try {-(-recipe.batch_size // devices) * devices}")
    return spread(system, stream, devices)


def _stream(
    system: System, devices: Devices, *, train: ImageSet, recipe: Recipe, validation: ImageSet | None,
    run: str | Path | None, watch: Watch | None,
) -> Generator[TrainingEvent, None, None]:
    """The events of `fit` on one of the devices; the first one keeps the run's folder."""
    folder = Run(run) if run is not None and devices.rank == 0 else None
    return own_steps(_Trainer(system, train, recipe, validation, folder, watch, devices).events())


class _Trainer:
    @own_modes()
    def __init__(
        self, system: System, train: ImageSet, recipe: Recipe, validation: ImageSet | None, run: Run | None,
        watch: Watch | None, devices: Devices,
    ) -> None:
        if recipe.inset and not system.task.has_inset:
            raise ValueError(f"expected inset=0 for task {system.task.name}, got {recipe.inset}; "
                             "only tasks with intervals have an inset")
        for data in (train, validation or train):
            if data.num_classes != system.task.num_classes:
                raise ValueError(
                    f"expected a set of {system.task.num_classes} classes, got {data.name} with {data.num_classes}; "
                    f"try num_classes={data.num_classes} in the task"
                )
        if len(train) < recipe.batch_size:
            raise ValueError(f"expected at least one batch of {recipe.batch_size} images, got {len(train)}; "
                             "try a smaller batch_size")
        self.system, self.recipe, self.run, self.asked, self.devices = system, recipe, run, watch, devices
        self.network = system.network
        self.learning, self.still = to_learn(self.network), still(self.network)
        self.hardened = isinstance(recipe.defence, Adversarial)
        self.watch = watch or (Watch(eps=recipe.defence.eps) if isinstance(recipe.defence, Adversarial) else None)
        self.train, self.validation = train.to(system.device), validation and validation.to(system.device)
        self.per_epoch = len(train) // recipe.batch_size
        self.total = self.per_epoch * recipe.epochs
        self.step, self.seconds, self.best = 0, 0.0, (-1.0, -1.0)
        self.sums: dict[str, float] = {}
        self.large = is_large(self.network)
        if self.large:
            self._lay_out(torch.channels_last)  # the layout on which convolutions are fastest
        self.optimizer = optimizer(self.learning, recipe)
        self.average = copy.deepcopy(self.network).requires_grad_(False) if recipe.average else None
        self.best_weights: dict[str, Tensor] = {}
        self.plan = PLAIN
        self.precision: Precision = "float32" if recipe.precision == "auto" else recipe.precision
        checkpoint = devices.agreed(None if run is None else run.begin(self._settings()))
        if checkpoint is not None:
            try:
                self._restore(*checkpoint)
            except (KeyError, ValueError, TypeError, RuntimeError) as error:
                if run is None:  # the first device says what is wrong
                    raise
                run.close()
                raise RunError(
                    f"expected a checkpoint of this run in {run.folder}, got one that does not fit ({error!r}); "
                    "try a new folder"
                ) from None
        self.wrapped = devices.wrapped(self.network)

    @property
    def result(self) -> System:
        """The system that is validated and kept: with the averaged weights where there are any."""
        if self.average is None:
            return self.system
        return System(self.average, self.system.task, card=self.system.card)

    def events(self) -> Generator[TrainingEvent, None, None]:
        if self.step == 0:
            self._choose()
        saved = time.perf_counter()
        try:
            while self.step < self.total or self.sums:
                if self.sums and self.step % self.per_epoch == 0:  # comes first, for a run that was stopped just here
                    event = self._end_epoch()
                    self._save(event)
                    saved = time.perf_counter()
                    yield event
                    continue
                yield self._one_step()
                if self.run is not None and time.perf_counter() - saved > CHECKPOINT_SECONDS:
                    self._save()
                    saved = time.perf_counter()
        except GeneratorExit:
            self._save()
            raise
        finally:
            with exclusively(self.network):
                self.network.eval()
            if self.large:
                self._lay_out(torch.contiguous_format)
            if self.run is not None:
                self.run.close()
        self._load(self.best_weights)

    def _choose(self) -> None:
        """Choose by timing what the recipe leaves open, and save the choice, so that a resumed run makes the same."""
        first = self._images(self.train, self.devices.share(self.recipe.batch_size))
        if self.recipe.precision == "auto":
            self.precision = self.devices.agreed(quicker_precision(self.network, first))
        if isinstance(defence := self.recipe.defence, Adversarial):
            self.plan = self.devices.agreed(PLANS[defence.plan] if defence.plan else probe(self.network, first))
        if self.large or isinstance(defence, Adversarial):
            self._save()

    def _lay_out(self, layout: torch.memory_format) -> None:
        with exclusively(self.network):
            lay_out(self.network, layout)

    def _images(self, data: ImageSet, rows: Tensor | slice) -> Tensor:
        """Images as input of the network, on its device; a set that is too large for the device stays elsewhere."""
        return data.x(rows).to(self.system.device)

    def _load(self, weights: dict[str, Tensor]) -> None:
        with exclusively(self.network):
            self.network.load_state_dict(weights)
        torch.clear_autocast_cache()

    def _one_step(self) -> StepEvent:
        started = time.perf_counter()
        recipe, task = self.recipe, self.system.task
        epoch, at = divmod(self.step, self.per_epoch)
        generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + self.step)
        rows = self._order(epoch)[at * recipe.batch_size : (at + 1) * recipe.batch_size]
        x = self._images(self.train, rows)
        y = self.train.labels[rows].to(x.device)
        if recipe.flip or recipe.crop:
            x = augment(x, flip=recipe.flip, crop=recipe.crop, generator=generator)
        noted: dict[str, float] = {}
        share = self.devices.share(len(x))
        if recipe.defence is not None:
            x, noted = recipe.defence.apply(self.system, x, y, generator, self.plan, share)
        else:
            x = x[share]
        y = y[share]
        lr = recipe.lr_at(self.step, self.total)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        if x.ndim == 4 and (self.large or x.device.type == "cuda"):
            x = x.contiguous(memory_format=torch.channels_last)
        with exclusively(self.network):
            z, value = self._learn(x, y)
        noted["accuracy"] = float((task.codec.decode(z.detach()) == y).float().mean())
        noted = self.devices.means(noted, x.device) | {"loss": value}
        for name, number in noted.items():
            self.sums[name] = self.sums.get(name, 0.0) + number
        self.step += 1
        self.seconds += time.perf_counter() - started
        return StepEvent(epoch=epoch + 1, step=self.step, steps=self.total, loss=value, accuracy=noted["accuracy"],
                         lr=lr, seconds=self.seconds)

    def _learn(self, x: Tensor, y: Tensor) -> tuple[Tensor, float]:
        """One step of the optimizer on a batch, with the network in training mode: its outputs and its loss."""
        task = self.system.task
        self.network.train()
        for module in self.still:
            module.training = False
        try:
            with (
                seeded(self._drawn, x.device),  # what a network draws itself, such as dropout
                self.devices.whole_batches(self.network),
                torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=self.precision == "bfloat16"),
            ):
                z = outputs(self.wrapped, x, task)
            loss = self._loss(z, y).mean() / task.unit**2
            if not loss.requires_grad:
                raise ValueError("expected outputs that depend on the weights to learn, got some without a gradient; "
                                 "try freezing less of the network")
            value = self.devices.means({"loss": loss.item()}, x.device)["loss"]
            if not math.isfinite(value):
                raise self._diverged(f"a finite loss, got {value} at step {self.step + 1}")
            self.optimizer.zero_grad(set_to_none=True)
            self.devices.backward(loss)
            self.optimizer.step()
            torch.clear_autocast_cache()  # inside the caller's own autocast, cast weights would outlive a step
            self._follow()
        finally:
            self.network.eval()
        return z, value

    @property
    def _drawn(self) -> int:
        """The seed of what the network draws in this step; each device has its own."""
        return self.recipe.seed * 1_000_003 + self.step + self.devices.rank * 700_000_001

    def _diverged(self, what: str) -> TrainingDiverged:
        kept = self.run is not None and self.run.last_file.exists()
        return TrainingDiverged(
            f"expected {what} of {self.total}; try lr={self.recipe.lr / 10:g}"
            + (f"; the checkpoint before it is kept in {self.run.folder}" if self.run and kept else "")
        )

    def _loss(self, z: Tensor, y: Tensor) -> Tensor:
        task = self.system.task
        return task.inset_loss(z, y, self.recipe.inset) if self.recipe.inset else task.loss(z, y)

    def _follow(self) -> None:
        """Update the averaged weights; BatchNorm's statistics are copied as they are."""
        if self.average is None:
            return
        decay = min(self.recipe.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            averaged = dict(self.average.named_parameters())
            for name, new in self.learning.items():
                averaged[name].lerp_(new, 1 - decay)
            for buffer, current in zip(self.average.buffers(), self.network.buffers(), strict=True):
                buffer.copy_(current)

    def _order(self, epoch: int) -> Tensor:
        generator = torch.Generator().manual_seed(self.recipe.seed * 1_000_003 + 500_000_000 + epoch)
        return torch.randperm(len(self.train), generator=generator, device="cpu")

    def _end_epoch(self) -> EpochEvent:
        started = time.perf_counter()
        if not all(bool(value.isfinite().all()) for value in self.network.state_dict().values()):
            raise self._diverged(f"finite weights, got others at step {self.step}")
        epoch, count, result = self.step // self.per_epoch, self.per_epoch, self.result
        seen = self.devices.agreed(self._validate(result) if self.devices.rank == 0 else {})
        score = (seen.get("robust_accuracy", 0.0) if self.hardened else 0.0, seen["accuracy"])
        best = self.validation is None or score > self.best
        if best:
            self.best = score
            self.best_weights = {key: value.clone() for key, value in result.network.state_dict().items()}
        means = {key: value / count for key, value in self.sums.items()}
        self.sums = {}
        self.seconds += time.perf_counter() - started
        return EpochEvent(
            epoch=epoch, epochs=self.recipe.epochs, loss=means["loss"], train_accuracy=means["accuracy"],
            zero_gradient_share=means.get("zero_gradient_share"), unmoved_share=means.get("unmoved_share"),
            best=best, seconds=self.seconds, **seen,
        )

    def _validate(self, result: System) -> dict[str, float]:
        """The fields of an `EpochEvent` that are measured on the validation images."""
        if self.validation is None:
            return {"accuracy": math.nan, "abnormal": math.nan}
        decoded = result.predict(self._images(self.validation, slice(None)))
        seen = {"accuracy": float((decoded == self.validation.labels.to(decoded.device)).float().mean()),
                "abnormal": float((decoded < 0).float().mean())}
        if self.watch is not None:
            few = self.validation.subset(min(self.watch.images, len(self.validation)))
            on_margin, on_loss = (
                attack(result, self._images(few, slice(None)), few.labels, self.watch.attack(objective, self.plan))
                for objective in ("margin", "train")
            )
            seen |= {"robust_accuracy": on_margin.accuracy, "own_loss_accuracy": on_loss.accuracy,
                     "own_loss_zero_gradient": on_loss.share(on_loss.zero_gradient)}
        return seen

    def _settings(self) -> dict[str, Any]:
        spec = getattr(self.network, "spec", None)
        return {
            "task": self.system.task.to_dict(),
            "network": spec.to_dict() if spec is not None else type(self.network).__name__,
            "data": {"name": self.train.name, "train": len(self.train)},
            "images": [data.digest() for data in (self.train, self.validation) if data is not None],
            "frozen": [name for name, _ in self.network.named_parameters() if name not in self.learning],
            "recipe": self.recipe.to_dict(),
        } | ({"watch": dataclasses.asdict(self.asked)} if self.asked else {}) | self._start()

    def _start(self) -> dict[str, Any]:
        """The digest of the system that training started from, if the card names it."""
        start = self.system.card.get("start")
        return {"start": start["digest"]} if isinstance(start, dict) and "digest" in start else {}

    def _save(self, event: EpochEvent | None = None) -> None:
        if self.run is None:
            return
        if event is not None:
            self.run.log(dataclasses.asdict(event))
            if event.best and hasattr(self.network, "spec"):
                self.result.save(self.run.best_file)
        tensors = {f"network.{key}": value for key, value in self.network.state_dict().items()}
        tensors |= {f"best.{key}": value for key, value in self.best_weights.items()}
        if self.average is not None:
            tensors |= {f"average.{key}": value for key, value in self.average.state_dict().items()}
        tensors |= flatten(self.optimizer.state_dict())
        state = {
            "step": self.step, "seconds": self.seconds, "best": self.best, "sums": self.sums,
            "plan": dataclasses.asdict(self.plan), "precision": self.precision,
        }
        self.run.checkpoint(tensors, state)

    def _restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        def part(name: str) -> dict[str, Tensor]:
            return {key.removeprefix(name): value for key, value in tensors.items() if key.startswith(name)}

        self._load(part("network."))
        if self.average is not None:
            self.average.load_state_dict(part("average."))
        self.best_weights = {key: value.to(self.system.device) for key, value in part("best.").items()}
        described = self.optimizer.state_dict()
        self.optimizer.load_state_dict({"state": unflatten(tensors), "param_groups": described["param_groups"]})
        self.step, self.seconds = state["step"], state["seconds"]
        self.best, self.sums, self.plan = tuple(state["best"]), state["sums"], Plan(**state["plan"])
        self.precision = state["precision"]
