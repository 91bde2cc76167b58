"""The network: spec validation, seeded building, features and head, the head's exactness."""

from __future__ import annotations

import json
import threading

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tasklab.models import ARCHITECTURES, Network, NetworkSpec, build_network
from tasklab.models.network import ContrastStretch, Head, seeded
from tasklab.tasks import INT


def make_spec(arch: str = "small_cnn", shape: tuple[int, ...] | None = None, **settings: object) -> NetworkSpec:
    shape = shape or ((2,) if arch == "mlp" else (1, 28, 28))
    base: dict[str, object] = {"outputs": 4, "mean": (0.4,) * shape[0], "std": (0.3,) * shape[0]}
    return NetworkSpec(arch=arch, in_shape=shape, **{**base, **settings})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"arch": "resnet19"}, "mlp, small_cnn"),
        ({"in_shape": (28, 28)}, r"\(C, H, W\)"),
        ({"in_shape": (2, 28, 28)}, "1 or 3 channels"),
        ({"in_shape": (1, 7, 28)}, "8 to 64"),
        ({"in_shape": (1, 28, 65)}, "8 to 64"),
        ({"outputs": 0}, "outputs >= 1"),
        ({"width": 0}, "width >= 1"),
        ({"mean": (0.1, 0.2)}, "1 value"),
        ({"std": (0.1, 0.2)}, "1 value"),
        ({"std": (0.0,)}, "std above 0"),
        ({"mean": (float("nan"),)}, "finite"),
        ({"scale": 0.0}, "other than 0"),
        ({"contrast": (0.7, 0.3)}, "low < high"),
        ({"contrast": (0.3, 0.5, 0.7)}, "low < high"),
        ({"contrast": (-0.1, 0.7)}, "0 <= low"),
        ({"arch": "mlp"}, r"\(D,\)"),
    ],
)
def test_spec_refuses_with_a_reason(change: dict[str, object], words: str) -> None:
    good = {"arch": "small_cnn", "in_shape": (1, 28, 28), "outputs": 4, "mean": (0.1,), "std": (0.3,)}
    NetworkSpec(**good)  # type: ignore[arg-type]  # the control
    with pytest.raises(ValueError, match=words):
        NetworkSpec(**{**good, **change})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change", [{"outputs": 2.5}, {"in_shape": 28}, {"mean": 0.5}, {"scale": "350"}, {"width": True}, {"arch": 3},
               {"contrast": 0.3}, {"contrast": ("a", "b")}]
)
def test_spec_refuses_wrong_types(change: dict[str, object]) -> None:
    good = {"arch": "small_cnn", "in_shape": (1, 28, 28), "outputs": 4, "mean": (0.1,), "std": (0.3,)}
    with pytest.raises((TypeError, ValueError), match="expected"):
        NetworkSpec(**{**good, **change})  # type: ignore[arg-type]


def test_spec_round_trips_through_json_exactly() -> None:
    spec = make_spec(shape=(3, 32, 32), mean=(0.1, 1 / 3, 0.7), std=(0.2, 0.3, 1e-3), scale=350.0, centre=0.1, width=48,
                     contrast=(0.25, 0.75))
    back = NetworkSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert back == spec
    assert hash(back) == hash(spec)


def test_from_dict_names_unknown_and_missing_keys() -> None:
    data = make_spec().to_dict()
    with pytest.raises(ValueError, match="unknown depth"):
        NetworkSpec.from_dict({**data, "depth": 3})
    del data["std"]
    with pytest.raises(ValueError, match="none for std"):
        NetworkSpec.from_dict(data)


def test_same_seed_same_weights_and_the_global_state_is_untouched() -> None:
    before = torch.get_rng_state()
    first, again, other = (build_network(make_spec(), seed=s) for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    a, b, c = first.state_dict(), again.state_dict(), other.state_dict()
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not torch.equal(a["head.linear.weight"], c["head.linear.weight"])
    torch.manual_seed(5)
    unseeded = build_network(make_spec()).state_dict()
    torch.manual_seed(5)
    assert torch.equal(unseeded["trunk.0.weight"], build_network(make_spec()).state_dict()["trunk.0.weight"])


def test_a_seed_is_one_threads_alone() -> None:
    with seeded(3):
        alone = torch.rand(2, 4)
    names, inside, goes_on = [], threading.Event(), threading.Event()

    def other() -> None:
        with seeded(5):
            inside.set()
            assert goes_on.wait(60)

    between, before = threading.Thread(target=other), torch.get_rng_state()
    with seeded(3):
        names.append(torch.rand(4))
        between.start()
        inside.wait(0.2)  # in vain: it waits
        names.append(torch.rand(4))
    goes_on.set()
    between.join()
    assert torch.equal(torch.stack(names), alone) and torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 9, 11)])
def test_small_cnn_takes_small_images(shape: tuple[int, ...]) -> None:
    network = build_network(make_spec(shape=shape), seed=0).eval()
    x = torch.rand(3, *shape)
    assert network.forward_features(x).shape == (3, 128)
    assert network(x).shape == (3, 4)


def test_small_cnn_fits_a_file_of_a_megabyte() -> None:
    for width in (32, 64):
        network = build_network(make_spec(width=width, outputs=10), seed=0)
        assert sum(p.numel() for p in network.parameters()) * 2 < 1_000_000
        assert all(p.is_contiguous() for p in network.parameters())


@pytest.mark.parametrize("arch", ["mlp", "small_cnn"])
def test_features_then_head_is_forward(arch: str) -> None:
    network = build_network(make_spec(arch, scale=350.0), seed=0).eval()
    x = torch.rand(5, *network.spec.in_shape)
    features = network.forward_features(x)
    assert features.shape == (5, network.num_features)
    assert torch.equal(network.forward_head(features), network(x))


def test_normalisation_is_per_channel() -> None:
    network = build_network(make_spec(shape=(3, 8, 8), mean=(0.1, 0.2, 0.3), std=(1.0, 2.0, 4.0)))
    out = network.normalise(torch.full((1, 3, 8, 8), 0.5))
    assert torch.allclose(out[0, :, 0, 0], torch.tensor([0.4, 0.15, 0.05]))


def test_contrast_is_stretched_before_the_normalisation() -> None:
    plain, stretched = (build_network(make_spec(contrast=c), seed=0).eval() for c in (None, (0.3, 0.7)))
    x = torch.rand(4, 1, 28, 28)
    curve = 0.02 * x + 0.98 * ((x - 0.3) / 0.4).clamp(0, 1)
    assert torch.allclose(stretched(x), plain(curve), atol=1e-6)
    assert not torch.allclose(stretched(x), plain(x), atol=1e-3)
    assert stretched.state_dict().keys() == plain.state_dict().keys()


@given(st.floats(0, 0.98), st.floats(0.01, 1))
def test_stretched_contrast_is_nowhere_flat_and_stays_in_the_range(low: float, length: float) -> None:
    stretch = ContrastStretch(low, min(1.0, low + length))
    x = torch.linspace(0, 1, 501, requires_grad=True)
    y = stretch(x)
    slope, = torch.autograd.grad(y.sum(), x)
    assert slope.min().item() >= 0.02 - 1e-6
    assert (y.min().item(), y.max().item()) == pytest.approx((0, 1), abs=1e-4)
    assert (y.detach().diff() > 0).all()


def test_gradient_through_stretched_contrast_has_the_sign_of_the_one_behind_it() -> None:
    network = build_network(make_spec(contrast=(0.3, 0.7)), seed=0).eval()
    x = torch.rand(4, 1, 28, 28, requires_grad=True)
    curve = network.contrast(x).detach().requires_grad_(True)
    through, = torch.autograd.grad(network(x).sum(), x)
    behind, = torch.autograd.grad(network.head(network.trunk(network.normalise(curve))).sum(), curve)
    assert torch.equal(through.sign(), behind.sign())


def test_wrong_batch_shape_is_explained() -> None:
    network = build_network(make_spec())
    for x in (torch.rand(2, 3, 28, 28), torch.rand(1, 28, 28), torch.rand(2, 784)):
        with pytest.raises(ValueError, match=r"\(N, 1, 28, 28\)"):
            network(x)


def test_head_scale_and_centre_are_exact_and_not_weights() -> None:
    network = build_network(make_spec(scale=350.0, centre=0.5), seed=0).eval()
    f = torch.randn(6, network.num_features)
    h = torch.nn.functional.linear(f, network.head.linear.weight, network.head.linear.bias)
    assert torch.equal(network.forward_head(f), 350.0 * h + 0.5)
    settings = {"normalise.mean", "normalise.std", "head.scale", "head.centre"}
    assert settings <= {name for name, _ in network.named_buffers()}
    assert not settings & set(network.state_dict())


def test_head_stays_in_float32_under_autocast() -> None:
    head = Head(16, 4, scale=350.0)
    f = torch.randn(8, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z = head(f)
        coarse = 350 * torch.nn.functional.linear(f, head.linear.weight, head.linear.bias).float()
    assert z.dtype == torch.float32
    assert torch.equal(z, head(f))
    assert (z - coarse).abs().max() > 0.1  # the control: autocast would have rounded


@pytest.mark.parametrize("arch", ["mlp", "small_cnn"])
def test_outputs_start_within_a_unit_or_so(arch: str) -> None:
    network = build_network(make_spec(arch, outputs=10, scale=350.0), seed=3)
    h = network(torch.rand(64, *network.spec.in_shape)) / 350.0
    assert h.abs().max() < 5
    assert h.std() > 1e-3


def test_every_architecture_is_listed_under_its_own_name() -> None:
    assert all(name == a.name and a.title and a.description for name, a in ARCHITECTURES.items())


def test_build_network_wants_a_spec() -> None:
    with pytest.raises(TypeError, match="NetworkSpec"):
        build_network({"arch": "mlp"})  # type: ignore[arg-type]
    assert isinstance(build_network(make_spec("mlp")), Network)


@given(st.integers(0, 10_000), st.integers(2, 6))
def test_with_levels_the_output_is_their_average_by_softmax(seed: int, count: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    levels = torch.randn(count, generator=generator)
    head, f = Head(5, 1, scale=2.0, centre=1.0, levels=tuple(levels.tolist())), torch.randn(7, 5, generator=generator)
    scores = head.linear(f)
    weights = scores.exp() / scores.exp().sum(dim=1, keepdim=True)
    torch.testing.assert_close(head(f), 2 * (weights @ levels)[:, None] + 1)
    with torch.no_grad():
        head.linear.weight.zero_()
        head.linear.bias.copy_(50.0 * torch.nn.functional.one_hot(torch.tensor(count - 1), count))
    torch.testing.assert_close(head(f), (2 * levels[-1] + 1).expand(7, 1))  # one class alone counts


def test_levels_of_intervals_are_their_middles() -> None:
    for task in (INT(), INT(alpha=1, beta=3, s0=-7, num_classes=4), INT(parametrisation="paper")):
        middles = task.unit * torch.tensor(task.levels) + task.centre
        assert task.codec.decode(middles[:, None]).tolist() == list(range(task.num_classes))
        torch.testing.assert_close(middles, task.codec.encode(torch.arange(task.num_classes)).mean(dim=1))


def test_a_file_of_an_earlier_version_reads_as_long_as_its_head_was_linear() -> None:
    described = NetworkSpec(arch="mlp", in_shape=(2,), outputs=1, mean=(0.5, 0.5), std=(0.25, 0.25)).to_dict()
    del described["levels"]
    assert NetworkSpec.from_dict(described | {"stairs": 0}).levels == ()
    with pytest.raises(ValueError, match="got unknown stairs"):
        NetworkSpec.from_dict(described | {"stairs": 9})
