"""Figures say in words what they show, and a notebook shows that once below each of them."""

from __future__ import annotations

from types import SimpleNamespace

import plotly.graph_objects as go
import pytest
import torch

from tasklab.evaluation import Share
from tasklab.evaluation.counts import Outcomes
from tasklab.figures import accuracy_curves, distance_curves, gallery, lines, look_of, outcome_stack, outputs_figure
from tasklab.figures.words import in_words, show_words, words_of
from tasklab.tasks import make_task


def test_the_words_hold_the_numbers_of_the_figure() -> None:
    a, b = Outcomes(correct=8, wrong=1, abnormal=1), Outcomes(correct=0, wrong=5, abnormal=0)
    stack = outcome_stack([("A", a), ("B", b)])
    assert "A, 10 images: 80 % correct, 10 % wrong, 10 % None." in words_of(stack)
    assert "B, 5 images: 0 % correct, 100 % wrong" in words_of(stack)
    curves = accuracy_curves({"own": {0.1: Share(3, 4)}}, names={"own": "training loss"}, up="classified correctly, %")
    assert words_of(curves) == "Share of the images, classified correctly. training loss: 75 % at ε = 0.1."
    assert "TRA, 3 images: median 0.2, largest 0.5." in words_of(distance_curves({"TRA": [0.5, 0.1, 0.2]}))
    assert words_of(outputs_figure(make_task("int"), [24.0], label=1)).endswith("Before: 24, read as 1.")
    curve = lines({"loss": ([0, 1], [4, 2])}, x="z", y="loss")
    assert words_of(curve).endswith("loss: 4 at 0, 2 at 1; between 2 and 4.")
    shown = gallery(torch.zeros(2, 1, 8, 8), ["one", "two"], looks=[None, look_of(3, 4)])
    assert words_of(shown) == "2 images: one; two (wrong)."


class Events:
    """As much of IPython's events as is needed."""

    def __init__(self) -> None:
        self.callbacks: dict[str, list[object]] = {"post_run_cell": []}

    def register(self, name: str, call: object) -> None:
        self.callbacks[name].append(call)

    def unregister(self, name: str, call: object) -> None:
        self.callbacks[name].remove(call)


def test_a_notebook_shows_the_words_once_and_nothing_for_other_values(monkeypatch: pytest.MonkeyPatch) -> None:
    shell, said = SimpleNamespace(events=Events()), []
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    monkeypatch.setattr("IPython.display.display", lambda shown: said.append(shown.data))
    show_words()
    show_words()
    (below,) = shell.events.callbacks["post_run_cell"]
    for value in (None, 3, go.Figure(), in_words(go.Figure(), "A < B & more."), "text"):
        below(SimpleNamespace(result=value))
    assert len(said) == 1 and "A &lt; B &amp; more." in said[0]


def test_outside_a_notebook_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("IPython.get_ipython", lambda: None)
    show_words()
