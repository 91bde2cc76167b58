"""A training run on two devices, here two processes on the CPU, beside the same run on one."""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tasklab.models.fast import PLAIN
from tasklab.tasks import RBC, TRA
from tasklab.training import Adversarial, EpochEvent, GaussianNoise, Recipe, TrainingDiverged, TrainingEvent, fit
from tests.training.small_runs import digits, system_of, weights

RECIPE = Recipe(epochs=3, batch_size=30, lr=1e-3, average=0.9, crop=1, defence=GaussianNoise(sigma=0.1))


def losses(events: list[TrainingEvent]) -> list[float]:
    return [event.loss for event in events if isinstance(event, EpochEvent)]


def test_two_devices_learn_what_one_learns_though_one_dies_on_the_way(tmp_path: Path) -> None:
    pytest.importorskip("lightning_fabric")
    alone, together = system_of(RBC()), system_of(RBC())
    expected = list(fit(alone, digits(), RECIPE, validation=digits(60, "test")))

    def run() -> list[TrainingEvent]:
        return list(fit(together, digits(), RECIPE, validation=digits(60, "test"), run=tmp_path, devices=2))

    events = fit(together, digits(), RECIPE, validation=digits(60, "test"), run=tmp_path, devices=2)
    for event in events:
        if isinstance(event, EpochEvent):
            multiprocessing.active_children()[-1].kill()
            break
    with pytest.raises(RuntimeError, match="one ended by itself"):
        list(events)
    rest = run()
    assert 0 < len(rest) < len(expected), "it goes on from its checkpoint"
    assert losses(rest) == pytest.approx(losses(expected)[-len(losses(rest)):], rel=1e-5)
    for name, value in weights(alone).items():
        assert torch.allclose(weights(together)[name].double(), value.double(), atol=1e-5), name
    assert not multiprocessing.active_children()
    alike = list(fit(alone, digits(), RECIPE, validation=digits(60, "test"), run=tmp_path))
    assert not alike, "the run is over, for any number of devices"


def test_shares_are_attacked_as_the_whole_batch_is() -> None:
    system, batch = system_of(TRA()), digits(8)
    defence = Adversarial(eps=0.1, steps=2, plan="plain")

    def attacked(share: slice) -> Tensor:
        drawn = torch.Generator().manual_seed(0)
        return defence.apply(system, batch.x(), batch.labels, drawn, PLAIN, share)[0]

    shares = torch.cat([attacked(slice(4)), attacked(slice(4, 8))])
    assert torch.allclose(shares, attacked(slice(None)), atol=1e-5)


def test_an_error_of_the_devices_is_raised_where_the_run_is_followed() -> None:
    pytest.importorskip("lightning_fabric")
    events = fit(system_of(TRA()), digits(60), Recipe(epochs=2, batch_size=20, optimizer="sgd", lr=1e30), devices=2)
    with pytest.raises(TrainingDiverged, match="lr="):
        list(events)


def test_what_cannot_be_shared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="try 32"):
        fit(system_of(TRA()), digits(60), Recipe(batch_size=30), devices=4)
    with pytest.raises(ValueError, match="devices"):
        fit(system_of(TRA()), digits(60), Recipe(batch_size=30), devices=0)
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    with pytest.raises(ValueError, match="Lightning Fabric"):
        next(fit(system_of(TRA()), digits(60), Recipe(batch_size=30), devices=2))
