"""`tasklab app` refuses what cannot be served, before it serves; that it does serve is tested from a wheel."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tasklab.cli import app, main


@pytest.fixture(autouse=True)
def _nothing_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object, **__: object) -> None:
        raise AssertionError("the server was started")

    monkeypatch.setattr("runpy.run_module", run)
    monkeypatch.setattr("sys.argv", [])


def test_a_port_that_is_taken_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("localhost", 0))
        other.listen()
        port = other.getsockname()[1]
        assert main(["app", "--port", str(port)]) == 1
    assert capsys.readouterr().err == (
        f"tasklab: expected a free port, got {port}, which another program uses; try --port {port + 1}\n")


def test_without_a_port_the_first_free_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("localhost", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setattr(app, "FIRST_PORT", port)
        monkeypatch.setattr(app, "LAST_PORT", min(port + 20, 65_535))
        assert port < app._port(None, "localhost") <= port + 20
        monkeypatch.setattr(app, "LAST_PORT", port)
        with pytest.raises(ValueError, match=r"expected a free port in \d+\.\.\d+, got none"):
            app._port(None, "localhost")


def test_the_app_is_there() -> None:
    assert (app.folder() / "streamlit_app.py").is_file()
    assert (app.folder() / ".streamlit" / "config.toml").is_file()
    assert Path(app.folder() / "lab_ui").is_dir()
