"""The same attack in two other libraries: the same adversarial images, and the same verdicts on every task."""

from __future__ import annotations

import foolbox
import pytest
import torch
import torchattacks
from attack_systems import TASKS, conv_system
from torch import Tensor

from tasklab.attacks import FGSM, PGD, attack
from tasklab.models.fast import PLAIN
from tasklab.system import System
from tasklab.tasks import TRA

STEPS = 7
CASES = {"fgsm": (0.1, "linf"), "linf": (0.1, "linf"), "l2": (0.8, "l2")}


@pytest.fixture(scope="module")
def classifier() -> System:
    system = conv_system(TRA(num_classes=5))
    system.network.eval()
    return system


@pytest.fixture(scope="module")
def images() -> Tensor:
    images = torch.rand(16, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    images[:, :, :2] = images[:, :, :2].round()  # some pixels on the box
    return images


def ours(kind: str) -> PGD:
    eps, norm = CASES[kind]
    if kind == "fgsm":
        return FGSM(eps=eps, objective="train", plan=PLAIN)
    return PGD(eps=eps, steps=STEPS, step_size=eps / 4, norm=norm, random_start=False, objective="train", keep="last",
               plan=PLAIN)


@pytest.mark.parametrize("kind", CASES)
def test_the_same_images_as_torchattacks(kind: str, classifier: System, images: Tensor) -> None:
    labels = torch.arange(16) % 5
    eps = CASES[kind][0]
    network = classifier.network
    theirs = {
        "fgsm": lambda: torchattacks.FGSM(network, eps=eps),
        "linf": lambda: torchattacks.PGD(network, eps=eps, alpha=eps / 4, steps=STEPS, random_start=False),
        "l2": lambda: torchattacks.PGDL2(network, eps=eps, alpha=eps / 4, steps=STEPS, random_start=False),
    }[kind]()
    expected = theirs(images, labels)
    result = attack(classifier, images, labels, ours(kind))
    assert torch.allclose(result.images, expected, atol=1e-5, rtol=0)
    assert float((expected - images).abs().mean()) > 0.02


@pytest.mark.parametrize("kind", CASES)
def test_the_same_images_as_foolbox(kind: str, classifier: System, images: Tensor) -> None:
    labels = torch.arange(16) % 5
    eps = CASES[kind][0]
    theirs = {
        "fgsm": lambda: foolbox.attacks.LinfFastGradientAttack(random_start=False),
        "linf": lambda: foolbox.attacks.LinfPGD(abs_stepsize=eps / 4, steps=STEPS, random_start=False),
        "l2": lambda: foolbox.attacks.L2PGD(abs_stepsize=eps / 4, steps=STEPS, random_start=False),
    }[kind]()
    model = foolbox.PyTorchModel(classifier.network, bounds=(0, 1), device="cpu")
    expected = theirs.run(model, images, foolbox.criteria.Misclassification(labels), epsilon=eps)
    result = attack(classifier, images, labels, ours(kind))
    assert torch.allclose(result.images, expected, atol=1e-5, rtol=0)


def test_the_same_targeted_images_as_foolbox(classifier: System, images: Tensor) -> None:
    labels = classifier.predict(images)
    targets = (labels + 2) % 5
    theirs = foolbox.attacks.LinfPGD(abs_stepsize=0.025, steps=STEPS, random_start=False)
    model = foolbox.PyTorchModel(classifier.network, bounds=(0, 1), device="cpu")
    expected = theirs.run(model, images, foolbox.criteria.TargetedMisclassification(targets), epsilon=0.1)
    settings = PGD(eps=0.1, steps=STEPS, step_size=0.025, random_start=False, objective="train", keep="last",
                   targeted=True, plan=PLAIN)
    result = attack(classifier, images, labels, settings, targets=targets)
    assert torch.allclose(result.images, expected, atol=1e-5, rtol=0)


def on_task(name: str, images: Tensor) -> tuple[System, Tensor, Tensor]:
    """A system whose random outputs lie about the middle of the code, and the images that decode to a class."""
    system = conv_system(TASKS[name])
    layer, spread = system.network[6], 3.0 if name.startswith("int") else 1.0
    with torch.no_grad():
        layer.weight.mul_(spread / system.outputs(images).std(dim=0)[:, None])
        layer.bias += system.task.centre - system.outputs(images).mean(dim=0)
    labels = system.predict(images)
    kept = labels >= 0
    assert int(kept.sum()) >= 6
    return system, images[kept], labels[kept]


@pytest.mark.parametrize("name", TASKS)
def test_other_libraries_attack_every_task_through_its_scores(name: str, images: Tensor) -> None:
    system, x, labels = on_task(name, images)
    logits = system.as_logits()
    flags = [module.training for module in system.network.modules()]
    assert logits(x).shape == (len(x), system.task.num_classes + 1)

    model = foolbox.PyTorchModel(logits, bounds=(0, 1), device="cpu")
    _, adversarial, success = foolbox.attacks.LinfPGD(steps=20)(model, x, labels, epsilons=0.3)
    assert torch.equal(system.predict(adversarial) != labels, success)
    assert float(success.float().mean()) > 0.5

    moved = torchattacks.PGD(logits, eps=0.3, alpha=0.04, steps=20)(x, labels)
    decoded = system.predict(moved)
    by_scores = logits(moved).argmax(dim=1)
    assert torch.equal(decoded, torch.where(by_scores == system.task.num_classes, -1, by_scores))
    assert float((decoded != labels).float().mean()) > 0.5
    assert [module.training for module in system.network.modules()] == flags


def test_the_scores_leave_the_network_s_flags_alone(images: Tensor) -> None:
    for training in (True, False):
        system = conv_system(TRA(num_classes=5))
        system.network.train(training)
        torchattacks.PGD(system.as_logits(), steps=1)(images, torch.zeros(16, dtype=torch.int64))
        assert all(module.training == training for module in system.network.modules())
