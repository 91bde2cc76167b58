"""A report on the robustness of one system: the outcomes under many attacks, and checks on two claims.

`tasklab.evaluation.reporting` makes reports, and `tasklab.evaluation.report_file` keeps those of the shipped systems.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from tasklab.attacks.criteria import CRITERIA, Criterion
from tasklab.attacks.presets import UNBOUNDED
from tasklab.evaluation.counts import Outcomes
from tasklab.evaluation.honesty import Assessment
from tasklab.evaluation.known_examples import AttackTest
from tasklab.evaluation.robustness import Row
from tasklab.evaluation.statistics import Share
from tasklab.strict_json import Fields

FORMAT = 1

CURVES = ("train", "margin", "bits", "towards_code", "transfer", "noise", "worst")
"""What is measured at each ε; ``worst`` is the worst case over all attacks, image by image (None counts as broken)."""

CLAIMS = ("train", "margin")
"""The curves whose accuracy at one ε is a claim, which is checked."""

SEARCH = "square"
"""The name of the score-based attack beside the curves; it is run only at the ε of the claims."""

_ROW = ("curve", "attack", "objective", "criterion", "eps", "steps", "restarts", "n", "correct", "wrong", "abnormal",
        "clean", "zero_gradient", "unmoved")
_REPORT = ("format", "name", "data", "n", "eps", "claim_eps", "seed", "sources", "clean", "rows", "reports", "tests",
           "distances", "seconds", "file")


@dataclass(frozen=True, kw_only=True)
class ReportRow:
    """The outcomes under one attack, which are a point of a curve, or those of the clean images.

    Attributes:
        curve: one of `CURVES`, `SEARCH`, or ``"clean"``.
        attack, objective, criterion, eps, steps, restarts: as in `Row`.
        outcomes: what the images decode to under the attack.
        clean: how many were decoded correctly before it.
        zero_gradient: among those, how many never had a gradient; None where the attack asked for none.
        unmoved: among those, how many came back bit for bit; None on clean images.
    """

    curve: str
    attack: str
    objective: str | None
    criterion: Criterion | None
    eps: float
    steps: int
    restarts: int
    outcomes: Outcomes
    clean: int
    zero_gradient: int | None
    unmoved: int | None

    @staticmethod
    def of(curve: str, row: Row) -> ReportRow:
        """The row of an evaluation as a point of a curve.

        Args:
            curve: the curve that the point belongs to.
            row: what `evaluate` measured.
        """
        has_gradients = row.zero_gradient is not None and row.backwards
        return ReportRow(
            curve=curve, attack=row.attack, objective=row.objective, criterion=row.criterion, eps=row.eps,
            steps=row.steps, restarts=row.restarts, outcomes=row.outcomes, clean=row.clean.correct,
            zero_gradient=row.zero_gradient.count if row.zero_gradient is not None and has_gradients else None,
            unmoved=None if row.unmoved is None else row.unmoved.count,
        )

    @property
    def n(self) -> int:
        """How many images."""
        return self.outcomes.n

    @property
    def accuracy(self) -> Share:
        """The share of images that are decoded correctly."""
        return self.outcomes.accuracy

    @property
    def withstood(self) -> Share:
        """The share that withstood: the correct images, and also None if only another class counts as a success."""
        return _withstood(self.outcomes, self.criterion)

    @property
    def stability(self) -> float | None:
        """The paper's R, accuracy under attack over clean accuracy; None where no image was correct."""
        return self.outcomes.correct / self.clean if self.clean else None

    @property
    def zero_gradient_share(self) -> float | None:
        """The share of correct images without a gradient; None where no gradient was asked for."""
        return self._of_clean(self.zero_gradient)

    @property
    def unmoved_share(self) -> float | None:
        """The share of correct images that came back bit for bit; None where that was not asked."""
        return self._of_clean(self.unmoved)

    def _of_clean(self, count: int | None) -> float | None:
        return None if count is None or not self.clean else count / self.clean

    def to_dict(self) -> dict[str, Any]:
        """Plain values that `from_dict` reads."""
        return {
            "curve": self.curve, "attack": self.attack, "objective": self.objective, "criterion": self.criterion,
            "eps": self.eps, "steps": self.steps, "restarts": self.restarts, "n": self.n,
            "correct": self.outcomes.correct, "wrong": self.outcomes.wrong, "abnormal": self.outcomes.abnormal,
            "clean": self.clean, "zero_gradient": self.zero_gradient, "unmoved": self.unmoved,
        }

    @staticmethod
    def from_dict(values: object) -> ReportRow:
        """The row that `to_dict` described.

        Raises:
            ValueError: the values do not fit, or their counts do not add up.
        """
        fields = Fields(values, "a row", _ROW)
        correct, wrong, abnormal, clean = map(fields.count, ("correct", "wrong", "abnormal", "clean"))
        row = ReportRow(
            curve=fields.choice("curve", (*CURVES, SEARCH, "clean")), attack=fields.text("attack"),
            objective=fields.maybe("objective", fields.text),
            criterion=fields.maybe("criterion", partial(fields.choice, choices=CRITERIA)),
            eps=fields.number("eps", low=0, high=UNBOUNDED), steps=fields.count("steps"),
            restarts=fields.count("restarts"), clean=clean,
            outcomes=Outcomes(correct=correct, wrong=wrong, abnormal=abnormal),
            zero_gradient=fields.maybe("zero_gradient", fields.count), unmoved=fields.maybe("unmoved", fields.count),
        )
        fields.choice("n", [row.n])
        if max(clean, *(count for count in (row.zero_gradient, row.unmoved) if count is not None), 0) > row.n:
            raise ValueError(f"expected counts of a row of up to its n = {row.n} images, got more")
        return row


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that was measured for one system on one set of images.

    Attributes:
        name: of the system.
        data: name of the data set.
        n: how many of its test images.
        eps: the radii of the curves, ascending.
        claim_eps: the radius of the claims; one of ``eps``.
        seed: of everything random.
        sources: the systems whose adversarial images were shown to this one.
        clean: the row of the clean images.
        rows: one for each curve and ε, and that of `SEARCH`.
        assessments: for each of `CLAIMS`, the checks on the accuracy at ``claim_eps``.
        tests: for each of `CLAIMS`, whether the attack finds adversarial examples that are known to exist; empty for a
            system without features.
        distances: for each image, the smallest ε at which an adversarial image was found; infinite where none was.
        seconds: wall time.
        file: digest of the checkpoint, by which a changed checkpoint is noticed; empty where there was no file.
    """

    name: str
    data: str
    n: int
    eps: tuple[float, ...]
    claim_eps: float
    seed: int
    sources: tuple[str, ...]
    clean: ReportRow
    rows: tuple[ReportRow, ...]
    assessments: Mapping[str, Assessment]
    tests: Mapping[str, AttackTest]
    distances: tuple[float, ...]
    seconds: float
    file: str = ""

    def row(self, curve: str, eps: float) -> ReportRow | None:
        """One point of a curve.

        Args:
            curve: one of `CURVES`, or `SEARCH`.
            eps: one of ``eps``.

        Returns:
            Its row; None if it was not measured.
        """
        return next((row for row in self.rows if (row.curve, row.eps) == (curve, eps)), None)

    def claim(self, curve: str) -> ReportRow:
        """The row of one of `CLAIMS` at ``claim_eps``."""
        return next(row for row in self.rows if (row.curve, row.eps) == (curve, self.claim_eps))

    @property
    def worst(self) -> ReportRow:
        """The row of the worst case at ``claim_eps``."""
        return self.claim("worst")

    def curves(self) -> dict[str, dict[float, Share]]:
        """By curve and ε, the share of images that withstood; ε = 0 are the clean ones."""
        curves: dict[str, dict[float, Share]] = {}
        for curve in (*CURVES, SEARCH):
            rows = [row for row in self.rows if row.curve == curve]
            if rows:
                clean = _withstood(self.clean.outcomes, rows[0].criterion)
                curves[curve] = {0.0: clean} | {row.eps: row.withstood for row in rows}
        return curves

    def zero_gradients(self) -> dict[str, dict[float, float]]:
        """By curve and ε, the share of correct images without a gradient, where gradients were asked for."""
        shares: dict[str, dict[float, float]] = {}
        for row in self.rows:
            if row.zero_gradient_share is not None:
                shares.setdefault(row.curve, {})[row.eps] = row.zero_gradient_share
        return shares

    def beyond(self, eps: float) -> Tensor:
        """Which images withstood everything within ε.

        Args:
            eps: radius in pixel units.

        Returns:
            bool ``(N,)``, True where the smallest ε found is larger.
        """
        return torch.tensor([distance > eps + 1e-6 for distance in self.distances], dtype=torch.bool, device="cpu")

    def to_dict(self) -> dict[str, Any]:
        """Plain values (JSON-safe) that `from_dict` reads."""
        return {
            "format": FORMAT, "name": self.name, "data": self.data, "n": self.n, "eps": list(self.eps),
            "claim_eps": self.claim_eps, "seed": self.seed, "sources": list(self.sources),
            "clean": self.clean.to_dict(), "rows": [row.to_dict() for row in self.rows],
            "reports": {curve: assessment.to_dict() for curve, assessment in self.assessments.items()},
            "tests": {curve: test.to_dict() for curve, test in self.tests.items()},
            "distances": [distance if math.isfinite(distance) else None for distance in self.distances],
            "seconds": self.seconds, "file": self.file,
        }

    @staticmethod
    def from_dict(values: object) -> Report:
        """The report that `to_dict` described.

        Raises:
            ValueError: a value is missing, unknown or of the wrong kind, or the parts do not belong together; the
                message says which one.
        """
        fields = Fields(values, "a report", _REPORT)
        fields.choice("format", [FORMAT])
        radius = partial(Fields.number, low=0, high=UNBOUNDED)
        report = Report(
            name=fields.text("name"), data=fields.text("data"), n=fields.count("n"), seed=fields.count("seed"),
            eps=fields.each("eps", radius), claim_eps=radius(fields, "claim_eps"),
            sources=fields.each("sources", Fields.text), clean=ReportRow.from_dict(fields.table("clean")),
            rows=tuple(map(ReportRow.from_dict, fields.items("rows"))),
            assessments={curve: Assessment.from_dict(each) for curve, each in fields.table("reports").items()},
            tests={curve: AttackTest.from_dict(each) for curve, each in fields.table("tests").items()},
            distances=fields.each("distances", _distance),
            seconds=fields.number("seconds", low=0), file=fields.text("file"),
        )
        report._check_parts()
        return report

    def _check_parts(self) -> None:
        """Check that the parts belong together, so that readers of the report can rely on it."""
        counts = [self.clean.n, len(self.distances), *(row.n for row in self.rows),
                  *(assessment.accuracy.n for assessment in self.assessments.values())]
        if not self.n or set(counts) != {self.n}:
            raise ValueError(f"expected every part of a report on all its n = {self.n} images, got other numbers")
        if sorted(self.assessments) != sorted(CLAIMS) or not set(self.tests) <= set(CLAIMS):
            raise ValueError(f"expected a report with checks on {' and '.join(CLAIMS)}, got others")
        missing = [curve for curve in (*CLAIMS, "worst") if self.row(curve, self.claim_eps) is None]
        if missing or self.claim_eps not in self.eps:
            raise ValueError(f"expected rows of a report at its claim_eps {self.claim_eps:g}, got none for "
                             f"{', '.join(missing) or 'eps'}")


def _distance(fields: Fields, key: str) -> float:
    """A distance; null, which stands for infinity in JSON, is infinite."""
    distance = fields.maybe(key, partial(fields.number, low=0))
    return math.inf if distance is None else distance


def _withstood(outcomes: Outcomes, criterion: Criterion | None) -> Share:
    return Share(outcomes.correct + (outcomes.abnormal if criterion == "evaded" else 0), outcomes.n)
