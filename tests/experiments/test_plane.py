"""Regions say what the system says, flat is where the gradient is 0, and a trajectory is what the attack did."""

from __future__ import annotations

from functools import lru_cache

import pytest
import torch
from torch import nn

from tasklab import data
from tasklab.attacks import PGD, attack
from tasklab.experiments.plane import Regions, cross_section, places, plane_trajectory, regions
from tasklab.system import System, new_system
from tasklab.tasks import TASKS, Task, make_task
from tasklab.training import Recipe, fit


@lru_cache(maxsize=8)
def trained(name: str, **settings: object) -> System:
    """A small system, trained on four blobs in a fraction of a second."""
    train = data.load("blobs", n=200)
    system = new_system(make_task(name, num_classes=4, **settings), train, arch="mlp", width=16, seed=0)
    for _ in fit(system, train, Recipe(epochs=30, batch_size=50, lr=0.03, weight_decay=0.0)):
        pass
    return system


def linear(task: Task, weight: list[list[float]], bias: list[float]) -> System:
    """Outputs ``weight @ (x, y) + bias``."""
    layer = nn.Linear(2, len(weight))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight))
        layer.bias.copy_(torch.tensor(bias))
    return System(layer, task)


def at(result: Regions, x: float, y: float) -> tuple[int, int]:
    """Row and column of a place."""
    return int(y * result.side), int(x * result.side)


@pytest.mark.parametrize("name", TASKS)
def test_every_cell_holds_what_the_system_reads_there(name: str) -> None:
    system = trained(name)
    result = regions(system, side=23)
    grid = places(23)
    assert torch.equal(result.decoded.flatten(), system.predict(grid))
    margins = system.margins(grid).detach()
    torch.testing.assert_close(result.margin.flatten(), margins.amax(dim=1))
    assert torch.equal(result.none, result.margin <= 0)
    assert result.value.isnan().equal(result.none)
    assert 0 <= result.none_share <= 1


def test_rows_go_up_and_columns_to_the_right() -> None:
    task = make_task("tra", num_classes=4)
    corner = linear(task, [[-1, -1], [1, -1], [-1, 1], [1, 1]], [0.5, 0.0, 0.0, -0.5])  # A, B below; C, D above
    result = regions(corner, side=10)
    assert [int(result.decoded[at(result, x, y)]) for x, y in ((0.2, 0.2), (0.8, 0.2), (0.2, 0.8), (0.8, 0.8))] == [
        0, 1, 2, 3,
    ]


@pytest.mark.parametrize(("gap", "share"), [("abnormal", 0.2), ("floor", 0.0)])
def test_the_gap_between_two_intervals_is_none_and_as_wide_as_it_should_be(gap: str, share: float) -> None:
    task = make_task("int", num_classes=2, alpha=4, beta=8, gap=gap)
    result = regions(linear(task, [[20, 0]], [0.0]), side=100)  # z runs from 0 to 20; the gap is 8 to 12
    assert result.none_share == pytest.approx(share)
    if share:
        columns = result.none.all(dim=0).nonzero().flatten()
        assert columns.tolist() == list(range(40, 60))


def test_the_training_loss_of_intervals_is_flat_wherever_a_class_is_read() -> None:
    assert regions(trained("int"), side=40).flat_share == 1
    assert regions(trained("deepbe"), side=40).flat_share == 1  # its hinge, too
    assert regions(trained("tra"), side=40).flat_share == 0


@pytest.mark.parametrize("S", [4.0, 8.0])
def test_rbc_is_flat_exactly_where_every_bit_has_the_margin_s(S: float) -> None:
    task = make_task("rbc", num_classes=2, S=S)
    result = regions(linear(task, [[20, 0]], [-10.0]), side=100)  # one bit, z from -10 to 10
    z = 20 * places(100)[:, 0].reshape(100, 100) - 10
    assert torch.equal(result.flat, z.abs() >= S)
    assert result.flat_share == pytest.approx(1 - S / 10)


@pytest.mark.parametrize("name", TASKS)
def test_the_margin_is_nowhere_flat(name: str) -> None:
    assert regions(trained(name), side=40, objective="margin").flat_share < 0.02  # but for units that are all off


def test_gradients_point_uphill() -> None:
    system = trained("rbc")
    result = regions(system, side=30)
    slope = result.gradient.reshape(-1, 2)
    there = (slope.norm(dim=1) > 0).nonzero().flatten()
    assert len(there) > 20
    x, y = places(30)[there], result.decoded.flatten()[there]
    step = 1e-4 * nn.functional.normalize(slope[there], dim=1)
    before, after = (system.task.loss(system.outputs(p), y) for p in (x, x + step))
    assert (after >= before).float().mean() > 0.99


@pytest.mark.parametrize("objective", ["bits", "towards_code", "up"])
def test_objectives_of_several_parts_or_of_other_tasks_are_refused(objective: str) -> None:
    with pytest.raises(ValueError, match="margin"):
        regions(trained("rbc"), side=4, objective=objective)


@pytest.mark.parametrize("side", [0, -1, 2.5, True])
def test_sides_are_whole_and_positive(side: object) -> None:
    with pytest.raises(ValueError, match="side"):
        places(side)  # type: ignore[arg-type]


def test_the_callers_system_is_left_as_it_was() -> None:
    system = trained("tra")
    before = {key: value.clone() for key, value in system.network.state_dict().items()}
    system.network.train()
    regions(system, side=8)
    assert system.network.training
    system.network.eval()
    assert all(torch.equal(before[key], value) for key, value in system.network.state_dict().items())
    assert all(p.grad is None or not p.grad.isnan().any() for p in system.network.parameters())


SETTINGS = {"eps": 0.3, "steps": 20, "random_start": False}


def deep(system: System) -> tuple[torch.Tensor, int]:
    """The test point that is read most safely, and its class."""
    test = data.load("blobs", "test", n=100)
    margins = system.margins(test.x()).detach().gather(1, test.labels[:, None]).squeeze(1)
    best = int(margins.argmax())
    return test.x(best)[0], int(test.labels[best])


@pytest.mark.parametrize("name", ["int", "rbc"])
def test_on_its_own_loss_an_attack_is_stuck_and_on_the_margin_it_walks_out(name: str) -> None:
    system = trained(name)
    point, label = deep(system)
    own = plane_trajectory(system, point, label, PGD(objective="train", **SETTINGS))
    assert own.zero_gradient
    assert not own.moved
    assert not own.crossed
    margin = plane_trajectory(system, point, label, PGD(objective="margin", **SETTINGS))
    assert margin.crossed
    assert not margin.zero_gradient
    assert margin.decoded[:-1].eq(label).all()  # it stops where the label is lost


@pytest.mark.parametrize("name", TASKS)
def test_a_trail_ends_where_the_attack_does_and_stays_in_its_square(name: str) -> None:
    system = trained(name)
    point, label = deep(system)
    settings = PGD(objective="margin", **SETTINGS)
    followed = plane_trajectory(system, point, label, settings)
    result = attack(system, point[None], torch.tensor([label]), settings)
    assert followed.end == int(result.decoded)
    assert torch.equal(followed.points[0], point)
    if followed.crossed:
        torch.testing.assert_close(followed.points[-1], result.images[0])
    assert (followed.points - point).abs().max() <= 0.3 + 1e-6
    assert torch.equal(followed.decoded, system.predict(followed.points))


def test_a_point_that_is_misread_has_no_way_to_go() -> None:
    system = trained("tra")
    point, label = deep(system)
    followed = plane_trajectory(system, point, (label + 1) % 4, PGD(objective="margin", **SETTINGS))
    assert len(followed.points) == 1
    assert not followed.crossed
    assert not followed.zero_gradient


def test_a_trail_is_of_one_row() -> None:
    system = trained("rbc")
    for settings in (PGD(eps=0.1, objective="bits"), PGD(eps=0.1, restarts=2)):
        with pytest.raises(ValueError, match="row"):
            plane_trajectory(system, torch.tensor([0.5, 0.5]), 0, settings)
    with pytest.raises(ValueError, match="shape"):
        plane_trajectory(system, torch.zeros(1, 2), 0, PGD(eps=0.1))


def test_along_a_line_the_loss_lies_flat_until_the_margin_is_s() -> None:
    system = linear(make_task("rbc", num_classes=2, S=4), [[20, 0]], [-10.0])
    cut = cross_section(system, torch.tensor([1.0, 0.5]), torch.tensor([0.0, 0.5]), 1, n=101)
    torch.testing.assert_close(cut.margin, 10 - 20 * cut.distance, atol=1e-4, rtol=0)
    torch.testing.assert_close(cut.loss, torch.relu(4 - cut.margin).square(), atol=1e-3, rtol=0)
    assert torch.equal(cut.flat, cut.margin >= 4)
    assert cut.edge == pytest.approx(0.5)
    assert cross_section(system, torch.tensor([1.0, 0.5]), torch.tensor([0.9, 0.5]), 1).edge is None


def test_a_line_has_two_ends() -> None:
    system, here = trained("tra"), torch.tensor([0.5, 0.5])
    with pytest.raises(ValueError, match="places"):
        cross_section(system, here, here, 0)
    with pytest.raises(ValueError, match="n ≥ 2"):
        cross_section(system, here, here / 2, 0, n=1)
