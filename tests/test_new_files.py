"""The three usual additions to a copy of the project: a task is one file, an attack one, a page three, and no more."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

TASK = '''"""TRA under another name."""

from typing import ClassVar

from tasklab.tasks.base import register
from tasklab.tasks.tra import TRA


@register
class Echo(TRA):
    """Each class has a score, and the largest wins."""

    name: ClassVar[str] = "echo"
    title: ClassVar[str] = "Echo"
    long_name: ClassVar[str] = "an echo of TRA"
    rank: ClassVar[int] = 9
'''

SEE_TASK = """
from tasklab.jobs.training import Training
from tasklab.tasks import TASKS, make_task
assert list(TASKS)[-1] == "echo" and "echo" in Training(task=make_task("echo")).command()
at = AppTest.from_file("app/streamlit_app.py", default_timeout=120)
at.switch_page("app_pages/train.py").run()
assert "Echo" in str(at.selectbox(key="train_task").options), at.selectbox(key="train_task").options
"""

SEE_ATTACK = """
from tasklab.attacks import ATTACKS
from tasklab.experiments.scenario import Scenario
from tasklab.cli import main
assert list(ATTACKS)[-1] == "Momentum"
assert "from tasklab.attacks.momentum import Momentum" in Scenario(attack="Momentum").to_code()
assert main(["attack", "digits-tra", "--attack", "momentum", "--n", "2", "--steps", "2"]) == 0
at = AppTest.from_file("app/streamlit_app.py", default_timeout=120)
at.query_params["attack"], at.query_params["steps"] = "Momentum", "2"
at.switch_page("app_pages/attack_lab.py").run()
assert not at.exception and at.selectbox(key="attack").value == "Momentum"
assert ATTACKS["Momentum"].note in [caption.value for caption in at.sidebar.caption]
"""

PAGE = '''"""The page “Hello”."""

from lab_ui.shell import frame

lab = frame.open_page("hello", bar=())
frame.headline("Hello", "A page of its own.")
'''

NOTEBOOK = """# %% [markdown]
# # Hello
"""

SEE_PAGE = """
from tasklab.course import notebooks
assert notebooks.names()[-1] == "12_hello" and notebooks.read("12_hello").cells[0].source == "# Hello"
at = AppTest.from_file("app/streamlit_app.py", default_timeout=120).run()
assert "Say hello." in [text.value for text in at.markdown], "the start page links to it"
at.switch_page("app_pages/hello.py").run()
assert not at.exception, at.exception
assert any("A page of its own." in html.proto.body for html in at.main.get("html"))
"""


def course() -> str:
    """The list of the course with the page and its notebook."""
    text = (ROOT / "tasklab/course/parts.py").read_text(encoding="utf-8")
    part = '    Part(notebook="12_hello", block=3, minutes=5, page="hello", title="Hello"),\n'
    text = text.replace(')\n"""All parts', f'{part})\n"""All parts')
    return text.replace('}\n"""Slug of each page, in', '    "hello": "Say hello.",\n}\n"""Slug of each page, in')


ADDITIONS = {
    "task": ({"tasklab/tasks/echo.py": TASK}, SEE_TASK),
    "attack": ({"tasklab/attacks/momentum.py": (ROOT / "tests/attacks/momentum.py").read_text(encoding="utf-8")},
               SEE_ATTACK),
    "page": ({"app/app_pages/hello.py": PAGE, "notebooks/12_hello.py": NOTEBOOK, "tasklab/course/parts.py": course()},
             SEE_PAGE),
}


@pytest.mark.parametrize("what", ADDITIONS)
def test_an_addition_is_found_everywhere(what: str, tmp_path: Path) -> None:
    for folder in ("tasklab", "app", "notebooks"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    files, see = ADDITIONS[what]
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", f"from streamlit.testing.v1 import AppTest\n{see}"], cwd=tmp_path, capture_output=True,
        encoding="utf-8", env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{tmp_path / 'app'}",
                                            "TASKLAB_ZOO": str(ROOT / "pretrained")},
    )
    assert done.returncode == 0, done.stderr[-3000:]
