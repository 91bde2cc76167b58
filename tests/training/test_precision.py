"""Large networks: the layout of their weights, and the precision that is timed once and then kept."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import pytest
import torch
from small_runs import digits, equal_weights, system_of, trained, weights, without_seconds

from tasklab.models.network import Network
from tasklab.tasks import RBC
from tasklab.training import Recipe, Run, fit, loop, precision
from tasklab.training.precision import quicker_precision

RECIPE = Recipe(epochs=2, batch_size=30, lr=5e-3, average=0.9)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of any size are large."""
    monkeypatch.setattr(precision, "LARGE", 1)


def timed(monkeypatch: pytest.MonkeyPatch, seconds: dict[str, float]) -> None:
    monkeypatch.setattr(precision, "_time", lambda network, x, precision: seconds[precision])


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize(("bfloat16", "chosen"), [(0.5, "bfloat16"), (0.95, "float32"), (2.0, "float32")])
def test_bfloat16_has_to_be_clearly_quicker(
    bfloat16: float, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed(monkeypatch, {"float32": 1.0, "bfloat16": bfloat16})
    monkeypatch.setattr(precision, "bfloat16_is_supported", lambda device: True)
    assert quicker_precision(system_of(RBC()).network, digits(30).x()) == chosen


def test_a_small_network_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    timed(monkeypatch, {})
    assert quicker_precision(system_of(RBC()).network, digits(30).x()) == "float32"


@pytest.mark.usefixtures("large")
def test_timing_leaves_no_trace() -> None:
    system = system_of(RBC())
    system.network.eval()
    before, state = copy.deepcopy(weights(system)), torch.random.get_rng_state()
    quicker_precision(system.network, digits(30).x())
    assert all(torch.equal(before[name], value) for name, value in weights(system).items())
    assert torch.equal(state, torch.random.get_rng_state())
    assert not system.network.training
    assert all(weight.grad is None for weight in system.network.parameters())


@pytest.mark.usefixtures("large")
def test_a_network_that_cannot_be_timed_is_trained_in_float32() -> None:
    class Broken(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Conv2d(1, 4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise ZeroDivisionError

    assert quicker_precision(Broken(), digits(30).x()) == "float32"


@pytest.mark.usefixtures("large")
def test_what_was_chosen_once_is_kept_when_a_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "quicker_precision", lambda network, x: "bfloat16")
    whole, expected = trained(RBC(), RECIPE, validation=digits(60, "validation"))
    _, seen = trained(RBC(), RECIPE, validation=digits(60, "validation"), run=tmp_path / "run", stop=7)
    assert Run(tmp_path / "run").state()["precision"] == "bfloat16"
    monkeypatch.setattr(loop, "quicker_precision", lambda network, x: "float32")
    again, rest = trained(RBC(), RECIPE, validation=digits(60, "validation"), run=tmp_path / "run")
    assert without_seconds(seen + rest) == without_seconds(expected)
    assert equal_weights(whole, again)
    other, _ = trained(RBC(), RECIPE, validation=digits(60, "validation"))
    assert not equal_weights(whole, other)


@pytest.mark.usefixtures("large")
def test_the_layout_changes_no_value_beyond_rounding_and_is_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = dataclasses.replace(RECIPE, precision="float32", epochs=1)
    laid_out, events = trained(RBC(), recipe)
    monkeypatch.setattr(precision, "LARGE", 10**9)
    plain, expected = trained(RBC(), recipe)
    assert [event.loss for event in events] == pytest.approx([event.loss for event in expected], rel=1e-3)
    for name, value in weights(laid_out).items():
        assert value.is_contiguous()
        torch.testing.assert_close(value, weights(plain)[name], rtol=0.05, atol=1e-3)


@pytest.mark.usefixtures("large")
def test_weights_lie_channels_last_while_a_large_network_is_trained() -> None:
    system = system_of(RBC())
    assert isinstance(system.network, Network)
    events = fit(system, digits(60), dataclasses.replace(RECIPE, precision="float32"))
    next(events)
    convolutions = [weight for weight in system.network.parameters() if weight.ndim == 4]
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in convolutions)
    events.close()
    assert all(weight.is_contiguous() for weight in convolutions)
