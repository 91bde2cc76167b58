"""Scenes: each opens its page with its own values and no others, and shows what it says."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

from lab_ui.basics.scenes import BEGINNING, SCENES, MenuScene
from tasklab import data, zoo
from tasklab.attacks import PGD
from tasklab.experiments.ground import ground
from tasklab.experiments.scenario import Scenario
from tests.app.live_parts import cells, refusals, shipped

APP = Path(__file__).parents[2] / "app"
needs_cifar10 = pytest.mark.skipif(not data.available("cifar10"), reason="CIFAR-10 is not under TASKLAB_DATA")


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def scene(name: str) -> MenuScene:
    return next(scene for scene in SCENES if scene.name == name)


def decoded(scene: MenuScene) -> dict[tuple[str, str], tuple[bool, int]]:
    """What the library says of a scene's link: whether the gradient was zero, and what was read."""
    results = Scenario.from_query({
        key: value if isinstance(value, list) else str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in scene.values.items()
    }).run()
    return {(name.partition("-")[2], objective): (bool(result.zero_gradient), int(result.decoded))
            for (name, objective), result in results.items()}


def test_the_nine_is_read_as_an_eight_by_some() -> None:
    assert decoded(scene("The invisible 9 → 8"))["tra", "margin"] == (False, 8)


def test_rbc_has_no_gradient_on_its_loss_and_falls_on_its_margin() -> None:
    assert decoded(scene("RBC looks unbreakable"))["rbc", "train"] == (True, 8)
    assert decoded(scene("… until you ask the right question"))["rbc", "margin"][1] != 8


def test_labels_alone_break_all_four() -> None:
    assert all(label != 8 for _, label in decoded(scene("Black box beats white box")).values())


@needs_cifar10
def test_one_level_is_enough_for_a_photograph() -> None:
    result, deer = decoded(scene("One level of 255")), data.DATASETS["cifar10"].classes.index("deer")
    keys = ("tra", "deepbe", "int", "rbc")
    assert [result[key, "train"][0] for key in keys] == [False, False, True, True]
    assert [result[key, "train"][1] == deer for key in keys] == [False, False, True, True]
    assert all(result[key, "margin"][1] != deer for key in keys)


def test_the_plane_around_the_8_is_flat_and_the_8_is_lost_all_the_same() -> None:
    values = BEGINNING | scene("The plane around an 8").values
    test = data.load(values["data"], "test")
    x, y = test.x(values["image"]), test.labels[values["image"] : values["image"] + 1]
    settings = PGD(eps=values["eps"], steps=values["steps"], random_start=False, keep=values["keep"])
    seen = ground(zoo.load(f"digits-{values['systems'][0]}"), x, y, settings, side=11)
    margin, train = seen.paths
    assert seen.label == 8 and bool(seen.flat[5, 5])
    assert train.zero_gradient and not train.moved and train.end == 8
    assert margin.end != 8
    assert seen.spanned_by[0] == "margin", "to the right"
    to_the_right = seen.decoded[5, 5:].tolist()
    assert to_the_right[0] == 8 != to_the_right[-1]


@pytest.mark.parametrize("scene", [
    pytest.param(scene, marks=needs_cifar10 if "data" in scene.values else ()) for scene in SCENES
], ids=lambda scene: scene.name)
def test_a_scene_opens_its_page_with_its_values_alone(scene: MenuScene) -> None:
    assert (APP / "app_pages" / f"{scene.page}.py").exists()
    at = AppTest.from_file(str(APP / "streamlit_app.py"), default_timeout=120)
    at.query_params["eps"] = "0.41"
    at.switch_page("app_pages/attack_lab.py")
    at.run()
    assert at.slider(key="eps").value == 0.41
    at.button(key=f"scene_{SCENES.index(scene)}").click().run()
    assert not at.exception
    assert any(html.escape(scene.words) in block.proto.body for block in at.main.get("html"))
    assert at.slider(key="eps").value == pytest.approx(scene.values.get("eps", 0.2))
    refused = refusals(shipped(at, "scene"))
    answers = cells(shipped(at, "scene")) or at.main.get("plotly_chart") or shipped(at, "ground")
    assert answers, "a scene shows an answer"
    assert not refused and not at.error, refused
    if scene.page == "attack_lab":
        assert at.number_input(key="image").value == scene.values.get("image", 54)
