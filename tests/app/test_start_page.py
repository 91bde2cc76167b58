"""The start page: recorded answers that are the library's, a tour that leads on, and no torch."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from lab_ui.basics import glossary
from lab_ui.results import start_record
from tasklab import data
from tasklab.course import PAGES, words
from tasklab.experiments.scenario import Scenario
from tasklab.tasks import TASKS
from tests.app.live_parts import snippet

ROOT = Path(__file__).parents[2]
APP = ROOT / "app" / "streamlit_app.py"

needs_mnist = pytest.mark.skipif(not data.available("mnist"), reason="MNIST is not under TASKLAB_DATA")


def page(at: AppTest) -> str:
    assert not at.exception
    return "".join(e.proto.body for e in at.main.get("html") if "<style" not in e.proto.body)


def start(stop: int = 0) -> AppTest:
    at = AppTest.from_file(str(APP), default_timeout=120)
    at.session_state["start_stop"] = stop
    return at.run()


def pixels(url: str) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))).astype(int)


def compare(result: Any, kept: Any, where: str = "") -> None:
    """Equal, but for the last digit of a number and a few pixels of an image."""
    if isinstance(kept, dict):
        assert result.keys() == kept.keys(), where
        for key in kept:
            compare(result[key], kept[key], f"{where} {key}")
    elif isinstance(kept, list):
        assert len(result) == len(kept), where
        for k, (one, other) in enumerate(zip(result, kept, strict=True)):
            compare(one, other, f"{where} {k}")
    elif isinstance(kept, str) and kept.startswith("data:image"):
        one, other = pixels(result), pixels(kept)
        assert one.shape == other.shape, where
        assert (abs(one - other) > 2).mean() < 0.02, where
    elif isinstance(kept, float):
        assert result == pytest.approx(kept, abs=0.021), where
    else:
        assert result == kept, where


@needs_mnist
def test_what_is_recorded_is_what_the_library_says() -> None:
    made, kept = start_record.record(), start_record.read()
    pairs = list(zip(made.pop("drag"), dict(kept)["drag"], strict=True))
    compare(made, {key: value for key, value in kept.items() if key != "drag"})
    answers = [(one["decoded"], other["decoded"]) for stop, kept_stop in pairs
               for one, other in zip(stop["reads"], kept_stop["reads"], strict=True)]
    assert sum(one != other for one, other in answers) <= 2, "on another processor a step may round otherwise"


def test_the_first_view_is_one_picture_and_four_answers() -> None:
    text, result = page(start()), start_record.read()
    reads = [each["decoded"] for each in result["views"]["margin"]["reads"]]
    assert len(set(reads)) == 4
    assert -1 in reads
    assert text.count('class="front-answer') == 4
    assert all(f"<b>{'None' if read < 0 else read}</b><span>" in text for read in reads)
    assert text.count(result["views"]["margin"]["picture"]) == 1


def test_the_attack_on_the_loss_found_no_gradient_and_the_picture_is_the_clean_one() -> None:
    views = start_record.read()["views"]
    assert views["train"]["zero_gradient"]
    assert views["train"]["unmoved"]
    assert views["train"]["picture"] == views["clean"]["picture"]
    assert {each["outcome"] for each in views["clean"]["reads"]} == {"correct"}


def test_each_answer_flips_while_epsilon_is_dragged() -> None:
    recorded = start_record.read()
    stops = recorded["drag"]
    assert [stop["eps"] for stop in stops] == sorted(start_record.DRAGGED) and stops[0]["eps"] == 0
    (here,) = (stop for stop in stops if stop["eps"] == recorded["eps"])
    assert [each["decoded"] for each in here["reads"]] == [
        each["decoded"] for each in recorded["views"]["margin"]["reads"]], "the drag begins with what is shown"
    for k in range(4):
        outcomes = [stop["reads"][k]["outcome"] for stop in stops]
        assert outcomes[0] == "correct" and outcomes[-1] != "correct"
    clean = pixels(stops[0]["picture"])
    for stop in stops:
        assert abs(pixels(stop["picture"]) - clean).max() <= round(255 * stop["eps"]) + 1


def test_the_browser_has_every_stop_and_the_names_are_spelled_out() -> None:
    at = start()
    (component,) = (e.proto for e in at.main.get("bidi_component") if e.proto.component_name == "tasklab_start_drag")
    stops, first = json.loads(component.json)
    assert [stop["eps"] for stop in stops] == [f"{eps:.2f}" for eps in start_record.DRAGGED]
    assert stops[first]["seen"] in page(at) and stops[first]["four"] in page(at)
    for name in ("tra", "deepbe", "int", "rbc"):
        assert TASKS[name].long_name in page(at)
    assert any(glossary.PAPER in text.value for text in at.main.markdown)
    assert not [e for e in start(1).main.get("bidi_component") if e.proto.component_name == "tasklab_start_drag"]


def test_the_glossary_spells_every_task_as_the_library_does() -> None:
    assert {name: full_name for name, (full_name, _) in words.TASKS.items()} == {
        kind.title: kind.long_name for kind in TASKS.values()}
    assert glossary.CITED.count(glossary.PAPER) == 1


def test_no_pixel_moved_further_than_epsilon() -> None:
    result = start_record.read()
    clean = pixels(result["views"]["clean"]["picture"])
    for url in (result["views"]["margin"]["picture"], *(each["picture"] for each in result["own"])):
        assert abs(pixels(url) - clean).max() <= round(255 * result["eps"]) + 1
        assert abs(pixels(url) - clean).max() > 0


def test_the_tour_goes_to_its_end_and_back_and_begins_again() -> None:
    at, titles = start(), []
    for _ in range(6):
        titles.append(page(at).split("<h1>")[1].split("</h1>")[0])
        assert f"{len(titles)} of 6" in page(at)
        at.button(key="start_next").click().run()
    assert len(set(titles)) == 6
    assert page(at).split("<h1>")[1].startswith(titles[0])
    assert at.button(key="start_back").disabled
    at.button(key="start_next").click().run()
    at.button(key="start_back").click().run()
    assert titles[0] in page(at)
    assert not any("{" in title for title in titles)


def test_the_tour_says_what_was_recorded() -> None:
    result = start_record.read()
    fallen = sum(each["decoded"] != result["label"] for each in result["own"])
    assert f"breaks {('no', 'one', 'two', 'three', 'four')[fallen]} of four" in page(start(5))
    assert "front-plane" in page(start(3))
    assert all(each["picture"] in page(start(5)) for each in result["own"])


@pytest.mark.parametrize("stop", range(6))
def test_every_stop_has_its_badge_and_names_its_drawings(stop: int) -> None:
    at = start(stop)
    assert any(c.value.replace("\xa0", " ").startswith("n = 1") for c in at.main.caption)
    text = page(at)
    assert text.count('role="img" aria-label="') == (0 if stop == 5 else 4)
    assert text.count("<img") == text.count('alt="')


@pytest.mark.parametrize("stop", range(6))
def test_every_stop_leads_to_its_page_with_the_scene_set(stop: int) -> None:
    at = start(stop)
    at.button(key="start_open").click().run()
    assert not at.exception, [e.message for e in at.exception]
    target = ("attack_lab", "codecs", "attack_lab", "regions", "attack_lab", "robust")[stop]
    assert "front-four" not in page(at)
    if target == "regions":
        assert at.pills(key="regions_tasks").value == ["TRA", "RBC"]
    if target == "attack_lab" and data.available("mnist"):
        assert at.number_input(key="image").value == start_record.read()["image"]
        assert at.multiselect(key="systems").value[-1] == "rbc"
    if stop == 2:
        assert not at.toggle(key="margin").value


def test_without_mnist_the_attack_lab_opens_with_digits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TASKLAB_DATA", str(tmp_path))
    at = start()
    at.button(key="start_open").click().run()
    assert not at.exception
    assert at.number_input(key="image").value == Scenario().image


def test_there_is_a_way_to_every_page() -> None:
    at = start()
    links = {link.proto.page for link in at.main.get("page_link")}
    assert links == set(PAGES) - {"start"}


@needs_mnist
def test_its_code_gives_its_answers() -> None:
    at, space, result = start(), dict[str, Any](), start_record.read()
    with contextlib.redirect_stdout(io.StringIO()):
        exec(snippet(at), space)
    assert space["decoded"] == {
        objective: [each["decoded"] for each in result["views"][objective]["reads"]]
        for objective in ("train", "margin")
    }


def test_it_needs_no_torch_and_brings_it_once_it_is_shown() -> None:
    code = ("import sys, threading, time; from streamlit.testing.v1 import AppTest\n"
            f"sys.path.insert(0, {str(ROOT / 'app')!r})\n"
            "from lab_ui.basics import preload; pause = 0; preload._load = lambda then=preload._load: until(then)\n"
            "def until(then):\n"
            "    while not pause: time.sleep(0.01)\n"
            "    preload.PAUSE = 0; then()\n"
            f"at = AppTest.from_file({str(APP)!r}, default_timeout=120).run()\n"
            "assert not at.exception\n"
            "heavy = ('torch', 'torchvision', 'sklearn')\n"
            "print([name for name in heavy if name in sys.modules])\n"
            "pause = 1\n"
            "[each.join() for each in threading.enumerate() if each.name == 'preload']\n"
            "print('torch' in sys.modules)\n"
            "import gc; at.run(); new = [{}]; walked = gc.get_objects()\n"  # as by the collection after each run
            "print([any(each is one for each in walked) for one in (sys.modules, vars(sys.modules['torch']), new)])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True, timeout=300)
    assert done.stdout.endswith("[]\nTrue\n[False, False, True]\n")
