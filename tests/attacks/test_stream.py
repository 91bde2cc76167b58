"""The steps of an attack, one by one."""

from __future__ import annotations

import itertools

import pytest
import torch
from attack_systems import TASKS, conv_system, linear, lowest_terms, sample
from torch import Tensor

from tasklab.attacks import FGSM, PGD, AttackResult, AttackStep, attack, stream
from tasklab.models.fast import PLAIN
from tasklab.system import System
from tasklab.tasks import RBC


def collect(system: System, x: Tensor, y: Tensor, settings: PGD) -> tuple[list[AttackStep], AttackResult]:
    steps, events = stream(system, x, y, settings), []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as stop:
            return events, stop.value


@pytest.fixture
def system() -> System:
    return conv_system(RBC(S=1))


@pytest.fixture
def images() -> Tensor:
    return torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("random_start", [True, False])
def test_each_step_follows_from_the_last_by_the_formula(
    system: System, images: Tensor, norm: str, random_start: bool
) -> None:
    y = torch.arange(6)
    eps, stride = 0.2, 0.15
    settings = PGD(eps=eps, steps=4, step_size=stride, norm=norm, random_start=random_start, keep="last")  # type: ignore[arg-type]
    events, result = collect(system, images, y, settings)
    assert [event.index for event in events] == [0, 1, 2, 3, 4]
    assert [event.gradient is None for event in events] == [False] * 4 + [True]
    assert torch.equal(events[0].images, images) is not random_start
    for event in events:
        assert torch.equal(event.example, y)
        leaf = event.images.clone().requires_grad_()
        z = system.outputs(leaf)
        margin = (system.task.codec.signs(y) * z).amin(dim=1)
        assert torch.allclose(event.outputs, z.detach(), atol=1e-6)
        assert torch.allclose(event.value, -margin.detach(), atol=1e-6)
        if event.gradient is not None:
            (gradient,) = torch.autograd.grad(-margin.sum(), leaf)
            assert torch.allclose(event.gradient, gradient, atol=1e-6)
    for now, then in itertools.pairwise(events):
        assert now.gradient is not None
        if norm == "linf":
            moved = torch.clamp(now.images + stride * now.gradient.sign(), images - eps, images + eps)
        else:
            length = now.gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
            away = now.images + stride * now.gradient / length - images
            moved = images + away * (eps / away.flatten(1).norm(dim=1)).clamp_max(1).view(-1, 1, 1, 1)
        assert torch.allclose(then.images, moved.clamp(0, 1), atol=1e-6)
    assert torch.equal(result.images, events[-1].images)
    assert torch.equal(events[-1].fooled, result.fooled)


def test_forwards_and_backwards_are_counted_exactly(system: System, images: Tensor) -> None:
    y = system.predict(images).clamp_min(0)
    seen: list[int] = []
    handle = system.network.register_forward_hook(lambda module, given, out: seen.append(len(out)))
    for settings, rows in (
        (FGSM(eps=0.1, plan=PLAIN), 6),
        (PGD(eps=0.1, steps=5, keep="last", plan=PLAIN), 6),
        (PGD(eps=0.1, steps=5, restarts=3, keep="best", plan=PLAIN), 18),
        (PGD(eps=0.1, steps=5, objective="bits", keep="best", plan=PLAIN), 24),
    ):
        seen.clear()
        result = attack(system, images, y, settings)
        assert result.backwards == rows * settings.steps
        assert result.forwards == 6 + rows * settings.steps + rows + 6  # before, climbing, the last look, the check
        assert result.forwards == sum(seen)
    handle.remove()


def test_rows_leave_as_they_are_fooled() -> None:
    system = linear(TASKS["rbc"])
    images, labels = sample(system, 20)
    eps, steps = 0.02, 10
    settings = PGD(eps=eps, steps=steps, objective="bits", random_start=False, keep="first")
    events, result = collect(system, images, labels, settings)
    counts = [len(event.example) for event in events]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == 20 * 3
    assert result.backwards == sum(counts[:-1] if events[-1].gradient is None else counts)
    assert result.backwards < 20 * 3 * steps
    before = torch.zeros(20, dtype=torch.bool)
    for event in events:
        assert not bool(before[event.example].any()), "no row of an example that was fooled"
        assert bool((event.fooled | ~before).all()), "once fooled, always fooled"
        before = event.fooled
    assert torch.equal(before, result.fooled)
    assert torch.equal(result.fooled, lowest_terms(system, images, labels, eps, "linf").amin(dim=1) < 0)
    assert 0 < int(result.fooled.sum()) < 20


def test_rows_carry_their_restart_and_part() -> None:
    system = linear(TASKS["rbc"])
    images, labels = sample(system, 4)
    event = next(stream(system, images, labels, PGD(eps=0.01, restarts=2, objective="bits")))
    assert event.example.tolist() == [n for n in range(4) for _ in range(6)]
    assert event.restart.tolist() == [0, 0, 0, 1, 1, 1] * 4
    assert event.part.tolist() == [0, 1, 2] * 8
    starts = event.images.view(4, 2, 3, -1)
    assert torch.equal(starts[:, :, 0], starts[:, :, 2]), "the parts of a restart begin at one point"


def test_stopping_is_to_stop(system: System, images: Tensor) -> None:
    steps = stream(system, images, torch.arange(6), PGD(eps=0.1, keep="last", steps=9))
    assert next(steps).index == 0
    assert next(steps).index == 1
    steps.close()
    with pytest.raises(StopIteration):
        next(steps)


def test_progress_sees_every_step(system: System, images: Tensor) -> None:
    steps: list[int] = []
    settings = PGD(eps=0.1, steps=3, keep="best")
    attack(system, images, torch.arange(6), settings, progress=lambda step: steps.append(step.index))
    assert steps == [0, 1, 2, 3]
