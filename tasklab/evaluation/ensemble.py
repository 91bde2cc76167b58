"""The worst case found: an ensemble of attacks, the cheapest first, each run only on the images that still stand.

The last and costliest attacks are run only on those survivors that came nearest to being misclassified, judged by their
margins. `tests/benchmarks/worst_case.py` measures how much strength this costs: it compares the ensemble with
AutoAttack and with PGD with many steps and restarts.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tasklab.attacks import Settings, attack, succeeded
from tasklab.attacks.criteria import Criterion, success_margin
from tasklab.attacks.presets import Entry, Preset, transfer_attack, worst_case_attacks
from tasklab.attacks.registry import fields_of
from tasklab.checkpoint import CheckpointError, read_tensors, write_tensors
from tasklab.checks import check_number, check_whole
from tasklab.codecs import ABNORMAL
from tasklab.evaluation.counts import Outcomes, outcomes
from tasklab.evaluation.robustness import Data, Progress, read_data, watch
from tasklab.evaluation.shards import Attacking
from tasklab.system import System

ALREADY, STANDING = -2, -1
"""Values in ``broken_by`` for images misclassified before any attack, and for images that withstood all attacks."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One attack of the ensemble, finished.

    Attributes:
        index, total: its place, from 0, and how many there are.
        name: the attack and its objective, or the system whose adversarial images were tried.
        tried, broken: how many survivors it was run on, and on how many it succeeded.
        standing: the share of all images that no attack has fooled yet.
        seconds: of this attack, by the clock.
        cpu: seconds of processor time of this process, all threads, which is the fairer figure on a busy machine. Time
            in other processes, such as shards of the attack that run on a cluster, is not included.
    """

    index: int
    total: int
    name: str
    tried: int
    broken: int
    standing: float
    seconds: float
    cpu: float


@dataclass(frozen=True, kw_only=True, eq=False)
class WorstCase:
    """The outcome of all attacks together.

    Attributes:
        stages: the attacks, in their order.
        images: float32 ``(N, C, H, W)``, the first adversarial image found for each image, or the clean one.
        labels, decoded: int64 ``(N,)``, the labels, and what ``images`` decode to.
        broken_by: int64 ``(N,)``, the index of the stage that succeeded on the image, `ALREADY` or `STANDING`.
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


def stream_worst_case(
    system: System,
    data: Data,
    eps: float,
    *,
    preset: Preset | Sequence[Settings | Entry] = "standard",
    sources: Mapping[str, System] | None = None,
    criterion: Criterion = "misclassified",
    seed: int = 0,
    folder: str | Path | None = None,
    batch_size: int = 256,
    progress: Callable[[Progress], object] | None = None,
    attacking: Attacking = attack,
) -> Iterator[tuple[Stage, WorstCase]]:
    """Run the ensemble, and yield each stage as it ends, with the worst case so far; the last one is complete.

    Args:
        system: what is attacked.
        data: an image set, or images and labels.
        eps: radius in pixel units, Linf.
        preset: a name of `PRESETS`, or other attacks with this ε and criterion.
        sources: other systems by name, whose adversarial images are tried before any other attack.
        criterion: when an attack has succeeded.
        seed: of all attacks; each draw depends on (seed, image, restart) alone.
        folder: where each finished stage is kept, so that the same call resumes after an interruption.
        batch_size: rows run through the network at once.
        progress: called at each step of each attack.
        attacking: the function that runs an attack.

    Raises:
        ValueError: attacks of another ε or criterion, or a folder that holds another worst case.
    """
    eps, seed = check_number("eps", eps, low=0.0, hint="8/255"), check_whole("seed", seed, low=0)
    images, labels = read_data(data, system)
    chosen: Sequence[Settings | Entry]
    if isinstance(preset, str):
        chosen = worst_case_attacks(system.task, eps, preset, criterion=criterion, seed=seed)
    else:
        chosen = preset
    attacks = [entry if isinstance(entry, Entry) else Entry(entry) for entry in chosen]
    for settings in (entry.settings for entry in attacks):
        if (settings.eps, settings.norm, settings.criterion) != (eps, "linf", criterion):
            raise ValueError(f"expected attacks with eps={eps:g}, linf and criterion={criterion!r}, got {settings!r}")
    lent = transfer_attack(eps, steps=40, criterion=criterion, seed=seed)
    plans: list[tuple[str, System, Entry]] = [
        *((f"transfer from {name}", source, Entry(lent)) for name, source in (sources or {}).items()),
        *((_name(entry.settings), system, entry) for entry in attacks),
    ]
    read = system.task.codec.read
    adversarial, stages = images.clone(), list[Stage]()
    decoded, broken_by = torch.full_like(labels, ABNORMAL), torch.full_like(labels, STANDING)
    closeness = torch.full_like(labels, -torch.inf, dtype=torch.float32)
    if not plans or plans[0][1] is not system or plans[0][2].share < 1:  # otherwise the first attack decodes them all
        margins = _margins(system, images, batch_size)
        decoded, closeness = read(margins), success_margin(criterion, margins, labels)
        broken_by = torch.where(succeeded(criterion, decoded, labels), ALREADY, STANDING)
    key = digest(system, images, labels, [(name, entry) for name, _, entry in plans])
    kept = _Kept(Path(folder), key) if folder is not None else None
    if kept is not None and (state := kept.read()) is not None:
        stages, *kept_tensors = state
        adversarial, decoded, broken_by, closeness = (t.to(images.device) for t in kept_tensors)
        for stage in stages:
            yield stage, WorstCase(stages=tuple(stages), images=adversarial, labels=labels, decoded=decoded,
                                   broken_by=broken_by, eps=eps, criterion=criterion)
    for index in range(len(stages), len(plans)):
        name, attacked, entry = plans[index]
        started, busy = time.perf_counter(), time.process_time()
        left = _nearest(closeness, broken_by == STANDING, entry.share)
        result = attacking(
            attacked, images[left], labels[left], entry.settings, indices=left, batch_size=batch_size,
            progress=watch(progress, name, index, len(plans), entry.settings),
        )
        reading, reached = result.decoded.clone(), closeness[left]
        doubt = torch.ones_like(result.fooled) if attacked is not system else ~result.fooled
        margins = _margins(system, result.images[doubt], batch_size)
        reading[doubt] = read(margins)
        reached[doubt] = torch.maximum(reached[doubt], success_margin(criterion, margins, labels[left][doubt]))
        closeness[left] = reached
        early = torch.zeros_like(result.fooled)
        if index == 0 and attacked is system:
            decoded[left] = result.clean_decoded
            early = succeeded(criterion, result.clean_decoded, labels[left])
            broken_by[left[early]] = ALREADY
        fell = succeeded(criterion, reading, labels[left]) & ~early
        fallen = left[fell]
        adversarial[fallen], decoded[fallen], broken_by[fallen] = result.images[fell], reading[fell], index
        stages.append(Stage(
            index=index, total=len(plans), name=name, tried=int((~early).sum()), broken=len(fallen),
            standing=float((broken_by == STANDING).float().mean()) if len(labels) else float("nan"),
            seconds=time.perf_counter() - started, cpu=time.process_time() - busy,
        ))
        if kept is not None:
            kept.write(stages, adversarial, decoded, broken_by, closeness)
        yield stages[-1], WorstCase(
            stages=tuple(stages), images=adversarial.clone(), labels=labels, decoded=decoded.clone(),
            broken_by=broken_by.clone(), eps=eps, criterion=criterion,
        )


def worst_case(system: System, data: Data, eps: float, **settings: Any) -> WorstCase:
    """Run `stream_worst_case` to its end, and return the complete worst case.

    Args:
        system, data, eps: what is attacked, within which radius.
        settings: the other arguments of `stream_worst_case`.

    >>> from torch import nn
    >>> from tasklab.tasks import make_task
    >>> system = System(nn.Sequential(nn.Flatten(), nn.Linear(4, 4)), make_task("rbc", S=1))
    >>> data = torch.rand(8, 1, 2, 2), torch.zeros(8, dtype=torch.int64)
    >>> worst_case(system, data, 0.1, preset="quick").outcomes.n
    8
    """
    *_, (_, worst) = stream_worst_case(system, data, eps, **settings)
    return worst


def _margins(system: System, images: Tensor, batch_size: int) -> Tensor:
    """Exact margins, ``(N, classes)``, in float32 on the network as given."""
    return system.task.codec.margins(system.read(images, batch_size=batch_size))


def _nearest(closeness: Tensor, standing: Tensor, share: float) -> Tensor:
    """The indices, in order, of the surviving images that came nearest to success, at most ``share`` of all images."""
    left = standing.nonzero().squeeze(1)
    most = math.ceil(share * len(closeness))
    if most < len(left):
        left = left[closeness[left].argsort(descending=True, stable=True)[:most]].sort().values
    return left


def _name(settings: Settings) -> str:
    described = settings.to_dict()
    words = f"{described['attack']}-{settings.queries}"
    if settings.restarts > 1:
        words += f" × {settings.restarts}"
    return f"{words} on {described['objective']}" if "objective" in fields_of(type(settings)) else words


def digest(system: System, images: Tensor, labels: Tensor, plans: Sequence[tuple[str, Entry]]) -> str:
    """A key that identifies a worst case.

    Args:
        system: its weights and task are part of the key.
        images, labels: what is attacked.
        plans: the attacks, each with its name.

    Returns:
        64 hexadecimal digits.
    """
    words = [(name, entry.settings.to_dict(), entry.share) for name, entry in plans]
    sha = hashlib.sha256(json.dumps(words).encode())
    sha.update(repr(system.task).encode())
    for tensor in (images, labels, *system.network.state_dict().values()):
        sha.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()


class _Kept:
    """A file with the finished stages and the key of the worst case that they belong to."""

    def __init__(self, folder: Path, key: str) -> None:
        self.file, self.key = folder / "worst_case.safetensors", key

    def read(self) -> tuple[list[Stage], Tensor, Tensor, Tensor, Tensor] | None:
        if not self.file.exists():
            return None
        try:
            tensors, metadata = read_tensors(self.file)
            state = json.loads(metadata["state"])
            if state["key"] != self.key:
                raise ValueError("expected the worst case of this system, data and attacks in the folder, got another; "
                                 "try a new folder")
            stages = [Stage(**stage) for stage in state["stages"]]
            return stages, tensors["images"], tensors["decoded"], tensors["broken_by"], tensors["near"]
        except (CheckpointError, KeyError, TypeError, json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"expected a worst case in {self.file.parent}, got {error}; try a new folder") from None

    def write(self, stages: list[Stage], images: Tensor, decoded: Tensor, broken_by: Tensor, closeness: Tensor) -> None:
        tensors = {"images": images, "decoded": decoded, "broken_by": broken_by, "near": closeness}
        state = {"key": self.key, "stages": [vars(stage) for stage in stages]}
        write_tensors(self.file, tensors, {"state": json.dumps(state)})
