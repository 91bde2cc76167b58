"""What attacks refuse, and in which words."""

from __future__ import annotations

import math
import warnings
from typing import Any

import pytest
import torch
from attack_systems import TASKS, linear
from torch import nn

from tasklab.attacks import FAB, FGSM, PGD, attack
from tasklab.system import System

X = torch.rand(4, 1, 4, 4, generator=torch.Generator().manual_seed(0))
Y = torch.tensor([0, 1, 2, 3])

SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"eps": -0.1}, r"expected eps as a finite number ≥ 0, got -0\.1; try 8/255"),
    ({"eps": float("nan")}, "expected eps .* got nan"),
    ({"eps": float("inf")}, "expected eps .* got inf"),
    ({"eps": "8"}, "expected eps .* got '8'"),
    ({"eps": True}, "expected eps .* got True"),
    ({"steps": 0}, "expected steps as an integer ≥ 1, got 0"),
    ({"steps": 2.5}, r"expected steps .* got 2\.5"),
    ({"step_size": -1.0}, r"expected step_size .* got -1\.0; try None for 2\.5·eps/steps"),
    ({"step_size": float("nan")}, "expected step_size .* got nan"),
    ({"restarts": 0}, r"expected restarts as an integer in 1\.\.1048576, got 0"),
    ({"restarts": 2**21}, r"expected restarts .* got 2097152"),
    ({"restarts": 2, "random_start": False}, "expected restarts=1 without random_start, got 2"),
    ({"seed": -1}, "expected seed as an integer in 0.*, got -1"),
    ({"seed": 2**64}, "expected seed .* got 18446744073709551616"),
    ({"seed": None}, "expected seed .* got None"),
    ({"norm": "l1"}, "expected norm among linf, l2, got 'l1'"),
    ({"criterion": "broken"}, "expected criterion among misclassified, evaded, got 'broken'"),
    ({"keep": "worst"}, "expected keep among first, best, last, got 'worst'"),
    ({"plan": "fast"}, "expected plan 'auto' or a Plan, got 'fast'; try PLAIN"),
    ({"objective": "cw"}, "expected an objective among train, margin, .*, got 'cw'"),
    ({"objective": "bits", "targeted": True}, "expected an objective that has a target, got 'bits'; try .*'margin'"),
    ({"objective": "towards_code", "targeted": True}, "expected an objective that has a target"),
    ({"objective": "up", "targeted": True}, "expected an objective that has a target"),
]


@pytest.mark.parametrize(("wrong", "says"), SETTINGS)
def test_wrong_settings_are_refused_at_once(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        PGD(**{"eps": 0.1, **wrong})


def test_an_objective_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match=r"expected an objective's name or a callable .* got int"):
        PGD(eps=0.1, objective=3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected eps"):
        FGSM(eps=-1)
    with pytest.raises(TypeError):
        PGD(0.1)  # type: ignore[misc]


INPUTS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"images": (X * 255).byte()}, TypeError, r"expected images as float32 in \[0, 1\], got torch.uint8; try .* / 255"),
    ({"images": X.double()}, TypeError, "expected images as float32 .* got torch.float64"),
    ({"images": X.numpy()}, TypeError, "expected images as float32 .* got ndarray"),
    ({"images": X * 255}, ValueError, r"expected images in \[0, 1\], got .*; try images without normalisation"),
    ({"images": X - 0.5}, ValueError, r"expected images in \[0, 1\], got -0"),
    ({"images": torch.where(X.max() == X, torch.nan, X)}, ValueError, r"expected images in \[0, 1\], got nan"),
    ({"images": torch.rand(4)}, ValueError, r"expected a batch of images .*, got shape \(4,\); try images\[None\]"),
    ({"labels": Y.float()}, TypeError, "expected labels as an integer tensor .* got torch.float32; try y.long()"),
    ({"labels": Y + 1}, ValueError, r"expected labels in 0\.\.3, got 1\.\.4; try a task with num_classes=5"),
    ({"labels": Y - 1}, ValueError, r"expected labels in 0\.\.3, got -1\.\.2; try leaving abnormal examples out"),
    ({"labels": Y[:3]}, ValueError, "expected one label for each of 4 images, got 3"),
    ({"labels": Y[:, None]}, ValueError, r"expected labels of shape \(N,\), got \(4, 1\)"),
    ({"labels": [0, 1, 2, 3]}, TypeError, "expected labels as an integer tensor .* got list"),
    ({"targets": Y}, ValueError, "expected targets exactly when targeted=True, got targeted=False and targets"),
    ({"settings": PGD(eps=0.1, targeted=True)}, ValueError, "got targeted=True and no targets"),
    ({"settings": PGD(eps=0.1, targeted=True), "targets": Y + 1}, ValueError, r"expected labels in 0\.\.3"),
    ({"settings": PGD(eps=0.1, targeted=True), "targets": Y[:2]}, ValueError, "for each of 4 images, got 2"),
    ({"settings": PGD(eps=0.1, objective="up")}, ValueError, "expected task int .* got tra; try objective='margin'"),
    ({"settings": PGD(eps=0.1, objective="down")}, ValueError, "expected task int"),
    ({"settings": PGD(eps=0.1, objective="unclipped")}, ValueError, "expected task rbc or ecoc for .*'unclipped'"),
    ({"indices": Y[:3]}, ValueError, r"expected indices as int64 \(4,\).* got torch.int64 \(3,\); try torch.arange"),
    ({"indices": Y.float()}, ValueError, "expected indices as int64"),
    ({"indices": Y - 1}, ValueError, r"expected indices in 0\.\..*, got -1\.\.2"),
    ({"batch_size": 0}, ValueError, "expected batch_size as an integer ≥ 1, got 0; try 256"),
    ({"batch_size": -3}, ValueError, "expected batch_size"),
]


@pytest.mark.parametrize(("wrong", "kind", "says"), INPUTS)
def test_what_does_not_fit_is_refused(wrong: dict[str, Any], kind: type[Exception], says: str) -> None:
    given = {"images": X, "labels": Y, "settings": PGD(eps=0.1, steps=2)} | wrong
    system = linear(TASKS["tra"])
    with pytest.raises(kind, match=says):
        attack(system, given.pop("images"), given.pop("labels"), given.pop("settings"), **given)


@pytest.mark.parametrize(
    ("layer", "got"),
    [(nn.Linear(16, 10), r"\(4, 10\)"), (nn.Linear(16, 1), r"\(4, 1\)"), (nn.Identity(), r"\(4, 16\)")],
)
def test_outputs_of_another_width_are_refused(layer: nn.Module, got: str) -> None:
    system = System(nn.Sequential(nn.Flatten(), layer), TASKS["tra"])
    with pytest.raises(ValueError, match=rf"expected outputs of shape \(4, 4\) for task tra, got {got}; try a network"):
        attack(system, X, Y, PGD(eps=0.1))


def test_up_on_another_task_than_int_is_refused_for_each() -> None:
    for name in ("rbc", "deepbe"):
        with pytest.raises(ValueError, match=f"expected task int .* got {name}"):
            attack(linear(TASKS[name]), X, Y, PGD(eps=0.1, objective="up"))


def test_a_callable_s_values_must_be_one_for_each_row() -> None:
    for wrong in (lambda task, z, y: z, lambda task, z, y: z.sum()):
        with pytest.raises(ValueError, match=r"expected the objective's values as \(4,\), one for each row, got"):
            attack(linear(TASKS["tra"]), X, Y, PGD(eps=0.1, objective=wrong, keep="best"))


def test_a_radius_in_levels_of_255_gets_a_warning() -> None:
    with pytest.warns(UserWarning, match="eps=8 is more than a pixel's whole range") as caught:
        PGD(eps=8)
    assert caught[0].filename == __file__, "it points at the line that asked"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for settings in (PGD(eps=8 / 255), PGD(eps=1), PGD(eps=8, norm="l2"), FAB(eps=math.inf), FAB()):
            assert settings.eps >= 0
