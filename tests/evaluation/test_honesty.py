"""The checks flag attacks that did not try, and leave honest ones alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from tasklab import data, zoo
from tasklab.attacks import FGSM, PGD, Noise, Square
from tasklab.attacks.presets import honesty_attacks
from tasklab.evaluation import evaluate, outcomes
from tasklab.evaluation.honesty import Assessment, assess, stream_assessment
from tasklab.evaluation.robustness import Row
from tasklab.evaluation.statistics import Share
from tasklab.evaluation.transfer_matrix import find_threat, transfer_row
from tasklab.system import System
from tasklab.tasks import TRA

N = 100


def row(
    correct: int, *, zero: int = 0, unmoved: int = 0, backwards: int = 1, first: int = 0, **settings: object
) -> Row:
    """An attack that leaves ``correct`` of 100 images, from image ``first`` on."""
    labels = torch.zeros(N, dtype=torch.int64)
    decoded = torch.ones_like(labels)
    decoded[(torch.arange(correct) + first) % N] = 0
    shown = {"attack": "pgd", "objective": "margin", "criterion": "misclassified", "norm": "linf", "eps": 0.3,
             "steps": 20, "restarts": 1} | settings
    return Row(
        outcomes=outcomes(decoded, labels), clean=outcomes(labels, labels), zero_gradient=Share(zero, N),
        unmoved=Share(unmoved, N), decoded=decoded, labels=labels, backwards=backwards, **shown,  # type: ignore[arg-type]
    )


def level(assessment: Assessment, name: str) -> str:
    return next(check.level for check in assessment.checks if check.name == name)


@pytest.mark.parametrize(
    ("name", "claim", "evidence", "expected"),
    [
        ("zero gradient", row(50, zero=1), [], "pass"),
        ("zero gradient", row(50, zero=2), [], "warn"),
        ("zero gradient", row(50, zero=11), [], "fail"),
        ("unmoved", row(50, unmoved=1), [], "pass"),
        ("unmoved", row(50, unmoved=2), [], "warn"),
        ("flat", row(60), [], "not run"),
        ("flat", row(60), [row(62, eps=0.1)], "fail"),
        ("flat", row(60), [row(62, eps=0.2)], "not run"),
        ("flat", row(20), [row(62, eps=0.1)], "pass"),
        ("flat", row(0), [row(0, eps=0.1)], "pass"),
        ("order", row(60), [row(40, attack="fgsm", steps=1)], "fail"),
        ("order", row(40), [row(60, attack="fgsm", steps=1)], "pass"),
        ("order", row(40), [row(70, steps=40)], "fail"),
        ("order", row(40), [row(10, attack="fgsm", steps=1, eps=0.1)], "not run"),
        ("black box", row(50), [row(50, attack="square", backwards=0)], "pass"),
        ("black box", row(50), [row(50, attack="square", backwards=0, first=1)], "warn"),
        ("black box", row(50), [row(70)], "not run"),
        ("unbounded", row(50), [row(0, eps=1.0)], "pass"),
        ("unbounded", row(50), [row(30, eps=1.0)], "fail"),
        ("adaptive", row(50, objective="train"), [row(40)], "fail"),
        ("adaptive", row(50, objective="train"), [row(46)], "pass"),
        ("adaptive", row(50, objective="train"), [row(46), row(30, objective="bits")], "warn"),
        ("adaptive", row(50, objective="train"), [row(30, objective="bits")], "fail"),
        ("adaptive", row(50, objective="train"), [row(46), row(46, objective="bits")], "pass"),
        ("adaptive", row(50), [row(10, objective="bits")], "warn"),
        ("adaptive", row(50), [row(46, objective="bits")], "pass"),
        ("adaptive", row(50), [row(10, objective="train")], "not run"),
        ("converged", row(50), [row(48, steps=40)], "pass"),
        ("converged", row(50), [row(30, steps=40)], "warn"),
        ("converged", row(50), [row(30, steps=30)], "not run"),
    ],
)
def test_each_check_on_made_up_rows(name: str, claim: Row, evidence: list[Row], expected: str) -> None:
    assert level(assess(claim, evidence, num_classes=10), name) == expected


def test_the_verdict_is_the_worst_level_and_the_lowest_is_over_all_attacks_of_this_eps() -> None:
    assessment = assess(row(50, unmoved=5), [row(50, attack="square", first=10), row(5, eps=1.0)], num_classes=10)
    assert assessment.verdict == "warn"
    assert assessment.lowest.count == 40, "image by image: 10..49 stand against both; the other radius does not count"
    page = assessment.to_markdown()
    assert all(check.sentence in page for check in assessment.checks) and assessment.to_dict()["verdict"] == "warn"


def test_claims_that_cannot_be_judged_are_refused() -> None:
    clean = replace(row(50), attack="clean")
    with pytest.raises(ValueError, match="expected the row of an attack"):
        assess(clean, [], num_classes=10)
    other = replace(row(50), labels=torch.ones(N, dtype=torch.int64))
    with pytest.raises(ValueError, match="same images"):
        assess(row(50), [other], num_classes=10)


def test_the_battery_holds_what_the_checks_compare() -> None:
    claim = PGD(eps=0.3, steps=10, objective="train")
    kinds = honesty_attacks(claim)
    assert kinds[0] == claim
    assert {type(settings) for settings in kinds} == {PGD, FGSM, Noise, Square}


def whole(system: System, claim: PGD, n: int = 60) -> Assessment:
    test = data.load("digits", "test").subset(n)
    *_, assessment = stream_assessment(system, test, claim, queries=60)
    return assessment


def test_masked_control_rbc_on_its_own_loss_is_flagged() -> None:
    assessment = whole(zoo.load("digits-rbc"), PGD(eps=0.2, objective="train", keep="last"))
    assert assessment.verdict == "fail"
    assert level(assessment, "zero gradient") == level(assessment, "adaptive") == "fail"
    assert assessment.lowest.value < 0.05 < assessment.accuracy.value


def test_no_false_alarm_an_adversarially_trained_softmax_is_not_failed() -> None:
    assessment = whole(zoo.load("digits-tra-at"), PGD(eps=0.2, steps=40, objective="train", keep="last"), n=200)
    assert assessment.verdict in ("pass", "warn")
    assert all(level(assessment, name) == "pass" for name in ("zero gradient", "unmoved", "flat", "order", "unbounded",
                                                          "adaptive"))
    assert assessment.accuracy.value > 0.3


def test_negative_control_an_attack_that_does_nothing_is_flagged() -> None:
    def nothing(task: object, z: Tensor, y: Tensor) -> Tensor:
        return 0 * z[:, 0]

    assessment = whole(zoo.load("digits-tra"), PGD(eps=0.2, objective=nothing, random_start=False))
    assert assessment.verdict == "fail"
    assert level(assessment, "zero gradient") == "fail" and level(assessment, "unmoved") == "warn"
    assert level(assessment, "unbounded") == "fail"


class _Staircase(nn.Module):
    """Pixels rounded to four levels: a layer without a gradient."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network((x * 3).round() / 3)


def test_a_gradient_killing_layer_is_flagged_and_black_box_attacks_see_through_it() -> None:
    assessment = whole(System(_Staircase(zoo.load("digits-tra").network), TRA()), PGD(eps=0.3))
    assert assessment.verdict == "fail"
    assert level(assessment, "zero gradient") == "fail" and level(assessment, "black box") == "warn"


def test_flat_is_only_a_warning_where_the_attack_is_known_to_work() -> None:
    """An honest system at a small ε loses little from ε to 3ε; that the attack works shows at ε = 1."""
    working = assess(row(97), [row(98, eps=0.1), row(0, eps=1.0)], num_classes=10)
    assert level(working, "flat") == "warn" and working.verdict == "warn"
    for evidence in ([row(98, eps=0.1), row(60, eps=1.0)], [row(98, eps=0.1)]):
        assert level(assess(row(97), evidence, num_classes=10), "flat") == "fail"
    masked = assess(row(97, zero=5), [row(98, eps=0.1), row(0, eps=1.0)], num_classes=10)
    assert level(masked, "flat") == "fail"


def test_rows_that_are_there_are_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    system, test = zoo.load("digits-rbc"), data.load("digits", "test").subset(20)
    claim = PGD(eps=0.2, steps=5, objective="train", keep="last")
    attacks = honesty_attacks(claim, queries=20)
    rows = evaluate(system, test, [*attacks, PGD(eps=0.2, objective="bits")])
    *_, fresh = stream_assessment(system, test, claim, queries=20)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("no attack may run")

    monkeypatch.setattr("tasklab.attacks.engine.stream", refuse)
    *_, known = stream_assessment(system, test, claim, queries=20, known=rows)
    assert known.checks == fresh.checks
    assert known.lowest.count <= fresh.lowest.count, "one more row is evidence too"
    with pytest.raises(AssertionError, match="no attack may run"):
        list(stream_assessment(system, test, claim, queries=20, known=rows[:-2]))


def test_what_transfers_is_evidence_of_a_black_box_and_a_source_that_moved_nothing_is_seen() -> None:
    system, source = zoo.load("digits-rbc"), zoo.load("digits-tra")
    test = data.load("digits", "test").subset(40)
    claim = PGD(eps=0.2, steps=5, objective="train", keep="last", random_start=False)
    threat = find_threat("digits-tra", source, test.x(), test.labels, PGD(eps=0.2, keep="best"))
    *_, assessment = stream_assessment(system, test, claim, queries=1, threats=[threat], known=[])
    alone = transfer_row(system, test, threat)
    assert alone.backwards == 0 and alone.attack == "transfer" and alone.objective == "from digits-tra"
    assert torch.equal(alone.decoded, system.predict(threat.images))
    assert assessment.lowest.count <= alone.outcomes.correct
    masked = find_threat("digits-int", zoo.load("digits-int"), test.x(), test.labels, replace(claim, eps=0.2))
    assert "unmoved" in transfer_row(system, test, masked).flags
    with pytest.raises(ValueError, match="found on these"):
        transfer_row(system, test.subset(10), threat)


def _only_the_largest(x: Tensor, k: int) -> Tensor:
    return x * (x >= x.topk(k, dim=1).values[:, -1:])


class _WinnersTakeAll(nn.Module):
    """The k largest features alone (Xiao et al. 2020): gradients that jump from place to place."""

    def __init__(self, system: System, k: int) -> None:
        super().__init__()
        self.network, self.k = system.network, k

    def forward(self, x: Tensor) -> Tensor:
        f = self.network.forward_features(x)  # type: ignore[operator]
        return self.network.forward_head(_only_the_largest(f, self.k).round())  # type: ignore[operator]


def test_an_activation_that_kills_the_gradient_is_flagged() -> None:
    system = System(_WinnersTakeAll(zoo.load("digits-tra"), 20), TRA())
    clean = data.load("digits", "test").subset(60)
    assert float((system.predict(clean.x()) == clean.labels).float().mean()) > 0.7, "it still works as a classifier"
    for objective in ("train", "margin"):
        assessment = whole(system, PGD(eps=0.2, objective=objective, keep="last"))
        assert assessment.verdict == "fail", objective
        assert level(assessment, "zero gradient") == "fail"
        assert level(assessment, "black box") == "warn"


@pytest.mark.parametrize(
    ("name", "fails"),
    [
        ("digits-int", {"zero gradient", "adaptive"}),  # loss 0 where the interval holds the output
        ("digits-deepbe-hinge", {"zero gradient", "flat", "adaptive"}),  # loss 0 wherever the bits are right
        ("digits-deepbe", set()),  # cross-entropy on bits never ends
        ("digits-tra", set()),
    ],
)
def test_which_check_fires_on_which_system(name: str, fails: set[str]) -> None:
    assessment = whole(zoo.load(name), PGD(eps=0.2, objective="train", keep="last"))
    fired = {check.name for check in assessment.checks if check.level == "fail"}
    assert fails <= fired, fired
    if not fails:
        assert not fired & {"zero gradient", "flat", "order"}, fired


def test_every_check_says_what_it_looked_at_and_from_where_it_changes() -> None:
    assessment = whole(zoo.load("digits-tra"), PGD(eps=0.2, objective="train", keep="last"), n=40)
    assert [check.name for check in assessment.checks] == [
        "zero gradient", "not a number", "unmoved", "flat", "order", "black box", "unbounded", "adaptive", "converged",
    ]
    for check in assessment.checks:
        assert check.level in ("pass", "warn", "fail"), "the battery runs all of them"
        assert check.figure is not None and -1 <= check.figure <= 1
        assert check.threshold.startswith(("warn", "fail")) and check.sentence.endswith(".")
