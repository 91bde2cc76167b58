"""NumPy's numbers are numbers: every public setting and argument reads them as if they had been typed."""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
import pkgutil
from collections.abc import Callable
from fractions import Fraction
from types import UnionType
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import tasklab
from tasklab import data
from tasklab.attacks import FAB, PGD, Settings, Square, attack
from tasklab.attacks.features import towards_features
from tasklab.attacks.presets import Entry
from tasklab.checks import as_number, as_whole, check_number, check_switch, check_whole
from tasklab.codecs import Binary
from tasklab.codecs.base import Codec
from tasklab.codecs.codes import gray_code, hadamard_code, plain_code, random_code
from tasklab.data import digit_strokes
from tasklab.data.points import draw_points
from tasklab.embedding import PCA, TSNE, neighbour_accuracy, read_features, read_outputs
from tasklab.evaluation import check_attack, evaluate
from tasklab.evaluation.counts import Outcomes
from tasklab.evaluation.statistics import Share, wilson
from tasklab.experiments.plane import cross_section, places
from tasklab.experiments.scenario import Scenario
from tasklab.figures.pictures import picture
from tasklab.models import NetworkSpec, build_network
from tasklab.system import System, new_system
from tasklab.tasks import RBC, Task, make_task
from tasklab.training import Recipe
from tasklab.training.defences import Adversarial, Defence
from tasklab.training.events import Watch


def numpy_kinds(kind: type) -> list[type]:
    return sorted({each for each in np.sctypeDict.values() if issubclass(each, kind) and each is not np.timedelta64},
                  key=lambda each: each.__name__)


WHOLE, REAL = numpy_kinds(np.integer), numpy_kinds(np.floating)

NEEDED: dict[str, dict[str, Any]] = {
    "NetworkSpec": {"arch": "mlp", "in_shape": (2,), "outputs": 1, "mean": (0.5, 0.5), "std": (0.25, 0.25)},
    "Adversarial": {"eps": 0.25}, "GaussianNoise": {"sigma": 0.25}, "UniformNoise": {"eps": 0.25},
    "Watch": {"eps": 0.25}, "Entry": {"settings": FAB()}, "Share": {"count": 1, "n": 2},
    "Outcomes": {"correct": 1, "wrong": 1, "abnormal": 0},
}
"""What has to be given to make one of each."""


def settings_classes() -> list[type]:
    """Every public frozen dataclass of settings in the package, found by walking it."""
    bases = (Settings, Task, Codec, Defence, Recipe, Watch, NetworkSpec, TSNE, PCA, Scenario, Entry, Share, Outcomes)
    names = set()
    for module in pkgutil.walk_packages(tasklab.__path__, "tasklab."):
        if module.name.endswith("__main__"):
            continue
        for kind in vars(importlib.import_module(module.name)).values():
            if isinstance(kind, type) and issubclass(kind, bases) and dataclasses.is_dataclass(kind):
                names.add(kind)
    return sorted(
        (kind for kind in names if not kind.__name__.startswith("_") and not getattr(kind, "__abstractmethods__", None)
         and kind not in (Settings, Defence)),
        key=lambda kind: kind.__name__,
    )


CLASSES = settings_classes()


def made(kind: type, **values: Any) -> Any:
    needed = NEEDED.get(kind.__name__, {"eps": 0.25} if issubclass(kind, Settings) else {})
    return kind(**{**needed, **values})


def fields() -> list[Any]:
    """Every field that holds a number, a whole one or a real one."""
    names = []
    for kind in CLASSES:
        hints = get_type_hints(kind)
        for field in dataclasses.fields(kind):
            hint = hints[field.name]
            takes = set(get_args(hint)) if isinstance(hint, UnionType) else {hint}
            if field.init and takes & {int, float}:
                names.append(pytest.param(kind, field.name, float in takes, id=f"{kind.__name__}-{field.name}"))
    return names


def test_the_settings_of_the_package_are_found() -> None:
    names = {kind.__name__ for kind in CLASSES}
    assert {"PGD", "FGSM", "APGD", "Square", "FAB", "CW", "HopSkipJump", "Noise", "Recipe", "Watch", "Adversarial",
            "RBC", "INT", "TRA", "DeepBE", "Binary", "Interval", "Argmax", "NetworkSpec", "TSNE",
            "Scenario"} <= names


@pytest.mark.parametrize(("kind", "name", "real"), fields())
def test_a_number_of_numpy_is_kept_as_a_plain_one(kind: type, name: str, real: bool) -> None:
    plain = getattr(made(kind), name)
    whole = {"bits": plain or 5, "target": 3, "width": 32}.get(name, 2 if plain is None else plain)
    value = 0.25 if real and (plain is None or plain == math.inf) else whole
    for number in (WHOLE if isinstance(value, int) else []) + (REAL if real else []):
        if isinstance(value, int) and number in WHOLE and value > np.iinfo(number).max:
            continue
        given = number(value)
        loose, typed = made(kind, **{name: given}), made(kind, **{name: float(given) if number in REAL else int(given)})
        assert loose == typed and hash(loose) == hash(typed) and repr(loose) == repr(typed), number
        assert type(getattr(loose, name)) in (int, float), number
        if hasattr(loose, "to_dict"):
            assert json.dumps(loose.to_dict()) == json.dumps(typed.to_dict()), number


@pytest.mark.parametrize(("kind", "name", "real"), fields())
def test_what_is_no_number_is_refused_in_words(kind: type, name: str, real: bool) -> None:
    for wrong in (True, np.True_, torch.tensor(True), "3", [3], np.array([3]), torch.tensor([3]), np.array(0.5), 1j):
        with pytest.raises((ValueError, TypeError), match=r"expected .* got"):
            made(kind, **{name: wrong})
    if not real:
        for wrong in (np.float64(2.0), 2.5, np.float32(2), Fraction(5, 2)):
            with pytest.raises((ValueError, TypeError), match=r"expected .* got"):
                made(kind, **{name: wrong})


def test_switches_are_kept_plain() -> None:
    result = PGD(eps=0.1, targeted=np.True_, random_start=np.False_)
    assert result == PGD(eps=0.1, targeted=True, random_start=False) and repr(result).count("np.") == 0
    assert Recipe(flip=np.True_).flip is True
    for wrong in (1, "yes", None, np.array([True])):
        with pytest.raises(ValueError, match="expected targeted as True or False, got"):
            PGD(eps=0.1, targeted=wrong)  # type: ignore[arg-type]


def test_whole_numbers_without_axes_are_taken_out_of_arrays() -> None:
    for three in (np.array(3), torch.tensor(3), np.uint8(3)):
        assert repr(PGD(eps=0.1, steps=three)) == repr(PGD(eps=0.1, steps=3))
    for half in (np.array(0.5), torch.tensor(0.5)):
        with pytest.raises(ValueError, match=r"expected eps as a finite number ≥ 0, got .*; try \.item\(\)"):
            PGD(eps=half)


@given(st.one_of(st.integers(), st.floats(), st.fractions(), st.booleans(), st.text(), st.none(), st.complex_numbers(),
                 st.sampled_from(WHOLE).map(lambda kind: kind(7)), st.sampled_from(REAL).map(lambda kind: kind(0.75))))
def test_the_check_takes_real_numbers_and_nothing_else(value: Any) -> None:
    whole, number = as_whole(value), as_number(value)
    assert whole is None or (type(whole) is int and whole == value)
    assert number is None or (type(number) in (int, float) and (number == value or number != number
                                                               or math.isclose(number, float(value))))
    if isinstance(value, str | bool | complex | None):
        assert whole is None and number is None
    if number is not None and 0 <= number < math.inf:
        assert check_number("x", value, low=0) == number
    else:
        with pytest.raises(ValueError, match="expected x as a finite number ≥ 0, got"):
            check_number("x", value, low=0)


@pytest.mark.parametrize("value", [10**400, -(10**400), Fraction(10**400)])
def test_a_number_that_no_float_holds_is_not_finite(value: Any) -> None:
    with pytest.raises(ValueError, match="expected x as a finite number"):
        check_number("x", value)
    with pytest.raises(ValueError, match="expected eps"):
        PGD(eps=value)


def test_limits_are_said() -> None:
    with pytest.raises(ValueError, match=r"expected x as a finite number ≥ 0 and ≤ 1, got 2; try 0\.5$"):
        check_number("x", 2, low=0, high=1, hint=0.5)
    with pytest.raises(ValueError, match=r"expected x as an integer in 1\.\.4, got np\.int64\(5\); try 2$"):
        check_whole("x", np.int64(5), low=1, high=4, hint=2)
    with pytest.raises(ValueError, match="expected x as True or False, got 1"):
        check_switch("x", 1)


DIGITS = data.load("digits", "test")


THREES = [*(kind(3) for kind in WHOLE), np.array(3), torch.tensor(3), np.minimum(3, 400)]


@pytest.mark.parametrize("n", THREES, ids=repr)
def test_a_number_of_pictures_is_the_first_of_them_and_a_place_is_one(n: Any) -> None:
    assert torch.equal(DIGITS.subset(n).images, DIGITS.subset(3).images)
    assert torch.equal(DIGITS.x(n), DIGITS.x(3)) and len(DIGITS.x(n)) == 1


def test_counts_that_are_worked_out_with_numpy() -> None:
    assert len(DIGITS.subset(np.minimum(500, 400))) == 400
    for wrong, error in ((np.int64(401), ValueError), (np.int64(-1), ValueError), (np.float64(3), TypeError),
                         (3.0, TypeError), (True, TypeError), (np.True_, TypeError)):
        with pytest.raises(error, match="expected"):
            DIGITS.subset(wrong)
    with pytest.raises(IndexError, match=r"expected an index in 0\.\.399, got 400"):
        DIGITS.x(np.int64(400))
    for rows in (np.array([3]), torch.tensor([3]), [np.int64(3)], (3,), DIGITS.labels.eq(99).index_fill(
            0, torch.tensor([3]), True), slice(np.int64(3), np.int64(4))):
        assert torch.equal(DIGITS.subset(rows).images, DIGITS.images[3:4])
    assert len(DIGITS.subset([])) == 0


def system() -> System:
    torch.manual_seed(0)
    trunk = nn.Flatten()
    return System(nn.Sequential(trunk, nn.Linear(4, 4)), make_task("rbc", S=1), features=trunk)


X = torch.rand(12, 1, 2, 2, generator=torch.Generator().manual_seed(1))
Y = system().predict(X).clamp(min=0)
EVERY = torch.arange(12) % 10
FLAT = System(nn.Linear(2, 1), make_task("int", num_classes=2))

CALLS: dict[str, Callable[[Callable[[Any], Any]], Any]] = {
    "read": lambda n: system().read(X, batch_size=n(5)),
    "predict": lambda n: system().predict(X, batch_size=n(5)),
    "attack": lambda n: attack(system(), X, Y, PGD(eps=n(1), steps=n(2), seed=n(3)), batch_size=n(5)).images,
    "square": lambda n: attack(system(), X, Y, Square(eps=1, steps=n(3), tries=n(2), restarts=n(2))).images,
    "evaluate": lambda n: evaluate(system(), (X, Y), [PGD(eps=n(1), steps=n(2))], batch_size=n(5))[1].decoded,
    "check_attack": lambda n: check_attack(system(), (X, Y), PGD(eps=0.5, steps=n(2)), inner=n(5), draws=n(6),
                                           batch_size=n(5)).to_dict(),
    "towards_features": lambda n: towards_features(system(), X, EVERY, batch_size=n(5)).name,
    "read_features": lambda n: read_features(system(), X, batch_size=n(5)),
    "read_outputs": lambda n: read_outputs(system(), X, batch_size=n(5)),
    "neighbour_accuracy": lambda n: neighbour_accuracy(X.flatten(1), Y.numpy(), k=n(3)),
    "load": lambda n: data.load("moons", n=n(9), noise=n(0), seed=n(2)).images,
    "draw_points": lambda n: draw_points("moons", "train", n=n(9), noise=n(0), seed=n(2)),
    "new_system": lambda n: new_system(make_task("rbc", S=n(3), bits=n(5)), DIGITS, seed=n(4), width=n(4)).read(
        DIGITS.x(slice(3))),
    "build_network": lambda n: build_network(NetworkSpec(arch="mlp", in_shape=(n(2),), outputs=n(1), mean=(n(0), n(0)),
                                                         std=(n(1), n(1)), width=n(3)), seed=n(5)).state_dict(),
    "codes": lambda n: (plain_code(n(5), n(3)), gray_code(n(5), n(3)), hadamard_code(n(5)),
                        random_code(n(4), n(6), seed=n(2))),
    "rows": lambda n: Binary(num_classes=n(2), code=((n(0),), (n(1),))),
    "wilson": lambda n: wilson(n(3), n(7)),
    "share": lambda n: (str(Share(n(3), n(7))), Share(n(3), n(7))),
    "places": lambda n: places(n(4)),
    "cross_section": lambda n: cross_section(FLAT, torch.zeros(2), torch.ones(2), n(1), n=n(5)).loss,
    "picture": lambda n: picture(X[0], scale=n(2)),
    "digit_strokes": lambda n: digit_strokes(n(4)),
    "defence": lambda n: Adversarial(eps=n(1), steps=n(3), step_size=n(1)).to_dict(),
    "scenario": lambda n: Scenario(image=n(4), eps=n(1), steps=n(3), target=n(2), seed=n(5), n=n(50)).to_code(),
    "link": lambda n: Scenario(image=n(4), eps=n(1), steps=n(3), target=n(2), seed=n(5), n=n(50)).link(),
}


def plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.tolist()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return tuple(map(plain, value)) if isinstance(value, tuple) else repr(value)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.int32])
def test_a_call_with_numpy_s_numbers_is_the_call_with_plain_ones(name: str, kind: Callable[[Any], Any]) -> None:
    assert plain(CALLS[name](kind)) == plain(CALLS[name](int))


def test_a_task_is_the_same_whatever_its_numbers_were_given_as() -> None:
    result = RBC(num_classes=np.int64(10), bits=np.int8(4), S=np.float32(350))
    assert result == RBC() and hash(result) == hash(RBC()) and json.dumps(result.to_dict())
    assert Outcomes(correct=np.int64(1), wrong=np.int64(2), abnormal=np.int64(0)).accuracy == Share(1, 3)
