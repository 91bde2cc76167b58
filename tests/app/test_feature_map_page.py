"""The feature map's script: maps as the library has them, attacked images in place, links, and what can be wrong."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from lab_ui.panels import map_panels
from lab_ui.parts.thumbnails import sheet
from lab_ui.results import feature_maps
from tasklab import data, zoo
from tasklab.embedding import PCA, embed, read_features
from tasklab.figures.maps import map_window
from tasklab.text import unbroken
from tests.app.live_parts import snippet
from tests.app.visitors import clean, sentences, until, visit
from tests.systems import small_zoo


@pytest.fixture(autouse=True)
def _own_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Only the small zoo, whatever is shipped; no data but digits; few points, so that maps form fast."""
    monkeypatch.setenv("TASKLAB_ZOO", str(small_zoo().folder))
    monkeypatch.setattr(zoo, "folder", lambda: tmp_path / "nothing shipped")
    monkeypatch.setenv("TASKLAB_DATA", str(tmp_path / "no data"))
    monkeypatch.setattr(feature_maps, "MOST", 150)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def start(wait: bool = True, **query: str | list[str]) -> AppTest:
    at = visit("feature_map", **{"n": "50", "steps": "5"} | query)
    return formed(at) if wait else at


def formed(at: AppTest) -> AppTest:
    """The page with its map finished."""
    until(lambda: not living(clean(at.run()))["forming"])
    return at


def living(at: AppTest) -> dict[str, Any]:
    (result,) = [e.proto for e in at.main.get("bidi_component") if e.proto.component_name == "tasklab_map"]
    content: dict[str, Any] = json.loads(result.json)
    return content


def places(packed: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed), "<i2").reshape(-1, 2) / 10000


@pytest.mark.parametrize(("shape", "kind", "most"), [((7, 1, 8, 8), "png", 1), ((5, 3, 32, 32), "jpeg", 2)])
def test_a_sheet_has_every_image_in_its_place(shape: tuple[int, ...], kind: str, most: int) -> None:
    images = torch.linspace(0, 1, shape[0])[:, None, None, None].expand(shape)
    made = sheet(images)
    head, _, data = made.source.partition(",")
    assert head == f"data:image/{kind};base64"
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))).astype(int)
    for index, each in enumerate(images):
        top, left = index // made.columns * made.height, index % made.columns * made.width
        cut = pixels[top : top + made.height, left : left + made.width]
        assert np.abs(cut - 255 * each.permute(1, 2, 0).squeeze(-1).numpy()).max() <= most, index


def bodies(at: AppTest) -> str:
    return "\n".join(e.proto.body for e in at.main.get("html") if hasattr(e.proto, "body"))


def reveal(at: AppTest) -> AppTest:
    return clean(at.button(key="feature_map_show").click().run())


def execute(at: AppTest) -> dict[str, Any]:
    """What the snippet on the page finds, run as a reader would."""
    space: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(snippet(at), "snippet", "exec"), space)
    return space


def test_the_map_forms_from_its_first_look_on() -> None:
    at = start(wait=False, seed="7")
    first = living(at)
    assert len(first["rows"]) == 150
    if first["forming"]:
        assert first["frames"] == []
        assert "forming" in bodies(at)
        assert np.abs(places(first["home"])).max() == pytest.approx(1, abs=1e-3)
    last = living(formed(at))
    assert len(last["frames"]) == 31, "it can be watched again"
    plane = embed(read_features(zoo.load("digits-rbc"), data.load("digits", "test").x(range(150))), PCA()).positions
    begun = places(last["frames"][0])
    assert abs(np.corrcoef(begun[:, 0], plane[:, 0])[0, 1]) > 0.99, "it begins as PCA"
    assert "%</b> of the images lie among images of their own class" in bodies(at)


def test_a_map_that_is_finished_while_it_is_drawn_is_not_told_of_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    draw, run, goes_on = map_panels.draw, feature_maps.Forming.run, threading.Event()

    def held(forming: feature_maps.Forming, points: feature_maps.Points) -> None:
        assert isinstance(forming.settings, PCA) or goes_on.wait(60)
        run(forming, points)

    def late(lab: Any, view: map_panels.View) -> None:
        goes_on.set()
        until(lambda: view.forming.done)
        draw(lab, view)

    monkeypatch.setattr(feature_maps.Forming, "run", held)
    monkeypatch.setattr(map_panels, "draw", late)
    at = start(wait=False, seed="8")
    assert living(at)["forming"] and "The map is forming" in bodies(at)
    assert not living(clean(at.run()))["forming"] and "The map is forming" not in bodies(at)


def test_one_picture_is_followed_through_its_attack_in_numbered_stops() -> None:
    picture = small_zoo().picture
    described = living(start(image=str(picture)))
    stops = described["stops"]
    assert stops["label"] == described["labels"][picture]
    assert stops["decoded"][0] == stops["label"] != stops["decoded"][-1]
    assert stops["numbers"][0].startswith("0") and stops["numbers"][-1].endswith("5")
    assert places(stops["places"])[0] == pytest.approx(places(described["home"])[picture], abs=2e-4)
    assert "on its way read as" in described["alt"]
    assert "steps" not in described, "many images wait for a guess"


def test_attacked_pictures_are_placed_into_the_same_map_as_the_snippet_says() -> None:
    at = reveal(start(feature_map_kind="PCA", systems=["tra", "rbc"]))
    described, result = living(at), execute(at)
    steps = described["steps"]
    assert steps["rows"] == list(range(50))
    assert steps["numbers"] == [0, 1, 2, 3, 4, 5]
    assert steps["decoded"][-1] == result["result"].decoded.tolist()
    assert steps["decoded"][0] == result["result"].clean_decoded.tolist() == described["decoded"][:50]
    window = map_window(result["chart"].positions)
    assert places(described["home"]) == pytest.approx(window(result["chart"].positions), abs=2e-4)
    assert places(steps["places"][0]) == pytest.approx(places(described["home"])[:50], abs=2e-4)
    assert places(steps["places"][-1]) == pytest.approx(window(result["landed"]), abs=2e-3)
    assert unbroken(f"<b>{100 * result['accuracy']:.0f} %</b>") in bodies(at)
    after = [int(d == y) for d, y in zip(steps["decoded"][-1], described["labels"], strict=False)]
    assert f"At the end, {sum(after)} are read as their class" in bodies(at)


def test_t_sne_of_the_snippet_is_the_page_s() -> None:
    at = start(systems=["int"], feature_map_perplexity="5")
    described, positions = living(at), execute(at)["chart"].positions
    assert places(described["home"]) == pytest.approx(map_window(positions)(positions), abs=2e-4)


def test_the_outputs_of_an_interval_system_lie_on_its_line() -> None:
    described = living(start(systems=["int", "rbc"], feature_map_system="int", feature_map_kind="Outputs"))
    home = places(described["home"])
    assert len(described["bands"]) == 10
    inside = [next((k for low, high, k in described["bands"] if low <= x <= high), -1) for x in home[:, 0]]
    assert np.mean([a == b for a, b in zip(inside, described["decoded"], strict=True)]) > 0.98  # but for rounding
    assert "bands" not in living(start(systems=["int", "rbc"], feature_map_system="rbc", feature_map_kind="Outputs"))


def test_what_a_lasso_picks_is_shown_with_what_became_of_it() -> None:
    at = reveal(start(feature_map_kind="PCA", systems=["rbc"]))
    at.session_state["feature_map_picked"] = [3, 7, 120]
    page = bodies(clean(at.run()))
    labels, described = data.load("digits", "test").labels, living(at)
    assert "3 images picked" in page
    assert page.count("in the attack lab") == 3
    assert f'alt="image 120, a {int(labels[120])}"' in page
    after = [described["steps"]["decoded"][-1][row] == int(labels[row]) for row in (3, 7)]
    assert f"after it: ● {sum(after)} correct" in page
    assert "attack_lab?" in page and "image=120" in page


def test_a_click_on_a_point_opens_that_picture_in_the_attack_lab() -> None:
    at = start(feature_map_kind="PCA", systems=["rbc"])
    at.session_state["image"], at.session_state["leaving_for"] = 11, ("attack_lab", {})  # what a click does
    clean(at.run())
    assert at.number_input(key="image").value == 11
    assert not [e for e in at.main.get("bidi_component") if e.proto.component_name == "tasklab_map"]


@pytest.mark.parametrize("attack", ["FGSM", "APGD", "Noise"])
def test_attacks_without_a_single_path_show_the_beginning_and_the_end(attack: str) -> None:
    described = living(reveal(start(attack=attack, feature_map_kind="PCA", systems=["tra"])))
    assert described["steps"]["numbers"][0] == 0
    assert len(described["steps"]["numbers"]) == 2
    assert len(described["steps"]["places"]) == 2


def test_many_steps_are_thinned_out_and_the_end_is_the_result() -> None:
    at = reveal(start(feature_map_kind="PCA", systems=["rbc"], steps="20"))
    described = living(at)
    assert described["steps"]["numbers"] == [0, 4, 8, 12, 16, 20]
    assert described["steps"]["decoded"][-1] == execute(at)["result"].decoded.tolist()


def test_a_combination_that_means_nothing_leaves_the_map() -> None:
    at = start(systems=["tra"], objective="up", feature_map_kind="PCA")
    assert any("number line" in s for s in sentences(at))
    assert len(living(at)["rows"]) == 150
    assert execute(at)["accuracy"] > 0.5


@pytest.mark.parametrize(("key", "value"), [("feature_map_system", "gpt"), ("feature_map_kind", "UMAP"), ("n", "-1"),
                                            ("feature_map_perplexity", "1000"), ("image", "100000")])
def test_nonsense_in_a_link_is_dropped(key: str, value: str) -> None:
    query: dict[str, str | list[str]] = {"feature_map_kind": "PCA"} | {key: value}
    assert len(living(start(**query))["rows"]) == 150


def test_another_choice_of_systems_leaves_no_system_behind() -> None:
    at = start(feature_map_kind="PCA", systems=["tra", "rbc"], feature_map_system="rbc")
    clean(at.multiselect(key="systems").set_value(["tra", "int"]).run())
    assert 'zoo.load("digits-tra")' in snippet(at)


def test_perplexities_fit_the_number_of_points() -> None:
    assert feature_maps.usual_perplexity(1000) == 30
    assert feature_maps.usual_perplexity(400) == 10
    for n in (8, 50, 400, 1000):
        assert feature_maps.usual_perplexity(n) in feature_maps.perplexities(n)
        assert max(feature_maps.perplexities(n)) <= (n - 1) / 3


def test_what_draws_maps_is_imported_before_threads_draw() -> None:
    root = Path(__file__).parents[2]
    code = """
import sys
from lab_ui.panels import map_panels
from lab_ui.results import feature_maps
def those(): return {name for name in sys.modules if name.split(".")[0] in ("sklearn", "openTSNE", "scipy")}
before = those()
import numpy as np
from tasklab.embedding import PCA, TSNE, embed, neighbour_accuracy, trustworthiness
x = np.random.default_rng(0).normal(size=(40, 5))
for settings in (PCA(), TSNE(perplexity=5)):
    found = embed(x, settings)
    found.place(x[:2] + 0.1)
    neighbour_accuracy(found.positions, np.arange(40) % 2, 5)
    trustworthiness(x, found.positions, 5)
print(sorted(those() - before))
"""
    path = os.pathsep.join((str(root), str(root / "app")))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True,
                          env=os.environ | {"PYTHONPATH": path})
    assert done.stdout.strip() == "[]"
