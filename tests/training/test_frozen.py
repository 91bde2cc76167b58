"""Only what requires a gradient learns; what is frozen stays bit for bit, and a stopped run does not forget which."""

from __future__ import annotations

import copy
import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from small_runs import digits, equal_weights, system_of, trained, weights, without_seconds
from torch import Tensor, nn

from tasklab.attacks import PGD, attack
from tasklab.models.fast import PLAIN
from tasklab.system import System
from tasklab.tasks import RBC, TRA
from tasklab.training import Adversarial, EpochEvent, Recipe, RunError, TrainingEvent, fit

BASE = Recipe(epochs=2, batch_size=30, lr=5e-3, weight_decay=0.1)
RECIPES = {
    "adamw": BASE,
    "sgd": dataclasses.replace(BASE, optimizer="sgd", lr=0.05),
    "average": dataclasses.replace(BASE, average=0.9),
    "adversarial": dataclasses.replace(BASE, epochs=1, defence=Adversarial(eps=0.05, steps=2), average=0.5),
}
FROZEN: dict[str, Callable[[str], bool]] = {
    "trunk": lambda name: name.startswith("trunk"),
    "head": lambda name: name.startswith("head"),
    "first block": lambda name: name.startswith(("trunk.0.", "trunk.1.")),
    "every other": lambda name: sum(map(ord, name)) % 2 == 0,
    "biases": lambda name: name.endswith("bias"),
    "nothing": lambda name: False,
}


@pytest.fixture(autouse=True)
def no_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """How the inner attack is run is chosen by the clock, which a test cannot rely on."""
    monkeypatch.setattr("tasklab.training.loop.probe", lambda network, x: PLAIN)


def frozen_system(which: str, width: int = 4) -> System:
    system = system_of(RBC(), width=width)
    with torch.no_grad():
        system.network.train()(digits(60).x())  # statistics other than the initial ones
    for name, weight in system.network.named_parameters():
        weight.requires_grad_(not FROZEN[which](name))
    return system


def go(which: str, recipe: Recipe, run: Path | None = None, stop: int | None = None) -> tuple[System, list[str]]:
    system = frozen_system(which)
    events = fit(system, digits(125), recipe, validation=digits(60, "validation"), run=run)
    seen: list[TrainingEvent] = list(events) if stop is None else [next(events) for _ in range(stop)]
    events.close()
    return system, without_seconds(seen)


def flags(system: System) -> list[bool]:
    return [weight.requires_grad for weight in system.network.parameters()]


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("which", FROZEN)
def test_what_is_frozen_stays_and_the_rest_learns(which: str, recipe: str) -> None:
    before = frozen_system(which)
    after, _ = go(which, RECIPES[recipe])
    assert flags(after) == flags(before)
    left, learned = dict(before.network.named_parameters()), dict(after.network.named_parameters())
    for name, weight in left.items():
        assert torch.equal(weight, learned[name]) == FROZEN[which](name), name
    for name, module in before.network.named_modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            new = after.network.get_submodule(name)
            whole = not any(weight.requires_grad for weight in module.parameters())
            for kind in ("running_mean", "running_var", "num_batches_tracked"):
                assert torch.equal(getattr(module, kind), getattr(new, kind)) == whole, f"{name}.{kind}"


@pytest.mark.parametrize("which", FROZEN)
def test_a_run_with_frozen_layers_that_was_stopped_ends_the_same(which: str, tmp_path: Path) -> None:
    recipe = RECIPES["average"]
    whole, expected = go(which, recipe)
    for stop in (1, 4, 5, 7):
        _, seen = go(which, recipe, tmp_path / str(stop), stop)
        again, rest = go(which, recipe, tmp_path / str(stop))
        assert seen + rest == expected
        assert equal_weights(again, whole)
        assert flags(again) == flags(whole)


def test_a_run_with_other_layers_frozen_is_another_run(tmp_path: Path) -> None:
    go("trunk", BASE, tmp_path, 2)
    for other in ("head", "nothing"):
        with pytest.raises(RunError, match=r"expected the settings of the run in .*, got others for frozen; try a new"):
            go(other, BASE, tmp_path)
    assert go("trunk", BASE, tmp_path)[1]


def test_with_one_layer_frozen_a_step_is_the_textbook_s() -> None:
    system = frozen_system("trunk")
    twin = copy.deepcopy(system.network).eval()  # its BatchNorms are all frozen
    recipe = Recipe(epochs=1, batch_size=100, optimizer="sgd", lr=0.1, warmup=0.0, weight_decay=0.01)
    list(fit(system, digits(100), recipe))
    loss = system.task.loss(twin(digits(100).x()), digits(100).labels).mean() / system.task.unit**2
    gradient, = torch.autograd.grad(loss, twin.head.linear.weight)
    old = twin.head.linear.weight
    assert torch.allclose(system.network.head.linear.weight, old - 0.1 * 1.9 * (gradient + 0.01 * old), atol=1e-6)


def test_a_loaded_system_learns_once_it_is_thawed(tmp_path: Path) -> None:
    frozen_system("nothing").save(tmp_path / "it.safetensors")
    system = System.load(tmp_path / "it.safetensors")
    before = {name: value.clone() for name, value in weights(system).items()}
    says = r"expected a network with something to learn, got one whose 17 parameters are all frozen; " \
           r"try system\.network\.requires_grad_\(True\)$"
    with pytest.raises(ValueError, match=says):
        fit(system, digits(), BASE)
    assert not any(flags(system))
    assert all(torch.equal(before[name], value) for name, value in weights(system).items())
    system.network.head.requires_grad_(True)  # type: ignore[operator, union-attr]
    list(fit(system, digits(), BASE))
    moved = {name for name, value in weights(system).items() if not torch.equal(before[name], value)}
    assert moved == {"head.linear.weight", "head.linear.bias"}
    system.network.requires_grad_(True)
    list(fit(system, digits(), BASE))
    assert all(not torch.equal(before[name], value) for name, value in weights(system).items())


class Drawn(nn.Module):
    """A layer with a buffer that training changes, and no weights."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.calls += 1
        return x


def test_what_has_no_weights_goes_with_what_is_around_it() -> None:
    trunk = nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8, affine=False), Drawn(), nn.ReLU(), nn.Dropout(0.5))
    network = nn.Sequential(nn.Flatten(), trunk, nn.BatchNorm1d(8, affine=False), Drawn(), nn.Linear(8, 10))
    trunk.requires_grad_(False)
    inner = {name: value.clone() for name, value in trunk.state_dict().items()}
    flagged: list[bool] = []
    trunk[4].register_forward_hook(lambda module, given, out: flagged.append(module.training))
    events = list(fit(System(network, TRA()), digits(), BASE))
    steps = sum(not isinstance(event, EpochEvent) for event in events)
    assert all(torch.equal(inner[name], value) for name, value in trunk.state_dict().items())
    assert int(network[3].calls) == int(network[2].num_batches_tracked) == steps  # type: ignore[arg-type]
    assert flagged == [True] * steps, "dropout is no statistic"


def test_networks_that_cannot_learn_are_refused_in_clear_words() -> None:
    train = digits()

    def linear() -> nn.Sequential:
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

    mixed = linear()
    mixed[1].bias = nn.Parameter(torch.zeros(10, device="meta"))
    with torch.inference_mode():
        inferred = linear()
    for network, says in (
        (nn.Flatten(), r"expected a network with something to learn, got one without parameters"),
        (linear().double(), r"expected float32 weights to learn, got torch.float64 in 1\.weight; try .*\.float\(\)"),
        (linear().half(), r"expected float32 weights to learn, got torch.float16 in 1\.weight"),
        (linear().to("meta"), r"expected all weights to learn on one device that holds values, got 1\.weight on meta"),
        (mixed, r"expected all weights .* got 1\.bias on meta and the first on cpu; try"),
        (inferred, r"expected weights made outside torch\.inference_mode\(\), got 1\.weight"),
    ):
        with pytest.raises(ValueError, match=says):
            fit(System(network, TRA()), train, BASE)


def test_a_frozen_part_that_does_not_fit_is_named_too() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 8).double().requires_grad_(False), nn.Linear(8, 10))
    with pytest.raises(ValueError, match=r"expected torch\.float32 weights, got torch\.float64 in 1\.weight; try"):
        list(fit(System(network, TRA()), digits(), BASE))
    odd = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.BatchNorm1d(10).to("meta").requires_grad_(False))
    with pytest.raises(ValueError, match=r"expected a network on one device, got 2\.weight on meta and images on cpu"):
        list(fit(System(odd, TRA()), digits(), BASE))


def test_outputs_that_do_not_depend_on_what_learns_are_refused() -> None:
    class Beside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.idle = nn.Linear(64, 10).requires_grad_(False), nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.used(x.flatten(1))

    with pytest.raises(ValueError, match="expected outputs that depend on the weights to learn, got some without"):
        list(fit(System(Beside(), TRA()), digits(), BASE))


@pytest.mark.parametrize("part", ["images", "labels", "order", "validation", "no validation"])
def test_a_run_does_not_go_on_with_other_images(part: str, tmp_path: Path) -> None:
    train, validation = digits(125), digits(60, "validation")
    last, swapped = train.images.clone(), train.labels.clone()
    last[-1, 0, 0, 0] ^= 1  # one bit of one pixel
    swapped[-1] = (swapped[-1] + 1) % 10
    others = {
        "images": (dataclasses.replace(train, images=last), validation),
        "labels": (dataclasses.replace(train, labels=swapped), validation),
        "order": (train.subset(torch.arange(125).flip(0)), validation),
        "validation": (train, digits(120, "validation").subset(slice(60, 120))),
        "no validation": (train, None),
    }
    events = fit(system_of(RBC(), width=4), train, BASE, validation=validation, run=tmp_path)
    next(events)
    events.close()
    other, judged = others[part]
    assert len(other) == len(train)
    with pytest.raises(RunError, match=r"expected the settings of the run in .*, got others for images; try a new fol"):
        fit(system_of(RBC(), width=4), other, BASE, validation=judged, run=tmp_path)
    same = [dataclasses.replace(each, images=each.images.clone()) for each in (train, validation)]
    assert list(fit(system_of(RBC(), width=4), same[0], BASE, validation=same[1], run=tmp_path))


def test_a_run_beside_threads_that_read_its_network_is_the_run_alone() -> None:
    """Readers see evaluation mode; the run's weights and BatchNorm's statistics do not notice them."""
    recipe = Recipe(epochs=2, batch_size=40, precision="float32", average=0.9)
    alone, _ = trained(RBC(), recipe, train=digits(120))
    system, done = system_of(RBC()), threading.Event()
    images = digits(16, "test").x()
    errors: list[BaseException] = []
    reads = [0]

    def read() -> None:
        try:
            while not done.is_set():
                system.predict(images)
                reads[0] += 1
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=read, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        list(fit(system, digits(120), recipe))
    finally:
        done.set()
        for thread in threads:
            thread.join(30)
    assert not errors
    assert reads[0] > 5, "a control: they did read"
    assert equal_weights(alone, system)


def test_an_attack_beside_a_run_takes_each_gradient_between_two_steps() -> None:
    system = system_of(RBC())
    few = digits(16, "test")
    errors: list[BaseException] = []
    done = threading.Event()

    def climb() -> None:
        try:
            while not done.is_set():
                attack(system, few.x(), few.labels, PGD(eps=0.1, steps=5, keep="best"))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=climb, daemon=True)
    thread.start()
    try:
        list(fit(system, digits(120), Recipe(epochs=2, batch_size=40)))
    finally:
        done.set()
        thread.join(60)
    assert not errors
