"""The attack's controls: whatever they say together, and whatever an address says, a page answers or says why not."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
import torch
from streamlit.testing.v1 import AppTest

import lab_ui.parts.drawing_pad
from lab_ui.basics.refusal import Refused
from lab_ui.basics.words import AIMS
from lab_ui.results.picture_attacks import check
from lab_ui.shell import controls
from tasklab import zoo
from tasklab.attacks.criteria import CRITERIA
from tasklab.attacks.registry import ATTACKS, choices, fields_of
from tasklab.data.info import radii_of
from tasklab.experiments.scenario import Scenario
from tasklab.tasks import TASKS, Task, make_task
from tests.app.live_parts import cells, refusals, shipped
from tests.app.visitors import clean, sentences, visit
from tests.systems import small_zoo


@pytest.fixture(autouse=True)
def _own_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Only the small zoo; no data but digits; a drawing pad without a browser; threads given back."""
    monkeypatch.setenv("TASKLAB_ZOO", str(small_zoo().folder))
    monkeypatch.setattr(zoo, "folder", lambda: tmp_path / "nothing shipped")
    monkeypatch.setenv("TASKLAB_DATA", str(tmp_path / "no data"))
    mount = lab_ui.parts.drawing_pad._pad

    def pad(**settings: Any) -> dict[str, Any]:
        mount(**settings)
        return {"drawn": st.session_state.get("draw_said")}

    monkeypatch.setattr(lab_ui.parts.drawing_pad, "_pad", pad)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


BAG: dict[str, tuple[Any, ...]] = {
    "attack": tuple(ATTACKS), "aim": tuple(AIMS), "norm": ("linf", "l2"), "criterion": CRITERIA,
    "keep": controls.KEEPS, "random_start": (False, True), "restarts": (1, 3), "target": (None, 3),
    "steps": (*controls.STEP_STOPS[:6:2], 1000),
}


def refusal(scenario: Scenario, aim: str, task: Task) -> str:
    try:
        check(scenario, aim, task, "It")
    except Refused as refused:
        return str(refused)
    return ""


def test_every_combination_of_the_controls_builds_settings_or_is_refused_in_a_sentence() -> None:
    tasks = [make_task(name) for name in TASKS]
    for values in itertools.product(*BAG.values()):
        wanted = dict(zip(BAG, values, strict=True))
        scenario = Scenario(objectives=(wanted.pop("aim"),), eps=0.2, **wanted)
        (aim,) = scenario.aims
        described = [sentence for task in tasks if (sentence := refusal(scenario, aim, task))]
        assert all(sentence.endswith(".") for sentence in described)
        if len(described) < len(tasks):
            built = scenario.build(aim)
            assert type(built.settings) is ATTACKS[scenario.attack] and all(s.endswith(".") for s in built.sentences)


def test_what_the_controls_offer_of_an_attack_contradicts_nothing() -> None:
    for kind in ATTACKS:
        has = fields_of(kind)
        rows = itertools.product(
            choices(kind, "norm"), choices(kind, "keep") or (Scenario.keep,), (False, True) if "random_start" in has
            else (Scenario.random_start,), controls.STEP_STOPS if "steps" in has else (Scenario.steps,),
        )
        for norm, keep, start, steps in rows:
            scenario = Scenario(attack=kind, norm=norm, keep=keep, random_start=start, steps=steps, eps=0.2)
            allowed = kind == "FAB" or (kind == "CW" and steps < 6)  # one has no use for the training loss
            assert bool(scenario.sentences) == allowed, (kind, scenario.sentences)


def test_another_norm_rescales_epsilon_and_back() -> None:
    at = visit("attack_lab", **small_zoo().query, steps="2", eps="0.1")
    clean(at.segmented_control(key="norm").set_value("l2").run())
    slider, lengths = at.slider(key="eps"), radii_of("digits", "l2")
    assert (slider.value, slider.max) == (lengths.usual / 2, lengths.most)
    scene = shipped(at, "scene")
    assert scene is not None and scene["norm"] == "l2" and scene["eps"] == slider.value
    clean(at.selectbox(key="attack").set_value("CW").run())
    assert at.slider(key="eps").value == lengths.usual / 2, "the same norm, the same ε"
    clean(at.selectbox(key="attack").set_value("Square").run())
    assert at.slider(key="eps").value == pytest.approx(0.1) and at.slider(key="eps").max == 0.5


@pytest.mark.parametrize("dataset", ["digits", "mnist", "cifar10", "cifar100"])
def test_every_data_set_has_lengths_of_its_own_in_the_ratio_of_its_pixels(dataset: str) -> None:
    pixels, lengths = radii_of(dataset), radii_of(dataset, "l2")
    assert lengths.fits(lengths.usual) and all(lengths.fits(stop) for stop in lengths.few)
    assert {0.0, lengths.usual, lengths.most} <= {*lengths.few, *lengths.many}
    for stop in pixels.few:
        assert lengths.fits(lengths.like(stop, pixels))
    assert lengths.like(pixels.usual, pixels) == lengths.usual


def offered(at: AppTest) -> set[str]:
    """The attack's controls on a page, by their keys."""
    kinds = (at.selectbox, at.select_slider, at.segmented_control, at.number_input, at.toggle)
    known = {"steps", "step", "norm", "start", "restarts", "target", "keep", "criterion", *AIMS}
    return {widget.key for kind in kinds for widget in kind if widget.key in known and not widget.disabled}


@pytest.mark.parametrize("kind", ATTACKS)
def test_controls_that_an_attack_does_not_have_are_not_offered(kind: str) -> None:
    at = visit("attack_lab", **small_zoo().query, attack=kind, steps="2" if kind in ("HopSkipJump", "CW") else "4")
    there, has = offered(at), fields_of(kind)
    names = {"steps": "steps", "step": "step_size", "start": "random_start", "target": "targeted", "keep": "keep",
             "criterion": "criterion", "train": "objective", "dlr": "objective"}
    assert {key for key in names if key in there} == {key for key, name in names.items() if name in has}
    assert ("norm" in there) == (len(choices(kind, "norm")) > 1)
    assert ("restarts" in there) == ("restarts" in has and "random_start" not in has)
    if "keep" in there:
        assert set(at.selectbox(key="keep").options) == set(choices(kind, "keep"))
    scene = shipped(at, "scene")
    assert cells(scene) and not refusals(scene)
    assert scene is not None and scene["norm"] == choices(kind, "norm")[0]
    if (fixed := ATTACKS[kind].fixed_aim) is not None:
        assert [row["title"] for row in scene["aims"]] == [fixed[0]]


CONTRADICTIONS: list[dict[str, str]] = [
    {"attack": "Square", "norm": "l2", "steps": "5"},
    {"attack": "square", "norm": "l2"},
    {"attack": "CW", "steps": "3"},
    {"attack": "CW", "steps": "1", "norm": "linf", "target": "1", "criterion": "evaded"},
    {"attack": "FAB", "steps": "2", "bits": "true", "criterion": "evaded"},
    {"attack": "APGD", "steps": "2", "keep": "last", "step": "0.1", "restarts": "4"},
    {"attack": "HopSkipJump", "steps": "1", "margin": "false", "train": "false", "keep": "first"},
    {"attack": "HopSkipJump", "steps": "1", "target": "3", "bits": "true"},
    {"attack": "Noise", "steps": "2", "target": "1", "up": "true", "norm": "l2"},
    {"attack": "FGSM", "steps": "500", "restarts": "9", "start": "true", "step": "0.2", "keep": "first"},
    {"attack": "PGD", "steps": "2", "restarts": "9", "norm": "l2", "keep": "last"},
]


@pytest.mark.parametrize("query", CONTRADICTIONS, ids=lambda q: "-".join(q.values()))
def test_an_address_that_contradicts_itself_gets_an_answer(query: dict[str, str]) -> None:
    at = visit("attack_lab", **small_zoo().query, **query)
    assert cells(shipped(at, "scene"))
    assert not any("init=False" in sentence or "Traceback" in sentence for sentence in sentences(at))


def test_what_was_settled_is_said_on_the_page() -> None:
    at = visit("attack_lab", **small_zoo().query, attack="CW", steps="3")
    assert any("3 searches" in sentence for sentence in sentences(at))
    at = visit("attack_lab", **small_zoo().query, attack="FAB", steps="2", bits="true", criterion="evaded")
    assert any("towards_code" in sentence for sentence in sentences(at))


def test_from_one_attack_to_the_next_with_everything_set() -> None:
    at = visit("attack_lab", systems=["rbc"], image=str(small_zoo().picture), steps="2", keep="last", norm="l2",
               start="true", restarts="3", step="0.1", eps="0.5")
    for kind in (*ATTACKS, "PGD"):
        clean(at.selectbox(key="attack").set_value(kind).run())
        steps = [slider for slider in at.select_slider if slider.key == "steps"]
        if steps:
            clean(steps[0].set_value(2).run())
        scene = shipped(at, "scene")
        assert cells(scene) and not refusals(scene), kind
        assert scene is not None and scene["norm"] in choices(kind, "norm")


PAGES = [  # beside what test_every_attack_answers opens
    ("draw", {"attack": "FAB", "steps": "2", "criterion": "evaded", "bits": "true"}),
    ("draw", {"attack": "APGD", "keep": "last", "steps": "2"}),
    ("outputs", {"attack": "FAB", "objective": "bits", "criterion": "evaded", "steps": "1", "n": "50"}),
    ("transfer", {"attack": "HopSkipJump", "steps": "1", "n": "50", "transfer_revealed": "true"}),
]


@pytest.mark.parametrize(("page", "query"), PAGES, ids=lambda v: v if isinstance(v, str) else v["attack"])
def test_other_pages_answer_too(page: str, query: dict[str, str]) -> None:
    at = visit(page, systems=["tra", "rbc"], **query)
    shown = {"draw": lambda: cells(shipped(at, "scene")), "outputs": lambda: at.main.get("plotly_chart"),
             "transfer": lambda: [b for b in at.main.get("bidi_component") if "grid" in b.proto.component_name]}[page]()
    assert shown, sentences(at)
    assert not any("init=False" in sentence or "expected" in sentence for sentence in sentences(at))
    at.session_state["take_away"] = True
    assert clean(at.run()).code


def test_one_picture_of_the_target_s_class_on_the_feature_map_is_a_sentence() -> None:
    from lab_ui.results import batch_attacks

    label = int(batch_attacks.pictures("digits", "digits-rbc").labels[4])
    with pytest.raises(Refused, match="image's own class"):
        batch_attacks.attacked(Scenario(target=label, objectives=("margin",)), "digits-rbc", "RBC", (4,))


@pytest.mark.parametrize(("slug", "parameters"), [
    ("attack_lab", {"data": "", "norm": "", "eps": "", "image": ""}), ("codecs", {"codecs_gap": "", "codecs_loss": ""}),
    ("transfer", {"transfer_kept": "", "transfer_which": "", "systems": ""}), ("regions", {"regions_set": ""}),
    ("train", {"train_defence": "adversarial", "train_inner": "", "train_start_digits": ""}),
    ("feature_map", {"feature_map_kind": ""}), ("robust", {"robust_curves": ""}),
])
def test_an_empty_parameter_says_nothing(slug: str, parameters: dict[str, str]) -> None:
    clean(visit(slug, **parameters))
