"""The start page: recorded answers that are the library's, a lesson, and no torch."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from pathlib import Path

from streamlit.testing.v1 import AppTest

from lab_ui import opening

ROOT = Path(__file__).parents[2]
APP = ROOT / "app" / "streamlit_app.py"


def page(at: AppTest) -> str:
    assert not at.exception
    return "".join(e.proto.body for e in at.main.get("html"))


def start(**query: str) -> AppTest:
    at = AppTest.from_file(str(APP), default_timeout=120)
    for key, value in query.items():
        at.query_params[key] = value
    return at.run()


def test_what_is_recorded_is_what_the_library_says() -> None:
    assert opening.record() == opening.read()


def test_the_first_view_shows_four_systems_that_read_four_other_things() -> None:
    text = page(start())
    answers = [system["margin"]["decoded"] for system in opening.read()["systems"]]
    assert opening.read()["label"] not in answers
    assert len(set(answers)) == 4
    assert text.count('class="lab-chip') == 4
    assert 'class="lab-chip lab-abnormal"' in text


def test_on_the_training_loss_two_are_not_moved() -> None:
    text = page(start(start_aim="an attack on the training loss"))
    assert text.count("Gradient exactly zero") == 2
    assert "Unbreakable?" in text


def test_the_lesson_sets_the_scene() -> None:
    at = start()
    for aim in ("none", "train", "margin", "margin"):
        at.button(key="start_next").click().run()
        assert at.segmented_control(key="start_aim").value == aim
    assert at.button(key="start_next").disabled


def test_its_code_gives_its_answers() -> None:
    at = start()
    space: dict[str, object] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(at.code[0].value, space)
    told = {(system["name"], aim): system[aim]["decoded"] for system in opening.read()["systems"]
            for aim in ("train", "margin")}
    assert space["decoded"] == told


def test_it_needs_no_torch() -> None:
    code = (f"import sys; from streamlit.testing.v1 import AppTest; sys.path.insert(0, {str(ROOT / 'app')!r})\n"
            f"at = AppTest.from_file({str(APP)!r}, default_timeout=120).run()\n"
            "assert not at.exception\n"
            "print([name for name in ('torch', 'torchvision', 'sklearn') if name in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
