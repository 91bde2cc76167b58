"""Folders in shared storage: on a disk, in memory, and in an object store that really runs."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasklab.jobs.storing import LEASE, Store
from tasklab.lock import Locked

BEAT = 0.05


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket of moto's server, which is S3 as far as a client can tell."""
    pytest.importorskip("s3fs", reason="needs s3fs, which knows S3")
    server_of = pytest.importorskip("moto.server", reason="needs moto's server, an object store for tests")
    server = server_of.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    given = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any",
             "AWS_DEFAULT_REGION": "us-east-1"}
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        Store("s3://jobs").system.mkdir("jobs")
        yield "s3://jobs/here"
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        server.stop()


@pytest.fixture(params=["file", "memory", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "s3":
        return str(request.getfixturevalue("bucket"))
    return (tmp_path / "shared").as_uri() if request.param == "file" else f"memory://{uuid.uuid4().hex}"


def names(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
            for path in folder.rglob("*") if path.is_file()}


def test_what_is_new_changed_and_removed_is_carried_and_nothing_else(url: str, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    sender, receiver = Store(url), Store(url)
    (here / "run").mkdir(parents=True)
    texts = {"job.json": "{}", "run/last": "one", "queued": "", "lock": "1", ".last.abcd1234": "half"}
    for name, text in texts.items():
        (here / name).write_text(text, encoding="utf-8")
    sender.push(here, "a job")
    receiver.pull(there, "a job")
    assert names(there) == {"job.json": "{}", "run/last": "one", "queued": ""}
    (here / "run" / "last").write_text("two", encoding="utf-8")
    (here / "queued").unlink()
    unchanged = (there / "job.json").stat().st_ino
    (there / "own").write_text("mine", encoding="utf-8")
    sender.push(here, "a job")
    receiver.pull(there, "a job")
    assert names(there) == {"job.json": "{}", "run/last": "two", "own": "mine"}
    assert (there / "job.json").stat().st_ino == unchanged, "what has not changed is not carried again"
    assert receiver.read("a job/run/last") == b"two" and receiver.read("a job/none") is None
    receiver.push(there, "a job")
    sender.pull(here, "a job")
    assert names(here)["own"] == "mine" and names(here)["lock"] == "1"
    sender.remove("a job")
    sender.remove("a job")
    assert Store(url).read("a job/job.json") is None


def test_only_what_is_named_is_carried(url: str, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for name in ("a.job/job.json", "a.run/last", "a.json", "b.run/last", "b.json"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(name, encoding="utf-8")
    sender, receiver = Store(url), Store(url)
    sender.push(here, "a.job", ("a.job", "a.json", "a.run", "a.safetensors"))
    receiver.pull(there, "a.job")
    assert set(names(there)) == {"a.job/job.json", "a.run/last", "a.json"}
    (there / "a.safetensors").write_text("made", encoding="utf-8")
    (there / "a.run" / "last").unlink()
    (there / "b.json").write_text("another's", encoding="utf-8")
    receiver.push(there, "a.job", ("a.job", "a.json", "a.run", "a.safetensors"))
    sender.pull(here, "a.job")
    assert names(here) == {name: name for name in ("a.job/job.json", "a.json", "b.run/last", "b.json")} | {
        "a.safetensors": "made"}
    assert not (here / "a.run").exists(), "nor is an empty folder left"
    sender.remove("a.job")
    sender.pull(here, "a.job")
    assert (here / "a.safetensors").exists(), "what is removed there is not forgotten here"


def test_a_lease_is_one_s_alone_and_not_a_dead_one_s(url: str) -> None:
    one, two = Store(url), Store(url)
    with one.lease("job", beat=BEAT), pytest.raises(Locked, match="another machine holds job/lease"):
        two.lease("job", beat=BEAT).__enter__()
    assert one.read(f"job/{LEASE}") is None
    dead = one.lease("job", beat=BEAT)
    dead.__enter__()
    dead._over.set()  # it gives no more signs of life, as if it had been killed
    with two.lease("job", beat=BEAT) as alive:
        assert alive._holder() == alive.token
        dead.__exit__(None, None, None)
        assert alive._holder() == alive.token, "the dead one's end does not take it from the living"
    assert two.read(f"job/{LEASE}") is None


def test_an_unknown_storage_is_a_sentence() -> None:
    with pytest.raises(ValueError, match="expected an address of shared storage, got 'nowhere://x'"):
        Store("nowhere://x")
