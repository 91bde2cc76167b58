"""The app's own configuration, which Streamlit's `AppTest` does not read."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from streamlit import config

from tasklab import zoo
from tests.app.visitors import patient as patient
from tests.systems import small_zoo

SETTINGS = tomllib.loads((Path(__file__).parents[2] / "app" / ".streamlit" / "config.toml").read_text(encoding="utf-8"))


@pytest.fixture(autouse=True, scope="session")
def _configured() -> None:
    """Scripts run as they do in the app, where a bare string in a page is not written onto it."""
    for section in ("global", "runner"):
        for name, value in SETTINGS[section].items():
            config.set_option(f"{section}.{name}", value)


@pytest.fixture
def digits_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Only the small zoo, whatever is shipped; no data but digits; threads given back."""
    monkeypatch.setenv("TASKLAB_ZOO", str(small_zoo().folder))
    monkeypatch.setattr(zoo, "folder", lambda: tmp_path / "nothing shipped")
    monkeypatch.setenv("TASKLAB_DATA", str(tmp_path / "no data"))
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
