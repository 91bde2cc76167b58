"""Worst cases of several systems and radii as one resumable table, each beside the accuracy under PGD as published.

A finished cell is a folder whose name contains a digest of the weights, the task, the images and the attacks. The same
cell is later read instead of computed again, and a system that has changed gets a new cell.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasklab import files, strict_json
from tasklab.attacks import attack
from tasklab.attacks.criteria import Criterion
from tasklab.attacks.presets import Entry, Preset, paper_pgd, worst_case_attacks
from tasklab.checks import check_number, check_whole
from tasklab.data.radii import eps_said
from tasklab.evaluation.counts import Outcomes
from tasklab.evaluation.ensemble import digest, stream_worst_case
from tasklab.evaluation.robustness import Data, Progress, evaluate, read_data
from tasklab.evaluation.shards import Attacking
from tasklab.evaluation.statistics import Share
from tasklab.evaluation.tables import to_markdown
from tasklab.system import System

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class WorstRow:
    """One system at one ε.

    Attributes:
        system: its name.
        eps, preset, criterion, seed: of the ensemble.
        clean: outcomes before any attack.
        own: outcomes under PGD-20 on the system's own training loss, last iterate, the protocol as published.
        zero_gradient, unmoved: among the correct images, those on which that PGD never saw a gradient other than
            exactly 0, and those that it returned unchanged, bit for bit.
        flags: why the accuracy under PGD on the training loss may mislead, as `Row.flags`.
        worst: outcomes in the worst case found, an upper bound on what the system withstands.
        stages: for each attack of the ensemble: its name, how many survivors it was run on, and how many it fooled.
        seconds, cpu: of the ensemble, by the clock and of this process's processor time; see `Stage`.
        digest: of the weights, the task, the images and the attacks.
    """

    system: str
    eps: float
    preset: str
    criterion: Criterion
    seed: int
    clean: Outcomes
    own: Outcomes
    zero_gradient: Share
    unmoved: Share
    flags: tuple[str, ...]
    worst: Outcomes
    stages: tuple[tuple[str, int, int], ...]
    seconds: float
    cpu: float
    digest: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values; outcomes as counts with the share that is correct and the ends of its interval."""
        return {
            "system": self.system, "eps": self.eps, "preset": self.preset, "criterion": self.criterion,
            "seed": self.seed, "n": self.worst.n, "clean": _counted(self.clean), "worst": _counted(self.worst),
            "own_loss": _counted(self.own) | {
                "zero_gradient": self.zero_gradient.value, "unmoved": self.unmoved.value, "flags": list(self.flags),
            },
            "stages": [{"name": name, "tried": tried, "broken": broken} for name, tried, broken in self.stages],
            "seconds": round(self.seconds, 2), "cpu_seconds": round(self.cpu, 2), "digest": self.digest,
        }


def stream_worst_rows(
    systems: Mapping[str, System],
    data: Data,
    eps: Sequence[float],
    *,
    preset: Preset = "standard",
    criterion: Criterion = "misclassified",
    seed: int = 0,
    folder: str | Path | None = None,
    batch_size: int = 256,
    progress: Callable[[Progress], object] | None = None,
    attacking: Attacking = attack,
) -> Iterator[WorstRow]:
    """Yield each cell of the table as soon as it is known, system by system.

    Args:
        systems: by name.
        data: an image set, or images and labels.
        eps: radii in pixel units, Linf.
        preset, criterion, seed, batch_size, progress, attacking: as in `stream_worst_case`.
        folder: where finished cells and the stages of an interrupted one are kept.

    >>> import torch
    >>> from tasklab.tasks import make_task
    >>> system = System(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 4)), make_task("rbc", S=1))
    >>> data = torch.rand(8, 1, 2, 2), torch.zeros(8, dtype=torch.int64)
    >>> [row.eps for row in stream_worst_rows({"mine": system}, data, [0.1, 0.2], preset="quick")]
    [0.1, 0.2]
    """
    seed, radii = check_whole("seed", seed, low=0), [check_number("eps", r, low=0.0, hint="8/255") for r in eps]
    for name, system in systems.items():
        images, labels = read_data(data, system)
        for r in radii:
            attacks = worst_case_attacks(system.task, r, preset, criterion=criterion, seed=seed)
            own = paper_pgd(r, criterion=criterion, seed=seed)
            key = digest(system, images, labels, [("own", Entry(own)), *((f"{i}", e) for i, e in enumerate(attacks))])
            cell = None if folder is None else cell_folder(folder, name, r, key)
            kept = None if cell is None else cell / "row.json"
            if kept is not None and kept.exists():
                yield _read(kept.read_text(encoding="utf-8"), name)
                continue
            clean, row = evaluate(
                system, (images, labels), [own], batch_size=batch_size, progress=progress, attacking=attacking)
            for _, so_far in stream_worst_case(
                system, (images, labels), r, preset=attacks, criterion=criterion, folder=cell, batch_size=batch_size,
                progress=progress, attacking=attacking,
            ):
                worst = so_far
            assert row.zero_gradient is not None and row.unmoved is not None
            made = WorstRow(
                system=name, eps=r, preset=preset, criterion=criterion, seed=seed, clean=clean.outcomes,
                own=row.outcomes, zero_gradient=row.zero_gradient, unmoved=row.unmoved, flags=row.flags,
                worst=worst.outcomes, stages=tuple((s.name, s.tried, s.broken) for s in worst.stages),
                seconds=math.fsum(s.seconds for s in worst.stages), cpu=math.fsum(s.cpu for s in worst.stages),
                digest=key,
            )
            if kept is not None:
                files.write_text(kept, strict_json.dumps(asdict(made)))
            yield made


def cell_folder(folder: str | Path, name: str, eps: float, key: str) -> Path:
    """The folder of one cell of the table, in which `stream_worst_case` keeps its stages and resumes.

    Args:
        folder: of the table.
        name: of the system.
        eps: radius in pixel units.
        key: the `digest` of the cell.
    """
    return Path(folder) / f"{name}-{eps_said(eps).replace('/', '_')}-{key[:12]}"


def worst_frame(rows: Sequence[WorstRow]) -> pd.DataFrame:
    """The table to read: percentages with 95 % Wilson intervals.

    Args:
        rows: the cells.

    Returns:
        One line for each system and ε.
    """
    import pandas as pd

    return pd.DataFrame([
        {
            "system": row.system,
            "ε": eps_said(row.eps),
            "clean %": f"{100 * row.clean.accuracy.value:.1f}",
            "training loss, PGD-20 %": f"{100 * row.own.accuracy.value:.1f}",
            "zero gradient %": f"{100 * row.zero_gradient.value:.1f}",
            "flags": ", ".join(row.flags) or "–",
            "worst case found %": row.worst.accuracy.percent(),
            "None %": f"{100 * row.worst.alarm.value:.1f}",
            "seconds (CPU)": f"{row.seconds:.0f} ({row.cpu:.0f})",
        }
        for row in rows
    ])


def worst_markdown(rows: Sequence[WorstRow]) -> str:
    """The table as Markdown."""
    return to_markdown(worst_frame(rows))


def _counted(result: Outcomes) -> dict[str, Any]:
    low, high = result.accuracy.interval
    return {"correct": result.correct, "wrong": result.wrong, "none": result.abnormal,
            "accuracy": result.accuracy.value, "low": low, "high": high}


def _read(text: str, name: str) -> WorstRow:
    known = json.loads(text)
    for field in ("clean", "own", "worst"):
        known[field] = Outcomes(**known[field])
    for field in ("zero_gradient", "unmoved"):
        known[field] = Share(**known[field])
    known |= {"flags": tuple(known["flags"]), "stages": tuple(map(tuple, known["stages"])), "system": name}
    return WorstRow(**known)
