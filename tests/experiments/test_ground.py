"""The plane under an image holds what the network says there, and shows gradient masking on the shipped systems."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tasklab import data, zoo
from tasklab.attacks import APGD, FGSM, PGD, attack
from tasklab.experiments.ground import Ground, finer_ground, ground
from tasklab.experiments.plane import places
from tasklab.system import System
from tasklab.tasks import TASKS, Task, make_task

SETTINGS = PGD(eps=0.2, steps=6, random_start=False, keep="best")


def small(task: Task) -> tuple[System, Tensor, Tensor]:
    """A network of random weights, and an image that it reads as a class."""
    generator = torch.Generator().manual_seed(3)
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 12), nn.Tanh(), nn.Linear(12, task.width))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
        network[3].weight.mul_(max(task.unit / 20, 1))
        network[3].bias += task.centre
    system, images = System(network, task), torch.rand(200, 3, 4, 4, generator=generator)
    k = int((system.predict(images) >= 0).nonzero()[0])
    return system, images[k : k + 1], system.predict(images[k : k + 1])


def shipped(name: str, index: int) -> tuple[System, Tensor, Tensor]:
    test = data.load(name.partition("-")[0], "test")
    return zoo.load(name), test.x(index), test.labels[index : index + 1]


def seen_by(name: str, **changes: Any) -> tuple[System, Tensor, Tensor, Ground]:
    system, x, y = small(make_task(name))
    return system, x, y, ground(system, x, y, dataclasses.replace(SETTINGS, **changes), side=9)


@pytest.mark.parametrize("name", TASKS)
def test_every_cell_holds_what_the_network_says_of_the_image_there(name: str) -> None:
    system, x, y, seen = seen_by(name)
    images = torch.cat([seen.image_at(*place) for place in places(9).tolist()]).requires_grad_(True)
    assert torch.equal(seen.image_at(0.5, 0.5), x)
    z = system.outputs(images)
    loss = system.task.loss(z, y.expand(81))
    (gradient,) = torch.autograd.grad(loss.sum(), images)
    tolerance = {"rtol": 1e-4, "atol": 1e-3}  # other batches add up in another order
    torch.testing.assert_close(seen.outputs.flatten(0, 1), z.detach(), **tolerance)
    assert torch.equal(seen.decoded.flatten(), system.predict(images.detach()))
    torch.testing.assert_close(seen.value.flatten(), loss.detach(), **tolerance)
    torch.testing.assert_close(seen.margin.flatten(), system.task.codec.margins(z.detach())[:, int(y)], **tolerance)
    assert torch.equal(seen.flat.flatten(), (gradient == 0).flatten(1).all(dim=1))
    torch.testing.assert_close(seen.gradient.reshape(81, 2), gradient.flatten(1) @ seen.directions.flatten(1).T,
                               rtol=1e-3, atol=1e-2)
    torch.testing.assert_close(seen.change.flatten(), (images - x).detach().abs().flatten(1).amax(dim=1))


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("name", TASKS)
def test_the_paths_are_those_of_the_attacks_and_the_margin_s_ends_in_the_plane(name: str, norm: Any) -> None:
    system, x, y, seen = seen_by(name, norm=norm, eps=0.2 if norm == "linf" else 0.8)
    for path in seen.paths:
        result = attack(system, x, y, dataclasses.replace(seen.settings, objective=path.objective))
        assert path.end == int(result.decoded)
        assert path.zero_gradient == bool(result.zero_gradient)
        assert path.points[0].tolist() == [0.5, 0.5]
        if path.objective == "margin":
            torch.testing.assert_close(seen.image_at(*path.points[-1].tolist()), result.images, atol=1e-5, rtol=0)
    right, up = seen.directions.flatten(1)
    assert abs(float(right @ up)) < 1e-3 * float(right @ right)
    assert float(right.norm()) == pytest.approx(float(up.norm()), rel=1e-4)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_outline_is_as_far_as_the_attack_may_go(norm: Any) -> None:
    *_, x, _, seen = seen_by("rbc", norm=norm, eps=0.1 if norm == "linf" else 0.5)
    for way in (seen.outline - 0.5)[::12]:
        sizes = [(seen.image_at(*(0.5 + share * way).tolist()) - x).flatten() for share in (0.95, 1, 1.05)]
        inside, edge, outside = (float(s.abs().max() if norm == "linf" else s.norm()) for s in sizes)
        assert inside < seen.settings.eps < outside
        assert edge == pytest.approx(seen.settings.eps, rel=1e-2)


def test_a_finer_plane_is_the_same_plane() -> None:
    system, _, _, seen = seen_by("tra")
    finer = finer_ground(system, seen, side=27)
    assert torch.equal(finer.directions, seen.directions) and torch.equal(finer.outline, seen.outline)
    torch.testing.assert_close(finer.outputs[1::3, 1::3], seen.outputs)
    assert torch.equal(finer.decoded[1::3, 1::3], seen.decoded)


def test_a_random_direction_comes_from_the_seed() -> None:
    system, x, y = shipped("digits-rbc", 54)
    first, again, other = (ground(system, x, y, PGD(eps=0.2, steps=3, random_start=False, seed=seed), side=3)
                           for seed in (0, 0, 1))
    assert first.spanned_by == other.spanned_by == ("margin", "random")
    assert torch.equal(first.directions, again.directions)
    assert torch.equal(first.directions[0], other.directions[0])
    assert not torch.allclose(first.directions[1], other.directions[1])


def test_attacks_that_go_the_same_way_leave_the_second_direction_to_chance() -> None:
    linear = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    system, x = System(linear, make_task("tra", num_classes=2)), torch.full((1, 3, 4, 4), 0.5)
    seen = ground(system, x, system.predict(x), FGSM(eps=0.1), side=3)
    assert [path.moved for path in seen.paths] == [True, True]
    assert seen.spanned_by == ("margin", "random")


@pytest.mark.parametrize(("key", "flat", "index"), [("tra", False, 54), ("int", True, 54), ("rbc", True, 54),
                                                    ("deepbe-hinge", True, 6)])
def test_on_shipped_digits_a_plateau_holds_the_attack_on_the_loss_and_not_the_one_on_the_margin(
    key: str, flat: bool, index: int
) -> None:
    system, x, y = shipped(f"digits-{key}", index)
    seen = ground(system, x, y, SETTINGS, side=11)
    margin, train = seen.paths
    assert bool(seen.flat[5, 5]) == train.zero_gradient == flat
    assert train.moved != flat
    assert margin.crossed, "the label is lost inside the same ε-ball"
    assert (seen.flat_share > 0.3) == flat
    assert not bool((seen.flat & (seen.decoded != seen.label)).any()), "no plateau reaches beyond the label"


@pytest.mark.parametrize(("wrong", "error", "words"), [
    ({"side": 8}, ValueError, "odd number of cells"),
    ({"settings": PGD(eps=0.0)}, ValueError, "ε > 0"),
    ({"settings": APGD(eps=0.1)}, TypeError, "PGD or FGSM"),
    ({"label": torch.tensor([3]), "settings": PGD(eps=0.1, keep="first")}, ValueError, "misclassified before"),
])
def test_what_cannot_be_drawn_is_refused_in_a_sentence(wrong: dict[str, Any], error: type, words: str) -> None:
    system, x, y = small(make_task("int"))
    assert int(y) != 3
    asked: dict[str, Any] = {"image": x, "label": y, "settings": SETTINGS, "side": 3} | wrong
    with pytest.raises(error, match=words):
        ground(system, asked["image"], asked["label"], asked["settings"], side=asked["side"])
