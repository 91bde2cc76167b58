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
from tasklab.evaluation.studies import keep_studies, kept_study, row_of
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
    with scheduling(tmp_path / "jobs") as found:
        monkeypatch.setattr(jobs, "scheduler", lambda: found)
        yield
    torch.set_num_threads(threads)


def study_of(name: str) -> dict[str, Any]:
    found = kept_study(name)
    assert found is not None, f"no report of {name} is shipped"
    return found


def bodies(at: AppTest) -> str:
    return "\n".join(e.proto.body for e in at.main.get("html") if hasattr(e.proto, "body"))


def charts(at: AppTest) -> list[Any]:
    return [chart.proto for chart in at.main.get("plotly_chart")]


def traces(at: AppTest) -> list[str]:
    """Names of the curves on the first chart."""
    spec = json.loads(charts(at)[0].spec)
    return [trace["name"] for trace in spec["data"] if trace["mode"] == "lines+markers" and "yaxis" not in trace]


def percent(row: dict[str, Any] | None) -> str:
    assert row is not None
    return f"{100 * row['correct'] / row['n']:.0f} %"


def test_the_first_view_shows_the_claim_and_asks() -> None:
    at = visit("robust")
    study = study_of("digits-rbc")
    assert f"it still reads <b>{percent(row_of(study, 'train', 0.2))}</b>" in bodies(at)
    assert traces(at) == [CURVES["train"], CURVES["noise"]]
    assert "worst case" not in bodies(at) and "rob-claim\"" not in bodies(at)
    assert all(chart.alt for chart in charts(at))
    at.segmented_control(key="robust_predicted").set_value("hardly any").run()
    clean(at.button(key="robust_show").click().run())
    assert "You expected: **hardly any**" in at.caption[0].value
    assert percent(row_of(study, "margin", 0.2)) in bodies(at)


def opened(**query: str | list[str]) -> AppTest:
    at = visit("robust", **query)
    if not at.main.get("html") or "rob-claim\"" not in bodies(at):
        clean(at.button(key="robust_show").click().run())
    return at


def test_flipping_the_aim_changes_the_lights() -> None:
    at = opened()
    report = study_of("digits-rbc")["reports"]
    assert report["train"]["sentence"] in bodies(at)
    assert bodies(at).count("✕ fail") >= 3, "the claim's card, and at least two lights"
    at.segmented_control(key="robust_aim").set_value("margin").run()
    clean(at)
    assert report["margin"]["sentence"] in bodies(at)
    assert bodies(at).count("✕ fail") == 1, "the card of the other claim stays"


def test_every_number_has_its_badge() -> None:
    at = opened()
    badges = [c.value for c in at.caption if "objective" in c.value]
    assert len(badges) == 2
    study = study_of("digits-rbc")
    row = row_of(study, "train", 0.2)
    assert row is not None
    zero = f"gradient exactly 0 for {100 * row['zero_gradient'] / row['clean']:.0f} %"
    assert zero in badges[0] and "verdict: fail" in badges[0] and f"n = {study['n']}" in badges[0]
    assert "20 steps" in badges[0] and "verdict: pass" in badges[1]


def test_an_adversarially_trained_softmax_has_no_red_light() -> None:
    at = opened(robust_system="tra-at")
    assert "✕ fail" not in bodies(at)
    assert "▲ warn" in bodies(at)
    own, worst = (row_of(study_of("digits-tra-at"), curve, 0.2) for curve in ("train", "worst"))
    assert own is not None and worst is not None
    assert own["correct"] > worst["correct"] > 0.3 * own["n"]


@pytest.mark.parametrize("name", zoo.names())
def test_every_shipped_system_has_a_report_that_fits(name: str) -> None:
    dataset, key = name.split("-", 1)
    study = study_of(name)
    assert study["n"] >= {"digits": 200, "mnist": 100, "cifar10": 50}[dataset]
    at = opened(robust_system=key, data=dataset)
    assert study["reports"]["train"]["sentence"] in bodies(at)
    assert len(charts(at)) == 2


def test_reports_are_read_without_the_pictures() -> None:
    at = opened(data="mnist")
    claim, worst = (percent(row_of(study_of("mnist-rbc"), curve, 0.2)) for curve in ("train", "worst"))
    assert claim in bodies(at) and worst in bodies(at)
    assert any("MNIST is not on this machine yet" in said for said in sentences(at))
    assert not any(button.label == "Ask" for button in at.button)


def test_links_open_what_they_name() -> None:
    at = visit("robust", robust_aim="margin", robust_system="int", robust_curves=["each bit", "another class"])
    assert traces(at) == ["each bit", "another class"]
    assert study_of("digits-int")["reports"]["margin"]["sentence"] in bodies(at)


@pytest.mark.parametrize("query", [{"robust_system": "gpt"}, {"robust_aim": "luck"}, {"robust_curves": ["☃"]},
                                   {"robust_with": "nobody"}, {"robust_n": "-5"}])
def test_nonsense_in_a_link_is_dropped(query: dict[str, str | list[str]]) -> None:
    at = opened(**query)
    assert len(charts(at)) == 2


def test_no_curve_at_all_and_each_alone() -> None:
    at = opened()
    clean(at.button_group(key="robust_curves").set_value([]).run())
    assert "Switch at least one curve on" in sentences(at)[0] and traces(at) == ["own loss"]
    for words in CURVES.values():
        clean(at.button_group(key="robust_curves").set_value([words]).run())
        assert traces(at) == [words]


def test_the_lesson_runs_and_shows_what_it_says() -> None:
    at = visit("robust")
    for _ in range(5):
        clean(at.button(key="robust_next").click().run())
    assert at.selectbox(key="robust_system").value == "rbc-at-margin"
    assert at.selectbox(key="robust_with").value == "rbc"
    trained, plain = (study_of(f"digits-{key}") for key in ("rbc-at-margin", "rbc"))
    own, worst, before = (row_of(*told, 0.2) for told in ((trained, "train"), (trained, "worst"), (plain, "worst")))
    assert own is not None and worst is not None and before is not None
    assert own["correct"] > 1.2 * worst["correct"] > before["correct"] + 0.2 * own["n"]
    assert "by more than chance explains" in bodies(at)


def test_what_the_lesson_says_of_rbc_is_so() -> None:
    study = study_of("digits-rbc")
    rows = {(row["curve"], row["eps"]): row for row in study["rows"]}
    assert rows["noise", 0.3]["correct"] < rows["train", 0.3]["correct"] / 2, "noise does more harm than the attack"
    for eps in study["eps"]:
        assert abs(rows["train", eps]["correct"] - rows["train", eps]["zero_gradient"]) <= 1, "it left just that share"


def test_the_snippet_gives_the_page_s_numbers() -> None:
    study = study_of("digits-rbc")
    at = visit("robust")
    code = snippet(at).replace("queries=100", "queries=1")
    space: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, "snippet", "exec"), space)
    for row, aim in zip(space["rows"][1:], ("train", "margin"), strict=True):
        kept = row_of(study, aim, 0.2)
        assert kept is not None
        assert row.outcomes.correct == pytest.approx(kept["correct"], abs=2)
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
    monkeypatch.setattr(reports, "settings_of", lambda *told: settings_of(*told) | small)
    at = visit("robust")
    assert "Nobody has asked <b>TRA</b> yet" in bodies(at)
    at.selectbox(key="robust_n").set_value(50)
    clean(next(b for b in at.button if b.label == "Ask").click().run())
    (view,) = jobs_of(at)
    assert view.kind == "report" and view.settings["n"] == 50
    until(lambda: jobs_of(at)[0].state == "done", 400)
    clean(at.run())
    if "rob-claim\"" not in bodies(at):
        clean(at.button(key="robust_show").click().run())
    assert any("n = 50 pictures" in c.value for c in at.caption)
    assert "asked by you" in "".join(m.value for m in at.markdown)


def jobs_of(at: AppTest) -> list[jobs.JobView]:
    from lab_ui.visitor import identity

    who = identity.folder_of(at.session_state[identity.KEPT])
    return [jobs._view(job) for job in jobs.scheduler().jobs(who)]


def test_a_report_of_another_file_is_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "zoo"
    folder.mkdir()
    shutil.copy(SHIPPED / "digits-tra.safetensors", folder / "digits-rbc.safetensors")
    keep_studies({"digits-rbc": study_of("digits-rbc")}, folder)
    monkeypatch.setattr(zoo, "folder", lambda: folder)
    assert "Nobody has asked <b>RBC</b> yet" in bodies(visit("robust"))
