"""The full table: for each system and ε, the paper's numbers beside adaptive ones; and comparisons of two systems."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from tasklab.data.radii import eps_said
from tasklab.evaluation.honesty import ADAPTIVE
from tasklab.evaluation.robustness import Row, combined
from tasklab.evaluation.statistics import Share, mcnemar

if TYPE_CHECKING:
    import pandas as pd

GROUPS = ("paper FGSM", "paper PGD", "white-box adaptive", "black box", "transfer", "worst case")
"""The groups of attacks: on the training loss as published, one step and many; all others that use gradients; those
that use none; adversarial images of other systems; and all of them together, image by image."""


def grouped(rows: Sequence[Row], eps: float) -> dict[str, Row]:
    """The rows at one ε by the groups of the full table.

    Args:
        rows: of one system on the same images.
        eps: radius in pixel units.

    Returns:
        By the name of a group in `GROUPS`, its rows combined image by image; a group without rows is left out.
    """
    here = [row for row in rows if row.attack != "clean" and row.eps == eps and row.criterion == "misclassified"]
    members: dict[str, list[Row]] = {
        "paper FGSM": [row for row in here if row.attack == "fgsm" and row.objective == "train"],
        "paper PGD": [row for row in here if row.attack == "pgd" and row.objective == "train"],
        "white-box adaptive": [row for row in here if row.backwards and row.objective != "train"],
        "black box": [row for row in here if not row.backwards and row.attack != "transfer"],
        "transfer": [row for row in here if row.attack == "transfer"],
        "worst case": here,
    }
    return {name: some[0] if len(some) == 1 else combined(some) for name, some in members.items() if some}


def full_frame(rows: Mapping[str, Sequence[Row]]) -> pd.DataFrame:
    """Every number of the full table, shares in 0..1 with both ends of their 95 % Wilson intervals.

    Args:
        rows: of each system by name, the clean ones among them.
    """
    import pandas as pd

    lines = []
    for name, some in rows.items():
        for eps, groups in _radii(some):
            clean = next(iter(groups.values())).clean
            line: dict[str, Any] = {"system": name, "eps": eps, "n": clean.n, "clean": clean.accuracy.value,
                                    "None on clean": clean.alarm.value}
            for group in GROUPS:
                row = groups.get(group)
                share = None if row is None else row.outcomes.accuracy
                line[group] = math.nan if share is None else share.value
                line[f"{group} low"], line[f"{group} high"] = (math.nan, math.nan) if share is None else share.interval
            for what, group in (("R (paper)", "paper PGD"), ("R (worst)", "worst case")):
                line[what] = groups[group].stability if group in groups else math.nan
            lines.append(line | {"flags": ", ".join(_flags(groups))})
    return pd.DataFrame(lines)


def full_table(rows: Mapping[str, Sequence[Row]]) -> pd.DataFrame:
    """The full table to read: percentages, the worst case with its 95 % Wilson interval, and both R with their flags.

    R = attacked / clean accuracy; the R of the paper's protocol is only meaningful where no flag says otherwise.

    Args:
        rows: of each system by name.
    """
    import pandas as pd

    def percent(share: Share | None) -> str:
        return "–" if share is None or not share.n else f"{100 * share.value:.1f}"

    lines = []
    for name, some in rows.items():
        for eps, groups in _radii(some):
            clean = next(iter(groups.values())).clean
            shares = {group: row.outcomes.accuracy for group, row in groups.items()}
            line: dict[str, Any] = {"system": name, "ε": eps_said(eps), "clean %": percent(clean.accuracy),
                                    "None on clean %": percent(clean.alarm)}
            line |= {f"{group} %": percent(shares.get(group)) for group in GROUPS[:-1]}
            line["worst case %"] = shares["worst case"].percent()
            for what, group in (("R (paper)", "paper PGD"), ("R (worst)", "worst case")):
                ratio = groups[group].stability if group in groups else math.nan
                line[what] = "–" if math.isnan(ratio) else f"{ratio:.3f}"
            lines.append(line | {"flags": ", ".join(_flags(groups)), "n": clean.n})
    return pd.DataFrame(lines)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two systems on the same images: how many images both, one or neither of them decodes correctly.

    Attributes:
        names: of the first and the second.
        what: the question, such as ``"worst case, ε = 0.1"``.
        both, only_first, only_second, neither: images that both, one or none of them still classified correctly.
        p: McNemar's exact two-sided p value.
    """

    names: tuple[str, str]
    what: str
    both: int
    only_first: int
    only_second: int
    neither: int
    p: float

    @property
    def n(self) -> int:
        """How many images."""
        return self.both + self.only_first + self.only_second + self.neither

    @property
    def shares(self) -> tuple[Share, Share]:
        """The share of images that each of them classifies correctly."""
        return Share(self.both + self.only_first, self.n), Share(self.both + self.only_second, self.n)

    @property
    def sentence(self) -> str:
        """The result in plain words."""
        first, second = self.shares
        leads = self.names[0] if self.only_first >= self.only_second else self.names[1]
        verdict = (f"{leads} does better, by more than chance explains" if self.p < 0.01
                   else f"{leads} does better, perhaps by chance" if self.p < 0.05
                   else "no difference beyond chance")
        return (f"{self.what}: {self.names[0]} {first.percent()} %, {self.names[1]} {second.percent()} %; "
                f"only the first is right on {self.only_first} images, only the second on {self.only_second} "
                f"(McNemar p = {self.p:.2g}): {verdict}.")

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "first": self.names[0], "second": self.names[1], "what": self.what, "n": self.n, "both": self.both,
            "only_first": self.only_first, "only_second": self.only_second, "neither": self.neither, "p": self.p,
            "sentence": self.sentence,
        }


def compare(first: Row, second: Row, names: tuple[str, str] = ("first", "second")) -> Comparison:
    """Compare two systems under the same attack, image by image.

    Args:
        first, second: rows of two systems on the same images with one ε and norm; `combined` rows are compared as such.
        names: of the systems.

    Raises:
        ValueError: rows on other images, or of another ε, norm or criterion.
    """
    asked = [(row.eps, row.norm, row.criterion, row.attack == "clean") for row in (first, second)]
    if asked[0] != asked[1] or not torch.equal(first.labels.cpu(), second.labels.cpu()):
        raise ValueError(f"expected rows of one ε, norm and criterion on the same images, got {first!r} and {second!r}")
    a, b = ((row.decoded == row.labels).cpu() for row in (first, second))
    what = "clean" if first.attack == "clean" else f"{first.attack} on {first.objective}, ε = {eps_said(first.eps)}"
    if first.attack == "worst case":
        what = f"worst case found, ε = {eps_said(first.eps)}"
    return Comparison(
        names=names, what=what, both=int((a & b).sum()), only_first=int((a & ~b).sum()),
        only_second=int((~a & b).sum()), neither=int((~a & ~b).sum()), p=mcnemar(a, b),
    )


def _radii(rows: Sequence[Row]) -> list[tuple[float, dict[str, Row]]]:
    """Each ε that was attacked, ascending, with its groups."""
    radii = sorted({row.eps for row in rows if row.attack != "clean" and row.criterion == "misclassified"})
    return [(eps, grouped(rows, eps)) for eps in radii]


def _flags(groups: Mapping[str, Row]) -> list[str]:
    """Why the paper's numbers in a line may mislead, and which groups are missing from the worst case."""
    flags = []
    for group in ("paper FGSM", "paper PGD"):
        flags += [f"{group} {flag}" for flag in groups[group].flags] if group in groups else []
    paper, worst = groups.get("paper PGD"), groups["worst case"]
    if paper is not None and paper.outcomes.accuracy.value - worst.outcomes.accuracy.value > ADAPTIVE:
        flags.append("paper PGD misses much")
    seeing, blind = groups.get("white-box adaptive"), groups.get("black box")
    if seeing is not None and blind is not None and blind.outcomes.correct < seeing.outcomes.correct:
        flags.append("black box beats white box")
    missing = [group for group in GROUPS if group not in groups]
    return flags + ([f"without {' and '.join(missing)}"] if missing else [])
