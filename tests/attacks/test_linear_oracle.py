"""Attacks on linear systems, where the optimum in the ball is known in closed form."""

from __future__ import annotations

import pytest
import torch
from attack_systems import TASKS, linear, lowest_terms, planes, sample, terms

from tasklab.attacks import FGSM, OBJECTIVES, PGD, attack
from tasklab.models.fast import PLAIN
from tasklab.system import System
from tasklab.tasks import INT, RBC, TRA, DeepBE, Task

TOLERANCE = 2e-5
"""float32 keeps a pixel to 6e-8; sixteen of them, times weights of up to 15."""

EPS = {"tra": 0.04, "rbc": 0.04, "deepbe": 0.04, "int": 0.015, "int-floor": 0.015}
"""Where about half of the images can be fooled."""

ONE_TERM: dict[str, Task] = {
    "tra": TRA(num_classes=2),
    "rbc": RBC(num_classes=2, S=100),
    "deepbe": DeepBE(num_classes=2, loss_form="bce"),
}
EVERY_TASK = ("train", "margin", "bits", "soft_margin", "sum_bits", "towards_code")


def applicable(task: Task) -> list[str]:
    extra = {INT: ["up", "down"], RBC: ["unclipped"]}.get(type(task), [])
    return [*EVERY_TASK, *extra, *(["dlr"] if task.num_classes > 2 else [])]


def test_every_objective_is_tested() -> None:
    assert {name for task in TASKS.values() for name in applicable(task)} == set(OBJECTIVES)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(
    ("name", "objective"), [(name, objective) for name, task in ONE_TERM.items() for objective in applicable(task)]
)
def test_fgsm_reaches_the_optimum_of_a_single_term(name: str, objective: str, norm: str) -> None:
    system = linear(ONE_TERM[name])
    images, labels = sample(system, 12)
    eps = 0.1 if norm == "linf" else 0.25
    result = attack(system, images, labels, FGSM(eps=eps, norm=norm, objective=objective))
    a, _ = planes(system, labels)
    length = a.abs().sum(dim=2) if norm == "linf" else a.norm(dim=2)
    reached = terms(system, result.images, labels)
    assert reached.shape[1] == 1
    assert torch.allclose(reached, terms(system, images, labels) - eps * length, atol=1e-5, rtol=0)
    assert torch.equal(result.fooled, (reached <= 0).squeeze(1))


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(("objective", "sign"), [("up", 1.0), ("down", -1.0)])
def test_up_and_down_move_an_interval_s_output_as_far_as_it_goes(objective: str, sign: float, norm: str) -> None:
    system = linear(TASKS["int"])
    images, labels = sample(system, 12)
    eps = 0.1
    result = attack(system, images, labels, FGSM(eps=eps, norm=norm, objective=objective))
    weight = system.network[1].weight[0].detach().double()
    reach = eps * float(weight.abs().sum() if norm == "linf" else weight.norm())
    moved = (result.images.double() - images.double()).flatten(1) @ weight
    assert torch.allclose(moved, torch.full_like(moved, sign * reach), atol=1e-5, rtol=0)


@pytest.mark.parametrize("random_start", [False, True])
@pytest.mark.parametrize("box", ["inactive", "active"])
@pytest.mark.parametrize("name", TASKS)
def test_bits_finds_the_exact_worst_case_under_linf(name: str, box: str, random_start: bool) -> None:
    system = linear(TASKS[name])
    inside = (0.3, 0.7) if box == "inactive" else (0.0, 1.0)
    images, labels = sample(system, 24, low=inside[0], high=inside[1])
    eps = EPS[name] * (1 if box == "inactive" else 4)
    settings = PGD(eps=eps, steps=10, objective="bits", keep="best", random_start=random_start)
    result = attack(system, images, labels, settings)
    worst = lowest_terms(system, images, labels, eps, "linf").amin(dim=1)
    if box == "active":
        a, _ = planes(system, labels)
        unbounded = (terms(system, images, labels) - eps * a.abs().sum(dim=2)).amin(dim=1)
        assert float((worst > unbounded + 1e-3).double().mean()) > 0.5, "a control: here the box matters"
    assert torch.allclose(terms(system, result.images, labels).amin(dim=1), worst, atol=TOLERANCE, rtol=0)
    assert torch.equal(result.fooled, worst < 0)
    assert int(result.fooled.sum()) > 0


@pytest.mark.parametrize("name", TASKS)
def test_bits_finds_the_exact_worst_case_under_l2(name: str) -> None:
    system = linear(TASKS[name])
    images, labels = sample(system, 24)
    eps = (4 if name == "tra" else 2) * EPS[name]
    result = attack(
        system, images, labels, PGD(eps=eps, steps=10, norm="l2", objective="bits", keep="best", random_start=False)
    )
    worst = lowest_terms(system, images, labels, eps, "l2").amin(dim=1)
    assert torch.allclose(terms(system, result.images, labels).amin(dim=1), worst, atol=TOLERANCE, rtol=0)
    assert torch.equal(result.fooled, worst < 0)
    assert 0 < int(result.fooled.sum()) < 24


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(
    ("name", "objective"), [(name, objective) for name, task in TASKS.items() for objective in applicable(task)]
)
def test_no_objective_beats_the_worst_case_nor_loses_what_it_had(name: str, objective: str, norm: str) -> None:
    system = linear(TASKS[name])
    images, labels = sample(system, 16)
    eps = EPS[name] * (1 if norm == "linf" else 4)
    result = attack(system, images, labels, PGD(eps=eps, steps=8, norm=norm, objective=objective, keep="best"))
    reached = terms(system, result.images, labels).amin(dim=1)
    assert bool((reached >= lowest_terms(system, images, labels, eps, norm).amin(dim=1) - TOLERANCE).all())
    assert bool((reached <= terms(system, images, labels).amin(dim=1) + TOLERANCE).all())


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("name", TASKS)
def test_fooled_from_the_known_smallest_epsilon_on(name: str, norm: str) -> None:
    system = linear(TASKS[name])
    images, labels = sample(system, 30)
    a, _ = planes(system, labels)
    length = a.abs().sum(dim=2) if norm == "linf" else a.norm(dim=2)
    smallest = (terms(system, images, labels) / length).amin(dim=1)  # ε at which the first term falls
    eps = float(smallest.median()) * 1.0001

    def fooled(eps: float, n: slice) -> torch.Tensor:
        settings = PGD(eps=eps, steps=6, norm=norm, objective="bits", random_start=False, plan=PLAIN)
        return attack(system, images[n], labels[n], settings).fooled

    clear = (smallest - eps).abs() > 1e-5 * eps
    assert torch.equal(fooled(eps, slice(None))[clear], (smallest < eps)[clear])
    for n in range(4):
        assert not bool(fooled(float(smallest[n]) * 0.999, slice(n, n + 1)))
        assert bool(fooled(float(smallest[n]) * 1.001, slice(n, n + 1)))


def reachable(system: System, images: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    weight, bias = (p.detach().double() for p in system.network[1].parameters())
    z = images.double().flatten(1) @ weight[0] + bias[0]
    reach = eps * float(weight.abs().sum())
    return z - reach, z + reach


def test_another_interval_is_reached_exactly_where_it_can_be() -> None:
    system = linear(TASKS["int"])
    images, labels = sample(system, 40)
    low, high = reachable(system, images, eps := 0.02)
    codec = system.task.codec
    meets = (low[:, None] < codec.upper) & (high[:, None] > codec.lower)  # (N, classes)
    expected = meets.scatter(1, labels[:, None], False).any(dim=1)
    result = attack(
        system, images, labels, PGD(eps=eps, steps=60, objective="towards_code", criterion="evaded", keep="first")
    )
    assert torch.equal(result.fooled, expected)
    assert 0 < int(expected.sum()) < 40
    targets = (labels + 1) % 4
    aimed = attack(system, images, labels, PGD(eps=eps, steps=60, targeted=True), targets=targets)
    assert torch.equal(aimed.fooled, meets[torch.arange(40), targets])
    assert torch.equal(aimed.decoded == targets, aimed.fooled)
    assert 0 < int(aimed.fooled.sum()) < 40


def test_targeted_attacks_reach_every_class_of_a_linear_system() -> None:
    for name in ("tra", "rbc", "deepbe"):
        system = linear(TASKS[name])
        images, labels = sample(system, 12)
        targets = (labels + 1) % system.task.num_classes
        close = attack(system, images, labels, PGD(eps=0.001, steps=10, targeted=True), targets=targets)
        assert not bool(close.fooled.any()), "a control: it takes an attack"
        for objective in ("margin", "train", "soft_margin"):
            if name == "tra" and objective == "soft_margin":
                continue
            settings = PGD(eps=0.45, steps=60, targeted=True, objective=objective, restarts=2)
            result = attack(system, images, labels, settings, targets=targets)
            assert bool(result.fooled.all()), (name, objective)
            assert torch.equal(result.decoded, targets)
