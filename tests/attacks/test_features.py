"""The attack on features: its formula, and what it sees through."""

from __future__ import annotations

import pytest
import torch
from attack_systems import TASKS, exact_perceptron, linear
from torch import Tensor, nn

from tasklab.attacks import APGD, PGD, Noise, attack, stream, towards_features
from tasklab.models.fast import Plan
from tasklab.system import System
from tasklab.tasks import RBC, TRA, Task


def perceptron(task: Task) -> System:
    network = exact_perceptron(task, seed=1).network
    return System(network, task, features=network[:3])


class RoundedHead(nn.Module):
    """Classes are the corner that is brightest, read through a head without a gradient."""

    def forward_features(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, [0, 3, 12, 15]]

    def forward(self, x: Tensor) -> Tensor:
        return torch.round(50 * self.forward_features(x))


def corners(n: int) -> tuple[System, Tensor, Tensor]:
    system = System(RoundedHead(), TRA(num_classes=4))
    images = torch.rand(n, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    return system, images, system.predict(images)


def test_values_are_distances_to_the_means_of_the_other_classes() -> None:
    system = perceptron(TASKS["tra"])
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.rand(40, 1, 4, 4, generator=generator), torch.arange(40) % 4
    objective = towards_features(system, images, labels, batch_size=7)
    features = system.features(images).detach()
    means = torch.stack([features[labels == k].mean(dim=0) for k in range(4)])
    steps = stream(system, images[:5], labels[:5], PGD(eps=0.1, objective=objective, random_start=False, keep="best"))
    event = next(steps)
    assert len(event.value) == 5 * 3
    for row in range(15):
        other = [k for k in range(4) if k != int(labels[event.example[row]])][int(event.part[row])]
        expected = -(features[event.example[row]] - means[other]).norm()
        assert torch.allclose(event.value[row], expected, atol=1e-5)
    assert torch.allclose(event.outputs, system.outputs(images[:5]).detach()[event.example], atol=1e-5)
    later = list(steps)[-1]
    assert bool((later.value.view(5, 3).amax(dim=1) > event.value.view(5, 3).amax(dim=1)).all()), "it climbs"


def test_a_head_without_a_gradient_is_seen_through() -> None:
    system, images, labels = corners(60)
    train, truth = images[20:], labels[20:]
    x, y = images[:20], labels[:20]
    objective = towards_features(system, train, truth)
    eps = 0.4
    margin = attack(system, x, y, PGD(eps=eps, random_start=False))
    features = attack(system, x, y, PGD(eps=eps, objective=objective, random_start=False))
    assert bool(margin.zero_gradient.all())
    assert int(margin.fooled.sum()) == 0
    assert not bool(features.zero_gradient.any())
    noise = attack(system, x, y, Noise(eps=eps, steps=5))
    assert int(features.fooled.sum()) > int(noise.fooled.sum())
    assert int(features.fooled.sum()) >= 10
    assert torch.equal(features.fooled, system.predict(features.images) != y)
    climbed = attack(system, x, y, APGD(eps=eps, steps=20, objective=objective))
    assert int(climbed.fooled.sum()) >= int(features.fooled.sum()) - 1, "any attack climbs it"


@pytest.mark.parametrize("plan", [Plan(), Plan(fold=True)])
def test_rows_are_counted_and_batches_do_not_matter(plan: Plan) -> None:
    system = perceptron(RBC(num_classes=6, S=1))
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.rand(30, 1, 4, 4, generator=generator), torch.arange(30) % 6
    objective = towards_features(system, images, labels)
    settings = PGD(eps=0.05, steps=3, objective=objective, keep="last", plan=plan)
    whole = attack(system, images, labels, settings)
    rows = 30 * 5
    assert whole.backwards == rows * 3
    assert whole.forwards == 30 + 2 * rows * 4 + 30, "features are a pass of their own"
    small = attack(system, images, labels, settings, batch_size=7)
    assert torch.equal(small.decoded, whole.decoded)
    before = [p.requires_grad for p in system.network.parameters()]
    assert all(p.grad is None for p in system.network.parameters())
    assert before == [p.requires_grad for p in system.network.parameters()]


def test_what_is_missing_is_said() -> None:
    system = perceptron(TASKS["tra"])
    x, y = torch.rand(6, 1, 4, 4), torch.tensor([0, 1, 0, 1, 0, 1])
    with pytest.raises(ValueError, match=r"expected an image of every class.*none of classes \[2, 3\]"):
        towards_features(system, x, y)
    with pytest.raises(ValueError, match="expected an image of every class, and a label for every image"):
        towards_features(system, x, torch.arange(4))
    with pytest.raises(TypeError, match="expected a network with forward_features"):
        towards_features(linear(TASKS["tra"]), x[:4], torch.arange(4))
    with pytest.raises(ValueError, match="expected an objective that has a target"):
        PGD(eps=0.1, targeted=True, objective=towards_features(system, x[:4], torch.arange(4)))
