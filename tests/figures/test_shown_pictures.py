"""Pictures: crisp, in range, and perturbations that can be read back."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from tasklab import figures
from tasklab.figures.pictures import amplification


def test_every_pixel_becomes_a_square() -> None:
    x = torch.rand(1, 5, 4)
    large = figures.picture(x, scale=7)
    assert large.shape == (35, 28)
    assert (large.reshape(5, 7, 4, 7) == figures.picture(x)[:, None, :, None]).all()


def test_colours_stay_in_their_channels() -> None:
    x = torch.zeros(1, 3, 2, 2)
    x[0, 0] = 1.0
    assert figures.picture(x, 3).tolist() == [[[255, 0, 0]] * 6] * 6


def test_the_caller_keeps_the_picture() -> None:
    x = torch.rand(1, 3, 3)
    before = x.clone()
    figures.picture(x)[:] = 0
    assert torch.equal(x, before)


def test_perturbations_are_centred_and_signed() -> None:
    clean = torch.full((1, 1, 3), 0.5)
    attacked = torch.tensor([[[0.4, 0.5, 0.6]]])
    assert amplification(clean, attacked) == 5
    assert figures.perturbation(clean, attacked).tolist() == [[0, 128, 255]]
    assert figures.perturbation(clean, clean).tolist() == [[128, 128, 128]]
    assert amplification(clean, clean) == 1


@pytest.mark.parametrize("eps", [0.001, 0.03, 0.0314, 0.2, 1.0])
def test_the_amplified_change_fills_the_range_and_never_overflows(eps: float) -> None:
    clean = torch.zeros(1, 4, 4)
    k = amplification(clean, clean + eps)
    assert 0.9 <= 2 * k * eps <= 1 + 1e-4
    assert float(f"{k:.2g}") == pytest.approx(k)  # two digits to read


def test_png_gives_back_the_pixels() -> None:
    for x in (torch.rand(1, 6, 5), torch.rand(3, 6, 5)):
        pixels = figures.picture(x, 2)
        assert (np.asarray(Image.open(io.BytesIO(figures.to_png(pixels)))) == pixels).all()


@pytest.mark.parametrize("x", [torch.rand(2, 1, 4, 4), torch.rand(4, 4), torch.rand(2, 4, 4)])
def test_what_is_not_one_image_is_refused(x: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="one image"):
        figures.picture(x)


@pytest.mark.parametrize("scale", [0, 1.5, True])
def test_scales_are_whole(scale: object) -> None:
    with pytest.raises(ValueError, match="scale"):
        figures.picture(torch.rand(1, 2, 2), scale)  # type: ignore[arg-type]
