"""The faster copy: the same function in float32, close in bfloat16, and an original that nobody touched."""

from __future__ import annotations

import copy
import threading

import pytest
import torch
from torch import Tensor, nn

from tasklab.models import Network, fast
from tasklab.models.fast import PLAIN, Plan, prepare, probe
from tasklab.models.folding import fold_batchnorm, pool_before_relu
from tasklab.models.rewiring import SubsampledConv2d

ARCHS = ("mlp", "small_cnn", "resnet18", "efficientnet_b0", "densenet121")
FOLDED = Plan(fold=True, channels_last=True)
BF16 = Plan(fold=True, channels_last=True, precision="bfloat16")


def grad(network: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.clone().requires_grad_(True)
    z = network(x)
    return z.detach(), torch.autograd.grad(z[:, 0].sum(), x)[0]


def norms(network: nn.Module) -> int:
    return sum(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in network.modules())


def batch(network: Network, n: int = 2) -> Tensor:
    return torch.rand(n, *network.spec.in_shape, generator=torch.Generator().manual_seed(7))


@pytest.mark.parametrize("arch", ARCHS)
def test_folded_copy_is_the_same_function(make_network, arch: str) -> None:
    network = make_network(arch, scale=10.0)
    x = batch(network)
    fast_copy = prepare(network, FOLDED)
    (z, g), (fast_z, fast_g) = grad(network, x), grad(fast_copy, x)
    assert torch.allclose(fast_z, z, atol=1e-4 * float(z.abs().max()), rtol=1e-4)
    assert float((fast_g - g).norm() / g.norm()) < 1e-2  # a ReLU at its kink may flip
    assert torch.allclose(fast_copy.forward_features(x), network.forward_features(x), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(("arch", "left"), [("small_cnn", 0), ("resnet18", 0), ("efficientnet_b0", 0)])
def test_every_batchnorm_after_a_convolution_is_folded(make_network, arch: str, left: int) -> None:
    network = make_network(arch)
    assert norms(network) > 4
    assert norms(prepare(network, FOLDED)) == left


def test_densenet_keeps_the_batchnorm_that_comes_before_its_convolution(make_network) -> None:
    network = make_network("densenet121")
    # in each of 58 dense layers one of two is foldable, and the stem's; the transitions' and the last are not
    assert norms(network) == 121
    assert norms(prepare(network, FOLDED)) == 121 - 59


@pytest.mark.parametrize("arch", ARCHS)
def test_bfloat16_copy_decodes_mostly_the_same(make_network, arch: str) -> None:
    network = make_network(arch, scale=350.0)
    x = batch(network, 8)
    with torch.no_grad():
        z, coarse = network(x), prepare(network, BF16)(x)
    assert coarse.dtype == torch.float32
    assert float((coarse - z).norm() / z.norm()) < 0.1
    clear = z.abs() > 0.05 * z.abs().max()
    assert ((coarse > 0) == (z > 0))[clear].float().mean() > 0.95


def test_bfloat16_gradient_points_the_same_way(make_network) -> None:
    network = make_network("small_cnn", (1, 28, 28))
    x = batch(network, 8)
    (_, g), (_, fast_g) = grad(network, x), grad(prepare(network, BF16), x)
    assert fast_g.dtype == torch.float32
    assert torch.cosine_similarity(g.flatten(1), fast_g.flatten(1)).min() > 0.9


def test_the_head_stays_in_float32(make_network) -> None:
    network = make_network("small_cnn", (1, 8, 8), scale=350.0)
    fast_copy = prepare(network, BF16)
    assert isinstance(fast_copy, Network)
    assert torch.equal(fast_copy.head.linear.weight, network.head.linear.weight)
    f = fast_copy.forward_features(batch(network))
    assert torch.equal(fast_copy.forward_head(f), network.forward_head(f))
    convs = [m for m in fast_copy.modules() if isinstance(m, nn.Conv2d)]
    assert {m.weight.dtype for m in convs} == {torch.bfloat16}


@pytest.mark.parametrize("plan", [PLAIN, FOLDED, BF16])
@pytest.mark.parametrize("arch", ["small_cnn", "efficientnet_b0"])
def test_the_original_is_untouched_bit_for_bit(make_network, arch: str, plan: Plan) -> None:
    network = make_network(arch)
    network.train()
    network.trunk.eval()  # a mixture of flags, to be kept
    network.head.linear.weight.requires_grad_(False)
    for p in network.trunk.parameters():
        p.grad = torch.ones_like(p)
    flags = [m.training for m in network.modules()]
    state = {k: v.clone() for k, v in [*network.named_parameters(), *network.named_buffers()]}
    strides = [p.stride() for p in network.parameters()]
    layers = [(name, id(m)) for name, m in network.named_modules()]
    frozen = [p.requires_grad for p in network.parameters()]
    rng = torch.get_rng_state()
    fast_copy = prepare(network, plan)
    grad(fast_copy, batch(network))
    if plan == PLAIN:
        probe(network, batch(network, 16))
    assert [m.training for m in network.modules()] == flags
    assert all(torch.equal(v, state[k]) for k, v in [*network.named_parameters(), *network.named_buffers()])
    assert [p.stride() for p in network.parameters()] == strides
    assert [(name, id(m)) for name, m in network.named_modules()] == layers
    assert [p.requires_grad for p in network.parameters()] == frozen
    assert all(torch.equal(p.grad, torch.ones_like(p)) for p in network.trunk.parameters())
    assert torch.equal(torch.get_rng_state(), rng)
    ours = {p.data_ptr() for p in network.parameters()}
    assert not any(p.data_ptr() in ours or p.requires_grad or p.grad is not None for p in fast_copy.parameters())
    assert not any(m.training for m in fast_copy.modules())


def test_plain_is_a_frozen_copy_with_equal_outputs(make_network) -> None:
    network = make_network("resnet18")
    x = batch(network)
    (z, g), (plain_z, plain_g) = grad(network, x), grad(prepare(network, PLAIN), x)
    assert torch.allclose(plain_z, z, atol=1e-6)
    assert torch.allclose(plain_g, g, atol=1e-6)


class Branching(nn.Module):
    """Control flow on the data around a traceable part."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(1, 3, 3, bias=False), nn.BatchNorm2d(3))
        self.outer = nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.inner(x)
        if y.sum() > 1e9:
            y = y * 2
        return self.outer(y).mean((2, 3)).half()


class Shared(nn.Module):
    """One convolution, two consumers: folding its BatchNorm would change the other path."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return (self.bn(y) + y).mean((2, 3))


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(1, 1, 3, padding=1), nn.BatchNorm2d(1)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(self.bn(self.conv(x)))).mean((2, 3))


@pytest.mark.parametrize(("module", "left"), [(Branching(), 1), (Shared(), 1), (Twice(), 1)])
def test_other_peoples_modules_fold_where_it_is_safe(module: nn.Module, left: int) -> None:
    module.eval()
    for m in module.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.uniform_(-1, 1)
            m.running_var.uniform_(0.5, 2)
    x = torch.rand(4, 1, 8, 8)
    fast_copy = prepare(module, FOLDED)
    assert norms(fast_copy) == left
    z = fast_copy(x)
    assert z.dtype == torch.float32
    assert torch.allclose(z, module(x).float(), atol=2e-3)
    assert prepare(module, BF16)(x).dtype == torch.float32


def test_folding_without_affine_weights_and_with_a_linear_layer() -> None:
    net = nn.Sequential(nn.Linear(5, 4, bias=False), nn.BatchNorm1d(4, affine=False), nn.ReLU(), nn.Linear(4, 2)).eval()
    net[1].running_mean.uniform_(-1, 1)
    net[1].running_var.uniform_(0.5, 2)
    folded = copy.deepcopy(net).requires_grad_(False)
    assert fold_batchnorm(folded) == 1
    x = torch.randn(6, 5)
    assert torch.allclose(folded(x), net(x), atol=1e-6)


def test_batchnorm_that_cannot_be_folded_is_left() -> None:
    no_statistics = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, track_running_stats=False)).eval()
    training = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    hooked = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).eval()
    hooked[0].register_forward_hook(lambda *_: None)
    assert [fold_batchnorm(net) for net in (no_statistics, training, hooked)] == [0, 0, 0]


def test_folding_sees_through_layers_that_change_nothing() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Identity(), nn.Identity(), nn.BatchNorm2d(2)).eval()
    assert fold_batchnorm(net) == 1


def test_folding_leaves_the_networks_of_other_threads_alone(make_network) -> None:
    """torch.fx stands between all networks and their calls while it traces one, and two that trace leave it there."""
    began, goes_on = threading.Event(), threading.Event()

    class Slow(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            began.set()
            assert goes_on.wait(60)
            return super().forward(x)

    def slow() -> nn.Module:
        return Slow(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)).eval()

    network, module_call = make_network("small_cnn"), nn.Module.__call__
    x = batch(network)
    expected, folded = grad(network, x), []
    threads = [threading.Thread(target=lambda: folded.append(fold_batchnorm(slow()))) for _ in range(2)]
    for each in threads:
        each.start()
    assert began.wait(60)
    try:
        result = grad(network, x)
    finally:
        goes_on.set()
        for each in threads:
            each.join()
    assert all(torch.equal(one, other) for one, other in zip(result, expected, strict=True))
    assert folded == [1, 1] and nn.Module.__call__ is module_call


def test_pool_before_relu_keeps_outputs_and_gradients_exactly() -> None:
    net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
    swapped = copy.deepcopy(net)
    assert pool_before_relu(swapped) == 1
    x = torch.randn(4, 1, 8, 8)
    (z, g), (z2, g2) = grad(net, x), grad(swapped, x)
    assert torch.equal(z, z2)
    assert torch.allclose(g, g2, atol=1e-7)


def test_both_pools_of_the_small_cnn_come_before_their_relu(make_network) -> None:
    assert pool_before_relu(make_network("small_cnn")) == 2


@pytest.mark.parametrize(("kernel", "side"), [(3, 8), (5, 8), (3, 7), (5, 9)])
def test_subsampled_convolution_is_the_strided_one(kernel: int, side: int) -> None:
    conv = nn.Conv2d(6, 6, kernel, stride=2, padding=kernel // 2, groups=6)
    other = SubsampledConv2d(copy.deepcopy(conv))
    x = torch.randn(2, 6, side, side)
    (z, g), (z2, g2) = grad(conv, x), grad(other, x)
    assert torch.allclose(z, z2, atol=1e-6)
    assert torch.allclose(g, g2, atol=1e-6)


def test_probe_is_plain_for_small_batches_and_networks_without_convolutions(make_network) -> None:
    cnn, mlp = make_network("small_cnn", (1, 8, 8)), make_network("mlp")
    assert probe(cnn, batch(cnn, 4)) == PLAIN
    assert probe(mlp, batch(mlp, 64)) == PLAIN


def test_probe_remembers_its_choice(make_network, monkeypatch) -> None:
    network, calls = make_network("small_cnn", (1, 8, 8)), []
    monkeypatch.setattr(fast, "_chosen", {})
    monkeypatch.setattr(fast, "_measure", lambda net, x, gradients: calls.append(x.shape) or FOLDED)
    with torch.no_grad():
        assert probe(network, batch(network, 64)) == FOLDED
    assert probe(copy.deepcopy(network), batch(network, 40)) == FOLDED
    assert calls == [(32, 1, 8, 8)]
    probe(make_network("small_cnn", (1, 8, 8), width=16), batch(network, 64))
    assert len(calls) == 2


def test_probe_takes_the_faster_plan_if_it_is_worth_it(make_network, monkeypatch) -> None:
    network = make_network("small_cnn", (1, 8, 8))
    x, z = batch(network, 32), torch.ones(16, 4)

    def choose(seconds: dict[Plan, float], outputs: dict[Plan, Tensor] | None = None) -> Plan:
        monkeypatch.setattr(fast, "prepare", lambda _net, plan: plan)
        monkeypatch.setattr(fast, "_time", lambda plan, _x, _gradients: ((outputs or {}).get(plan, z), seconds[plan]))
        monkeypatch.setattr(fast, "bfloat16_is_supported", lambda _device: True)
        return fast._measure(network, x, True)

    assert choose({PLAIN: 0.1, FOLDED: 0.085, BF16: 0.07}) == PLAIN
    assert choose({PLAIN: 0.1, FOLDED: 0.08, BF16: 0.06}) == BF16
    assert choose({PLAIN: 0.1, FOLDED: 0.06, BF16: 0.058}) == FOLDED
    assert choose({PLAIN: 0.1, FOLDED: 0.06, BF16: 0.03}) == BF16
    assert choose({PLAIN: 0.1, FOLDED: 0.06, BF16: 0.03}, {FOLDED: z + 0.01}) == PLAIN  # a wrong fold spoils both
    assert choose({PLAIN: 0.1, FOLDED: 0.06, BF16: 0.03}, {BF16: z * float("nan")}) == FOLDED


def test_probe_measures_for_real(make_network) -> None:
    network = make_network("small_cnn", (1, 8, 8))
    x = batch(network, 16)
    with torch.no_grad():
        assert probe(network, x) in fast.CANDIDATES
    assert not x.requires_grad


def test_plan_and_device_errors_are_explained(make_network) -> None:
    with pytest.raises(ValueError, match="bfloat16"):
        Plan(precision="int8")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="accelerator"):
        prepare(make_network("mlp"), Plan(precision="float16"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("arch", ARCHS)
def test_fast_copies_agree_on_a_gpu(make_network, arch: str) -> None:
    network = make_network(arch).cuda()
    x = batch(network, 32).cuda()
    with torch.no_grad():
        z = network(x)
        for plan in (FOLDED, BF16, Plan(fold=True, channels_last=True, precision="float16")):
            fast_z = prepare(network, plan)(x)
            assert fast_z.dtype == torch.float32
            assert float((fast_z - z).norm() / z.norm()) < (0.01 if plan == FOLDED else 0.1)
    assert probe(network, x) in fast.CANDIDATES
    network.cpu()
