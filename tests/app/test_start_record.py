"""What a person sees who opens the app and touches nothing, with the shipped systems."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

from lab_ui.shell.controls import PICTURE
from tasklab import data, zoo
from tests.app.live_parts import cells, shipped, stop

APP = Path(__file__).parents[2] / "app" / "streamlit_app.py"


@pytest.mark.parametrize("dataset", PICTURE)
def test_the_opening_view_shows_that_the_aim_makes_the_difference(
    dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TASKLAB_ZOO", raising=False)
    if not data.available(dataset):
        pytest.skip(f"{dataset} is not under TASKLAB_DATA")
    if not {f"{dataset}-{key}" for key in ("tra", "deepbe", "int", "rbc")} <= set(zoo.names()):
        pytest.skip(f"no systems of {dataset} are shipped")
    threads = torch.get_num_threads()
    at = AppTest.from_file(str(APP), default_timeout=120)
    at.query_params["data"] = dataset
    at.switch_page("app_pages/attack_lab.py")
    at.run()
    torch.set_num_threads(threads)
    assert not at.exception
    scene = shipped(at, "scene")
    assert scene is not None
    place = stop(scene)
    results = {aim: [cell for each, cell in cells(scene) if each == aim] for aim in ("train", "margin")}
    fooled = {aim: sum(cell["fooled"][place] for cell in row) for aim, row in results.items()}
    assert fooled == {"train": 2, "margin": 4}
    assert {aim: sum(cell["zero"][place] for cell in row) for aim, row in results.items()} == {"train": 2, "margin": 0}
    assert all(cell["before"]["decoded"] == scene["label"] for row in results.values() for cell in row)
