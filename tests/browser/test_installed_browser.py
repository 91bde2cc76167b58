"""An installed wheel, in an environment of its own: the app, started for a room, and the course's copies and slides."""

from __future__ import annotations

import json
import os
import re
import shutil
import site
import socket
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.serving import settled
from tests.browser.visiting import Visit

ROOT = Path(__file__).parents[2]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
OFFLINE = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "PIP_NO_INDEX": "1"}
"""Whoever asks the network for anything gets no answer."""


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command `tasklab` of an environment into which nothing but the wheel was installed.

    Everything that the wheel depends on is taken from the environment that runs this test.
    """
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    source.mkdir()
    for name in ("tasklab", "app", "notebooks", "pretrained"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    world = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | OFFLINE
    subprocess.run([*PIP, "wheel", "--no-build-isolation", "--no-deps", "-w", str(folder), str(source)], check=True,
                   env=world)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv")
    places = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    subprocess.run([*PIP[:3], "--python", str(folder / "venv"), *PIP[3:], "install", "--no-deps", str(wheel)],
                   check=True, env=world)
    (packages,) = (folder / "venv").rglob("site-packages")
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()), encoding="utf-8")
    shutil.rmtree(source)
    return places / "tasklab"


@pytest.fixture(scope="module")
def room(command: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address that the command prints for the room."""
    folder = tmp_path_factory.mktemp("room")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    world = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | OFFLINE
    world |= {"STREAMLIT_SERVER_HEADLESS": "true", "TASKLAB_JOBS": str(folder / "jobs")}
    (folder / "sets").mkdir()
    words = [str(command), "app", "--port", str(port), "--public", "--data", str(folder / "sets")]
    server = subprocess.Popen(words, cwd=folder, env=world, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              encoding="utf-8")
    try:
        assert server.stdout is not None
        for line in server.stdout:
            if address := re.search(rf"by typing: +(http://[\d.]+:{port})$", line.rstrip()):
                break
        else:
            pytest.fail("it ended without an address")
        for line in server.stdout:  # Streamlit's own word that it listens
            if address[1] in line:
                break
        yield address[1]
    finally:
        server.terminate()
        try:
            assert server.wait(20) == 0, "it ends when it is asked to"
        finally:
            server.kill()
            server.wait()


def test_it_holds_the_whole_app_and_what_the_app_reads(command: Path) -> None:
    (inside,) = command.parents[1].rglob("site-packages/tasklab")
    for folder, name in (("app", "_app"), ("pretrained", "_pretrained"), ("notebooks", "_notebooks")):
        for file in (ROOT / folder).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts and file.name != "attack_lab.png":
                assert (inside / name / file.relative_to(ROOT / folder)).read_bytes() == file.read_bytes(), file


def test_it_builds_every_kind_of_copy_of_the_course(command: Path, tmp_path: Path) -> None:
    world = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | OFFLINE
    world["JUPYTER_PATH"] = str(Path(sys.prefix) / "share" / "jupyter")  # nbconvert's own templates
    expected = {
        "student": {"13_which_system.ipynb"}, "teacher": {"13_which_system.ipynb"},
        "instructor": {"instructor.md", "13_which_system.ipynb"},
        "nbgrader": {"nbgrader_config.py", "13_which_system.ipynb"}, "slides": {"session_03.slides.html"},
    }
    for kind, names in expected.items():
        words = [str(command), "notebooks", "build", "03" if kind == "slides" else "13", f"--{kind}", "--fast"]
        done = subprocess.run([*words, "--to", str(tmp_path / kind)], capture_output=True, encoding="utf-8", env=world,
                              cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stderr
        assert {Path(line).name for line in done.stdout.splitlines()} == names
    assert "class=\"figure\"" in (tmp_path / "slides" / "session_03.slides.html").read_text(encoding="utf-8")
    assert (tmp_path / "slides" / "assets" / "reveal.js").is_file()


def test_the_first_cell_of_a_copy_installs_the_wheel(command: Path, tmp_path: Path) -> None:
    """In an environment that has pip and nothing else; what the wheel depends on is left out: there is no network."""
    (wheel,) = command.parents[2].glob("*.whl")
    venv.create(tmp_path / "bare", with_pip=True)
    python = tmp_path / "bare" / command.parent.name / "python"
    words = [str(command), "notebooks", "build", "13", "--install", str(wheel), "--to", str(tmp_path)]
    subprocess.run(words, check=True, capture_output=True)
    copy = json.loads((tmp_path / "13_which_system.ipynb").read_text(encoding="utf-8"))
    installing, figures = "".join(copy["cells"][0]["source"]).split("\nfrom tasklab", 1)
    assert "show_figures()" in figures, "which needs plotly"
    world = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    code = f"{installing}\nfrom tasklab.course import notebooks\nprint(notebooks.names()[0], notebooks.__file__)"
    done = subprocess.run([str(python), "-c", code], capture_output=True, encoding="utf-8", check=False, cwd=tmp_path,
                          env=world | OFFLINE | {"PIP_NO_DEPS": "1"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith(f"00_tour {tmp_path / 'bare'}")


def test_it_opens_for_the_room_and_its_jobs_run(room: str, browser: Any) -> None:
    tab = Visit(browser, room)
    try:
        for page, words in (("paper", "PGD III"), ("attack_lab?data=mnist", "MNIST is not on this machine yet")):
            tab.page.goto(f"{room}/{page}")
            settled(tab.page)
            tab.page.get_by_text(words).first.wait_for()
        tab.page.goto(f"{room}/train?train_epochs=1&train_n_digits=200")
        settled(tab.page)
        tab.page.get_by_role("button", name="▶ Train").click()
        tab.page.get_by_role("button", name="Attack it").first.wait_for()
        assert tab.errors == [] and tab.elsewhere == []
    finally:
        tab.close()
