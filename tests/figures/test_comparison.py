"""A published table as a figure: the bars and what is written beside them."""

from __future__ import annotations

import pytest

from tasklab.evaluation.statistics import Share
from tasklab.figures.comparison import WIDTH, Compared, comparison

CELL = Compared(published=50.0, measured=Share(1, 4), adaptive=Share(0, 4), arrows=("↑", "↓", ""), word="masked")


def test_bars_are_as_long_as_their_numbers_and_begin_in_their_cell() -> None:
    figure = comparison({"a": [CELL, CELL], "b": [CELL, CELL]}, ["PGD", "LEG"])
    for name, length in (("published", 0.5), ("measured", 0.25), ("adaptive", 0.0)):
        (bars,) = [trace for trace in figure.data if trace.name == name]
        assert list(bars.x) == pytest.approx([WIDTH * length] * 4)
        assert [round(base) for base in bars.base] == [0, 1, 0, 1]
        assert [round(y) for y in bars.y] == [0, 0, 1, 1]


def test_numbers_arrows_and_words_are_written() -> None:
    figure = comparison({"<b>a</b>": [CELL]}, ["PGD"])
    (text,) = [trace.text for trace in figure.data if trace.type == "scatter"]
    assert [words.strip() for words in text] == ["50.0↑", "25.0↓", "0.0", "<i>masked</i>"]
    assert figure.layout.yaxis.ticktext == ("&lt;b&gt;a&lt;/b&gt;",)


def test_a_number_that_is_missing_has_no_bar() -> None:
    figure = comparison({"a": [Compared(published=None, measured=None, adaptive=Share(0, 0))]}, ["PGD"])
    assert [len(trace.x) for trace in figure.data if trace.type == "bar"] == [0, 0, 0]


def test_rows_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="expected rows of 2 cells"):
        comparison({"a": [CELL]}, ["PGD", "LEG"])
