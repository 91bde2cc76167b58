"""Evaluations of systems whose optimum is known, with a positive, a negative and a masked control."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from linear_systems import EAST, NORTH, grey_images, linear, sides
from torch import nn

from tasklab.attacks import FGSM, PGD
from tasklab.codecs import ABNORMAL
from tasklab.data import ImageSet
from tasklab.evaluation import Row, Share, combined, curve, evaluate, outcomes
from tasklab.evaluation.robustness import Progress, stream_rows
from tasklab.system import System
from tasklab.tasks import INT, RBC

X = grey_images()
SIDE = sides(X, EAST)
Y = (SIDE > 0).long()
Y[:20] = 1 - Y[:20]  # the system is wrong about these
MARGIN = PGD(eps=0.1, steps=10, random_start=False)
OWN_LOSS = PGD(eps=0.1, steps=10, random_start=False, objective="train")


def robust_share(eps: float) -> float:
    """Right, and further from the hyperplane than ε·‖w‖₁."""
    return float(((SIDE.abs() > eps * 2) & ((SIDE > 0) == Y)).float().mean())


def test_a_margin_attack_leaves_exactly_what_is_out_of_reach() -> None:
    clean, *rows = curve(linear(EAST), (X, Y), MARGIN, [0.03, 0.1, 0.15, 0.2])
    assert clean.attack == "clean"
    assert clean.outcomes.accuracy == Share(180, 200)
    for row, eps in zip(rows, [0.03, 0.1, 0.15, 0.2], strict=True):
        assert row.eps == eps
        assert row.outcomes.accuracy.value == pytest.approx(robust_share(eps))
        assert row.stability == pytest.approx(robust_share(eps) / 0.9)
        assert row.flags == ("unmoved",) * (row.unmoved is not None and row.unmoved.value > 0.01)
        assert row.zero_gradient == Share(0, 180)
    assert 0 < rows[0].outcomes.correct < 180
    assert rows[-1].outcomes.correct == 0


def test_masked_control_rbc_on_its_own_loss_is_flagged() -> None:
    """Every output is further than S = 0.001 from 0: the loss is flat, and R is a perfect 1 that means nothing."""
    system = linear(EAST, RBC(num_classes=2, S=1e-3))
    _, own, margin = evaluate(system, (X, Y), [OWN_LOSS, MARGIN])
    assert own.stability == 1
    assert own.masked
    assert own.flags == ("masked", "unmoved")
    assert own.zero_gradient == own.unmoved == Share(180, 180)
    assert margin.stability < 0.4
    assert not margin.masked


def test_negative_control_an_attack_that_does_nothing_scores_the_clean_accuracy_and_is_flagged() -> None:
    clean, idle = evaluate(linear(EAST), (X, Y), [PGD(eps=0.0, steps=2)])
    assert idle.outcomes == clean.outcomes
    assert idle.stability == 1
    assert "unmoved" in idle.flags


def test_zero_gradients_are_counted_among_the_correct_only() -> None:
    """The 20 wrong examples have a loss and a gradient; counting them would hide the masking."""
    system = linear(EAST, RBC(num_classes=2, S=1e-3))
    _, row = evaluate(system, (X, Y), [FGSM(eps=0.1, objective="train")])
    assert row.zero_gradient == Share(180, 180)
    assert row.n == 200


@pytest.mark.parametrize(
    ("count", "flags"), [(1, ()), (2, ("zero gradient",)), (10, ("zero gradient",)), (11, ("masked",))]
)
def test_flags_begin_above_one_and_ten_percent(count: int, flags: tuple[str, ...]) -> None:
    clean = evaluate(linear(EAST), (X, Y))[0]
    row = dataclasses.replace(clean, attack="pgd", zero_gradient=Share(count, 100), unmoved=Share(1, 100))
    assert row.flags == flags
    assert row.masked == (flags == ("masked",))
    assert dataclasses.replace(row, unmoved=Share(2, 100)).flags == (*flags, "unmoved")


def test_a_row_says_what_was_done() -> None:
    settings = PGD(eps=0.05, steps=3, restarts=2, norm="l2", criterion="evaded", objective="bits")
    _, row = evaluate(linear(EAST), (X, Y), [settings])
    settings = (row.attack, row.objective, row.criterion, row.norm, row.eps, row.steps, row.restarts, row.n)
    assert settings == ("pgd", "bits", "evaded", "l2", 0.05, 3, 2, 200)
    assert row.forwards > 0
    assert row.backwards > 0
    assert row.outcomes == outcomes(row.decoded, row.labels)


def test_none_is_an_outcome_of_its_own() -> None:
    """A line whose gaps are wider than its intervals: pushed by ε, most points fall between two of them."""
    system = linear(EAST, INT(num_classes=2, s0=-1, alpha=4, beta=1), size=2.0)
    x = torch.full((4, 1, 2, 2), 0.5 - 0.125)  # z = −0.5, the centre of class 0
    y = torch.zeros(4, dtype=torch.int64)
    clean, row = evaluate(system, (x, y), [PGD(eps=0.3, steps=5, objective="up", random_start=False)])
    assert clean.outcomes.correct == 4
    assert (row.outcomes.correct, row.outcomes.wrong, row.outcomes.abnormal) == (0, 0, 4)
    assert bool((row.decoded == ABNORMAL).all())


def test_image_sets_and_pairs_are_the_same() -> None:
    pixels = (X * 255).round().to(torch.uint8)
    data = ImageSet(
        name="grey", split="test", images=pixels, labels=Y, classes=("left", "right"), mean=(0.5,), std=(0.2,)
    )
    one = evaluate(linear(EAST), data, [MARGIN])[1]
    two = evaluate(linear(EAST), (pixels.float() / 255, Y), [MARGIN])[1]
    assert one.outcomes == two.outcomes
    assert torch.equal(one.decoded, two.decoded)


def test_no_images_are_fine() -> None:
    clean, row = evaluate(linear(EAST), (X[:0], Y[:0]), [MARGIN])
    assert clean.n == row.n == 0
    assert math.isnan(row.stability)
    assert math.isnan(row.outcomes.accuracy.value)
    assert row.flags == ()


def test_rows_stream_one_by_one_and_stopping_is_not_asking_again() -> None:
    asked: list[Progress] = []
    rows = stream_rows(linear(EAST), (X, Y), [MARGIN, PGD(eps=0.2, steps=4)], progress=asked.append)
    assert next(rows).attack == "clean"
    assert asked == []
    assert next(rows).eps == 0.1
    assert {event.index for event in asked} == {0}
    assert [event.step for event in asked] == sorted(event.step for event in asked)
    assert {(event.what, event.total, event.steps, event.n) for event in asked} == {("pgd", 2, 10, 200)}
    assert [event.fooled for event in asked] == sorted(event.fooled for event in asked)
    rows.close()  # type: ignore[attr-defined]
    assert {event.index for event in asked} == {0}


def test_the_caller_s_world_is_left_as_it_was() -> None:
    system = linear(EAST)
    system.network.train()
    x, y, state = X.clone(), Y.clone(), torch.get_rng_state()
    evaluate(system, (x, y), [PGD(eps=0.1, steps=3, restarts=2)])
    assert system.network.training
    assert torch.equal(x, X)
    assert torch.equal(y, Y)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(p.grad is None and p.requires_grad for p in system.network.parameters())


def made(decoded: list[int], labels: list[int], **changes: object) -> Row:
    y, now = torch.tensor(labels), torch.tensor(decoded)
    plain: dict[str, object] = {
        "attack": "pgd",
        "objective": "margin",
        "criterion": "misclassified",
        "norm": "linf",
        "eps": 0.1,
        "steps": 5,
        "restarts": 1,
        "outcomes": outcomes(now, y),
        "clean": outcomes(y, y),
        "decoded": now,
        "labels": y,
        "zero_gradient": Share(0, len(y)),
        "unmoved": Share(0, len(y)),
        "seconds": 1.0,
    }
    return Row(**(plain | changes))  # type: ignore[arg-type]


class TestWorstCase:
    LABELS = (0, 1, 2, 3)

    def test_is_per_example_not_per_attack(self) -> None:
        one, two = made([9, 1, 2, 3], [0, 1, 2, 3]), made([0, 9, 2, 3], [0, 1, 2, 3], objective="bits", restarts=3)
        worst = combined([one, two])
        assert worst.decoded.tolist() == [9, 9, 2, 3]
        assert worst.outcomes.correct == 2 < min(one.outcomes.correct, two.outcomes.correct)
        assert (worst.objective, worst.restarts, worst.seconds) == ("margin + bits", 4, 2.0)

    def test_the_first_success_on_an_image_counts(self) -> None:
        assert combined([made([-1], [0]), made([5], [0])]).decoded.tolist() == [-1]
        evaded = [made([-1, -1], [0, 0], criterion="evaded"), made([5, 0], [0, 0], criterion="evaded")]
        assert combined(evaded).decoded.tolist() == [5, -1]

    def test_is_masked_only_if_every_attack_was(self) -> None:
        masked = made([0, 1], [0, 1], zero_gradient=Share(2, 2), unmoved=Share(2, 2))
        assert combined([masked, masked]).flags == ("masked", "unmoved")
        assert combined([masked, made([0, 1], [0, 1])]).flags == ()

    def test_the_clean_row_does_not_count(self) -> None:
        rows = evaluate(linear(EAST), (X, Y), [OWN_LOSS, MARGIN])
        assert combined(rows).outcomes.accuracy.value == pytest.approx(robust_share(0.1))

    def test_refuses_what_does_not_belong_together(self) -> None:
        with pytest.raises(ValueError, match="expected rows of attacks, got none; try"):
            combined(evaluate(linear(EAST), (X, Y)))
        with pytest.raises(
            ValueError, match=r"expected attacks of one eps, norm and criterion, got .*0\.1.*0\.2.*; try"
        ):
            combined([made([0], [0]), made([0], [0], eps=0.2)])
        with pytest.raises(ValueError, match="expected attacks on the same images"):
            combined([made([0], [0]), made([1], [1])])


def test_what_is_no_data_is_refused() -> None:
    system = linear(NORTH)
    with pytest.raises(TypeError, match=r"expected an ImageSet or a pair .* got Tensor"):
        evaluate(system, X)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected one label for each of 200 images, got 3"):
        evaluate(system, (X, Y[:3]))
    with pytest.raises(ValueError, match=r"expected labels in 0\.\.1, got 0\.\.7; try"):
        evaluate(system, (X[:2], torch.tensor([0, 7])))
    with pytest.raises(ValueError, match="expected outputs of shape"):
        evaluate(System(nn.Sequential(nn.Flatten(), nn.Linear(4, 3)), RBC(num_classes=2)), (X, Y))
