"""The shelf: what is brought and what is shown of it, one visitor apart from the other."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from visitors import TOKENS, clean, own_jobs, sentences, until, visit

from lab_ui.basics.refusal import Refused
from lab_ui.visitor import catalogue, identity, jobs, own_systems
from tasklab import data, zoo
from tasklab.system import System, new_system
from tasklab.tasks import RBC, TRA


@pytest.fixture(autouse=True)
def _own_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with own_jobs(monkeypatch, tmp_path / "jobs"):
        yield


@contextlib.contextmanager
def being(who: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Calls as one visitor makes them."""
    with monkeypatch.context() as world:
        world.setattr(identity, "_token", lambda: TOKENS[who])
        yield


def test_a_system_that_is_brought_is_on_the_shelf_of_its_owner_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    content = zoo.path("digits-rbc").read_bytes()
    with being("ann", monkeypatch):
        name = own_systems.bring(content, "anything.safetensors")
        assert name == "digits-my-rbc"
        assert catalogue.systems("digits")[0]["my-rbc"] == name
        assert "my-rbc" not in catalogue.systems("mnist")[0]
        mine, shipped = catalogue.system(name), catalogue.system("digits-rbc")
        x = data.load("digits", "test").x(slice(0, 50))
        assert torch.equal(mine.predict(x), shipped.predict(x))
        assert catalogue.card(name)["metrics"] == zoo.card("digits-rbc")["metrics"]
        assert catalogue.system(name) is mine, "loaded once"
        stamp = catalogue.stamp(name)
    with being("bob", monkeypatch):
        assert "my-rbc" not in catalogue.systems("digits")[0]
        with pytest.raises(ValueError, match="expected a system among"):
            catalogue.system(name)
        assert own_systems.bring(content, "other.safetensors") == name
        assert catalogue.stamp(name) != stamp, "what is remembered of one is not shown to the other"


def test_nobody_has_no_systems_and_no_folder(tmp_path: Path) -> None:
    assert own_systems.files() == {}
    assert identity.visitor() is None
    assert not (tmp_path / "jobs").exists()


def test_the_folder_does_not_tell_the_token() -> None:
    name = identity.folder_of(TOKENS["ann"])
    assert name != identity.folder_of(TOKENS["bob"])
    assert len(name) == 32
    assert TOKENS["ann"][:6] not in name


def test_names_do_not_collide_and_do_not_leave_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    content = zoo.path("digits-tra").read_bytes()
    with being("ann", monkeypatch):
        assert [own_systems.bring(content, "x.safetensors") for _ in range(2)] == ["digits-my-tra", "digits-my-tra-2"]
        assert own_systems.free_name("digits", "../../etc/passwd") == "digits-my-etc-passwd"
        assert own_systems.free_name("digits", "☃") == "digits-my-system"
        assert own_systems.free_name("digits", "digits-my-tra") == "digits-my-tra-3"
        own_systems.remove_brought("digits-my-tra")
        assert list(own_systems.files()) == ["digits-my-tra-2"]
        own_systems.remove_brought("digits-rbc")
        assert "digits-rbc" in zoo.names()


def test_a_system_saved_by_hand_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    new_system(TRA(), data.load("digits"), width=4, seed=0).save(tmp_path / "bare.safetensors")
    with being("ann", monkeypatch):
        name = own_systems.bring((tmp_path / "bare.safetensors").read_bytes(), "bare.safetensors")
        assert (name, catalogue.card(name)["data"]["name"]) == ("digits-my-bare", "digits")
        assert catalogue.systems("digits")[1] == []


def nonsense(folder: Path) -> dict[str, bytes]:
    whole = zoo.path("digits-rbc").read_bytes()
    altered = bytearray(whole)
    altered[-5] ^= 1
    broken = new_system(RBC(), data.load("digits"), width=4, seed=0)
    with torch.no_grad():
        next(broken.network.parameters()).fill_(float("nan"))
    broken.save(folder / "nan.safetensors")
    return {
        "text": b"hello", "empty": b"", "half": whole[: len(whole) // 2], "altered": bytes(altered),
        "zeros": bytes(10_000), "nan": (folder / "nan.safetensors").read_bytes(),
    }


@pytest.mark.parametrize("kind", ["text", "empty", "half", "altered", "zeros", "nan"])
def test_nonsense_is_one_sentence(kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with being("ann", monkeypatch), pytest.raises(Refused, match="This is not a whole system") as refused:
        own_systems.bring(nonsense(tmp_path)[kind], "up.safetensors")
    assert "\n" not in str(refused.value)
    assert str(tmp_path) not in str(refused.value), "no path of this machine is told"
    with being("ann", monkeypatch):
        assert own_systems.files() == {}


def test_a_system_for_other_pictures_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    system = new_system(TRA(), data.load("digits"), width=4, seed=0)
    system.card = {"name": "liar", "data": {"name": "mnist"}}
    system.save(tmp_path / "liar.safetensors")
    with being("ann", monkeypatch), pytest.raises(Refused, match="images that are known here"):
        own_systems.bring((tmp_path / "liar.safetensors").read_bytes(), "liar.safetensors")


def test_a_card_full_of_nonsense_is_cut_down(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    system = System.load(zoo.path("digits-rbc"))
    system.card["metrics"] = [{"attack": "<script>"}]
    system.card["name"] = "<b>7"
    system.save(tmp_path / "odd.safetensors")
    with being("ann", monkeypatch):
        name = own_systems.bring((tmp_path / "odd.safetensors").read_bytes(), "odd.safetensors")
        assert name == "digits-my-b-7"
        assert "metrics" not in catalogue.card(name)


def test_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    content = zoo.path("digits-tra").read_bytes()
    monkeypatch.setattr(own_systems, "MAX_BROUGHT", 1)
    with being("ann", monkeypatch):
        own_systems.bring(content, "x.safetensors")
        with pytest.raises(Refused, match="all there is room for"):
            own_systems.bring(content, "x.safetensors")
        monkeypatch.setattr(own_systems, "MAX_UPLOAD", 0)
        with pytest.raises(Refused, match="larger than 0 MB"):
            own_systems.bring(content, "x.safetensors")


def test_a_file_that_was_replaced_is_loaded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with being("ann", monkeypatch):
        name = own_systems.bring(zoo.path("digits-rbc").read_bytes(), "x.safetensors")
        before, stamp = catalogue.system(name), catalogue.stamp(name)
        shutil.copy(zoo.path("digits-tra"), catalogue.file(name))
        assert catalogue.system(name) is not before
        assert catalogue.stamp(name) != stamp
        catalogue.file(name).write_bytes(b"broken")
        with pytest.raises(ValueError, match="is damaged"):
            catalogue.system(name)


def test_a_missing_data_set_is_brought_by_a_job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder can be made below this", encoding="utf-8")
    monkeypatch.setenv("TASKLAB_DATA", str(tmp_path / "file" / "data"))
    at = visit("attack_lab", data="mnist")
    assert "MNIST is not on this machine yet: 12 MB" in sentences(at)[0]
    clean(at.button(key="download").click().run())
    assert any("Download of mnist" in each.value for each in at.markdown)
    until(lambda: [view.state for view in jobs.mine("download")] == ["failed"])
    clean(at.run())
    assert any("could not be written" in sentence for sentence in sentences(at))
    assert "MNIST is not on this machine yet" in sentences(at)[0], "it can be tried again"


def test_a_download_is_there_for_all_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with being("ann", monkeypatch):
        jobs.start("download", {"data": "digits"})
    until(lambda: [view.state for view in jobs.mine("download")] == ["done"])
    with being("bob", monkeypatch):
        assert len(jobs.mine("download")) == 1
