"""Downloads against a server on this machine that misbehaves in every way one may meet."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import json
import os
import re
import struct
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from tasklab.data import DATASETS, DownloadError, available, download, downloading, load, loading
from tasklab.data.files import FILES, DataFile


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`; `fault` says what is wrong with the answers, `faults_left` how often."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.fault = ""
        self.only = ""  # a word in the path of the files that the fault is about
        self.faults_left = 10**9
        self.ranges = True
        self.requests: list[tuple[str, str | None]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *words: object) -> None:
        pass

    def do_GET(self) -> None:
        server, part = self.server, self.headers.get("Range")
        server.requests.append((self.path, part))
        content = server.files[Path(self.path).name]
        fault = server.fault if server.faults_left > 0 and server.only in self.path else ""
        server.faults_left -= 1
        if fault in ("404", "503"):
            self.send_error(int(fault))
            return
        if fault == "silence":
            time.sleep(1.5)
            return
        if fault == "login page":
            content = b"<html>Please accept the conditions of this hotel</html>"
        elif fault == "wrong bytes":
            content = bytes(255 - byte for byte in content)
        elif fault == "one wrong byte":
            content = content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]
        elif fault == "empty":
            content = b""
        elif fault == "endless":
            content = content + bytes(3 << 20)
        start = int(re.findall(r"\d+", part)[0]) if part and server.ranges and not fault.startswith("login") else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        body = content[start:]
        self.wfile.write(body[: len(body) // 2] if fault == "cut off" else body)


FAULTS = ["cut off", "404", "503", "login page", "wrong bytes", "one wrong byte", "empty", "endless", "silence", "gone"]


@contextmanager
def running() -> Iterator[Server]:
    """A server that stops when the test ends, also when it fails."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(downloading, "_CHUNK", 512)
    with running() as server:
        yield server


def tiny_mnist() -> dict[str, bytes]:
    """Unpacked idx files of a few images each."""
    rng = np.random.default_rng(0)
    files = {}
    for half, n in (("train", 8), ("t10k", 5)):
        files[f"{half}-images-idx3-ubyte"] = struct.pack(">4i", 2051, n, 28, 28) + rng.bytes(n * 28 * 28)
        files[f"{half}-labels-idx1-ubyte"] = struct.pack(">2i", 2049, n) + bytes(i % 10 for i in range(n))
    return files


@pytest.fixture
def mnist(server, monkeypatch) -> dict[str, bytes]:
    from torchvision import datasets

    files = tiny_mnist()
    server.files = {f"{name}.gz": gzip.compress(content) for name, content in files.items()}
    monkeypatch.setattr(datasets.MNIST, "mirrors", [server.url])
    monkeypatch.setattr(datasets.MNIST, "resources", [(name, md5(packed)) for name, packed in server.files.items()])
    rows = [DataFile(path=f"MNIST/raw/{name}", size=len(c), md5=md5(c)) for name, c in files.items()]
    monkeypatch.setitem(FILES, "mnist", tuple(rows))
    loading.forget()
    yield files
    loading.forget()


def assert_whole(root: Path, files: dict[str, bytes]) -> None:
    """The set is there, to the byte, with nothing beside it, and loads."""
    results = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert results == {f"MNIST/raw/{name}": content for name, content in files.items()}
    assert [path.name for path in root.iterdir()] == ["MNIST"]
    assert available("mnist", root)
    expected = np.frombuffer(files["t10k-images-idx3-ubyte"][16:], np.uint8).reshape(5, 1, 28, 28)
    assert torch.equal(load("mnist", "test", root=root).images, torch.tensor(expected))


def test_a_healthy_server(server, mnist, tmp_path, capfd):
    events = list(download("mnist", tmp_path / "deep" / "root"))
    assert_whole(tmp_path / "deep" / "root", mnist)
    done = [event.done for event in events]
    assert done == sorted(done)
    assert [event.done == event.total for event in events] == [False] * (len(events) - 1) + [True]
    assert len(events) > 8  # progress within files, not only between them
    assert capfd.readouterr() == ("", "")


def test_nothing_happens_until_the_events_are_consumed(server, mnist, tmp_path):
    events = download("mnist", tmp_path)
    assert server.requests == []
    assert not any(tmp_path.iterdir())
    assert next(events).done > 0
    assert len(server.requests) == 1
    assert any(tmp_path.iterdir())
    assert not available("mnist", tmp_path)
    events.close()  # to stop consuming is to stop
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("late", [False, True], ids=["at once", "in the last file"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_sentence_leaves_nothing_and_can_be_tried_again(
    server, mnist, tmp_path, monkeypatch, capfd, fault, late
):
    from torchvision import datasets

    monkeypatch.setattr(downloading, "_TIMEOUT", 0.3)
    server.fault, server.only = fault, "t10k-labels" if late else ""
    if fault == "gone":
        monkeypatch.setattr(datasets.MNIST, "mirrors", ["http://127.0.0.1:1/"])
    sentence = r"^MNIST did not arrive: .*; check the connection and try `tasklab data mnist` again$"
    with pytest.raises(DownloadError, match=sentence) as caught:
        list(download("mnist", tmp_path))
    assert "\n" not in str(caught.value)
    assert not late or fault == "gone" or len({path for path, _ in server.requests}) == 4
    assert not any(tmp_path.iterdir())
    assert not available("mnist", tmp_path)
    assert capfd.readouterr() == ("", "")

    server.fault = ""
    monkeypatch.setattr(datasets.MNIST, "mirrors", [server.url])
    list(download("mnist", tmp_path))
    assert_whole(tmp_path, mnist)


@pytest.mark.parametrize("ranges", [True, False], ids=["can resume", "cannot resume"])
def test_a_break_is_mended_in_the_same_call(server, mnist, tmp_path, ranges):
    server.fault, server.faults_left, server.ranges = "cut off", 1, ranges
    list(download("mnist", tmp_path))
    assert_whole(tmp_path, mnist)
    (first, none), (second, part) = server.requests[:2]
    assert (first, none) == (second, None)
    half = len(server.files["train-images-idx3-ubyte.gz"]) // 2
    assert part == f"bytes={half}-"


@pytest.mark.parametrize("fault", ["404", "cut off", "wrong bytes"])
def test_the_next_mirror_is_asked(server, mnist, tmp_path, monkeypatch, fault):
    from torchvision import datasets

    with running() as bad:
        bad.files, bad.fault = server.files, fault
        monkeypatch.setattr(datasets.MNIST, "mirrors", [bad.url, server.url])
        list(download("mnist", tmp_path))
    assert len(bad.requests) >= 4
    assert_whole(tmp_path, mnist)


def test_two_downloads_step_by_step_beside_each_other(server, mnist, tmp_path):
    first, second = download("mnist", tmp_path), download("mnist", tmp_path)
    next(first)
    for _ in second:
        next(first, None)
    assert list(first) == []
    assert_whole(tmp_path, mnist)


def test_two_processes_at_once(server, mnist, tmp_path):
    script = (
        "import json, sys; from torchvision import datasets; from tasklab.data import download; "
        "from tasklab.data.files import FILES, DataFile; given = json.load(sys.stdin); "
        "datasets.MNIST.mirrors, datasets.MNIST.resources = given['mirrors'], given['resources']; "
        "FILES['mnist'] = tuple(DataFile(**row) for row in given['rows']); "
        "print(list(download('mnist', given['root']))[-1].message)"
    )
    from torchvision import datasets

    rows = [vars(file) for file in FILES["mnist"]]
    given = {"mirrors": [server.url], "resources": datasets.MNIST.resources, "rows": rows, "root": str(tmp_path)}
    command = [sys.executable, "-c", script]
    pipe = subprocess.PIPE
    running = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, encoding="utf-8") for _ in range(2)]
    for process in running:
        process.stdin.write(json.dumps(given))
        process.stdin.close()
    for process in running:
        assert process.wait(timeout=120) == 0, process.stderr.read()
        assert process.stdout.read().startswith("MNIST is ")
        process.stdout.close()
        process.stderr.close()
    assert_whole(tmp_path, mnist)


def test_force_replaces_and_without_it_nothing_is_fetched_twice(server, mnist, tmp_path):
    list(download("mnist", tmp_path))
    before = len(server.requests)
    file = tmp_path / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    file.write_bytes(bytes(file.stat().st_size))
    assert [event.message for event in download("mnist", tmp_path)] == [f"MNIST is already in {tmp_path}"]
    assert len(server.requests) == before
    server.fault = "cut off"
    with pytest.raises(DownloadError):
        list(download("mnist", tmp_path, force=True))
    assert available("mnist", tmp_path)  # what was there is left alone until there is something better
    server.fault = ""
    list(download("mnist", tmp_path, force=True))
    assert_whole(tmp_path, mnist)


def test_a_half_set_is_completed(server, mnist, tmp_path):
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    (tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte").write_bytes(b"half")
    list(download("mnist", tmp_path))
    assert_whole(tmp_path, mnist)


def test_what_a_killed_process_left_is_swept_up_after_a_day(server, mnist, tmp_path):
    old, new = tmp_path / ".mnist-old", tmp_path / ".mnist-new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "part").write_bytes(b"1")
    os.utime(old, (time.time() - 90000,) * 2)
    list(download("mnist", tmp_path))
    assert not old.exists()
    assert new.exists()


def test_a_folder_that_cannot_be_written_and_a_full_disk(server, mnist, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(DownloadError, match="could not be written to"):
        list(download("mnist", tmp_path / "file"))
    usage = type("usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(DownloadError, match="MNIST needs 67 MB in"):
        list(download("mnist", tmp_path / "root"))
    assert server.requests == []


def test_cifar_comes_as_one_archive(server, tmp_path, monkeypatch):
    from torchvision import datasets

    members = {Path(file.path).name: file.path.encode() * 100 for file in FILES["cifar100"]}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(f"cifar-100-python/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    server.files = {"cifar-100-python.tar.gz": packed.getvalue()}
    monkeypatch.setattr(datasets.CIFAR100, "url", server.url + "cifar-100-python.tar.gz")
    monkeypatch.setattr(datasets.CIFAR100, "tgz_md5", md5(packed.getvalue()))

    with pytest.raises(DownloadError, match="does not hold the official files"):  # a good archive of the wrong files
        list(download("cifar100", tmp_path))
    assert not any(tmp_path.iterdir())

    rows = [DataFile(path=f"cifar-100-python/{name}", size=len(c), md5=md5(c)) for name, c in members.items()]
    monkeypatch.setitem(FILES, "cifar100", tuple(rows))
    list(download("cifar100", tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["cifar-100-python"]
    assert {path.name: path.read_bytes() for path in (tmp_path / "cifar-100-python").iterdir()} == members


def test_sets_without_a_download_and_unknown_names(tmp_path):
    for name, info in DATASETS.items():
        if not info.needs_download:
            assert available(name, tmp_path)
            assert len(list(download(name, tmp_path))) == 1
    with pytest.raises(ValueError, match="one of digits"):
        download("imagenet", tmp_path)
    assert not any(tmp_path.iterdir())
