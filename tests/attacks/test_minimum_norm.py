"""Attacks that look for the smallest perturbation: closed forms on linear systems, peers, and what ε means to them."""

from __future__ import annotations

import json
import math

import foolbox
import pytest
import torch
import torchattacks
from attack_systems import SHAPE, TASKS, centred, linear, lowest_terms, planes, sample, terms
from torch import Tensor, nn

from tasklab.attacks import CW, FAB, PGD, HopSkipJump, attack, stream
from tasklab.attacks.fab import to_plane
from tasklab.evaluation import evaluate
from tasklab.system import System
from tasklab.tasks import RBC, TRA


def exact_distance(system: System, images: Tensor, labels: Tensor, norm: str) -> Tensor:
    """``min_i t_i / ‖a_i‖_dual``, float64 ``(N,)``."""
    a, _ = planes(system, labels)
    dual = a.abs().sum(dim=2) if norm == "linf" else a.norm(dim=2)
    return (terms(system, images, labels) / dual).amin(dim=1)


def near_boundary(name: str, norm: str, n: int = 20) -> tuple[System, Tensor, Tensor, Tensor]:
    """Images whose exact smallest perturbation stays inside the box."""
    system = linear(TASKS[name])
    images, labels = sample(system, 60, low=0.4, high=0.6)
    exact = exact_distance(system, images, labels, norm)
    kept = (exact < 0.35).nonzero().squeeze(1)[:n]
    assert len(kept) == n
    return system, images[kept], labels[kept], exact[kept]


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("name", TASKS)
def test_fab_finds_the_exact_distance_of_a_linear_system(name: str, norm: str) -> None:
    system, images, labels, exact = near_boundary(name, norm)
    result = attack(system, images, labels, FAB(norm=norm))  # type: ignore[arg-type]
    assert bool(result.fooled.all())
    assert torch.allclose(result.distance.double(), exact, atol=1e-4, rtol=0)
    assert bool((result.distance.double() >= exact - 1e-6).all()), "never nearer than the boundary"
    assert result.settings.to_dict()["eps"] is None
    json.dumps(result.summary(), allow_nan=False)


@pytest.mark.parametrize("name", TASKS)
def test_fab_finds_the_exact_distance_where_the_box_is_in_the_way(name: str) -> None:
    system = linear(TASKS[name])
    images = torch.rand(200, *SHAPE, generator=torch.Generator().manual_seed(1)).mul(1.6).sub(0.3).clamp(0, 1)
    kept = (system.predict(images) >= 0).nonzero().squeeze(1)[:24]
    images, labels = images[kept], system.predict(images[kept])
    low, high = torch.zeros(24, dtype=torch.float64), torch.ones(24, dtype=torch.float64)
    for _ in range(40):  # bisection on ε, with the exact worst case in the ball and the box
        middle = (low + high) / 2
        worst = torch.stack([
            lowest_terms(system, images[i : i + 1], labels[i : i + 1], float(eps), "linf").amin()
            for i, eps in enumerate(middle)
        ])
        low, high = torch.where(worst < 0, low, middle), torch.where(worst < 0, middle, high)
    assert float((high > exact_distance(system, images, labels, "linf") + 5e-4).double().mean()) > 0.3, "a control"
    result = attack(system, images, labels, FAB())
    assert torch.allclose(result.distance.double(), high, atol=1e-4, rtol=0)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_nearest_point_of_a_plane_in_the_box(norm: str) -> None:
    generator = torch.Generator().manual_seed(0)
    x, slope = torch.rand(200, 6, generator=generator), torch.randn(200, 6, generator=generator)
    slope[:, 0] = 0
    rise = torch.randn(200, generator=generator) * 0.7
    delta = to_plane(x, slope, rise, norm)
    assert float((x + delta).min()) >= -1e-6
    assert float((x + delta).max()) <= 1 + 1e-6
    most = torch.where((slope * rise[:, None]) > 0, slope * (1 - x), -slope * x).sum(dim=1) * rise.sign()
    room = torch.where(slope * rise.sign()[:, None] > 0, 1 - x, x)
    most = (slope.abs() * room).sum(dim=1)
    can = most > rise.abs() + 1e-4
    reached = (slope * delta).sum(dim=1)
    assert torch.allclose(reached[can], rise[can], atol=1e-5)
    assert 100 < int(can.sum()) < 200, "a control: some planes miss the box"
    assert torch.allclose((slope * delta).sum(dim=1).abs()[~can], most[~can], atol=1e-3), "then as far as it goes"
    size = delta.abs().amax(dim=1) if norm == "linf" else delta.norm(dim=1)
    for _ in range(200):  # no other point of the plane and the box is nearer
        other = (x + delta + 0.1 * torch.randn(x.shape, generator=generator)).clamp(0, 1) - x
        other = other + to_plane(x + other, slope, rise - (slope * other).sum(dim=1), norm)
        on = can & ((slope * other).sum(dim=1) - rise).abs().lt(1e-5)
        length = other.abs().amax(dim=1) if norm == "linf" else other.norm(dim=1)
        assert bool((length >= size - 1e-4)[on].all())
    assert not bool(to_plane(x, torch.zeros_like(slope), rise, norm).any()), "no plane, no move"


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_fab_s_distances_are_as_short_as_its_peers(norm: str) -> None:
    images = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    system = centred(TRA(num_classes=5), images)
    labels = system.predict(images)
    ours = attack(system, images, labels, FAB(norm=norm)).distance  # type: ignore[arg-type]

    def distance(adversarial: Tensor) -> Tensor:
        away = (adversarial - images).flatten(1)
        return away.abs().amax(dim=1) if norm == "linf" else away.norm(dim=1)

    model = foolbox.PyTorchModel(system.network.eval(), bounds=(0, 1), device="cpu")
    kind = foolbox.attacks.LinfDeepFoolAttack if norm == "linf" else foolbox.attacks.L2DeepFoolAttack
    fool, _, done = kind(steps=50, candidates=5, overshoot=0.02)(model, images, labels, epsilons=None)
    fab = torchattacks.FAB(system.network, norm="Linf" if norm == "linf" else "L2", eps=1e3, steps=20, n_classes=5)
    for name, theirs in (("DeepFool", distance(fool)[done]), ("FAB", distance(fab(images, labels)))):
        mine = ours[done] if name == "DeepFool" else ours
        assert float(mine.mean()) <= 1.02 * float(theirs[theirs > 0].mean()), name
    assert bool(ours.isfinite().all())


def test_distances_agree_with_pgd_on_either_side() -> None:
    images = torch.rand(30, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for task in (TRA(num_classes=5), RBC(num_classes=6, S=1)):
        system = centred(task, images)
        x = images[system.predict(images) >= 0]
        labels = system.predict(x)
        distance = attack(system, x, labels, FAB()).distance
        for eps in (0.005, 0.02):
            fooled = attack(system, x, labels, PGD(eps=eps, steps=50, objective="bits")).fooled
            surely = distance <= eps
            assert int((surely & ~fooled).sum()) <= 1, "what lies within ε, PGD finds"
            assert int((fooled & (distance > 1.1 * eps)).sum()) <= 1, "what PGD finds lies within about ε"


@pytest.mark.parametrize("name", ["tra", "rbc", "int"])
def test_beyond_eps_nothing_counts(name: str) -> None:
    system, images, labels, exact = near_boundary(name, "linf")
    eps = float(exact.median())
    result = attack(system, images, labels, FAB(eps=eps))
    clear = (exact - eps).abs() > 1e-4
    assert torch.equal(result.fooled[clear], (exact < eps)[clear])
    assert float((result.images - images).abs().max()) <= eps + 1e-6
    assert bool((result.distance[~result.fooled] == math.inf).all())
    assert not bool(result.unmoved.any())
    last = list(stream(system, images, labels, FAB(eps=eps)))[-1]
    assert torch.equal(last.fooled[clear], result.fooled[clear]), "and the stream says so"
    _, row = evaluate(system, (images, labels), [FAB(eps=eps)])
    assert row.outcomes.correct == int((~result.fooled).sum())


def test_evaded_wants_a_class_and_finds_it_farther_away() -> None:
    system, images, labels, _ = near_boundary("rbc", "linf")
    any_way = attack(system, images, labels, FAB())
    evaded = attack(system, images, labels, FAB(criterion="evaded", objective="towards_code"))
    assert bool(evaded.fooled.all())
    assert bool((evaded.decoded >= 0).all())
    assert bool((evaded.distance >= any_way.distance - 1e-5).all())
    assert bool((any_way.decoded < 0).any()), "a control: the shortest way may lead to None"
    targets = (labels + 1) % 6
    aimed = attack(system, images, labels, FAB(targeted=True, objective="margin"), targets=targets)
    assert torch.equal(aimed.decoded[aimed.fooled], targets[aimed.fooled])
    assert int(aimed.fooled.sum()) >= 10
    with pytest.raises(ValueError, match=r"expected an objective that leads to a class .* try objective=.towards_code"):
        FAB(criterion="evaded")


def test_without_a_gradient_it_says_so() -> None:
    class Rounded(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.round(4 * x.flatten(1)[:, :4])

    system = System(Rounded(), TRA(num_classes=4))
    images = torch.rand(10, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    result = attack(system, images, system.predict(images), FAB(steps=4))
    assert bool(result.zero_gradient.all())
    assert not bool(result.fooled.any())
    assert bool((result.distance == math.inf).all())


def test_settings() -> None:
    with pytest.raises(ValueError, match="expected eps"):
        FAB(eps=-1.0)
    with pytest.raises(ValueError, match="expected eps"):
        FAB(eps=math.nan)
    with pytest.raises(ValueError, match="expected eps as a finite number"):
        PGD(eps=math.inf)
    with pytest.raises(ValueError, match="expected steps"):
        FAB(steps=0)
    with pytest.raises(ValueError, match="expected halvings"):
        FAB(halvings=-1)


@pytest.mark.parametrize("name", TASKS)
def test_cw_comes_near_the_exact_distance_of_a_linear_system(name: str) -> None:
    system, images, labels, exact = near_boundary(name, "l2", 12)
    result = attack(system, images, labels, CW(steps=500, searches=5, rate=0.02))
    assert bool(result.fooled.all())
    assert bool((result.distance.double() >= exact - 1e-6).all())
    assert float((result.distance.double() - exact).max()) < 0.03
    assert float((result.distance.double() / exact).median()) < 1.1
    assert result.settings.norm == "l2"


def test_cw_is_as_short_as_its_peer() -> None:
    images = torch.rand(16, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    system = centred(TRA(num_classes=5), images)
    labels = system.predict(images)
    ours = attack(system, images, labels, CW(steps=300, searches=5, c=1.0))
    theirs = torchattacks.CW(system.network, c=1, kappa=0, steps=100, lr=0.01)(images, labels)
    won = system.predict(theirs) != labels
    assert int(won.sum()) > 8
    expected = (theirs - images).flatten(1).norm(dim=1)[won]
    assert float(ours.distance[won].mean()) <= 1.02 * float(expected.mean())


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("name", ["tra", "rbc", "int"])
def test_hopskipjump_finds_a_near_boundary_from_labels_alone(name: str, norm: str) -> None:
    system, images, labels, exact = near_boundary(name, norm, 8)
    result = attack(system, images, labels, HopSkipJump(norm=norm, steps=10))  # type: ignore[arg-type]
    assert result.backwards == 0
    assert not bool(result.zero_gradient.any())
    assert bool(result.fooled.all())
    assert bool((result.distance.double() >= exact - 1e-6).all())
    assert float((result.distance.double() / exact).median()) < (1.3 if norm == "l2" else 1.8)


class Steps(nn.Module):
    """The same answers rounded to a few steps: no gradient, and no slope between two steps."""

    def __init__(self, inner: nn.Module, unit: float) -> None:
        super().__init__()
        self.inner, self.unit = inner, unit

    def forward(self, x: Tensor) -> Tensor:
        return torch.sign(self.inner(x)) * self.unit


def test_hopskipjump_does_not_care_about_plateaus_of_loss_or_output() -> None:
    system, images, labels, exact = near_boundary("rbc", "l2", 8)
    plain = attack(system, images, labels, HopSkipJump(norm="l2", steps=6))
    fitted = System(system.network, RBC(num_classes=6, S=0.0))
    assert not bool(fitted.task.loss(fitted.outputs(images), labels).any()), "every image is fitted: loss 0"
    masked = attack(fitted, images, labels, PGD(eps=0.5, norm="l2", objective="train", random_start=False))
    assert bool(masked.zero_gradient.all())
    assert not bool(masked.fooled.any())
    for other in (fitted, System(Steps(system.network, 4.0), system.task)):
        result = attack(other, images, labels, HopSkipJump(norm="l2", steps=6))
        assert torch.allclose(result.distance, plain.distance, rtol=0.02), "labels differ within rounding alone"
        assert bool(result.fooled.all())
    assert float((plain.distance.double() / exact).median()) < 1.6
    flat = attack(System(Steps(system.network, 4.0), system.task), images, labels, FAB(norm="l2"))
    assert not bool(flat.fooled.any()), "a control: gradients find nothing there"


def test_hopskipjump_without_a_start_gives_the_image_back() -> None:
    system = linear(TRA(num_classes=4), scale=1e-6)
    with torch.no_grad():
        system.network[1].bias += torch.tensor([1.0, 0.0, 0.0, 0.0])
    images = torch.rand(3, *SHAPE)
    result = attack(system, images, torch.zeros(3, dtype=torch.int64), HopSkipJump(steps=2, tries=4))
    assert bool(result.unmoved.all())
    assert not bool(result.fooled.any())


def test_hopskipjump_on_a_network_that_is_not_linear() -> None:
    images = torch.rand(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    system = centred(TRA(num_classes=5), images)
    labels = system.predict(images)
    short = attack(system, images, labels, HopSkipJump(norm="l2", steps=2))
    longer = attack(system, images, labels, HopSkipJump(norm="l2", steps=12))
    assert bool(longer.fooled.all())
    assert float(longer.distance.mean()) < float(short.distance.mean())
    best = attack(system, images, labels, FAB(norm="l2")).distance
    assert float(longer.distance.mean()) < 3 * float(best.mean())
    alarm = attack(system, images, labels, HopSkipJump(norm="l2", steps=2, criterion="evaded"))
    assert bool((alarm.decoded[alarm.fooled] >= 0).all())


def test_label_attacks_have_no_targets_and_no_objective() -> None:
    for more in ({"targeted": True}, {"objective": "margin"}):
        with pytest.raises(TypeError):
            HopSkipJump(**more)
    with pytest.raises(ValueError, match="expected samples"):
        HopSkipJump(samples=0)
    with pytest.raises(TypeError):
        CW(norm="linf")  # type: ignore[call-arg]
    with pytest.raises(ValueError, match=r"expected searches as an integer in 1\.\.10, got 11"):
        CW(steps=10, searches=11)
    with pytest.raises(ValueError, match="expected rate"):
        CW(rate=-1.0)
