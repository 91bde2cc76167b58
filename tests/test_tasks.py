"""Tasks: the paper's defaults, plain dicts, equality, natural units, wrong settings."""

from __future__ import annotations

import dataclasses
import json
import pickle
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tasklab.codecs import Argmax, Binary, Interval, gray_code, hadamard_code, random_code
from tasklab.tasks import ECOC, INT, RBC, TASKS, TRA, DeepBE, Task, make_task

PARAMETRISATIONS = st.sampled_from(["scaled", "paper"])


@st.composite
def codes(draw: st.DrawFn) -> dict[str, Any]:
    num_classes = draw(st.integers(2, 20))
    bits = (num_classes - 1).bit_length() + draw(st.integers(0, 3))
    kinds = [{"code": "binary", "bits": bits}, {"code": "gray", "bits": bits}, {"code": "binary", "bits": None}]
    kinds += [{"code": hadamard_code(num_classes)}, {"code": gray_code(num_classes, bits), "bits": bits}]
    kinds += [{"code": random_code(num_classes, 10)}]
    return {"num_classes": num_classes, "parametrisation": draw(PARAMETRISATIONS), **draw(st.sampled_from(kinds))}


TASK_STRATEGY: st.SearchStrategy[Task] = st.one_of(
    st.builds(TRA, num_classes=st.integers(2, 1000), parametrisation=PARAMETRISATIONS),
    st.builds(lambda code, form: DeepBE(**code, loss_form=form), codes(), st.sampled_from(["hinge", "mse", "bce"])),
    st.builds(lambda code, S: RBC(**code, S=S), codes(), st.one_of(st.floats(0, 1e6), st.integers(0, 1000))),
    st.builds(lambda code, S, form: ECOC(**code, S=S, loss_form=form), codes(), st.floats(1e-3, 1e6),
              st.sampled_from(["hinge", "logistic"])),
    st.builds(ECOC, num_classes=st.integers(2, 40), code=st.sampled_from(["hadamard", "random"])),
    st.builds(
        INT,
        num_classes=st.integers(2, 100),
        parametrisation=PARAMETRISATIONS,
        s0=st.one_of(st.integers(-1000, 1000), st.floats(-1000, 1000)),
        alpha=st.floats(0, 100),
        beta=st.floats(0.1, 100),
        gap=st.sampled_from(["abnormal", "floor"]),
    ),
)


@settings(max_examples=150)
@given(TASK_STRATEGY)
def test_a_task_comes_back_from_json_as_it_went(task: Task) -> None:
    described = json.loads(json.dumps(task.to_dict()))
    again = Task.from_dict(described)
    assert again == task
    assert hash(again) == hash(task)
    assert type(again) is type(task)
    assert again.codec == task.codec
    assert again.to_dict() == task.to_dict()
    assert described["task"] == task.name


@settings(max_examples=30)
@given(TASK_STRATEGY)
def test_a_task_comes_back_from_pickle_and_replace(task: Task) -> None:
    task.codec.encode(torch.tensor([0]))
    assert pickle.loads(pickle.dumps(task)) == task
    assert dataclasses.replace(task) == task


@settings(max_examples=60)
@given(TASK_STRATEGY)
def test_scaled_outputs_are_of_the_task_s_natural_size(task: Task) -> None:
    if task.parametrisation == "paper":
        assert (task.unit, task.centre) == (1, 0)
    elif isinstance(task, RBC | ECOC):
        assert (task.unit, task.centre) == (task.S or 1, 0)
    elif isinstance(task, INT):
        low, high = task.codec.lower[0].item(), task.codec.upper[-1].item()
        assert task.centre == pytest.approx((low + high) / 2, rel=1e-4, abs=1e-3)
        assert task.unit == pytest.approx(high - low, rel=1e-4)
    else:
        assert (task.unit, task.centre) == (1, 0.5 if isinstance(task, DeepBE) else 0)
    assert task.width == task.codec.width


def test_a_margin_of_zero_still_has_a_unit() -> None:
    assert RBC(S=0).unit == 1
    assert RBC(S=0.5).unit == 0.5


def test_the_defaults_are_the_paper_s() -> None:
    assert TRA().to_dict() == {"task": "tra", "num_classes": 10, "parametrisation": "scaled"}
    assert (RBC().S, RBC().bits, RBC().code) == (350, 4, "binary")
    assert (DeepBE().bits, DeepBE().code, DeepBE().loss_form, DeepBE().codec.threshold) == (4, "binary", "hinge", 0.5)
    assert (INT().s0, INT().alpha, INT().beta, INT().gap) == (0, 4, 16, "abnormal")
    assert RBC().codec.threshold == 0
    assert [TASKS[name]().width for name in ("tra", "deepbe", "int", "rbc")] == [10, 4, 1, 4]
    assert [RBC(num_classes=100).bits, DeepBE(num_classes=100).bits] == [7, 7]


def test_codecs_are_the_tasks_own() -> None:
    assert TRA(num_classes=7).codec == Argmax(num_classes=7)
    assert RBC(code="gray").codec == Binary(code="gray")
    assert DeepBE(bits=6).codec == Binary(bits=6, threshold=0.5)
    assert INT(s0=2, alpha=1, beta=3, gap="floor").codec == Interval(s0=2, alpha=1, beta=3, gap="floor")


def test_equality_is_that_of_the_settings() -> None:
    assert RBC() == RBC(S=350, bits=4) == make_task("rbc") == make_task("RBC")
    assert RBC() != RBC(S=351)
    assert RBC() != RBC(parametrisation="paper")
    assert RBC(S=0) != DeepBE()
    assert len({RBC(), RBC(bits=4), RBC(S=350.0), DeepBE(), TRA(), INT(), INT(s0=0.0), INT(gap="floor")}) == 5
    assert "S=350.0" in repr(RBC())


def test_settings_cannot_be_changed_and_come_by_name() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        RBC().S = 3  # type: ignore[misc]
    with pytest.raises(TypeError):
        RBC(10)  # type: ignore[misc]


def test_codes_may_be_given_as_lists() -> None:
    rows = [[0, 1], [1, 0], [1, 1]]
    task = make_task("rbc", num_classes=3, code=rows)
    assert task == RBC(num_classes=3, code=((0, 1), (1, 0), (1, 1)))
    hash(task)
    assert task.to_dict()["code"] == rows


@pytest.mark.parametrize(
    ("name", "wrong", "says"),
    [
        ("rbc", {"S": -1}, r"expected S as a finite number ≥ 0 .*, got -1; try S=350"),
        ("rbc", {"S": float("inf")}, r"expected S .*, got inf"),
        ("rbc", {"S": float("nan")}, r"expected S .*, got nan"),
        ("rbc", {"S": "350"}, r"expected S .*, got '350'"),
        ("rbc", {"S": True}, r"expected S .*, got True"),
        ("rbc", {"bits": 3}, r"expected at least 4 bits .*, got 3; try bits=4"),
        ("deepbe", {"num_classes": 100, "bits": 6}, r"expected at least 7 bits .*, got 6; try bits=7"),
        ("deepbe", {"loss_form": "huber"}, "expected loss_form 'hinge', 'mse' or 'bce', got 'huber'"),
        ("deepbe", {"num_classes": 2, "code": [[1, 0], [1, 0]]}, "expected distinct code rows, got class 1 .*; try"),
        ("rbc", {"code": [1, 2, 3]}, r"expected code .* got \[1, 2, 3\]; try"),
        ("rbc", {"code": None}, "expected code .* got None; try"),
        ("int", {"beta": 0}, "expected beta > 0 .*, got 0; try"),
        ("int", {"alpha": -0.5}, r"expected alpha ≥ 0 .*, got -0\.5; try"),
        ("int", {"s0": None}, "expected s0 as a finite number, got None"),
        ("int", {"gap": "round"}, "expected gap .*, got 'round'; try"),
        ("tra", {"num_classes": 1}, "expected num_classes as an integer of at least 2, got 1"),
        ("tra", {"num_classes": "ten"}, "expected num_classes .*, got 'ten'"),
        ("tra", {"parametrisation": "mine"}, "expected parametrisation 'scaled' or 'paper', got 'mine'"),
        ("svm", {}, "expected a task among tra, deepbe, int, rbc, ecoc, got 'svm'"),
        ("rbc", {"s": 3}, "expected settings of rbc among S, bits, code, num_classes, parametrisation, got s"),
        ("tra", {"S": 3, "beta": 2}, "expected settings of tra .*, got S, beta"),
    ],
)
def test_wrong_settings_are_refused(name: str, wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make_task(name, **wrong)
    with pytest.raises(ValueError, match=says):
        Task.from_dict({"task": name, **wrong})


@pytest.mark.parametrize("wrong", [{}, {"S": 3}, [], None, "rbc", {"task": None}, {"task": 3}])
def test_what_describes_no_task_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"expected a (dict with the key 'task'|task among .*), got"):
        Task.from_dict(wrong)


def test_outputs_of_the_wrong_width_are_refused() -> None:
    for task in (TRA(), RBC(), DeepBE(), DeepBE(loss_form="mse"), INT()):
        z = torch.zeros(2, task.width + 1)
        with pytest.raises(ValueError, match=rf"expected outputs of shape \(N, {task.width}\), got \(2, .*; try"):
            task.codec.decode(z)
        with pytest.raises(ValueError, match=rf"expected outputs of shape \(N, {task.width}\), got \(2, .*; try"):
            task.loss(z, torch.tensor([0, 1]))
        with pytest.raises(ValueError, match="expected as many labels as outputs, got 3 labels and 2 outputs"):
            task.loss(torch.zeros(2, task.width), torch.tensor([0, 1, 2]))
