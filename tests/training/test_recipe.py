"""Recipes and defences: plain settings, there and back, and what they refuse."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasklab.training import Adversarial, GaussianNoise, Recipe, UniformNoise
from tasklab.training.defences import DEFENCES, defence_from_dict

SIZES = st.floats(0, 1)
DEFENCE = st.one_of(
    st.none(),
    st.builds(GaussianNoise, sigma=SIZES),
    st.builds(UniformNoise, eps=SIZES),
    st.builds(Adversarial, eps=SIZES, steps=st.integers(1, 9), step_size=st.one_of(st.none(), SIZES),
              objective=st.sampled_from(["train", "margin", "soft_margin", "bits"])),
)
RECIPE = st.builds(
    Recipe, epochs=st.integers(1, 99), batch_size=st.integers(2, 999), optimizer=st.sampled_from(["adamw", "sgd"]),
    lr=st.floats(0, 10), warmup=st.floats(0, 0.99), weight_decay=st.floats(0, 1), flip=st.booleans(),
    crop=st.integers(0, 4), defence=DEFENCE, average=st.floats(0, 0.999), inset=st.floats(0, 0.49),
    precision=st.sampled_from(["float32", "bfloat16"]), seed=st.integers(0, 2**31),
)


@settings(max_examples=80)
@given(RECIPE)
def test_a_recipe_comes_back_from_json_as_it_went(recipe: Recipe) -> None:
    again = Recipe.from_dict(json.loads(json.dumps(recipe.to_dict())))
    assert again == recipe
    assert hash(again) == hash(recipe)
    assert type(again.defence) is type(recipe.defence)


@settings(max_examples=60)
@given(RECIPE, st.integers(1, 500))
def test_the_learning_rate_goes_up_and_down_below_its_peak(recipe: Recipe, total: int) -> None:
    rates = [recipe.lr_at(step, total) for step in range(total)]
    assert all(0 <= rate <= recipe.lr * (1 + 1e-9) for rate in rates)
    top = rates.index(max(rates))
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_the_schedule_is_one_cycle() -> None:
    recipe = Recipe(lr=1.0, warmup=0.25)
    assert [recipe.lr_at(step, 8) for step in range(8)] == pytest.approx(
        [1 / 3, 2 / 3, *((1 + math.cos(math.pi * k / 6)) / 2 for k in range(6))]
    )
    assert Recipe(lr=1.0, warmup=0.0).lr_at(0, 10) == 1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"epochs": 0}, "expected epochs as an integer ≥ 1, got 0"),
        ({"epochs": 1.5}, r"expected epochs .* got 1\.5"),
        ({"batch_size": 1}, "expected batch_size as an integer ≥ 2, got 1"),
        ({"crop": -1}, "expected crop as an integer ≥ 0, got -1"),
        ({"seed": True}, "expected seed .* got True"),
        ({"lr": -0.1}, r"expected lr in \[0, inf\), got -0\.1"),
        ({"lr": float("nan")}, "expected lr .* got nan"),
        ({"lr": float("inf")}, "expected lr .* got inf"),
        ({"lr": "fast"}, "expected lr .* got 'fast'"),
        ({"warmup": 1.0}, r"expected warmup in \[0, 1\), got 1\.0"),
        ({"average": 1}, r"expected average in \[0, 1\), got 1"),
        ({"inset": 0.5}, r"expected inset in \[0, 0\.5\), got 0\.5"),
        ({"weight_decay": -1}, "expected weight_decay"),
        ({"optimizer": "adam"}, "expected optimizer among adamw, sgd, got 'adam'"),
        ({"precision": "float16"}, "expected precision among auto, float32, bfloat16, got 'float16'"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Recipe(**wrong)
    with pytest.raises(ValueError, match=says):
        Recipe.from_dict(wrong)


def test_what_is_no_defence_is_refused() -> None:
    with pytest.raises(TypeError, match=r"expected defence as a Defence or None, got 'adversarial'; try Adversarial"):
        Recipe(defence="adversarial")  # type: ignore[arg-type]
    for described, says in (
        ({"defence": "magic"}, "expected a defence among adversarial, gaussian, uniform, got 'magic'"),
        ({"eps": 0.1}, "expected a defence among .*, got None"),
        ({"defence": "gaussian"}, "expected settings of defence gaussian, got others"),
        ({"defence": "gaussian", "sigma": 0.1, "eps": 0.1}, "expected settings of defence gaussian, got others"),
        ({"defence": "gaussian", "sigma": -0.1}, r"expected sigma .* got -0\.1; try 0\.1"),
        ({"defence": "uniform", "eps": float("nan")}, "expected eps .* got nan"),
        ({"defence": "adversarial", "eps": -1}, "expected eps .* got -1"),
        ({"defence": "adversarial", "eps": 0.1, "steps": 0}, "expected steps"),
        ({"defence": "adversarial", "eps": 0.1, "objective": "cw"}, "expected an objective among"),
    ):
        with pytest.raises(ValueError, match=says):
            defence_from_dict(described)
        with pytest.raises(ValueError, match=says):
            Recipe.from_dict({"defence": described})
    with pytest.raises(ValueError, match=r"expected recipe settings among .*, got learning_rate"):
        Recipe.from_dict({"learning_rate": 0.1})


def test_defences_are_known_by_name_and_frozen() -> None:
    assert set(DEFENCES) == {"adversarial", "gaussian", "uniform"}
    inner = Adversarial(eps=0.1, objective="bits").inner(7)
    assert (inner.eps, inner.steps, inner.objective, inner.seed, inner.keep) == (0.1, 7, "bits", 7, "last")
    assert inner.random_start
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().lr = 1.0  # type: ignore[misc]
    assert "lr=0.003" in repr(Recipe())
