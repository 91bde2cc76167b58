"""The page of claims: guess, reveal, flip, compare, ask again; and that its numbers are the library's."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest

from lab_ui.results import reports
from lab_ui.results.reports import CURVES
from lab_ui.visitor import jobs
from tasklab import zoo
from tasklab.evaluation.report import Report, ReportRow
from tasklab.evaluation.report_file import keep_reports, kept_report
from tests.app.live_parts import snippet
from tests.app.visitors import clean, scheduling, sentences, until, visit

SHIPPED = zoo.folder()


@pytest.fixture(autouse=True)
def _own_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The shipped systems, digits alone, jobs of this test alone, threads given back."""
    monkeypatch.delenv("TASKLAB_ZOO", raising=False)
    monkeypatch.setenv("TASKLAB_DATA", str(tmp_path / "no data"))
    monkeypatch.setenv("TASKLAB_JOBS", str(tmp_path / "jobs"))
    threads = torch.get_num_threads()
    with scheduling(tmp_path / "jobs") as result:
        monkeypatch.setattr(jobs, "scheduler", lambda: result)
        yield
    torch.set_num_threads(threads)


def report_of(name: str) -> Report:
    report = kept_report(name)
    assert report is not None, f"no report of {name} is shipped"
    return report


def bodies(at: AppTest) -> str:
    return "\n".join(e.proto.body for e in at.main.get("html") if hasattr(e.proto, "body"))


def charts(at: AppTest) -> list[Any]:
    return [chart.proto for chart in at.main.get("plotly_chart")]


def traces(at: AppTest) -> list[str]:
    """Names of the curves on the first chart."""
    spec = json.loads(charts(at)[0].spec)
    return [trace["name"] for trace in spec["data"] if trace["mode"] == "lines+markers" and "yaxis" not in trace]


def percent(row: ReportRow) -> str:
    return f"{100 * row.accuracy.value:.0f} %"


def test_the_first_view_shows_the_claim_and_asks() -> None:
    at = visit("robust")
    report = report_of("digits-rbc")
    assert f"it still classifies <b>{percent(report.claim('train'))}</b>" in bodies(at)
    assert traces(at) == [CURVES["train"], CURVES["noise"]]
    assert "worst case" not in bodies(at) and "rob-claim\"" not in bodies(at)
    assert all(chart.alt for chart in charts(at))
    clean(at.button(key="robust_show").click().run())
    assert percent(report.claim("margin")) in bodies(at)


def opened(**query: str | list[str]) -> AppTest:
    at = visit("robust", **query)
    if not at.main.get("html") or "rob-claim\"" not in bodies(at):
        clean(at.button(key="robust_show").click().run())
    return at


def test_flipping_the_aim_changes_the_lights() -> None:
    at = opened()
    claims = report_of("digits-rbc").assessments
    assert claims["train"].sentence in bodies(at)
    assert bodies(at).count("✕ fail") >= 2, "at least two lights"
    assert bodies(at).count("✕ do not trust this number") == 1, "the claim's card"
    at.segmented_control(key="robust_aim").set_value("margin").run()
    clean(at)
    assert claims["margin"].sentence in bodies(at)
    assert "✕ fail" not in bodies(at)
    assert bodies(at).count("✕ do not trust this number") == 1, "the card of the other claim stays"


def test_every_number_has_its_badge() -> None:
    at = opened()
    badges = [c.value.replace("\xa0", " ") for c in at.caption if "aimed at" in c.value]
    assert len(badges) == 2
    report = report_of("digits-rbc")
    row = report.claim("train")
    assert row.zero_gradient is not None
    zero = f"gradient exactly 0 for {100 * row.zero_gradient / row.clean:.0f} %"
    assert zero in badges[0] and "do not trust this number" in badges[0] and f"n = {report.n}" in badges[0]
    assert "20 steps" in badges[0] and "an honest number" in badges[1]
    assert "aimed at the training loss" in badges[0] and "aimed at the decision margin" in badges[1]
    assert "gradient exactly 0" not in badges[1], "a share of 0 is left out"


def test_an_adversarially_trained_softmax_has_no_red_light() -> None:
    at = opened(robust_system="tra-at")
    assert "✕ fail" not in bodies(at)
    assert "▲ warn" in bodies(at)
    report = report_of("digits-tra-at")
    assert report.claim("train").outcomes.correct > report.worst.outcomes.correct > 0.3 * report.n


@pytest.mark.parametrize("name", zoo.names())
def test_every_shipped_system_has_a_report_that_fits(name: str) -> None:
    dataset, key = name.split("-", 1)
    report = report_of(name)
    assert report.n >= {"digits": 200, "mnist": 100, "cifar10": 50}[dataset]
    at = opened(robust_system=key, data=dataset)
    assert report.assessments["train"].sentence in bodies(at)
    assert len(charts(at)) == 2


def test_reports_are_read_without_the_pictures() -> None:
    at = opened(data="mnist")
    report = report_of("mnist-rbc")
    assert percent(report.claim("train")) in bodies(at) and percent(report.worst) in bodies(at)
    assert any("MNIST is not on this machine yet" in sentence for sentence in sentences(at))
    assert not any(button.label == "Measure" for button in at.button)


def test_links_open_what_they_name() -> None:
    at = visit("robust", robust_aim="margin", robust_system="int", robust_curves=["each bit", "another class"])
    assert traces(at) == ["each bit", "another class"]
    assert report_of("digits-int").assessments["margin"].sentence in bodies(at)


@pytest.mark.parametrize("query", [{"robust_system": "gpt"}, {"robust_aim": "luck"}, {"robust_curves": ["☃"]},
                                   {"robust_with": "nobody"}, {"robust_n": "-5"}])
def test_nonsense_in_a_link_is_dropped(query: dict[str, str | list[str]]) -> None:
    at = opened(**query)
    assert len(charts(at)) == 2


def test_no_curve_at_all_and_each_alone() -> None:
    at = opened()
    clean(at.button_group(key="robust_curves").set_value([]).run())
    assert "Switch at least one curve on" in sentences(at)[0] and traces(at) == ["training loss"]
    for words in CURVES.values():
        clean(at.button_group(key="robust_curves").set_value([words]).run())
        assert traces(at) == [words]


def test_the_snippet_gives_the_page_s_numbers() -> None:
    report = report_of("digits-rbc")
    at = visit("robust")
    code = snippet(at).replace("queries=100", "queries=1")
    space: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, "snippet", "exec"), space)
    for row, aim in zip(space["rows"][1:], ("train", "margin"), strict=True):
        assert row.outcomes.correct == pytest.approx(report.claim(aim).outcomes.correct, abs=2)
    assert "FAIL" in printed.getvalue()


def test_a_system_without_a_report_can_be_asked_and_the_answer_is_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "zoo"
    folder.mkdir()
    shutil.copy(SHIPPED / "digits-tra.safetensors", folder / "digits-tra.safetensors")
    monkeypatch.setattr(zoo, "folder", lambda: folder)
    small = {"eps": [0.1], "claim_eps": 0.2, "queries": 5}
    settings_of = reports.settings_of
    monkeypatch.setattr(reports, "settings_of", lambda *described: settings_of(*described) | small)
    at = visit("robust")
    assert "The robustness of <b>TRA</b> has not been measured yet" in bodies(at)
    at.selectbox(key="robust_n").set_value(50)
    clean(next(b for b in at.button if b.label == "Measure").click().run())
    (view,) = jobs_of(at)
    assert view.kind == "report" and view.settings["n"] == 50
    until(lambda: jobs_of(at)[0].state == "done", 400)
    clean(at.run())
    if "rob-claim\"" not in bodies(at):
        clean(at.button(key="robust_show").click().run())
    assert any("n\xa0=\xa050 images" in c.value for c in at.caption)
    assert "was made for you" in "".join(m.value for m in at.markdown)


def jobs_of(at: AppTest) -> list[jobs.JobView]:
    from lab_ui.visitor import identity

    who = identity.folder_of(at.session_state[identity.KEPT])
    return [jobs._view(job) for job in jobs.scheduler().jobs(who)]


def test_a_report_of_another_file_is_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "zoo"
    folder.mkdir()
    shutil.copy(SHIPPED / "digits-tra.safetensors", folder / "digits-rbc.safetensors")
    keep_reports({"digits-rbc": report_of("digits-rbc")}, folder)
    monkeypatch.setattr(zoo, "folder", lambda: folder)
    assert "The robustness of <b>RBC</b> has not been measured yet" in bodies(visit("robust"))
