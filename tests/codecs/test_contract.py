"""The margin contract of every codec, against an oracle that knows no margins."""

from __future__ import annotations

import itertools

import pytest
import torch
from decoding_oracle import edges, read
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tasklab.codecs import ABNORMAL, Argmax, Binary, Codec, Interval, hadamard_code, random_code

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
QUARTERS = st.integers(-4000, 4000).map(lambda n: n / 4)  # float32 holds them, and all their sums, exactly


def rows_of(num_classes: int) -> st.SearchStrategy[tuple[tuple[int, ...], ...]]:
    def of_width(bits: int) -> st.SearchStrategy[tuple[tuple[int, ...], ...]]:
        row = st.tuples(*[st.integers(0, 1)] * bits)
        return st.lists(row, min_size=num_classes, max_size=num_classes, unique=True).map(tuple)

    return st.integers((num_classes - 1).bit_length(), 6).flatmap(of_width)


@st.composite
def binaries(draw: st.DrawFn) -> Binary:
    num_classes = draw(st.integers(2, 12))
    spare = draw(st.integers(0, 2))
    code = draw(
        st.one_of(
            st.sampled_from(["binary", "gray", hadamard_code(num_classes)]),
            rows_of(num_classes),
            st.integers(0, 99).map(lambda seed: random_code(num_classes, 8, seed=seed)),
        )
    )
    bits = (num_classes - 1).bit_length() + spare if isinstance(code, str) else None
    return Binary(num_classes=num_classes, bits=bits, code=code, threshold=draw(st.sampled_from([0.0, 0.5])))


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    return Interval(
        num_classes=draw(st.integers(2, 12)),
        s0=draw(QUARTERS),
        alpha=draw(st.one_of(st.just(0.0), st.integers(0, 200).map(lambda n: n / 4))),
        beta=draw(st.integers(1, 200).map(lambda n: n / 4)),
        gap=draw(st.sampled_from(["abnormal", "floor"])),
    )


CODECS = st.one_of(st.integers(2, 12).map(lambda c: Argmax(num_classes=c)), binaries(), intervals())


@st.composite
def codecs_and_outputs(draw: st.DrawFn) -> tuple[Codec, Tensor]:
    """A codec and rows of outputs, many of them exactly where a decision turns."""
    codec = draw(CODECS)
    values = st.one_of(st.sampled_from(edges(codec)), FLOATS, st.floats(-50, 300, width=32))
    row = st.lists(values, min_size=codec.width, max_size=codec.width)
    return codec, torch.tensor(draw(st.lists(row, min_size=1, max_size=6)), dtype=torch.float32)


def assert_contract(codec: Codec, z: Tensor) -> None:
    margins, decoded = codec.margins(z), codec.decode(z)
    expected = torch.tensor([read(codec, row) for row in z.tolist()], dtype=torch.int64)
    assert margins.shape == (len(z), codec.num_classes)
    assert margins.dtype == torch.float32
    assert decoded.dtype == torch.int64
    assert decoded.tolist() == expected.tolist()
    assert torch.equal(margins > 0, expected[:, None] == torch.arange(codec.num_classes))
    assert torch.equal((margins <= 0).all(dim=1), expected == ABNORMAL)
    with_none = torch.cat([margins, torch.zeros(len(z), 1)], dim=1).argmax(dim=1)
    assert torch.equal(torch.where(with_none == codec.num_classes, ABNORMAL, with_none), decoded)


@settings(max_examples=250)
@given(codecs_and_outputs())
def test_a_margin_is_positive_for_the_decoded_class_and_no_other(case: tuple[Codec, Tensor]) -> None:
    assert_contract(*case)


@settings(max_examples=40)
@given(CODECS, st.integers(0, 2**31), st.sampled_from([0.3, 1.0, 30.0, 1000.0]))
def test_the_contract_holds_on_random_outputs(codec: Codec, seed: int, size: float) -> None:
    z = torch.randn(64, codec.width, generator=torch.Generator().manual_seed(seed)) * size
    assert_contract(codec, z)


@pytest.mark.parametrize("threshold", [0.0, 0.5])
@pytest.mark.parametrize("code", ["binary", "gray", hadamard_code(4), random_code(4, 3)])
def test_every_pattern_of_bits_on_and_beside_the_threshold(code: str, threshold: float) -> None:
    codec = Binary(num_classes=4, code=code, threshold=threshold)
    values = [*edges(codec), -1.0, 2.0]
    assert_contract(codec, torch.tensor(list(itertools.product(values, repeat=codec.width))))


@pytest.mark.parametrize("gap", ["abnormal", "floor"])
@pytest.mark.parametrize(("alpha", "beta"), [(0.0, 1.0), (1.0, 3.0), (4.0, 16.0), (0.25, 0.5), (30.0, 0.25)])
@pytest.mark.parametrize("s0", [0.0, -37.5, 1000.0])
def test_every_end_of_every_interval_and_the_floats_beside_it(gap: str, alpha: float, beta: float, s0: float) -> None:
    codec = Interval(s0=s0, alpha=alpha, beta=beta, gap=gap)  # type: ignore[arg-type]
    assert_contract(codec, torch.tensor(edges(codec))[:, None])


@pytest.mark.parametrize("num_classes", [2, 3, 4])
def test_every_ranking_of_scores_with_all_its_ties(num_classes: int) -> None:
    values = [-1.0, 0.0, 1.0, 1.0000001]
    z = torch.tensor(list(itertools.product(values, repeat=num_classes)))
    assert_contract(Argmax(num_classes=num_classes), z)


@settings(max_examples=60)
@given(
    st.floats(-1e4, 1e4),
    st.one_of(st.just(0.0), st.floats(1e-3, 50)),
    st.floats(0.1, 50),
    st.integers(2, 12),
)
def test_intervals_of_any_length_are_the_codewords(s0: float, alpha: float, beta: float, num_classes: int) -> None:
    """Ends that no float holds exactly: what decodes to y is what `encode` says, rounding included."""
    codec = Interval(num_classes=num_classes, s0=s0, alpha=alpha, beta=beta)
    ends = codec.encode(torch.arange(num_classes))
    for z in [*ends.flatten().tolist(), *ends.mean(dim=1).tolist()]:
        held = [k for k, (low, high) in enumerate(ends.tolist()) if low <= z <= high]
        assert codec.decode(torch.tensor([[z]])).item() == max(held)
    floor = Interval(num_classes=num_classes, s0=s0, alpha=alpha, beta=beta, gap="floor")
    assert floor.decode(ends.mean(dim=1, keepdim=True)).tolist() == list(range(num_classes))
    assert floor.decode(ends[:, :1]).tolist() == list(range(num_classes))


@settings(max_examples=60)
@given(CODECS)
def test_a_codeword_decodes_to_its_label(codec: Codec) -> None:
    y = torch.arange(codec.num_classes)
    codewords = codec.encode(y)
    if isinstance(codec, Binary):
        z = (2 * codewords - 1) + codec.threshold
        assert torch.equal(codec.signs(y), 2 * codewords - 1)
    elif isinstance(codec, Interval):
        z = codewords.mean(dim=1, keepdim=True)
    else:
        z = codewords
    assert torch.equal(codec.decode(z), y)
    assert codewords.dtype == torch.float32


@settings(max_examples=60)
@given(CODECS, st.data())
def test_outputs_that_are_no_numbers_are_abnormal(codec: Codec, data: st.DataObject) -> None:
    z = torch.zeros(5, codec.width)
    for n, bad in enumerate([float("nan"), float("inf"), -float("inf")]):
        z[n, data.draw(st.integers(0, codec.width - 1))] = bad
    z[3], z[4] = float("inf"), float("nan")
    z.requires_grad_()
    assert codec.decode(z).tolist() == [ABNORMAL] * 5
    margins = codec.margins(z)
    assert bool((margins <= 0).all())
    good = torch.zeros(1, codec.width)
    assert torch.equal(codec.margins(torch.cat([z, good]))[5:], codec.margins(good))  # other rows are untouched
    (gradient,) = torch.autograd.grad(margins.clamp(min=-1e6).sum(), z)
    assert bool(gradient.isfinite().all())


@settings(max_examples=100)
@given(codecs_and_outputs())
def test_a_gradient_flows_through_every_margin_ties_included(case: tuple[Codec, Tensor]) -> None:
    codec, z = case
    z = z.clone().requires_grad_()
    margins = codec.margins(z)
    for k in range(codec.num_classes):
        (gradient,) = torch.autograd.grad(margins[:, k].sum(), z, retain_graph=True)
        assert bool(gradient.isfinite().all())
        assert bool((gradient != 0).any(dim=1).all()), f"class {k} has no way to go from {z.tolist()}"


@settings(max_examples=40)
@given(CODECS, st.sampled_from([torch.float16, torch.bfloat16, torch.float64]), st.integers(0, 2**31))
def test_margins_are_computed_in_float32(codec: Codec, dtype: torch.dtype, seed: int) -> None:
    z = (torch.randn(16, codec.width, generator=torch.Generator().manual_seed(seed)) * 30).to(dtype)
    assert torch.equal(codec.margins(z), codec.margins(z.float()))
    assert codec.margins(z).dtype == torch.float32


@settings(max_examples=30)
@given(CODECS)
def test_no_rows_are_fine(codec: Codec) -> None:
    assert codec.decode(torch.zeros(0, codec.width)).tolist() == []
    assert codec.margins(torch.zeros(0, codec.width)).shape == (0, codec.num_classes)
    assert len(codec.encode(torch.zeros(0, dtype=torch.int64))) == 0


@settings(max_examples=40)
@given(CODECS)
def test_codecs_of_equal_settings_are_equal_and_hash_alike(codec: Codec) -> None:
    codec.encode(torch.tensor([0]))  # tensors that a codec keeps are no part of it
    fields = {name: getattr(codec, name) for name in type(codec).__dataclass_fields__}  # type: ignore[attr-defined]
    twin = type(codec)(**fields)
    assert twin == codec
    assert hash(twin) == hash(codec)


@pytest.mark.parametrize("codec", [Argmax(), Binary(), Binary(threshold=0.5), Interval()], ids=repr)
class TestRefusals:
    def test_outputs_of_another_width(self, codec: Codec) -> None:
        with pytest.raises(ValueError, match=rf"expected outputs of shape \(N, {codec.width}\), got \(3, 9\); try"):
            codec.margins(torch.zeros(3, 9))
        with pytest.raises(ValueError, match="expected outputs of shape"):
            codec.decode(torch.zeros(codec.width))

    def test_outputs_that_are_integers_or_no_tensor(self, codec: Codec) -> None:
        with pytest.raises(TypeError, match=r"expected outputs as a float tensor .* got torch.int64"):
            codec.margins(torch.zeros(3, codec.width, dtype=torch.int64))
        with pytest.raises(TypeError, match="got list"):
            codec.margins([[0.0]])  # type: ignore[arg-type]

    @pytest.mark.parametrize("label", [-1, 10, 255])
    def test_labels_out_of_range(self, codec: Codec, label: int) -> None:
        with pytest.raises(ValueError, match=r"expected labels in 0\.\.9, got .*try"):
            codec.encode(torch.tensor([3, label]))

    def test_labels_of_another_kind(self, codec: Codec) -> None:
        for wrong in (torch.tensor([1.0]), torch.tensor([True]), [1]):
            with pytest.raises(TypeError, match=r"expected labels as an integer tensor .* got .*try"):
                codec.encode(wrong)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"expected labels of shape \(N,\), got \(1, 1\); try"):
            codec.encode(torch.tensor([[1]]))
