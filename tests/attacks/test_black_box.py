"""Square and noise: what they reach without a gradient, and what they cannot."""

from __future__ import annotations

import pytest
import torch
import torchattacks
from attack_systems import TASKS, centred, linear, lowest_terms, sample, terms
from torch import Tensor, nn

from tasklab.attacks import PGD, Noise, Square, attack, stream
from tasklab.attacks.square import side
from tasklab.system import System
from tasklab.tasks import RBC, TRA, Task


def rounded(system: System) -> System:
    """The same answers in steps of a quarter: no gradient anywhere."""

    class Rounded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = system.network

        def forward(self, x: Tensor) -> Tensor:
            return torch.round(4 * self.inner(x)) / 4

    return System(Rounded(), system.task)


@pytest.mark.parametrize("name", ["tra", "rbc", "int"])
def test_square_comes_near_the_exact_worst_case(name: str) -> None:
    system = linear(TASKS[name])
    images, labels = sample(system, 24)
    eps = {"tra": 0.04, "rbc": 0.015, "int": 0.015}[name]
    result = attack(system, images, labels, Square(eps=eps, steps=400, objective="bits"))
    worst = lowest_terms(system, images, labels, eps, "linf").amin(dim=1)
    before = terms(system, images, labels).amin(dim=1)
    safe = worst > 0
    assert 3 < int(safe.sum()) < 21
    assert not bool(result.fooled[safe].any())
    assert int(result.fooled.sum()) >= 0.8 * int((~safe).sum())
    reached = terms(system, result.images, labels).amin(dim=1)
    share = (before - reached)[safe] / (before - worst)[safe]
    assert float(share.mean()) > 0.9, "of the way, where it had to go all the way"
    assert result.backwards == 0


def test_square_does_not_need_a_gradient_where_pgd_has_none() -> None:
    for name in ("tra", "rbc"):
        system = rounded(linear(TASKS[name]))
        images, labels = sample(system, 20)
        climbed = attack(system, images, labels, PGD(eps=0.1, random_start=False))
        searched = attack(system, images, labels, Square(eps=0.1, steps=300))
        assert bool(climbed.zero_gradient.all())
        assert int(climbed.fooled.sum()) == 0
        assert int(searched.fooled.sum()) > 15, name
        assert not bool(searched.zero_gradient.any()), "it asked for none"


def test_a_plateau_of_the_training_loss_stops_square_as_well() -> None:
    system = linear(RBC(num_classes=6, S=0.0))
    images, labels = sample(system, 30)
    assert not bool(system.task.loss(system.outputs(images), labels).any()), "every image is fitted: loss 0"
    own = attack(system, images, labels, Square(eps=0.03, steps=200, objective="train"))
    margin = attack(system, images, labels, Square(eps=0.03, steps=200, objective="margin"))
    assert int(margin.fooled.sum()) > int(own.fooled.sum()), "a score on a plateau is no score"


def test_every_square_is_one() -> None:
    system = System(nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 4)), TASKS["tra"])
    images = torch.full((5, 3, 8, 8), 0.5)
    labels = system.predict(images)
    events = list(stream(system, images, labels, Square(eps=1e-4, steps=40)))
    stripes = (events[0].images - 0.5).sign()
    assert torch.equal(stripes, stripes[:, :, :1].expand_as(stripes)), "the start is vertical stripes"
    assert not torch.equal(stripes[0], stripes[1])
    kept, best = events[0].images, events[0].value
    for event in events[1:]:
        changed = (event.images != kept).any(dim=1)  # (rows, H, W)
        size = side(event.index, Square(eps=1e-4, steps=40), 8, 8)
        for row in changed:
            high, wide = row.any(dim=1).sum(), row.any(dim=0).sum()
            assert int(high) <= size
            assert int(wide) <= size
        assert torch.allclose((event.images - 0.5).abs(), torch.tensor(1e-4), atol=1e-7)
        better = event.value > best
        kept = torch.where(better.view(-1, 1, 1, 1), event.images, kept)
        best = torch.maximum(best, event.value)


def test_squares_tried_at_once_are_the_same_search_in_fewer_steps() -> None:
    system = System(nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 4)), TASKS["tra"])
    images = torch.full((5, 3, 8, 8), 0.5)
    labels = system.predict(images)
    events = list(stream(system, images, labels, Square(eps=1e-4, steps=10, tries=4)))
    for event in events:
        assert event.example.tolist() == [image for image in range(5) for _ in range(4)]
        tried = event.images.view(5, 4, 3, 8, 8)
        assert all(len(rows.unique(dim=0)) > 1 for rows in tried), "different squares"
    system = linear(TASKS["rbc"])
    images, labels = sample(system, 24)
    alone = attack(system, images, labels, Square(eps=0.015, steps=400))
    at_once = attack(system, images, labels, Square(eps=0.015, steps=100, tries=4))
    again = attack(system, images, labels, Square(eps=0.015, steps=100, tries=4), batch_size=7)
    assert 3 < int(alone.fooled.sum()) < 21
    assert abs(int(at_once.fooled.sum()) - int(alone.fooled.sum())) <= 2
    assert torch.equal(again.fooled, at_once.fooled)


def test_square_is_as_strong_as_torchattacks() -> None:
    images = torch.rand(60, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    system = centred(TRA(num_classes=5), images)
    labels = system.predict(images)
    theirs = torchattacks.Square(system.network, norm="Linf", eps=0.02, n_queries=200, loss="margin")
    expected = int((system.predict(theirs(images, labels)) != labels).sum())
    result = int(attack(system, images, labels, Square(eps=0.02, steps=200)).fooled.sum())
    assert 10 < expected < 50, "a control: neither all nor nothing"
    assert abs(result - expected) <= 4


def test_points_and_other_shapes_can_be_searched() -> None:
    torch.manual_seed(0)
    for shape in ((2,), (5,), (8, 8), (3, 6, 4)):
        system = System(nn.Sequential(nn.Flatten(), nn.Linear(torch.Size(shape).numel(), 4)), TASKS["tra"])
        images = torch.rand(6, *shape)
        result = attack(system, images, system.predict(images), Square(eps=0.2, steps=20))
        assert result.images.shape == images.shape
        assert float((result.images - images).abs().max()) <= 0.2 + 1e-6


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_noise_fills_the_ball_and_corners_its_skin(norm: str) -> None:
    system = linear(TRA(num_classes=4), scale=1e-6)
    with torch.no_grad():
        system.network[1].bias += torch.tensor([1.0, 0.0, 0.0, 0.0])  # always class 0
    images, labels = torch.full((200, 1, 4, 4), 0.5), torch.zeros(200, dtype=torch.int64)
    draws = {}
    for kind in ("uniform", "corner"):
        settings = Noise(eps=1e-3, steps=3, norm=norm, kind=kind)  # type: ignore[arg-type]
        events = list(stream(system, images, labels, settings))
        assert [event.index for event in events] == [0, 1, 2]
        draws[kind] = torch.cat([event.images - 0.5 for event in events]).flatten(1) / 1e-3
        assert len(torch.unique(draws[kind], dim=0)) == 600 or norm == "linf"
    if norm == "linf":
        assert torch.allclose(draws["corner"].abs(), torch.tensor(1.0), atol=1e-3)
        assert float((draws["uniform"].abs() < 0.5).float().mean()) == pytest.approx(0.5, abs=0.03)
    else:
        assert torch.allclose(draws["corner"].norm(dim=1), torch.tensor(1.0), atol=1e-3)
        half = draws["uniform"].norm(dim=1) < 0.5 ** (1 / 16)  # half of the volume
        assert float(half.float().mean()) == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("name", ["tra", "rbc", "int"])
def test_noise_is_weaker_than_any_attack_and_corners_are_the_stronger_noise(name: str) -> None:
    system = linear(TASKS[name])
    images, labels = sample(system, 60)
    eps = 0.015 if name == "int" else 0.04
    uniform, corner = (
        attack(system, images, labels, Noise(eps=eps, steps=20, kind=kind)) for kind in ("uniform", "corner")  # type: ignore[arg-type]
    )
    exact = lowest_terms(system, images, labels, eps, "linf").amin(dim=1) < 0
    assert int(uniform.fooled.sum()) <= int(corner.fooled.sum()) < int(exact.sum())
    assert not bool((corner.fooled & ~exact).any())
    more = attack(system, images, labels, Noise(eps=eps, steps=100, kind="corner"))
    assert bool((more.fooled | ~corner.fooled).all()), "the first twenty draws are the same"


def test_more_is_refused() -> None:
    with pytest.raises(ValueError, match="expected norm 'linf' for Square, got 'l2'"):
        Square(eps=0.1, norm="l2")
    for p in (0.0, 1.5, -1.0):
        with pytest.raises(ValueError, match="expected p"):
            Square(eps=0.1, p=p)
    with pytest.raises(ValueError, match="expected kind among uniform, corner, got 'gaussian'"):
        Noise(eps=0.1, kind="gaussian")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Noise(eps=0.1, objective="train")  # type: ignore[call-arg]


def test_any_callable_is_a_score() -> None:
    def brightness(task: Task, z: Tensor, y: Tensor) -> Tensor:
        return z[:, 0]

    system = linear(TASKS["tra"])
    images, labels = sample(system, 5)
    events = list(stream(system, images, labels, Square(eps=0.01, steps=30, objective=brightness)))
    for event in events:
        assert torch.equal(event.value, event.outputs[:, 0])
