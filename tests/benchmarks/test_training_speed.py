"""The training benchmark in miniature: both ways train the same network as well. No times."""

from __future__ import annotations

import pytest

from tasklab.data import load
from tasklab.training import Recipe
from tests.benchmarks.training_speed import GOALS, accuracies, main


def test_both_ways_learn() -> None:
    recipe = Recipe(epochs=6, batch_size=32, lr=1e-2)
    ours, theirs = accuracies("small_cnn", load("digits"), load("digits", "test"), recipe)
    assert ours > 0.9 and abs(ours - theirs) < 0.05


def test_each_network_has_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--data", "digits", "--networks", "small_cnn", *GOALS, "--images", "16", "--batch-size", "4",
          "--repeats", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines[2:]] == ["small_cnn", *GOALS]
