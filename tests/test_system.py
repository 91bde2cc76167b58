"""A system: what it answers, what it leaves alone, what it refuses."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tasklab.codecs import ABNORMAL
from tasklab.data import load
from tasklab.models import NetworkSpec, build_network
from tasklab.models.sharing import evaluating
from tasklab.system import System, check_outputs
from tasklab.tasks import INT, RBC, TRA, DeepBE, Task, make_task

TASKS: list[Task] = [TRA(), RBC(), DeepBE(), INT(), INT(gap="floor"), RBC(num_classes=3, S=1)]


class Table(nn.Module):
    """Answers image number n (its first pixel times 1000) with row n."""

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.register_buffer("rows", rows)

    def forward(self, x: Tensor) -> Tensor:
        return self.rows[(x.flatten(1)[:, 0] * 1000).round().long()]


def numbered(n: int) -> Tensor:
    return (torch.arange(n) / 1000).view(n, 1, 1, 1)


def small(task: Task, seed: int = 0) -> System:
    spec = NetworkSpec(arch="small_cnn", in_shape=(1, 8, 8), outputs=task.width, mean=(0.3,), std=(0.3,),
                       scale=task.unit, centre=task.centre, width=4)
    return System(build_network(spec, seed=seed), task)


@settings(max_examples=60)
@given(st.sampled_from(TASKS), st.integers(0, 10_000), st.integers(1, 7))
def test_the_argmax_of_class_scores_is_the_decoder(task: Task, seed: int, batch_size: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    z = task.centre + task.unit * torch.randn(20, task.width, generator=generator)
    z[0], z[1], z[2] = torch.nan, torch.inf, task.centre
    z[3] = z[4].round()
    z[5] = z[5, 0]  # all the same: ties, for those who have several
    system = System(Table(z), task)
    x = numbered(20)
    decoded = task.codec.decode(z)
    assert torch.equal(system.predict(x, batch_size=batch_size), decoded)
    scores = system.class_scores(x)
    assert scores.shape == (20, task.num_classes + 1)
    assert scores.dtype == torch.float32
    assert torch.equal(scores[:, -1], torch.zeros(20))
    by_scores = scores.argmax(dim=1)
    assert torch.equal(torch.where(by_scores == task.num_classes, ABNORMAL, by_scores), decoded)
    assert torch.equal(system.as_logits()(x), scores)
    assert torch.equal(system.margins(x), task.codec.margins(z))
    assert torch.equal(system.read(x, batch_size=batch_size).nan_to_num(7), z.nan_to_num(7))


def test_any_module_with_a_task_is_a_system() -> None:
    system = System(nn.Sequential(nn.Flatten(), nn.Linear(64, 4)), make_task("rbc", S=10))
    assert system.outputs(torch.rand(3, 1, 8, 8)).shape == (3, 4)
    assert system.predict(torch.rand(3, 1, 8, 8)).dtype == torch.int64
    assert repr(system).startswith("System(Sequential, RBC(")


def test_outputs_can_be_differentiated_and_predictions_cost_no_graph() -> None:
    system = small(RBC())
    x = torch.rand(3, 1, 8, 8, requires_grad=True)
    for read in (system.outputs, system.margins, system.class_scores, system.features, system.as_logits()):
        made = read(x)
        assert made.requires_grad
        assert torch.autograd.grad(made.sum(), x)[0].shape == x.shape
    assert not system.read(x).requires_grad
    assert all(p.grad is None for p in system.network.parameters())


def test_no_images_are_no_trouble() -> None:
    for task in TASKS:
        system, nothing = System(nn.Sequential(nn.Flatten(), nn.Linear(64, task.width)), task), torch.zeros(0, 1, 8, 8)
        assert system.predict(nothing).shape == (0,)
        assert system.outputs(nothing).shape == (0, task.width)
        assert system.class_scores(nothing).shape == (0, task.num_classes + 1)


def test_every_flag_is_given_back_and_dropout_is_off() -> None:
    network = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Dropout(0.9), nn.Linear(64, 10), nn.BatchNorm1d(10))
    system = System(network, TRA())
    for mixed in ({1, 2}, {0, 4}, set(), {0, 1, 2, 3, 4}):
        network.train(False)
        for index in mixed:
            network[index].train()
        flags = [m.training for m in network.modules()]
        before = copy.deepcopy(network.state_dict())
        x = torch.rand(5, 1, 8, 8)
        for read in (system.outputs, system.predict, system.class_scores, system.margins, system.as_logits()):
            assert torch.equal(read(x), read(x))
            assert [m.training for m in network.modules()] == flags
        assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    network.train()


    def fail() -> None:
        with evaluating(network):
            assert not any(m.training for m in network.modules())
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        fail()
    assert all(m.training for m in network.modules())


def test_the_scores_module_leaves_the_flags_to_their_owner() -> None:
    system = small(RBC())
    logits = system.as_logits()
    assert not logits.training
    for training in (True, False):
        system.network.train(training)
        logits.train()
        logits.eval()
        assert all(m.training == training for m in system.network.modules())
    again = copy.deepcopy(logits)
    x = torch.rand(2, 1, 8, 8)
    assert torch.equal(again(x), logits(x))
    assert not {p.data_ptr() for p in again.parameters()} & {p.data_ptr() for p in logits.parameters()}
    assert torch.equal(pickle.loads(pickle.dumps(system)).outputs(x), system.outputs(x))


@pytest.mark.parametrize("shape", [(3, 9), (3,), (2, 10), (3, 10, 1)])
def test_outputs_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected outputs of shape \(3, 10\) for task tra, got .*; try a network"):
        check_outputs(torch.zeros(shape), 3, TRA())

    class Two(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x, x

    with pytest.raises(ValueError, match="got tuple"):
        System(Two(), TRA()).outputs(torch.rand(3, 1, 8, 8))


def test_outputs_are_float32_whatever_the_network_makes() -> None:
    class Half(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1)[:, :4].half()

    assert System(Half(), RBC()).outputs(torch.rand(3, 1, 8, 8)).dtype == torch.float32


def test_features_are_the_network_s_or_those_given() -> None:
    x = torch.rand(3, 1, 8, 8)
    system = small(TRA())
    system.network.train()
    features = system.features(x)
    assert features.shape == (3, 128)
    with evaluating(system.network):
        assert torch.equal(features, system.network.forward_features(x))
    assert system.network.training
    plain = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    with pytest.raises(TypeError, match=r"expected a network with forward_features, got Seq.*; try System\(net"):
        System(plain, TRA()).features(x)
    assert torch.equal(System(plain, TRA(), features=lambda x: x.flatten(1)).features(x), x.flatten(1))


def test_a_copy_elsewhere_is_a_copy() -> None:
    system = small(RBC())
    system.card["note"] = "kept"
    other = system.to("cpu")
    x = torch.rand(3, 1, 8, 8)
    assert torch.equal(other.outputs(x), system.outputs(x))
    assert other.card == system.card
    with torch.no_grad():
        next(other.network.parameters()).zero_()
    other.card["note"] = "changed"
    assert not torch.equal(other.outputs(x), system.outputs(x))
    assert system.card["note"] == "kept"
    assert system.to("meta").device.type == "meta"
    assert system.device.type == "cpu"
    assert System(Table(torch.zeros(1, 10)), TRA()).device.type == "cpu"


def test_what_is_no_network_or_task_is_refused() -> None:
    with pytest.raises(TypeError, match=r"expected network as a torch.nn.Module, got function"):
        System(lambda x: x, TRA())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"expected task as a tasklab Task, got str; try make_task"):
        System(nn.Identity(), "rbc")  # type: ignore[arg-type]


def test_a_new_system_fits_its_data() -> None:
    from tasklab.system import new_system

    data = load("digits")
    for task in (TRA(), RBC(), INT(), DeepBE()):
        system = new_system(task, data, width=4, seed=1)
        z = system.read(data.x(slice(0, 50)))
        assert z.shape == (50, task.width)
        assert float((z - task.centre).abs().max()) < 10 * task.unit
        assert torch.equal(z, new_system(task, data, width=4, seed=1).read(data.x(slice(0, 50))))
    with pytest.raises(ValueError, match=r"expected a task with num_classes=10 for digits, got 3; try make_task"):
        new_system(TRA(num_classes=3), data)
