"""The attack lab's script: every control, links, and everything that can be wrong, without a browser."""

from __future__ import annotations

import contextlib
import doctest
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest

from tasklab import data, zoo
from tasklab.attacks import OBJECTIVES
from tasklab.scenario import ATTACKS
from tests.systems import KEYS, small_zoo

APP = Path(__file__).parents[2] / "app" / "streamlit_app.py"
AIMS = tuple(OBJECTIVES)


@pytest.fixture(autouse=True)
def _own_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Only the small zoo, whatever is shipped; no data but digits; threads given back."""
    monkeypatch.setenv("TASKLAB_ZOO", str(small_zoo().folder))
    monkeypatch.setattr(zoo, "folder", lambda: tmp_path / "nothing shipped")
    monkeypatch.setenv("TASKLAB_DATA", str(tmp_path / "no data"))
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def start(**query: str | list[str]) -> AppTest:
    at = AppTest.from_file(str(APP), default_timeout=120)
    for key, value in ({"steps": "3"} | query).items():
        at.query_params[key] = value
    at.switch_page("app_pages/attack_lab.py")
    return clean(at.run())


def clean(at: AppTest) -> AppTest:
    assert not at.exception, [e.message for e in at.exception]
    return at


def bodies(at: AppTest) -> str:
    """All HTML of the page."""
    return "\n".join(e.proto.body for e in at.main.get("html") if hasattr(e.proto, "body"))


def verdicts(at: AppTest) -> list[str]:
    """What each cell says was read, in order."""
    chips = [part.split("</span>")[0] for part in bodies(at).split('<span class="lab-chip')[1:]]
    return [chip.split(" reads ")[1].split(" ·")[0] for chip in chips]


def sentences(at: AppTest) -> list[str]:
    return [e.value for kind in (at.info, at.warning, at.error) for e in kind]


def charts(at: AppTest) -> int:
    return len(at.main.get("plotly_chart"))


def execute(at: AppTest) -> dict[tuple[str, str], int]:
    """What the snippet on the page decodes, run as a reader would."""
    space: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(at.code[0].value, "snippet", "exec"), space)
    return space["decoded"]


def test_the_first_view_teaches_without_a_click() -> None:
    at = start(image=str(small_zoo().picture), steps="10")
    assert charts(at) == 8  # four systems, two aims
    assert "Aimed at the training loss, the attack breaks" in bodies(at)
    assert "Aimed at the decision margin, the attack breaks" in bodies(at)
    assert all(chart.proto.alt for chart in at.main.get("plotly_chart"))


def test_the_aim_makes_the_difference() -> None:
    at = start(**small_zoo().query, steps="10")
    first, second = bodies(at).split("Aimed at the decision margin</h2>")
    assert "Gradient exactly zero" in first
    assert "the picture came back unmoved" in first
    assert "Gradient exactly zero" not in second
    assert "attack breaks <b>2 of 2</b>" in first  # the headline, of the margin
    assert any("gradient exactly 0 in 1 of 2" in c.value for c in at.caption)


SCENARIOS: list[dict[str, str | list[str]]] = [
    {},
    {"attack": "FGSM", "eps": "0.3"},
    {"start": "true", "restarts": "3", "seed": "7", "steps": "5"},
    {"norm": "l2", "eps": "0.5", "keep": "last", "step": "0.2"},
    {"criterion": "evaded", "keep": "first"},
    {"target": "3", "train": "false"},
    {"systems": ["int", "rbc"], "up": "true", "unclipped": "true", "bits": "true"},
    {"systems": ["tra", "deepbe", "int", "rbc", "rbc-s10"], "soft_margin": "true", "towards_code": "true"},
]


@pytest.mark.parametrize("query", SCENARIOS, ids=lambda q: "-".join(q) or "default")
def test_the_snippet_says_what_the_page_says(query: dict[str, str | list[str]]) -> None:
    at = start(image=str(small_zoo().picture), **query)
    assert verdicts(at) == ["None" if d == -1 else str(d) for d in execute(at).values()]


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
    assert "breaks <b>0 of 2</b>" in bodies(at)
    assert "No pixel may change" in bodies(at)


def test_the_buttons_find_the_next_picture_of_a_class() -> None:
    labels = data.load("digits", "test").labels.tolist()
    at = start(image="10")
    at.selectbox(key="only").set_value("7").run()
    clean(at.sidebar.button[1].click().run())
    found = labels.index(7, 11)
    assert at.number_input(key="image").value == found
    clean(at.sidebar.button[0].click().run())
    sevens = [i for i, label in enumerate(labels) if label == 7]
    assert at.number_input(key="image").value == sevens[sevens.index(found) - 1]


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
    assert any("picture's own class" in s for s in sentences(at))
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
    told = " ".join(sentences(at))
    assert "“digits-int” is damaged" in told
    assert "“digits-empty” is damaged" in told
    assert "“digits-rbc” is damaged" in told
    assert charts(at) == 6  # TRA, DeepBE and RBC with S = 10
    assert "digits-rbc\"" not in at.code[0].value


def test_no_system_at_all_says_where_to_put_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TASKLAB_ZOO", str(tmp_path))
    assert "train one of your own" in sentences(start())[0]


def test_words() -> None:
    import lab_ui.words

    assert doctest.testmod(lab_ui.words).failed == 0
    assert set(lab_ui.words.AIMS) == set(lab_ui.words.AIM_NOTES) == set(AIMS)
