"""An attack changes nothing of its caller's: flags, gradients, statistics, random states, tensors."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tasklab.attacks import FGSM, PGD, attack, stream
from tasklab.models.fast import PLAIN, Plan
from tasklab.system import System
from tasklab.tasks import RBC


def network() -> nn.Module:
    torch.manual_seed(0)
    built = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5),
        nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Dropout(0.5)), nn.Linear(8, 4),
    )
    built.train()
    built(torch.rand(64, 1, 4, 4))  # statistics other than the initial ones
    return built


class World:
    """Everything of a caller's that an attack might touch."""

    def __init__(self, module: nn.Module, *tensors: Tensor) -> None:
        self.module, self.tensors = module, tensors
        self.before = self.look()

    def look(self) -> list[object]:
        state = np.random.get_state()
        return [
            [m.training for m in self.module.modules()],
            [p.requires_grad for p in self.module.parameters()],
            [None if p.grad is None else p.grad.clone() for p in self.module.parameters()],
            {key: value.clone() for key, value in self.module.state_dict().items()},
            [(t.clone(), t.requires_grad, None if t.grad is None else t.grad.clone()) for t in self.tensors],
            torch.get_rng_state(), random.getstate(), state[1].tolist(), state[2],
            torch.is_grad_enabled(), torch.get_num_threads(), len(self.module._forward_hooks),
        ]

    def is_unchanged(self) -> bool:
        return same(self.before, self.look())


def same(a: object, b: object) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return a == b


ATTACKS = [
    FGSM(eps=0.1, objective="train"),
    PGD(eps=0.1, steps=3, restarts=2, plan=PLAIN),
    PGD(eps=0.5, steps=3, norm="l2", objective="bits", keep="best", plan=Plan(fold=True, channels_last=True)),
    PGD(eps=0.1, steps=3, plan=Plan(precision="bfloat16")),
]


@pytest.mark.parametrize("settings", ATTACKS, ids=str)
@pytest.mark.parametrize("mode", ["train", "eval", "mixed"])
def test_nothing_of_the_caller_s_changes(settings: PGD, mode: str) -> None:
    module = network()
    module.train(mode == "train")
    if mode == "mixed":
        module[1].train()
        module[4][3].train()
    module[0].weight.requires_grad_(False)
    module[5].weight.grad = torch.ones_like(module[5].weight)
    images = torch.rand(10, 1, 4, 4, generator=torch.Generator().manual_seed(1)).requires_grad_()
    labels = torch.arange(10)
    world = World(module, images, labels)
    result = attack(System(module, RBC(S=1)), images, labels, settings)
    assert world.is_unchanged()
    assert not result.images.requires_grad
    result.images.zero_()
    assert world.is_unchanged(), "the images found share nothing with those given"


def test_a_control_the_watch_sees_what_it_should() -> None:
    module = network()
    module.train()
    x = torch.rand(8, 1, 4, 4)
    world = World(module, x)
    module(x)
    assert not world.is_unchanged()
    world = World(module, x)
    torch.rand(1)
    assert not world.is_unchanged()
    module.eval()
    assert not world.is_unchanged()


def test_a_network_in_training_mode_is_attacked_in_evaluation_mode() -> None:
    module, images, labels = network(), torch.rand(10, 1, 4, 4), torch.arange(10)
    for settings in ATTACKS:
        module.train()
        one = attack(System(module, RBC(S=1)), images, labels, settings)
        two = attack(System(module, RBC(S=1)), images, labels, settings)
        module.eval()
        other = attack(System(module, RBC(S=1)), images, labels, settings)
        assert torch.equal(one.images, two.images), "no dropout"
        assert torch.equal(one.images, other.images)
        with torch.no_grad():
            assert torch.equal(one.decoded, RBC(S=1).codec.decode(module(one.images)))


def test_an_attack_that_stops_or_fails_gives_all_back() -> None:
    module = network()
    module.train()
    images, labels = torch.rand(10, 1, 4, 4), torch.arange(10)
    world = World(module, images, labels)
    steps = stream(System(module, RBC(S=1)), images, labels, PGD(eps=0.1, keep="best"))
    next(steps)
    assert world.is_unchanged(), "between two steps too"
    next(steps)
    steps.close()
    assert world.is_unchanged()

    def wrong(task: object, z: Tensor, y: Tensor) -> Tensor:
        raise ArithmeticError("not this one")

    with pytest.raises(ArithmeticError):
        attack(System(module, RBC(S=1)), images, labels, PGD(eps=0.1, objective=wrong, keep="best"))
    assert world.is_unchanged()
