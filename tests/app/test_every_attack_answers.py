"""Every attack, aim, norm and target that a page offers gets an answer."""

from __future__ import annotations

import itertools

import pytest
from streamlit.testing.v1 import AppTest

from lab_ui.results import growing
from tasklab import data, zoo
from tasklab.attacks.registry import ATTACKS, choices, fields_of
from tasklab.experiments.scenario import Scenario
from tasklab.tasks import Task
from tests.app.live_parts import shipped
from tests.app.visitors import clean, visit
from tests.systems import small_zoo

SYSTEMS = ["int", "rbc"]
"""Of all aims, each fits at least one of them."""

AIMS = tuple(aim for aim in choices("PGD", "objective"))


pytestmark = pytest.mark.usefixtures("digits_alone")


def asked(kind: str) -> list[dict[str, str]]:
    """Norms and targets that an attack has, as parameters of an address."""
    norms = choices(kind, "norm")
    targets = ("any other", "7") if "targeted" in fields_of(kind) else ("any other",)
    return [{"attack": kind, "norm": norm, "target": target} for norm, target in itertools.product(norms, targets)]


def fitting(kind: str, aim: str, target: str, task: Task) -> bool:
    """Whether a system of this task can be attacked so."""
    from tasklab.attacks import OBJECTIVES

    if "objective" not in fields_of(kind):
        return True
    try:
        OBJECTIVES[aim].check(task)
    except ValueError:
        return False
    return target == "any other" or OBJECTIVES[aim].targetable


def no_trouble(at: AppTest) -> None:
    clean(at)
    text = [element.value for kind in (at.info, at.warning, at.error) for element in kind]
    assert not at.error, text
    assert not any("expected" in sentence or "init=False" in sentence for sentence in text), text
    assert growing.PENDING not in text


def tasks() -> dict[str, Task]:
    return {key: zoo.load(f"digits-{key}", where=small_zoo().folder).task for key in SYSTEMS}


@pytest.mark.parametrize("kind", ATTACKS)
@pytest.mark.parametrize("page", ["attack_lab", "draw"])
def test_one_picture_is_attacked_in_every_way(page: str, kind: str) -> None:
    picture = next(i for i, y in enumerate(data.load("digits", "test").labels.tolist()) if y != 7)
    for query in asked(kind):
        every = dict.fromkeys(AIMS, "true") if "objective" in fields_of(kind) else {}
        at = visit(page, systems=SYSTEMS, image=str(picture), steps="1", **query, **every)
        no_trouble(at)
        scene = shipped(at, "scene")
        assert scene is not None, query
        aims = AIMS if every else Scenario(attack=kind).aims
        assert [row["key"] for row in scene["aims"]] == list(aims)
        for row in scene["aims"]:
            answered = ["refused" not in cell for cell in row["cells"]]
            expected = [fitting(kind, row["key"], query["target"], task) for task in tasks().values()]
            assert answered == expected, (query, row["key"], [cell.get("refused") for cell in row["cells"]])


@pytest.mark.parametrize("kind", ATTACKS)
def test_many_pictures_are_attacked_in_every_way(kind: str) -> None:
    first, *others = AIMS if "objective" in fields_of(kind) else ("margin",)
    for query in asked(kind):
        at = visit("outputs", systems=SYSTEMS, n="50", steps="1", objective=first, **query)
        for aim in (first, *others):
            if aim != first:
                at.selectbox(key="objective").set_value(aim).run()
            no_trouble(at)
            expected = [fitting(kind, aim, query["target"], task) for task in tasks().values()]
            assert len(at.main.get("plotly_chart")) == sum(expected), (query, aim)


@pytest.mark.parametrize("kind", ATTACKS)
def test_what_every_attack_finds_is_shown_to_the_others(kind: str) -> None:
    for query in asked(kind):
        if query.pop("target") != "any other":
            continue  # the page offers no target
        every = dict.fromkeys(AIMS, "true") if "objective" in fields_of(kind) else {}
        at = visit("transfer", systems=SYSTEMS, n="50", steps="1", transfer_aim="margin", **query, **every)
        no_trouble(at)
        grids = [each for each in at.main.get("bidi_component") if "grid" in each.proto.component_name]
        assert len(grids) == (len(AIMS) if every else 1), query
