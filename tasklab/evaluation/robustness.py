"""A system's outcomes, clean and under attacks, each with signs of whether the attack itself worked."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tasklab.attacks import AttackStep, Settings, attack, succeeded
from tasklab.attacks.criteria import Criterion
from tasklab.attacks.objectives import as_objective
from tasklab.data import ImageSet
from tasklab.evaluation.counts import Outcomes, outcomes
from tasklab.evaluation.shards import Attacking
from tasklab.evaluation.statistics import Share
from tasklab.inputs import described
from tasklab.system import System

MASKED = 0.10
"""From this share of correct examples with an exactly zero gradient, an accuracy is flagged as masked."""

WARN = 0.01
"""From this share of zero gradients or unmoved images, an accuracy carries a warning."""

Data = ImageSet | tuple[Tensor, Tensor]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The progress of a long evaluation.

    Attributes:
        what: the attack, or the threat, that is running.
        index, total: its place among them, from 0, and how many there are.
        step, steps: its current step and number of steps; with many images, each group goes through all the steps.
        fooled, n: how many of its images are fooled so far, of how many.
    """

    what: str
    index: int
    total: int
    step: int
    steps: int
    fooled: int
    n: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """One line of an evaluation: the clean images, or one attack on them.

    Attributes:
        attack: ``"clean"``, the attack's name, or ``"worst case"``.
        objective, criterion, norm: what it maximised, what counted as success, in which ball; None on clean images.
        eps, steps, restarts: its settings; 0 on clean images.
        outcomes: what the images decode to now.
        clean: what they decoded to before.
        zero_gradient: among the images decoded correctly before, those for which the attack never saw a gradient.
        nonfinite_gradient: among the same, those for which a gradient was NaN or infinite: the network overflowed.
        unmoved: among the same, those that it returned unchanged, bit for bit.
        decoded, labels: int64 ``(N,)``, example by example.
        forwards, backwards: rows passed through the network.
        seconds: wall time.
        settings: of the attack; None on clean images, and where several were put together.
    """

    attack: str
    objective: str | None = None
    criterion: Criterion | None = None
    norm: str | None = None
    eps: float = 0.0
    steps: int = 0
    restarts: int = 0
    outcomes: Outcomes
    clean: Outcomes
    zero_gradient: Share | None = None
    nonfinite_gradient: Share | None = None
    unmoved: Share | None = None
    decoded: Tensor = dataclasses.field(repr=False)
    labels: Tensor = dataclasses.field(repr=False)
    forwards: int = 0
    backwards: int = 0
    seconds: float = 0.0
    settings: Settings | None = dataclasses.field(default=None, repr=False)

    @property
    def n(self) -> int:
        """How many images."""
        return self.outcomes.n

    @property
    def stability(self) -> float:
        """The paper's ``R = acc_a / acc_t``, to be read with `flags`; nan where nothing was correct."""
        return self.outcomes.correct / self.clean.correct if self.clean.correct else math.nan

    @property
    def masked(self) -> bool:
        """Whether more than 10 % of the correct images had an exactly zero gradient: the attack did not try them."""
        return self.zero_gradient is not None and self.zero_gradient.value > MASKED

    @property
    def flags(self) -> tuple[str, ...]:
        """Why the accuracy may mislead: ``"masked"`` (or over 1 % ``"zero gradient"``), over 1 % ``"not a number"``
        and ``"unmoved"``."""
        flags = []
        if self.zero_gradient is not None and self.zero_gradient.value > WARN:
            flags.append("masked" if self.masked else "zero gradient")
        if self.nonfinite_gradient is not None and self.nonfinite_gradient.value > WARN:
            flags.append("not a number")
        if self.unmoved is not None and self.unmoved.value > WARN:
            flags.append("unmoved")
        return tuple(flags)


def stream_rows(
    system: System,
    data: Data,
    attacks: Sequence[Settings] = (),
    *,
    batch_size: int = 256,
    progress: Callable[[Progress], object] | None = None,
    attacking: Attacking = attack,
) -> Iterator[Row]:
    """Evaluate row by row: yield each row of `evaluate` as soon as it is known, the clean images first.

    Args:
        system, data, attacks, batch_size, progress, attacking: as in `evaluate`.
    """
    images, labels = read_data(data, system)
    started = time.perf_counter()
    before = system.predict(images, batch_size=batch_size)
    clean = outcomes(before, labels)
    seconds = time.perf_counter() - started
    yield Row(
        attack="clean",
        outcomes=clean,
        clean=clean,
        decoded=before,
        labels=labels,
        forwards=len(labels),
        seconds=seconds,
    )
    for index, settings in enumerate(attacks):
        report_step = watch(progress, settings.name, index, len(attacks), settings)
        result = attacking(system, images, labels, settings, batch_size=batch_size, progress=report_step)
        correct = result.clean_decoded == result.labels
        yield Row(
            attack=settings.name,
            objective=as_objective(settings.objective).name,
            criterion=settings.criterion,
            norm=settings.norm,
            eps=settings.eps,
            steps=settings.steps,
            restarts=settings.restarts,
            outcomes=outcomes(result.decoded, result.labels),
            clean=outcomes(result.clean_decoded, result.labels),
            zero_gradient=Share.of(result.zero_gradient, correct),
            nonfinite_gradient=Share.of(result.nonfinite_gradient, correct),
            unmoved=Share.of(result.unmoved, correct),
            decoded=result.decoded,
            labels=result.labels,
            forwards=result.forwards,
            backwards=result.backwards,
            seconds=result.seconds,
            settings=settings,
        )


def evaluate(
    system: System,
    data: Data,
    attacks: Sequence[Settings] = (),
    *,
    batch_size: int = 256,
    progress: Callable[[Progress], object] | None = None,
    attacking: Attacking = attack,
) -> list[Row]:
    """A system's outcomes on clean images and under each attack.

    Args:
        system: what is evaluated.
        data: an image set, or images float32 ``(N, C, H, W)`` in [0, 1] and labels int64 ``(N,)``; they go to the
            system's device.
        attacks: settings, untargeted.
        batch_size: rows run through the network at once.
        progress: called at each step of each attack.
        attacking: the function that runs an attack.

    Returns:
        One row for the clean images, then one for each attack.

    Raises:
        TypeError, ValueError: data or attacks that do not fit the system.

    >>> from torch import nn
    >>> from tasklab.attacks import PGD
    >>> from tasklab.tasks import make_task
    >>> system = System(nn.Sequential(nn.Flatten(), nn.Linear(4, 4)), make_task("rbc", S=1))
    >>> rows = evaluate(system, (torch.rand(8, 1, 2, 2), torch.zeros(8, dtype=torch.int64)), [PGD(eps=0.1, steps=3)])
    >>> [row.attack for row in rows]
    ['clean', 'pgd']
    """
    return list(stream_rows(
        system, data, attacks, batch_size=batch_size, progress=progress, attacking=attacking))


def curve(
    system: System,
    data: Data,
    settings: Settings,
    eps: Sequence[float],
    *,
    batch_size: int = 256,
    progress: Callable[[Progress], object] | None = None,
) -> list[Row]:
    """Outcomes against ε: the same attack at each radius, after the clean row at ε = 0.

    A step size of None grows with ε, as ``2.5·eps/steps``; a fixed one stays the same.

    Args:
        system, data, batch_size, progress: as in `evaluate`.
        settings: of the attack; its own ε is replaced.
        eps: the radii, in the units of the attack's norm.

    Returns:
        The clean row, then one row for each radius.
    """
    attacks = [dataclasses.replace(settings, eps=float(radius)) for radius in eps]
    return evaluate(system, data, attacks, batch_size=batch_size, progress=progress)


def combined(rows: Sequence[Row]) -> Row:
    """The worst case found: each image as the first attack that succeeded on it left it.

    Args:
        rows: attacks on the same images with one ε, norm and criterion.

    Returns:
        A row with the attacks' objectives joined and their restarts and costs added up. Its counts of images without a
        gradient, or unmoved, are those of the attack with the fewest of them.

    Raises:
        ValueError: no attacks, or attacks that do not belong together.
    """
    tried = [row for row in rows if row.attack != "clean"]
    if not tried:
        raise ValueError("expected rows of attacks, got none; try evaluate(system, data, [PGD(eps=8/255)])")
    first = tried[0]
    for row in tried[1:]:
        if (row.eps, row.norm, row.criterion) != (first.eps, first.norm, first.criterion):
            raise ValueError(
                f"expected attacks of one eps, norm and criterion, got {(first.eps, first.norm, first.criterion)} and "
                f"{(row.eps, row.norm, row.criterion)}; try one worst case for each"
            )
        if not torch.equal(row.labels, first.labels):
            raise ValueError("expected attacks on the same images, got other labels; try one evaluate for all of them")
    assert first.criterion is not None
    decoded = torch.stack([row.decoded for row in tried])  # (attacks, N)
    success = torch.stack([succeeded(first.criterion, row.decoded, row.labels) for row in tried])
    rank = 2 * success.int() + (decoded != first.labels).int()
    worst = decoded.gather(0, rank.argmax(dim=0, keepdim=True)).squeeze(0)
    return Row(
        attack="worst case",
        objective=" + ".join(dict.fromkeys(row.objective for row in tried if row.objective)),
        criterion=first.criterion,
        norm=first.norm,
        eps=first.eps,
        steps=max(row.steps for row in tried),
        restarts=sum(row.restarts for row in tried),
        outcomes=outcomes(worst, first.labels),
        clean=first.clean,
        zero_gradient=_least([row.zero_gradient for row in tried]),
        nonfinite_gradient=_least([row.nonfinite_gradient for row in tried]),
        unmoved=_least([row.unmoved for row in tried]),
        decoded=worst,
        labels=first.labels,
        forwards=sum(row.forwards for row in tried),
        backwards=sum(row.backwards for row in tried),
        seconds=sum(row.seconds for row in tried),
    )


def _least(shares: Sequence[Share | None]) -> Share | None:
    known = [share for share in shares if share is not None]
    return min(known, key=lambda share: share.count) if known else None


def read_data(data: Data, system: System) -> tuple[Tensor, Tensor]:
    """Images and labels on the system's device.

    Args:
        data: an image set, or a pair of tensors.
        system: the labels are checked against its classes.

    Returns:
        Images float32 ``(N, C, H, W)`` and labels int64 ``(N,)``.

    Raises:
        TypeError, ValueError: the data are neither an image set nor a pair of tensors, or the labels do not fit.
    """
    if isinstance(data, ImageSet):
        images, labels = data.x(), data.labels
    elif isinstance(data, tuple) and len(data) == 2 and all(isinstance(part, Tensor) for part in data):
        images, labels = data
    else:
        parts = data if isinstance(data, tuple) else ()
        got = f"({', '.join(map(described, parts))})" if parts else type(data).__name__
        hint = "; try torch.from_numpy for each" * any(type(part).__module__ == "numpy" for part in parts)
        raise TypeError(f"expected an ImageSet or a pair (images, labels) of tensors, got {got}{hint}")
    if len(images) != len(labels):
        raise ValueError(f"expected one label for each of {len(images)} images, got {len(labels)}")
    return images.to(system.device), system.task.codec.check_labels(labels).to(system.device)


def watch(
    progress: Callable[[Progress], object] | None, what: str, index: int, total: int, settings: Settings
) -> Callable[[AttackStep], object] | None:
    """A callback for an attack that reports each of its steps as `Progress`.

    Args:
        progress: called with each report; None for no reports.
        what: name of the attack.
        index, total: its index among the attacks, and how many there are.
        settings: of the attack.
    """
    if progress is None:
        return None
    tell = progress

    def report_step(step: AttackStep) -> None:
        tell(
            Progress(
                what=what,
                index=index,
                total=total,
                step=step.index,
                steps=settings.steps,
                fooled=int(step.fooled.sum()),
                n=len(step.fooled),
            )
        )

    return report_step
