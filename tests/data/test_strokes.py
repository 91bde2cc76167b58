"""Digits as strokes: inside the page, as wide as the pen, and what the shipped systems read in them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tasklab import zoo
from tasklab.data import digit_strokes, draw_strokes, drawn_digits, read_picture
from tasklab.data.drawn import by_hand


@pytest.mark.parametrize("digit", range(10))
def test_every_digit_fits_the_page_with_room_for_the_pen(digit: int) -> None:
    points = np.array([point for stroke in digit_strokes(digit) for point in stroke])
    assert points.min() >= 0.1 and points.max() <= 0.9
    page = draw_strokes(digit_strokes(digit))
    assert page.shape == (280, 280) and page.dtype == np.uint8
    assert page.max() == 255 and not page[[0, -1]].any() and not page[:, [0, -1]].any()


def test_a_line_is_as_long_and_as_wide_as_said() -> None:
    page = draw_strokes([((0.25, 0.5), (0.75, 0.5))], side=400, brush=0.1) > 127
    assert page[:, 200].sum() == pytest.approx(40, abs=1)
    assert page[200].sum() == pytest.approx(200 + 40, abs=2), "round ends stick out by half a pen on each side"


def test_a_point_is_a_dot_and_nothing_is_a_blank_page() -> None:
    dot = draw_strokes([((0.5, 0.5),)], side=100, brush=0.2) > 127
    assert dot.sum() == pytest.approx(np.pi * 10**2, rel=0.08)
    assert not draw_strokes([]).any()


@pytest.mark.parametrize("digit", [0, 2, 3])
def test_the_four_systems_of_each_set_read_them(digit: int) -> None:
    page = draw_strokes(digit_strokes(digit))
    for data in ("digits", "mnist"):
        x = read_picture(page, data)
        for task in ("tra", "deepbe", "int", "rbc"):
            assert int(zoo.load(f"{data}-{task}").predict(x)) == digit


def test_what_leaves_nothing_to_see_is_refused() -> None:
    for wrong in (10, -1, True, "3"):
        with pytest.raises(ValueError, match=r"expected a digit in 0\.\.9, got"):
            digit_strokes(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"expected side in 8\.\.2048, got 7; try 280"):
        draw_strokes([], side=7)
    with pytest.raises(ValueError, match="expected brush above 0"):
        draw_strokes([], brush=0)


def test_the_drawn_sample_is_many_hands_and_the_mnist_systems_read_it() -> None:
    sample = drawn_digits(60)
    assert sample.shape == (1, 28, 28) and sample.labels.tolist() == 6 * list(range(10))
    assert torch.equal(drawn_digits(30).images, sample.images[:30]), "a longer sample begins like a shorter one"
    assert not torch.equal(drawn_digits(10, seed=1).images, sample.images[:10])
    assert len({image.numpy().tobytes() for image in sample.images}) == 60, "no two are the same"
    blank = torch.zeros(60, 1, 28, 28)
    for task in ("tra", "deepbe", "int", "rbc"):
        system = zoo.load(f"mnist-{task}")
        assert (system.predict(sample.x()) == sample.labels).float().mean() > 0.93
        assert (system.predict(blank) == sample.labels).float().mean() <= 0.1, "the control: there is something to read"


@pytest.mark.parametrize("digit", range(10))
def test_every_hand_stays_on_the_page(digit: int) -> None:
    for seed in range(20):
        strokes, brush = by_hand(digit, seed)
        points = np.array([point for stroke in strokes for point in stroke])
        assert points.min() >= 0 and points.max() <= 1 and 0.06 <= brush <= 0.11
    with pytest.raises(ValueError, match="expected n"):
        drawn_digits(0)
