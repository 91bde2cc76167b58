"""The drawing page's script: examples, drawings, uploads of every kind, and what the systems make of them."""

from __future__ import annotations

import contextlib
import doctest
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

import lab_ui.parts.drawing_pad
import lab_ui.results.drawn_picture
from tasklab import zoo
from tasklab.data import digit_strokes, draw_strokes
from tests.app.live_parts import cells, refusals, shipped, snippet, stop
from tests.app.visitors import clean, sentences, visit

FOUR = ("tra", "deepbe", "int", "rbc")


@pytest.fixture(autouse=True)
def _own_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The shipped systems, and no data but digits; threads given back."""
    monkeypatch.delenv("TASKLAB_ZOO", raising=False)
    monkeypatch.setenv("TASKLAB_DATA", str(tmp_path / "no data"))
    mount = lab_ui.parts.drawing_pad._pad

    def pad(**settings: Any) -> dict[str, Any]:
        mount(**settings)
        return {"drawn": st.session_state.get("draw_said")}

    monkeypatch.setattr(lab_ui.parts.drawing_pad, "_pad", pad)  # what a browser would send
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def start(**query: str | list[str]) -> AppTest:
    return visit("draw", **{"steps": "5"} | query)


def bodies(at: AppTest) -> str:
    return "\n".join(e.proto.body for e in at.main.get("html") if hasattr(e.proto, "body"))


def verdicts(at: AppTest) -> dict[str, list[int]]:
    """By aim, what each cell of the scene says was read at the page's ε."""
    scene = shipped(at, "scene")
    assert scene is not None
    results: dict[str, list[int]] = {}
    for aim, cell in cells(scene):
        results.setdefault(aim, []).append(cell["decoded"][stop(scene)])
    return results


def execute(at: AppTest) -> dict[tuple[str, str], int]:
    space: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(snippet(at), "snippet", "exec"), space)
    return space["decoded"]


def png(page: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(page).save(file, "PNG")
    return file.getvalue()


def upload(name: str, content: bytes, **query: str) -> AppTest:
    at = start(draw_from="upload", **query)
    return clean(at.file_uploader(key="draw_file").set_value((name, content, "image/png")).run())


def drawn(at: AppTest, strokes: Any, **more: Any) -> AppTest:
    """As if a browser had sent these strokes."""
    token = (shipped(at, "pad") or {})["token"]
    at.session_state["draw_said"] = {"token": token, "brush": 0.1, "strokes": strokes} | more
    return clean(at.run())


@pytest.mark.parametrize("dataset", ["digits", "mnist"])
def test_the_first_view_reads_and_attacks_an_example(dataset: str) -> None:
    """Also where MNIST is not on the machine: its systems are."""
    at = start(data=dataset, steps="10")
    every = len(zoo.names("digits")) + len(zoo.names("mnist"))
    assert f"<b>{every} of {every}</b> systems read it as a <b>2</b>" in bodies(at)
    assert bodies(at).count('<figure><img src="data:image/png') == 2, "as either data set has it"
    result = verdicts(at)
    assert result["train"][2:] == [2, 2], "INT and RBC have no gradient"
    assert all(label != 2 for label in result["train"][:2] + result["margin"])


@pytest.mark.parametrize("query", [
    {}, {"draw_example": "3", "eps": "0.1"}, {"data": "mnist", "attack": "FGSM"}, {"target": "8", "draw_example": "5"},
    {"systems": ["int", "rbc"], "up": "true", "draw_label": "4"},
])
def test_the_snippet_says_what_the_page_says(query: dict[str, str | list[str]]) -> None:
    at = start(**query)
    result = execute(at)
    assert list(result.values()) == [label for row in verdicts(at).values() for label in row]


def test_what_is_drawn_is_read() -> None:
    at = start()
    at = drawn(at, digit_strokes(0))
    assert "systems read it as a <b>0</b>" in bodies(at)
    assert list(execute(at).values()) == [label for row in verdicts(at).values() for label in row]
    at = drawn(at, [])
    assert any("Nothing is drawn yet" in s for s in sentences(at))
    assert shipped(at, "scene") is None
    clean(at.segmented_control(key="draw_example").set_value(3).run())
    assert "systems read it as a <b>3</b>" in bodies(at), "what was drawn before belongs to another turn"
    clean(at.segmented_control(key="draw_example").set_value(None).run())
    assert any("Nothing is drawn yet" in s for s in sentences(at))


@pytest.mark.parametrize("text", [
    {"strokes": "x"}, {"strokes": [[[2, 2]]]}, {"strokes": [[]]}, {"strokes": [[[0.1, float("nan")]]]}, {"brush": 9},
    {"strokes": [[[0.5, 0.5]] * 5000]}, {"strokes": None}, {"strokes": [[[0.1, 0.2, 0.3]]]}, {"token": -1},
])
def test_a_browser_may_send_anything(text: dict[str, Any]) -> None:
    at = drawn(start(), **{"strokes": digit_strokes(0)} | text)
    assert "systems read it as a <b>2</b>" in bodies(at), "it is left aside"


def test_an_upload_is_read_like_a_drawing() -> None:
    page = 255 - draw_strokes(digit_strokes(2))  # ink on paper
    at = upload("my two.png", png(page))
    right = bodies(at)
    assert "systems read it as a <b>2</b>" in right
    assert "read_picture('my two.png', \"digits\")" in snippet(at)


HOSTILE = {
    "text.png": b"hello, I am no image\n" * 50,
    "empty.png": b"",
    "cut.png": png(np.random.default_rng(0).integers(0, 255, (300, 300), dtype=np.uint8))[:4000],
    "blank.png": png(np.full((50, 50), 255, dtype=np.uint8)),
    "40-megapixel.png": png(np.zeros((8000, 5000), dtype=np.uint8)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_picture_gets_one_sentence(name: str) -> None:
    at = upload(name, HOSTILE[name])
    (sentence,) = [e.value for e in at.error]
    assert sentence.startswith("This file cannot be read: ") and sentence.endswith(".")
    assert len(sentence) < 200 and "Traceback" not in sentence
    assert shipped(at, "scene") is None
    clean(at.segmented_control(key="draw_from").set_value("draw").run())
    assert "systems read it as a <b>2</b>" in bodies(at), "and there is a way on"


def test_without_a_file_it_asks_for_one() -> None:
    assert any("Choose a file, or draw" in s for s in sentences(start(draw_from="upload")))


def test_the_label_is_the_person_s_to_say() -> None:
    at = start(draw_label="7")
    assert "<b>0 of" in bodies(at) and "read it as a <b>7</b>" in bodies(at)
    scene = shipped(at, "scene")
    assert scene is not None and scene["label"] == 7


def test_refusals_are_sentences() -> None:
    at = start(train="false", margin="false")
    assert any("Pick at least one aim" in s for s in sentences(at))
    at = start(train="false", margin="false", up="true")
    assert len(refusals(shipped(at, "scene"))) == 3
    at = start(target="2")
    assert any("The target is the image's own class" in s for s in sentences(at))


def test_small_parts() -> None:
    for module in (lab_ui.parts.drawing_pad, lab_ui.results.drawn_picture):
        assert doctest.testmod(module).failed == 0
