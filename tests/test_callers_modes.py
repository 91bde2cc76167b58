"""The caller's modes of torch change nothing: what is made, loaded and trained in them is as it is without."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from callers_modes import MODES, differs, few, same, state, systems

from tasklab import zoo
from tasklab.attacks import PGD, attack
from tasklab.data import augment, load, loading
from tasklab.experiments.ground import ground
from tasklab.models import NetworkSpec, build_network
from tasklab.models.fast import PLAIN, Plan, prepare
from tasklab.models.network import Head
from tasklab.modes import own_modes
from tasklab.system import System, new_system
from tasklab.tasks import INT, RBC, TRA, DeepBE, Task
from tasklab.training import GaussianNoise, Recipe, UniformNoise, fit

TASKS: tuple[Callable[[], Task], ...] = (TRA, RBC, DeepBE, INT, lambda: INT(gap="floor", alpha=0))


def build() -> Any:
    made = {}
    for arch, shape in (("mlp", (2,)), ("small_cnn", (1, 8, 8)), ("efficientnet_b0", (3, 32, 32))):
        spec = NetworkSpec(arch=arch, in_shape=shape, outputs=1, mean=(0.3,) * shape[0], std=(0.2,) * shape[0],
                           scale=3.0, centre=0.1, levels=(-0.5, 0.0, 0.25, 0.5))
        made[arch] = state(build_network(spec, seed=0))
        torch.manual_seed(5)
        made[f"{arch} unseeded"] = state(build_network(spec))
    return made


def load_a_set() -> Any:
    loading._digits.cache_clear()
    loading._points.cache_clear()
    sets = load("digits"), load("digits", "validation"), load("spirals", n=50)
    return [(each.images, each.labels, each.x(slice(5)), each.subset([1, 2]).labels, each.digest()) for each in sets]


def code() -> Any:
    """New codecs, whose constants are made in the mode."""
    names = []
    for make in TASKS:
        task = make()
        generator = torch.Generator().manual_seed(0)
        z = torch.randint(-40, 200, (50, task.width), generator=generator, device="cpu").float()
        z[::3] = task.codec.encode(few().labels[:1])[:, : task.width]  # ties and ends
        y = few().labels.repeat(5)[:50]
        names.append((task.codec.encode(y), task.codec.decode(z), task.codec.margins(z), task.codec.terms(z, y),
                      task.loss(z, y)))
    return names


def train(**settings: Any) -> Callable[[], Any]:
    def trained() -> Any:
        task = INT() if "inset" in settings else RBC()
        system = new_system(task, load("digits"), width=4, seed=0)
        recipe = Recipe(**{"epochs": 1, "batch_size": 30, "flip": True, "crop": 1, "average": 0.5} | settings)
        events = fit(system, load("digits").subset(90), recipe, validation=load("digits", "validation").subset(40))
        described = [repr(dataclasses.replace(event, seconds=0.0)) for event in events]  # as text, where nan equals nan
        return described, state(system.network)

    return trained


def copies() -> Any:
    plans = (PLAIN, Plan(fold=True, channels_last=True))
    made = [prepare(systems()["rbc"].network, plan) for plan in plans]
    with own_modes():  # a gradient can be asked of them
        x = few().x().requires_grad_()
        return [(state(copy), torch.autograd.grad(copy(x).sum(), x)[0]) for copy in made]


def distort() -> Any:
    x, generator = few().x(), torch.Generator().manual_seed(0)
    noisy = [kind.apply(systems()["rbc"], x, few().labels, generator, PLAIN)[0]
             for kind in (GaussianNoise(sigma=0.1), UniformNoise(eps=0.1))]
    return augment(x, flip=True, crop=2, generator=generator), noisy


def under_an_image() -> Any:
    seen = ground(systems()["rbc"], few().x(0), few().labels[:1], PGD(eps=0.2, steps=3, random_start=False), side=5)
    paths = [path.points for path in seen.paths]
    return [seen.directions, seen.outline, seen.outputs, seen.gradient, seen.zero, *paths]


THINGS: dict[str, Callable[[], Any]] = {
    "build": build,
    "head": lambda: [each.dtype for each in state(Head(4, 1, levels=(-0.5, 0.0, 0.5))).values()],
    "new system": lambda: state(new_system(RBC(), load("digits"), seed=3).network),
    "load": lambda: [state(zoo.load(f"digits-{name}").network) for name in ("rbc", "int")],
    "load data": load_a_set,
    "code": code,
    "copies": copies,
    "fit": train(),
    "fit sgd in bfloat16": train(optimizer="sgd", precision="bfloat16", average=0.0, epochs=2),
    "fit noise": train(defence=GaussianNoise(sigma=0.1), inset=0.1),
    "distort": distort,
    "ground": under_an_image,
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("thing", THINGS)
def test_it_is_the_same_in_any_mode(thing: str, mode: str) -> None:
    assert not differs(THINGS[thing], mode)


def answers(system: System) -> Any:
    x, y = few().x(), few().labels
    result = attack(system, x, y, PGD(eps=0.1, steps=3, plan=PLAIN))
    recipe = Recipe(epochs=1, batch_size=6)
    system.network.requires_grad_(True)
    list(fit(system, load("digits").subset(12), recipe))
    return system.read(x), result.images, result.zero_gradient, state(system.network)


@pytest.mark.parametrize("mode", MODES)
def test_what_is_made_in_a_mode_serves_outside(mode: str, tmp_path: Path) -> None:
    systems()["int"].save(tmp_path / "own.safetensors")

    def made() -> list[System]:
        loading._digits.cache_clear()
        task = INT()
        task.codec.decode(few().labels[:, None].float())  # its constants are made now
        fresh = new_system(task, load("digits"), width=4, seed=0)
        return [zoo.load("digits-tra"), System.load(tmp_path / "own.safetensors"), fresh]

    few()
    expected = [answers(system) for system in made()]
    with MODES[mode]():
        result = made()
    assert same([answers(system) for system in result], expected)
    tensors = [each for system in result for each in (*system.network.parameters(), *system.network.buffers())]
    assert not any(each.is_inference() for each in (*tensors, load("digits").images, load("digits").labels))


def modes_now() -> tuple[object, ...]:
    return (torch.is_inference_mode_enabled(), torch.is_grad_enabled(), torch.get_default_dtype(),
            torch.get_default_device(), torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu"),
            torch.are_deterministic_algorithms_enabled())


@pytest.mark.parametrize("mode", MODES)
def test_a_training_gives_the_mode_back_between_its_steps(mode: str) -> None:
    def begin() -> tuple[System, Any]:
        system = new_system(RBC(), load("digits"), width=4, seed=0)
        recipe = Recipe(epochs=2, batch_size=30, precision="bfloat16")
        validation = load("digits", "validation").subset(40)
        return system, fit(system, load("digits").subset(90), recipe, validation=validation)

    whole, events = begin()
    list(events)
    outside = modes_now()
    with MODES[mode]():
        inside = modes_now()
        system, events = begin()
        for _ in range(3):
            next(events)
            assert modes_now() == inside
    next(events)  # now the caller is out of the mode, and then in it again
    assert modes_now() == outside
    with MODES[mode]():
        list(events)
        assert modes_now() == inside
    assert same(state(system.network), state(whole.network))


def test_an_autocast_around_a_training_reads_the_weights_as_they_are() -> None:
    system = new_system(RBC(), load("digits"), width=4, seed=0)
    x = few().x()
    with torch.autocast("cpu", torch.bfloat16):
        for _ in fit(system, load("digits").subset(90), Recipe(epochs=1, batch_size=30, precision="bfloat16")):
            inside = system.network.eval()(x)
            with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
                assert torch.equal(inside, system.network(x))
    assert not torch.equal(inside, system.network(x)), "a control: it is an autocast"
