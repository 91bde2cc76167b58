"""Uploads: judged on the server, never a name on its disk, and freed."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from visitors import TOKENS, clean, own_jobs, sentences, visit

from lab_ui.basics.refusal import Refused
from lab_ui.visitor import identity, jobs, limits, own_systems, uploads
from tasklab import zoo
from tasklab.system import System

NAMES = (
    "漢" * 90 + ".safetensors", "a" * 4000, "", ".", "..", "../../../../tmp/up.safetensors", "C:\\x\\con.safetensors",
    "a\x00b", "\ud800.safetensors", "\n\r\t", "\u202egnp.exe", "<b>![x](http://127.0.0.1/y)", "nul", "-rf", "~", "/",
    "😀" * 64, "e\u0301" * 200,
)


@pytest.fixture(autouse=True)
def _own_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with own_jobs(monkeypatch, tmp_path / "jobs"):
        yield


def odd_names(count: int) -> Iterator[str]:
    """Names that a browser may send, from a seed."""
    chance = random.Random(0)
    yield from NAMES
    for _ in range(count):
        signs = (chr(chance.choice((chance.randrange(128), chance.randrange(0xD7FF), chance.randrange(0x10FFFF))))
                 for _ in range(chance.choice((1, 5, 100, 400))))
        yield "".join(signs) + chance.choice(("", ".safetensors", ".png"))


def test_no_name_of_a_visitor_comes_to_the_disk(tmp_path: Path) -> None:
    content = zoo.path("digits-rbc").read_bytes()
    system = System.load(zoo.path("digits-rbc"))
    system.card.pop("name")
    system.save(tmp_path / "nameless.safetensors")
    nameless = (tmp_path / "nameless.safetensors").read_bytes()
    st.session_state[identity.KEPT] = TOKENS["ann"]
    for place, name in enumerate(NAMES):
        made = own_systems.bring(nameless if place % 2 else content, name)
        (file,) = (tmp_path / "jobs" / identity.folder_of(TOKENS["ann"]) / "systems").iterdir()
        assert file.name == f"{made}.safetensors" and file.name.isascii() and len(file.name) < 60
        described = zoo.card(made, where=file.parent)
        assert described["name"] == made
        file.unlink()
    with pytest.raises(Refused, match=r"^This is not a whole system: expected ") as refused:
        own_systems.bring(b"nonsense", NAMES[0])
    assert len(str(refused.value)) < 500


def test_a_name_is_shown_as_one_short_line() -> None:
    for name in odd_names(300):
        shown = uploads.shown_name(name)
        assert len(shown) <= limits.MAX_NAME
        assert not any(unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp") for sign in shown)
        shown.encode()


def test_the_server_takes_no_more_than_its_largest_widget() -> None:
    import tomllib

    config = tomllib.loads((Path(uploads.__file__).parents[2] / ".streamlit" / "config.toml").read_text("utf-8"))
    assert config["server"]["maxUploadSize"] == max(limits.MAX_UPLOAD, limits.MAX_PICTURE)


def test_what_is_too_large_is_refused_unread() -> None:
    def read() -> bytes:
        raise AssertionError("it was read")

    file = SimpleNamespace(size=(20 << 20) + 1, file_id="1", getvalue=read)
    with pytest.raises(ValueError, match=r"^The file is larger than 20 MB, the largest size accepted here\.$"):
        uploads.content(file, 20)
    assert uploads.content(SimpleNamespace(size=20 << 20, getvalue=lambda: b"all"), 20) == b"all"


@pytest.mark.parametrize(("page", "query", "key"), [
    ("draw", {"draw_from": "upload"}, "draw_file"), ("train", {}, "train_upload_0"),
])
def test_a_page_says_what_is_too_large(
    page: str, query: dict[str, Any], key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = visit(page, **query)
    monkeypatch.setattr(uploads, "content", lambda file, megabytes: real(file, 0))
    name = "漢" * 90 + (".safetensors" if page == "train" else ".png")
    clean(at.file_uploader(key=key).set_value((name, b"x" * 100, "")).run())
    assert "The file is larger than 0 MB, the largest size accepted here." in sentences(at)


real = uploads.content


def test_a_full_disk_is_a_sentence_when_a_system_is_brought(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    st.session_state[identity.KEPT] = TOKENS["ann"]
    content = zoo.path("digits-rbc").read_bytes()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device", "/srv/secret")

    for kind, method in ((Path, "write_bytes"), (Path, "mkdir"), (System, "save")):
        with monkeypatch.context() as disk:
            disk.setattr(kind, method, full)
            with pytest.raises(Refused, match=r"^The disk of this machine is full"):
                own_systems.bring(content, "x")
    name = own_systems.bring(content, "x")
    with monkeypatch.context() as disk:
        disk.setattr(Path, "unlink", full)
        with pytest.raises(Refused, match=r"^The disk of this machine is full"):
            own_systems.remove_brought(name)
    assert own_systems.path(name) is not None
    own_systems.remove_brought(name)
    assert own_systems.path(name) is None
    (tmp_path / "jobs").rename(tmp_path / "away")
    (tmp_path / "jobs").write_text("a file where the folder should be", "utf-8")
    with pytest.raises(Refused, match="cannot be written to"):
        own_systems.bring(content, "x")


def test_the_train_page_says_that_the_disk_is_full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    jobs.scheduler().at_once = 0
    (tmp_path / "jobs").write_text("a file where the folder should be", "utf-8")
    at = visit("train")
    clean(at.button(key="train_start").click().run())
    assert any("cannot be written to, so this could not be kept" in sentence for sentence in sentences(at))


def held(manager: MemoryUploadedFileManager) -> dict[str, list[str]]:
    return {session: list(files) for session, files in manager.file_storage.items()}


def test_a_tab_holds_so_much_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, megabytes in {"MAX_HELD": 4, "MAX_UPLOAD": 2, "MAX_PICTURE": 1, "MAX_HELD_TOGETHER": 9}.items():
        monkeypatch.setattr(uploads, name, megabytes)
    manager = MemoryUploadedFileManager("/up")

    def add(session: str, *names: str) -> None:
        for name in names:
            manager.add_file(session, UploadedFileRec(name, name, "", bytes(1 << 20)))

    add("greedy", *"abcdefgh")
    add("ann", "photo")
    uploads.trim(manager)
    assert held(manager) == {"greedy": list("efgh"), "ann": ["photo"]}, "the oldest are dropped"
    for number in range(5):
        add(f"tab{number}", "x", "y")
    uploads.trim(manager)
    assert {session: len(names) for session, names in held(manager).items()} == {
        "greedy": 1, "ann": 1, **{f"tab{number}": 1 for number in range(5)}}, "all together hold too much: less of each"
    assert held(manager)["greedy"] == ["h"]
