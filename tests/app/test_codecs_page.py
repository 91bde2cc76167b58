"""The codecs page's script: every setting, its snippet, and links that mean nothing, without a browser."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest

from lab_ui.panels import codec_panels
from tasklab.tasks import Task
from tests.app.live_parts import shipped, snippet

APP = Path(__file__).parents[2] / "app" / "streamlit_app.py"


def start(**query: str) -> AppTest:
    at = AppTest.from_file(str(APP), default_timeout=120)
    for key, value in query.items():
        at.query_params[key] = value
    at.switch_page("app_pages/codecs.py")
    return clean(at.run())


def clean(at: AppTest) -> AppTest:
    assert not at.exception, [e.message for e in at.exception]
    return at


def panels(at: AppTest) -> dict[str, dict[str, Any]]:
    result = shipped(at, "codecs")
    assert result is not None
    return {panel["key"]: panel for panel in result["panels"]}


def execute(at: AppTest) -> dict[str, int]:
    space: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(snippet(at), "snippet", "exec"), space)
    return space["decoded"]


def test_the_first_view_shows_four_answers_one_of_them_none() -> None:
    at = start()
    assert list(panels(at)) == ["int", "rbc", "deepbe", "tra"]
    assert execute(at) == {"int": -1, "rbc": 3, "deepbe": 3, "tra": 3}


def test_the_sixteen_codewords_are_there_and_six_mean_none() -> None:
    tiles = panels(start())["rbc"]["tiles"]
    assert len(tiles) == 16
    assert [tile["label"] for tile in tiles] == [*range(10), *[-1] * 6]
    assert tiles[9]["bits"] == "1001"


def test_an_interval_is_the_paper_s_own() -> None:
    line = panels(start(codecs_alpha="1", codecs_beta="3"))["int"]
    assert (line["lower"][3], line["upper"][3]) == (12, 15)


def test_every_setting_can_be_moved_and_the_snippet_follows() -> None:
    at = start()
    for key, value in (("codecs_alpha", 0.0), ("codecs_alpha", 16.0), ("codecs_beta", 0.5), ("codecs_S", 0),
                       ("codecs_S", 1000), ("codecs_bits", 8)):
        clean(at.slider(key=key).set_value(value).run())
        assert execute(at).keys() == panels(at).keys()
    for key, value in (("codecs_code", "gray"), ("codecs_code", "hadamard"), ("codecs_code", "random"),
                       ("codecs_label", "9")):
        clean(at.selectbox(key=key).set_value(value).run())
        assert execute(at).keys() == panels(at).keys()
    for value in ("mse", "bce"):
        clean(at.segmented_control(key="codecs_loss").set_value(value).run())
        assert execute(at)["deepbe"] >= -1
    clean(at.segmented_control(key="codecs_gap").set_value("class below").run())
    clean(at.number_input(key="codecs_s0").set_value(-1000.0).run())
    assert panels(at)["int"]["lower"][0] == -1000
    assert panels(at)["rbc"]["tiles"] is None  # 256 codewords are too many to show


def test_a_gap_belongs_to_somebody_or_to_nobody() -> None:
    assert execute(start())["int"] == -1
    assert execute(start(codecs_gap="class below"))["int"] == 3


def test_nonsense_in_a_link_is_dropped() -> None:
    keys = ("codecs_S", "codecs_alpha", "codecs_beta", "codecs_code", "codecs_label", "codecs_bits", "codecs_gap")
    assert execute(start(**dict.fromkeys(keys, "☃"))) == execute(start())


def test_a_link_holds_the_outputs_and_they_stay_when_a_setting_moves() -> None:
    at = start(z_int="44.5", z_rbc="10,-10,20,-20")
    assert panels(at)["int"]["start"] == [44.5]
    assert panels(at)["rbc"]["start"] == [10, -10, 20, -20]
    assert execute(at) == {"int": 2, "rbc": -1, "deepbe": 3, "tra": 3}
    clean(at.slider(key="codecs_S").set_value(50).run())
    clean(at.slider(key="codecs_alpha").set_value(0.0).run())
    assert panels(at)["rbc"]["start"] == [10, -10, 20, -20]
    assert "[[44.5]]" in snippet(at)
    clean(at.slider(key="codecs_bits").set_value(5).run())  # four outputs no longer fit
    assert panels(at)["rbc"]["start"] == [-50, -50, -50, 50, 50]
    assert at.query_params["z_int"] == "44.5"
    assert "z_rbc" not in at.query_params


def test_outputs_that_nobody_moved_stay_too_and_the_snippet_says_what_is_shown() -> None:
    at = start()
    shown = panels(at)["rbc"]["start"]
    clean(at.slider(key="codecs_S").set_value(50).run())
    assert panels(at)["rbc"]["start"] == shown  # as the browser keeps them
    assert str([shown]) in snippet(at)


@pytest.mark.parametrize("text", ["1,2", "☃", "nan,0,0,0", "1e9,0,0,0", "", ["x"] * 4, [10**400] * 4,
                                  {"a": 1}, 7, None])
def test_outputs_that_mean_nothing_are_dropped(text: Any) -> None:
    assert codec_panels.numbers(text, 4) is None


@pytest.mark.parametrize("code", codec_panels.CODES)
@pytest.mark.parametrize("label", range(10))
def test_every_panel_opens_inside_its_picture(code: str, label: int) -> None:
    settings: dict[str, Any] = {"S": 20, "code": code, "bits": 5, "alpha": 0.0, "beta": 1.5, "s0": -3.0,
                                "gap": "floor", "loss_form": "mse"}
    for key, task in codec_panels.tasks(**settings).items():
        spec = codec_panels.panel(key, task, label)
        low, high = spec["span"]
        assert len(spec["start"]) == len(spec["names"]) == spec["width"] == task.width
        assert all(low <= z <= high for z in spec["start"])
        assert low < spec["middle"] < high
        assert 50 <= (high - low) / spec["step"] <= 1000
        told(task, spec)


def told(task: Task, spec: dict[str, Any]) -> None:
    """What a panel says of its codewords."""
    if spec["code"] != "bits":
        return
    total = 2**task.width
    assert spec["words"].startswith(f"Of {total:,} codewords, 10 mean a class and {total - 10:,} mean None.")
    rows = torch.tensor(spec["rows"])
    assert task.codec.decode(spec["threshold"] + (2 * rows - 1) * spec["rail"]).tolist() == list(range(10))
