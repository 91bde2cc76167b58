"""Lessons: every step, on every data set, says what the page shows, and each of its numbers stands on the page, too."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest

from lab_ui.basics.lessons import LESSONS, LessonStep, values_of
from lab_ui.visitor import catalogue
from tasklab import data
from tests.app.live_parts import cells, shipped, stop
from tests.app.visitors import clean, own_jobs, until, visit

DATASETS = ("digits", "mnist", "cifar10")
ON_ONE = ("codecs", "train", "regions")
"""Pages whose lesson knows one set of data alone."""

CHOICES = ("selectbox", "button_group", "pills", "segmented_control", "multiselect")
"""Kinds of widgets whose value is one or several of their options."""

CASES = [(page, name) for page in LESSONS if "_" not in page or page == "feature_map" or page == "attack_lab"
         for name in (DATASETS if page not in ON_ONE else DATASETS[:1])]


@pytest.fixture(autouse=True)
def _own_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    threads = torch.get_num_threads()
    with own_jobs(monkeypatch, tmp_path / "jobs"):
        yield
    torch.set_num_threads(threads)


def lesson_of(page: str, name: str) -> tuple[LessonStep, ...]:
    systems = catalogue.systems(name)[0].keys()
    key = "draw_photographs" if page == "draw" and name == "cifar10" else page
    return tuple(step for step in LESSONS[key] if step.needs <= systems)


def texts(at: AppTest) -> str:
    """All that the page says beside its lesson: words, charts and what live components were given."""
    parts = [block.proto.body for block in at.main.get("html") if "aria-live" not in block.proto.body]
    parts += [each.value for kind in (at.main.caption, at.main.markdown) for each in kind]
    parts += [chart.proto.spec + chart.alt for chart in at.main.get("plotly_chart")]
    parts += [each.proto.json for each in at.main.get("bidi_component")]
    parts += [json.dumps(frame.value.to_dict(), default=str) for frame in at.main.dataframe]
    return html.unescape(" ".join(parts)).replace("\xa0", " ")


def said(at: AppTest) -> str:
    """The sentences of the open step."""
    return next(html.unescape(re.sub(r"<[^>]+>", "", block.proto.body)).replace("\xa0", " ")
                for block in at.main.get("html") if "aria-live" in block.proto.body)


def finished(at: AppTest) -> AppTest:
    """The page once its systems are trained and its map is formed."""
    def is_finished() -> bool:
        maps = [json.loads(each.proto.json) for each in at.main.get("bidi_component")
                if each.proto.component_name == "tasklab_map"]
        if any(button.key == "regions_stop" for button in at.button) or any(each["forming"] for each in maps):
            clean(at.run())
            return False
        return True

    return until(lambda: at if is_finished() else None)


@pytest.mark.parametrize(("page", "name"), CASES)
def test_every_step_says_what_is_shown(page: str, name: str) -> None:
    if not data.available(name):
        pytest.skip(f"{name} is not under TASKLAB_DATA")
    few = {} if page in ("codecs", "train", "regions", "robust", "paper") else {"n": "50"}
    at = visit(page, **few, **({"data": name} if page not in ON_ONE else {}))
    lesson = lesson_of(page, name)
    for number, step in enumerate(lesson, 1):
        finished(clean(at.button(key=f"{page}_next").click().run()))
        chosen = {each.key: each.value for kind in CHOICES for each in at.get(kind) if each.key}
        wanted = {key: value for key, value in values_of(lesson, number - 1).items() if key in chosen}
        assert name != "digits" or {key: chosen[key] for key in wanted} == wanted, "all of it can be chosen"
        words = said(at)
        assert words.startswith(step.words)
        fact = words.removeprefix(step.words).strip()
        assert bool(fact) == bool(step.fact), (number, words)
        assert not at.error
        if page not in ON_ONE and page != "paper":
            assert at.segmented_control(key="data").value == name, "the lesson stays where it is"
        on_page = texts(at)
        shares = re.findall(r"(\d+) %", fact)
        assert all(f"{share} %" in on_page or f"{share}%" in on_page for share in shares), (number, fact)
    assert at.button(key=f"{page}_next").disabled


@pytest.mark.parametrize("name", DATASETS)
def test_what_is_said_of_one_image_is_what_its_figure_shows(name: str) -> None:
    if not data.available(name):
        pytest.skip(f"{name} is not under TASKLAB_DATA")
    at, seen = visit("attack_lab", data=name, image="7"), []  # the lesson sets its own image
    for _ in LESSONS["attack_lab"]:
        clean(at.button(key="attack_lab_next").click().run())
        scene = shipped(at, "scene")
        rows: dict[str, list[dict[str, Any]]] = {}
        for aim, cell in cells(scene):
            rows.setdefault(aim, []).append(cell)
        seen.append((said(at), rows, stop(scene) if scene else 0))
    words, rows, _ = seen[0]
    assert [cell["title"] for cell in rows["train"] if cell["zero"][-1]] == re.split(
        ", | and ", words.partition("For ")[2].partition(" the gradient")[0]) and list(rows) == ["train"]
    words, rows, at_eps = seen[1]
    for aim, named in (("train", "training loss"), ("margin", "decision margin")):
        broken = sum(cell["fooled"][at_eps] for cell in rows[aim])
        assert f"{broken} of 4 when it aims at the {named}" in words
    words, rows, _ = seen[3]
    (cell,) = rows["margin"]
    assert cell["chart"]["kind"] == "line" and ("None" in words) == (-1 in cell["decoded"])
    assert name != "digits" or "None" in words, "through a gap"
    words, rows, at_eps = seen[4]
    ends = [cell["decoded"][at_eps] for cell in rows["margin"]]
    none = re.search(r"(\d+)(?: of the \d+)?(?: systems)? answers? None", words)
    assert int(none[1] if none else 0) == ends.count(-1)
    assert all(read != -1 or not fooled for cell in rows["margin"]
               for read, fooled in zip(cell["decoded"], cell["fooled"], strict=True)), "None is an alarm"
