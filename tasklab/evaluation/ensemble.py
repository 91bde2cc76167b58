"""The worst case found: an ensemble of attacks, the cheapest first, each next one on the survivors alone."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from tasklab.attacks import APGD, PGD, Noise, Settings, Square, attack, succeeded
from tasklab.attacks.criteria import Criterion
from tasklab.checkpoint import CheckpointError, read_tensors, write_tensors
from tasklab.codecs import Argmax
from tasklab.evaluation.outcomes import Outcomes, outcomes
from tasklab.evaluation.robustness import Data, Progress, read_data, watch
from tasklab.system import System
from tasklab.tasks import Task

Preset = Literal["quick", "standard", "full"]
PRESETS: tuple[Preset, ...] = ("quick", "standard", "full")
"""A student's patience; a figure to quote; the floor for a worst-case claim."""

ALREADY, STANDING = -2, -1
"""In ``broken_by``: fooled before any attack, and not fooled by any."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One attack of the ensemble, finished.

    Attributes:
        index, total: its place, from 0, and how many there are.
        name: the attack and what it climbed, or the system that lent its images.
        tried, broken: on how many survivors it was run, and how many fell.
        standing: the share of all images that no attack has fooled yet.
        seconds: of this attack.
    """

    index: int
    total: int
    name: str
    tried: int
    broken: int
    standing: float
    seconds: float


@dataclass(frozen=True, kw_only=True, eq=False)
class WorstCase:
    """What is left after every attack.

    Attributes:
        stages: the attacks, in their order.
        images: float32 ``(N, C, H, W)``, the first image that fooled the system, or the clean one.
        labels, decoded: int64 ``(N,)``; ``decoded`` is of ``images``.
        broken_by: int64 ``(N,)``, the stage that fooled it, `ALREADY` or `STANDING`.
        eps, criterion: of all attacks.
    """

    stages: tuple[Stage, ...]
    images: Tensor
    labels: Tensor
    decoded: Tensor
    broken_by: Tensor
    eps: float
    criterion: Criterion

    @property
    def outcomes(self) -> Outcomes:
        """Correct, wrong and None in the worst case found; its accuracy is an upper bound."""
        return outcomes(self.decoded, self.labels)


def ensemble(
    task: Task, eps: float, preset: Preset = "standard", *, criterion: Criterion = "misclassified", seed: int = 0
) -> list[Settings]:
    """The attacks of a preset, the cheapest first.

    Gradients climb the margin, each term of it (bits, interval ends, or rivals), the training loss where that is a
    cross-entropy, and the margin of each other class; then come random search and noise, which need no gradient.

    Raises:
        ValueError: no such preset.
    """
    if preset not in PRESETS:
        raise ValueError(f"expected preset among {', '.join(PRESETS)}, got {preset!r}")
    shared: dict[str, Any] = {"eps": eps, "criterion": criterion, "seed": seed}
    first = [
        Noise(steps=10 if preset == "quick" else 100, kind="corner", **shared),
        PGD(steps=20, random_start=False, **shared),
        PGD(steps=20, objective="bits", **shared),
    ]
    if isinstance(task.codec, Argmax):
        first.insert(2, PGD(steps=20, objective="train", **shared))
    if preset == "quick":
        return list(first)
    steps, restarts = (100, 1) if preset == "standard" else (200, 5)
    strong: list[Settings] = [
        APGD(steps=steps, restarts=restarts, **shared),
        APGD(steps=steps, restarts=restarts, objective="bits", **shared),
        APGD(steps=steps, restarts=restarts, objective="dlr", **shared),
        APGD(steps=steps, restarts=1 if preset == "standard" else 2, objective="towards_code", **shared),
        Square(steps=1000 if preset == "standard" else 5000, **shared),
    ]
    return [*first, *strong]


def stream_worst_case(
    system: System,
    data: Data,
    eps: float,
    *,
    preset: Preset | Sequence[Settings] = "standard",
    sources: Mapping[str, System] | None = None,
    criterion: Criterion = "misclassified",
    seed: int = 0,
    folder: str | Path | None = None,
    batch_size: int = 256,
    progress: Callable[[Progress], object] | None = None,
) -> Iterator[tuple[Stage, WorstCase]]:
    """Each stage as it ends, with the worst case so far; the last one is the whole.

    Args:
        system: what is attacked.
        data: an image set, or images and labels.
        eps: radius in pixel units, Linf.
        preset: a name of `PRESETS`, or attacks of one's own with this ε and criterion.
        sources: other systems by name, whose own adversarial images are tried before any other attack.
        criterion: when an attack has succeeded.
        seed: of all attacks; each draw depends on (seed, image, restart) alone.
        folder: where each finished stage is kept, so that the same call goes on after an interruption.
        batch_size: rows run through the network at once.
        progress: called at each step of each attack.

    Raises:
        ValueError: attacks of another ε or criterion, or a folder that holds another worst case.
    """
    images, labels = read_data(data, system)
    attacks = ensemble(system.task, eps, preset, criterion=criterion, seed=seed) if isinstance(preset, str) else preset
    for settings in attacks:
        if (settings.eps, settings.norm, settings.criterion) != (eps, "linf", criterion):
            raise ValueError(f"expected attacks with eps={eps:g}, linf and criterion={criterion!r}, got {settings!r}")
    lent = PGD(eps=eps, steps=40, keep="best", criterion=criterion, seed=seed)
    plans: list[tuple[str, System, Settings]] = [
        *((f"transfer from {name}", source, lent) for name, source in (sources or {}).items()),
        *((_name(settings), system, settings) for settings in attacks),
    ]
    found, stages = images.clone(), list[Stage]()
    decoded = system.predict(images, batch_size=batch_size)
    broken_by = torch.where(succeeded(criterion, decoded, labels), ALREADY, STANDING)
    key = _key(system, images, labels, [(name, settings) for name, _, settings in plans])
    kept = _Kept(Path(folder), key) if folder is not None else None
    if kept is not None and (state := kept.read()) is not None:
        stages, found, decoded, broken_by = state
        found, decoded, broken_by = (t.to(images.device) for t in (found, decoded, broken_by))
        for stage in stages:
            yield stage, WorstCase(stages=tuple(stages), images=found, labels=labels, decoded=decoded,
                                   broken_by=broken_by, eps=eps, criterion=criterion)
    for index in range(len(stages), len(plans)):
        name, attacked, settings = plans[index]
        started = time.perf_counter()
        left = (broken_by == STANDING).nonzero().squeeze(1)
        result = attack(
            attacked, images[left], labels[left], settings, indices=left, batch_size=batch_size,
            progress=watch(progress, name, index, len(plans), settings),
        )
        reading = system.predict(result.images, batch_size=batch_size)
        fell = succeeded(criterion, reading, labels[left])
        fallen = left[fell]
        found[fallen], decoded[fallen], broken_by[fallen] = result.images[fell], reading[fell], index
        stages.append(Stage(
            index=index, total=len(plans), name=name, tried=len(left), broken=len(fallen),
            standing=float((broken_by == STANDING).float().mean()) if len(labels) else float("nan"),
            seconds=time.perf_counter() - started,
        ))
        if kept is not None:
            kept.write(stages, found, decoded, broken_by)
        yield stages[-1], WorstCase(
            stages=tuple(stages), images=found.clone(), labels=labels, decoded=decoded.clone(),
            broken_by=broken_by.clone(), eps=eps, criterion=criterion,
        )


def worst_case(system: System, data: Data, eps: float, **settings: Any) -> WorstCase:
    """Run `stream_worst_case`, which names the settings, to its end.

    >>> from torch import nn
    >>> from tasklab.tasks import make_task
    >>> system = System(nn.Sequential(nn.Flatten(), nn.Linear(4, 4)), make_task("rbc", S=1))
    >>> data = torch.rand(8, 1, 2, 2), torch.zeros(8, dtype=torch.int64)
    >>> worst_case(system, data, 0.1, preset="quick").outcomes.n
    8
    """
    *_, (_, found) = stream_worst_case(system, data, eps, **settings)
    return found


def _name(settings: Settings) -> str:
    described = settings.to_dict()
    words = f"{described['attack']}-{settings.steps}"
    if settings.restarts > 1:
        words += f" × {settings.restarts}"
    return words if isinstance(settings, Noise) else f"{words} on {described['objective']}"


def _key(system: System, images: Tensor, labels: Tensor, plans: list[tuple[str, Settings]]) -> str:
    digest = hashlib.sha256(json.dumps([(name, settings.to_dict()) for name, settings in plans]).encode())
    digest.update(repr(system.task).encode())
    for tensor in (images, labels, *system.network.state_dict().values()):
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


class _Kept:
    """One file: the finished stages, and whose they are."""

    def __init__(self, folder: Path, key: str) -> None:
        self.file, self.key = folder / "worst_case.safetensors", key

    def read(self) -> tuple[list[Stage], Tensor, Tensor, Tensor] | None:
        if not self.file.exists():
            return None
        try:
            tensors, metadata = read_tensors(self.file)
            state = json.loads(metadata["state"])
            if state["key"] != self.key:
                raise ValueError("expected the worst case of this system, data and attacks in the folder, got another; "
                                 "try a new folder")
            stages = [Stage(**stage) for stage in state["stages"]]
            return stages, tensors["images"], tensors["decoded"], tensors["broken_by"]
        except (CheckpointError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"expected a worst case in {self.file.parent}, got {error}; try a new folder") from None

    def write(self, stages: list[Stage], images: Tensor, decoded: Tensor, broken_by: Tensor) -> None:
        tensors = {"images": images, "decoded": decoded, "broken_by": broken_by}
        state = {"key": self.key, "stages": [vars(stage) for stage in stages]}
        write_tensors(self.file, tensors, {"state": json.dumps(state)})
