"""Every page on CIFAR-10: photographs, classes with names, ε in levels of 255; images and systems are the tests'."""

from __future__ import annotations

import contextlib
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from lab_ui.basics.words import title
from lab_ui.panels import training_controls
from lab_ui.results import growing, reports
from lab_ui.visitor import catalogue, jobs
from tasklab import data, zoo
from tasklab.data import DATASETS
from tasklab.data.info import radii_of
from tasklab.evaluation.report_file import digest, keep_reports
from tasklab.evaluation.reporting import stream_report
from tasklab.experiments.scenario import Scenario
from tasklab.jobs.training import Training
from tasklab.system import new_system
from tasklab.tasks import make_task
from tasklab.text import unbroken
from tests.app.live_parts import cells, shipped, snippet, stop
from tests.app.visitors import clean, own_jobs, sentences, until, visit
from tests.photographs import photograph_zoo, photographs, put_in_place

PAGES = ("attack_lab", "robust", "outputs", "feature_map", "transfer", "train", "draw")
WITH_EPS = ("attack_lab", "outputs", "feature_map", "transfer", "draw")
CLASSES = DATASETS["cifar10"].classes
USUAL = 8 / 255


@pytest.fixture(autouse=True)
def _own_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    put_in_place(monkeypatch)
    with own_jobs(monkeypatch, tmp_path / "jobs", fresh=True):
        yield


def start(page: str, **query: str | list[str]) -> AppTest:
    return visit(page, **({"data": "cifar10", "steps": "3", "image": "3"} | query))


def scene(at: AppTest) -> dict[str, Any]:
    result = shipped(at, "scene")
    assert result is not None
    return result


def bodies(at: AppTest) -> str:
    return "\n".join(e.proto.body for e in at.main.get("html"))


def execute(at: AppTest) -> dict[Any, Any]:
    space: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(snippet(at), "snippet", "exec"), space)
    return space


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_on_photographs(page: str) -> None:
    at = start(page)
    assert at.segmented_control(key="data").value == "cifar10"
    assert [s for s in sentences(at) if "not" in s and "report" not in s] == []


@pytest.mark.parametrize("page", WITH_EPS)
def test_epsilon_fits_the_data_set_and_follows_it(page: str) -> None:
    at = start(page)
    slider = at.slider(key="eps")
    assert slider.value == USUAL and slider.max == pytest.approx(16 / 255) and slider.step == pytest.approx(1 / 255)
    assert any("ε = 8/255" in caption.value for caption in at.caption)
    clean(at.segmented_control(key="data").set_value("digits").run())
    assert at.slider(key="eps").value == 0.2 and at.slider(key="eps").max == 0.5
    clean(at.segmented_control(key="data").set_value("cifar10").run())
    assert at.slider(key="eps").value == USUAL


def test_the_address_says_epsilon_whatever_the_data_set_was_before() -> None:
    at = start("attack_lab", eps=str(3 / 255))
    assert at.query_params["eps"] in (str(3 / 255), [str(3 / 255)])
    clean(at.segmented_control(key="data").set_value("digits").run())
    assert at.slider(key="eps").value == 0.2, "that of photographs is not the digits'"
    assert "eps" not in at.query_params, "it is the usual one"
    clean(at.slider(key="eps").set_value(0.1).run())
    assert at.query_params["eps"] in ("0.1", ["0.1"])
    clean(at.segmented_control(key="data").set_value("cifar10").run())
    assert at.slider(key="eps").value == USUAL and "eps" not in at.query_params
    at.query_params["eps"] = str(6 / 255)  # back from another page: the address is that of this page's history
    at.session_state["page"] = "codecs"
    assert clean(at.run()).slider(key="eps").value == pytest.approx(6 / 255)


def test_digits_and_mnist_share_what_was_chosen() -> None:
    at = start("attack_lab", data="digits", eps="0.1")
    at.segmented_control(key="data").set_value("mnist")
    clean(at.run())
    assert at.session_state["eps"] == 0.1


@pytest.mark.parametrize(("asked", "shown"), [
    (str(3 / 255), 3 / 255), ("0.0314", 0.0314), ("0.031372549", USUAL), ("0", 0.0), ("0.06274509803921569", 16 / 255),
    ("0.1", USUAL), ("much", USUAL), ("-1", USUAL),
])
def test_links_with_epsilon(asked: str, shown: float) -> None:
    at = start("attack_lab", eps=asked)
    result = scene(at)
    assert result["eps"] == pytest.approx(shown, abs=1e-9)
    assert result["stops"][stop(result)] == pytest.approx(shown, abs=1e-9)


def test_a_length_has_a_range_of_its_own() -> None:
    at = start("attack_lab", norm="l2")
    assert at.slider(key="eps").value == 0.5 and at.slider(key="eps").max == 2.0
    clean(at.segmented_control(key="norm").set_value("linf").run())
    assert at.slider(key="eps").value == USUAL
    clean(at.segmented_control(key="norm").set_value("l2").run())
    assert at.slider(key="eps").value == 0.5


def test_a_scenario_s_link_shows_that_scenario() -> None:
    made = Scenario(data="cifar10", image=11, eps=3 / 255, target=3, n=100, systems=("cifar10-tra", "cifar10-rbc"))
    query = made.to_query()
    assert query["target"] == "cat" and query["n"] == "100"
    assert Scenario.from_query(query) == made
    at = visit("attack_lab", **query)
    result = scene(at)
    assert result["name"] == CLASSES[1] and result["eps"] == pytest.approx(3 / 255)
    assert [cell["key"] for cell in result["aims"][1]["cells"]] == ["tra", "rbc"]
    usual = Scenario(data="cifar10", image=54)
    assert "eps" not in usual.to_query() and usual.to_query()["image"] == "54"
    assert Scenario.from_query({"data": "cifar10", "target": "8"}).target is None, "no class is called so"


def test_the_attack_lab_says_classes_by_name_and_levels() -> None:
    at = start("attack_lab")
    result = scene(at)
    assert [cell["title"] for cell in result["aims"][0]["cells"]] == ["TRA", "DeepBE", "INT", "RBC"], "the small ones"
    assert result["name"] == "cat" and result["shape"] == [3, 32, 32]
    assert result["said"] == ["0", "8/255"] and result["numbers"][1] == "8/255 (0.031)"
    assert result["track"] == pytest.approx(radii_of("cifar10").many) and result["end"] == "16/255 (0.063)"
    line = next(cell["chart"] for _, cell in cells(result) if cell["chart"]["kind"] == "line")
    assert "label cat" in line["intro"]
    assert len(json.dumps(result)) < 200_000, "what is sent at once stays small"
    space = execute(at)
    assert "eps=8/255" in str(at.code[0].value)
    place = stop(result)
    assert list(space["decoded"].values()) == [cell["decoded"][place] for _, cell in cells(result)]


def test_many_stops_follow() -> None:
    at = start("attack_lab")
    at.session_state["attack_lab_fine"] = scene(at)["finer"]
    many = scene(clean(at.run()))
    assert many["said"][:4] == ["0", "1/255", "2/255", "3/255"] and many["said"][-1] == "16/255"
    assert many["track"] == many["stops"]
    assert len(many["stops"]) == len(radii_of("cifar10").many), "and none of them twice"


def test_what_a_scene_hands_back_is_the_stop_it_was() -> None:
    """ε comes back from a browser as a decimal number: it is the same level, and asks for no stop of its own."""
    at = start("attack_lab")
    at.session_state["eps"] = scene(at)["track"][7]
    result = scene(clean(at.run()))
    assert result["said"] == ["0", "7/255"] and result["eps"] == 7 / 255


def test_a_target_and_a_class_go_with_the_data_set() -> None:
    at = start("attack_lab", target="frog")
    assert at.selectbox(key="target").value == "frog"
    clean(at.selectbox(key="only").set_value("ship").run())
    clean(at.button(key="picture_next").click().run())
    assert scene(at)["name"] == "ship"
    clean(at.segmented_control(key="data").set_value("digits").run())
    assert at.selectbox(key="target").value == "any other" and at.selectbox(key="only").value == "any class"
    at = start("outputs", outputs_class="frog")
    clean(at.segmented_control(key="data").set_value("digits").run())
    assert at.selectbox(key="outputs_class").value == "all classes"


def test_larger_networks_come_last_and_are_named() -> None:
    keys = list(catalogue.systems("cifar10")[0])
    assert keys[:4] == ["tra", "deepbe", "int", "rbc"] and keys[-1] == "efficientnet-rbc"
    assert title("efficientnet-rbc") == "RBC, EfficientNet"
    at = start("attack_lab", systems=["rbc", "efficientnet-rbc"])
    assert [cell["title"] for cell in scene(at)["aims"][0]["cells"]] == ["RBC", "RBC, EfficientNet"]


def test_large_networks_are_asked_for_more_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not scene(start("attack_lab"))["ask"]
    monkeypatch.setattr(catalogue, "is_large", lambda name: "efficientnet" in name)
    result = scene(start("attack_lab", systems=["rbc", "efficientnet-rbc"]))
    assert result["ask"] and result["said"] == ["0", "8/255", "16/255"]
    assert result["track"] == result["stops"], "nothing comes by itself"


def test_which_networks_are_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKLAB_ZOO", str(tmp_path))
    system = new_system(make_task("tra"), photographs("train"), arch="efficientnet_b0", seed=0)
    system.card = {"name": "cifar10-efficientnet-tra", "data": {"name": "cifar10"}, "task": system.task.to_dict()}
    system.save(tmp_path / "cifar10-efficientnet-tra.safetensors")
    assert catalogue.is_large("cifar10-efficientnet-tra") and not catalogue.is_large("digits-tra")
    assert not catalogue.is_large("nobody's")


def test_without_systems_it_is_offered_for_training_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TASKLAB_ZOO")
    monkeypatch.setattr(zoo, "folder", lambda: tmp_path)
    assert catalogue.offered() == ("digits", "mnist")
    at = visit("draw", data="cifar10")
    assert at.segmented_control(key="data").value == "digits"
    at = visit("train", data="cifar10")
    assert at.segmented_control(key="data").value == "cifar10"


def test_photographs_that_are_not_there_are_offered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("TASKLAB_ZOO", str(photograph_zoo()))
    monkeypatch.setenv("TASKLAB_DATA", str(tmp_path / "no data"))
    at = visit("attack_lab", data="cifar10")
    assert "CIFAR-10 is not on this machine yet: 170 MB" in sentences(at)[0]
    assert at.button(key="download").label == "Download CIFAR-10"
    assert any("Choose a photograph" in sentence for sentence in sentences(visit("draw", data="cifar10")))


def test_transfer_and_map_say_classes_by_name() -> None:
    at = start("transfer", n="50", train="false")
    assert any(f"✕ {name}</span>" in bodies(at) for name in CLASSES)
    assert not any(f"✕ {k}<" in bodies(at) for k in range(10))
    at = start("feature_map", feature_map_kind="PCA", n="50")
    assert "Image 3 under attack" in bodies(at) and "cat" in bodies(at)


def test_the_report_has_a_grid_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = zoo.path("cifar10-rbc")
    *_, last = stream_report(zoo.load("cifar10-rbc"), photographs().subset(12), name="cifar10-rbc", queries=5,
                             file=digest(file))
    report = last.report
    assert report is not None and report.eps == radii_of("cifar10").curve and report.claim_eps == USUAL
    assert max(distance for distance in report.distances if distance < math.inf) <= 16 / 255 + 1e-6
    place = keep_reports({"cifar10-rbc": report}, file.parent)
    try:
        at = start("robust", robust_curves=["training loss", "margin"])
        assert unbroken("ε = 8/255, it still classifies") in bodies(at)
        assert "curve_attack(aim, 8/255, seed=0)" in snippet(at)
        chart = json.loads(at.get("plotly_chart")[0].proto.spec)
        assert chart["layout"]["xaxis"]["ticktext"][-1] == "16/255"
    finally:
        place.unlink()
    asked = reports.settings_of("cifar10", "cifar10-rbc", 50, 1)
    from tasklab.jobs.reporting import check

    assert check(asked)["eps"] == list(radii_of("cifar10").curve) and check(asked)["claim_eps"] == USUAL


def test_a_training_begins_with_flips_shifts_and_its_own_radii() -> None:
    at = start("train")
    assert any("5,000 images of cifar10, 20 epochs, about 2 minutes" in each.value for each in at.markdown)
    assert at.toggle(key="train_flip").value and at.slider(key="train_crop").value == 4
    clean(at.selectbox(key="train_defence").set_value("adversarial").run())
    assert any("(ε = 8/255)" in each.value and "about 12 minutes" in each.value for each in at.markdown)
    clean(at.selectbox(key="train_arch").set_value("resnet18").run())
    assert any("hours on a processor" in each.value for each in at.markdown)


def test_what_is_queued_is_what_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(jobs, "start", lambda kind, settings: asked.append(settings) or "none")
    at = start("train", train_task="tra", train_n_cifar10="1000")
    clean(at.button(key="train_start").click().run())
    training = Training.from_dict(asked[0])
    assert (training.data, training.n, training.recipe.flip, training.recipe.crop) == ("cifar10", 1000, True, 4)
    assert training.eps == (3 / 255, 6 / 255, 8 / 255, 9 / 255)
    assert training.watch is not None and training.watch.eps == USUAL
    assert training_controls.takes(training) == "about 1 minute"


def test_its_recorded_runs_are_there() -> None:
    at = start("train")
    assert "RBC (S = 350) after epoch" in bodies(at) and "an attack on the training loss leaves" in bodies(at)


def png(side: int) -> bytes:
    """The first of the photographs, an airplane, enlarged to that height and put on a wider ground."""
    picture = photographs().images[0].permute(1, 2, 0).numpy()
    page = np.asarray(Image.fromarray(picture).resize((side, side)))
    file = io.BytesIO()
    Image.fromarray(np.pad(page, ((0, 0), (side // 2, side // 2), (0, 0)))).save(file, "PNG")
    return file.getvalue()


def test_an_example_is_read_and_attacked() -> None:
    at = start("draw", draw_photograph="frog")
    assert "systems read it as a <b>frog</b>" in bodies(at)
    assert scene(at)["name"] == "frog" and scene(at)["said"][-1] == "16/255"
    place = int((photographs().labels == 6).nonzero()[0])
    assert f'data.load("cifar10", "test").x({place})' in snippet(at)
    result = execute(at)["decoded"]
    assert list(result.values()) == [cell["decoded"][stop(scene(at))] for _, cell in cells(scene(at))]


def test_an_upload_is_read_by_the_systems_of_photographs_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = start("draw", draw_label="airplane", systems=["tra", "rbc"])
    clean(at.file_uploader(key="draw_file").set_value(("photo.png", png(64), "image/png")).run())
    assert scene(at)["name"] == "airplane"
    assert "of 5</b> systems read it as an <b>airplane</b>" in bodies(at), "no system of digits is asked"
    assert all(cell["before"]["decoded"] == 0 for _, cell in cells(scene(at)))
    (tmp_path / "photo.png").write_bytes(png(64))
    monkeypatch.chdir(tmp_path)
    assert list(execute(at)["decoded"].values()) == [cell["decoded"][stop(scene(at))] for _, cell in cells(scene(at))]


@pytest.mark.parametrize("content", [b"", b"no image", png(50)[:60]], ids=["empty", "text", "half"])
def test_a_bad_upload_is_one_sentence(content: bytes) -> None:
    at = start("draw")
    clean(at.file_uploader(key="draw_file").set_value(("odd.png", content, "image/png")).run())
    assert any("This file cannot be read" in sentence for sentence in sentences(at))


def test_nonsense_in_a_link_is_left_aside() -> None:
    at = start("attack_lab", target="8", image="99999", systems=["nobody"], eps="nan")
    assert at.slider(key="eps").value == USUAL and at.selectbox(key="target").value == "any other"
    assert start("draw", draw_label="8", draw_photograph="9").selectbox(key="draw_label").value != "8"


def test_an_own_system_makes_the_data_set_offered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    content = zoo.path("cifar10-tra").read_bytes()
    monkeypatch.delenv("TASKLAB_ZOO")
    at = visit("train", data="cifar10")
    clean(at.file_uploader(key="train_upload_0").set_value(("mine.safetensors", content, "")).run())
    until(lambda: any("my-tra" in each.value for each in at.markdown), 5)
    at.switch_page("app_pages/attack_lab.py")
    clean(at.run())
    clean(at.segmented_control(key="data").set_value("cifar10").run())
    assert sentences(at) == []
    assert [cell["title"] for cell in scene(at)["aims"][0]["cells"]] == ["my-tra"]


@pytest.mark.skipif(not data.available("cifar10"), reason="CIFAR-10 is not under TASKLAB_DATA")
def test_the_real_photographs_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(growing, "PATIENCE", 600.0)
    monkeypatch.setenv("TASKLAB_ZOO", str(photograph_zoo()))
    at = start("attack_lab")
    test = data.load("cifar10", "test")
    assert len(test) == 10_000 and scene(at)["name"] == test.classes[int(test.labels[3])]
