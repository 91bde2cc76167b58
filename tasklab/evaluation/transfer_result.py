"""The results of adversarial examples found against some systems and shown to others: rates, intervals, tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from tasklab.attacks import AttackResult, Settings
from tasklab.evaluation.robustness import MASKED
from tasklab.evaluation.statistics import Share

if TYPE_CHECKING:
    import pandas as pd

Filter = Literal["threat", "both"]
"""Which images count: those the threat decodes correctly (the paper's), or those that threat and victim both do."""

OTHERS, NOISE = "all others", "noise"
"""The names of the rows of tables that belong to no single threat."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Threat:
    """The attack on one system, and its success.

    Attributes:
        name: the system.
        result: what its attack found, image by image, on the CPU.
    """

    name: str
    result: AttackResult

    @property
    def images(self) -> Tensor:
        """float32 ``(N, C, H, W)``, what the attack found."""
        return self.result.images

    @property
    def correct(self) -> Tensor:
        """bool ``(N,)``, decoded correctly before."""
        return self.result.clean_decoded == self.result.labels

    @property
    def fooled(self) -> Share:
        """The share on which its own attack succeeded, among the images decoded correctly before."""
        return Share.of(self.result.fooled, self.correct)

    @property
    def unmoved(self) -> Share:
        """The share of the same images that came back unchanged, bit for bit."""
        return Share.of(self.result.unmoved, self.correct)

    @property
    def zero_gradient(self) -> Share:
        """The share of the same images that never had a gradient."""
        return Share.of(self.result.zero_gradient, self.correct)

    @property
    def masked(self) -> bool:
        """Whether over 10 % of these images never had a gradient, so that low transfer rates say nothing."""
        return self.zero_gradient.value > MASKED


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """One threat's examples on one victim.

    Attributes:
        threat, victim: the systems' names.
        images: float32 ``(N, C, H, W)``, the images that the victim is shown.
        before, decoded: int64 ``(N,)``, the victim's decoded labels of the clean images and of those it is shown.
        fooled: bool ``(N,)``, which of the images fool the victim.
        noise_fooled: bool ``(N,)``, on which of them uniform noise of the same ε fools the victim.
        threat_correct, victim_correct: bool ``(N,)``, which clean images threat and victim decode correctly.
        unmoved: bool ``(N,)``, which images shown are the clean ones, bit for bit.
    """

    threat: str
    victim: str
    images: Tensor
    before: Tensor
    decoded: Tensor
    fooled: Tensor
    noise_fooled: Tensor
    threat_correct: Tensor
    victim_correct: Tensor
    unmoved: Tensor

    def kept(self, images: Filter = "both") -> Tensor:
        """The images that count.

        Args:
            images: ``"threat"`` for those that the threat decodes correctly, ``"both"`` for those that both systems do.

        Returns:
            bool ``(N,)``.

        Raises:
            ValueError: another filter.
        """
        if images not in ("threat", "both"):
            raise ValueError(f"expected images 'threat' or 'both', got {images!r}; try 'both'")
        return self.threat_correct & self.victim_correct if images == "both" else self.threat_correct

    def rate(self, images: Filter = "both") -> Share:
        """The transfer rate: the share of images that fool the victim.

        Args:
            images: as in `kept`; with the paper's ``"threat"``, images that the victim misclassified anyway count too.
        """
        return Share.of(self.fooled, self.kept(images))

    def noise(self, images: Filter = "both") -> Share:
        """The share of the same images for which uniform noise of this ε fools the victim: the rate to beat.

        Args:
            images: as in `kept`.
        """
        return Share.of(self.noise_fooled, self.kept(images))

    def still(self, images: Filter = "both") -> Share:
        """The share of the same images that the threat's attack returned unchanged, bit for bit.

        Args:
            images: as in `kept`.
        """
        return Share.of(self.unmoved, self.kept(images))


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the table: what a threat does to each victim.

    Attributes:
        name: the threat, `OTHERS` or `NOISE`.
        rates: by victim.
        unmoved, zero_gradient: of a threat, as `Threat` has them; None on the other lines.
    """

    name: str
    rates: Mapping[str, Share]
    unmoved: Share | None = None
    zero_gradient: Share | None = None

    @property
    def masked(self) -> bool:
        """Whether the attack had no gradient on over 10 % of the images, so that low rates say nothing."""
        return self.zero_gradient is not None and self.zero_gradient.value > MASKED


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

    @property
    def victims(self) -> list[str]:
        """Their names, in the order given."""
        return list(dict.fromkeys(victim for _, victim in self.cells))

    def union(self, victim: str, sources: Sequence[str] | None = None) -> Cell:
        """Several threats as one: the victim is fooled if the example of any of them fools it.

        The images that count are those that every source decodes correctly. Where no example fools the victim, the
        first that differs from the clean image is shown.

        Args:
            victim: a name.
            sources: names of threats; by default all but the victim itself.

        Raises:
            ValueError: names that are not there, or no source.
        """
        if sources is None:
            sources, name = [threat for threat in self.threats if threat != victim], OTHERS
        else:
            name = " + ".join(sources)
        unknown = [threat for threat in sources if (threat, victim) not in self.cells]
        if unknown or not sources:
            known = ", ".join(self.threats)
            raise ValueError(f"expected a victim among {', '.join(self.victims)} and sources among {known}, "
                             f"got {victim!r} and {list(sources)}")
        cells = [self.cells[threat, victim] for threat in sources]
        fooled, unmoved = (torch.stack([getattr(cell, part) for cell in cells]) for part in ("fooled", "unmoved"))
        first = (2 * fooled.int() + (~unmoved).int()).argmax(dim=0)  # (N,): argmax names the first of the largest
        row = torch.arange(len(first), device=first.device)
        return dataclasses.replace(
            cells[0],
            threat=name,
            images=torch.stack([cell.images for cell in cells])[first, row],
            decoded=torch.stack([cell.decoded for cell in cells])[first, row],
            fooled=fooled.any(dim=0),
            threat_correct=torch.stack([cell.threat_correct for cell in cells]).all(dim=0),
            unmoved=unmoved.all(dim=0),
        )

    def noise(self, victim: str, images: Filter = "both") -> Share:
        """The share of images for which uniform noise of the same ε fools a victim.

        Args:
            victim: a name.
            images: ``"both"`` counts the images that the victim decodes correctly, ``"threat"`` counts all, since
                noise has no system that could decode them.
        """
        cell = next(cell for cell in self.cells.values() if cell.victim == victim)
        return Share.of(cell.noise_fooled, cell.victim_correct if images == "both" else None)

    def frame(self) -> pd.DataFrame:
        """One row for each threat and victim: rates, intervals, noise, and whether the threat's attack worked, in 0..1.

        With three or more threats, the victims' rows for `union` come last; these have no figures of a threat.
        """
        import pandas as pd

        more = [self.union(victim) for victim in self.victims] if len(self.threats) > 2 else []
        rows = []
        for cell in [*self.cells.values(), *more]:
            row: dict[str, object] = {"threat": cell.threat, "victim": cell.victim, "eps": self.settings.eps}
            for images in ("threat", "both"):
                rate, noise = cell.rate(images), cell.noise(images)
                row |= {f"n_{images}": rate.n, f"rate_{images}": rate.value}
                row |= dict(zip((f"rate_{images}_low", f"rate_{images}_high"), rate.interval, strict=True))
                row |= {f"noise_{images}": noise.value, f"unmoved_{images}": cell.still(images).value}
            if threat := self.threats.get(cell.threat):
                row |= {
                    "threat_fooled": threat.fooled.value,
                    "threat_unmoved": threat.unmoved.value,
                    "threat_zero_gradient": threat.zero_gradient.value,
                    "threat_masked": threat.masked,
                }
            rows.append(row)
        return pd.DataFrame(rows)

    def matrix(self, images: Filter = "both") -> pd.DataFrame:
        """The transfer rates in 0..1, with threats as rows and victims as columns, as in the paper's figure 5.

        Args:
            images: the filter, as in `Cell.kept`.
        """
        import pandas as pd

        table = {
            victim: [self.cells[threat, victim].rate(images).value for threat in self.threats]
            for victim in self.victims
        }
        return pd.DataFrame(table, index=pd.Index(list(self.threats), name="threat"))

    def lines(self, images: Filter = "both") -> list[Line]:
        """The lines of the table: the threats, `union` where there are three or more, and noise.

        Args:
            images: the filter, as in `Cell.kept`.
        """
        lines = [
            Line(name=name, rates={victim: self.cells[name, victim].rate(images) for victim in self.victims},
                 unmoved=threat.unmoved, zero_gradient=threat.zero_gradient)
            for name, threat in self.threats.items()
        ]
        if len(self.threats) > 2:
            lines.append(Line(name=OTHERS, rates={v: self.union(v).rate(images) for v in self.victims}))
        return [*lines, Line(name=NOISE, rates={v: self.noise(v, images) for v in self.victims})]

    def table(self, images: Filter = "both") -> pd.DataFrame:
        """The `lines` as a table to read: percentages with Wilson intervals, and whether each threat's attack worked.

        Args:
            images: the filter, as in `Cell.kept`.

        >>> import torch
        >>> from torch import nn
        >>> from tasklab.attacks import PGD
        >>> from tasklab.evaluation import transfer
        >>> from tasklab.system import System
        >>> from tasklab.tasks import make_task
        >>> system = System(nn.Sequential(nn.Flatten(), nn.Linear(4, 4)), make_task("rbc", S=1))
        >>> x, y = torch.rand(5, 1, 2, 2), torch.zeros(5, dtype=torch.int64)
        >>> list(transfer({"a": system}, {"b": system}, x, y, PGD(eps=0.1)).table())
        ['threat', 'b', 'unmoved %', 'gradient 0 %']
        """
        import pandas as pd

        def words(share: Share | None) -> str:
            return "–" if share is None else share.percent()

        return pd.DataFrame([
            {"threat": line.name}
            | {victim: words(share) for victim, share in line.rates.items()}
            | {"unmoved %": words(line.unmoved), "gradient 0 %": words(line.zero_gradient)}
            for line in self.lines(images)
        ])
