"""Training: it learns, it says what it did, and it leaves alone what is not its own."""

from __future__ import annotations

import copy
import dataclasses
import random
from typing import Any

import numpy as np
import pytest
import torch
from small_runs import TASKS, digits, epochs, equal_weights, system_of, trained, weights, without_seconds
from torch import Tensor, nn

from tasklab import losses
from tasklab.attacks import PGD, attack
from tasklab.data import ImageSet, load
from tasklab.system import System
from tasklab.tasks import INT, RBC, TRA, DeepBE
from tasklab.training import (
    Adversarial,
    EpochEvent,
    GaussianNoise,
    Recipe,
    StepEvent,
    TrainingDiverged,
    UniformNoise,
    Watch,
    fit,
)

FEW = Recipe(epochs=2, batch_size=50, lr=5e-3)
LONGER = Recipe(epochs=6, batch_size=30, lr=1e-2)


def shuffled(data: ImageSet) -> ImageSet:
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))
    return dataclasses.replace(data, labels=data.labels[order])


LEARNS = {
    "tra": (300, 0.7, LONGER),
    "rbc": (300, 0.7, LONGER),
    "deepbe": (1097, 0.5, Recipe(epochs=6, batch_size=32, lr=5e-3)),
    "int": (1097, 0.4, Recipe(epochs=12, batch_size=32, lr=3e-2, inset=0.3)),
}
"""Images, the accuracy they are enough for (chance is 0.1), and a recipe."""


@pytest.mark.parametrize("name", TASKS)
def test_every_task_learns_digits(name: str) -> None:
    n, enough, recipe = LEARNS[name]
    validation = digits(300, "validation")
    system, events = trained(TASKS[name], recipe, train=digits(n), validation=validation, width=16)
    assert max(event.accuracy for event in epochs(events)) > enough
    right = system.predict(validation.x()) == validation.labels
    assert float(right.float().mean()) == max(event.accuracy for event in epochs(events)), "the best epoch is kept"


def test_a_control_shuffled_labels_teach_nothing() -> None:
    _, events = trained(TRA(), LONGER, train=shuffled(digits()), validation=digits(300, "validation"))
    assert max(event.accuracy for event in epochs(events)) < 0.25


def test_events_tell_the_run() -> None:
    validation = digits(100, "validation")
    system, events = trained(RBC(), FEW, validation=validation)
    assert [type(event) for event in events] == ([StepEvent] * 6 + [EpochEvent]) * 2
    steps = [event for event in events if isinstance(event, StepEvent)]
    assert [event.step for event in steps] == list(range(1, 13))
    assert {event.steps for event in steps} == {12}
    assert [event.epoch for event in steps] == [1] * 6 + [2] * 6
    assert [event.lr for event in steps] == [FEW.lr_at(step, 12) for step in range(12)]
    assert max(event.lr for event in steps) <= FEW.lr
    seconds = [event.seconds for event in events]
    assert seconds == sorted(seconds)
    first, second = epochs(events)
    assert (first.epoch, second.epoch, first.epochs) == (1, 2, 2)
    assert first.loss == pytest.approx(np.mean([event.loss for event in steps[:6]]))
    assert second.train_accuracy == pytest.approx(np.mean([event.accuracy for event in steps[6:]]))
    assert first.best
    assert (first.robust_accuracy, first.own_loss_accuracy, first.zero_gradient_share) == (None, None, None)
    decoded = system.predict(validation.x())
    kept = [event for event in (first, second) if event.best][-1]
    assert kept.accuracy == float((decoded == validation.labels).float().mean())
    assert kept.abnormal == pytest.approx(float((decoded == -1).float().mean()))


def test_the_best_epoch_is_what_remains() -> None:
    validation = digits(100, "validation")
    reckless = Recipe(epochs=5, batch_size=50, lr=0.3, optimizer="sgd", warmup=0.0)
    system = system_of(TRA())
    kept: dict[str, Tensor] = {}
    for event in fit(system, digits(), reckless, validation=validation):
        if isinstance(event, EpochEvent) and event.best:
            kept = {key: value.clone() for key, value in weights(system).items()}
    assert all(torch.equal(kept[key], value) for key, value in weights(system).items())
    _, events = trained(TRA(), reckless)
    assert all(event.best for event in epochs(events)), "without validation the last is the best"
    assert all(event.accuracy != event.accuracy for event in epochs(events))


def test_the_same_again_and_something_else_with_another_seed() -> None:
    recipe = dataclasses.replace(FEW, flip=True, crop=1, defence=GaussianNoise(sigma=0.1))
    one, events = trained(RBC(), recipe)
    again, events_again = trained(RBC(), recipe)
    other, _ = trained(RBC(), dataclasses.replace(recipe, seed=1))
    assert equal_weights(one, again)
    assert without_seconds(events) == without_seconds(events_again)
    assert not equal_weights(one, other)


def test_what_a_network_draws_itself_comes_from_the_seed_and_the_step() -> None:
    def after(seed: int, callers: int) -> System:
        system = system_of(RBC())
        system.network.trunk.append(nn.Dropout(0.5))
        torch.manual_seed(callers)
        list(fit(system, digits(120), dataclasses.replace(FEW, epochs=1, seed=seed)))
        return system

    one, again, other = after(0, 1), after(0, 2), after(1, 1)
    assert equal_weights(one, again)
    assert not equal_weights(one, other)


def test_each_step_draws_anew() -> None:
    drawn: list[float] = []

    class Drawing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if self.training:
                drawn.append(float(torch.rand(())))
            return x

    system = system_of(RBC())
    system.network.trunk.append(Drawing())
    list(fit(system, digits(120), dataclasses.replace(FEW, epochs=1)))
    assert len(set(drawn)) == len(drawn) > 1


@pytest.mark.parametrize("defence", [None, GaussianNoise(sigma=0.1), Adversarial(eps=0.05, steps=2)], ids=str)
def test_nothing_but_the_network_changes(defence: GaussianNoise | Adversarial | None) -> None:
    train, validation = digits(120), digits(40, "validation")
    before = [t.clone() for t in (train.images, train.labels, validation.images, validation.labels)]
    torch.manual_seed(3)
    np.random.seed(3)
    random.seed(3)
    states = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # type: ignore[index]
    recipe = Recipe(epochs=1, batch_size=40, flip=True, crop=1, defence=defence, average=0.9)
    system, _ = trained(TRA(), recipe, train=train, validation=validation)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.random.get_state()[1].tolist() == states[1]  # type: ignore[index]
    assert random.getstate() == states[2]
    after = (train.images, train.labels, validation.images, validation.labels)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert not any(module.training for module in system.network.modules())


def test_one_step_is_the_textbook_s() -> None:
    """One SGD step against the formula: mean loss over S², Nesterov's first step is lr·(1 + 0.9) gradients."""
    task, train = RBC(S=100), digits(100)
    system = system_of(task)
    twin = copy.deepcopy(system.network).train()
    recipe = Recipe(epochs=1, batch_size=100, optimizer="sgd", lr=0.1, warmup=0.0, weight_decay=0.01)
    (step, _) = fit(system, train, recipe)
    loss = task.loss(twin(train.x()), train.labels).mean() / 100**2
    assert isinstance(step, StepEvent)
    assert step.loss == pytest.approx(float(loss.detach()), rel=1e-5)
    gradients = torch.autograd.grad(loss, list(twin.parameters()))
    for old, new, gradient in zip(twin.parameters(), system.network.parameters(), gradients, strict=True):
        assert torch.allclose(new, old - 0.1 * 1.9 * (gradient + 0.01 * old), atol=1e-5)


def test_scaled_runs_do_not_know_the_margin() -> None:
    x = digits(100, "validation").x()
    results = {}
    for s in (1.0, 256.0, 350.0):
        system, events = trained(RBC(S=s), FEW)
        results[s] = system.read(x) / s, [event.loss for event in events]
    assert torch.equal(results[1.0][0], results[256.0][0]), "a power of two is exact"
    assert results[1.0][1] == results[256.0][1]
    assert torch.allclose(results[350.0][0], results[1.0][0], atol=1e-2)
    assert results[350.0][1] == pytest.approx(results[1.0][1], rel=1e-2)
    paper = [trained(RBC(S=s, parametrisation="paper"), FEW)[0].read(x) / s for s in (1.0, 256.0)]
    assert not torch.allclose(paper[0], paper[1], atol=0.1), "a control: as published, the margin matters"
    assert torch.allclose(paper[0], results[1.0][0], atol=1e-6), "at S = 1 the two are one"


def test_an_average_is_the_mean_that_it_says() -> None:
    system = system_of(TRA())
    kept = {key: value.clone() for key, value in weights(system).items()}
    recipe = Recipe(epochs=1, batch_size=50, average=0.3)
    for event in fit(system, digits(), recipe):
        if isinstance(event, StepEvent):
            step = event.step - 1
            decay = min(0.3, (1 + step) / (10 + step))
            for name, value in system.network.named_parameters():
                kept[name] = decay * kept[name] + (1 - decay) * value.detach()
            kept |= {name: value.clone() for name, value in system.network.named_buffers() if name in kept}
    for name, value in weights(system).items():
        assert torch.allclose(value.float(), kept[name].float(), atol=1e-6), name


class TestAdversarial:
    def test_the_inner_attack_is_in_eval_mode_and_batchnorm_sees_the_images_once(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made: list[Tensor] = []
        original = Adversarial.apply

        def recording(self: Adversarial, *given: object) -> object:
            images, noted = original(self, *given)  # type: ignore[arg-type]
            made.append(images.clone())
            return images, noted

        monkeypatch.setattr(Adversarial, "apply", recording)
        system = system_of(TRA())
        twin = copy.deepcopy(system.network).train()
        flags: list[set[bool]] = []
        system.network.register_forward_hook(
            lambda network, given, out: flags.append({module.training for module in network.modules()})
        )
        train = digits(100)
        events = fit(system, train, Recipe(epochs=1, batch_size=100, defence=Adversarial(eps=0.1, steps=3)))
        next(events)
        assert flags.count({True}) == 1
        assert flags.count({False}) == len(flags) - 1 >= 2
        assert flags[-1] == {True}
        with torch.no_grad():
            twin(made[0])
        statistics = {key: value for key, value in twin.state_dict().items() if "running" in key or "num_b" in key}
        assert len(statistics) == 15
        assert all(torch.equal(weights(system)[key], value) for key, value in statistics.items())
        moved = (made[0][:, None] - train.x()[None]).abs().flatten(2).amax(dim=2).amin(dim=1)
        assert float(moved.max()) <= 0.1 + 1e-6
        assert float(moved.min()) > 0

    def test_events_tell_how_the_inner_attack_fared(self) -> None:
        validation = digits(60, "validation")
        defence = Adversarial(eps=0.05, steps=2)
        _, events = trained(TRA(), Recipe(epochs=2, batch_size=60, defence=defence), validation=validation)
        for event in epochs(events):
            assert event.robust_accuracy is not None
            assert event.own_loss_accuracy is not None
            assert event.zero_gradient_share == 0
            assert event.unmoved_share == 0
            assert 0 <= event.robust_accuracy <= event.accuracy <= 1
        masked = Adversarial(eps=0.05, steps=2, objective="train")
        _, events = trained(DeepBE(), Recipe(epochs=4, batch_size=30, lr=1e-2, defence=masked))
        last = epochs(events)[-1]
        assert last.zero_gradient_share is not None
        assert last.zero_gradient_share > 0.2, "DeepBE's hinge is masked where it is right"

    def test_it_makes_a_network_that_withstands_more(self) -> None:
        from tasklab.attacks import PGD, attack

        train, test = load("digits").subset(600), digits(150, "test")
        recipe = Recipe(epochs=5, batch_size=50, lr=1e-2)
        accuracies = []
        for defence in (None, Adversarial(eps=0.1, steps=3)):
            system, _ = trained(TRA(), dataclasses.replace(recipe, defence=defence), train=train)
            result = attack(system, test.x(), test.labels, PGD(eps=0.1, steps=10))
            accuracies.append(result.accuracy)
        assert accuracies[1] > accuracies[0] + 0.15


@pytest.mark.parametrize("defence", [GaussianNoise(sigma=0.2), UniformNoise(eps=0.3)])
def test_noise_is_of_the_size_it_says_and_in_the_box(defence: GaussianNoise | UniformNoise) -> None:
    system, x = system_of(TRA()), torch.full((200, 1, 8, 8), 0.5)
    from tasklab.models.fast import PLAIN

    out, noted = defence.apply(system, x, torch.zeros(200).long(), torch.Generator().manual_seed(0), PLAIN)
    again, _ = defence.apply(system, x, torch.zeros(200).long(), torch.Generator().manual_seed(0), PLAIN)
    assert torch.equal(out, again)
    assert noted == {}
    assert bool((x == 0.5).all())
    noise = out - x
    expected = 0.2 if isinstance(defence, GaussianNoise) else 0.3 / 3**0.5
    assert float(noise.std()) == pytest.approx(expected, rel=0.05)
    assert float(noise.mean()) == pytest.approx(0, abs=0.01)
    if isinstance(defence, UniformNoise):
        assert 0.29 < float(noise.abs().max()) <= 0.3
    edge, _ = defence.apply(system, torch.ones_like(x), torch.zeros(200).long(), torch.Generator(), PLAIN)
    assert float(edge.max()) == 1
    assert float(edge.min()) < 0.9


def test_every_step_draws_noise_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[float] = []
    original = GaussianNoise.apply

    def recording(self: GaussianNoise, system: System, x: Tensor, *rest: object) -> object:
        out = original(self, system, torch.full_like(x, 0.5), *rest)  # type: ignore[arg-type]
        drawn.append(float(out[0][0, 0, 0, 0]))
        return out

    monkeypatch.setattr(GaussianNoise, "apply", recording)
    trained(TRA(), dataclasses.replace(FEW, defence=GaussianNoise(sigma=0.1)))
    assert len(set(drawn)) == len(drawn) == 12


def test_an_inset_aims_inside_the_interval() -> None:
    """With inset i, the loss is that of the paper on [L + i·β, U − i·β]."""
    task, train = INT(), digits(100)
    system = system_of(task)
    twin = copy.deepcopy(system.network).train()
    events = fit(system, train, Recipe(epochs=1, batch_size=100, inset=0.25))
    step = next(events)
    ends = torch.tensor([[20.0 * y + 4, 20.0 * y + 12] for y in train.labels.tolist()])
    loss = losses.interval_hinge(twin(train.x()), ends).mean() / task.unit**2
    assert isinstance(step, StepEvent)
    assert step.loss == pytest.approx(float(loss.detach()), rel=1e-5)
    for other in (TRA(), RBC(), DeepBE()):
        with pytest.raises(ValueError, match=rf"expected inset=0 for task {other.name}, got 0\.25; only tasks with"):
            fit(system_of(other), train, Recipe(inset=0.25))


def test_bfloat16_passes_train_as_well() -> None:
    recipe = dataclasses.replace(LONGER, precision="bfloat16")
    system, events = trained(RBC(), recipe, validation=digits(200, "validation"))
    assert max(event.accuracy for event in epochs(events)) > 0.6
    assert all(value.dtype != torch.bfloat16 for value in weights(system).values())


class Exploding(nn.Module):
    """Right for a while, then not a number."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.layer, self.left = nn.Linear(64, 10), calls

    def forward(self, x: Tensor) -> Tensor:
        self.left -= 1
        return self.layer(x.flatten(1)) + (torch.nan if self.left < 0 else 0.0)


def test_a_loss_that_is_not_a_number_ends_the_run_in_clear_words() -> None:
    events = fit(System(Exploding(3), TRA()), digits(), Recipe(epochs=1, batch_size=50, lr=0.01))
    assert [next(events).step for _ in range(3)] == [1, 2, 3]  # type: ignore[union-attr]
    with pytest.raises(TrainingDiverged, match=r"expected a finite loss, got nan at step 4 of 6; try lr=0\.001$"):
        next(events)
    with pytest.raises(TrainingDiverged, match=r"expected a finite loss|expected finite weights"):
        trained(RBC(), Recipe(epochs=3, batch_size=50, lr=1e30, optimizer="sgd"))


def test_weights_that_are_not_numbers_do_not_pass_for_a_result() -> None:
    with pytest.raises(TrainingDiverged, match=r"expected finite weights, got others at step 1 of 1; try lr=1e\+3"):
        trained(RBC(parametrisation="paper"), Recipe(epochs=1, batch_size=300, lr=1e38, optimizer="sgd", warmup=0.0))


def test_what_does_not_fit_is_refused_at_once() -> None:
    train = digits()
    with pytest.raises(ValueError, match="expected a set of 4 classes, got digits with 10; try num_classes=10"):
        fit(system_of(TRA(num_classes=4)), train, FEW)
    with pytest.raises(ValueError, match="expected a set of 10 classes, got moons with 2"):
        fit(system_of(TRA()), train, FEW, validation=load("moons", "validation"))
    with pytest.raises(ValueError, match="expected at least one batch of 128 images, got 100; try a smaller"):
        fit(system_of(TRA()), digits(100), Recipe())
    with pytest.raises(ValueError, match=r"expected outputs of shape \(50, 10\) for task tra, got \(50, 4\)"):
        list(fit(System(system_of(RBC()).network, TRA()), train, FEW))


def test_a_module_of_one_s_own_trains_too() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    system = System(network, TRA())
    events = list(fit(system, digits(), Recipe(epochs=4, batch_size=30, lr=0.02), validation=digits(100, "validation")))
    assert max(event.accuracy for event in epochs(events)) > 0.6


def test_watching_changes_nothing_but_what_is_seen() -> None:
    recipe = Recipe(epochs=2, batch_size=30, lr=5e-3)
    validation = digits(60, "validation")
    plain, watched = system_of(RBC()), system_of(RBC())
    before = epochs(fit(plain, digits(150), recipe, validation=validation))
    after = epochs(fit(watched, digits(150), recipe, validation=validation, watch=Watch(eps=0.2, steps=5, images=40)))
    assert equal_weights(plain, watched)
    for blind, seen in zip(before, after, strict=True):
        assert (blind.robust_accuracy, blind.own_loss_accuracy, blind.own_loss_zero_gradient) == (None, None, None)
        assert (blind.loss, blind.accuracy, blind.best) == (seen.loss, seen.accuracy, seen.best)
        assert seen.robust_accuracy is not None and seen.own_loss_accuracy is not None
        assert seen.own_loss_zero_gradient is not None
        assert seen.accuracy * 60 >= seen.robust_accuracy * 40 - 1e-6
    few = validation.subset(40)
    attacked = attack(watched, few.x(), few.labels, PGD(eps=0.2, steps=5, objective="margin"))
    last = max((event for event in after if event.best), key=lambda event: event.epoch)
    assert attacked.accuracy == last.robust_accuracy


@pytest.mark.parametrize("wrong", [{"eps": -1.0}, {"eps": 0.1, "steps": 0}, {"eps": 0.1, "images": 0}])
def test_a_watch_that_means_nothing_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Watch(**wrong)
