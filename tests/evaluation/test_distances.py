"""Smallest perturbations: exact on linear systems, honest about what was not found, and what curves make of them."""

from __future__ import annotations

import math

import pytest
import torch
from linear_systems import EAST, grey_images, linear, sides

from tasklab import data, zoo
from tasklab.attacks import FAB, PGD, Noise, attack
from tasklab.attacks.presets import distance_attacks
from tasklab.evaluation.distances import Distances, distance_table, smallest
from tasklab.tasks import INT


def exact(n: int = 60) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    images = grey_images(n)
    value = sides(images, EAST)
    return images, (value > 0).long(), value.abs() / 2  # ‖w‖₁ = 2


@pytest.mark.parametrize("attacks", [None, distance_attacks(), [FAB()]], ids=["both", "ladder", "fab"])
def test_on_a_linear_system_the_distance_is_the_one_to_the_plane(attacks: list[PGD] | None) -> None:
    images, labels, distance = exact()
    result = smallest(linear(EAST), (images, labels), attacks)
    assert bool((result.values >= distance - 1e-6).all()), "an upper bound, never below"
    if attacks is None or isinstance(attacks[0], FAB):
        assert torch.allclose(result.values, distance, atol=5e-4)
    else:  # each falls at the first radius beyond its distance
        rungs = torch.tensor([settings.eps for settings in attacks])
        first = rungs[torch.searchsorted(rungs, distance + 1e-6)]
        assert bool((result.values <= first + 1e-6).all())


def test_what_is_misread_is_at_distance_zero_and_what_is_not_found_is_infinite() -> None:
    images, labels, distance = exact()
    wrong = labels.clone()
    wrong[:10] = 1 - wrong[:10]
    result = smallest(linear(EAST), (images, wrong), [PGD(eps=0.05)])
    assert bool((result.values[:10] == 0).all()) and bool((result.found_by[:10] == -1).all())
    far = distance[10:] > 0.0505
    assert torch.equal(result.values[10:].isinf(), far) and bool((result.found_by[10:][far] == -1).all())
    assert bool((result.found_by[10:][~far] == 0).all())
    assert result.standing(0.05).count == int(far.sum())


def test_the_share_that_stands_is_what_an_attack_of_that_radius_leaves() -> None:
    system, images = zoo.load("digits-rbc"), data.load("digits", "test").subset(20)
    results = smallest(system, images, distance_attacks())
    for eps in (0.05, 0.1):
        result = attack(system, images.x(), images.labels, PGD(eps=eps, objective="bits"))
        assert results.standing(eps).count <= int((result.decoded == images.labels).sum())
    shares = [results.standing(eps).value for eps in (0.0, 0.02, 0.05, 0.1, 0.3)]
    assert shares == sorted(shares, reverse=True) and shares[0] > 0.8 and shares[-1] == 0


def test_quantiles_and_the_table() -> None:
    values = torch.tensor([0.0, 0.1, 0.2, 0.3, math.inf])
    result = Distances(values=values, norm="linf", criterion="misclassified", attacks=(Noise(eps=0.1),),
                      found_by=torch.zeros(5, dtype=torch.int64))
    assert result.quantile(0.5) == pytest.approx(0.2) and result.quantile(0.2) == 0 and math.isinf(result.quantile(1.0))
    assert result.standing(0.2).count == 2
    table = distance_table({"a": result})
    assert table["50 % fall within"][0] == pytest.approx(0.2) and math.isnan(table["90 % fall within"][0])
    assert table["nothing found for"][0] == 1
    with pytest.raises(ValueError, match="expected a share"):
        result.quantile(0.0)


def test_the_criterion_evaded_asks_for_a_class() -> None:
    """On the line of intervals, None lies before the next class: evading takes a longer way."""
    system = linear(EAST, INT(num_classes=2, s0=-20.0, alpha=4.0, beta=16.0), size=30.0)
    images = grey_images(80)
    labels = system.predict(images)
    kept = labels >= 0
    assert int(kept.sum()) > 20
    pair = (images[kept], labels[kept])
    close = smallest(system, pair, distance_attacks())
    far = smallest(system, pair, distance_attacks(objective="towards_code", criterion="evaded"))
    assert bool((far.values >= close.values - 1e-4).all()) and float(far.values.median()) > float(close.values.median())


def test_attacks_that_do_not_belong_together_are_refused() -> None:
    images, labels, _ = exact(4)
    for attacks in ([], [PGD(eps=0.1), PGD(eps=0.1, norm="l2")]):
        with pytest.raises(ValueError, match="one norm and criterion"):
            smallest(linear(EAST), (images, labels), attacks)
    with pytest.raises(ValueError, match="untargeted"):
        smallest(linear(EAST), (images, labels), [PGD(eps=0.1, targeted=True)])
