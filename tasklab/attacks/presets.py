"""The attacks that cards, tables, curves, checks and pages run, each list written once."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from tasklab.attacks.apgd import APGD
from tasklab.attacks.building import build, changed
from tasklab.attacks.criteria import Criterion
from tasklab.attacks.noise import Noise
from tasklab.attacks.pgd import FGSM, PGD
from tasklab.attacks.settings import Norm, Settings
from tasklab.attacks.square import Square
from tasklab.checks import as_number, keep
from tasklab.tasks import Task

Preset = Literal["quick", "standard", "full"]
PRESETS: tuple[Preset, ...] = ("quick", "standard", "full")
"""``"quick"`` is for a first look, ``"standard"`` for a number to quote, ``"full"`` for the claim of a worst case."""

NEAREST = 0.25
"""The share of the images on which the standard preset runs its costliest attacks."""

UNBOUNDED = 1.0
"""The ε at which every image is within reach of every other."""

ASKED = ("train", "margin", "bits", "towards_code", "noise")
"""The curves of a report that are attacks on the system itself; `curve_attack` returns their settings."""

RUNGS: dict[Norm, tuple[float, ...]] = {
    "linf": (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5),
    "l2": (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0),
}
"""The radii at which `distance_attacks` begin."""


def paper_pgd(eps: float, *, criterion: Criterion = "misclassified", seed: int = 0) -> PGD:
    """The paper's attack: PGD-20 on the task's own training loss, its last iterate kept."""
    return PGD(eps=eps, steps=20, objective="train", keep="last", criterion=criterion, seed=seed)


def card_attacks(eps: Iterable[float], *, seed: int = 0) -> list[PGD]:
    """The attacks of every card, at each ε: PGD-20 on the training loss as published, PGD-40 on margin and terms.

    The terms (``bits``) are maximised one by one: an interval's two ends pull in opposite directions, and their minimum
    alone turns back halfway.
    """
    attacks = []
    for r in eps:
        attacks.append(paper_pgd(r, seed=seed))
        attacks.append(PGD(eps=r, steps=40, objective="margin", seed=seed))
        attacks.append(PGD(eps=r, steps=40, objective="bits", seed=seed))
    return attacks


def full_table_attacks(eps: float, *, queries: int = 1000, seed: int = 0) -> list[Settings]:
    """The attacks of the full table at one ε; `tasklab.evaluation.transfer_matrix.transfer_row` adds what transfers."""
    return [
        FGSM(eps=eps, objective="train", seed=seed),
        paper_pgd(eps, seed=seed),
        PGD(eps=eps, steps=40, seed=seed),
        PGD(eps=eps, steps=40, objective="bits", seed=seed),
        Noise(eps=eps, kind="corner", seed=seed),
        Square(eps=eps, steps=queries, seed=seed),
    ]


def transfer_attack(eps: float, *, steps: int, criterion: Criterion = "misclassified", seed: int = 0) -> PGD:
    """The attack whose images are shown to other systems: PGD on the margin, all steps taken, the best iterate kept."""
    return PGD(eps=eps, steps=steps, keep="best", criterion=criterion, seed=seed)


def plane_attack(eps: float, objective: str) -> PGD:
    """The attack on points in the plane: PGD-20 from the point itself in steps of ε/10, short enough to draw."""
    return PGD(eps=eps, steps=20, step_size=eps / 10, random_start=False, objective=objective)


def curve_attack(curve: str, eps: float, *, seed: int = 0) -> PGD | Noise:
    """The attack behind one point of a curve.

    ``train`` is the paper's protocol; the others aim at the decision. ``towards_code`` counts another class as a
    success and None as caught.

    Raises:
        ValueError: no curve of `ASKED`.

    >>> curve_attack("towards_code", 0.1).criterion
    'evaded'
    """
    if curve == "train":
        return paper_pgd(eps, seed=seed)
    if curve in ("margin", "bits"):
        return PGD(eps=eps, steps=40, objective=curve, seed=seed)
    if curve == "towards_code":
        return PGD(eps=eps, steps=20, objective="towards_code", criterion="evaded", seed=seed)
    if curve == "noise":
        return Noise(eps=eps, steps=20, kind="corner", seed=seed)
    raise ValueError(f"expected a curve among {', '.join(ASKED)}, got {curve!r}")


def claim_variations(claim: PGD) -> list[Settings]:
    """The same attack with ε = 1, with twice the steps, and with one step: what the checks compare."""
    return [
        changed(claim, eps=UNBOUNDED),
        changed(claim, steps=2 * claim.steps),
        FGSM(eps=claim.eps, objective=claim.objective, seed=claim.seed),
    ]


def honesty_attacks(claim: PGD, *, queries: int = 1000) -> list[Settings]:
    """The attacks that the checks compare a claimed PGD with, the claim first.

    Args:
        claim: the attack whose accuracy is claimed.
        queries: how many the score-based attack makes for each image.
    """
    aimed = PGD(eps=claim.eps, steps=max(claim.steps, 40), norm=claim.norm, criterion=claim.criterion, seed=claim.seed)
    shared = {"eps": claim.eps, "norm": claim.norm, "criterion": claim.criterion, "seed": claim.seed}
    attacks = [
        claim,
        changed(claim, eps=claim.eps / 3, step_size=None),
        changed(claim, eps=UNBOUNDED, step_size=None),
        changed(claim, steps=2 * claim.steps, step_size=None),
        build(FGSM, shared | {"objective": claim.objective}).settings,
        aimed,
        build(Noise, shared).settings,
    ]
    if claim.norm in Square.norms:  # Square has no other norm
        attacks.append(build(Square, shared | {"steps": queries}).settings)
    return list(dict.fromkeys(attacks))  # variations of FGSM, which has one step, are FGSM itself


def distance_attacks(
    *, norm: Norm = "linf", steps: int = 20, objective: str = "bits", criterion: Criterion = "misclassified",
    reach: float | None = None, seed: int = 0,
) -> list[Settings]:
    """PGD at growing radii, then halfway between neighbouring ones, and halfway again: about three attacks an image.

    Args:
        norm, steps, objective, criterion, seed: of the attacks.
        reach: the largest radius, the others in proportion; by default that of `RUNGS`.
    """
    rungs = RUNGS[norm] if reach is None else tuple(reach * rung / RUNGS[norm][-1] for rung in RUNGS[norm])
    radii, between = [*rungs], [0.0, *rungs]
    for _ in range(2):
        middle = [(low + high) / 2 for low, high in itertools.pairwise(between)]
        radii, between = radii + middle, sorted(between + middle)
    return [PGD(eps=eps, steps=steps, norm=norm, objective=objective, criterion=criterion, seed=seed) for eps in radii]


@dataclass(frozen=True)
class Entry:
    """One attack of an ensemble.

    Attributes:
        settings: the attack.
        share: it is run on at most this share of all images: of those not fooled yet, the ones that came nearest to it.
    """

    settings: Settings
    share: float = 1.0

    def __post_init__(self) -> None:
        share = as_number(self.share)
        if share is None or not 0 < share <= 1:
            raise ValueError(f"expected share in (0, 1], of the images, got {self.share!r}; try 1.0")
        keep(self, share=share)


def worst_case_attacks(
    task: Task, eps: float, preset: Preset = "standard", *, criterion: Criterion = "misclassified", seed: int = 0
) -> list[Entry]:
    """The attacks of a preset, the cheapest first.

    Attacks with gradients maximise −margin, each of its terms (bits, interval ends, or rivals), and the training loss
    if that is a cross-entropy, otherwise AutoAttack's ratio. Where None does not count as a success, or the preset is
    full, they maximise the margin of each other class, too. Noise and random search need no gradient.

    Raises:
        ValueError: no such preset.
    """
    if preset not in PRESETS:
        raise ValueError(f"expected preset among {', '.join(PRESETS)}, got {preset!r}")
    shared: dict[str, Any] = {"eps": eps, "criterion": criterion, "seed": seed}
    sweep = "bits" if criterion == "misclassified" else "towards_code"  # each way to succeed, one by one
    aim = sweep if task.opposing_terms else "margin"
    other = "train" if task.never_flat else "dlr"
    full = preset == "full"
    if preset == "quick":
        first: list[Settings] = [
            PGD(steps=10, random_start=False, objective=aim, **shared), PGD(steps=20, objective=sweep, **shared)
        ]
        if other == "train":
            first.append(PGD(steps=20, objective=other, **shared))
        return [Entry(settings) for settings in (*first, Noise(steps=10, kind="corner", **shared))]
    first = [APGD(steps=50, random_start=False, objective=aim, **shared)]
    if full or aim != sweep:
        first.append(PGD(steps=10, objective=sweep, **shared))
    if task.num_classes > 2 and not task.opposing_terms:
        first.append(APGD(steps=50, objective=other, **shared))
    deep: list[Settings] = [
        APGD(steps=200 if full else 50, restarts=10 if full else 4, objective=aim, **shared),
        APGD(steps=200 if full else 50, restarts=5 if full else 1, objective=sweep, **shared),
        Square(steps=1000 if full else 250, tries=16 if full else 8, **shared),
    ]
    if aim == sweep:
        del deep[1]
    if full and sweep == "bits":
        deep.insert(1, APGD(steps=100, objective="towards_code", **shared))
    noise = Noise(steps=100 if full else 20, kind="corner", **shared)
    return [
        *(Entry(settings) for settings in (*first, noise)),
        *(Entry(settings, share=1.0 if full else NEAREST) for settings in deep),
    ]
