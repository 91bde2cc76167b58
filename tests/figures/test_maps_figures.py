"""Map figures mean what they show: every point once, at its place, with its class, and stops in their order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tasklab import figures
from tasklab.figures.maps import COLOURS, SIDES, SYMBOLS, Landed, Stops, Window, describe_map, label_sides
from tasklab.figures.style import LOOKS
from tasklab.tasks import make_task

DIGITS = tuple(str(k) for k in range(10))


def cloud(n: int = 60, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    return np.random.default_rng(0).normal(size=(n, 2)) * [30, 10] + [100, -50], np.arange(n) % classes


def named(figure: Any, name: str) -> Any:
    (result,) = [t for t in figure.data if t.name == name]
    return result


def points(figure: Any) -> dict[int, tuple[float, float]]:
    """All points to be lassoed, by row."""
    return {data[0]: (x, y) for t in figure.data if t.customdata is not None and t.name not in ("stops",)
            for data, x, y in zip(t.customdata, t.x, t.y, strict=True)}


def linear(colour: str) -> np.ndarray:
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ rgb
    x, y, z = (np.cbrt(v) if v > 0.008856 else 7.787 * v + 16 / 116 for v in xyz / [0.9505, 1, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


SIGHT = {  # Machado, Oliveira & Fernandes (2009), severity 1
    "all colours": np.eye(3),
    "no red": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                        [-0.003882, -0.048116, 1.051998]]),
    "no green": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                          [-0.011820, 0.042940, 0.968881]]),
    "no blue": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                         [0.004733, 0.691367, 0.303900]]),
}


def test_every_point_is_there_once_and_one_scale_serves_both_axes() -> None:
    places, labels = cloud()
    result = points(figures.feature_map(places, labels, DIGITS))
    assert sorted(result) == list(range(60))
    drawn = np.array([result[i] for i in range(60)])
    assert np.abs(drawn).max() == pytest.approx(1)
    scale = (places[0] - places[1]) / (drawn[0] - drawn[1])
    assert scale[0] == pytest.approx(scale[1])
    assert drawn * scale[0] - (drawn[0] * scale[0] - places[0]) == pytest.approx(places)


def test_a_class_has_its_colour_its_marker_and_its_name_among_its_own() -> None:
    places, labels = cloud()
    figure = figures.feature_map(places, labels, DIGITS)
    for k, name in enumerate(DIGITS):
        group = named(figure, name)
        assert (group.marker.color, group.marker.symbol) == (COLOURS[k], SYMBOLS[k])
        assert [data[0] for data in group.customdata] == [i for i in range(60) if i % 10 == k]
    names = named(figure, "classes")
    assert list(names.text) == [f"<b>{name}</b>" for name in DIGITS]
    for k, spot in enumerate(zip(names.x, names.y, strict=True)):
        assert spot in list(zip(named(figure, DIGITS[k]).x, named(figure, DIGITS[k]).y, strict=True))


@pytest.mark.parametrize("sight", SIGHT)
def test_colours_of_classes_are_apart_for_every_kind_of_sight(sight: str) -> None:
    seen = [lab(np.clip(SIGHT[sight] @ linear(colour), 0, 1)) for colour in COLOURS]
    assert min(np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]) > 19  # 2.3 is just noticeable


def test_colours_of_classes_read_on_both_grounds_and_markers_differ() -> None:
    for colour in COLOURS:
        light = np.array([0.2126, 0.7152, 0.0722]) @ linear(colour) + 0.05
        assert 1.05 / light >= 3
        assert light / 0.0574 >= 3
    assert len({(k % len(COLOURS), k % len(SYMBOLS)) for k in range(100)}) == 100


def test_hundred_classes_are_not_named_on_the_map() -> None:
    places, labels = cloud(200, 100)
    names = tuple(f"class {k}" for k in range(100))
    assert "classes" not in [t.name for t in figures.feature_map(places, labels, names).data]


def test_attacked_points_are_where_they_land_and_clean_ones_stay_behind() -> None:
    places, labels = cloud()
    window = Window.around(places)
    landed = Landed(rows=[3, 7, 9], positions=places[[3, 7, 9]] + np.array([40, 0]), decoded=[3, 0, -1])
    figure = figures.feature_map(places, labels, DIGITS, landed=landed)
    result = points(figure)
    assert sorted(result) == [3, 7, 9]
    for row in (3, 7, 9):
        assert result[row] == pytest.approx(tuple(window(places[row] + [40, 0])[0]))
    behind = named(figure, "before")
    assert np.stack([behind.x, behind.y], axis=1) == pytest.approx(window(places))
    assert [data[3] for data in named(figure, "9").customdata] == ["None"]
    outcome = figures.feature_map(places, labels, DIGITS, landed=landed, decoded=labels, colour="outcome")
    described = {t.name: [data[0] for data in t.customdata] for t in outcome.data if t.customdata is not None}
    assert described == {"correct": [3], "wrong": [7], "None": [9]}
    assert named(outcome, "wrong").marker.symbol == LOOKS["wrong"].symbol


def test_far_points_widen_the_picture_in_steps() -> None:
    places, labels = cloud()
    reach = []
    for far in (0, 5, 60, 65):
        landed = Landed(rows=[0], positions=places[:1] + np.array([far, 0]), decoded=[0])
        figure = figures.feature_map(places, labels, DIGITS, landed=landed)
        reach.append(figure.layout.xaxis.range[1])
        assert abs(points(figure)[0][0]) < reach[-1]
    assert reach[0] == reach[1] < reach[2] == reach[3]


def test_stops_are_numbered_and_those_on_one_spot_share_a_marker() -> None:
    places, labels = cloud()
    spots = np.stack([places[0], places[0] + 0.01, places[0] + 0.02, places[5], places[8], places[8] + 0.01])
    walk = Stops(positions=spots, decoded=[0, 0, 0, 5, 8, -1], label=0)
    figure = figures.feature_map(places, labels, DIGITS, stops=walk)
    stops = named(figure, "stops")
    assert [text[3:-4] for text in stops.text] == ["0–2", "3", "4", "5"]  # read otherwise is a stop of its own
    looks = LOOKS
    assert list(stops.marker.symbol) == [looks[k].symbol for k in ("correct", "wrong", "wrong", "abnormal")]
    window = Window.around(places)
    assert (stops.x[1], stops.y[1]) == pytest.approx(tuple(window(places[5])[0]))
    assert list(named(figure, "way").x) == list(stops.x)


@pytest.mark.parametrize("seed", range(5))
def test_the_numbers_of_stops_on_a_way_do_not_cover_each_other(seed: int) -> None:
    """On straight ways in any direction, in steps as small as stops that are not merged can be."""
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi)
    spots = np.arange(6)[:, None] * 0.08 * np.array([np.cos(angle), np.sin(angle)])
    middles = np.array([spot + SIDES[side] for spot, side in zip(spots, label_sides(spots), strict=True)])
    apart = np.linalg.norm(middles[:, None] - middles[None], axis=2) + np.eye(6)
    assert apart.min() > 0.05, "they would be on one place"


@pytest.mark.parametrize("line", [None, make_task("int")], ids=["map", "line"])
def test_a_legend_names_every_outcome_but_not_the_way(line: Any) -> None:
    places, labels = cloud()
    landed = Landed(rows=[3, 7, 9], positions=places[[3, 7, 9]], decoded=[3, 0, -1])
    walk = Stops(positions=places[:2], decoded=[0, 1], label=0)
    figure = figures.feature_map(places, labels, DIGITS, landed=landed, decoded=labels, colour="outcome", stops=walk,
                                 line=line, legend=True)
    assert figure.layout.showlegend and figure.layout.margin.t > 20, "with room for it"
    shown = {t.name for t in figure.data if t.showlegend is not False}
    assert shown >= {"correct", "wrong", "None", "before"} and not {"way", "classes"} & shown
    assert not figures.feature_map(places, labels, DIGITS).layout.showlegend


def test_outputs_of_an_interval_system_lie_on_their_intervals() -> None:
    task = make_task("int")
    z = np.array([[8.0, 0.1], [28.0, -0.2], [150.0, 0.3], [18.0, 0.0], [-30.0, 0.2]])
    figure = figures.feature_map(z, [0, 1, 7, 0, 0], DIGITS, line=task, decoded=[0, 1, 7, -1, -1])
    bands = [s for s in figure.layout.shapes if s.name == "interval"]
    assert len(bands) == 10
    inside = {row: [k for k, s in enumerate(bands) if s.x0 <= x <= s.x1] for row, (x, _) in points(figure).items()}
    assert inside == {0: [0], 1: [1], 2: [7], 3: [], 4: []}
    assert list(figure.layout.xaxis.ticktext) == list(DIGITS)
    with pytest.raises(ValueError, match="interval"):
        figures.feature_map(z, [0, 1, 7, 0, 0], DIGITS, line=make_task("rbc"))


def test_it_can_be_lassoed_and_has_no_ground_of_its_own() -> None:
    places, labels = cloud()
    layout = figures.feature_map(places, labels, DIGITS).layout
    assert layout.dragmode == "lasso"
    assert layout.paper_bgcolor == layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert layout.font.color is None


def test_words_say_what_the_map_shows() -> None:
    landed = Landed(rows=[0, 1, 2], positions=np.zeros((3, 2)), decoded=[0, 5, -1])
    walk = Stops(positions=np.zeros((4, 2)), decoded=[1, 1, -1, 7], label=1)
    words = describe_map("t-SNE of 60 images", cloud()[1], DIGITS, accuracy=0.955, landed=landed, stops=walk)
    assert "60 images, 10 classes" in words
    assert "96 % lie among" in words or "95 % lie among" in words
    assert "3 attacked images: 1 correct, 1 wrong, 1 None." in words
    assert "One attack, a 1, on its way read as 1, None, 7." in words


@pytest.mark.parametrize(("change", "words"), [
    ({"positions": np.zeros((3, 3))}, "positions"), ({"positions": np.full((60, 2), np.nan)}, "positions"),
    ({"labels": [0] * 59}, "labels"), ({"labels": [10] * 60}, "labels"), ({"decoded": [0] * 3}, "decoded"),
    ({"colour": "outcome"}, "colour"), ({"colour": "red"}, "colour"),
    ({"landed": Landed(rows=[60], positions=np.zeros((1, 2)), decoded=[0])}, "rows"),
    ({"landed": Landed(rows=[1], positions=np.zeros((2, 2)), decoded=[0])}, "rows"),
])
def test_what_does_not_fit_is_refused(change: dict[str, Any], words: str) -> None:
    places, labels = cloud()
    with pytest.raises(ValueError, match=words):
        figures.feature_map(**({"positions": places, "labels": labels, "classes": DIGITS} | change))


def test_a_single_point_is_a_picture_too() -> None:
    assert points(figures.feature_map([[3.0, 4.0]], [0], ["only"])) == {0: (0.0, 0.0)}
