"""The plane shows what the grid holds: colours by class, hatch for None, dots where the gradient is exactly zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tasklab.attacks import PGD
from tasklab.experiments.plane import cross_section, plane_trajectory, regions
from tasklab.figures.cross_sections import cut, describe_cut
from tasklab.figures.regions import CLASS_COLOURS, CLASS_SYMBOLS, describe_regions, plane, region_pixels
from tasklab.system import System
from tasklab.tasks import make_task
from tests.experiments.test_plane import linear
from tests.figures.test_outputs import luminance


def stripes() -> System:
    """Along x: A from 0 to 0.4, None to 0.6, B to 1."""
    return linear(make_task("int", num_classes=2, alpha=4, beta=8), [[20, 0]], [0.0])


def slopes() -> System:
    """One bit: flat below x = 0.3 and above 0.7."""
    return linear(make_task("rbc", num_classes=2, S=4), [[20, 0]], [-10.0])


def named(figure: Any, name: str) -> Any:
    (result,) = [t for t in figure.data if t.name == name]
    return result


def test_pixels_are_the_class_s_colour_and_none_is_see_through_with_grey_lines() -> None:
    pixels = region_pixels(regions(stripes(), side=50), side=200)
    assert pixels.shape == (200, 200, 4)
    assert tuple(pixels[100, 20, :3]) == tuple(bytes.fromhex(CLASS_COLOURS[0][1:]))
    assert tuple(pixels[100, 180, :3]) == tuple(bytes.fromhex(CLASS_COLOURS[1][1:]))
    between = pixels[:, 84:116]
    assert set(np.unique(between[..., 3])) == {0, 153}
    assert 0.1 < (between[..., 3] > 0).mean() < 0.4
    assert (between[..., 0] == between[..., 1]).all()


def test_what_is_flat_is_darker_than_what_slopes() -> None:
    alpha = region_pixels(regions(slopes(), side=50), side=200)[..., 3]
    assert alpha[100, 20] > 2 * alpha[100, 80]
    assert (alpha[100, 64:136] == alpha[100, 80]).all()


def test_the_picture_stands_the_right_way_up() -> None:
    below = linear(make_task("tra", num_classes=2), [[0, -1], [0, 1]], [0.5, -0.5])
    pixels = region_pixels(regions(below, side=20), side=40)
    assert tuple(pixels[-1, 0, :3]) == tuple(bytes.fromhex(CLASS_COLOURS[0][1:]))  # A is below


def test_arrows_point_up_the_loss_and_dots_mark_where_there_is_none() -> None:
    field = named(plane(regions(slopes(), side=60)), "gradient")
    x, symbols, angles = np.array(field.x), np.array(field.marker.symbol), np.array(field.marker.angle)
    assert set(symbols[(x < 0.29) | (x > 0.71)]) == {"circle"}
    assert set(symbols[(x > 0.31) & (x < 0.69)]) == {"arrow"}
    assert set(angles[(x > 0.31) & (x < 0.49)]) == {90.0}  # to the right, clockwise from up
    assert set(angles[(x > 0.51) & (x < 0.69)]) == {-90.0}


def test_there_are_no_arrows_in_none() -> None:
    field = named(plane(regions(stripes(), side=60)), "gradient")
    assert not any(0.4 < x < 0.6 for x in field.x)
    assert set(field.marker.symbol) == {"circle"}


def test_points_carry_their_class_s_marker() -> None:
    points, labels = torch.tensor([[0.1, 0.2], [0.9, 0.8], [0.8, 0.9]]), torch.tensor([0, 1, 1])
    figure = plane(regions(slopes(), side=20), points=points, labels=labels)
    first, second = named(figure, "points of class A"), named(figure, "points of class B")
    assert (list(first.x), first.marker.symbol, first.marker.color) == (
        [pytest.approx(0.1)], CLASS_SYMBOLS[0], CLASS_COLOURS[0]
    )
    assert len(second.x) == 2
    assert second.marker.symbol == CLASS_SYMBOLS[1]


def test_places_to_pick_say_where_they_are_and_what_is_read() -> None:
    picks = named(plane(regions(stripes(), side=60), picks=5), "places")
    assert picks.marker.opacity == 0
    assert sorted(set(picks.x)) == sorted(set(picks.y)) == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])
    assert len(picks.x) == 25
    middle = list(picks.x).index(0.5)
    assert picks.text[middle] == "read as None"
    assert "read as A" in picks.text[0]
    assert "exactly 0" in picks.text[0]


def test_trails_end_in_the_marker_of_what_became_of_the_point() -> None:
    system, point = stripes(), torch.tensor([0.3, 0.5])
    shared = {"eps": 0.3, "steps": 10, "step_size": 0.05, "random_start": False}
    trajectories = [plane_trajectory(system, point, 0, PGD(**shared, objective=o)) for o in ("train", "margin")]
    figure = plane(regions(system, side=40), trajectories=trajectories, eps=0.25)
    stuck, lost = named(figure, "training loss, end"), named(figure, "margin, end")
    assert (stuck.x[0], stuck.marker.symbol) == (pytest.approx(0.3), "diamond")
    assert lost.marker.symbol == "square-x-open"
    assert 0.4 < lost.x[0] < 0.6
    assert "training loss" not in [t.name for t in figure.data]  # no way: it did not move
    (square,) = [s for s in figure.layout.shapes if s.name == "eps"]
    assert (square.x0, square.x1) == (pytest.approx(0.05), pytest.approx(0.55))
    words = describe_regions("INT", regions(system, side=40), trajectories)
    assert "None 20 %" in words
    assert "training loss finds no gradient and stays" in words
    assert "read as None" in words


def test_classes_and_none_are_named_within_their_regions() -> None:
    result = regions(stripes(), side=64)
    words = {a.text: (a.x, a.y) for a in plane(result).layout.annotations}
    assert set(words) == {"<b>A</b>", "<b>B</b>", "<b>None</b>"}
    assert words["<b>A</b>"][0] < 0.4 < words["<b>None</b>"][0] < 0.6 < words["<b>B</b>"][0]


def test_points_of_more_classes_than_markers_are_refused_and_regions_of_many_classes_drawn() -> None:
    many = regions(linear(make_task("int", num_classes=12, alpha=0, beta=1), [[12, 0]], [0.0]), side=48)
    points, labels = torch.tensor([[0.1, 0.2]]), torch.tensor([0])
    with pytest.raises(ValueError, match="4 classes"):
        plane(many, points=points, labels=labels)
    names = [f"class {k}" for k in range(12)]
    assert {a.text for a in plane(many, classes=names).layout.annotations} == {f"<b>{name}</b>" for name in names}
    pixels = region_pixels(many, side=240)[120, 10::20, :3]
    assert len({tuple(pixel) for pixel in pixels.tolist()}) == len(CLASS_COLOURS), "neighbours differ"


def test_class_colours_read_on_both_grounds_and_differ_from_the_outcomes() -> None:
    from tasklab.figures.style import BLUE, ORANGE

    for colour in CLASS_COLOURS:
        assert 1.05 / (luminance(colour) + 0.05) >= 3
        assert (luminance(colour) + 0.05) / 0.0574 >= 3
    assert not {BLUE, ORANGE} & set(CLASS_COLOURS)
    assert len(set(CLASS_SYMBOLS)) == 4
    assert len(set(CLASS_COLOURS)) == len(CLASS_COLOURS) >= 10, "the classes of digits and of CIFAR-10 all differ"


def test_a_cut_draws_the_loss_thick_where_it_is_flat() -> None:
    section = cross_section(slopes(), torch.tensor([1.0, 0.5]), torch.tensor([0.0, 0.5]), 1, n=101)
    figure = cut(section, reach=0.4)
    thick = named(figure, "training loss, gradient exactly 0")
    flat = [x for x, y in zip(thick.x, thick.y, strict=True) if np.isfinite(y)]
    assert max(flat) == pytest.approx(0.3, abs=0.011)
    assert thick.line.width > named(figure, "training loss").line.width
    read = named(figure, "margin, label read")
    assert max(x for x, y in zip(read.x, read.y, strict=True) if np.isfinite(y)) == pytest.approx(0.5, abs=0.011)
    bands = [t for t in figure.data if t.type == "bar"]
    assert [b.name for b in bands] == ["read as B", "read as A"]
    assert [s.x0 for s in figure.layout.shapes] == [0.4]
    assert "is lost at a distance of 0.50" in describe_cut(section)


def test_a_cut_through_a_gap_hatches_none() -> None:
    section = cross_section(stripes(), torch.tensor([0.1, 0.5]), torch.tensor([0.9, 0.5]), 0)
    bands = [t for t in cut(section).data if t.type == "bar"]
    assert [b.name for b in bands] == ["read as A", "read as None", "read as B"]
    assert bands[1].marker.pattern.shape == "/"
    assert bands[1].width[0] == pytest.approx(0.2, abs=0.01)


def test_a_cut_of_a_safe_line_says_so() -> None:
    section = cross_section(slopes(), torch.tensor([1.0, 0.5]), torch.tensor([0.9, 0.5]), 1)
    assert "is read all along" in describe_cut(section)
    assert "the point included" in describe_cut(section)
    assert len([t for t in cut(section).data if t.type == "bar"]) == 1
