from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from tasklab.data import augment


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def every_outcome(image: torch.Tensor, flip: bool, crop: int, padding: str) -> torch.Tensor:
    """All that may become of one image `(C, H, W)`, by flipping, padding and cutting one at a time."""
    _, height, width = image.shape
    outcomes = []
    for mirrored in [image, image.flip(2)] if flip else [image]:
        mode = {"reflect": "reflect", "zeros": "constant"}[padding]
        padded = F.pad(mirrored[None].double(), [crop] * 4, mode=mode)[0] if crop else mirrored.double()
        for top in range(2 * crop + 1):
            for left in range(2 * crop + 1):
                outcomes.append(padded[:, top : top + height, left : left + width])
    return torch.stack(outcomes)


@given(
    height=st.integers(3, 6),
    width=st.integers(3, 6),
    channels=st.sampled_from([1, 3]),
    crop=st.integers(0, 2),
    flip=st.booleans(),
    padding=st.sampled_from(["reflect", "zeros"]),
    dtype=st.sampled_from([torch.uint8, torch.float32]),
    seed=st.integers(0, 100),
)
@settings(max_examples=80)
def test_every_image_is_one_of_the_possible_outcomes(height, width, channels, crop, flip, padding, dtype, seed):
    x = torch.randint(1, 256, (5, channels, height, width), generator=seeded(seed)).to(dtype)
    before = x.clone()
    out = augment(x, flip=flip, crop=crop, padding=padding, generator=seeded(seed))
    assert out.dtype == dtype
    assert out.shape == x.shape
    assert torch.equal(x, before)
    assert out.data_ptr() != x.data_ptr()
    for image, got in zip(x, out, strict=True):
        outcomes = every_outcome(image, flip, crop, padding)
        assert (outcomes == got.double()).flatten(1).all(1).any()


@pytest.mark.parametrize("padding", ["reflect", "zeros"])
def test_all_outcomes_come_up_equally_often(padding):
    image = torch.randint(1, 256, (1, 5, 5), generator=seeded())
    n, outcomes = 18_000, every_outcome(image, True, 1, padding)  # 18 outcomes
    out = augment(image.expand(n, 1, 5, 5), flip=True, crop=1, padding=padding, generator=seeded())
    hits = (out[:, None].double() == outcomes[None]).flatten(2).all(2).sum(0)  # (18,)
    assert hits.sum() == n
    assert ((hits - 1000).abs() < 5 * 1000**0.5).all()


def test_randomness_is_the_generators_alone():
    x = torch.rand(64, 3, 8, 8, generator=seeded())
    before = torch.get_rng_state()
    first, second = (augment(x, flip=True, crop=2, generator=seeded(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(first, augment(x, flip=True, crop=2, generator=seeded(4)))
    generator = seeded(3)
    augment(x, flip=True, crop=2, generator=generator)
    assert not torch.equal(first, augment(x, flip=True, crop=2, generator=generator))


def test_with_nothing_to_do_the_batch_is_copied():
    x = torch.rand(2, 1, 4, 4)
    out = augment(x, generator=seeded())
    assert torch.equal(out, x)
    assert out.data_ptr() != x.data_ptr()
    assert augment(x[:0], flip=True, crop=1, generator=seeded()).shape == (0, 1, 4, 4)


@pytest.mark.parametrize(
    ("shape", "options", "words"),
    [
        ((1, 4, 4), {}, r"try x\[None\]"),
        ((1, 1, 4, 4), {"crop": 4}, "expected crop in 0..3 for 4×4 images, got 4"),
        ((1, 1, 4, 4), {"crop": -1}, "got -1"),
        ((1, 1, 4, 4), {"crop": 1, "padding": "edge"}, "'reflect' or 'zeros', got 'edge'"),
    ],
)
def test_what_cannot_be_done_is_refused(shape, options, words):
    with pytest.raises(ValueError, match=words):
        augment(torch.zeros(shape), generator=seeded(), **options)
