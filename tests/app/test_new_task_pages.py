"""Pages show a system of a task that no page knows by name: error-correcting output codes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tasklab import data, zoo
from tasklab.system import new_system
from tasklab.tasks import make_task
from tasklab.training import Recipe, fit
from tests.app.visitors import clean, visit


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small ECOC system beside TRA."""
    made = tmp_path_factory.mktemp("zoo")
    train = data.load("digits", "train").subset(400)
    system = new_system(make_task("ecoc"), train, width=8, seed=0)
    for _event in fit(system, train, Recipe(epochs=4, batch_size=32, seed=0)):
        pass
    system.card |= {"name": "digits-ecoc", "data": {"name": "digits", "train": 400, "test": 400}}
    system.save(made / "digits-ecoc.safetensors")
    shipped = zoo.folder() / "digits-tra.safetensors"
    (made / shipped.name).write_bytes(shipped.read_bytes())
    return made


@pytest.fixture(autouse=True)
def _own_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: Path) -> Iterator[None]:
    monkeypatch.setenv("TASKLAB_ZOO", str(folder))
    monkeypatch.setattr(zoo, "folder", lambda: tmp_path / "nothing shipped")
    monkeypatch.setenv("TASKLAB_DATA", str(tmp_path / "no data"))
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(("page", "query"), [
    ("attack_lab", {"systems": "ecoc", "steps": "3", "objective": "margin"}),
    ("transfer", {"systems": ["tra", "ecoc"], "steps": "3", "n": "20"}),
    ("regions", {"regions_tasks": "ECOC", "regions_epochs": "5", "regions_n": "100"}),
])
def test_every_page_draws_it(page: str, query: dict[str, str | list[str]]) -> None:
    at = visit(page, **query)
    shown = "\n".join(e.proto.body for e in at.main.get("html") if hasattr(e.proto, "body")) + str(at.main)
    assert "ECOC" in shown


def test_its_features_are_mapped() -> None:
    at = visit("feature_map", feature_map_system="ecoc", feature_map_kind="PCA")
    assert at.segmented_control(key="feature_map_system").value == "ecoc"


def test_a_bit_beyond_four_is_drawn() -> None:
    at = visit("outputs", systems="ecoc", steps="3", n="30", outputs_bit="bit 15")
    assert at.selectbox(key="outputs_bit").value == "bit 15"
    (chart,) = at.main.get("plotly_chart")
    assert "bit 15" in chart.proto.alt


def test_it_can_be_chosen_for_a_training() -> None:
    at = visit("train", train_task="ECOC")
    assert {"train_S", "train_codewords", "train_bit_loss"} <= {
        each.key for kind in (at.number_input, at.selectbox) for each in kind
    }
    clean(at.selectbox(key="train_codewords").set_value("random").run())
    at = clean(at.selectbox(key="train_task").set_value("rbc").run())
    assert at.number_input(key="train_bits").value == 4
