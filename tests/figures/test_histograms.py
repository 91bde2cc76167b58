"""Histograms count every image once, on its side of the threshold, between the rails that training set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tasklab import figures
from tasklab.evaluation.counts import outcomes
from tasklab.figures.histograms import describe_decisions
from tasklab.tasks import Task, make_task

TASKS = [make_task("tra"), make_task("deepbe"), make_task("int"), make_task("int", gap="floor"), make_task("rbc"),
         make_task("rbc", S=10), make_task("ecoc")]


def readings(task: Task, n: int = 120, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, task.num_classes, (n,), generator=generator)
    clean, attacked = (torch.randn(2, n, task.width, generator=generator) * task.unit / 2 + task.centre).unbind()
    return clean, attacked, labels


def bars(figure: Any) -> dict[str, Any]:
    return {t.name: t for t in figure.data if t.type == "bar"}


def places(figure: Any, name: str) -> list[float]:
    return sorted(s.x0 for s in figure.layout.shapes if s.name == name)


@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_the_bars_hold_all_images_and_each_kind_its_own(task: Task) -> None:
    clean, attacked, labels = readings(task)
    reading = figures.read_decisions(task, clean, attacked, labels)
    result = bars(figures.decision_histogram(reading))
    expected = outcomes(task.codec.decode(attacked), labels)
    for kind, count in (("correct", expected.correct), ("wrong", expected.wrong), ("None", expected.abnormal)):
        assert sum(result[kind].y) == pytest.approx(count / 120)
    (line,) = [t for t in figures.decision_histogram(reading).data if t.name == "before"]
    assert sum(line.y[1:-1:2]) == pytest.approx(1)  # each share stands at both ends of its bar


@pytest.mark.parametrize("task", [t for t in TASKS if t.name != "int"], ids=repr)
def test_correct_is_right_of_the_threshold_and_nothing_else_is(task: Task) -> None:
    clean, attacked, labels = readings(task)
    result = bars(figures.decision_histogram(figures.read_decisions(task, clean, attacked, labels)))
    for kind, bar in result.items():
        here = [x for x, y in zip(bar.x, bar.y, strict=True) if y > 0]
        assert all((x > 0) == (kind == "correct") for x in here)


@pytest.mark.parametrize(("task", "answer", "bit"), [
    (make_task("rbc", S=350), [350], [-350, 350]), (make_task("rbc", S=10), [10], [-10, 10]),
    (make_task("deepbe"), [0.5], [0, 1]),
])
def test_rails_stand_where_training_put_them(task: Task, answer: list[float], bit: list[float]) -> None:
    clean, attacked, labels = readings(task)
    whole = figures.decision_histogram(figures.read_decisions(task, clean, attacked, labels))
    assert places(whole, "rail") == answer
    assert places(whole, "threshold") == [0]
    one = figures.decision_histogram(figures.read_decisions(task, clean, attacked, labels, bit=2))
    assert places(one, "rail") == bit
    assert places(one, "threshold") == [task.codec.threshold]  # type: ignore[attr-defined]


def test_a_margin_is_the_worst_bits() -> None:
    task = make_task("rbc", S=10)
    z = torch.tensor([[12.0, -11.0, -3.0, 9.0], [12.0, 2.0, -3.0, 9.0]])
    reading = figures.read_decisions(task, z, None, torch.tensor([9, 9]))  # 9 = 1001
    assert reading.before.tolist() == [3.0, -2.0]
    assert reading.kinds == ("correct", "abnormal")  # 1101 is no class
    assert reading.after is None


def test_a_bit_is_kept_or_lost_by_the_decoders_rule() -> None:
    task = make_task("rbc", S=10)
    z = torch.tensor([[5.0] * 4, [0.0] * 4, [-5.0] * 4])
    reading = figures.read_decisions(task, z, z, torch.tensor([8, 8, 0]), bit=0)  # 8 = 1000: bit 1 is wanted
    assert reading.kinds == ("correct", "wrong", "correct")  # exactly 0 is not yet 1
    assert reading.before.tolist() == [5.0, 0.0, -5.0]
    result = bars(figures.decision_histogram(reading))
    assert [x < 0 for x, y in zip(result["wrong"].x, result["wrong"].y, strict=True) if y] == [True]


def test_intervals_are_counted_from_the_middle_of_ones_own() -> None:
    task = make_task("int")
    z = torch.tensor([[8.0], [28.0], [38.0], [46.0]])  # middles of 0 and 1, the gap above 1, within 2
    reading = figures.read_decisions(task, z, None, torch.tensor([0, 1, 1, 1]))
    assert reading.before.tolist() == [0, 0, 10, 18]
    assert reading.kinds == ("correct", "correct", "abnormal", "wrong")
    own, = [(low, high) for low, high, kind in reading.bands if kind == "own"]
    assert own == (-8, 8)
    assert (8, 12, "None") in reading.bands
    assert (12, 28, "class") in reading.bands
    assert "None" not in [kind for *_, kind in figures.read_decisions(
        make_task("int", gap="floor"), z, None, torch.tensor([0, 1, 1, 1])).bands]


def test_ticks_of_a_line_are_few_and_one_is_ones_own() -> None:
    task = make_task("int")
    z = torch.tensor([[8.0], [188.0], [8.0]])
    figure = figures.decision_histogram(figures.read_decisions(task, z, None, torch.tensor([0, 0, 9])))
    ticks = dict(zip(figure.layout.xaxis.ticktext, figure.layout.xaxis.tickvals, strict=True))
    assert len(ticks) <= 11
    assert ticks["0"] == 0
    assert ticks["+2"] == 40


def test_one_class_of_an_interval_system_lies_on_the_line_itself() -> None:
    task = make_task("int")
    z = torch.tensor([[8.0], [28.0], [38.0]])
    reading = figures.read_decisions(task, z, None, torch.tensor([0, 1, 1]), label=1)
    assert reading.before.tolist() == [28, 38]
    assert [(low, high) for low, high, kind in reading.bands if kind == "own"] == [(20, 36)]
    assert dict(reading.ticks)[28.0] == "1"


def test_s_scales_the_whole_picture_and_nothing_else() -> None:
    small, large = make_task("rbc", S=10), make_task("rbc", S=350)
    h, moved, labels = (readings(small, seed=1)[i] for i in range(3))
    first, second = (
        figures.decision_histogram(figures.read_decisions(task, h * task.unit, moved * task.unit, labels))
        for task in (small, large)
    )
    for kind, bar in bars(first).items():
        other = bars(second)[kind]
        assert sum(bar.y) == pytest.approx(sum(other.y))
        assert np.average(bar.x, weights=bar.y) * 35 == pytest.approx(np.average(other.x, weights=other.y), rel=0.1)


def test_what_lies_beyond_the_window_is_in_the_outermost_bars() -> None:
    reading = figures.read_decisions(make_task("tra"), *readings(make_task("tra")))
    result = bars(figures.decision_histogram(reading, window=(-0.1, 0.1)))
    assert sum(sum(bar.y) for bar in result.values()) == pytest.approx(1)
    assert result["wrong"].y[0] > 0.3


@settings(max_examples=40)
@given(st.lists(st.floats(-1e5, 1e5, allow_nan=False), min_size=1, max_size=30), st.integers(0, 9))
def test_no_outputs_break_it(values: list[float], label: int) -> None:
    for name in ("int", "rbc", "tra"):
        task = make_task(name)
        z = torch.tensor(values)[:, None].expand(-1, task.width).contiguous()
        reading = figures.read_decisions(task, z, z.flip(0), torch.full((len(values),), label))
        figure = figures.decision_histogram(reading)
        assert sum(sum(bar.y) for bar in bars(figure).values()) == pytest.approx(1)
        low, high = figure.layout.xaxis.range
        assert low < high


def test_no_images_of_a_class_are_an_empty_picture() -> None:
    task = make_task("rbc")
    reading = figures.read_decisions(task, torch.ones(3, 4), None, torch.tensor([1, 1, 2]), label=5)
    assert sum(sum(bar.y) for bar in bars(figures.decision_histogram(reading)).values()) == 0
    assert describe_decisions("RBC", reading) == "RBC: no images."


def test_the_stack_adds_to_all_images_and_tells_more_than_colour() -> None:
    rows = [("RBC before", outcomes(torch.tensor([1, 2, 3, -1]), torch.tensor([1, 2, 3, 4]))),
            ("RBC after", outcomes(torch.tensor([-1, -1, 0, 4]), torch.tensor([1, 2, 3, 4])))]
    figure = figures.outcome_stack(rows)
    shares = {t.name: list(t.x) for t in figure.data}
    assert shares == {"correct": [0.75, 0.25], "wrong": [0, 0.25], "None": [0.25, 0.5]}
    assert list(figure.data[0].y) == ["RBC before", "RBC after"]
    assert [t.text[1] for t in figure.data] == ["● 25 %", "✕ 25 %", "▨ 50 %"]
    (none,) = [t for t in figure.data if t.name == "None"]
    assert none.marker.pattern.shape == "/"


def test_words_say_what_the_histogram_shows() -> None:
    task = make_task("rbc", S=10)
    z = torch.tensor([[10.0, -10.0, -10.0, 10.0]] * 2)
    reading = figures.read_decisions(task, z, torch.stack([z[0], -z[0]]), torch.tensor([9, 9]))
    words = describe_decisions("RBC", reading)
    assert words == ("RBC, 2 images, margin of the worst bit. Median 10 before, 0 after. Rails at 10. "
                     "1 correct, 1 wrong, 0 None.")


@pytest.mark.parametrize(("change", "words"), [
    ({"bit": 4}, r"0\.\.3"), ({"label": 10}, r"0\.\.9"), ({"label": -1}, r"0\.\.9"),
    ({"before": torch.ones(2, 4)}, "as many"), ({"before": torch.full((3, 4), torch.nan)}, "finite"),
    ({"before": torch.ones(3, 5)}, "outputs of shape"), ({"task": make_task("int"), "before": torch.ones(3, 1),
                                                          "after": None, "bit": 0}, "no bits"),
])
def test_what_does_not_fit_is_refused(change: dict[str, Any], words: str) -> None:
    fit = {"task": make_task("rbc"), "before": torch.ones(3, 4), "after": torch.ones(3, 4),
           "labels": torch.tensor([0, 1, 2])}
    with pytest.raises(ValueError, match=words):
        figures.read_decisions(**(fit | change))
