"""The questions about each system: the paper's attacks, with the settings that it leaves open, and adaptive attacks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tasklab.attacks import FGSM, Settings
from tasklab.attacks.presets import Preset, curve_attack, paper_pgd
from tasklab.attacks.settings import check_choice
from tasklab.checks import check_number, check_switch, check_whole, keep
from tasklab.data.info import info_of
from tasklab.paper.grid import Cell
from tasklab.paper.published import INTENSITIES

Kind = Literal["clean", "fgsm", "pgd", "margin", "bits", "worst"]
PUBLISHED_KINDS: tuple[Kind, ...] = ("fgsm", "pgd")
ADAPTIVE_KINDS: tuple[Kind, ...] = ("margin", "bits", "worst")
"""The attacks as published, on the system's training loss; and those on what decides."""

ProtocolName = Literal["paper", "adaptive", "both"]
KINDS: dict[ProtocolName, tuple[Kind, ...]] = {
    "paper": PUBLISHED_KINDS, "adaptive": ADAPTIVE_KINDS, "both": PUBLISHED_KINDS + ADAPTIVE_KINDS,
}
"""The attacks of each protocol; the clean images are read in all of them."""


@dataclass(frozen=True, kw_only=True)
class PaperProtocol:
    """What the paper leaves open about its attacks; the defaults are those of `paper_pgd`.

    Args:
        steps: of PGD.
        step_size: of PGD, in the unit of ε; None for ``2.5·ε/steps``.
        random_start: whether PGD starts at a random point of the ball, or at the image.
        normalised: whether ε counts in units of the normalised images: a pixel then moves by ε times the standard
            deviation of the data set's pixels (the mean over the channels).
        gap: what a number between two intervals decodes to: ``"abnormal"``, None, or ``"floor"``, the class below.
        seed: of the attacks.
    """

    steps: int = paper_pgd(0.0).steps
    step_size: float | None = None
    random_start: bool = True
    normalised: bool = False
    gap: Literal["abnormal", "floor"] = "abnormal"
    seed: int = 0

    def __post_init__(self) -> None:
        keep(
            self, steps=check_whole("steps", self.steps, low=1), seed=check_whole("seed", self.seed, low=0),
            random_start=check_switch("random_start", self.random_start),
            normalised=check_switch("normalised", self.normalised),
        )
        if self.step_size is not None:
            keep(self, step_size=float(check_number("step_size", self.step_size, low=0.0)))
        check_choice("gap", self.gap, ("abnormal", "floor"))

    def unit(self, data: str) -> float:
        """The share of a pixel's range by which an ε of 1 changes it."""
        std = info_of(data).std
        return sum(std) / len(std) if self.normalised else 1.0


@dataclass(frozen=True, kw_only=True)
class Question:
    """One evaluation of one system.

    Attributes:
        kind: clean images, an attack as published, or an adaptive one.
        intensity: ``"I"``, ``"II"`` or ``"III"``; empty for clean images.
        eps: in pixel units; 0 for clean images.
        n: how many of the first test images.
        settings: of the attack; None for clean images and for the worst case.
        preset: of the worst case.
        seed: of the attacks.
        gap: what decodes a number between two intervals; None where the task has no intervals.
    """

    kind: Kind
    intensity: str = ""
    eps: float = 0.0
    n: int
    settings: Settings | None = None
    preset: Preset | None = None
    seed: int = 0
    gap: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values that identify the question."""
        asked: dict[str, Any] = {"kind": self.kind, "n": self.n}
        if self.kind != "clean":
            asked |= {"intensity": self.intensity, "eps": self.eps, "seed": self.seed}
        if self.preset is not None:
            asked["preset"] = self.preset
        if self.settings is not None:
            settings = self.settings.to_dict()
            asked |= {name: settings[name] for name in ("objective", "steps", "step_size", "random_start")}
        return asked | ({"gap": self.gap} if self.gap is not None else {})


def questions(cell: Cell, protocol: PaperProtocol, kinds: Sequence[Kind]) -> list[Question]:
    """What is asked of a cell: its accuracy on all clean test images, then each kind of attack at each intensity.

    Args:
        cell: the system.
        protocol: the open settings.
        kinds: of attacks; a value of `KINDS`.
    """
    size = info_of(cell.data).sizes[2]
    n, unit, seed = min(cell.scale.attacked, size), protocol.unit(cell.data), protocol.seed
    has_gap = any(field.name == "gap" for field in dataclasses.fields(cell.task))
    gap = protocol.gap if has_gap else None
    asked = [Question(kind="clean", n=size, gap=gap)]
    for kind in kinds:
        for intensity, radius in zip(INTENSITIES, cell.radii, strict=True):
            eps = unit * radius
            asked.append(Question(
                kind=kind, intensity=intensity, eps=eps, n=n, seed=seed, gap=gap,
                settings=_settings(kind, eps, unit, protocol), preset=cell.scale.preset if kind == "worst" else None,
            ))
    return asked


def _settings(kind: Kind, eps: float, unit: float, protocol: PaperProtocol) -> Settings | None:
    if kind == "fgsm":
        return FGSM(eps=eps, objective="train", seed=protocol.seed)
    if kind == "pgd":
        size = None if protocol.step_size is None else unit * protocol.step_size
        attack = paper_pgd(eps, seed=protocol.seed)
        return dataclasses.replace(
            attack, steps=protocol.steps, step_size=size, random_start=protocol.random_start,
        )
    return None if kind == "worst" else curve_attack(kind, eps, seed=protocol.seed)
