"""The player takes PGD's steps as the library takes them, and charts say in words what the library's figures say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from tasklab.attacks import PGD
from tasklab.attacks.geometry import bounds, step
from tasklab.experiments.sweep import sweep
from tasklab.figures.describing import describe_outputs
from tasklab.figures.live.page import script, stylesheet
from tasklab.figures.live.sweep import chart_data, scene_data
from tasklab.system import System
from tasklab.tasks import make_task
from tests.browser.serving import browsing


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with browsing() as browser:
        page = browser.new_page()
        known = "\nwindow.lab = { pgdStep, said, chip, outcome, number, gauges };"
        page.add_script_tag(content=script("player") + known)
        yield page
        page.close()


@pytest.mark.parametrize("step_size", [0.05, 0.4])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_step_is_the_library_s_step(page: Any, norm: Any, step_size: float) -> None:
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(40, 1, 4, 4, generator=generator)
    clean[:10] = clean[:10].round()  # at the ends of [0, 1]
    eps = 0.1 if norm == "linf" else 0.3
    box = bounds(clean, eps, norm)
    x = step(clean, torch.randn(clean.shape, generator=generator), clean, box, eps=eps, step_size=0.08, norm=norm)
    gradient = torch.randn(clean.shape, generator=generator)
    gradient[5] = 0  # nothing to follow
    gradient[6, 0, 0, 0] = 0
    expected = step(x, gradient, clean, box, eps=eps, step_size=step_size, norm=norm)
    rows = torch.stack([x, gradient, clean], dim=1).flatten(2).tolist()
    result = page.evaluate("([rows, options]) => rows.map(([x, g, c]) => lab.pgdStep(x, g, c, options))",
                          [rows, {"eps": eps, "step_size": step_size, "norm": norm}])
    assert torch.allclose(torch.tensor([f["next"] for f in result]), expected.flatten(1), atol=2e-6)
    moved = torch.tensor([f["moved"] for f in result])
    away = moved - clean.flatten(1)
    for k, one in enumerate(result):
        if norm == "linf":
            assert one["ball"] == int((away[k].abs() > eps + 1e-5).sum())
        else:
            assert one["ball"] == int(float(away[k].norm()) > eps)
    assert result[5]["next"] == pytest.approx(x[5].flatten().tolist(), abs=1e-6)


@pytest.mark.parametrize("task", [
    make_task("tra"), make_task("rbc"), make_task("deepbe"), make_task("int"), make_task("int", gap="floor"),
], ids=lambda task: f"{task.name}-{getattr(task, 'gap', '')}")
def test_charts_say_in_words_what_the_library_s_figures_say(page: Any, task: Any) -> None:
    generator = torch.Generator().manual_seed(1)
    names = [str(k) for k in range(10)]
    z = task.centre + task.unit * torch.randn(20, task.width, generator=generator)
    decoded = task.codec.decode(z).tolist()
    for k in range(0, 20, 2):
        chart = chart_data(task, z[k : k + 2], 3, names)
        view = {"before": z[k].tolist(), "beforeDecoded": decoded[k], "now": z[k + 1].tolist(),
                "decoded": decoded[k + 1], "label": 3}
        text = page.evaluate("([chart, view]) => lab.said(chart, view)", [chart, view])
        assert text.replace("−", "-") == describe_outputs(task, z[k], z[k + 1], label=3)


@pytest.mark.parametrize(("name", "words"), [("rbc", "±350"), ("deepbe", "0, 1")])
def test_rails_that_lie_close_together_share_a_label(page: Any, name: str, words: str) -> None:
    task = make_task(name)
    far = task.centre + 50 * task.unit * torch.ones(2, task.width)
    chart = chart_data(task, far, 3, [str(k) for k in range(10)])
    drawn = page.evaluate("([chart, now]) => String(lab.gauges(chart, { now }, 200, 120))", [chart, far[1].tolist()])
    assert f">{words}<" in drawn


def test_a_verdict_has_a_sign_and_a_word_beside_its_colour(page: Any) -> None:
    chips = page.evaluate("() => [[3, 3], [5, 3], [-1, 3]].map(([d, y]) => lab.chip(d, y, [...'0123456789']))")
    assert [chip[chip.index(">") + 1 : -7] for chip in chips] == [
        "● reads 3 · correct", "✕ reads 5 · wrong", "▨ reads None"]
    evil = page.evaluate("() => lab.chip(0, 1, ['<img src=x>', 'b'])")
    assert "<img" not in evil


def test_the_slider_has_the_places_of_stops_that_are_still_to_come(page: Any) -> None:
    """Until they are there the nearest is shown, and said; then what the hand had chosen, with the slider as it was."""
    torch.manual_seed(0)
    system = System(nn.Sequential(nn.Flatten(), nn.Linear(4, 1)), make_task("int"))
    x, y, many = torch.rand(1, 1, 2, 2), torch.tensor([0]), [k / 10 for k in range(6)]
    few, all_of_them = (
        scene_data({("a", "margin"): sweep(system, x, y, PGD(eps=0), stops)}, eps=0.2, coming=many)
        for stops in ((0.0, 0.2), many)
    )
    tab = page.context.browser.new_page()
    tab.set_content(f"<style>{stylesheet()}</style><main class='tl'></main>")
    tab.add_script_tag(content=script("scene") + """
        window.told = [];
        window.scene = new Scene(document.querySelector("main"));
        scene.onEps = (eps) => told.push(eps);""")
    show = "data => { scene.update(data); return new Promise(requestAnimationFrame); }"
    tab.evaluate(show, few)
    slider = tab.get_by_role("slider")
    knob = "e => [e.min, e.max, e.value, e.getAttribute('aria-valuetext')]"
    assert slider.evaluate(knob) == ["0", "5", "2", "ε = 0.2"]
    slider.press("End")
    tab.wait_for_function("told.length")
    assert tab.evaluate("told") == [0.5], "what is wanted"
    assert slider.evaluate(knob) == ["0", "5", "5", "ε = 0.2"], "what is shown"
    tab.evaluate(show, all_of_them | {"eps": 0.5})
    assert slider.evaluate(knob) == ["0", "5", "5", "ε = 0.5"]
    assert tab.locator("[data-part=epsword]").text_content() == "ε = 0.50"
    tab.close()
