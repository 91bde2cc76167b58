"""The house: imports point down, heavy things stay where they are used, nothing is half built, the README is true."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import tasklab
from tasklab.attacks import ATTACKS
from tasklab.codecs import Codec
from tasklab.tasks import Task
from tests.text_files import guesses

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "tasklab").rglob("*.py"))
APP = sorted((ROOT / "app").rglob("*.py"))
FLOORS = {
    "checks": 0, "console": 0, "files": 0, "inputs": 0, "leftovers": 0, "lock": 0, "modes": 0, "strict_json": 0,
    "text": 0, "version": 0,
    "header": 1, "card": 1, "codecs": 1, "models": 1, "data": 1, "losses": 2, "tasks": 3, "checkpoint": 3,
    "system": 4, "attacks": 5, "zoo": 5, "curves": 5, "embedding": 5, "evaluation": 6, "training": 6, "experiments": 6,
    "figures": 7, "jobs": 7, "course": 8, "paper": 8, "reference": 8, "cli": 9, "__main__": 10, "__init__": 10,
}
PACKAGES = sorted(path.parent.name for path in (ROOT / "tasklab").glob("*/__init__.py"))
APP_FLOORS = {"basics": 0, "visitor": 1, "parts": 1, "results": 2, "shell": 3, "panels": 4}


def imports(path: Path) -> list[str]:
    """Modules of tasklab and others that a file imports anywhere, type checking aside."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def run_python(code: str) -> str:
    """What it prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True).stdout


def room(path: Path) -> str:
    """Of a file in tasklab, or below app/lab_ui."""
    base = ROOT / ("tasklab" if path.is_relative_to(ROOT / "tasklab") else "app/lab_ui")
    return path.relative_to(base).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    for name in imports(path):
        if name.startswith("tasklab."):
            other = name.split(".")[1]
            assert other in FLOORS or not (ROOT / "tasklab" / other).exists(), f"{other} has no floor"
            assert FLOORS.get(other, 0) <= FLOORS[room(path)], f"{path.name} imports {name}, a floor above"
        assert name.split(".")[0] not in ("streamlit", "lab_ui", "app_pages"), f"{path.name} imports {name}"


@pytest.mark.parametrize("path", APP, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_app_s_imports_point_down(path: Path) -> None:
    """Pages stand on panels, these on the shell, and so on; no page imports another, and a room is known or fails."""
    inside = path.is_relative_to(ROOT / "app" / "lab_ui") and path.parent.name != "lab_ui"
    floor = APP_FLOORS[room(path)] if inside else max(APP_FLOORS.values()) + 1
    for name in imports(path):
        assert not name.startswith("app_pages"), f"{path.name} imports a page"
        if name.startswith("lab_ui."):
            other = name.split(".")[1]
            assert APP_FLOORS[other] < floor or (inside and other == room(path)), f"{path.name} imports {name}"


def test_notebooks_know_the_library_alone() -> None:
    for path in sorted((ROOT / "notebooks").glob("*.py")):
        assert not [name for name in imports(path) if name.split(".")[0] in ("streamlit", "lab_ui", "tests")], path.name


@pytest.mark.parametrize("base", ["tasklab", "app/lab_ui"])
def test_no_two_rooms_import_each_other(base: str) -> None:
    """Not even on one floor, and not even by a third."""
    package = base.split("/")[-1]
    graph: dict[str, set[str]] = {}
    for path in (ROOT / base).rglob("*.py"):
        if path.parent == ROOT / base and path.stem in ("__init__", "__main__"):
            continue
        here = graph.setdefault(room(path), set())
        here |= {name.split(".")[1] for name in imports(path) if name.startswith(f"{package}.")} - {room(path)}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"rooms import each other: {error.args[1]}")


@pytest.mark.parametrize("path", SOURCES + APP, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_file_is_too_long_and_nothing_is_unfinished(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400
    assert not re.search(r"\b(TODO|FIXME|XXX)\b|torch\.load|torch\.save\(|import pickle", text)


@pytest.mark.parametrize("path", SOURCES + APP, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_local_variable_is_called_what_it_holds(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    bound = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    assert not {"said", "told", "these", "near"} & bound
    assert "found" not in bound or path.name == "known_examples.py"  # there it counts what an attack found


def asked_kinds(path: Path, kinds: set[str]) -> list[str]:
    """Where a file asks which task it has: by ``isinstance``, ``issubclass``, ``type(…) is`` or a class pattern."""
    results = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        asked: list[ast.AST] = []
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass"):
            asked = node.args[1:]
        elif isinstance(node, ast.Compare) and "type(" in ast.unparse(node):
            asked = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchClass):
            asked = [node.cls]
        names = {part.id if isinstance(part, ast.Name) else part.attr for each in asked for part in ast.walk(each)
                 if isinstance(part, ast.Name | ast.Attribute)}
        results += [f"{path.name}:{node.lineno} {name}" for name in sorted(names & kinds)]  # type: ignore[attr-defined]
    return results


def test_no_room_above_the_tasks_asks_which_task_it_has() -> None:
    """A new task is one file: what others must know of a task, the task tells them."""
    every = descendants(Task) | descendants(Codec)
    kinds = {kind.__name__ for kind in every if kind.__module__.startswith("tasklab")}
    assert {"TRA", "INT", "ECOC", "Bits", "Argmax", "NearestCodeword"} <= kinds
    rooms = [path for path in SOURCES if room(path) not in ("codecs", "losses", "tasks")] + APP
    assert [place for path in rooms for place in asked_kinds(path, kinds)] == []


def test_no_room_above_the_attacks_asks_which_attack_it_has() -> None:
    """PGD aside, whose claims are checked against its own variations and whose steps are drawn."""
    kinds = set(ATTACKS) - {"PGD"}
    rooms = [path for path in SOURCES if room(path) != "attacks"] + APP
    assert [place for path in rooms for place in asked_kinds(path, kinds)] == []


def test_asking_for_a_task_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(
        "isinstance(task.codec, codecs.Binary | Interval)\ntype(task) is RBC\n"
        "match task:\n    case INT():\n        pass\n",
        encoding="utf-8",
    )
    result = asked_kinds(tmp_path / "bad.py", {"Binary", "Interval", "RBC", "INT"})
    assert sorted(place.split()[1] for place in result) == ["Binary", "INT", "Interval", "RBC"]


def descendants(kind: type) -> set[type]:
    """All classes below one."""
    return {kind, *(deep for each in kind.__subclasses__() for deep in descendants(each))} - {Task, Codec}


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


def test_help_imports_nothing_heavy() -> None:
    heavy = ("torch", "torchvision", "plotly", "sklearn", "pandas", "streamlit")
    code = f"import sys; from tasklab.cli import parser; parser().format_help(); " \
           f"print([m for m in {heavy} if m in sys.modules])"
    assert run_python(code) == "[]\n"


def test_attacks_and_training_need_torch_alone() -> None:
    heavy = ("torchvision", "plotly", "sklearn", "openTSNE", "pandas", "streamlit")
    rooms = "tasklab.training, tasklab.evaluation, tasklab.zoo"
    code = f"import {rooms}, sys; print([m for m in {heavy} if m in sys.modules])"
    assert run_python(code) == "[]\n"


def test_every_public_name_is_there_documented_and_they_are_few() -> None:
    assert len(tasklab.__all__) < 40
    for name in tasklab.__all__:
        result = getattr(tasklab, name)
        assert isinstance(result, int) or result.__doc__, name


def test_readme_has_two_commands_and_python_that_runs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.count("pip install") == 2
    first = re.search(r"```python\n(.*?)```", readme, re.DOTALL)
    assert first
    printed = run_python(first.group(1))
    (_, own, zero), (_, margin, none) = (line.split() for line in printed.splitlines())
    assert float(own) > float(margin) + 0.2, "the README says that the training loss leaves what the margin breaks"
    assert float(zero) > 0.1
    assert float(none) == 0


@pytest.mark.parametrize("package", PACKAGES)
def test_no_name_that_a_package_hands_on_hides_one_of_its_modules(package: str) -> None:
    """Otherwise what `tasklab.training.fit` is depends on what was imported before."""
    inside = {entry.name for entry in pkgutil.iter_modules([str(ROOT / "tasklab" / package)])}
    assert not inside & set(getattr(importlib.import_module(f"tasklab.{package}"), "__all__", ()))


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_hands_on_few_names_and_all_of_them_are_there(package: str) -> None:
    """Those that an outsider needs; whoever works inside imports from the modules."""
    module = importlib.import_module(f"tasklab.{package}")
    names = getattr(module, "__all__", [])
    assert len(names) <= 25
    assert sorted(set(names)) == sorted(names)
    assert all(hasattr(module, name) for name in names)
