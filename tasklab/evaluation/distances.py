"""The smallest ε found that fools a system, image by image, which says more than the accuracy at a single ε."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tasklab.attacks import FAB, Settings, attack, succeeded
from tasklab.attacks.bisection import to_boundary
from tasklab.attacks.criteria import Criterion
from tasklab.attacks.geometry import row_norm
from tasklab.attacks.presets import distance_attacks
from tasklab.attacks.settings import Norm
from tasklab.evaluation.robustness import Data, Progress, read_data, watch
from tasklab.evaluation.shards import Attacking
from tasklab.evaluation.statistics import Share
from tasklab.system import System

if TYPE_CHECKING:
    import pandas as pd


ROUNDING = 1e-6
"""Tolerance with which an image at distance ε, computed in float32, counts as within ε."""

HALVINGS = 8
"""How often the segment between an image and its adversarial image is halved to find the boundary."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Distances:
    """For each image the distance of the nearest adversarial image found: an upper bound on the smallest ε that fools.

    Attributes:
        values: float32 ``(N,)``: 0 where the image itself is misclassified, infinite where nothing was found.
        norm, criterion: of the attacks.
        attacks: the attacks that were run.
        found_by: int64 ``(N,)``, the index of the attack that found the nearest adversarial image; −1 for none.
    """

    values: Tensor
    norm: Norm
    criterion: Criterion
    attacks: tuple[Settings, ...]
    found_by: Tensor

    def standing(self, eps: float) -> Share:
        """The share of images for which nothing was found within ε: the accuracy in the worst case found.

        Args:
            eps: radius in the units of ``norm``.
        """
        return Share.of(self.values > eps + ROUNDING)

    def quantile(self, share: float) -> float:
        """The smallest ε found within which the system is fooled on a given share of all images.

        Args:
            share: above 0, up to 1.

        Returns:
            The radius; infinite where fewer images are fooled at any radius.

        Raises:
            ValueError: a share outside this range.
        """
        if not 0 < share <= 1:
            raise ValueError(f"expected a share in (0, 1], got {share}; try 0.5, the median")
        ordered = self.values.sort().values
        return float(ordered[math.ceil(share * len(ordered)) - 1]) if len(ordered) else math.nan


def smallest(
    system: System,
    data: Data,
    attacks: Sequence[Settings] | None = None,
    *,
    seed: int = 0,
    batch_size: int = 256,
    progress: Callable[[Progress], object] | None = None,
    attacking: Attacking = attack,
) -> Distances:
    """The smallest perturbation that any of the attacks finds for each image, moved back to the boundary.

    Args:
        system, data: what is attacked.
        attacks: of one norm and criterion, untargeted; by default `distance_attacks` and then FAB. One with a finite ε
            is run only on images for which nothing smaller has been found yet, and against which the same attack has
            not failed with a larger ε.
        seed: of the default attacks.
        batch_size: rows run through the network at once.
        progress: called at each step of each attack.
        attacking: the function that runs an attack.

    Raises:
        ValueError: no attacks, targeted ones, or several norms or criteria.

    >>> from torch import nn
    >>> from tasklab.tasks import make_task
    >>> layer = nn.Linear(2, 2, bias=False)
    >>> _ = layer.weight.data.copy_(torch.tensor([[4.0, 0.0], [0.0, 2.0]]))
    >>> system = System(layer, make_task("rbc", num_classes=4, S=1))
    >>> found = smallest(system, (torch.tensor([[0.3, 0.2]]), torch.tensor([3])))
    >>> round(found.quantile(0.5), 3)
    0.2
    """
    chosen = tuple([*distance_attacks(seed=seed), FAB(seed=seed)] if attacks is None else attacks)
    if not chosen or len({(settings.norm, settings.criterion, settings.targeted) for settings in chosen}) > 1:
        raise ValueError("expected attacks of one norm and criterion, got "
                         + (", ".join(sorted({f"{s.norm} {s.criterion}" for s in chosen})) or "none"))
    if chosen[0].targeted:
        raise ValueError("expected untargeted settings, got targeted=True; try targeted=False")
    images, labels = read_data(data, system)
    norm, criterion = chosen[0].norm, chosen[0].criterion
    values = torch.full((len(labels),), math.inf, dtype=torch.float32, device=images.device)
    values[succeeded(criterion, system.predict(images, batch_size=batch_size), labels)] = 0.0
    found_by, failed = torch.full_like(labels, -1), dict[str, Tensor]()
    for index, settings in enumerate(chosen):
        ends = math.isfinite(settings.eps)
        stood = failed.setdefault(_kind(settings), torch.zeros_like(values))
        left = ((values > (settings.eps if ends else 0)) & (stood < settings.eps)).nonzero().squeeze(1)
        if not len(left):
            continue
        report_step = watch(progress, settings.name, index, len(chosen), settings)
        result = attacking(system, images[left], labels[left], settings, indices=left, batch_size=batch_size,
                           progress=report_step)
        hit, stood[left[~result.fooled]] = left[result.fooled], settings.eps
        nearer = _draw_back(system, images[hit], result.images[result.fooled], labels[hit], norm, criterion, batch_size)
        better = nearer < values[hit]
        values[hit[better]], found_by[hit[better]] = nearer[better], index
    return Distances(values=values.cpu(), norm=norm, criterion=criterion, attacks=chosen, found_by=found_by.cpu())


def distance_table(by_system: Mapping[str, Distances]) -> pd.DataFrame:
    """The radii within which a tenth, a quarter, half and more of the images are fooled, as a table.

    Args:
        by_system: what `smallest` found, by the system's name.

    Returns:
        One row for each system; nan where fewer images are fooled at any radius.
    """
    import pandas as pd

    rows = []
    for name, distances in by_system.items():
        row: dict[str, object] = {"system": name, "norm": distances.norm, "n": len(distances.values)}
        for share in (0.1, 0.25, 0.5, 0.75, 0.9):
            value = distances.quantile(share)
            row[f"{100 * share:g} % fall within"] = value if math.isfinite(value) else math.nan
        row["nothing found for"] = int(distances.values.isinf().sum())
        rows.append(row)
    return pd.DataFrame(rows)


def _kind(settings: Settings) -> str:
    """All of an attack's settings except its ε and the step size, which follows from it."""
    return repr(sorted((name, str(value)) for name, value in settings.to_dict().items()
                       if name not in ("eps", "step_size")))


def _draw_back(
    system: System, images: Tensor, adversarial: Tensor, labels: Tensor, norm: Norm, criterion: Criterion,
    batch_size: int,
) -> Tensor:
    """The distance of the nearest point that still fools on the segment to each clean image, float32 ``(N,)``."""

    def fools(x: Tensor) -> Tensor:
        return succeeded(criterion, system.predict(x, batch_size=batch_size), labels)

    return row_norm(to_boundary(images, adversarial, fools, HALVINGS) - images, norm)
