"""The outputs page's script: histograms as the library has them, every control, S, links, and what can be wrong."""

from __future__ import annotations

import contextlib
import io
import re
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tasklab import data
from tests.app.live_parts import snippet
from tests.app.visitors import clean, sentences, visit

FOUR = ("tra", "deepbe", "int", "rbc")


pytestmark = pytest.mark.usefixtures("digits_alone")


def start(**query: str | list[str]) -> AppTest:
    return visit("outputs", **{"n": "50", "steps": "5"} | query)


def bodies(at: AppTest) -> str:
    return "\n".join(e.proto.body for e in at.main.get("html") if hasattr(e.proto, "body"))


def charts(at: AppTest) -> list[str]:
    """What each chart says it shows."""
    return [chart.proto.alt for chart in at.main.get("plotly_chart")]


def stacks(at: AppTest) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Correct, wrong and None of each bar."""
    counts = r"(before|after|training loss|margin): (\d+) correct, (\d+) wrong, (\d+) None"
    result = re.findall(rf'aria-label="([^"]*?), {counts}', bodies(at))
    return {(name, when): (int(a), int(b), int(c)) for name, when, a, b, c in result}


def execute(at: AppTest) -> dict[str, Any]:
    """What the snippet on the page reads, run as a reader would."""
    space: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(snippet(at), "snippet", "exec"), space)
    return space["readings"]


def test_the_first_view_teaches_without_a_click() -> None:
    at = start()
    assert [alt.split(",")[0] for alt in charts(at)] == ["TRA", "DeepBE", "INT", "RBC"]
    assert "Rails at 350." in charts(at)[3]
    assert "aimed at the decision margin" in bodies(at)
    result = stacks(at)
    names = ("TRA", "DeepBE", "INT", "RBC")
    assert all(sum(result[name, when]) == 50 for name in names for when in ("before", "after"))
    for name in ("TRA", "RBC"):
        assert result[name, "before"][0] >= 48
        assert result[name, "after"][0] <= 5
    assert any("upper bound" in c.value for c in at.caption)


def test_the_own_loss_leaves_fitted_systems_where_they_are_and_says_why() -> None:
    at = start(objective="train", systems=["tra", "int", "rbc"])
    result = stacks(at)
    assert result["TRA", "after"][0] <= 5
    assert result["RBC", "after"][0] >= 0.5 * result["RBC", "before"][0]
    (masked,) = re.findall(r"no gradient to follow on ([^.]*)\.", bodies(at))
    assert re.findall(r"\((\w+)\)", masked) == ["INT", "RBC"]
    assert sum("· masked" in c.value for c in at.caption) == 2
    medians = re.search(r"Median (\S+) before, (\S+) after", charts(at)[2])
    assert medians and float(medians[1]) == pytest.approx(float(medians[2]), rel=0.3)


@pytest.mark.parametrize("query", [
    {}, {"outputs_bit": "bit 2"}, {"outputs_class": "7"}, {"outputs_bit": "bit 4", "systems": ["rbc", "deepbe"]},
    {"target": "3", "attack": "FGSM"}, {"start": "true", "restarts": "2", "seed": "5", "systems": ["int"]},
], ids=lambda q: "-".join(q) or "default")
def test_the_snippet_gives_the_numbers_of_the_page(query: dict[str, str | list[str]]) -> None:
    at = start(**query)
    text = charts(at)
    readings = execute(at)
    assert len(text) == len(readings) > 0
    for words, reading in zip(text, readings.values(), strict=True):
        assert f"{len(reading.before)} images, {reading.axis}" in words
        assert f"Median {np.median(reading.before):.4g} before, {np.median(reading.after):.4g} after" in words
        for kind, word in (("correct", "correct"), ("wrong", "wrong"), ("abnormal", "None")):
            assert f"{reading.kinds.count(kind)} {word}" in words


def test_bit_and_class_choose_what_is_drawn() -> None:
    at = start()
    clean(at.selectbox(key="outputs_bit").set_value("bit 1").run())
    assert ["output of bit 1" in alt for alt in charts(at)] == [False, True, False, True]
    assert "Rails at -350 and 350" in charts(at)[3]
    clean(at.selectbox(key="outputs_class").set_value("3").run())
    threes = int((data.load("digits", "test").labels[:50] == 3).sum())
    assert all(f", {threes} images" in alt for alt in charts(at))
    assert sum(stacks(at)["INT", "after"]) == threes


def test_s_moves_the_picture_and_not_what_the_margin_breaks() -> None:
    at = start(systems=["tra"])
    assert len(charts(at)) == 1, "S waits for a guess"
    clean(at.button(key="outputs_show").click().run())
    small, large = charts(at)[1:]
    assert "Rails at 10." in small and "Rails at 350." in large
    medians = [float(re.search(r"Median (\S+) before", alt)[1]) for alt in (small, large)]  # type: ignore[index]
    assert medians[1] > 5 * medians[0]
    result = stacks(at)
    for called in ("S = 10", "S = 350"):
        assert result[called, "margin"][0] <= 5
        assert result[called, "training loss"][0] >= 0.4 * result[called, "before"][0]
    assert "A stronger attack may leave less." in "".join(m.value for m in at.markdown)


def test_what_a_system_does_not_have_is_one_sentence_and_the_rest_stays() -> None:
    at = start(systems=["tra", "int", "rbc"], objective="up")
    assert sum("number line" in s for s in sentences(at)) == 2
    assert len(charts(at)) == 1
    at = start(systems=["tra"], objective="unclipped")
    assert "the reason is given for each system" in bodies(at)
    assert "Code, link, files" not in [bar.label for bar in at.expander]


def test_a_class_that_is_not_among_few_pictures() -> None:
    labels = data.load("digits", "test").labels[:50]
    rare = next((k for k in range(10) if not (labels == k).any()), None)
    at = start(outputs_class=str(rare if rare is not None else 0), systems=["rbc"])
    assert (not charts(at)) == (rare is not None)


@pytest.mark.parametrize(("key", "value"), [("outputs_bit", "bit 9"), ("outputs_class", "<b>"), ("n", "17"),
                                            ("objective", "luck"), ("systems", "gpt")])
def test_nonsense_in_a_link_is_dropped(key: str, value: str) -> None:
    assert len(charts(start(**{key: value}))) in (0, 4)
