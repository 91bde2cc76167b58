"""Transfer: the examples found against one system, shown to another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from tasklab.attacks import Settings, attack, succeeded
from tasklab.attacks.geometry import bounds, random_start
from tasklab.evaluation.robustness import MASKED, Progress, read_data, watch
from tasklab.evaluation.statistics import Share
from tasklab.system import System

if TYPE_CHECKING:
    import pandas as pd

Filter = Literal["threat", "both"]
"""Which images count: those the threat decodes correctly (the paper's), or those that threat and victim both do."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Threat:
    """One system's own attack, and how far it got.

    Attributes:
        name: the system.
        images: float32 ``(N, C, H, W)``, what its attack found.
        correct: bool ``(N,)``, decoded correctly before.
        fooled, unmoved, zero_gradient: among those, its own successes, the images that came back bit for bit, and
            those that never had a gradient.
    """

    name: str
    images: Tensor
    correct: Tensor
    fooled: Share
    unmoved: Share
    zero_gradient: Share

    @property
    def masked(self) -> bool:
        """Whether the attack did not try over 10 % of the images, so that low transfer says nothing."""
        return self.zero_gradient.value > MASKED


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """One threat's examples on one victim.

    Attributes:
        threat, victim: the systems' names.
        fooled: bool ``(N,)``, where the victim falls for the threat's example.
        noise_fooled: bool ``(N,)``, where it falls for uniform noise of the same ε.
        threat_correct, victim_correct: bool ``(N,)``, who decodes the clean image correctly.
    """

    threat: str
    victim: str
    fooled: Tensor
    noise_fooled: Tensor
    threat_correct: Tensor
    victim_correct: Tensor

    def kept(self, images: Filter = "both") -> Tensor:
        """bool ``(N,)``: the images that count."""
        if images not in ("threat", "both"):
            raise ValueError(f"expected images 'threat' or 'both', got {images!r}; try 'both'")
        return self.threat_correct & self.victim_correct if images == "both" else self.threat_correct

    def rate(self, images: Filter = "both") -> Share:
        """The transfer rate. The paper's filter also counts images that the victim never decoded correctly."""
        return Share.of(self.fooled, self.kept(images))

    def noise(self, images: Filter = "both") -> Share:
        """What uniform noise of the same ε does to the same images: the rate to beat."""
        return Share.of(self.noise_fooled, self.kept(images))


@dataclass(frozen=True, kw_only=True, eq=False)
class TransferResult:
    """Every threat on every victim.

    Attributes:
        settings: the attack that each threat underwent.
        threats: by name, in the order given.
        cells: by (threat, victim).
    """

    settings: Settings
    threats: Mapping[str, Threat]
    cells: Mapping[tuple[str, str], Cell]

    def frame(self) -> pd.DataFrame:
        """One row for each threat and victim: rates, intervals, noise and the threat's own health, in 0..1."""
        import pandas as pd

        rows = []
        for cell in self.cells.values():
            threat = self.threats[cell.threat]
            row: dict[str, object] = {"threat": cell.threat, "victim": cell.victim, "eps": self.settings.eps}
            for images in ("threat", "both"):
                rate, noise = cell.rate(images), cell.noise(images)
                row |= {f"n_{images}": rate.n, f"rate_{images}": rate.value}
                row |= dict(zip((f"rate_{images}_low", f"rate_{images}_high"), rate.interval, strict=True))
                row[f"noise_{images}"] = noise.value
            row |= {
                "threat_fooled": threat.fooled.value,
                "threat_unmoved": threat.unmoved.value,
                "threat_zero_gradient": threat.zero_gradient.value,
                "threat_masked": threat.masked,
            }
            rows.append(row)
        return pd.DataFrame(rows)

    def matrix(self, images: Filter = "both", *, noise: bool = False) -> pd.DataFrame:
        """Rates in 0..1 with threats as rows and victims as columns, as in the paper's figure 5."""
        import pandas as pd

        victims = list(dict.fromkeys(victim for _, victim in self.cells))
        table = {
            victim: [
                (cell.noise(images) if noise else cell.rate(images)).value
                for cell in (self.cells[threat, victim] for threat in self.threats)
            ]
            for victim in victims
        }
        return pd.DataFrame(table, index=pd.Index(list(self.threats), name="threat"))


def transfer(
    threats: Mapping[str, System],
    victims: Mapping[str, System],
    images: Tensor,
    labels: Tensor,
    settings: Settings,
    *,
    batch_size: int = 256,
    progress: Callable[[Progress], object] | None = None,
) -> TransferResult:
    """Attack each threat, and show what was found to each victim.

    ``settings.keep`` matters: ``"first"`` stops just beyond the threat's own boundary, which transfers least;
    ``"last"`` is the published attack.

    Args:
        threats, victims: systems by name; the same system may be both.
        images: float32 ``(N, C, H, W)`` in [0, 1].
        labels: int64 ``(N,)``.
        settings: the attack; its criterion also judges the victims, its seed draws the noise.
        batch_size: rows run through a network at once.
        progress: called at each step of each attack.

    Raises:
        ValueError: no threats or no victims, targeted settings, or images and labels that do not fit.
    """
    if not threats or not victims:
        raise ValueError(f"expected at least one threat and one victim, got {len(threats)} and {len(victims)}")
    if settings.targeted:
        raise ValueError("expected untargeted settings, got targeted=True; try targeted=False")
    for system in (*threats.values(), *victims.values()):
        read_data((images, labels), system)  # its errors are raised before the first attack
    n = len(labels)
    noisy = random_start(
        images,
        bounds(images, settings.eps, settings.norm),
        eps=settings.eps,
        norm=settings.norm,
        seed=settings.seed + 1,  # not the attack's own starts
        example=torch.arange(n),
        restart=torch.zeros(n, dtype=torch.int64),
    )

    def decode(system: System, x: Tensor) -> Tensor:
        return system.predict(x.to(system.device), batch_size=batch_size).cpu()

    truth = labels.cpu()
    correct, noise_fooled = {}, {}
    for name, system in victims.items():
        correct[name] = decode(system, images) == truth
        noise_fooled[name] = succeeded(settings.criterion, decode(system, noisy), truth)
    found, cells = {}, {}
    for index, (name, system) in enumerate(threats.items()):
        x, y = read_data((images, labels), system)
        told = watch(progress, name, index, len(threats), settings)
        result = attack(system, x, y, settings, batch_size=batch_size, progress=told)
        right = (result.clean_decoded == result.labels).cpu()
        found[name] = Threat(
            name=name,
            images=result.images.cpu(),
            correct=right,
            fooled=Share.of(result.fooled.cpu(), right),
            unmoved=Share.of(result.unmoved.cpu(), right),
            zero_gradient=Share.of(result.zero_gradient.cpu(), right),
        )
        for victim, judge in victims.items():
            cells[name, victim] = Cell(
                threat=name,
                victim=victim,
                fooled=succeeded(settings.criterion, decode(judge, result.images), truth),
                noise_fooled=noise_fooled[victim],
                threat_correct=right,
                victim_correct=correct[victim],
            )
    return TransferResult(settings=settings, threats=found, cells=cells)
