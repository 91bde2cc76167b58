"""What an accuracy under attack means: checks on the attack that left it, each with a figure and one sentence.

A small accuracy under attack is a fact; a large one is a claim that no better attack exists. The checks ask whether the
attack really tried, and whether another attack refutes the claim (Carlini et al. 2019; Athalye, Carlini & Wagner 2018).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Literal

import torch

from tasklab.attacks import PGD
from tasklab.attacks.presets import UNBOUNDED, honesty_attacks
from tasklab.data.radii import eps_said
from tasklab.evaluation.robustness import Data, Progress, Row, stream_rows
from tasklab.evaluation.statistics import Share, wilson
from tasklab.evaluation.transfer_matrix import transfer_row
from tasklab.evaluation.transfer_result import Threat
from tasklab.strict_json import Fields
from tasklab.system import System

Level = Literal["pass", "warn", "fail", "not run"]
LEVELS: tuple[Level, ...] = ("pass", "not run", "warn", "fail")
"""From best to worst."""

ADAPTIVE = 0.05
"""By how much an attack on the decision may do better than one on the training loss without a failed check."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check of an attack's result.

    Attributes:
        name: of the check.
        level: ``"pass"``, ``"warn"``, ``"fail"``, or ``"not run"`` where the results that it needs are missing.
        figure: the share, or difference of shares, that was checked; None if the check was not run.
        threshold: where the level changes, in words.
        sentence: what the result means, in plain words.
    """

    name: str
    level: Level
    figure: float | None
    threshold: str
    sentence: str

    @staticmethod
    def from_dict(values: object) -> Check:
        """The check that ``vars`` described.

        Raises:
            ValueError: the values do not fit.
        """
        check = Fields(values, "a check", (field.name for field in fields(Check)))
        return Check(
            name=check.text("name"), level=check.choice("level", LEVELS), threshold=check.text("threshold"),
            figure=check.maybe("figure", partial(check.number, low=-1, high=1)), sentence=check.text("sentence"),
        )


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """A claimed accuracy and every check on it.

    Attributes:
        attack, objective, eps, steps, restarts: of the attack whose result is claimed.
        accuracy: the accuracy that is claimed.
        lowest: the accuracy in the worst case over all attacks at the claim's ε, image by image.
        checks: all of them, in a fixed order.
    """

    attack: str
    objective: str | None
    eps: float
    steps: int
    restarts: int
    accuracy: Share
    lowest: Share
    checks: tuple[Check, ...]

    @property
    def verdict(self) -> Level:
        """The worst level of the checks that were run; ``"not run"`` if none were."""
        run = [check.level for check in self.checks if check.level != "not run"]
        return max(run, key=LEVELS.index) if run else "not run"

    @property
    def sentence(self) -> str:
        """The verdict in plain words."""
        claimed, lowest = self.accuracy.percent(), self.lowest.percent()
        if self.verdict == "fail":
            return (f"{claimed} % shows that the attack failed, not that the system withstood it; "
                    f"the worst case found is {lowest} %.")
        if self.verdict == "warn":
            return f"Read {claimed} % with care; the worst case found is {lowest} %."
        return f"The checks found nothing against {claimed} % as an upper bound; the worst case found is {lowest} %."

    def to_dict(self) -> dict[str, Any]:
        """Plain values that `from_dict` reads."""
        return {
            "attack": self.attack, "objective": self.objective, "eps": self.eps, "steps": self.steps,
            "restarts": self.restarts, "n": self.accuracy.n, "accuracy": self.accuracy.value,
            "lowest": self.lowest.value, "verdict": self.verdict, "sentence": self.sentence,
            "checks": [vars(check) for check in self.checks],
        }

    @staticmethod
    def from_dict(values: object) -> Assessment:
        """The assessment that `to_dict` described.

        Raises:
            ValueError: the values do not fit, or the verdict is not that of the checks.
        """
        claim = Fields(values, "a claim", ("attack", "objective", "eps", "steps", "restarts", "n", "accuracy", "lowest",
                                           "verdict", "sentence", "checks"))
        n = claim.count("n")
        read = Assessment(
            attack=claim.text("attack"), objective=claim.maybe("objective", claim.text),
            eps=claim.number("eps", low=0), steps=claim.count("steps"), restarts=claim.count("restarts"),
            accuracy=_share(claim, "accuracy", n), lowest=_share(claim, "lowest", n),
            checks=tuple(Check.from_dict(check) for check in claim.items("checks")),
        )
        claim.choice("verdict", [read.verdict])
        claim.text("sentence")
        return read

    def to_markdown(self) -> str:
        """The assessment as a page in Markdown."""
        lines = [
            f"**{self.verdict.upper()}** · {self.attack} on {self.objective}, ε = {eps_said(self.eps)}, "
            f"{self.steps} steps × {self.restarts}, n = {self.accuracy.n}",
            "",
            self.sentence,
            "",
            "| check | level | figure | threshold | what it means |",
            "| --- | --- | ---: | --- | --- |",
        ]
        for check in self.checks:
            figure = "–" if check.figure is None else f"{100 * check.figure:.1f} %"
            lines.append(f"| {check.name} | {check.level} | {figure} | {check.threshold} | {check.sentence} |")
        return "\n".join(lines)


def _share(claim: Fields, key: str, n: int) -> Share:
    """A share of ``n`` images that was stored as its value."""
    value = claim.number(key, low=0, high=1)
    count = round(value * n)
    if not n or abs(value - count / n) > 1e-9:
        raise ValueError(f"expected {key} of a claim as a share of its n = {n} images, got {value}")
    return Share(count, n)


def stream_assessment(
    system: System,
    data: Data,
    claim: PGD,
    *,
    queries: int = 1000,
    threats: Sequence[Threat] = (),
    known: Sequence[Row] = (),
    batch_size: int = 256,
    progress: Callable[[Progress], object] | None = None,
) -> Iterator[Assessment]:
    """Run the `honesty_attacks`, and yield after each attack an assessment of all results so far.

    Args:
        system, data: what is attacked.
        claim: the attack whose accuracy is claimed.
        queries: how many the score-based attack makes for each image.
        threats: adversarial images found against other systems on the same images with the claim's ε, to try on this.
        known: rows that `evaluate` made of this system and data; their attacks are not run again.
        batch_size: rows run through the network at once.
        progress: called at each step of each attack.

    >>> from torch import nn
    >>> from tasklab.tasks import make_task
    >>> system = System(nn.Sequential(nn.Flatten(), nn.Linear(4, 4)), make_task("rbc", S=1))
    >>> data = torch.rand(8, 1, 2, 2), torch.zeros(8, dtype=torch.int64)
    >>> *_, assessment = stream_assessment(system, data, PGD(eps=0.1, steps=3, objective="train"), queries=5)
    >>> len(assessment.checks)
    9
    """
    attacks = honesty_attacks(claim, queries=queries)
    rows = {settings: row for row in known if (settings := row.settings) in attacks}
    missing = [settings for settings in attacks if settings not in rows]
    others = [row for row in known if row.settings not in rows]
    others += [transfer_row(system, data, threat) for threat in threats]
    fresh = stream_rows(system, data, missing, batch_size=batch_size, progress=progress)
    next(fresh)  # the clean images
    for settings in attacks:
        rows[settings] = rows[settings] if settings in rows else next(fresh)
        evidence = [rows[each] for each in attacks[1:] if each in rows]
        yield assess(rows[claim], [*evidence, *others], num_classes=system.task.num_classes)


def assess(claim: Row, evidence: Sequence[Row], *, num_classes: int) -> Assessment:
    """Run every check on a claimed row, from results that are already known.

    Args:
        claim: the row of an attack.
        evidence: other attacks' rows on the same images.
        num_classes: C; the accuracy by chance is 1/C.

    Raises:
        ValueError: the claim is not an attack, or there is evidence on other images.
    """
    if claim.attack == "clean":
        raise ValueError("expected the row of an attack as the claim, got the clean images")
    others = [row for row in evidence if row.attack != "clean"]
    if any(not torch.equal(row.labels, claim.labels) for row in others):
        raise ValueError("expected evidence on the same images as the claim, got other labels")
    kin = [row for row in others if row.objective == claim.objective and row.criterion == claim.criterion
           and row.norm == claim.norm]
    here = [row for row in others if (row.eps, row.norm, row.criterion) == (claim.eps, claim.norm, claim.criterion)]
    chance = 1 / num_classes
    checks = (
        _zero_gradient(claim), _nonfinite_gradient(claim), _unmoved(claim), _flat(claim, kin, chance),
        _order(claim, [claim, *kin]), _black_box(claim, here), _unbounded(kin, chance), _adaptive(claim, here),
        _converged(claim, kin),
    )
    standing = claim.decoded == claim.labels
    for row in here:
        standing = standing & (row.decoded == row.labels)
    return Assessment(
        attack=claim.attack, objective=claim.objective, eps=claim.eps, steps=claim.steps, restarts=claim.restarts,
        accuracy=claim.outcomes.accuracy, lowest=Share.of(standing), checks=checks,
    )


def _zero_gradient(claim: Row) -> Check:
    share = claim.zero_gradient.value if claim.zero_gradient is not None and claim.zero_gradient.n else None
    return _graded("zero gradient", share, warn=0.01, fail=0.10, good="The objective had a gradient on every image "
                   "that mattered.", bad="On this many of the correct images the objective had no gradient at all, so "
                   "the attack had nothing to follow.")


def _nonfinite_gradient(claim: Row) -> Check:
    known = claim.nonfinite_gradient
    return _graded("not a number", known.value if known is not None and known.n else None, warn=0.01, fail=0.10,
                   good="Every gradient was a finite number.", bad="On this many of the correct images a gradient was "
                   "not a finite number: the network overflows there, and the attack could not follow it.")


def _unmoved(claim: Row) -> Check:
    share = claim.unmoved.value if claim.unmoved is not None and claim.unmoved.n else None
    return _graded("unmoved", share, warn=0.01, fail=None, good="The attack changed the images.",
                   bad="This many of the correct images came back unchanged, bit for bit: they were not attacked.")


def _flat(claim: Row, kin: Sequence[Row], chance: float) -> Check:
    threshold = ("fail: at three times the ε, accuracy is within the interval and above chance; warn: the same, but "
                 "the attack works at ε = 1")
    same = [row for row in kin if (row.attack, row.steps) == (claim.attack, claim.steps) and row.eps < UNBOUNDED]
    pairs = [(low, high) for low in [claim, *same] for high in [claim, *same] if high.eps >= 2.99 * low.eps > 0]
    if not pairs:
        return _absent("flat", threshold)
    low, high = max(pairs, key=lambda pair: pair[1].eps / pair[0].eps)
    fall = low.outcomes.accuracy.value - high.outcomes.accuracy.value
    inside = high.outcomes.accuracy.value >= low.outcomes.accuracy.interval[0]
    level: Level = "fail" if inside and high.outcomes.accuracy.interval[0] > chance else "pass"
    sentence = f"From ε = {eps_said(low.eps)} to {eps_said(high.eps)} accuracy falls by this much"
    if level == "fail" and _works(claim, kin, chance):
        level, sentence = "warn", sentence + ": too little to tell; the attack works at ε = 1, so try a larger ε."
    else:
        sentence += ": an attack that works gains from a larger ball." if level == "fail" else "."
    return Check(name="flat", level=level, figure=fall, threshold=threshold, sentence=sentence)


def _works(claim: Row, kin: Sequence[Row], chance: float) -> bool:
    """Whether the attack had gradients, and breaks every image when the whole image may change."""
    blind = claim.zero_gradient is None or not claim.zero_gradient.n or claim.zero_gradient.value > 0.01
    return not blind and any(row.eps >= UNBOUNDED and row.outcomes.accuracy.interval[0] <= chance for row in kin)


def _order(claim: Row, rows: Sequence[Row]) -> Check:
    threshold = "fail: a stronger attack does worse beyond the interval"
    worst: tuple[float, Row, Row] | None = None
    for weak in rows:
        for strong in rows:
            if weak.eps != strong.eps or weak.eps != claim.eps or not _stronger(strong, weak):
                continue
            gap = strong.outcomes.accuracy.value - weak.outcomes.accuracy.value
            if worst is None or gap > worst[0]:
                worst = (gap, weak, strong)
    if worst is None:
        return _absent("order", threshold)
    gap, weak, strong = worst
    bad = strong.outcomes.accuracy.value > weak.outcomes.accuracy.interval[1]
    return Check(
        name="order", level="fail" if bad else "pass", figure=gap, threshold=threshold,
        sentence=f"{strong.attack}-{strong.steps} leaves this much more than {weak.attack}-{weak.steps}: the stronger "
        "attack does not work." if bad
        else f"{strong.attack}-{strong.steps} leaves no more than {weak.attack}-{weak.steps}, within the interval.",
    )


def _stronger(strong: Row, weak: Row) -> bool:
    if (strong.attack, weak.attack) == ("pgd", "fgsm"):
        return True
    return strong.attack == weak.attack and strong.steps > weak.steps


def _black_box(claim: Row, here: Sequence[Row]) -> Check:
    threshold = "warn: over 0.2 points"
    blind = [row for row in here if row.backwards == 0]
    if not blind:
        return _absent("black box", threshold)
    seeing = claim.decoded == claim.labels
    for row in here:
        if row.backwards:
            seeing = seeing & (row.decoded == row.labels)
    broken = torch.zeros_like(seeing)
    for row in blind:
        broken = broken | (seeing & (row.decoded != row.labels))
    share = float(broken.float().mean())
    which = ", ".join(str(index) for index in broken.nonzero().squeeze(1)[:8].tolist())
    return Check(
        name="black box", level="warn" if share > 0.002 else "pass", figure=share, threshold=threshold,
        sentence=f"Attacks without a gradient break this many more images (such as {which})." if which
        else "Attacks without a gradient break no image that withstood those with one.",
    )


def _unbounded(kin: Sequence[Row], chance: float) -> Check:
    threshold = f"fail: above chance, {100 * chance:g} %"
    rows = [row for row in kin if row.eps >= UNBOUNDED]
    if not rows:
        return _absent("unbounded", threshold)
    left = min(rows, key=lambda row: row.outcomes.accuracy.value).outcomes.accuracy
    bad = left.interval[0] > chance
    return Check(
        name="unbounded", level="fail" if bad else "pass", figure=left.value, threshold=threshold,
        sentence="With ε = 1, where any image is allowed, this many are still classified correctly"
        + (": the attack does not work." if bad else "."),
    )


def _adaptive(claim: Row, here: Sequence[Row]) -> Check:
    threshold = "fail: over 5 points from the training loss to the margin; warn: over 5 points to any other aim"
    aimed = [row for row in here if row.objective not in (claim.objective, "train") and row.backwards]
    if not aimed:
        return _absent("adaptive", threshold)
    margin = [row for row in aimed if row.objective == "margin"] or aimed
    least = min(aimed, key=lambda row: row.outcomes.accuracy.value)
    masked, most = (claim.outcomes.accuracy.value - min(row.outcomes.accuracy.value for row in rows)
                    for rows in (margin, aimed))
    level: Level = "pass"
    figure, sentence = most, f"An attack aimed at {least.objective} breaks no more than this many more images."
    if claim.objective == "train" and masked > ADAPTIVE:
        level, figure, sentence = "fail", masked, ("Aimed at the decision instead of the training loss, the attack "
                                                   "breaks this many more images: the training loss masks them.")
    elif most > ADAPTIVE:
        level, sentence = "warn", (f"An attack aimed at {least.objective} breaks this many more images: quote the "
                                   "accuracy under that one.")
    return Check(name="adaptive", level=level, figure=figure, threshold=threshold, sentence=sentence)


def _converged(claim: Row, kin: Sequence[Row]) -> Check:
    threshold = "warn: doubled steps leave the interval"
    longer = [row for row in kin if row.eps == claim.eps and row.attack == claim.attack
              and row.steps >= 2 * claim.steps]
    if not longer:
        return _absent("converged", threshold)
    least = min(row.outcomes.accuracy.value for row in longer)
    low, high = wilson(claim.outcomes.correct, claim.n)
    bad = not low <= least <= high
    return Check(
        name="converged", level="warn" if bad else "pass", figure=claim.outcomes.accuracy.value - least,
        threshold=threshold,
        sentence="With twice the steps, accuracy falls by this much" + (": more steps are needed." if bad else "."),
    )


def _graded(name: str, share: float | None, *, warn: float, fail: float | None, good: str, bad: str) -> Check:
    threshold = f"warn: over {100 * warn:g} %" + (f", fail: over {100 * fail:g} %" if fail is not None else "")
    if share is None:
        return _absent(name, threshold)
    level: Level = "fail" if fail is not None and share > fail else "warn" if share > warn else "pass"
    return Check(name=name, level=level, figure=share, threshold=threshold, sentence=good if level == "pass" else bad)


def _absent(name: str, threshold: str) -> Check:
    return Check(name=name, level="not run", figure=None, threshold=threshold,
                 sentence="The results that this check compares are missing.")


