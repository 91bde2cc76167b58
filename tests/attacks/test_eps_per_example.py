"""One radius for each example: PGD's loop at each of them is the attack at that radius."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from attack_systems import TASKS, byte_images, exact_perceptron

from tasklab.attacks import APGD, FGSM, PGD, attack
from tasklab.models.fast import PLAIN
from tasklab.system import System

RADII = (0.0, 1 / 64, 1 / 16, 1 / 8, 1 / 4)


def problem() -> tuple[System, torch.Tensor, torch.Tensor]:
    system, images = exact_perceptron(TASKS["rbc"]), byte_images(200)
    labels = system.predict(images)
    right = (labels >= 0).nonzero().squeeze(1)[: len(RADII)]
    return system, images[right], labels[right]


@pytest.mark.parametrize("settings", [
    FGSM(eps=0, plan=PLAIN),
    PGD(eps=0, steps=4, norm="l2", keep="last", plan=PLAIN),
    PGD(eps=0, steps=4, restarts=3, objective="bits", plan=PLAIN),
    PGD(eps=0, steps=4, keep="best", step_size=1 / 32, plan=PLAIN),
], ids=lambda s: f"{s.name}-{s.norm}-{s.keep}")
def test_each_image_has_its_own_ball(settings: PGD) -> None:
    system, images, labels = problem()
    result = attack(system, images, labels, settings, eps=RADII)
    for index, radius in enumerate(RADII):
        alone = attack(system, images[index : index + 1], labels[index : index + 1],
                       dataclasses.replace(settings, eps=radius), indices=torch.tensor([index]))
        assert torch.allclose(result.images[index], alone.images[0], atol=1e-6), radius
        assert bool(result.fooled[index]) == bool(alone.fooled[0]), radius
    assert result.settings.eps == max(RADII)


def test_each_image_may_be_attacked_by_one_part_of_the_objective() -> None:
    system, images, labels = problem()
    settings = PGD(eps=1 / 8, steps=3, random_start=False, keep="best", objective="bits", plan=PLAIN)
    parts = torch.tensor([2, 0, 1, 2, 0])
    seen: list[torch.Tensor] = []
    attack(system, images, labels, settings, parts=parts, progress=lambda event: seen.append(event.part))
    assert seen and all(torch.equal(part, parts) for part in seen)


def test_what_does_not_fit_is_refused_in_one_sentence() -> None:
    system, images, labels = problem()
    with pytest.raises(ValueError, match="expected one eps for each of 5 images, got 2; try"):
        attack(system, images, labels, PGD(eps=0.1), eps=(0.1, 0.2))
    with pytest.raises(ValueError, match="APGD has one ball"):
        attack(system, images, labels, APGD(eps=0.1), eps=RADII)
    with pytest.raises(ValueError, match="expected eps as a finite number"):
        attack(system, images, labels, PGD(eps=0.1), eps=(0.1, 0.1, 0.1, 0.1, -1.0))
    with pytest.raises(ValueError, match=r"expected parts as int64 \(5,\) in 0..0"):
        attack(system, images, labels, PGD(eps=0.1), parts=torch.ones(5, dtype=torch.int64))
