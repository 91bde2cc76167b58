"""What a scene ships is what the library found, and its file asks nobody for anything."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tasklab.attacks import APGD, FGSM, PGD, attack
from tasklab.experiments.scenario import Scenario
from tasklab.experiments.sweep import Sweep, joined, sweep, sweeps
from tasklab.experiments.trajectory import record_trajectory
from tasklab.figures import scene_html
from tasklab.figures.live.page import script, stylesheet
from tasklab.figures.live.sweep import scene_data
from tasklab.figures.live.trajectory import trajectory_data, trajectory_html
from tasklab.models.fast import PLAIN
from tasklab.system import System
from tasklab.tasks import Task, make_task

STOPS = (0.0, 0.05, 0.1, 0.3)
TASKS = {"tra": make_task("tra"), "rbc": make_task("rbc", S=2), "deepbe": make_task("deepbe"),
         "int": make_task("int"), "floor": make_task("int", gap="floor")}


def small(task: Task, colours: int = 1) -> tuple[System, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    network = nn.Sequential(nn.Flatten(), nn.Linear(16 * colours, 12), nn.Tanh(), nn.Linear(12, task.width))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
        network[3].weight.mul_(max(task.unit / 20, 1))
        network[3].bias += task.centre
    system = System(network, task)
    images = torch.randint(0, 256, (200, colours, 4, 4), generator=generator) / 255
    place = int((system.predict(images) >= 0).nonzero()[0])
    return system, images[place : place + 1], system.predict(images[place : place + 1])


def swept(name: str, objective: str = "margin", colours: int = 1, **more: Any) -> Sweep:
    system, x, y = small(TASKS[name], colours)
    return sweep(system, x, y, PGD(eps=0, steps=4, random_start=False, keep="best", objective=objective, **more), STOPS)


def unpacked(text: str, kind: Any) -> Any:
    return np.frombuffer(base64.b64decode(text), dtype=kind)


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("name", TASKS)
def test_every_stop_holds_the_library_s_own_result(name: str, colours: int) -> None:
    system, x, y = small(TASKS[name], colours)
    settings = PGD(eps=0, steps=4, random_start=False, keep="best")
    results = sweep(system, x, y, settings, STOPS)
    (cell,) = scene_data({(name, "margin"): results})["aims"][0]["cells"]
    changes = unpacked(cell["changes"], np.int8).reshape(len(STOPS), -1)
    for place, eps in enumerate(STOPS):
        result = attack(system, x, y, dataclasses.replace(settings, eps=eps, plan=PLAIN))
        z = system.read(result.images)
        assert cell["decoded"][place] == int(result.decoded)
        assert cell["fooled"][place] == bool(result.fooled)
        assert cell["unmoved"][place] == bool(result.unmoved)
        assert cell["zero"][place] == bool(result.zero_gradient)
        assert cell["outputs"][place] == pytest.approx(z[0].tolist(), rel=1e-4, abs=1e-4)
        margin = float(system.task.codec.margins(z)[0, int(y)])
        assert cell["margins"][place] == pytest.approx(margin, rel=1e-3, abs=1e-3)
        shown = torch.from_numpy(changes[place].astype(np.float32) * cell["peak"][place] / 127)
        assert float((shown - (result.images - x).flatten()).abs().max()) <= eps / 254 + 1e-6
    assert cell["before"]["decoded"] == int(y)


def test_the_first_stop_is_the_picture_itself() -> None:
    result = swept("rbc")
    assert torch.equal(result.images[0], result.clean[0])
    assert bool(result.unmoved[0]) and not bool(result.fooled[0])
    assert result.margins[0] == pytest.approx(result.clean_margin)
    assert result.at(0.07) == 1


def test_sweeps_join_into_one() -> None:
    system, x, y = small(TASKS["int"])
    settings = PGD(eps=0, steps=4, random_start=False, keep="best")
    whole = sweep(system, x, y, settings, STOPS)
    parts = joined(sweep(system, x, y, settings, (0.1, 0.0)), sweep(system, x, y, settings, (0.3, 0.05, 0.1)))
    assert parts.stops == whole.stops == STOPS
    for name in ("images", "outputs", "margins"):
        assert torch.allclose(getattr(parts, name), getattr(whole, name), atol=1e-5)
    assert torch.equal(parts.decoded, whole.decoded)
    with pytest.raises(ValueError, match="one image"):
        joined(whole, swept("rbc"))


def test_a_scenario_is_swept_as_it_runs() -> None:
    scenario = Scenario(systems=("digits-tra", "digits-int"), steps=5, eps=0.1)
    results, result = sweeps(scenario, (0.0, 0.1)), scenario.run()
    assert results.keys() == result.keys()
    assert {pair: int(one.decoded[1]) for pair, one in results.items()} == {
        pair: int(one.decoded) for pair, one in result.items()}
    assert scene_data(results, eps=scenario.eps)["aims"][0]["key"] == "train"
    with pytest.raises(ValueError, match="expected image"):
        sweeps(Scenario(image=10_000))


def test_charts_hold_all_that_a_drag_can_show() -> None:
    for name in TASKS:
        cell = scene_data({(name, "margin"): swept(name)})["aims"][0]["cells"][0]
        chart, values = cell["chart"], [v for z in [*cell["outputs"], cell["before"]["outputs"]] for v in z]
        if chart["kind"] == "bars":
            assert chart["low"] <= min(values) and max(values) <= chart["high"]
            assert cell["before"]["decoded"] in chart["classes"]
        elif chart["kind"] == "gauges":
            assert max(abs(v - chart["threshold"]) for v in values) <= chart["reach"]
        else:
            assert chart["low"] < chart["lower"][0] and chart["upper"][-1] < chart["high"]
            assert chart["floor"] == (name == "floor")


def test_a_scene_has_rows_of_aims_and_sentences_where_there_is_nothing() -> None:
    words: dict[str, Any] = {"titles": {"a": "INT"}, "aims": {"train": ("the loss", "As published.")}}
    cells = {("a", "margin"): swept("int"), ("b", "margin"): "b has none.", ("a", "train"): swept("int", "train")}
    data = scene_data(cells, eps=0.1, **words)
    assert [aim["title"] for aim in data["aims"]] == ["“margin”", "the loss"]
    assert [cell.get("refused") for cell in data["aims"][0]["cells"]] == [None, "b has none."]
    assert data["aims"][0]["cells"][0]["title"] == "INT"
    assert data["eps"] == 0.1
    assert data["id"] == scene_data(cells, eps=0.2, **words)["id"]
    assert data["id"] != scene_data(cells, titles={"a": "other"})["id"]


def test_what_does_not_belong_together_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one sweep"):
        scene_data({("a", "margin"): "nothing"})
    system, x, y = small(TASKS["int"])
    other = sweep(system, x, y, FGSM(eps=0), (0.0, 0.1))
    with pytest.raises(ValueError, match="same stops"):
        scene_data({("a", "margin"): swept("int"), ("b", "margin"): other})


def test_the_file_asks_nobody_and_cannot_be_broken_out_of() -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    html = scene_html({("a", "margin"): swept("tra")}, title=evil, titles={"a": evil}, names=[evil] * 10)
    assert not re.search(r"https?://|@import|src=\"|href=|fetch\(|XMLHttp", html.replace(evil, ""))
    assert html.count("</script>") == 1
    assert html.count("<script>") == 1
    assert "onerror=alert(1)>" not in html.replace("\\u003cimg src=x onerror=alert(1)>", "")


def test_scripts_are_those_of_the_page_and_in_the_package(tmp_path: Path) -> None:
    assert script("scene") in scene_html({("a", "margin"): swept("tra")})
    assert "\n" in script("player") and "\n" in stylesheet()  # else streamlit takes them for file names
    assert json.loads(re.search(r"const LOOKS = (.*);", script()).group(1))["wrong"]["word"] == "wrong"  # type: ignore[union-attr]


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("name", TASKS)
def test_a_walk_is_the_way_of_the_attack(name: str, norm: Any) -> None:
    system, x, y = small(TASKS[name])
    settings = PGD(eps=0.2, steps=4, random_start=False, keep="best", norm=norm, objective="bits")
    results, result = record_trajectory(system, x, y, settings), attack(system, x, y, settings)
    assert len(results.images) == len(results.gradients) + 1 == 5
    assert torch.equal(results.images[0], x[0])
    assert torch.equal(results.decoded, system.predict(results.images))
    if results.kept is None:
        assert bool(result.unmoved)
    else:
        assert torch.equal(results.images[results.kept], result.images[0])
    data = trajectory_data(results, title="x")
    shares = torch.from_numpy(unpacked(data["gradients"], np.int16).copy()).reshape(len(results.gradients), -1)
    gradients = results.gradients.flatten(1)
    assert torch.equal(shares.sign(), gradients.sign()), "what is not 0 stays so"
    peaks = torch.tensor(data["peaks"])[:, None]
    assert bool(((shares * peaks / 32767 - gradients).abs() <= peaks / 32767 + 1e-12).all())
    pixels = torch.from_numpy(unpacked(data["images"], np.uint16).astype(np.float32)) / 65535
    assert float((pixels - results.images.flatten()).abs().max()) < 1e-5
    assert data["step_size"] == settings.effective_step_size


def test_a_walk_needs_steps_to_show() -> None:
    system, x, y = small(TASKS["rbc"])
    with pytest.raises(TypeError, match="expected PGD or FGSM"):
        record_trajectory(system, x, y, APGD(eps=0.1))
    with pytest.raises(ValueError, match="misclassified before any attack"):
        record_trajectory(system, x, (y + 1) % 10, PGD(eps=0.1, keep="first"))
    assert "class Player" in trajectory_html(record_trajectory(system, x, y, FGSM(eps=0.1)))
