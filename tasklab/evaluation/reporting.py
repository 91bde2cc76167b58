"""Making a report: one system under many attacks at several ε, and the checks on two claims."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasklab.attacks import PGD, Settings, Square, attack
from tasklab.attacks.presets import (
    ASKED,
    UNBOUNDED,
    claim_variations,
    curve_attack,
    distance_attacks,
    transfer_attack,
)
from tasklab.checks import check_whole
from tasklab.data import DATASETS, ImageSet
from tasklab.data.radii import IN_HUNDREDTHS, Radii, eps_said
from tasklab.evaluation.distances import smallest
from tasklab.evaluation.honesty import Assessment, assess
from tasklab.evaluation.known_examples import check_attack
from tasklab.evaluation.report import CLAIMS, SEARCH, Report, ReportRow
from tasklab.evaluation.robustness import Row, combined, stream_rows
from tasklab.evaluation.row_store import RowStore
from tasklab.evaluation.shards import Attacking
from tasklab.evaluation.transfer_matrix import find_threat, transfer_row
from tasklab.evaluation.transfer_result import Threat
from tasklab.system import System

TESTED = 20
"""Images on which the attacks of the claims are tested."""


@dataclass(frozen=True, kw_only=True)
class ReportProgress:
    """The progress of a report.

    Attributes:
        progress: share of the attacks that are done, 0 to 1.
        message: what was done last.
        report: the report, once everything is done; None before.
    """

    progress: float
    message: str
    report: Report | None = None


class TransferSources:
    """Adversarial images of other systems for the same images, found once for each ε.

    Args:
        sources: systems by name.
        images: the images.
        seed: of the attacks.
        attacking: the function that runs an attack.
    """

    def __init__(
        self, sources: Mapping[str, System], images: ImageSet, *, seed: int = 0, attacking: Attacking = attack
    ) -> None:
        self.sources, self.images, self.seed, self.attacking = dict(sources), images, seed, attacking
        self._threats: dict[tuple[str, float], Threat] = {}

    def threats(self, eps: float, *, excluding: str = "") -> list[Threat]:
        """The adversarial images that an attack on each source's margin found within ε.

        Args:
            eps: radius in pixel units.
            excluding: name of a source that is left out, since it is the system under attack.
        """
        names = [name for name in self.sources if name != excluding]
        for name in names:
            if (name, eps) not in self._threats:
                x, y = self.images.x(), self.images.labels
                self._threats[name, eps] = find_threat(
                    name, self.sources[name], x, y, self.settings(eps), attacking=self.attacking)
        return [self._threats[name, eps] for name in names]

    def settings(self, eps: float) -> Settings:
        """The attack on each source within ε."""
        return transfer_attack(eps, steps=20, seed=self.seed)


def report_radii(
    data: str, eps: Sequence[float] | None = None, claim_eps: float | None = None
) -> tuple[tuple[float, ...], float]:
    """The radii of a report's curves, ascending, and the one of them at which the claims are checked.

    Args:
        data: name of the data set, whose usual radii are the default.
        eps: the radii of the curves, to which ``claim_eps`` is added.
        claim_eps: the radius at which the claims are checked.

    Raises:
        ValueError: radii that are not between 0 and 1.
    """
    usual = _usual(data)
    claim_eps = float(usual.usual if claim_eps is None else claim_eps)
    radii = tuple(sorted({*map(float, usual.curve if eps is None else eps), claim_eps}))
    if not 0 < radii[0] <= radii[-1] < UNBOUNDED:
        raise ValueError(f"expected radii between 0 and 1, got {list(radii)}")
    return radii, claim_eps


def report_attacks(
    radii: Sequence[float], claim_eps: float, *, queries: int = 500, seed: int = 0
) -> list[tuple[str, Settings]]:
    """The attacks of a report, each with its curve; the curve is empty for one that only checks a claim.

    Args:
        radii, claim_eps: as `report_radii` gives them.
        queries: how many the score-based attack makes for each image.
        seed: of everything random.
    """
    seed, queries = check_whole("seed", seed, low=0), check_whole("queries", queries, low=1)
    asked: list[tuple[str, Settings]] = [
        (curve, curve_attack(curve, radius, seed=seed)) for curve in ASKED for radius in radii
    ]
    claims = (curve_attack(curve, claim_eps, seed=seed) for curve in CLAIMS)
    asked += [("", each) for claim in claims if isinstance(claim, PGD) for each in claim_variations(claim)]
    return [*asked, (SEARCH, Square(eps=claim_eps, steps=queries, seed=seed))]


def stream_report(
    system: System,
    images: ImageSet,
    *,
    name: str = "",
    eps: Sequence[float] | None = None,
    claim_eps: float | None = None,
    sources: TransferSources | None = None,
    queries: int = 500,
    seed: int = 0,
    folder: Path | None = None,
    file: str = "",
    attacking: Attacking = attack,
) -> Iterator[ReportProgress]:
    """Make a report on a system, and yield the progress after each attack; the last progress holds the report.

    Args:
        system: what is attacked.
        images: the images, all of them used.
        name: of the system, which is left out of ``sources``.
        eps, claim_eps: see `report_radii`.
        sources: other systems whose adversarial images are tried as well; None for no transfer.
        queries: how many the score-based attack makes for each image.
        seed: of everything random.
        folder: where finished rows are kept, so that the same call resumes after an interruption.
        file: digest of the system's checkpoint, which the report names.
        attacking: the function that runs an attack.

    Raises:
        ValueError: radii that are not between 0 and 1, or no images.
    """
    radii, claim_eps = report_radii(images.name, eps, claim_eps)
    asked = report_attacks(radii, claim_eps, queries=queries, seed=seed)
    if not len(images):
        raise ValueError("expected images, got none")
    started = time.perf_counter()
    claims = {curve: curve_attack(curve, claim_eps, seed=seed) for curve in CLAIMS}
    total = len(asked) + len(radii) + len(CLAIMS) + 1
    done = 0
    kept = RowStore(folder, system, images) if folder is not None else None
    rows: list[tuple[str, Row]] = []
    (clean,) = stream_rows(system, images)
    for curve, settings in asked:
        row = kept.read(settings, clean) if kept is not None else None
        if row is None:
            _, row = stream_rows(system, images, [settings], attacking=attacking)
            if kept is not None:
                kept.write(row)
        rows.append((curve, row))
        done += 1
        yield _progress(done, total, f"{row.attack} on {row.objective}, ε = {eps_said(row.eps)}: "
                     f"{row.outcomes.accuracy.percent()} % correct")
    for radius in radii:
        threats = [] if sources is None else sources.threats(radius, excluding=name)
        transferred = [transfer_row(system, images, threat) for threat in threats]
        if transferred:
            rows.append(("transfer", transferred[0] if len(transferred) == 1 else combined(transferred)))
        done += 1
        yield _progress(done, total, f"images found against other systems, ε = {eps_said(radius)}")
    for radius in radii:
        here = [row for _, row in rows if row.eps == radius and row.criterion == "misclassified"]
        rows.append(("worst", combined(here)))
    tests = {}
    for curve, claim in claims.items():
        if system.has_features:
            few = images.subset(min(TESTED, len(images)))
            tests[curve] = check_attack(system, few, claim, draws=100)
        done += 1
        yield _progress(done, total, "images for which an adversarial example is known to exist")
    ladder = distance_attacks(reach=_usual(images.name).most, seed=seed)
    distances = smallest(system, images, ladder, attacking=attacking).values.tolist()
    report = Report(
        name=name, data=images.name, n=len(images), eps=radii, claim_eps=claim_eps, seed=seed,
        sources=() if sources is None else tuple(source for source in sources.sources if source != name),
        clean=ReportRow.of("clean", clean), rows=tuple(ReportRow.of(curve, row) for curve, row in rows if curve),
        assessments={curve: _assess(rows, claim, system.task.num_classes) for curve, claim in claims.items()},
        tests=tests, distances=tuple(round(distance, 5) for distance in distances),
        seconds=round(time.perf_counter() - started, 1), file=file,
    )
    yield ReportProgress(progress=1.0, message=f"All attacks on {len(images)} images are done.", report=report)


def _usual(data: str) -> Radii:
    return DATASETS[data].radii if data in DATASETS else IN_HUNDREDTHS


def _progress(done: int, total: int, message: str) -> ReportProgress:
    return ReportProgress(progress=round(done / total, 4), message=message)


def _assess(rows: Sequence[tuple[str, Row]], claim: Settings, num_classes: int) -> Assessment:
    claimed = next(row for _, row in rows if row.settings == claim)
    evidence = [row for curve, row in rows if row is not claimed and curve != "worst"]
    return assess(claimed, evidence, num_classes=num_classes)
