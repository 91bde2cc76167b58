"""Where systems are looked for: one's own folder first, the shipped ones after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasklab import zoo
from tasklab.checkpoint import CheckpointError
from tasklab.models import NetworkSpec, build_network
from tasklab.system import System
from tasklab.tasks import make_task


def put(folder: Path, name: str, dataset: str = "digits", S: float = 350.0) -> None:
    spec = NetworkSpec(arch="small_cnn", in_shape=(1, 8, 8), outputs=4, mean=(0.3,), std=(0.4,), width=4)
    card = {"data": {"name": dataset}}
    System(build_network(spec, seed=0), make_task("rbc", S=S), card=card).save(folder / f"{name}.safetensors")


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shipped"
    put(folder, "a")
    monkeypatch.setattr(zoo, "folder", lambda: folder)
    monkeypatch.delenv("TASKLAB_ZOO", raising=False)
    return folder


def test_without_the_variable_there_are_the_shipped_ones(shipped: Path) -> None:
    assert zoo.folders() == (shipped,)
    assert zoo.names() == ("a",)


def test_ones_own_come_beside_them_and_first(shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own"
    put(own, "a", S=7)
    put(own, "b", dataset="mnist")
    monkeypatch.setenv("TASKLAB_ZOO", str(own))
    assert zoo.names() == ("a", "b")
    assert zoo.names("mnist") == ("b",)
    assert zoo.load("a").task == make_task("rbc", S=7)
    assert zoo.load("a", where=shipped).task == make_task("rbc")
    assert zoo.path("b") == own / "b.safetensors"


def test_a_folder_that_is_not_there_is_no_trouble(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKLAB_ZOO", str(shipped / "nowhere"))
    assert zoo.names() == ("a",)


@pytest.mark.parametrize("name", ["c", "", "../shipped/a", "*"])
def test_another_name_is_refused_with_those_there_are(shipped: Path, name: str) -> None:
    with pytest.raises(ValueError, match="expected a system among a, got"):
        zoo.load(name)


def test_a_damaged_file_says_so(shipped: Path) -> None:
    (shipped / "a.safetensors").write_bytes(b"\x08")
    for read in (zoo.card, zoo.load):
        with pytest.raises(CheckpointError, match=r"a\.safetensors"):
            read("a")
