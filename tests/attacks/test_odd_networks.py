"""Networks that others bring: without a gradient, in place, refusing copies, overflowing."""

from __future__ import annotations

import logging
import threading

import pytest
import torch
from torch import Tensor, nn

from tasklab.attacks import APGD, CW, FAB, FGSM, PGD, HopSkipJump, Noise, Settings, Square, attack
from tasklab.evaluation import evaluate
from tasklab.evaluation.honesty import assess
from tasklab.models import fast
from tasklab.models.fast import PLAIN, Plan, probe
from tasklab.system import System
from tasklab.tasks import TRA

CLASSES = 5


class Small(nn.Module):
    """A convolution and a linear layer on 8×8 images."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.conv, self.head = nn.Conv2d(1, 4, 3), nn.Linear(144, CLASSES)
        with torch.no_grad():
            self.head.weight.mul_(8)

    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.head(torch.relu(self.conv((x - 0.5) / 0.5)).flatten(1))
        return z


class InPlace(Small):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.conv(x.sub_(0.5).div_(0.5))).flatten(1))  # type: ignore[no-any-return]


class Detached(Small):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).detach()


class ThroughNumPy(Small):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(torch.from_numpy(x.numpy().copy()))


class Locked(Small):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class Keeping(Small):
    """It keeps an activation, which is no leaf."""

    def forward(self, x: Tensor) -> Tensor:
        self.kept = super().forward(x * self.conv.weight.mean().exp() ** 0)
        return self.kept


class OldWeightNorm(Small):
    def __init__(self) -> None:
        super().__init__()
        nn.utils.weight_norm(self.conv)
        self.conv(torch.zeros(1, 1, 8, 8))


class Overflowing(Small):
    """Its outputs are finite, and its gradient is not a number."""

    def forward(self, x: Tensor) -> Tensor:
        z = super().forward(x)
        return z + (0 * x.flatten(1).sum(dim=1, keepdim=True)).abs().sqrt()


EVERY: list[Settings] = [
    FGSM(eps=0.1), PGD(eps=0.1, steps=20), APGD(eps=0.1, steps=20), Square(eps=0.1, steps=20), Noise(eps=0.1, steps=20),
    FAB(steps=6), CW(steps=24), HopSkipJump(steps=2, samples=10, tries=8),
]
BLIND = (Square, Noise, HopSkipJump)
each = pytest.mark.parametrize("settings", EVERY, ids=lambda s: s.name)


@pytest.fixture(autouse=True)
def _no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "_chosen", {})


def sample(n: int = 64) -> Tensor:
    return torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def labelled(network: nn.Module, n: int = 64) -> tuple[System, Tensor, Tensor]:
    """64 images are enough for a probe."""
    system, images = System(network, TRA(num_classes=CLASSES)), sample(n)
    return system, images, system.predict(images)




@each
@pytest.mark.parametrize("kind", [Locked, Keeping, OldWeightNorm])
def test_a_network_that_refuses_copies_is_attacked_as_given(
    kind: type[Small], settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    plain, images, labels = labelled(Small())
    system = System(kind(), plain.task)
    system.predict(images)  # so that there is an activation to keep
    expected, result = attack(plain, images, labels, settings), attack(system, images, labels, settings)
    assert result.plan == PLAIN or kind is OldWeightNorm
    assert int(expected.fooled.sum()) > 0, "a control"
    if not isinstance(settings, HopSkipJump):  # its walk hangs on the last bits of the outputs
        assert abs(int(result.fooled.sum()) - int(expected.fooled.sum())) <= 3
    assert len(caplog.records) <= 1, [record.getMessage() for record in caplog.records]


def test_a_failed_speed_up_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    network = Locked()
    for _ in range(3):
        assert probe(network, sample()) == PLAIN
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "Locked runs as given" in record.getMessage()
    images = sample()
    caplog.clear()
    result = attack(System(network, TRA(num_classes=CLASSES)), images, torch.zeros(64, dtype=torch.int64),
                    PGD(eps=0.1, steps=2, plan=Plan(fold=True)))
    assert result.plan == PLAIN
    assert len(caplog.records) == 1


@each
@pytest.mark.parametrize("kind", [Detached, ThroughNumPy])
def test_a_network_without_a_gradient_is_read_and_flagged(kind: type[Small], settings: Settings) -> None:
    plain, images, labels = labelled(Small())
    system = System(kind(), plain.task)
    assert torch.equal(system.predict(images), labels)
    result = attack(system, images, labels, settings)
    if isinstance(settings, BLIND):
        assert not bool(result.zero_gradient.any())
        assert torch.equal(result.fooled, attack(plain, images, labels, settings).fooled)
    else:
        assert bool(result.zero_gradient.all())
        assert not bool(result.nonfinite_gradient.any())
    _, row = evaluate(system, (images, labels), [settings])
    assert row.masked is not isinstance(settings, BLIND)


def test_an_error_of_the_network_itself_is_not_hidden() -> None:
    class Broken(Small):
        def forward(self, x: Tensor) -> Tensor:
            if x.requires_grad or len(x) == 3:
                raise RuntimeError("no such thing")
            return super().forward(x)

    system = System(Broken(), TRA(num_classes=CLASSES))
    with pytest.raises(RuntimeError, match="no such thing"):
        attack(system, sample(3), torch.zeros(3, dtype=torch.int64), PGD(eps=0.1, steps=2))


@each
def test_a_network_that_works_in_place_is_the_network_that_does_not(settings: Settings) -> None:
    plain, images, labels = labelled(Small())
    system, given = System(InPlace(), plain.task), images.clone()
    assert torch.equal(system.predict(images), labels)
    assert torch.equal(images, given)
    expected, result = attack(plain, images, labels, settings), attack(system, images, labels, settings)
    assert torch.equal(images, given)
    assert torch.equal(result.fooled, expected.fooled)
    assert float(result.images.min()) >= 0
    assert float(result.images.max()) <= 1
    if not isinstance(settings, HopSkipJump):
        assert torch.allclose(result.images, expected.images, atol=1e-5)


@each
def test_a_first_layer_in_place_leaves_the_images_alone(settings: Settings) -> None:
    network = nn.Sequential(nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(64, CLASSES))
    twin = nn.Sequential(nn.ReLU(), *network[1:])
    plain, images, labels = labelled(twin)
    given = images.clone()
    result = attack(System(network, plain.task), images, labels, settings)
    assert torch.equal(images, given)
    assert torch.equal(result.fooled, attack(plain, images, labels, settings).fooled)


@pytest.mark.parametrize("settings", [s for s in EVERY if not isinstance(s, BLIND)], ids=lambda s: s.name)
def test_a_gradient_that_is_not_a_number_is_not_called_zero(settings: Settings) -> None:
    system, images, labels = labelled(Overflowing())
    result = attack(system, images, labels, settings)
    assert bool(result.nonfinite_gradient.all())
    assert not bool(result.zero_gradient.any())
    assert bool(result.images.isfinite().all())
    assert result.summary()["nonfinite_gradient_share"] == 1.0
    assert result.summary()["zero_gradient_share"] == 0.0


def test_an_overflow_has_a_flag_and_a_sentence() -> None:
    system, images, labels = labelled(Overflowing())
    _, row = evaluate(system, (images, labels), [PGD(eps=0.1, steps=4)])
    assert "not a number" in row.flags
    assert not row.masked
    assessment = assess(row, [], num_classes=CLASSES)
    (check,) = (check for check in assessment.checks if check.name == "not a number")
    assert check.level == "fail"
    assert "overflows" in check.sentence
    sound = labelled(Small())
    _, row = evaluate(sound[0], sound[1:], [PGD(eps=0.1, steps=4)])
    assert not row.flags
    assert next(c for c in assess(row, [], num_classes=CLASSES).checks if c.name == "not a number").level == "pass"


class InferenceOnly(Small):
    """It refuses to run where a gradient is wanted, in a way of its own."""

    def forward(self, x: Tensor) -> Tensor:
        assert not torch.is_grad_enabled(), "inference only"
        return super().forward(x)


class NoBackward(Small):
    """Its forward works, and its backward raises: autograd refuses a result that was overwritten."""

    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.head(torch.sigmoid(self.conv(x)).mul_(2).flatten(1))
        return z


@each
@pytest.mark.parametrize("kind", [InferenceOnly, NoBackward])
def test_whatever_refuses_a_gradient_is_a_network_without_one(
    kind: type[Small], settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    system, images, labels = labelled(kind())
    result = attack(system, images, labels, settings)
    assert bool(result.zero_gradient.all()) is not isinstance(settings, BLIND)
    assert len(caplog.records) <= 2, [record.getMessage() for record in caplog.records]


def test_a_copy_that_is_the_network_itself_changes_nothing_of_it() -> None:
    class Shared(Small):
        def __deepcopy__(self, memo: dict[int, object]) -> Shared:
            return self

    network = Shared().train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    system, images, labels = labelled(network)
    assert attack(system, images, labels, PGD(eps=0.1, steps=20)).plan == PLAIN
    assert network.training and all(p.requires_grad for p in network.parameters())
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_an_objective_that_works_in_place_sees_a_copy() -> None:
    def in_place(task: TRA, z: Tensor, y: Tensor) -> Tensor:
        return -z.neg_().neg_().mul_(2).gather(1, y[:, None]).squeeze(1)

    def as_it_is(task: TRA, z: Tensor, y: Tensor) -> Tensor:
        return -2 * z.gather(1, y[:, None]).squeeze(1)

    system, images, labels = labelled(Small())
    one, other = (attack(system, images, labels, PGD(eps=0.1, steps=4, objective=f)) for f in (in_place, as_it_is))
    assert torch.equal(one.images, other.images)
    assert torch.equal(one.fooled, other.fooled)
