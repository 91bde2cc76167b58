"""Output figures mean what they show: markers at z, rails at ±S, intervals at [L, U], colours by outcome."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tasklab import figures
from tasklab.figures.describing import describe_outputs
from tasklab.figures.outputs import bit_gauges, number_line, output_bars
from tasklab.figures.style import BLUE, GREY, LOOKS, ORANGE, outcome_of
from tasklab.tasks import Task, make_task

TASKS = [make_task("tra"), make_task("deepbe"), make_task("int"), make_task("int", gap="floor"), make_task("rbc"),
         make_task("ecoc"), make_task("rbc", num_classes=100), make_task("int", num_classes=100),
         make_task("tra", num_classes=100)]


def trace(figure: Any, name: str) -> Any:
    (result,) = [t for t in figure.data if t.name == name]
    return result


def lines(figure: Any, name: str) -> list[float]:
    return [shape.y0 for shape in figure.layout.shapes if shape.name == name and shape.y0 == shape.y1]


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_markers_sit_at_the_outputs(task: Task) -> None:
    torch.manual_seed(0)
    clean, attacked = (torch.randn(2, task.width) * task.unit / 3 + task.centre).unbind()
    figure = figures.outputs_figure(task, clean, attacked, label=3)
    before, after = trace(figure, "before"), trace(figure, "after")
    if task.name == "int":
        assert (before.x[0], after.x[0]) == pytest.approx((float(clean), float(attacked)))
        return
    shown = [int(k) for k in before.customdata] if task.name == "tra" else list(range(task.width))
    assert list(before.y) == pytest.approx(clean[shown].tolist())
    assert list(after.y) == pytest.approx(attacked[shown].tolist())


@pytest.mark.parametrize(("task", "threshold", "rails"), [
    (make_task("rbc", S=350), 0.0, [-350, 350]), (make_task("rbc", S=10), 0.0, [-10, 10]),
    (make_task("deepbe"), 0.5, [0, 1]),
])
def test_gauges_have_their_rails_and_threshold(task: Task, threshold: float, rails: list[float]) -> None:
    figure = bit_gauges(task, [0.6, -3, 400, 0.2], label=9)
    assert lines(figure, "threshold") == [threshold]
    assert sorted(lines(figure, "rail")) == rails
    assert all(figure.layout.yaxis.range[0] < v < figure.layout.yaxis.range[1] for v in (*rails, -3, 400))


def test_the_blue_half_of_a_gauge_is_the_one_that_the_label_needs() -> None:
    task = make_task("rbc")
    needed = trace(bit_gauges(task, [1.0] * 4, label=9), "needed by the label")
    assert [y > 0 for y in needed.y] == [True, False, False, True]  # 9 = 1001
    assert needed.base == 0


def test_gauges_read_bits_by_the_decoders_rule() -> None:
    task = make_task("rbc", S=10)
    figure = bit_gauges(task, [5, 5, -5, 0.0], [5, -5, -5, 1e-6], label=8)  # exactly 0 reads 0
    words = list(figure.layout.xaxis.ticktext)
    assert words == ["1", "<b>1→0</b>", "0", "<b>0→1</b>"]
    after = trace(figure, "after")
    assert list(after.marker.color) == [BLUE] * 3 + [ORANGE]
    assert list(after.marker.symbol) == ["diamond"] * 3 + ["x"]


@pytest.mark.parametrize("settings", [{}, {"alpha": 1, "beta": 3}, {"s0": -50, "alpha": 0, "beta": 2}])
def test_intervals_are_drawn_from_l_to_u(settings: dict[str, float]) -> None:
    task = make_task("int", **settings)
    bands = trace(number_line(task, [task.centre], label=0), "interval of a class")
    ends = [(x - w / 2, x + w / 2) for x, w in zip(bands.x, bands.width, strict=True)]
    assert [e[0] for e in ends] == pytest.approx(task.codec.lower.tolist())
    assert [e[1] for e in ends] == pytest.approx(task.codec.upper.tolist())


def test_gaps_are_hatched_between_and_beyond() -> None:
    task = make_task("int")
    gaps = trace(number_line(task, [8.0], [-30.0], label=0), "None")
    assert gaps.marker.pattern.shape == "/"
    points = torch.tensor([[x] for x in gaps.x])
    assert task.codec.decode(points).eq(-1).all()  # the middle of every hatched band is None
    inside = [(x - w / 2, x + w / 2) for x, w in zip(gaps.x, gaps.width, strict=True)]
    assert (16.0, 20.0) in [(pytest.approx(a), pytest.approx(b)) for a, b in inside]
    assert inside[0][0] < -30 < inside[0][1]  # and the output lies on hatched ground
    assert len(inside) == 11


def test_the_floor_rule_hatches_only_the_two_ends() -> None:
    task = make_task("int", gap="floor")
    figure = number_line(task, [18.0], label=0)
    gaps = trace(figure, "None")
    assert len(gaps.x) == 2
    assert task.codec.decode(torch.tensor([[x] for x in gaps.x])).eq(-1).all()
    below = trace(figure, "gap, read as the class below")
    assert task.codec.decode(torch.tensor([[x] for x in below.x])).tolist() == list(range(10))


def test_an_output_far_off_the_line_stands_at_the_edge_with_its_number() -> None:
    task = make_task("int")
    figure = number_line(task, [8.0], [-5000.0], label=0)
    after = trace(figure, "after")
    assert after.x[0] == figure.layout.xaxis.range[0] < 0
    assert "-5000" in after.text[0]
    assert after.marker.symbol == "triangle-left"
    close = trace(number_line(task, [8.0], [-20.0], label=0), "after")
    assert close.x[0] == -20
    assert close.mode == "markers"


@pytest.mark.parametrize(("task", "z", "outcome"), [
    (make_task("int"), [8.0], "correct"), (make_task("int"), [18.0], "abnormal"), (make_task("int"), [28.0], "wrong"),
])
def test_the_line_shows_the_outcome_by_colour_and_shape(task: Task, z: list[float], outcome: Any) -> None:
    figure = number_line(task, [8.0], z, label=0)
    after, look = trace(figure, "after"), LOOKS[outcome]
    assert (after.marker.color, after.marker.symbol) == (look.colour, look.symbol)
    fills = trace(figure, "interval of a class").marker.color
    assert fills[0].startswith("rgba(31,120,200")  # the label's own, blue
    assert (fills[1] == LOOKS["wrong"].fill) == (outcome == "wrong")


def test_the_winning_bar_is_blue_or_orange_and_signed() -> None:
    task = make_task("tra", num_classes=3)
    for z, winner, look in (([1.0, 2.0, 0.0], 1, "correct"), ([3.0, 2.0, 0.0], 0, "wrong")):
        bars = trace(output_bars(task, [0.0, 1.0, 0.0], z, label=1), "after")
        assert bars.marker.color[winner] == LOOKS[look].colour
        assert list(bars.text) == [LOOKS[look].sign if k == winner else "" for k in range(3)]


def test_many_classes_show_the_label_and_the_largest() -> None:
    task = make_task("tra", num_classes=100)
    z = torch.arange(100.0)
    bars = trace(output_bars(task, z, label=0, most=5), "outputs")
    assert list(bars.customdata) == ["0", "96", "97", "98", "99"]


@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_figures_have_no_ground_of_their_own_and_no_colour_of_text(task: Task) -> None:
    layout = figures.outputs_figure(task, [0.0] * task.width, [1.0] * task.width, label=0, legend=False).layout
    assert layout.paper_bgcolor == layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert layout.font.color is None
    assert layout.showlegend is False


def test_colours_read_on_white_and_on_black() -> None:
    for colour in (BLUE, ORANGE, GREY):
        assert 1.05 / (luminance(colour) + 0.05) >= 3
        assert (luminance(colour) + 0.05) / 0.0574 >= 3  # on the app's dark ground, #0f151c


def test_outcomes_differ_in_more_than_colour() -> None:
    looks = LOOKS.values()
    for part in ("colour", "symbol", "sign", "word"):
        assert len({getattr(look, part) for look in looks}) == 3
    assert outcome_of(-1, 0) == "abnormal"


@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_outputs_without_an_attack_are_a_figure_too(task: Task) -> None:
    figure = figures.outputs_figure(task, torch.full((1, task.width), 0.3), label=0)
    assert not {"before", "after"} & {t.name for t in figure.data}, "nothing has been attacked yet"


@pytest.mark.parametrize(("z", "label", "words"), [
    ([1.0, 2.0], 0, "4 outputs"), ([1.0, 2.0, 3.0, float("nan")], 0, "finite"), ([1.0] * 4, 10, "0..9"),
    ([1.0] * 4, True, "label"),
])
def test_other_outputs_and_labels_are_refused(z: list[float], label: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        figures.outputs_figure(make_task("rbc"), z, label=label)


def test_words_say_what_is_read() -> None:
    task = make_task("rbc")
    words = describe_outputs(task, [9, -9, -9, 9.0], [9, 9, 9, 9.0], label=9)
    assert "label 9 is 1001" in words
    assert "Before: bits 1001, read as 9." in words
    assert "After: bits 1111, read as None." in words
    scores = describe_outputs(make_task("tra", num_classes=3), [0, 1, 2.0], label=0)
    assert "largest for class 2, read as 2" in scores
