"""Objectives as formulas: what each is worth, how they bound each other, and their gradients where others vanish."""

from __future__ import annotations

import math

import pytest
import torch
from attack_systems import TASKS, linear, sample
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tasklab.attacks import FGSM, OBJECTIVES, PGD, attack, success_margin
from tasklab.attacks.objectives import Objective, as_objective
from tasklab.system import System
from tasklab.tasks import INT, RBC, TRA, DeepBE, Task

WIDER = [*TASKS.values(), TRA(), RBC(), RBC(code="gray"), DeepBE(), INT(), DeepBE(loss_form="mse"), RBC(S=0)]


def outputs(task: Task, seed: int, n: int = 20) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    scale = task.unit if isinstance(task, INT) else max(task.unit, 1.0)
    z = task.centre + scale * torch.randn(n, task.width, generator=generator)
    return z, torch.randint(0, task.num_classes, (n,), generator=generator)


def swept(name: str, task: Task, z: Tensor, y: Tensor) -> Tensor:
    """The objective's value for each part, ``(N, parts)``."""
    objective = OBJECTIVES[name]
    return torch.stack([objective(task, z, y, torch.full_like(y, p)) for p in range(objective.parts(task))], dim=1)


@settings(max_examples=60)
@given(st.sampled_from(WIDER), st.integers(0, 10_000))
def test_values_bound_each_other(task: Task, seed: int) -> None:
    z, y = outputs(task, seed)
    margin = swept("margin", task, z, y).squeeze(1)
    assert torch.equal(margin, -task.codec.margins(z).gather(1, y[:, None]).squeeze(1))
    assert torch.equal(margin > 0, task.codec.decode(z) != y)
    assert torch.equal(swept("train", task, z, y).squeeze(1), task.loss(z, y))

    bits = swept("bits", task, z, y)  # (N, terms)
    assert torch.allclose(bits.amax(dim=1), margin, rtol=1e-5, atol=1e-5)
    tau = bits.abs().median(dim=1).values
    soft = swept("soft_margin", task, z, y).squeeze(1)
    room = 1e-4 * (1 + margin.abs())
    assert bool((soft >= margin - room).all())
    assert bool((soft <= margin + tau * math.log(bits.shape[1]) + room).all())
    assert torch.allclose(swept("sum_bits", task, z, y).squeeze(1), bits.sum(dim=1), rtol=1e-4, atol=1e-3)
    assert bool((bits.sum(dim=1) <= bits.shape[1] * margin + room * bits.shape[1]).all())

    towards = swept("towards_code", task, z, y)
    assert towards.shape[1] == task.num_classes - 1
    assert torch.equal(towards.amax(dim=1), success_margin("evaded", task.codec.margins(z), y))
    decoded = task.codec.decode(z)
    assert torch.equal(towards.amax(dim=1) > 0, (decoded != y) & (decoded >= 0))


def test_unclipped_is_the_rbc_loss_with_ten_times_the_margin() -> None:
    for s in (1.0, 350.0):
        task = RBC(S=s)
        z, y = outputs(task, 3)
        assert torch.equal(swept("unclipped", task, z, y).squeeze(1), RBC(S=10 * s).loss(z, y))


def test_up_and_down_are_the_output_itself() -> None:
    z, y = outputs(INT(), 3)
    assert torch.equal(swept("up", INT(), z, y), z)
    assert torch.equal(swept("down", INT(), z, y), -z)


def test_a_target_turns_the_sign() -> None:
    task = RBC()
    z, y = outputs(task, 4)
    part = torch.zeros_like(y)
    for name in ("train", "margin", "soft_margin", "sum_bits"):
        assert torch.equal(OBJECTIVES[name](task, z, y, part, targets=(y + 1) % 10),
                           -OBJECTIVES[name](task, z, (y + 1) % 10, part))


def test_a_callable_is_an_objective() -> None:
    def against_class_zero(task: Task, z: Tensor, y: Tensor) -> Tensor:
        return -task.codec.margins(z)[:, 0]

    system = linear(TASKS["tra"])
    images, labels = sample(system, 10)
    chosen = labels == 0
    climbed = PGD(eps=0.1, steps=5, objective=against_class_zero)
    assert climbed.to_dict()["objective"] == "against_class_zero"
    ours = attack(system, images[chosen], labels[chosen], climbed)
    named = attack(system, images[chosen], labels[chosen], PGD(eps=0.1, steps=5))
    assert torch.equal(ours.images, named.images)
    given_whole = Objective("mine", OBJECTIVES["margin"].value)
    assert as_objective(given_whole) is given_whole


@pytest.mark.parametrize("eps", [0.1, 0.5])
def test_the_margin_keeps_its_gradient_where_cross_entropy_underflows(eps: float) -> None:
    system = linear(TRA(num_classes=4), scale=1e4)
    images, labels = sample(system, 16)
    assert float(system.margins(images).detach().amax(dim=1).min()) > 110
    loss = attack(system, images, labels, PGD(eps=eps, objective="train", random_start=False, keep="best"))
    margin = attack(system, images, labels, PGD(eps=eps, objective="margin", random_start=False, keep="best"))
    assert bool(loss.zero_gradient.all())
    assert bool(loss.unmoved.all())
    assert not bool(margin.zero_gradient.any())
    assert bool(margin.fooled.all())


def test_four_bits_of_350_do_not_overflow() -> None:
    task = RBC(S=350)
    system = linear(task, scale=2000)
    images, labels = sample(system, 8)
    assert float(system.outputs(images).detach().abs().max()) > 1000
    for objective in ("train", "unclipped", "margin", "soft_margin", "sum_bits", "bits", "towards_code"):
        result = attack(system, images.clone(), labels, PGD(eps=0.3, steps=3, objective=objective, keep="best"))
        assert bool(result.images.isfinite().all())
        assert float(result.images.sub(images).abs().max()) <= 0.3 + 1e-6
    z, y = task.codec.signs(torch.arange(10)) * -350, torch.arange(10)
    assert torch.equal(task.loss(z.half(), y), torch.full((10,), 4 * 700.0**2))
    assert torch.equal(task.loss(torch.zeros(10, 4, dtype=torch.float16), y), torch.full((10,), 4 * 350.0**2))


@pytest.mark.parametrize("size", [1e-25, 1e25])
def test_an_l2_step_has_its_length_whatever_the_gradient_s_size(size: float) -> None:
    system = linear(TASKS["tra"])
    images, labels = sample(system, 8)

    def sized(task: Task, z: Tensor, y: Tensor) -> Tensor:
        return size * OBJECTIVES["margin"](task, z, y, y)

    usual = attack(system, images, labels, FGSM(eps=0.3, norm="l2"))
    small = attack(system, images, labels, FGSM(eps=0.3, norm="l2", objective=sized))
    assert torch.allclose(small.images, usual.images, atol=1e-6)
    assert torch.allclose((usual.images - images).flatten(1).norm(dim=1), torch.tensor(0.3), atol=1e-5)


def test_what_is_not_a_number_is_not_climbed() -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            z = x.flatten(1)[:, :4] * 10
            return torch.where(x.flatten(1)[:, 5:6] > 0.5, z, torch.nan)

    system = System(Broken(), TRA(num_classes=4))
    images = torch.full((2, 1, 4, 4), 0.2)
    images[1, 0, 1, 1] = 0.9
    images[:, 0, 0, 2] = 0.6
    labels = torch.tensor([2, 2])
    for keep in ("first", "best", "last"):
        result = attack(system, images, labels, PGD(eps=0.05, steps=3, keep=keep))
        assert result.clean_decoded.tolist() == [-1, 2]
        assert result.fooled.tolist() == [True, False]
        assert bool(result.images.isfinite().all())
        alarm = attack(system, images, labels, PGD(eps=0.05, steps=3, keep=keep, criterion="evaded"))
        assert alarm.fooled.tolist() == [False, False]
