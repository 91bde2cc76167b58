"""The server as `streamlit run app` starts it: for this machine alone, and under no other site's name."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HANDSHAKE = ("GET {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nUpgrade: websocket\r\n"
             "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
HOME = ("localhost", "LOCALHOST", "localhost:{port}", "127.0.0.1:{port}", "[::1]:{port}", "192.168.1.20:{port}",
        "10.0.0.255")
FOREIGN = ("evil.example", "evil.example:{port}", "localhost.evil.example", "127.0.0.1.evil.example:{port}", "1.evil",
           "user@evil.example", "evil.example#.1", "")


@contextlib.contextmanager
def started(folder: Path, *options: str) -> Iterator[int]:
    """The port of a server with the app's own settings, started from another folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app"), "--server.port", str(port),
               "--server.headless", "true", *options]
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    server = subprocess.Popen(command, cwd=folder, env=os.environ | {"PYTHONPATH": paths}, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 180
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 2):
                break
            assert server.poll() is None and time.monotonic() < end, "it never came up"
            time.sleep(0.1)
        yield port
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with started(tmp_path_factory.mktemp("elsewhere")) as result:
        yield result


def answer(port: int, host: str) -> str:
    """The first line of the answer to somebody who opens the app under a name."""
    asked = HANDSHAKE.format(path="/_stcore/stream", host=host.format(port=port))
    with socket.create_connection(("127.0.0.1", port), 60) as line:
        line.sendall(asked.encode())
        return line.recv(200).split(b"\r\n")[0].decode()


@pytest.mark.parametrize("host", HOME)
def test_it_answers_under_its_own_names(host: str, port: int) -> None:
    assert answer(port, host) == "HTTP/1.1 101 Switching Protocols"


@pytest.mark.parametrize("host", FOREIGN)
def test_a_page_of_another_name_does_not_reach_it(host: str, port: int) -> None:
    assert answer(port, host).split()[1] in ("400", "403")


def test_a_name_is_let_in_by_one_setting(tmp_path: Path) -> None:
    with started(tmp_path, "--server.allowedHosts", "hub.example.edu") as port:
        assert answer(port, "hub.example.edu").split()[1] == "101"
        assert answer(port, "evil.example").split()[1] == "403"


def test_it_listens_to_this_machine_alone(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent: it tells which address would be used
        except OSError:
            pytest.skip("this machine has no other address")
        address = probe.getsockname()[0]
    if address.startswith("127."):
        pytest.skip("this machine has no other address")
    with pytest.raises(OSError, match=r"refused|timed out|unreachable"):
        socket.create_connection((address, port), 5).close()
