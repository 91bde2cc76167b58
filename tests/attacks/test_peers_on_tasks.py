"""Other libraries' attacks on the shipped systems of all four tasks, through their scores: what they find is real."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import foolbox
import pytest
import torch
import torchattacks
from torch import Tensor, nn

from tasklab import data, zoo
from tasklab.attacks import CW, PGD, attack
from tasklab.codecs import ABNORMAL
from tasklab.data.info import radii_of
from tasklab.system import System

NAMES = ("digits-tra", "digits-deepbe", "digits-int", "digits-rbc")
EPS, N = 0.2, 5


@lru_cache(maxsize=4)
def subject(name: str) -> tuple[System, Tensor, Tensor]:
    """A shipped system and the first images that it reads correctly."""
    system, test = zoo.load(name), data.load("digits", "test").subset(30)
    right = (system.predict(test.x()) == test.labels).nonzero().squeeze(1)[:N]
    return system, test.x()[right], test.labels[right]


def checked(name: str, adversarial: Tensor) -> tuple[float, Tensor]:
    """The share fooled, by our own decoding, of images that are inside the ball; and their labels now."""
    system, images, labels = subject(name)
    adversarial = adversarial.detach()
    assert adversarial.shape == images.shape
    assert float((adversarial - images).abs().max()) <= EPS + 1e-6
    assert float(adversarial.min()) >= 0 and float(adversarial.max()) <= 1
    decoded, by_scores = system.predict(adversarial), system.as_logits()(adversarial).argmax(dim=1)
    assert torch.equal(decoded, torch.where(by_scores == 10, ABNORMAL, by_scores)), "the scores' argmax is the decoder"
    return float((decoded != labels).float().mean()), decoded


TORCHATTACKS: dict[str, Callable[[nn.Module], torchattacks.attack.Attack]] = {
    "apgd": lambda scores: torchattacks.APGD(scores, eps=EPS, steps=20, loss="ce", seed=0),
    "square": lambda scores: torchattacks.Square(scores, eps=EPS, n_queries=400, seed=0),
    "autoattack": lambda scores: torchattacks.AutoAttack(scores, eps=EPS, n_classes=11, seed=0),
}


class Cooled(nn.Module):
    """Scores divided by their unit: the same decoder, and a cross-entropy that does not saturate."""

    def __init__(self, scores: nn.Module, unit: float) -> None:
        super().__init__()
        self.scores, self.unit = scores, unit

    def forward(self, x: Tensor) -> Tensor:
        return self.scores(x) / self.unit


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", TORCHATTACKS)
def test_torchattacks(kind: str, name: str) -> None:
    system, images, labels = subject(name)
    flags = [module.training for module in system.network.modules()]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        share, _ = checked(name, TORCHATTACKS[kind](system.as_logits())(images, labels))
    if (kind, name) == ("apgd", "digits-rbc"):
        assert share < 0.5, "cross-entropy on scores of a few hundred is exactly 0, and so is its gradient"
        cooled = TORCHATTACKS[kind](Cooled(system.as_logits(), 350.0))
        share, _ = checked(name, cooled(images, labels))
    assert share >= 0.8, "an undefended system falls"
    assert [module.training for module in system.network.modules()] == flags


def test_the_ratio_of_three_ranks_is_blind_on_scores_with_none_and_ours_of_four_is_not() -> None:
    """−(s_y − s_π2)/(s_π1 − s_π3) with s_π1 = m, s_π2 = 0 (None) and s_π3 = −m is −½ whatever m is."""
    system, images, labels = subject("digits-tra")
    ranked = system.class_scores(images).topk(3, dim=1).values
    assert torch.allclose((ranked[:, 0] - ranked[:, 1]) / (ranked[:, 0] - ranked[:, 2]), torch.tensor(0.5))
    blind = torchattacks.APGD(system.as_logits(), eps=EPS, steps=20, loss="dlr", seed=0)
    assert checked("digits-tra", blind(images, labels))[0] == 0
    assert bool(attack(system, images, labels, PGD(eps=EPS, objective="dlr")).fooled.all())


@pytest.mark.parametrize("name", NAMES)
def test_foolbox(name: str) -> None:
    system, images, labels = subject(name)
    model = foolbox.PyTorchModel(system.as_logits(), bounds=(0, 1), device="cpu")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        _, adversarial, success = foolbox.attacks.LinfPGD(steps=30)(model, images, labels, epsilons=EPS)
    share, decoded = checked(name, adversarial)
    assert torch.equal(decoded != labels, success), "foolbox and the decoder agree on what is fooled"
    ours = attack(system, images, labels, PGD(eps=EPS, steps=30, objective="bits"))
    assert share <= float(ours.fooled.float().mean()), "on raw scores, cross-entropy saturates; margins do not"


@pytest.mark.parametrize("name", NAMES)
def test_no_peer_s_carlini_wagner_comes_nearer_with_as_many_steps(name: str) -> None:
    system, images, labels = subject(name)
    searches, steps = 4, 40
    ours = attack(system, images, labels, CW(steps=searches * steps, searches=searches)).distance

    def distance(adversarial: Tensor) -> Tensor:
        away = (adversarial.detach() - images).flatten(1).norm(dim=1)
        return torch.where(system.predict(adversarial.detach()) != labels, away, torch.inf)

    for rate in (0.01, CW.rate):
        model = foolbox.PyTorchModel(system.as_logits(), bounds=(0, 1), device="cpu")
        theirs = foolbox.attacks.L2CarliniWagnerAttack(binary_search_steps=searches, steps=steps, stepsize=rate)
        peers = [distance(theirs(model, images, labels, epsilons=None)[1]),
                 distance(torchattacks.CW(system.as_logits(), c=1, steps=searches * steps, lr=rate)(images, labels))]
        for peer in peers:
            assert float(ours.median()) <= 1.05 * float(peer.median())


@pytest.mark.parametrize("name", NAMES)
def test_within_the_usual_length_carlini_wagner_breaks_most_of_what_pgd_breaks_in_a_page_s_steps(name: str) -> None:
    system, images, labels = subject(name)
    eps = radii_of("digits", "l2").usual
    assert bool(attack(system, images, labels, PGD(eps=eps, steps=40, norm="l2", objective="bits")).fooled.all())
    carlini_wagner = attack(system, images, labels, CW(eps=eps, steps=CW.quick_steps))
    assert float(carlini_wagner.fooled.float().mean()) >= 0.8, "which is aimed at the margin, not at each of its terms"


def test_none_is_the_class_beyond_the_last() -> None:
    """What other libraries call class 10 is None here, for the tasks that have it."""
    for name in ("digits-int", "digits-rbc"):
        system, images = zoo.load(name), data.load("digits", "test").subset(60).x()
        between = torch.cat([images.lerp(images.roll(k, dims=0), 0.5) for k in range(1, 6)])
        by_scores, decoded = system.as_logits()(between).argmax(dim=1), system.predict(between)
        assert bool((decoded == ABNORMAL).any())
        assert torch.equal(by_scores == 10, decoded == ABNORMAL)
