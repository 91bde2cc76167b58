"""Pages that are looked at again by themselves: whatever meets whatever, the page stays whole and where it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.runtime.scriptrunner import RerunData, ScriptRunnerEvent, get_script_run_ctx
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.local_script_runner import LocalScriptRunner
from visitors import TOKENS, own_jobs, visit

from lab_ui.results import feature_maps, reports
from lab_ui.shell import former
from lab_ui.visitor import identity, jobs, own_systems, rooms
from lab_ui.visitor.room import Room
from tasklab import zoo
from tasklab.jobs.training import Training
from tests.app.front_end import LOOK, PAGE, follow


@pytest.fixture(autouse=True)
def _own_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("TASKLAB_DATA", str(tmp_path / "no data"))
    monkeypatch.setattr(identity, "_token", lambda: TOKENS["ann"])
    with own_jobs(monkeypatch, tmp_path / "jobs", fresh=True):
        jobs.scheduler().at_once = 0  # jobs are queued, and do not begin
        yield
        rooms.store().close(identity.folder_of(TOKENS["ann"]))
        st.cache_resource.clear()


def train() -> AppTest:
    own_systems.bring(zoo.path("digits-tra").read_bytes(), "mine.safetensors")  # it stands below the jobs
    begun = jobs.start("train", Training().to_dict() | {"name": "digits-mine-too"})
    return visit("train", train_right=begun)


def report() -> AppTest:
    jobs.start("report", reports.settings_of("digits", "digits-tra", 50, 1))
    at = visit("robust")
    at.session_state["robust_revealed"] = True
    return at


def feature_map() -> AppTest:
    return visit("feature_map")


def opened() -> Room:
    return rooms.store().create(identity.folder_of(TOKENS["ann"]), eps=0.2, system="rbc")


def teachers_room() -> AppTest:
    opened()
    return visit("room")


def phones_room() -> AppTest:
    return visit("room", "bob", join=opened().code)


@pytest.mark.parametrize("page", [train, report, feature_map, teachers_room, phones_room])
@pytest.mark.parametrize("busy", [False, True])
def test_a_page_that_is_polled_stays_whole_and_where_it_is(
    page: Callable[[], AppTest], busy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_maps.Forming, "run", lambda forming, points: None)  # no map comes to its end
    tab = follow(monkeypatch, page(), PAGE, LOOK, PAGE, LOOK, busy=busy)
    assert tab.polling
    assert tab.places[-1] == tab.places[0], "a run of the page after a look draws elsewhere"
    assert tab.shape() == tab.first, "a look right after a run of the page leaves other parts than the run did"


@pytest.mark.parametrize("refused", [True, False])
def test_a_late_request_of_the_page_that_was_left_is_not_answered(
    refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, refuse, runs, at = LocalScriptRunner.__init__, former.refuse, list[list[str]](), visit("codecs")

    def begun(runner: LocalScriptRunner, *args: Any, **settings: Any) -> None:
        begin(runner, *args, **settings)
        runner.on_event.connect(heard, weak=False)
        runner._fragment_storage.register("of codecs", lambda: None)

    def heard(sender: object, event: ScriptRunnerEvent, **described: Any) -> None:
        if event == ScriptRunnerEvent.SCRIPT_STARTED:
            runs.append(described["fragment_ids_this_run"] or [])

    def late() -> None:
        context = get_script_run_ctx()
        assert context is not None and context.script_requests is not None
        context.script_requests.request_rerun(RerunData(fragment_id_queue=["of codecs"]))
        if refused:
            refuse()
        assert context.fragment_storage.contains("of codecs") is not refused

    monkeypatch.setattr(LocalScriptRunner, "__init__", begun)
    monkeypatch.setattr(former, "refuse", late)
    at.switch_page("app_pages/start.py").run()
    assert runs == ([[]] if refused else [[], ["of codecs"]])  # the second is what clears the page in the browser
