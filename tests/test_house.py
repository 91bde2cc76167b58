"""The house: imports point down, heavy things stay where they are used, nothing is half built, the README is true."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tasklab
from tests.text_files import guesses

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "tasklab").rglob("*.py"))
FLOORS = {
    "checks": 0, "files": 0, "inputs": 0, "leftovers": 0, "lock": 0, "modes": 0, "strict_json": 0, "text": 0,
    "header": 1, "card": 1, "codecs": 1, "models": 1, "data": 1, "losses": 2, "tasks": 3, "system": 4,
    "checkpoint": 4, "attacks": 5, "zoo": 5, "embedding": 5, "evaluation": 6, "training": 6, "experiments": 6,
    "figures": 7, "jobs": 7, "course": 8, "cli": 9, "__main__": 10, "__init__": 10,
}


def imports(path: Path) -> list[str]:
    """Modules of tasklab and others that a file imports anywhere, type checking aside."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def run_python(code: str) -> str:
    """What it prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True).stdout


def room(path: Path) -> str:
    return path.relative_to(ROOT / "tasklab").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    for name in imports(path):
        if name.startswith("tasklab."):
            other = name.split(".")[1]
            assert FLOORS.get(other, 0) <= FLOORS[room(path)], f"{path.name} imports {name}, a floor above"
        assert not name.startswith("streamlit"), f"{path.name} imports streamlit"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_file_is_too_long_and_nothing_is_unfinished(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400
    assert not re.search(r"\b(TODO|FIXME|XXX)\b|torch\.load|torch\.save\(|import pickle", text)


def test_every_text_names_its_encoding() -> None:
    written = [path for folder in ("tasklab", "app", "notebooks", "tests") for path in (ROOT / folder).rglob("*.py")]
    assert {str(path.relative_to(ROOT)): lines for path in written if (lines := guesses(path))} == {}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_alone_writes_text(path: Path) -> None:
    """What is written elsewhere could be left half-written under its final name."""
    calls = [ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
             if isinstance(node, ast.Call)]
    assert not [call for call in calls if call.endswith(".write_text") and call != "files.write_text"]


def test_importing_tasklab_imports_nothing_heavy() -> None:
    heavy = ("torch", "torchvision", "plotly", "sklearn", "openTSNE", "pandas", "streamlit")
    code = f"import tasklab, sys; print([m for m in {heavy} if m in sys.modules])"
    assert run_python(code) == "[]\n"


def test_attacks_and_training_need_torch_alone() -> None:
    heavy = ("torchvision", "plotly", "sklearn", "openTSNE", "pandas", "streamlit")
    rooms = "tasklab.training, tasklab.evaluation, tasklab.zoo"
    code = f"import {rooms}, sys; print([m for m in {heavy} if m in sys.modules])"
    assert run_python(code) == "[]\n"


def test_every_public_name_is_there_documented_and_they_are_few() -> None:
    assert len(tasklab.__all__) < 40
    for name in tasklab.__all__:
        found = getattr(tasklab, name)
        assert isinstance(found, int) or found.__doc__, name


def test_readme_has_two_commands_and_python_that_runs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.count("pip install") == 2
    first = re.search(r"```python\n(.*?)```", readme, re.DOTALL)
    assert first
    printed = run_python(first.group(1))
    (_, own, zero), (_, margin, none) = (line.split() for line in printed.splitlines())
    assert float(own) > float(margin) + 0.2, "the README says that the own loss leaves what the margin breaks"
    assert float(zero) > 0.1
    assert float(none) == 0
