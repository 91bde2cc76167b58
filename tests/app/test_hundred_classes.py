"""Every page on CIFAR-100: a hundred classes, as many scores or intervals, seven bits; images are the tests' own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab_ui.visitor import jobs
from tasklab import data
from tasklab.data import DATASETS, ImageSet
from tasklab.jobs.training import Training
from tasklab.system import new_system
from tasklab.tasks import make_task
from tests.app.live_parts import cells, shipped
from tests.app.visitors import clean, own_jobs, visit
from tests.photographs import photographs

DATA = "cifar100"
CLASSES = DATASETS[DATA].classes
PAGES = ("attack_lab", "robust", "outputs", "feature_map", "transfer", "train", "draw")


@pytest.fixture(autouse=True)
def _own_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    load = data.load

    def loaded(name: str, split: Any = "train", **more: Any) -> ImageSet:
        return photographs(split, DATA) if name == DATA else load(name, split, **more)

    monkeypatch.setattr(data, "load", loaded)
    monkeypatch.setenv("TASKLAB_ZOO", str(tmp_path))
    for key in ("tra", "deepbe", "int", "rbc"):
        task = make_task(key, num_classes=len(CLASSES))
        system = new_system(task, photographs("train", DATA), arch="small_cnn", width=4, seed=0)
        system.card = {"name": f"{DATA}-{key}", "data": {"name": DATA}, "task": task.to_dict()}
        system.save(tmp_path / f"{DATA}-{key}.safetensors")
    with own_jobs(monkeypatch, tmp_path / "jobs", fresh=True):
        yield


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_on_a_hundred_classes(page: str) -> None:
    at = visit(page, data=DATA, steps="2", image="3", n="50")
    assert at.segmented_control(key="data").value == DATA


def test_the_attack_lab_shows_what_fits() -> None:
    at = visit("attack_lab", data=DATA, steps="2", image="3", target="whale")
    scene = shipped(at, "scene")
    assert scene is not None and scene["name"] == CLASSES[3] and at.selectbox(key="target").value == "whale"
    charts = {cell["title"]: cell["chart"] for _, cell in cells(scene) if "chart" in cell}
    assert len(charts["TRA"]["names"]) == 10 and CLASSES[3] in charts["TRA"]["names"], "ten bars, its own among them"
    assert len(charts["INT"]["lower"]) == 100 and len(charts["INT"]["shown"]) <= 21, "a name for every fifth interval"
    assert len(charts["RBC"]["signs"]) == len(charts["DeepBE"]["signs"]) == 7


@pytest.mark.parametrize(("query", "width"), [
    ({"train_task": "TRA"}, 100), ({"train_task": "INT"}, 1), ({"train_task": "RBC"}, 7),
    ({"train_task": "DeepBE", "train_bits_100": "9"}, 9),
])
def test_a_training_has_outputs_for_all(query: dict[str, str], width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(jobs, "start", lambda kind, settings: asked.append(settings) or "none")
    at = visit("train", data=DATA, **query)
    clean(at.button(key="train_start").click().run())
    training = Training.from_dict(asked[0])
    assert (training.data, training.task.num_classes, training.task.width) == (DATA, 100, width)
    assert training.n == 20_000 and training.recipe.flip


def test_an_example_is_chosen_by_its_class() -> None:
    at = visit("draw", data=DATA, steps="2", draw_photograph_cifar100="otter")
    scene = shipped(at, "scene")
    assert scene is not None and scene["name"] == "otter"
