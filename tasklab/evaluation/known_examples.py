"""A test of the attack itself: does it find an adversarial example that is known to exist?

This is the binarisation test of Zimmermann, Brendel, Tramèr & Carlini (2022), "Increasing Confidence in Adversarial
Robustness Evaluations", for every task. The features stay the same, and for each image the head becomes a linear
readout that answers class 0 at the image and at points well inside its ball, and class 1 at one point on the ball's
surface. If an attack cannot find an example that is known to exist, then finding none elsewhere shows nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tasklab.attacks import PGD, Settings, attack
from tasklab.attacks.criteria import CRITERIA
from tasklab.attacks.geometry import bounds, per_row, rescale
from tasklab.attacks.objectives import OBJECTIVES, as_objective
from tasklab.checks import as_number, as_whole, check_whole
from tasklab.evaluation.robustness import Data, Progress, read_data
from tasklab.evaluation.statistics import Share
from tasklab.models.fast import PLAIN
from tasklab.modes import own_modes
from tasklab.strict_json import Fields
from tasklab.system import System
from tasklab.tasks import Task

INSIDE = 0.95
"""The radius of the inner points' ball, as a share of ε; the readout has to separate it from the surface."""

RIDGE = 1.0
"""Added to the features' covariance, in units of their mean variance: the smoother the readout, the fairer the test."""

FOUND, LUCK = 0.95, 0.5
"""An attack that finds this share of the known examples passes; if chance finds this share, the test is too easy."""

TRIES = 5
"""Surface points tried for each image, until a linear readout separates one from all inner points."""


@dataclass(frozen=True, kw_only=True)
class AttackTest:
    """How many of the known adversarial examples an attack found.

    Attributes:
        settings: the attack.
        found: for how many of the tested images it found one.
        random: the same for ``draws`` random points, half of them in the ball and half at its corners.
        zero_gradient: on how many of the tested images it never saw a gradient.
        draws: of the random search.
        left_out: images without a test: misclassified from the start, or without a readout that separates a surface
            point from the inner ones.
    """

    settings: Settings
    found: Share
    random: Share
    zero_gradient: Share
    draws: int
    left_out: int

    @property
    def verdict(self) -> Literal["pass", "warn", "fail", "not run"]:
        """Whether the attack finds the examples that exist.

        ``"fail"`` if it misses over 5 % of the examples, ``"warn"`` if random search finds over half of them, so that
        passing says little, and ``"not run"`` if no image could be tested.
        """
        if not self.found.n:
            return "not run"
        if self.found.value < FOUND:
            return "fail"
        return "warn" if self.random.value > LUCK else "pass"

    @property
    def sentence(self) -> str:
        """The verdict in plain words."""
        if self.verdict == "not run":
            return ("No image could be tested: each was misclassified, or no readout separates a point on the surface "
                    "from those inside.")
        hits = f"found {self.found.count} of {self.found.n} adversarial examples that are known to exist"
        chance = f"random search found {self.random.count}"
        if self.verdict == "fail":
            blind = f", and saw no gradient on {self.zero_gradient.count}" if self.zero_gradient.count else ""
            return f"The attack {hits}{blind} ({chance}): an accuracy that it leaves is no evidence of robustness."
        if self.verdict == "warn":
            return f"The attack {hits}, but {chance}: the test is too easy here to say anything about the attack."
        return f"The attack {hits}; {chance}."

    def to_dict(self) -> dict[str, Any]:
        """Plain values that `from_dict` reads."""
        return self.settings.to_dict() | {
            "n": self.found.n, "left_out": self.left_out, "found": self.found.count, "random": self.random.count,
            "draws": self.draws, "zero_gradient": self.zero_gradient.count, "verdict": self.verdict,
            "sentence": self.sentence,
        }

    @staticmethod
    def from_dict(values: object) -> AttackTest:
        """The test of PGD that `to_dict` described.

        Raises:
            ValueError: the values do not fit, or the verdict is not that of the counts.
        """
        settings = (field.name for field in fields(PGD))
        test = Fields(values, "a test of an attack", ("attack", *settings, "n", "left_out", "found", "random", "draws",
                                                      "zero_gradient", "verdict", "sentence"))
        test.choice("attack", ["pgd"])
        test.table("plan")  # not used: this test runs the network as it is
        test.choice("targeted", [False])
        n = test.count("n")
        read = AttackTest(
            settings=PGD(
                eps=test.number("eps", low=0, high=1), steps=test.count("steps"), restarts=test.count("restarts"),
                norm=test.choice("norm", PGD.norms), objective=test.choice("objective", OBJECTIVES),
                criterion=test.choice("criterion", CRITERIA), seed=test.count("seed"), plan=PLAIN,
                step_size=test.number("step_size", low=0), random_start=test.choice("random_start", (True, False)),
                keep=test.choice("keep", PGD.keeps),
            ),
            found=Share(test.count("found"), n),
            random=Share(test.count("random"), n), zero_gradient=Share(test.count("zero_gradient"), n),
            draws=test.count("draws"), left_out=test.count("left_out"),
        )
        test.choice("verdict", [read.verdict])
        test.text("sentence")
        return read


def stream_check_attack(
    system: System,
    data: Data,
    settings: Settings,
    *,
    inner: int = 999,
    draws: int = 200,
    closeness: float = 0.5,
    batch_size: int = 256,
    progress: Callable[[Progress], object] | None = None,
) -> Iterator[AttackTest]:
    """Test an attack image by image: yield the result so far after each tested image, and at least one result.

    Each image's readout is scaled to the image's own margin. So the training loss is zero on the readout exactly where
    it is zero on the system: an attack on that loss that has no gradient on the system has none here either, and misses
    the example that is known to exist.

    Args:
        system: its network must have features.
        data: images and labels; those that the system misclassifies are left out.
        settings: the attack, untargeted, with an ε and an objective on outputs.
        inner: number of points inside the ball, half of them in the corners of the smaller ball, besides the image.
        draws: number of points of the random search.
        closeness: where between the outermost inner point (0) and the surface point (1) the readout changes its
            answer; the larger it is, the smaller is the region of adversarial examples.
        batch_size: rows run through the network at once.
        progress: called before each image.

    Raises:
        TypeError, ValueError: a network without features, targeted settings, no ε, or a closeness outside (0, 1).
    """
    if settings.targeted or not 0 < settings.eps < float("inf"):
        raise ValueError("expected untargeted settings with a finite eps > 0, got "
                         f"eps={settings.eps:g}, targeted={settings.targeted}; try PGD(eps=0.1)")
    if as_objective(settings.objective).of != "outputs":
        raise ValueError("expected an objective on outputs, got one on features; try objective='margin'")
    fraction, inner_points, random_draws = as_number(closeness), as_whole(inner), as_whole(draws)
    if (fraction is None or inner_points is None or random_draws is None or not 0 < fraction < 1
            or min(inner_points, random_draws) < 1):
        raise ValueError(f"expected closeness between 0 and 1, and at least one inner point and draw, got "
                         f"{closeness!r}, {inner!r} and {draws!r}; try closeness=0.5")
    closeness, inner, draws = fraction, inner_points, random_draws
    batch_size = check_whole("batch_size", batch_size, low=1, hint=256)
    images, labels = read_data(data, system)
    settings = replace(settings, plan=PLAIN)
    own = system.task.codec.margins(system.read(images, batch_size=batch_size)).gather(1, labels[:, None]).squeeze(1)
    found_by_attack, found_by_chance, zero_gradients = 0, 0, 0
    tested = left_out = 0

    def so_far() -> AttackTest:
        return AttackTest(
            settings=settings, found=Share(found_by_attack, tested), random=Share(found_by_chance, tested),
            zero_gradient=Share(zero_gradients, tested), draws=draws, left_out=left_out,
        )

    for index in range(len(labels)):
        if progress is not None:
            progress(Progress(what=settings.name, index=index, total=len(labels), step=0, steps=1,
                              fooled=found_by_attack, n=tested))
        x, margin = images[index : index + 1], float(own[index])
        readout = _readout(system, x, margin, settings, index, inner, closeness, batch_size) if margin > 0 else None
        if readout is None:
            left_out += 1
        else:
            y, mark = torch.zeros_like(labels[:1]), torch.tensor([index], device="cpu")
            result = attack(readout, x, y, settings, indices=mark, batch_size=batch_size)
            tested, found_by_attack = tested + 1, found_by_attack + int(result.fooled)
            zero_gradients += int(result.zero_gradient)
            found_by_chance += _by_chance(readout, x, settings, index, draws, batch_size)
        if readout is not None or index == len(labels) - 1:
            yield so_far()
    if not len(labels):
        yield so_far()


def check_attack(system: System, data: Data, settings: Settings, **more: Any) -> AttackTest:
    """Run `stream_check_attack` to its end, and return the complete test.

    Args:
        system, data, settings: as in `stream_check_attack`.
        more: its other arguments.

    >>> from tasklab.attacks import PGD
    >>> from tasklab.tasks import make_task
    >>> trunk = nn.Flatten()
    >>> system = System(nn.Sequential(trunk, nn.Linear(16, 4)), make_task("rbc", S=1), features=trunk)
    >>> x = torch.rand(4, 1, 4, 4)
    >>> check_attack(system, (x, system.predict(x).clamp(min=0)), PGD(eps=0.1), inner=50).verdict in ("pass", "not run")
    True
    """
    *_, test = stream_check_attack(system, data, settings, **more)
    return test


class _Readout(nn.Module):
    """``u = w·features(x) + b`` as the outputs of a two-class task."""

    def __init__(self, system: System, task: Task, weight: Tensor, bias: float) -> None:
        super().__init__()
        self.network, self.features, self.task = system.network, system.features, task
        self.readout = nn.Linear(len(weight), 1, dtype=torch.float32, device="cpu")
        with torch.no_grad():
            self.readout.weight.copy_(weight[None].float())
            self.readout.bias.fill_(bias)
        self.readout.to(weight.device).requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.task.two_class_outputs(self.readout(self.features(x)).squeeze(1))


@own_modes()
def _readout(
    system: System, x: Tensor, margin: float, settings: Settings, index: int, inner: int, closeness: float,
    batch_size: int,
) -> System | None:
    """The image's own system of two classes, or None where no surface point could be separated."""
    eps, generator = settings.eps, torch.Generator().manual_seed((settings.seed * 1_000_003 + index) % 2**63)
    inside = [_points(x, INSIDE * eps, settings, generator, count, corner=corner)
              for corner, count in ((False, inner - inner // 2), (True, inner // 2))]
    known, surface = torch.cat([x, *inside]), _points(x, eps, settings, generator, TRIES, corner=True)
    task = system.task.two_class()
    with torch.no_grad():
        read = [system.features(part).double() for part in torch.split(torch.cat([known, surface]), batch_size)]
    features = torch.cat(read)
    centre, points = features[: inner + 1].mean(dim=0), features[inner + 1 :]
    spread = features[: inner + 1] - centre
    covariance = spread.T @ spread / len(spread)
    unit = torch.eye(len(centre), dtype=covariance.dtype, device=covariance.device)
    ridge = RIDGE * covariance.diagonal().mean().clamp_min(1e-12) * unit
    for point, image in zip(points, surface, strict=True):
        weight = torch.linalg.solve(covariance + ridge, point - centre)  # Fisher's direction
        reach = features[: inner + 1] @ weight
        high, top = float(reach.max()), float(point @ weight)
        turn = high + closeness * (top - high)
        if not top > high or not turn > float(reach[0]):
            continue
        scale = margin / (turn - float(reach[0]))
        network = _Readout(system, task, scale * weight, -scale * turn)
        readout = System(network, task)
        decoded = readout.predict(torch.cat([known, image[None]]), batch_size=batch_size)
        if bool((decoded[:-1] == 0).all()) and int(decoded[-1]) == 1:  # the guarantee, in float32
            return readout
    return None


def _points(
    x: Tensor, radius: float, settings: Settings, generator: torch.Generator, count: int, *, corner: bool
) -> Tensor:
    """Random points of the ball around ``x (1, …)``, or of its corners (L2: of its sphere), clamped to [0, 1]."""
    shape = (count, *x.shape[1:])
    kind: dict[str, Any] = {"dtype": torch.float32, "device": generator.device}
    if settings.norm == "linf":
        unit = 2 * torch.rand(shape, generator=generator, **kind) - 1
        unit = unit.sign() if corner else unit
    else:
        unit = rescale(torch.randn(shape, generator=generator, **kind), 1.0)
        if not corner:
            unit = unit * per_row(torch.rand(count, generator=generator, **kind) ** (1 / x[0].numel()), unit)
    return torch.clamp(x + radius * unit.to(x.device), *bounds(x, radius, settings.norm))


def _by_chance(readout: System, x: Tensor, settings: Settings, index: int, draws: int, batch_size: int) -> bool:
    """Whether one of as many random points fools the readout, half of them corners."""
    generator = torch.Generator().manual_seed((settings.seed * 1_000_003 + index + 2**40) % 2**63)
    tried = [_points(x, settings.eps, settings, generator, count, corner=corner)
             for corner, count in ((False, draws - draws // 2), (True, draws // 2))]
    return bool((readout.predict(torch.cat(tried), batch_size=batch_size) != 0).any())
