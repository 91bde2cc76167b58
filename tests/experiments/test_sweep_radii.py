"""An attack at many radii at once is that attack at each radius."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from tasklab.attacks import FGSM, PGD, Noise, Settings, Square, attack
from tasklab.experiments.sweep import attack_radii
from tasklab.models.fast import PLAIN
from tasklab.system import System
from tests.attacks.attack_systems import TASKS, byte_images, exact_perceptron

RADII = (0.0, 1 / 64, 1 / 16, 1 / 8, 1 / 4)
SETTINGS: list[Settings] = [
    FGSM(eps=0),
    FGSM(eps=0, norm="l2", objective="train"),
    PGD(eps=0, steps=4, random_start=False, keep="best"),
    PGD(eps=0, steps=4, step_size=1 / 32, random_start=False, keep="last", objective="bits"),
    PGD(eps=0, steps=4, restarts=3, seed=7, keep="first"),
    PGD(eps=0, steps=4, restarts=2, keep="first", norm="l2", objective="train"),
    PGD(eps=0, steps=4, random_start=False, keep="best", criterion="evaded", objective="towards_code"),
    Square(eps=0, steps=20),
    Noise(eps=0, steps=10, kind="corner"),
]


def problem(name: str) -> tuple[System, torch.Tensor, torch.Tensor]:
    system, images = exact_perceptron(TASKS[name]), byte_images(200)
    labels = system.predict(images)
    place = int((labels >= 0).nonzero()[3])
    return system, images[place : place + 1], labels[place : place + 1]


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: f"{s.name}-{s.norm}-{s.objective}-{s.restarts}")
def test_every_rung_is_the_attack_at_its_radius(settings: Settings, name: str) -> None:
    system, image, label = problem(name)
    result = attack_radii(system, image, label, settings, RADII, index=5)
    assert len(result.images) == len(RADII)
    for place, radius in enumerate(RADII):
        alone = attack(system, image, label, dataclasses.replace(settings, eps=radius, plan=PLAIN),
                       indices=torch.tensor([5]))
        assert torch.allclose(result.images[place], alone.images[0], atol=1e-6), radius
        for field in ("decoded", "clean_decoded", "fooled", "zero_gradient", "unmoved"):
            assert getattr(result, field)[place] == getattr(alone, field)[0], (field, radius)


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("objectives", [("train", "margin"), ("margin", "bits", "sum_bits"), ("margin",)])
@pytest.mark.parametrize("settings", [
    FGSM(eps=0),
    PGD(eps=0, steps=4, restarts=3, seed=7, keep="first"),
    PGD(eps=0, steps=4, random_start=False, keep="best", norm="l2", criterion="evaded"),
    Square(eps=0, steps=20),
], ids=lambda s: f"{s.name}-{s.norm}")
def test_objectives_side_by_side_are_each_alone(settings: Settings, objectives: tuple[str, ...], name: str) -> None:
    system, image, label = problem(name)
    result = attack_radii(system, image, label, settings, RADII, objectives=objectives, index=5)
    assert len(result.images) == len(RADII) * len(objectives)
    for place, objective in enumerate(objectives):
        alone = attack_radii(system, image, label, dataclasses.replace(settings, objective=objective), RADII, index=5)
        here = slice(place * len(RADII), (place + 1) * len(RADII))
        assert torch.allclose(result.images[here], alone.images, atol=1e-6), objective
        for field in ("decoded", "clean_decoded", "fooled", "zero_gradient", "unmoved"):
            assert torch.equal(getattr(result, field)[here], getattr(alone, field)), (field, objective)


def test_side_by_side_is_one_batch() -> None:
    system, image, label = problem("rbc")
    settings = PGD(eps=0, steps=4, random_start=False, keep="best")
    calls: list[int] = []
    with_hook = system.network.register_forward_hook(lambda *given: calls.append(len(given[2])))
    for objectives in (("margin",), ("train", "margin")):
        attack_radii(system, image, label, settings, RADII, objectives=objectives)
    with_hook.remove()
    assert len(calls) % 2 == 0 and calls[len(calls) // 2 :] == [2 * rows for rows in calls[: len(calls) // 2]]


class Jittering(torch.nn.Module):
    """Answers like another network, but for a little noise, anew each time."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z: torch.Tensor = self.network(x)
        return z + 1e-3 * torch.rand_like(z)


def test_what_has_no_gradient_is_left_alone_unless_the_network_answers_at_random() -> None:
    trained, image, label = problem("rbc")
    system = System(trained.network, dataclasses.replace(TASKS["rbc"], S=0.0))  # every picture read right has loss 0
    settings = PGD(eps=0, steps=9, random_start=False, keep="best", objective="train")
    result = attack_radii(system, image, label, settings, RADII)
    assert bool(result.zero_gradient.all()) and bool(result.unmoved.all()) and result.backwards == len(RADII)
    noisy = attack_radii(System(Jittering(trained.network), system.task), image, label, settings, RADII)
    assert noisy.backwards == len(RADII) + 8 * (len(RADII) - 1), "only ε = 0 is left alone"


def test_each_objective_fits_its_task() -> None:
    system, image, label = problem("rbc")
    with pytest.raises(ValueError, match="expected task int"):
        attack_radii(system, image, label, FGSM(eps=0), RADII, objectives=("margin", "up"))
    with pytest.raises(ValueError, match="expected an objective that has a target"):
        attack_radii(system, image, label, FGSM(eps=0, targeted=True), RADII, objectives=("margin", "bits"),
                     target=label)


def test_a_target_is_aimed_at_on_every_rung() -> None:
    system, image, label = problem("tra")
    target = (label + 1) % 4
    settings = PGD(eps=0, steps=5, random_start=False, keep="best", targeted=True)
    result = attack_radii(system, image, label, settings, RADII, target=target)
    alone = attack(system, image, label, dataclasses.replace(settings, eps=RADII[-1]), targets=target)
    assert result.targets is not None and result.targets.tolist() == [int(target)] * len(RADII)
    assert bool(result.fooled[-1]) == bool(alone.fooled)


def test_a_higher_rung_reaches_further() -> None:
    system, image, label = problem("rbc")
    result = attack_radii(system, image, label, PGD(eps=0, steps=5, random_start=False, keep="best"), RADII)
    lost = -system.margins(result.images).detach()[:, int(label)]
    assert torch.equal(result.images[0], image[0])
    assert bool((lost.diff() >= 0).all()) and float(lost[-1]) > float(lost[0])


def test_what_is_not_one_picture_is_refused() -> None:
    system, image, label = problem("tra")
    with pytest.raises(ValueError, match="expected one image"):
        attack_radii(system, image.expand(2, -1, -1, -1), label.expand(2), FGSM(eps=0.1), RADII)
    with pytest.raises(ValueError, match="at least one radius"):
        attack_radii(system, image, label, FGSM(eps=0.1), ())
    with pytest.raises(ValueError, match="eps as a finite number"):
        attack_radii(system, image, label, FGSM(eps=0.1), (0.1, -1.0))
