"""The attack lab's script: every control, links, and everything that can be wrong, without a browser."""

from __future__ import annotations

import contextlib
import doctest
import io
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from lab_ui.basics import preload
from tasklab import data
from tasklab.attacks import OBJECTIVES
from tasklab.experiments.scenario import ATTACKS
from tests.app.live_parts import cells, refusals, shipped, snippet, stop
from tests.systems import KEYS, small_zoo

APP = Path(__file__).parents[2] / "app" / "streamlit_app.py"
AIMS = tuple(OBJECTIVES)


pytestmark = pytest.mark.usefixtures("digits_alone")


def start(**query: str | list[str]) -> AppTest:
    at = AppTest.from_file(str(APP), default_timeout=120)
    for key, value in ({"steps": "3"} | query).items():
        at.query_params[key] = value
    at.switch_page("app_pages/attack_lab.py")
    return clean(at.run())


def clean(at: AppTest) -> AppTest:
    assert not at.exception, [e.message for e in at.exception]
    return at


def scene(at: AppTest) -> dict[str, Any]:
    result = shipped(at, "scene")
    assert result is not None
    return result


def verdicts(at: AppTest) -> list[int]:
    """What each cell says was read at the page's ε, in order."""
    shown = scene(at)
    return [cell["decoded"][stop(shown)] for _, cell in cells(shown)]


def broken(at: AppTest, aim: str) -> int:
    """How many systems an aim breaks at the page's ε."""
    shown = scene(at)
    return sum(cell["fooled"][stop(shown)] for each, cell in cells(shown) if each == aim)


def zero(at: AppTest, aim: str) -> list[bool]:
    """Where the gradient was exactly zero at the page's ε."""
    shown = scene(at)
    return [cell["zero"][stop(shown)] for each, cell in cells(shown) if each == aim]


def sentences(at: AppTest) -> list[str]:
    return [e.value for kind in (at.info, at.warning, at.error) for e in kind] + refusals(shipped(at, "scene"))


def charts(at: AppTest) -> int:
    return len(cells(shipped(at, "scene")))


def execute(at: AppTest) -> dict[tuple[str, str], int]:
    """What the snippet on the page decodes, run as a reader would."""
    space: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(snippet(at), "snippet", "exec"), space)
    return space["decoded"]


def test_the_first_view_teaches_without_a_click() -> None:
    at = start(image=str(small_zoo().picture), steps="10")
    assert charts(at) == 8  # four systems, two aims
    assert [aim["title"] for aim in scene(at)["aims"]] == ["the training loss", "the decision margin"]
    assert scene(at)["eps"] == 0.2
    player, strip = shipped(at, "player"), shipped(at, "strip")
    assert player is not None and player["eps"] == 0.2 and len(player["values"]) == 11
    assert strip is not None and strip["chosen"] in strip["places"]


def test_the_aim_makes_the_difference() -> None:
    at = start(**small_zoo().query, steps="10")
    assert zero(at, "train") == [False, True]
    assert zero(at, "margin") == [False, False]
    assert broken(at, "margin") == 2


def test_a_few_stops_come_at_once_and_more_when_the_scene_asks() -> None:
    at = start(**small_zoo().query, eps="0.13")
    few = scene(at)
    assert few["stops"] == [0, 0.13]
    assert len(few["track"]) == 27 and few["end"] == "0.5", "the slider has the places of those to come"
    at.session_state["attack_lab_fine"] = few["finer"]
    many = scene(clean(at.run()))
    assert many["finer"] is None and many["track"] == few["track"]
    assert len(many["stops"]) == 27 and 0.13 in many["stops"]
    for (_, before), (_, after) in zip(cells(few), cells(many), strict=True):
        for place, eps in enumerate(few["stops"]):
            assert after["decoded"][many["stops"].index(eps)] == before["decoded"][place]
    at.slider(key="eps").set_value(0.2)
    assert len(scene(clean(at.run()))["stops"]) == 26  # another ε asks for nothing anew


def test_the_word_about_torch_leaves_everything_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preload, "_ready", threading.Event())
    at = start(**small_zoo().query)
    assert preload._ready.is_set() and shipped(at, "preload") is None
    first = [type(child) for child in at.main.children.values()]
    assert [type(child) for child in clean(at.run()).main.children.values()] == first


def test_the_table_holds_every_stop_and_the_file_is_the_scene() -> None:
    at = start(**small_zoo().query)
    assert not at.main.get("download_button"), "nothing before it is opened"
    assert "zoo" in snippet(at)
    assert {button.proto.label for button in at.main.get("download_button")} == {
        "attack (CSV)", "ε to drag (one HTML file)", "Step by step (one HTML file)"}


def test_a_view_is_pinned_and_compared_with() -> None:
    at = start(**small_zoo().query, steps="10")
    before = verdicts(at)
    clean(at.button(key="attack_lab_pin").click().run())
    clean(at.slider(key="eps").set_value(0.0).run())
    pinned = scene(at)["pinned"]
    assert [row["decoded"] for row in pinned["rows"]] == before
    assert "ε = 0.2" in pinned["words"]
    assert verdicts(at) != before
    clean(at.button(key="attack_lab_unpin").click().run())
    assert scene(at)["pinned"] is None


def test_other_attacks_are_worked_out_for_more_than_one_size_when_asked() -> None:
    at = start(**small_zoo().query, attack="Square", steps="5")
    shown = scene(at)
    assert shown["ask"] and shown["stops"] == [0, 0.2]
    assert shipped(at, "player") is None
    at.session_state["attack_lab_fine"] = shown["finer"]
    shown = scene(clean(at.run()))
    assert not shown["ask"] and shown["stops"] == [0, 0.1, 0.2, 0.3, 0.4, 0.5]


SCENARIOS: list[dict[str, str | list[str]]] = [
    {},
    {"attack": "FGSM", "eps": "0.3"},
    {"start": "true", "restarts": "3", "seed": "7", "steps": "5"},
    {"norm": "l2", "eps": "0.5", "keep": "last", "step": "0.2"},
    {"criterion": "evaded", "keep": "first"},
    {"target": "another", "train": "false"},
    {"systems": ["int", "rbc"], "up": "true", "unclipped": "true", "bits": "true"},
    {"systems": ["tra", "deepbe", "int", "rbc", "rbc-s10"], "soft_margin": "true", "towards_code": "true"},
]


@pytest.mark.parametrize("query", SCENARIOS, ids=lambda q: "-".join(q) or "default")
def test_the_snippet_says_what_the_page_says(query: dict[str, str | list[str]]) -> None:
    if "target" in query:
        query = query | {"target": str((int(data.load("digits", "test").labels[small_zoo().picture]) + 1) % 10)}
    at = start(image=str(small_zoo().picture), **query)
    assert verdicts(at) == list(execute(at).values())


GROUND = {"view": "the plane around the image", "steps": "10"}


def test_the_ground_comes_in_few_places_at_once_and_in_more_when_it_asks() -> None:
    at = start(**small_zoo().query, **GROUND)
    assert shipped(at, "scene") is None and shipped(at, "player") is None, "nothing else is worked out"
    few = shipped(at, "ground")
    assert few is not None and few["finer"] and not few["ask"]
    at.session_state["attack_lab_ground_fine"] = few["finer"]
    many = shipped(clean(at.run()), "ground")
    assert many is not None and many["finer"] is None
    assert many["side"] > few["side"] and many["directions"] == few["directions"] and many["paths"] == few["paths"]
    middle = many["side"] ** 2 // 2
    assert many["flat"][middle] == few["flat"][few["side"] ** 2 // 2] == 1, "RBC stands on a plateau"
    assert [path["moved"] for path in many["paths"]] == [True, False]


@pytest.mark.parametrize(("key", "query"), [
    *((key, {}) for key in KEYS), ("rbc", {"norm": "l2", "eps": "0.5", "start": "true"}), ("tra", {"attack": "FGSM"}),
    ("int", {"target": "another"}),
], ids=str)
def test_the_ground_of_every_task_is_what_its_snippet_says(key: str, query: dict[str, str]) -> None:
    if "target" in query:
        query = {"target": str((int(data.load("digits", "test").labels[small_zoo().picture]) + 1) % 10)}
    at = start(**{"image": str(small_zoo().picture), "systems": [key]} | GROUND | query)
    ground, space = shipped(at, "ground"), dict[str, Any]()
    assert ground is not None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(snippet(at), "snippet", "exec"), space)
    assert {path["objective"]: path["end"] for path in ground["paths"]} == space["ends"]
    assert ground["lead"][-1] in printed.getvalue()
    assert [button.proto.label for button in at.main.get("download_button")] == [
        "The plane, with a point to drag (one HTML file)"]


@pytest.mark.parametrize(("query", "words"), [
    ({"eps": "0"}, "With ε = 0"), ({"attack": "Square"}, "climb step by step"), ({"target": ""}, "image's own class"),
], ids=str)
def test_where_there_is_no_ground_a_sentence_says_why(query: dict[str, str], words: str) -> None:
    if "target" in query:
        query = {"target": str(int(data.load("digits", "test").labels[small_zoo().picture]))}
    at = start(**small_zoo().query | GROUND | query)
    assert shipped(at, "ground") is None
    assert any(words in sentence for sentence in sentences(at))


def test_the_ground_needs_no_aim_and_an_unknown_view_is_dropped() -> None:
    at = start(**small_zoo().query, **GROUND, train="false", margin="false")
    assert shipped(at, "ground") is not None, "its two attacks are always the same"
    assert shipped(start(**small_zoo().query, view="upside down"), "scene") is not None


def test_the_step_of_the_lesson_shows_what_it_says_on_the_shipped_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # all that is shipped
    at = start()
    for _ in range(3):
        clean(at.button(key="attack_lab_next").click().run())
    ground = shipped(at, "ground")
    assert ground is not None and ground["title"] == "RBC" and ground["names"][ground["label"]] == "8"
    margin, train = ground["paths"]
    middle = ground["side"] ** 2 // 2
    assert ground["flat"][middle] == 1 and not train["moved"] and train["end"] == 8
    assert margin["end"] != 8
    clean(at.button(key="attack_lab_next").click().run())
    assert shipped(at, "ground") is None and shipped(at, "scene") is not None


def test_every_control_can_be_moved() -> None:
    at = start(**small_zoo().query)
    for value in (0.0, 0.5):
        clean(at.slider(key="eps").set_value(value).run())
        assert charts(at) == 4
    for value in (50, 1):
        clean(at.select_slider(key="steps").set_value(value).run())
        assert charts(at) == 4
    for key in ("start", *AIMS):
        clean(at.toggle(key=key).set_value(not at.toggle(key=key).value).run())
    for key in ("restarts", "seed", "step"):
        clean(at.number_input(key=key).set_value(2 if key != "step" else 0.1).run())
    for key, value in (("criterion", "evaded"), ("keep", "last"), ("keep", "first"), ("target", "8"), ("only", "3")):
        clean(at.selectbox(key=key).set_value(value).run())
    for value in ATTACKS:
        clean(at.selectbox(key="attack").set_value(value).run())
    clean(at.selectbox(key="attack").set_value("PGD").run())
    clean(at.segmented_control(key="norm").set_value("l2").run())
    clean(at.number_input(key="image").set_value(399).run())
    clean(at.multiselect(key="systems").set_value(list(KEYS)).run())


def test_epsilon_zero_changes_nothing() -> None:
    at = start(**small_zoo().query, eps="0")
    assert broken(at, "train") == broken(at, "margin") == 0
    assert all(cell["unmoved"][0] for _, cell in cells(scene(at)))


def test_the_buttons_find_the_next_picture_of_a_class() -> None:
    labels = data.load("digits", "test").labels.tolist()
    at = start(image="10")
    at.selectbox(key="only").set_value("7").run()
    clean(at.sidebar.button[1].click().run())
    result = labels.index(7, 11)
    assert at.number_input(key="image").value == result
    clean(at.sidebar.button[0].click().run())
    sevens = [i for i, label in enumerate(labels) if label == 7]
    assert at.number_input(key="image").value == sevens[sevens.index(result) - 1]


def test_an_aim_that_a_system_does_not_have_says_so_and_leaves_the_rest() -> None:
    at = start(systems=["tra", "int", "rbc"], up="true", unclipped="true")
    assert sum("number line, and TRA has none" in s for s in sentences(at)) == 1
    assert sum("number line, and RBC has none" in s for s in sentences(at)) == 1
    assert sum("RBC's loss, and INT has none" in s for s in sentences(at)) == 1
    assert charts(at) == 6 + 1 + 1
    assert len(execute(at)) == 8


def test_an_aim_without_a_target_says_so() -> None:
    at = start(systems=["rbc"], bits="true", target="3")
    label = int(data.load("digits", "test").labels[at.number_input(key="image").value])
    assert any("cannot be aimed at a target class" in s for s in sentences(at))
    clean(at.selectbox(key="target").set_value(str(label)).run())
    assert any("image's own class" in s for s in sentences(at))
    assert charts(at) == 0


NONSENSE = {
    "data": "imagenet", "image": "-4", "eps": "banana", "steps": "1e9", "step": "-1", "attack": "<script>",
    "systems": ["gpt", ""], "norm": "l7", "start": "perhaps", "restarts": "0", "criterion": "luck", "target": "eleven",
    "keep": "calm", "seed": "-1", "train": "2", "up": "☃", "unknown": "x" * 5000,
}


@pytest.mark.parametrize("key", NONSENSE)
def test_nonsense_in_a_link_is_dropped(key: str) -> None:
    at = start(**{key: NONSENSE[key]})
    assert charts(at) in (0, 8)
    assert charts(at) == 8 or key == "systems"


def test_all_nonsense_at_once() -> None:
    start(**NONSENSE)


@pytest.mark.parametrize("image", ["400", "100000", "7.5", "nan"])
def test_a_picture_that_is_not_there(image: str) -> None:
    assert charts(start(image=image)) == 8


def test_nothing_chosen_asks_for_a_choice() -> None:
    at = start()
    clean(at.multiselect(key="systems").set_value([]).run())
    assert "Pick at least one system" in sentences(at)[0]
    clean(at.multiselect(key="systems").set_value(["rbc"]).run())
    for aim in ("train", "margin"):
        clean(at.toggle(key=aim).set_value(False).run())
    assert "Pick at least one aim" in sentences(at)[0]


def test_a_damaged_file_is_named_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "zoo"
    shutil.copytree(small_zoo().folder, folder)
    whole = (folder / "digits-rbc.safetensors").read_bytes()
    (folder / "digits-int.safetensors").write_bytes(whole[: len(whole) // 2])  # truncated: no card
    altered = bytearray(whole)
    altered[-5] ^= 1  # a whole card, another weight
    (folder / "digits-rbc.safetensors").write_bytes(bytes(altered))
    (folder / "digits-empty.safetensors").write_bytes(b"")
    monkeypatch.setenv("TASKLAB_ZOO", str(folder))
    at = start()
    described = " ".join(sentences(at))
    assert "“digits-int” is damaged" in described
    assert "“digits-empty” is damaged" in described
    assert "“digits-rbc” is damaged" in described
    assert charts(at) == 6  # TRA, DeepBE and RBC with S = 10
    assert "digits-rbc\"" not in snippet(at)


def test_no_system_at_all_says_where_to_put_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TASKLAB_ZOO", str(tmp_path))
    assert "train one of your own" in sentences(start())[0]


def test_words() -> None:
    import lab_ui.basics.words

    assert doctest.testmod(lab_ui.basics.words).failed == 0
    assert set(lab_ui.basics.words.AIMS) == set(lab_ui.basics.words.AIM_NOTES) == set(AIMS)


def test_the_first_page_of_a_server_does_not_wait_for_pandas() -> None:
    code = ("import sys; from streamlit.testing.v1 import AppTest\n"
            f"at = AppTest.from_file({str(APP)!r}, default_timeout=120).switch_page('app_pages/attack_lab.py')\n"
            f"sys.modules['pandas'] = None; sys.path.insert(0, {str(APP.parent)!r})\n"
            "from lab_ui.results import growing\n"
            "growing.PATIENCE = growing.LONGER = 600\n"
            "at.run()\n"
            "parts = {part.proto.component_name for part in at.main.get('bidi_component')}\n"
            "print([error.message for error in at.exception], 'tasklab_scene' in parts)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True, timeout=300)
    assert done.stdout == "[] True\n"
