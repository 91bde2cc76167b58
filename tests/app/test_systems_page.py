"""The page on systems: every system is listed with what is on record, has its page, and nothing is measured."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from lab_ui.basics.words import title
from lab_ui.visitor import own_systems
from tasklab import zoo
from tasklab.evaluation.cards import figure
from tasklab.evaluation.report_file import kept_report
from tasklab.system import System
from tests.app.live_parts import snippet
from tests.app.visitors import clean, own_jobs, sentences, visit

SHIPPED = zoo.names()


@pytest.fixture(autouse=True)
def _own_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The shipped systems, no images but digits, and jobs of this test alone."""
    monkeypatch.delenv("TASKLAB_ZOO", raising=False)
    monkeypatch.setenv("TASKLAB_DATA", str(tmp_path / "no data"))

    with own_jobs(monkeypatch, tmp_path / "jobs"):
        yield


@pytest.fixture
def _nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a network was run")

    monkeypatch.setattr(System, "outputs", refuse)


def bodies(at: AppTest) -> str:
    return "\n".join(e.proto.body for e in at.main.get("html") if hasattr(e.proto, "body"))


def rows(at: AppTest) -> dict[str, list[str]]:
    """Name of a system to the cells of its row, as text."""
    results = {}
    for row in re.findall(r"<tr><td>.*?</tr>", bodies(at)):
        name = re.search(r"\?system=([^\"&]+)", row)
        assert name is not None
        results[name[1]] = [re.sub(r"<[^>]+>", " ", cell) for cell in re.findall(r"<td>(.*?)</td>", row)]
    return results


@pytest.mark.usefixtures("_nothing_runs")
def test_every_system_is_in_the_table_with_the_numbers_of_its_records() -> None:
    result = rows(visit("systems"))
    assert sorted(result) == sorted(SHIPPED)
    for name, (_rank, without, worst, own, verdict) in result.items():
        card, report = zoo.card(name), kept_report(name)
        on_card = figure(card, "clean")
        assert report is not None and on_card is not None
        assert f"{100 * on_card['accuracy']:.1f} %" in without and f"n = {on_card['n']:,}" in without
        eps = report.claim_eps
        attacked = figure(card, "pgd", "train", eps)
        expected = report.claim("train").accuracy.value if attacked is None else attacked["accuracy"]
        assert f"{100 * expected:.1f} %" in own, name
        assert ("do not trust" in verdict) == (report.assessments["train"].verdict == "fail"), name
        n = int(re.findall(r"n = ([\d,]+)", worst)[0].replace(",", ""))
        assert n >= report.n, "the worst case on most images is shown"
        if n == report.n:
            assert f"{100 * report.worst.accuracy.value:.1f} %" in worst, name


def test_each_data_set_is_ranked_by_the_worst_case() -> None:
    result = rows(visit("systems"))
    for dataset in ("digits", "mnist", "cifar10"):
        ranked = [cells for name, cells in result.items() if name.startswith(f"{dataset}-")]
        assert [int(cells[0]) for cells in ranked] == list(range(1, len(ranked) + 1))
        worst = [float(cells[2].split("%")[0]) for cells in ranked]
        assert worst == sorted(worst, reverse=True)


@pytest.mark.parametrize(("query", "kept"), [
    ({"systems_data": "MNIST"}, lambda name: name.startswith("mnist-")),
    ({"systems_task": "INT"}, lambda name: name.endswith("-int")),
    ({"systems_training": "on noise"}, lambda name: name.endswith("-gn")),
    ({"systems_task": ["TRA", "RBC"], "systems_training": "under attack"}, lambda name: "-at" in name),
    ({"systems_data": "nonsense"}, lambda name: True),
])
def test_filters_keep_what_they_say(query: dict[str, Any], kept: Any) -> None:
    assert sorted(rows(visit("systems", **query))) == sorted(name for name in SHIPPED if kept(name))


def test_filters_that_nothing_fits_say_so() -> None:
    at = visit("systems", systems_task="ECOC", systems_training="under attack")
    assert rows(at) == {} and any("No system matches" in words for words in sentences(at))


@pytest.mark.usefixtures("_nothing_runs")
@pytest.mark.parametrize("name", SHIPPED)
def test_each_system_has_its_page(name: str) -> None:
    at = visit("systems", system=name)
    text, key = bodies(at), name.split("-", 1)[1]
    assert f"<h1>{title(key)} · " in text
    assert "not measured" not in text
    assert len(at.main.get("plotly_chart")) >= 1
    assert all(chart.proto.alt for chart in at.main.get("plotly_chart"))
    curve = len(at.main.get("plotly_chart")) == 2
    is_made_by_command = any("The curve of this training run was not recorded" in m.value for m in at.markdown)
    assert curve != is_made_by_command, "the curve, or how it is made"
    if is_made_by_command:
        assert zoo.card(name)["command"] in [code.value for code in at.code]
    assert {"systems_attack", "systems_ask"} <= {button.key for button in at.button}


def test_the_attack_lab_opens_with_it() -> None:
    at = visit("systems", system="digits-rbc-at-margin")
    clean(at.button(key="systems_attack").click().run())
    assert at.multiselect(key="systems").value == ["rbc", "rbc-at-margin"]


def test_an_own_system_has_the_page_and_says_what_makes_its_numbers(tmp_path: Path) -> None:
    at = visit("systems")
    from lab_ui.visitor import identity

    home = identity.root() / identity.folder_of(at.session_state[identity.KEPT]) / "systems"
    home.mkdir(parents=True)
    shutil.copy(zoo.path("digits-rbc"), home / f"digits-{own_systems.MARK}own{zoo.SUFFIX}")
    at = visit("systems")
    assert "digits-my-own" in rows(at)
    at = visit("systems", system="digits-my-own")
    words = " ".join(m.value for m in at.markdown)
    assert "There is no report on this system yet" in words and "was not recorded" in words
    assert any("tasklab worst digits-my-own.safetensors" in code.value for code in at.code)
    assert at.button(key="systems_ask").label == "Measure its robustness"
    clean(at.button(key="systems_ask").click().run())
    assert at.selectbox(key="robust_system").value == "my-own"


@pytest.mark.parametrize("name", ["nobody", "../../etc/passwd", "<script>alert(1)</script>", "digits-my-nobody"])
def test_an_unknown_name_is_one_sentence_and_the_table(name: str) -> None:
    at = visit("systems", system=name)
    assert "There is no system" in sentences(at)[0] and "<script>" not in bodies(at)
    assert len(rows(at)) == len(SHIPPED)


@pytest.mark.parametrize("query", [{}, {"system": "mnist-rbc"}])
def test_the_snippet_reads_the_page_s_numbers(query: dict[str, str]) -> None:
    at = visit("systems", **query)
    space: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(snippet(at), "snippet", "exec"), space)
    if query:
        value = 100 * space["row"].own.accuracy.value
        assert f"{value:.1f} %" in bodies(at)
    else:
        assert {each.name for each in space["systems"]} == set(rows(at))


@pytest.mark.parametrize(("page", "query", "names"), [
    ("attack_lab", {"systems": ["tra", "rbc"], "steps": "2"}, ["digits-tra", "digits-rbc"]),
    ("outputs", {"systems": "rbc", "steps": "2", "n": "50"}, ["digits-rbc"]),
    ("draw", {"systems": "rbc", "steps": "2"}, ["digits-rbc"]),
    ("feature_map", {"systems": "int", "feature_map_kind": "PCA"}, ["digits-int"]),
    ("transfer", {"systems": ["tra", "int"], "steps": "2", "n": "50"}, ["digits-tra", "digits-int"]),
    ("robust", {"robust_system": "tra-at"}, ["digits-tra-at"]),
    ("train", {}, ["digits-tra", "digits-rbc"]),
])
def test_a_page_that_names_a_system_links_to_its_page(page: str, query: dict[str, Any], names: list[str]) -> None:
    at = visit(page, **query)
    text = "".join(e.proto.body for part in (at.main, at.sidebar) for e in part.get("html") if hasattr(e.proto, "body"))
    links = [link.proto.query_string for link in at.main.get("page_link")]
    for name in names:
        assert f'href="systems?system={name}"' in text or f"system={name}" in " ".join(links), name


def test_the_paper_s_page_links_to_the_systems_of_a_task() -> None:
    links = [link.proto.query_string for link in visit("paper", paper_system="INT").main.get("page_link")]
    assert "systems_task=INT" in links
