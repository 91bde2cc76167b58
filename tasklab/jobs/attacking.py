"""Jobs of the kind "attack": attack a shard of images; and `Sharded`, which runs whole attacks as such jobs.

A shard's folder holds the images and, in the end, the result of the attack; the system's file is beside the folder, so
that a worker needs neither a data set nor the catalogue.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tasklab import strict_json
from tasklab.attacks import AttackResult, AttackStep, Settings
from tasklab.attacks.building import build
from tasklab.attacks.engine import stream
from tasklab.attacks.runner import chosen_plan
from tasklab.checkpoint import read_tensors, write_tensors
from tasklab.evaluation.shards import AtOnce, NotMade, join, shards
from tasklab.jobs.executing import Assignment, Event, Executor
from tasklab.jobs.folder import Job
from tasklab.models.fast import Plan
from tasklab.system import System

INPUT, RESULT = "input.safetensors", "result.safetensors"
EVENTS = 20
"""Approximate number of events that a shard logs."""

SETTINGS = {"attack": dict, "system": str, "device": str, "batch_size": int}
TENSORS = ("images", "clean_decoded", "decoded", "fooled", "distance", "zero_gradient", "nonfinite_gradient", "unmoved")


def check(settings: dict[str, Any]) -> dict[str, Any]:
    """Check the settings: ``attack``, as `Settings.to_dict` gives it; ``system``, the name of a file in the folder
    above the job's; ``device`` and ``batch_size``.

    Raises:
        ValueError: a setting is missing, unknown or of another type.
    """
    if settings.keys() != SETTINGS.keys() or not all(isinstance(settings[key], SETTINGS[key]) for key in SETTINGS):
        raise ValueError(f"expected settings of an attack, {', '.join(SETTINGS)}, got {', '.join(settings)}")
    attack_of(settings["attack"])
    return settings


def run(settings: dict[str, Any], folder: Path) -> Iterator[Event]:
    """Attack the images in ``folder/input.safetensors`` and write ``folder/result.safetensors``."""
    attack = attack_of(settings["attack"])
    system = System.load(folder.parent / settings["system"]).to(settings["device"])
    given, _ = read_tensors(folder / INPUT)
    images, labels = (given[name].to(system.device) for name in ("images", "labels"))
    steps = stream(system, images, labels, attack, indices=given["indices"], batch_size=settings["batch_size"])
    every = max(1, attack.steps // EVENTS)
    result = None
    while result is None:
        try:
            step = next(steps)
        except StopIteration as stop:
            result = stop.value
        else:
            if step.index % every == 0:
                fooled = int(step.fooled.sum())
                yield {"event": "attacked", "progress": round(step.index / (attack.steps + 1), 4),
                       "message": f"{attack.name} fooled {fooled} of {len(labels)} images"}
    state = {"forwards": result.forwards, "backwards": result.backwards, "seconds": result.seconds,
             "plan": dataclasses.asdict(result.plan)}
    write_tensors(folder / RESULT, {name: getattr(result, name) for name in TENSORS}, {"state": json.dumps(state)})
    yield {"event": "result", "progress": 1.0,
           "message": f"{attack.name} fooled {int(result.fooled.sum())} of {len(labels)} images"}


def attack_of(plain: Mapping[str, Any]) -> Settings:
    """The settings of an attack from the plain values of `Settings.to_dict`.

    Raises:
        ValueError: values that are not an attack's.
    """
    values = dict(plain)
    values["eps"] = math.inf if values.get("eps", 0) is None else values.get("eps")  # which JSON does not have
    if values.get("plan") != "auto":
        values["plan"] = Plan(**values.get("plan", {}))
    settings = build(str(values.pop("attack", "")), values).settings
    if strict_json.plain(settings.to_dict()) != strict_json.plain(dict(plain)):
        raise ValueError(f"expected the settings of an attack, got {plain}")
    return settings


@dataclass(frozen=True, kw_only=True)
class _Call:
    """An attack to be run: the first arguments of `tasklab.attacks.attack`, and the indices of the images."""

    system: System
    images: Tensor
    labels: Tensor
    settings: Settings
    indices: Tensor
    batch_size: int = 256


class Sharded(AtOnce):
    """Runs attacks in shards of images, each a job.

    A shard that is done is not run again, nor is one that failed. If the plan of an attack is ``"auto"``, it is chosen
    here, as the attack on all images would choose it on this machine, and is the same for all shards.

    Args:
        executor: carries out the jobs.
        folder: of the jobs.
        device: the device on which they compute.
        follow: consumes and shows the events of some assignments.
    """

    def __init__(
        self, executor: Executor, folder: Path, *, device: str = "cpu",
        follow: Callable[[Sequence[Assignment], Generator[Event, None, None]], object] = lambda _, events: [*events],
    ) -> None:
        self.executor, self.folder, self.device, self.follow = executor, folder, device, follow
        self._failed: dict[str, str] = {}

    def __call__(
        self, system: System, images: Tensor, labels: Tensor, settings: Settings, *, indices: Tensor | None = None,
        batch_size: int = 256, progress: Callable[[AttackStep], object] | None = None,
    ) -> AttackResult:
        """Run an attack as `tasklab.attacks.attack` does; ``progress`` is not called.

        Raises:
            NotMade: a shard could not be computed; the others are kept.
        """
        indices = torch.arange(len(labels)) if indices is None else indices
        call = _Call(system=system, images=images, labels=labels, settings=settings, indices=indices,
                    batch_size=batch_size)
        self._carry_out([call])
        return self._result(call)

    def make_all(self, asked: Iterable[tuple[System, Tensor, Tensor, Sequence[Settings]]]) -> None:
        """Carry out several attacks on several systems together, so that each later call finds its shards done."""
        self._carry_out([_Call(system=system, images=images, labels=labels, settings=settings,
                               indices=torch.arange(len(labels)))
                         for system, images, labels, attacks in asked for settings in attacks])

    def _carry_out(self, calls: Sequence[_Call]) -> None:
        assignments = {each.name: each for call in calls for each in self._assignments(call)}
        every = [each for each in assignments.values() if each.name not in self._failed]
        self.follow(every, self.executor.carry_out(every))
        for each in every:
            if each.job.state != "done":
                outcome = each.job.outcome
                self._failed[each.name] = each.job.state if outcome is None else outcome.message

    def clear(self) -> None:
        """Remove the folders of all shards."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _result(self, call: _Call) -> AttackResult:
        settings, results = self._decided(call), []
        for part, assignment in zip(shards(len(call.labels), settings, call.system), self._assignments(call),
                                    strict=True):
            if assignment.name in self._failed:
                raise NotMade(f"expected every shard of the attack, got none of {assignment.name}: "
                              f"{self._failed[assignment.name]}")
            tensors, metadata = read_tensors(assignment.job.folder / RESULT)
            state = json.loads(metadata["state"])
            state["plan"] = Plan(**state["plan"])
            labels = call.labels[part]
            on_device: dict[str, Any] = {name: tensor.to(call.images.device) for name, tensor in tensors.items()}
            results.append(AttackResult(settings=settings, labels=labels, targets=None, **on_device, **state))
        return join(results)

    def _assignments(self, call: _Call) -> list[Assignment]:
        settings = self._decided(call)
        file = self._system_file(call.system)
        jobs = [self._job(call, settings, part, file) for part in shards(len(call.labels), settings, call.system)]
        return [Assignment(job=job, carried=(file.name,), weight=float(max(1, part.stop - part.start)) * settings.steps)
                for job, part in zip(jobs, shards(len(call.labels), settings, call.system), strict=True)]

    def _decided(self, call: _Call) -> Settings:
        """The attack with the plan that the attack on all images would choose."""
        rows = len(call.labels) * call.settings.rows(call.system.task)
        plan = chosen_plan(call.system, call.settings, call.batch_size, call.images, rows)
        return dataclasses.replace(call.settings, plan=plan)

    def _system_file(self, system: System) -> Path:
        file = self.folder / f"system-{_digest(repr(system.task), *system.network.state_dict().values())}.safetensors"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            system.to("cpu").save(file)
        return file

    def _job(self, call: _Call, settings: Settings, part: slice, file: Path) -> Job:
        tensors = {"images": call.images[part], "labels": call.labels[part], "indices": call.indices[part].cpu()}
        plain = {"attack": settings.to_dict(), "system": file.name, "device": self.device,
                 "batch_size": call.batch_size}
        name = f"{settings.name}-{part.start}-{part.stop}-{_digest(json.dumps(plain), *tensors.values())}"
        folder = self.folder / name
        if not (folder / "job.json").is_file():
            write_tensors(folder / INPUT, {key: tensor.contiguous() for key, tensor in tensors.items()},
                          {"shard": name})
            return Job.create(folder, "attack", plain)
        return Job(folder)


def _digest(words: str, *tensors: Tensor) -> str:
    sha = hashlib.sha256(words.encode())
    for tensor in tensors:
        sha.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()[:16]
