"""Nearest codewords: the contract of margins, ties, corrected bits, and codes of every kind."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tasklab.codecs import ABNORMAL, Binary, NearestCodeword, hadamard_code, random_code
from tasklab.codecs.codes import row_distance

CODES = st.one_of(
    st.builds(NearestCodeword, num_classes=st.integers(2, 20), code=st.sampled_from(["hadamard", "binary", "gray"])),
    st.builds(lambda classes, seed: NearestCodeword(num_classes=classes, code=random_code(classes, 9, seed=seed)),
              st.integers(2, 12), st.integers(0, 99)),
)


def nearest(codec: NearestCodeword, z: list[float]) -> int:
    """The class with the largest inner product, the lowest among equals; in plain Python."""
    scores = [sum((2 * bit - 1) * out for bit, out in zip(row, z, strict=True)) for row in codec.rows]
    return scores.index(max(scores))


@settings(max_examples=150)
@given(CODES, st.data())
def test_a_margin_is_positive_for_the_nearest_codeword_alone(codec: NearestCodeword, data: st.DataObject) -> None:
    """Whole numbers and their halves add up exactly, so ties are ties."""
    outputs = st.lists(st.integers(-20, 20).map(lambda n: n / 2), min_size=codec.width, max_size=codec.width)
    z = data.draw(st.lists(outputs, min_size=1, max_size=5))
    margins, decoded = codec.margins(torch.tensor(z)), codec.decode(torch.tensor(z))
    assert decoded.tolist() == [nearest(codec, row) for row in z]
    assert torch.equal(margins > 0, decoded[:, None] == torch.arange(codec.num_classes))


@pytest.mark.parametrize("size", [1e-40, 1.0, 3e38])
@pytest.mark.parametrize("codec", [NearestCodeword(), NearestCodeword(num_classes=100, bits=20, code="random")],
                         ids=repr)
def test_something_is_nearest_at_every_finite_output(codec: NearestCodeword, size: float) -> None:
    z = torch.cat([(2 * torch.rand(200, codec.width) - 1) * size, torch.zeros(1, codec.width)])
    assert ((codec.margins(z) > 0).sum(dim=1) == 1).all()
    assert codec.decode(z)[-1] == 0, "a tie of all goes to the lowest"


@pytest.mark.parametrize("bad", [torch.inf, -torch.inf, torch.nan])
def test_what_is_no_number_is_abnormal(bad: float) -> None:
    z = torch.zeros(1, 15)
    z[0, 7] = bad
    assert NearestCodeword().decode(z).tolist() == [ABNORMAL]


@settings(max_examples=60)
@given(CODES, st.integers(0, 2**32))
def test_margins_are_those_of_the_definition_and_terms_their_parts(codec: NearestCodeword, seed: int) -> None:
    z = torch.randn(16, codec.width, generator=torch.Generator().manual_seed(seed))
    signs = 2.0 * torch.tensor(codec.rows) - 1
    y = torch.arange(16) % codec.num_classes
    rivals = [[j for j in range(codec.num_classes) if j != k] for k in y.tolist()]
    wanted = torch.stack([((signs[k] - signs[j]) * row).sum(1) / (2 * codec.distance)
                          for k, j, row in zip(y.tolist(), rivals, z, strict=True)])
    assert torch.allclose(codec.terms(z, y), wanted, atol=1e-4)
    assert torch.allclose(codec.margins(z).gather(1, y[:, None])[:, 0], wanted.amin(1), atol=1e-4)


def test_fewer_wrong_bits_than_half_the_distance_are_corrected() -> None:
    codec, strict = NearestCodeword(), Binary(code=hadamard_code(10))
    assert (codec.width, codec.distance) == (15, 8)
    for y, wrong in itertools.product(range(10), itertools.combinations(range(15), 3)):
        z = 350 * codec.signs[y].clone()[None]
        assert float(codec.margins(z)[0, y]) == 350, "at a codeword, the margin is its size"
        z[0, list(wrong)] *= -1
        assert (codec.decode(z).item(), strict.decode(z).item()) == (y, ABNORMAL)


def test_the_gradient_of_a_tie_leads_out_of_it() -> None:
    z = torch.zeros(1, 15, requires_grad=True)
    (gradient,) = torch.autograd.grad(NearestCodeword().margins(z)[0, 0], z)
    assert bool((gradient != 0).any())


@pytest.mark.parametrize(("settings", "words"), [
    ({"code": "best"}, "'hadamard', 'random', 'binary', 'gray' or 0/1 rows, got 'best'"),
    ({"bits": 9}, "length 9"),
    ({"num_classes": 300, "code": "random"}, "up to 256"),
    ({"num_classes": 5000}, "up to 4,096"),
    ({"num_classes": 2, "code": ((0, 1), (0, 1))}, "distinct"),
    ({"code": 7}, "0/1 rows"),
])
def test_other_codes_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        NearestCodeword(**settings)  # type: ignore[arg-type]


def test_the_distance_of_rows_is_hamming_s() -> None:
    rows = random_code(12, 9, seed=3)
    assert row_distance(rows) == min(sum(a != b for a, b in zip(p, q, strict=True))
                                     for p, q in itertools.combinations(rows, 2))
