"""The course: one list with the pages, a form that readers can rely on, copies that pass and fail where they should."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jupytext
import pytest
import torch

from tasklab.course import ALONE, COURSE, PAGES, notebooks
from tasklab.data import available
from tests.notebooks.copies import run
from tests.notebooks.wrong_answers import WRONG

ROOT = Path(__file__).parents[2]
NAMES = notebooks.names()
QUICK = {"FAST": True}


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_pages_and_notebooks_are_one_list() -> None:
    assert sorted(file.stem for file in notebooks.folder().glob("*.py")) == sorted(NAMES)
    assert {part.page for part in COURSE} == set(PAGES) - set(ALONE)
    assert sorted([*ALONE, *(part.page for part in COURSE if part.own)]) == sorted(PAGES)
    assert sorted(file.stem for file in (ROOT / "app" / "app_pages").glob("*.py")) == sorted(PAGES)


@pytest.mark.parametrize("name", NAMES)
def test_its_form(name: str) -> None:
    text = (notebooks.folder() / f"{name}.py").read_text(encoding="utf-8")
    copy = notebooks.read(name)
    code = [cell for cell in copy.cells if cell.cell_type == "code"]
    lines = [sum(bool(line.strip()) for line in cell.source.splitlines()) for cell in code]
    assert max(lines) <= 15, "a cell is longer than 15 lines of code"
    assert all(not cell.get("outputs") for cell in code)
    assert notebooks.tags(code[0]) == {"parameters"}
    assert {"FAST", "SEED", "DATA"} <= set(re.findall(r"^(\w+) = ", code[0].source, re.MULTILINE))
    kinds = [notebooks.tags(cell) for cell in copy.cells]
    assert sum("exercise" in tags for tags in kinds) >= 1
    assert sum("solution" in tags for tags in kinds) >= sum("exercise" in tags for tags in kinds)
    assert sum("check" in tags for tags in kinds) >= 2
    opening = copy.cells[0].source
    assert opening.startswith("# ") and "minutes" in opening and "you need" in opening
    part = next(part for part in COURSE if part.notebook == name)
    assert f"| {part.minutes} minutes |" in opening, "the list of the course says the same"
    assert ".link(" in text and (part.page == "start" or f'"{part.page}"' in text), "it leads to its page"
    again = jupytext.reads(jupytext.writes(copy, fmt="py:percent"), fmt="py:percent")
    assert [(c.cell_type, c.source, notebooks.tags(c)) for c in again.cells] == [
        (c.cell_type, c.source, notebooks.tags(c)) for c in copy.cells
    ], "jupytext's round trip"


@pytest.mark.data
@pytest.mark.parametrize("name", NAMES)
def test_a_teachers_copy_runs_to_its_end_on_mnist_too(name: str) -> None:
    if not os.environ.get("TASKLAB_DATA") or not available("mnist"):
        pytest.skip("needs mnist under TASKLAB_DATA")
    assert run(notebooks.build(name, "teacher", parameters=QUICK | {"DATA": "mnist"})) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_students_copy_refuses_what_is_wrong_says_why_and_takes_the_solution(name: str) -> None:
    """Each check refuses the empty exercise and every wrong answer, with a message that belongs to the mistake."""
    copy = notebooks.build(name, "student", parameters=QUICK)
    checks = [place for place, cell in enumerate(copy.cells) if "raises-exception" in notebooks.tags(cell)]
    wrong = WRONG[name]
    refusals: list[list[Exception | None]] = []
    right = _solutions(name)
    assert len(right) == len(wrong)
    attempts = [[*(answer for answer, _ in answers), solution] for answers, solution in zip(wrong, right, strict=True)]
    failures = run(copy, attempts, refusals)
    assert checks and [place for place, _ in failures] == checks
    assert len(wrong) == len(checks) and all(len(answers) >= 3 for answers in wrong), "three for each exercise"
    for number, (answers, errors, (_, empty)) in enumerate(zip(wrong, refusals, failures, strict=True), 1):
        assert isinstance(empty, AssertionError) and str(empty).startswith(f"Exercise {number}: ")
        assert errors[-1] is None, f"exercise {number} refuses its solution: {errors[-1]!r}"
        for (answer, words), error in zip(answers, errors[:-1], strict=True):
            assert isinstance(error, AssertionError), f"exercise {number}, {answer}: {error!r}"
            assert str(error).startswith(f"Exercise {number}: ") and words in str(error), f"{answer}: {error}"


def _solutions(name: str) -> list[str]:
    """The code of each exercise's solution, as far as a check follows it."""
    result, waiting = [], ""
    for cell in notebooks.read(name).cells:
        if "solution" in notebooks.tags(cell) and cell.cell_type == "code":
            waiting += cell.source + "\n"
        elif waiting and "check" in notebooks.tags(cell):
            result.append(waiting)
            waiting = ""
    return result


@pytest.mark.parametrize("name", NAMES)
def test_no_hint_holds_the_solution(name: str) -> None:
    text = ""
    for cell in notebooks.read(name).cells:
        if cell.cell_type == "markdown":
            text = cell.source
        elif "solution" in notebooks.tags(cell):
            hint = text.partition("*Hint.*")[2]
            assert hint, "every exercise has a hint"
            for statement in ast.walk(ast.parse(cell.source)):
                if isinstance(statement, ast.Return | ast.Assign) and isinstance(statement.value, ast.Call | ast.BinOp):
                    assert ast.unparse(statement.value) not in hint


@pytest.mark.parametrize("block", sorted({part.block for part in COURSE}))
def test_each_block_has_one_open_ended_exercise(block: int) -> None:
    texts = [notebooks.read(part.notebook) for part in COURSE if part.block == block]
    titles = re.findall(r"^## Exercise \d+ · Open-ended", "\n".join(c.source for t in texts for c in t.cells), re.M)
    assert len(titles) == 1


def test_built_files_run_in_a_kernel_and_show_figures(tmp_path: Path) -> None:
    import nbformat

    files = list(notebooks.write(tmp_path, "teacher", only=["00"], parameters=QUICK, execute=True))
    copy = nbformat.read(files[0], as_version=4)  # type: ignore[no-untyped-call]
    shown = {kind for cell in copy.cells for output in cell.get("outputs", ()) for kind in output.get("data", {})}
    assert "application/vnd.plotly.v1+json" in shown, "JupyterLab and VS Code draw this; Colab brings its own renderer"
    for cell in copy.cells:
        bundles = [output.get("data", {}) for output in cell.get("outputs", ())]
        if any("application/vnd.plotly.v1+json" in bundle for bundle in bundles):
            texts = [str(bundle.get("text/html", "")) for bundle in bundles]
            assert sum("This figure in words" in text for text in texts) == 1, cell.source


def test_the_web_page_that_nbconvert_makes_draws_its_figures_itself(tmp_path: Path) -> None:
    """By the command of the README."""
    words = r"`{3}\nPLOTLY_RENDERER=(\S+) jupyter (nbconvert --execute --to html) course/\*\.ipynb"
    match = re.search(words, (ROOT / "README.md").read_text(encoding="utf-8"))
    assert match is not None
    (file,) = notebooks.write(tmp_path, "student", only=["13"])
    subprocess.run([sys.executable, "-m", "jupyter", *match[2].split(), str(file)], check=True, capture_output=True,
                   env=os.environ | {"PLOTLY_RENDERER": match[1]})
    page = file.with_suffix(".html").read_text(encoding="utf-8")
    assert page.count("Plotly.newPlot(") == page.count("plotly.js v") == 1, "one figure, and the script that draws it"
    assert not re.search(r"<script[^>]* src=\"[^\"]*plotly", page), "it is in the page"


@pytest.mark.parametrize("spoiled", ["no such kernel", "a kernel whose Python is gone", "a kernel that dies"])
def test_a_missing_kernel_is_one_sentence(
    spoiled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = {"a kernel whose Python is gone": [str(tmp_path / "python")], "a kernel that dies": ["false"]}
    if spoiled in command:
        place = tmp_path / "kernels" / "gone"
        place.mkdir(parents=True)
        spec = {"argv": [*command[spoiled], "{connection_file}"], "display_name": "gone", "language": "python"}
        (place / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setattr(notebooks, "KERNEL", "gone")
    with pytest.raises(RuntimeError, match="00_tour: expected the Jupyter kernel 'gone' to start"):
        list(notebooks.write(tmp_path / "made", only=["00"], parameters=QUICK, execute=True))
    assert not list((tmp_path / "made").iterdir())


def test_an_unknown_notebook_is_one_sentence_and_no_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tasklab", "notebooks", "build", "99", "--student", "--to", str(tmp_path / "made")]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 1
    assert "expected a notebook among 00_tour" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "made").exists()


def test_the_spelling() -> None:
    tool = shutil.which("codespell") or str(Path(sys.executable).with_name("codespell"))
    places = ["notebooks", "README.md", "app", "tasklab", "pretrained/README.md"]
    skip, known = "*.json,*.safetensors,*.png,__pycache__,reveal.*,notes.js", "fpr,nd,te,worstcase"
    command = [tool, *places, "--skip", skip, "--ignore-words-list", known]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout
