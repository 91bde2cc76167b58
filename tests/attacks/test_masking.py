"""Where a training loss has no gradient, an attack on it does nothing, and says so."""

from __future__ import annotations

import pytest
import torch
from attack_systems import TASKS, linear, lowest_terms, sample, terms
from torch import Tensor, nn

from tasklab.attacks import FGSM, PGD, attack
from tasklab.system import System
from tasklab.tasks import INT, RBC, DeepBE, Task

MASKED: dict[str, Task] = {
    "rbc": RBC(num_classes=6, S=1.0),
    "deepbe": DeepBE(num_classes=6, loss_form="hinge"),
    "int": INT(num_classes=4, alpha=1, beta=3),
}
EPS = 0.1


def satisfied(name: str) -> tuple[System, Tensor, Tensor]:
    """A linear system that answers its images with zero training loss."""
    task = MASKED[name]
    system = linear(task, scale=100.0 if name == "rbc" else 1.0)
    images, labels = sample(system, 60)
    loss = task.loss(system.read(images), labels)
    images, labels = images[loss == 0], labels[loss == 0]
    assert len(images) >= 40
    return system, images, labels


@pytest.mark.parametrize("name", MASKED)
def test_the_own_loss_moves_nothing_and_the_margin_everything(name: str) -> None:
    system, images, labels = satisfied(name)
    for settings in (
        PGD(eps=EPS, steps=5, objective="train", random_start=False),
        PGD(eps=EPS, steps=5, objective="train", random_start=False, keep="last"),
        FGSM(eps=EPS, objective="train"),
    ):
        own = attack(system, images, labels, settings)
        assert bool(own.zero_gradient.all())
        assert bool(own.unmoved.all())
        assert own.accuracy == 1
        assert own.summary()["zero_gradient_share"] == own.summary()["unmoved_share"] == 1

    adaptive = attack(system, images, labels, PGD(eps=EPS, steps=20, objective="bits"))
    assert not bool(adaptive.zero_gradient.any())
    assert torch.equal(adaptive.fooled, lowest_terms(system, images, labels, EPS, "linf").amin(dim=1) < 0)
    assert float(adaptive.fooled.float().mean()) > 0.8
    margin = attack(system, images, labels, PGD(eps=EPS, steps=20))
    assert not bool(margin.zero_gradient.any())
    assert float(margin.fooled.float().mean()) > 0.8


def test_a_random_start_moves_an_image_but_finds_no_gradient_either() -> None:
    system, images, labels = satisfied("deepbe")
    far = terms(system, images, labels).amin(dim=1) > 0.05
    assert int(far.sum()) > 3
    result = attack(system, images[far], labels[far], PGD(eps=0.001, steps=5, objective="train", keep="last"))
    assert bool(result.zero_gradient.all())
    assert not bool(result.unmoved.any())


def test_only_the_share_that_is_fitted_is_masked() -> None:
    task = RBC(num_classes=6, S=0.3)
    system = linear(task, scale=2.0)
    images, labels = sample(system, 100)
    fitted = task.loss(system.read(images), labels) == 0
    assert 5 < int(fitted.sum()) < 95
    own = attack(system, images, labels, PGD(eps=0.02, objective="train", random_start=False, keep="best"))
    assert torch.equal(own.zero_gradient, fitted)
    assert torch.equal(own.unmoved, fitted)
    assert own.summary()["zero_gradient_share"] == pytest.approx(float(fitted.float().mean()))


@pytest.mark.parametrize("form", ["bce", "mse"])
def test_losses_that_never_end_are_not_masked(form: str) -> None:
    for task in (TASKS["tra"], DeepBE(num_classes=6, loss_form=form)):  # type: ignore[arg-type]
        system = linear(task)
        images, labels = sample(system, 30)
        own = attack(system, images, labels, PGD(eps=0.05, objective="train", random_start=False))
        assert not bool(own.zero_gradient.any())


def test_a_control_an_attack_that_does_nothing_is_seen() -> None:
    system = linear(TASKS["tra"])
    images, labels = sample(system, 20)
    labels[:5] = (labels[:5] + 1) % 4

    def constant(task: Task, z: Tensor, y: Tensor) -> Tensor:
        return z.sum(dim=1) * 0 + 3

    def detached(task: Task, z: Tensor, y: Tensor) -> Tensor:
        return torch.ones(len(y))

    for objective in (constant, detached):
        idle = attack(system, images, labels, PGD(eps=0.3, objective=objective, random_start=False))
        assert idle.accuracy == idle.summary()["clean_accuracy"] == 0.75
        assert idle.summary()["zero_gradient_share"] == idle.summary()["unmoved_share"] == 1
        assert torch.equal(idle.images, images)
    still = attack(system, images, labels, PGD(eps=0.0))
    assert still.accuracy == 0.75
    assert still.summary()["unmoved_share"] == 1
    assert attack(system, images, labels, PGD(eps=0.3)).accuracy == 0, "the positive control"


class Rounded(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.round(4 * x.flatten(1)[:, :4])


class Decided(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.one_hot(x.flatten(1)[:, :4].argmax(dim=1), 4).float()


@pytest.mark.parametrize("module", [Rounded(), Decided()])
def test_a_network_that_cannot_be_differentiated_is_reported_not_refused(module: nn.Module) -> None:
    system = System(module, TASKS["tra"])
    images = torch.rand(40, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    labels = system.predict(images)
    for objective in ("train", "margin", "bits"):
        result = attack(system, images, labels, PGD(eps=0.01, objective=objective, random_start=False))
        assert bool(result.zero_gradient.all())
        assert bool(result.unmoved.all())
    lucky = attack(system, images, labels, PGD(eps=0.9, steps=1, restarts=20))
    assert bool(lucky.zero_gradient.all())
    assert bool(lucky.fooled.any()), "random starts are judged all the same"
