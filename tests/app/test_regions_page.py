"""The plane's script: training bit by bit, stopping, every control, links, the snippet, without a browser."""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
import torch
from streamlit.testing.v1 import AppTest

from lab_ui.panels import plane_views
from lab_ui.panels.plane_controls import POINT, SETS
from lab_ui.results import plane_systems
from lab_ui.results.plane_systems import Plane, PlaneRun
from tasklab import data
from tasklab.attacks import PGD, attack
from tasklab.experiments.plane import Regions, regions
from tasklab.tasks import make_task
from tests.app.live_parts import snippet

PAGE = Path(__file__).parents[2] / "app" / "app_pages" / "regions.py"
QUICK = {"regions_epochs": "10", "regions_n": "100"}


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def start(**query: str | list[str]) -> AppTest:
    """The page once it has trained all systems, of which none was there before."""
    plane_systems._cache.clear()
    at = AppTest.from_file(str(PAGE), default_timeout=120)
    for key, value in (QUICK | query).items():
        at.query_params[key] = value
    return clean(at.run())


def clean(at: AppTest) -> AppTest:
    assert not at.exception, [e.message for e in at.exception]
    return at


def training(at: AppTest) -> bool:
    return any(b.key in ("regions_stop", "regions_go") for b in at.main.button)


def shown(**query: str | list[str]) -> AppTest:
    """The page once all is trained and revealed."""
    at = start(**query)
    at.session_state["regions_revealed"] = True
    return clean(at.run())


def bodies(at: AppTest) -> list[str]:
    return [e.proto.body for e in at.main.get("html")]


def lead(at: AppTest) -> str:
    return next(body for body in bodies(at) if 'class="lab-lead"' in body)


def pictures(at: AppTest) -> list[str]:
    return [body for body in bodies(at) if body.startswith('<div class="lab-live"')]


def charts(at: AppTest) -> list[str]:
    return [chart.proto.alt for chart in at.main.get("plotly_chart")]


def button(at: AppTest, key: str) -> Any:
    return next(b for b in at.main.button if b.key == key)


@pytest.fixture
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images follow one another however long drawing them takes."""
    advance = PlaneRun.advance
    monkeypatch.setattr(PlaneRun, "advance", lambda run, least=0.0: advance(run))


@pytest.fixture
def moments(monkeypatch: pytest.MonkeyPatch, _often: None) -> dict[str, list[bytes]]:
    """What is read everywhere in each image of a training run: task to one after the other."""
    drawn: dict[str, list[bytes]] = {}
    live = plane_views.live

    def watched(regions: Regions, each: Plane) -> None:
        drawn.setdefault(each.task.name, []).append(regions.decoded.numpy().tobytes())
        live(regions, each)

    monkeypatch.setattr(plane_views, "live", watched)
    return drawn


def test_training_is_drawn_from_the_untrained_systems_on(moments: dict[str, list[bytes]]) -> None:
    at = start()
    assert set(moments) == {"tra", "int"}
    for name, task in (("tra", make_task("tra", num_classes=4)), ("int", make_task("int", num_classes=4, beta=16))):
        plane = Plane(data="blobs", n=100, noise=0.06, seed=0, epochs=10, task=task)
        system = plane_systems.trained(plane)
        assert system is not None
        for when, each in ((0, plane.fresh()), (-1, system)):
            assert moments[name][when] == regions(each, side=plane_systems.LIVE).decoded.numpy().tobytes()
        assert len(set(moments[name])) > 5
    assert not training(at) and len(charts(at)) == 2
    assert "INT divides the plane into stripes" in lead(at)
    assert "TRA 0 %" in lead(at)
    assert "INT 100 %" in lead(at)


def test_stop_holds_the_picture_and_go_on_ends_where_it_would_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    advance, calls = PlaneRun.advance, list[PlaneRun]()

    def stopped(run: PlaneRun, least: float = 0.0) -> None:
        advance(run)
        calls.append(run)
        if len(calls) == 6:
            st.session_state["regions_stopped"] = True  # as a click on “Stop” does

    monkeypatch.setattr(PlaneRun, "advance", stopped)
    at = start()
    assert training(at)
    held = pictures(at)
    assert len(held) == 2
    clean(at.run())
    assert pictures(at) == held
    assert "epoch" in at.main.get("progress")[0].proto.text
    clean(button(at, "regions_go").click().run())
    assert not training(at)
    monkeypatch.undo()
    assert charts(at) == charts(start())


def test_what_is_trained_is_there_at_once_for_the_next_person(moments: dict[str, list[bytes]]) -> None:
    start()
    moments.clear()
    at = AppTest.from_file(str(PAGE), default_timeout=120)
    for key, value in QUICK.items():
        at.query_params[key] = value
    clean(at.run())
    assert not moments and not training(at)
    clean(next(b for b in at.main.button if b.label == "Train again").click().run())
    assert len(moments["tra"]) > 5


def test_the_attacks_are_shown_after_the_guess() -> None:
    at = start(regions_tasks=["TRA", "RBC"])
    assert not any("An attack on a point" in alt for alt in charts(at))
    clean(button(at, "regions_show").click().run())
    first, second = (alt for alt in charts(at) if "the square is read as" in alt)
    assert "training loss ends after" in first
    assert "training loss finds no gradient and stays" in second
    assert any("stuck, gradient exactly 0" in body for body in bodies(at))
    assert any("masked: the training loss gave no gradient" in c.value for c in at.main.caption)
    assert any("Along a line" in alt for alt in charts(at))


def test_numbers_under_attack_are_those_of_the_library() -> None:
    shown(regions_tasks=["INT"])
    plane = Plane(data="blobs", n=100, noise=0.06, seed=0, epochs=10, task=make_task("int", num_classes=4))
    system, test = plane_systems.trained(plane), data.load("blobs", "test", n=100, noise=0.06, seed=0)
    assert system is not None
    results = plane_systems.under_attack(plane, 0.25)
    for aim in ("train", "margin"):
        settings = PGD(eps=0.25, steps=20, step_size=0.025, random_start=False, objective=aim)
        result = attack(system, test.x(), test.labels, settings)
        assert results[aim][0].correct == int((result.decoded == test.labels).sum())
    assert results["train"][0].correct == results["clean"][0].correct > results["margin"][0].correct
    assert results["train"][1] == 1


def test_climbing_the_margin_leaves_nothing_flat() -> None:
    at = shown(regions_tasks=["INT", "RBC"])
    assert "INT 100 %" in lead(at)
    clean(at.segmented_control(key="regions_field").set_value("margin").run())
    assert "the gradient of the margin is exactly 0: <b>INT 0 %</b>, <b>RBC 0 %</b>" in lead(at)


def test_s_does_not_move_the_picture_in_its_own_scale_but_does_in_the_paper_s() -> None:
    results = {}
    for form in ("scaled", "paper"):
        for s in ("10", "350"):
            at = start(regions_tasks=["RBC"], regions_s=s, regions_form=form)
            results[form, s] = charts(at)
    assert results["scaled", "10"] == results["scaled", "350"]
    assert results["paper", "10"] != results["paper", "350"]


def test_every_control_can_be_moved() -> None:
    at = start(regions_tasks=["TRA", "DeepBE", "INT", "RBC"], regions_epochs="5", regions_n="50")
    for key, value in (("regions_alpha", 0), ("regions_alpha", 16), ("regions_beta", 1), ("regions_rbc_bits", 6),
                       ("regions_deepbe_bits", 1), ("regions_noise", 0.15), ("regions_eps", 0.5)):
        clean(at.slider(key=key).set_value(value).run())
    for key, value in (("regions_gap", "class below"), ("regions_loss", "bce"), ("regions_rbc_code", "gray"),
                       ("regions_form", "paper")):
        clean(at.segmented_control(key=key).set_value(value).run())
    clean(at.number_input(key="seed").set_value(3).run())
    clean(at.number_input(key="regions_point").set_value(49).run())
    assert len(charts(at)) == 4


@pytest.mark.parametrize("name", SETS)
def test_every_set_opens_with_its_own_noise_and_point(name: str) -> None:
    at = start(regions_tasks=["INT"])
    clean(at.pills(key="regions_set").set_value(name).run())
    assert at.number_input(key="regions_point").value == POINT[name]
    assert at.slider(key="regions_noise").value == data.points.SPREAD[name]


def test_fewer_points_than_the_chosen_one() -> None:
    at = shown(regions_point="99")
    at.select_slider(key="regions_n").set_value(50).run()
    assert clean(at).number_input(key="regions_point").value == 49


def test_no_task_asks_for_one() -> None:
    assert "Pick at least one task" in start(regions_tasks="").info[0].value


@pytest.mark.parametrize("query", [{}, {"regions_set": "spirals", "regions_tasks": ["DeepBE", "RBC"], "seed": "2"}],
                         ids=["default", "spirals"])
def test_the_snippet_says_what_the_page_says(query: dict[str, str | list[str]]) -> None:
    at, space = shown(**query), dict[str, Any]()
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(snippet(at), "snippet", "exec"), space)
    for name, each in space["found"].items():
        title = {"tra": "TRA", "int": "INT", "rbc": "RBC", "deepbe": "DeepBE"}[name]
        assert f"<b>{title} {100 * each.flat_share:.0f} %</b>" in lead(at)
    rows = [body for body in bodies(at) if body.startswith('<div class="lab-ways"')]
    chips = [part.split("</span>")[0].split()[-1] for row in rows for part in row.split('<span class="lab-chip')[1:]]
    assert chips == ["None" if end == -1 else "ABCD"[end] for end in space["ends"].values()]


def test_a_run_that_diverges_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from tasklab.training import Recipe

    monkeypatch.setattr(Plane, "recipe", Recipe(epochs=10, batch_size=50, lr=1e30, optimizer="sgd", warmup=0.0))
    at = start(regions_tasks=["RBC"])
    assert "Try another seed" in at.warning[0].value


def test_a_dropped_system_is_trained_again_without_a_word() -> None:
    plane = Plane(data="moons", n=50, noise=0.03, seed=0, epochs=5, task=make_task("tra", num_classes=2))
    plane_systems.forget((plane,))
    first = plane_systems.read(plane, "train")
    plane_systems.forget((plane,))
    plane_systems.read.clear()
    assert torch.equal(plane_systems.read(plane, "train").decoded, first.decoded)


def test_a_run_in_bits_ends_where_one_in_whole_does() -> None:
    plane = Plane(data="blobs", n=100, noise=0.06, seed=1, epochs=4, task=make_task("rbc", num_classes=4))
    run = PlaneRun(plane)
    while not run.done:
        run.advance()
    from tasklab.training import fit

    whole = plane.fresh()
    for _ in fit(whole, plane.points, plane.recipe):
        pass
    for one, other in zip(run.system.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(one, other)


def test_where_drawing_takes_long_a_run_goes_further_between_two_pictures() -> None:
    plane = Plane(data="blobs", n=100, noise=0.06, seed=1, epochs=4, task=make_task("rbc", num_classes=4))
    short, long = PlaneRun(plane), PlaneRun(plane)
    short.advance()
    long.advance(60.0)
    assert 0 < short.step < long.step == long.steps
    assert long.done and not short.done


@pytest.mark.parametrize("act", ["advance", "stop"])
def test_a_run_of_the_page_that_is_overtaken_leaves_the_training_whole(
    monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    began, goes_on, errors = threading.Event(), threading.Event(), list[BaseException]()

    def slow(*given: Any) -> Iterator[None]:
        for _ in range(2):
            began.set()
            assert goes_on.wait(60)
            yield

    def watched(work: Callable[[], None]) -> None:
        try:
            work()
        except ValueError as error:
            errors.append(error)

    monkeypatch.setattr(plane_systems, "fit", slow)
    monkeypatch.setattr(plane_systems, "PATIENCE", 60.0)
    plane_systems._cache.clear()
    plane = Plane(data="moons", n=50, noise=0.03, seed=0, epochs=5, task=make_task("tra", num_classes=2))
    run = PlaneRun(plane)
    overtaken = threading.Thread(target=watched, args=(run.advance,))
    overtaken.start()
    assert began.wait(60)
    other = threading.Thread(target=watched, args=(getattr(run, act),))
    other.start()
    other.join(0.2)  # it waits, or has failed by now
    goes_on.set()
    overtaken.join()
    other.join()
    assert not errors and run.done
    run.advance()
    assert plane_systems.trained(plane) is run.system, "what it was about to finish is kept"
    plane_systems.forget((plane,))
    let_go = PlaneRun(plane)
    let_go.stop()
    let_go.advance()
    assert plane_systems.trained(plane) is None, "half trained"
