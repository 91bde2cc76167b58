"""Attacks through a faster copy: what they claim holds in float32 on the network itself."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from tasklab.attacks import FGSM, PGD, Square, attack, runner
from tasklab.data import load
from tasklab.models import NetworkSpec, build_network
from tasklab.models.fast import PLAIN, Plan
from tasklab.system import System
from tasklab.tasks import RBC, TRA, Task

FAST = Plan(fold=True, channels_last=True, precision="bfloat16")
N = 100


def trained(task: Task) -> System:
    """A small network that knows most of the digits, trained for a second."""
    data = load("digits")
    spec = NetworkSpec(arch="small_cnn", in_shape=data.shape, outputs=task.width, mean=data.mean, std=data.std,
                       scale=task.unit, centre=task.centre, width=8)
    network = build_network(spec, seed=0).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))
    for rows in (order.repeat(4)).split(64):
        loss = task.loss(network(data.x(rows)), data.labels[rows]).mean() / task.unit**2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return System(network.eval().requires_grad_(False), task)


@pytest.fixture(scope="module", params=["tra", "rbc"])
def system(request: pytest.FixtureRequest) -> System:
    return trained(TRA() if request.param == "tra" else RBC())


@pytest.mark.parametrize(
    "settings",
    [
        PGD(eps=0.05, steps=5, plan=FAST),
        PGD(eps=0.05, steps=5, plan=FAST, keep="best", objective="bits"),
        PGD(eps=0.05, steps=5, plan=FAST, keep="last"),
        PGD(eps=0.4, steps=5, plan=FAST, norm="l2"),
        FGSM(eps=0.05, plan=FAST),
    ],
    ids=lambda s: f"{s.name}-{s.norm}-{s.keep}",
)
def test_what_a_fast_copy_fools_is_fooled(system: System, settings: PGD) -> None:
    data = load("digits", "test")
    x, y = data.x(slice(0, N)), data.labels[:N]
    fast = attack(system, x, y, settings)
    with torch.no_grad():
        decoded = system.task.codec.decode(system.network(fast.images))
    assert torch.equal(fast.fooled, decoded != y)
    assert fast.plan == FAST
    away = (fast.images - x).flatten(1)
    assert float((away.abs().amax(dim=1) if settings.norm == "linf" else away.norm(dim=1)).max()) <= settings.eps + 1e-6
    plain = attack(system, x, y, type(settings)(**{
        name: getattr(settings, name) for name in ("eps", "norm", "objective", "keep")
    } | ({} if isinstance(settings, FGSM) else {"steps": 5}), plan=PLAIN))
    assert plain.plan == PLAIN
    assert int(plain.fooled.sum()) > 5, "a control"
    assert abs(int(fast.fooled.sum()) - int(plain.fooled.sum())) <= 6
    assert int((fast.fooled != plain.fooled).sum()) <= 10


def test_a_copy_that_claims_too_much_is_not_believed(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load("digits", "test")
    x, y = data.x(slice(0, 40)), data.labels[:40]

    class Liar(torch.nn.Module):
        """The right gradients, and the opposite of every output."""

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            z: torch.Tensor = system.network(images)
            return z - 2 * z.detach()

    for keep in ("first", "best"):
        settings = PGD(eps=0.05, steps=5, objective="bits", keep=keep, plan=PLAIN)  # type: ignore[arg-type]
        honest = attack(system, x, y, settings)
        monkeypatch.setattr(runner, "prepare", lambda network, plan: Liar())
        lied = attack(system, x, y, dataclasses.replace(settings, plan=Plan(fold=True)))
        assert torch.equal(lied.fooled, system.predict(lied.images) != y)
        assert int(honest.fooled.sum()) > 8
        assert int(lied.fooled.sum()) >= int(honest.fooled.sum()) - 2, "no example is given up for a claim"
        assert lied.forwards > honest.forwards, "claims cost a look at the network itself"


def test_a_probe_is_made_for_large_work_alone(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    wanted: list[bool] = []

    def probe(network: torch.nn.Module, x: torch.Tensor, *, gradients: bool) -> Plan:
        asked.append(len(x))
        wanted.append(gradients)
        return FAST

    monkeypatch.setattr(runner, "probe", probe)
    data = load("digits", "test")
    x, y = data.x(slice(0, 10)), data.labels[:10]
    assert attack(system, x, y, PGD(eps=0.05, steps=3)).plan == PLAIN
    assert not asked
    monkeypatch.setattr(runner, "PROBE_WORK", 30)
    assert attack(system, x, y, PGD(eps=0.05, steps=3)).plan == FAST
    assert asked == [10]
    assert attack(system, x, y, PGD(eps=0.05, steps=3, plan=PLAIN)).plan == PLAIN
    assert asked == [10]
    assert attack(system, x[:3], y[:3], Square(eps=0.05, steps=3, tries=16)).plan == FAST
    assert asked == [10, 18], "few images that are many rows are probed as so many rows"
    assert wanted == [True, False], "Square takes no gradient, so none is measured"
