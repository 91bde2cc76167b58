"""Copies on machines that are not the author's: the first cell installs tasklab, and links lead to where the app is."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tasklab.cli import main
from tasklab.course import notebooks
from tasklab.experiments.scenario import Scenario
from tests.notebooks.copies import run

ROOT = Path(__file__).parents[2]
WHEEL = "https://example.edu/it's-here/tasklab-1.0-py3-none-any.whl"


def opening(source: str) -> str:
    """The first cell of a copy."""
    return str(notebooks.build("13", source=source).cells[0].source)


def test_the_first_cell_installs_where_tasklab_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """That it really does so is tested from a wheel, in `tests/browser/test_installed_browser.py`."""
    calls: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda words, **_: calls.append(words))
    exec(opening(WHEEL), {})
    assert calls == [], "where it is there, nothing is installed"
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    exec(opening(WHEEL), {})
    assert calls == [[sys.executable, "-m", "pip", "install", "--quiet", WHEEL]]
    with pytest.raises(ModuleNotFoundError, match="expected tasklab to be installed; try SOURCE"):
        exec(opening(""), {})


def test_links_lead_to_the_address_in_one_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TASKLAB_APP", raising=False)
    assert Scenario().link("draw").startswith("http://localhost:8501/draw")
    monkeypatch.setenv("TASKLAB_APP", "https://hub.example.edu/user/ann/proxy/8501/")
    assert Scenario(eps=0.1).link("draw") == "https://hub.example.edu/user/ann/proxy/8501/draw?eps=0.1"
    assert Scenario(eps=0.1).link("draw", base=".") == "./draw?eps=0.1", "pages link to their neighbours as before"


@pytest.mark.parametrize("name", ["01", "13"])
def test_every_link_of_a_notebook_follows_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKLAB_APP", "https://lab.example.edu")
    links: list[str] = []
    monkeypatch.setattr(Scenario, "link", _noted(Scenario.link, links))
    assert run(notebooks.build(name, "teacher", parameters={"FAST": True})) == []
    assert links and all(link.startswith("https://lab.example.edu/") for link in links)


@pytest.mark.parametrize("words", [("--nbgrader", "--execute"), ("--slides", "--install", WHEEL)])
def test_options_that_do_nothing_together_are_refused(words: tuple[str, ...], tmp_path: Path) -> None:
    assert main(["notebooks", "build", "13", *words, "--to", str(tmp_path / "made")]) == 2
    assert not (tmp_path / "made").exists()


def test_no_notebook_has_an_address_of_its_own() -> None:
    for name in notebooks.names():
        assert "localhost" not in (notebooks.folder() / f"{name}.py").read_text(encoding="utf-8")


def test_the_environment_file_names_what_is_there() -> None:
    lines = (ROOT / ".binder" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert "-e .[notebooks]" in lines
    for name in ("postBuild", "start"):
        file = ROOT / ".binder" / name
        assert file.stat().st_mode & 0o111, "it is run"
        assert subprocess.run(["bash", "-n", str(file)], check=False).returncode == 0


def _noted(link: object, links: list[str]) -> object:
    def noting(self: Scenario, page: str = "attack_lab", base: str | None = None) -> str:
        links.append(link(self, page, base))  # type: ignore[operator]
        return links[-1]

    return noting
