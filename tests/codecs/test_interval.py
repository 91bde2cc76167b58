"""Intervals on a line: the paper's example, its two decoders, wrong settings."""

from __future__ import annotations

import math

import pytest
import torch

from tasklab.codecs import ABNORMAL, Interval


def at(codec: Interval, *points: float) -> list[int]:
    decoded: list[int] = codec.decode(torch.tensor(points, dtype=torch.float32)[:, None]).tolist()
    return decoded


def test_label_three_of_the_paper_is_12_to_15() -> None:
    assert Interval(s0=0, alpha=1, beta=3).encode(torch.tensor([3])).tolist() == [[12.0, 15.0]]


def test_the_ends_are_equation_one() -> None:
    codec = Interval(num_classes=5, s0=-7, alpha=2, beta=6)
    assert codec.lower.tolist() == [-7, 1, 9, 17, 25]
    assert codec.upper.tolist() == [-1, 7, 15, 23, 31]
    assert codec.span == 38
    assert Interval().span == 9 * 20 + 16


def test_outside_every_interval_is_abnormal_and_both_ends_are_inside() -> None:
    codec = Interval(s0=0, alpha=1, beta=3)
    assert at(codec, -0.001, 0, 3, 3.001, 3.999, 4) == [ABNORMAL, 0, 0, ABNORMAL, ABNORMAL, 1]
    assert at(codec, 36, 39, 39.001) == [9, 9, ABNORMAL]


def test_the_floor_gives_each_gap_to_the_interval_below_it() -> None:
    codec = Interval(s0=0, alpha=1, beta=3, gap="floor")
    assert at(codec, -0.001, 0, 3, 3.001, 3.999, 4) == [ABNORMAL, 0, 0, 0, 0, 1]
    assert at(codec, 36, 39, 39.999, 40) == [9, 9, 9, ABNORMAL]
    points = [x / 8 for x in range(-16, 340)]
    floors = [math.floor(x / 4) for x in points]
    assert at(codec, *points) == [k if 0 <= k <= 9 else ABNORMAL for k in floors]


def test_without_gaps_a_shared_end_is_the_upper_interval_s_and_the_rules_agree() -> None:
    strict, floor = (Interval(s0=0, alpha=0, beta=3, gap=gap) for gap in ("abnormal", "floor"))
    points = [x / 8 for x in range(-16, 240)]
    assert at(strict, 3, 6, 27) == [1, 2, 9]
    assert at(strict, *points) == at(floor, *points)
    assert at(strict, 30) == [9]  # the line's last end belongs to its only interval …
    assert at(floor, 30) == [ABNORMAL]  # … and ⌊30/3⌋ is class 10 of 10


def test_the_margin_is_the_way_to_the_nearer_end() -> None:
    codec = Interval(s0=0, alpha=1, beta=3)
    assert codec.margins(torch.tensor([[13.0]]))[0, 3] == 1
    assert codec.margins(torch.tensor([[14.5]]))[0, 3] == 0.5
    assert codec.margins(torch.tensor([[13.0]]))[0, 0] == -10
    assert codec.margins(torch.tensor([[13.0]]))[0, 4] == -3
    floor = Interval(s0=0, alpha=1, beta=3, gap="floor")
    assert floor.margins(torch.tensor([[14.5]]))[0, 3] == 1.5


@pytest.mark.parametrize("gap", ["abnormal", "floor"])
def test_the_floats_beside_an_end_far_from_zero(gap: str) -> None:
    """Around 350 bfloat16 steps by 2 and float32 by 3e-5: an end is still exact."""
    codec = Interval(num_classes=10, s0=340, alpha=4, beta=16, gap=gap)  # type: ignore[arg-type]
    end = torch.tensor([[360.0]])
    below = torch.nextafter(end, torch.tensor(0.0))
    assert codec.decode(end).item() == 1
    assert codec.decode(below).item() == (0 if gap == "floor" else ABNORMAL)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"beta": 0}, r"expected beta > 0 .*, got 0; try beta=16"),
        ({"beta": -3}, r"expected beta > 0 .*, got -3; try"),
        ({"alpha": -1}, r"expected alpha ≥ 0 .*, got -1; try alpha=4"),
        ({"s0": float("inf")}, "expected s0 as a finite number, got inf"),
        ({"alpha": float("nan")}, "expected alpha as a finite number, got nan"),
        ({"beta": "16"}, "expected beta as a finite number, got '16'"),
        ({"alpha": True}, "expected alpha as a finite number, got True"),
        ({"gap": "ceil"}, "expected gap 'abnormal' or 'floor', got 'ceil'; try gap='abnormal'"),
        ({"s0": 1e9, "beta": 1}, r"expected intervals that float32 can tell apart, got s0=1e\+09.*; try"),
        ({"num_classes": 1}, "expected num_classes as an integer of at least 2, got 1"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Interval(**wrong)  # type: ignore[arg-type]
