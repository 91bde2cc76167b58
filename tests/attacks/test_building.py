"""Settings from a bag of wishes: whatever is combined gives settings that run, or one sentence that says why not."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from tasklab.attacks import CRITERIA, FAB, FGSM, OBJECTIVES, PGD, HopSkipJump, Noise, Square, attack
from tasklab.attacks.building import WORDS, Built, build, changed
from tasklab.attacks.presets import honesty_attacks
from tasklab.attacks.registry import ATTACKS, choices, default_of, fields_of
from tasklab.evaluation.honesty import stream_assessment
from tasklab.experiments.scenario import Scenario
from tasklab.experiments.sweep import attack_radii
from tasklab.system import System
from tasklab.tasks import TASKS, Task, make_task

BAG: dict[str, tuple[Any, ...]] = {
    "eps": (0.3,), "steps": (1, 4), "step_size": (None, 0.1), "norm": ("linf", "l2"),
    "random_start": (False, True), "restarts": (1, 3), "criterion": CRITERIA, "targeted": (False, True),
    "keep": ("best", "last", "first"), "seed": (0,), "objective": tuple(OBJECTIVES),
}
"""Every value of every control, by the settings that they stand for."""


def task_of(name: str) -> Task:
    return make_task(name, num_classes=4)


def system_of(name: str) -> System:
    torch.manual_seed(5)
    task = task_of(name)
    return System(nn.Sequential(nn.Flatten(), nn.Linear(4, task.width)), task)


def combinations() -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in ATTACKS:
        for values in itertools.product(*BAG.values()):
            yield kind, dict(zip(BAG, values, strict=True))


def outcome(kind: str, wanted: dict[str, Any], task: Task) -> Built | str:
    try:
        return build(kind, wanted, task=task)
    except ValueError as error:
        return str(error)


def test_every_combination_builds_settings_or_says_why_not() -> None:
    tasks = [task_of(name) for name in TASKS]
    for kind, wanted in combinations():
        result = outcome(kind, wanted, tasks[0])
        if isinstance(result, str):
            explained = "expected" in result and ", got " in result and "init=False" not in result
            assert explained, (kind, wanted)
            assert wanted["targeted"] or wanted["objective"] in ("up", "down", "unclipped"), (kind, wanted)
            continue
        assert type(result.settings) is ATTACKS[kind]
        for name in fields_of(kind):
            if name in wanted and getattr(result.settings, name) != wanted[name]:
                assert any(WORDS[name].split()[0] in sentence or str(wanted[name]) in sentence
                           for sentence in result.sentences), (kind, wanted, name)
        for sentence in result.sentences:
            assert sentence.endswith(".") and kind in sentence, sentence


def test_the_task_decides_about_objectives_alone() -> None:
    for name, kind, objective in itertools.product(TASKS, ATTACKS, OBJECTIVES):
        result = outcome(kind, {"eps": 0.3, "objective": objective}, task_of(name))
        foreign = {"up", "down"} if name != "int" else set[str]()
        foreign |= {"unclipped"} if name not in ("rbc", "ecoc") else set()
        fits = objective not in foreign - {*ATTACKS[kind].unfit}  # what is unfit for an attack is replaced
        assert isinstance(result, Built) == (fits or "objective" not in fields_of(kind)), (name, kind, objective)


def sample() -> list[tuple[str, str, dict[str, Any]]]:
    """Some of all combinations, the same ones every time, each attack with each objective under each task."""
    drawn, dice = [], torch.Generator().manual_seed(0)
    for name, kind, objective in itertools.product(TASKS, ATTACKS, OBJECTIVES):
        wanted = {key: values[int(torch.randint(len(values), (1,), generator=dice))] for key, values in BAG.items()}
        drawn.append((name, kind, wanted | {"objective": objective}))
    return drawn


def test_what_is_built_runs() -> None:
    x = torch.rand(2, 1, 2, 2, generator=torch.Generator().manual_seed(2))
    ran = 0
    for name, kind, wanted in sample():
        system = system_of(name)
        results = outcome(kind, wanted, system.task)
        if isinstance(results, str):
            continue
        settings, y = results.settings, system.predict(x).clamp(min=0)
        if isinstance(settings, HopSkipJump):
            settings = changed(settings, samples=5, tries=5)
        targets = (y + 1) % 4 if settings.targeted else None
        result = attack(system, x, y, settings, targets=targets)
        assert result.images.isfinite().all() and 0 <= float(result.images.min()) <= float(result.images.max()) <= 1
        ran += 1
    assert ran > 200


@pytest.mark.parametrize(("kind", "wanted", "has", "says"), [
    ("CW", {"steps": 3}, {"searches": 3, "steps": 3}, "3 searches"),
    ("CW", {"steps": 1}, {"searches": 1}, "1 search."),
    ("CW", {"steps": 2, "searches": 9}, {"searches": 2}, "9 searches"),
    ("CW", {"steps": 6}, {"searches": 6}, None),
    ("CW", {"norm": "linf"}, {"norm": "l2"}, "the norm is l2 and not linf"),
    ("CW", {"norm": "l2"}, {"norm": "l2"}, None),
    ("Square", {"norm": "l2"}, {"norm": "linf"}, "the norm is linf and not l2"),
    ("FAB", {"criterion": "evaded"}, {"objective": "towards_code"}, "towards_code"),
    ("FAB", {"criterion": "evaded", "objective": "bits"}, {"objective": "towards_code"}, "towards_code"),
    ("FAB", {"criterion": "evaded", "objective": "margin"}, {"objective": "margin"}, None),
    ("FAB", {"targeted": True}, {"objective": "margin"}, "follows “margin”"),
    ("APGD", {"keep": "last"}, {"keep": "best"}, "not the last"),
    ("APGD", {"keep": "first"}, {"keep": "first"}, None),
    ("HopSkipJump", {"objective": "train"}, {}, "HopSkipJump has no objective; “train” is left out."),
    ("HopSkipJump", {"targeted": True}, {"targeted": False}, "has no target"),
    ("Noise", {"objective": "bits", "targeted": True}, {"targeted": True}, "Noise has no objective"),
    ("FGSM", {"steps": 7, "restarts": 2, "keep": "best"}, {"steps": 1, "keep": "best"}, "FGSM takes 1 step"),
    ("PGD", {"restarts": 4, "random_start": False}, {"restarts": 1}, "would all be the same"),
    ("PGD", {"restarts": 4}, {"restarts": 4}, None),
    ("APGD", {"restarts": 4, "random_start": False}, {"restarts": 1}, "would all be the same"),
    ("Square", {"restarts": 4, "random_start": False, "step_size": None}, {"restarts": 4}, None),
    ("Square", {"step_size": 0.1}, {}, "Square has no setting “step size”; 0.1 is left out."),
    ("pgd", {"steps": 3}, {"steps": 3}, None),
])
def test_contradictions_are_settled_and_said(
    kind: str, wanted: dict[str, Any], has: dict[str, Any], says: str | None
) -> None:
    result = build(kind, {"eps": 0.1} | wanted)
    assert {name: getattr(result.settings, name) for name in has} == has
    if says is None:
        assert result.sentences == ()
    else:
        assert any(says in sentence for sentence in result.sentences), result.sentences


@pytest.mark.parametrize(("kind", "wanted", "says"), [
    ("DeepFool", {}, r"expected an attack among FGSM, PGD, .*, got 'DeepFool'; try 'PGD'"),
    (None, {}, "expected an attack among"),
    ("PGD", {"eps": -1}, "expected eps as a finite number ≥ 0, got -1"),
    ("PGD", {"norm": "l7"}, "expected norm among linf, l2, got 'l7'"),
    ("PGD", {"keep": "calm"}, "expected keep among first, best, last, got 'calm'"),
    ("APGD", {"keep": "calm"}, "expected keep among first, best, got 'calm'"),
    ("CW", {"steps": 0}, "expected steps as an integer ≥ 1, got 0"),
    ("CW", {"steps": "many"}, "expected steps as an integer"),
    ("PGD", {"restarts": "many", "random_start": False}, "expected restarts as an integer"),
    ("PGD", {"objective": "cw"}, "expected an objective among"),
    ("PGD", {"objective": "bits", "targeted": True}, "expected an objective that has a target, got 'bits'"),
])
def test_what_means_nothing_is_refused(kind: Any, wanted: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        build(kind, {"eps": 0.1} | wanted)


def test_choices_are_those_that_settings_take() -> None:
    for kind, name in itertools.product(ATTACKS, ("norm", "keep", "criterion", "objective", "targeted")):
        for value in choices(kind, name):
            if name in fields_of(kind):
                wanted = {"eps": 0.1, "objective": "margin", name: value}
                assert getattr(build(kind, wanted).settings, name) == value
            else:
                assert default_of(kind, name) == value


def test_changed_is_replace_that_never_fails_on_what_an_attack_does_not_have() -> None:
    assert changed(HopSkipJump(eps=0.1), objective="train", eps=0.2) == HopSkipJump(eps=0.2)
    assert changed(PGD(eps=0.1, seed=3), objective="train") == PGD(eps=0.1, seed=3, objective="train")
    assert changed(FGSM(eps=0.1), steps=4, step_size=None) == FGSM(eps=0.1)
    assert changed(FAB(eps=0.1, criterion="evaded", objective="margin"), objective="bits").objective == "towards_code"


@pytest.mark.parametrize("settings", [HopSkipJump(eps=0.3, steps=2), Noise(eps=0.3, steps=3),
                                      FAB(eps=0.3, steps=3, criterion="evaded", objective="margin")],
                         ids=lambda s: s.name)
def test_a_ladder_of_any_attack_climbs_any_aims(settings: Any) -> None:
    system = system_of("rbc")
    x = torch.rand(1, 1, 2, 2, generator=torch.Generator().manual_seed(2))
    y = system.predict(x).clamp(min=0)
    result = attack_radii(system, x, y, settings, (0.0, 0.3), objectives=("bits", "margin"))
    assert len(result.images) == 4


@pytest.mark.parametrize("claim", [FGSM(eps=0.1), FGSM(eps=0.1, norm="l2"), PGD(eps=0.1, norm="l2", steps=2)],
                         ids=lambda s: f"{s.name}-{s.norm}")
def test_any_claim_can_be_questioned(claim: PGD) -> None:
    attacks = honesty_attacks(claim, queries=5)
    assert len(attacks) == len(set(attacks)) and {settings.norm for settings in attacks} == {claim.norm}
    assert any(isinstance(settings, Square) for settings in attacks) == (claim.norm == "linf")
    x = torch.rand(4, 1, 2, 2, generator=torch.Generator().manual_seed(2))
    system = system_of("rbc")
    *_, assessment = stream_assessment(system, (x, system.predict(x).clamp(min=0)), claim, queries=5)
    assert len(assessment.checks) == 9


@pytest.mark.parametrize("query", [
    {"attack": "Square", "norm": "l2"}, {"attack": "CW", "steps": "3"}, {"attack": "CW", "norm": "linf"},
    {"attack": "APGD", "keep": "last"}, {"attack": "HopSkipJump", "steps": "2", "target": "3"},
    {"attack": "FAB", "criterion": "evaded", "bits": "true"}, {"attack": "FGSM", "restarts": "5", "start": "true"},
    {"attack": "Noise", "steps": "3"}, {"attack": "PGD", "restarts": "5"},
], ids=lambda q: "-".join(q.values()))
def test_a_scenario_of_any_link_runs_and_its_snippet_says_the_same(query: dict[str, str]) -> None:
    scenario = Scenario.from_query({"systems": ["rbc"], "steps": "2", **query})
    results = scenario.run()
    assert len(results) == len(scenario.aims)
    space: dict[str, Any] = {"print": lambda *words: None}
    exec(scenario.to_code(), space)
    text = {scenario.climbed(objective): int(result.decoded) for (_, objective), result in results.items()}
    assert {objective: label for (_, objective), label in space["decoded"].items()} == text
    assert eval(f"dict({scenario.arguments('None')})")["eps"] == scenario.eps


def test_epsilon_is_usual_in_the_norm_that_the_attack_has() -> None:
    assert Scenario(data="cifar10", attack="Square", norm="l2").eps == 8 / 255
    assert Scenario(data="cifar10", attack="CW").eps == Scenario(data="cifar10", norm="l2").eps
