"""Starting from a fitted system: its trunk, and its head or a better one than a fresh one."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from small_runs import digits, system_of
from torch import nn

from tasklab.data import load
from tasklab.models.network import Network
from tasklab.system import System
from tasklab.tasks import ECOC, INT, RBC, TRA, DeepBE, Task
from tasklab.training import Recipe, fit, start_from, starting
from tasklab.training.starting import least_squares, logistic_regression
from tasklab.zoo import load as load_system

TASKS: dict[str, Task] = {"rbc": RBC(S=10), "deepbe": DeepBE(), "int": INT(), "ecoc": ECOC(), "tra": TRA()}


def network(system: System) -> Network:
    assert isinstance(system.network, Network)
    return system.network


@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(1, 3))
def test_least_squares_finds_a_linear_map_that_is_there(seed: int, features: int, outputs: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    f = torch.randn(200, features, generator=generator, dtype=torch.float64)
    weight = torch.randn(outputs, features, generator=generator, dtype=torch.float64)
    bias = torch.randn(outputs, generator=generator, dtype=torch.float64)
    result, offset = least_squares(f, f @ weight.T + bias)
    torch.testing.assert_close(result, weight, rtol=0.02, atol=0.01)
    torch.testing.assert_close(offset, bias, rtol=0.02, atol=0.01)


def test_least_squares_bears_features_that_say_nothing() -> None:
    weight, bias = least_squares(torch.ones(5, 3, dtype=torch.float64), torch.arange(5.0, dtype=torch.float64)[:, None])
    torch.testing.assert_close(weight, torch.zeros(1, 3, dtype=torch.float64))
    torch.testing.assert_close(bias, torch.tensor([2.0], dtype=torch.float64))


@pytest.mark.parametrize("name", TASKS)
def test_the_trunk_is_kept_and_the_base_untouched(name: str) -> None:
    base = load_system("digits-tra")
    before = copy.deepcopy(base.network.state_dict())
    started = start_from(base, TASKS[name], digits(1000))
    assert started.task == TASKS[name]
    for key, value in network(started).trunk.state_dict().items():
        assert torch.equal(value, network(base).trunk.state_dict()[key])
    network(started).requires_grad_(True)
    for _ in fit(started, digits(100), Recipe(epochs=1, batch_size=50)):
        pass
    assert all(torch.equal(before[key], value) for key, value in base.network.state_dict().items())


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("base", ["digits-tra", "digits-rbc"])
def test_a_head_that_was_fitted_is_right_at_once_where_a_fresh_one_guesses(name: str, base: str) -> None:
    test = load("digits", "test")
    started = start_from(load_system(base), TASKS[name], digits(1000))
    assert float((started.predict(test.x()) == test.labels).float().mean()) > 0.9
    network(started).head.linear.reset_parameters()
    assert float((started.predict(test.x()) == test.labels).float().mean()) < 0.6


@pytest.mark.parametrize("present", [(0,), (2, 5), (1, 3, 4)])
def test_logistic_regression_never_answers_with_a_class_that_it_has_not_seen(present: tuple[int, ...]) -> None:
    labels = torch.tensor(present).repeat(40)
    features = torch.eye(6, dtype=torch.float64)[labels] + 0.1 * torch.randn(len(labels), 6, dtype=torch.float64)
    weight, bias = logistic_regression(features, labels, 6)
    assert torch.equal((features @ weight.T + bias).argmax(dim=1), labels)


def test_logistic_regression_gives_the_probabilities_of_scikit_learn() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(300, 4, generator=generator, dtype=torch.float64)
    for classes in (2, 3):
        labels = (features[:, 0] + 0.5 * torch.randn(300, generator=generator)).sign().long() + 1 \
            if classes == 3 else (features[:, 0] > 0).long()
        weight, bias = logistic_regression(features, labels, classes)
        ours = (features @ weight.T + bias).softmax(dim=1)
        present = sorted(set(labels.tolist()))
        theirs = LogisticRegression(max_iter=200).fit(features / features.std(), labels).predict_proba(
            features / features.std())
        torch.testing.assert_close(ours[:, present], torch.from_numpy(theirs), rtol=1e-3, atol=1e-3)


def test_steps_that_end_before_the_optimum_are_no_reason_to_warn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "ITERATIONS", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        start_from(load_system("digits-tra"), INT(), digits(100))


def test_levels_are_as_sharp_as_they_can_be_with_a_gradient_left() -> None:
    """Softmax's gradient must not vanish: it would hide the system from every attack that follows one."""
    data = digits(1000)
    started = start_from(load_system("digits-tra"), INT(), data)
    scores = network(started).head.linear(started.features(data.x()))
    best = scores.detach().topk(2, dim=1).values
    assert float((best[:, 0] - best[:, 1]).quantile(0.99)) < 90
    x = data.x().requires_grad_(True)
    (gradient,) = torch.autograd.grad(started.outputs(x).sum(), x)
    assert bool((gradient.flatten(1).abs().amax(dim=1) > 0).all())


def test_the_head_is_kept_where_the_task_is_the_same() -> None:
    base = load_system("digits-rbc")
    same, other = start_from(base, base.task, digits(100)), start_from(base, RBC(S=5), digits(100))
    assert torch.equal(same.read(digits(50).x()), base.read(digits(50).x()))
    assert not torch.equal(network(other).head.linear.weight, network(base).head.linear.weight)


def test_what_is_frozen_stays_frozen() -> None:
    base = load_system("digits-tra")  # all of it is frozen, as read
    started = start_from(base, RBC(), digits(300))
    before = copy.deepcopy(network(started).state_dict())
    for _ in fit(started, digits(300), Recipe(epochs=2, batch_size=50)):
        pass
    changed = {name for name, value in network(started).state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"head.linear.weight", "head.linear.bias"}


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a system with a tasklab Network to start from, got Sequential"):
        start_from(System(nn.Sequential(nn.Flatten(), nn.Linear(64, 4)), RBC()), RBC(), digits(50))
    with pytest.raises(ValueError, match=r"expected images of shape \(1, 28, 28\) for the system to start from"):
        start_from(load_system("mnist-rbc"), RBC(), digits(50))
    with pytest.raises(ValueError, match="expected a task with num_classes=10 for digits, got 7"):
        start_from(system_of(RBC()), TRA(num_classes=7), digits(50))
    with pytest.raises(ValueError, match="expected images to fit a head to, got none of digits"):
        start_from(system_of(RBC()), TRA(), digits(0))
    spoiled = system_of(RBC())
    with torch.no_grad():
        next(spoiled.network.parameters()).fill_(torch.nan)
    for task in (INT(), DeepBE(), TRA()):
        with pytest.raises(ValueError, match="got one whose features are not finite numbers"):
            start_from(spoiled, task, digits(50))
