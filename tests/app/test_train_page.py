"""The train page's script: what is recorded, what is trained, whose it is, and everything that can be wrong."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st
import torch
from streamlit.testing.v1 import AppTest
from visitors import APP, TOKENS, clean, own_jobs, sentences, until, visit

from lab_ui.panels import training_controls
from lab_ui.visitor import identity, jobs, own_systems, scheduler
from tasklab import data
from tasklab.curves import recorded
from tasklab.evaluation.cards import figure
from tasklab.figures.training import ZERO
from tasklab.jobs.training import Training
from tasklab.system import System
from tasklab.training import Adversarial, GaussianNoise, UniformNoise
from tests.app.live_parts import snippet

SMALL: dict[str, str | list[str]] = {"train_epochs": "1", "train_n_digits": "200", "train_width": "4"}


@pytest.fixture(autouse=True)
def _own_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with own_jobs(monkeypatch, tmp_path / "jobs"):
        yield


def bodies(at: AppTest) -> str:
    return "\n".join(e.proto.body for e in at.main.get("html") if hasattr(e.proto, "body"))


def alts(at: AppTest) -> list[str]:
    return [chart.proto.alt for chart in at.main.get("plotly_chart")]


def words(at: AppTest) -> str:
    return "\n".join(each.value for each in at.markdown)


def queued(who: str = "ann") -> list[Training]:
    result = jobs.scheduler().jobs(identity.folder_of(TOKENS[who]))
    return [Training.from_dict(job.settings) for job in result]


def shown(at: AppTest, side: str = "right") -> str:
    """Which run stands on a side."""
    return str(next(box for box in at.selectbox if box.label == f"On the {side}").value)


def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs are queued, and do not begin."""
    jobs.scheduler().at_once = 0


def test_the_first_view_teaches_without_a_click() -> None:
    at = visit("train")
    last = recorded()["digits-rbc"]["epochs"][-1]
    assert "RBC (S = 350) after epoch 20: an attack on the training loss leaves " \
        f"<b>{100 * last['own_loss_accuracy']:.0f} %</b> of 200 validation images" in bodies(at)
    assert f"no gradient at all for <b>{100 * last[ZERO]:.0f} %</b> of those classified correctly" in bodies(at)
    assert f"the same attack leaves <b>{100 * last['robust_accuracy']:.0f} %</b>" in bodies(at)
    left, right = alts(at)
    assert left.startswith("TRA. After epoch 20")
    assert right.startswith("RBC (S = 350). After epoch 20")
    assert "Train your own.** RBC (S = 350), 1,097 images of digits, 20 epochs." in words(at)


def test_nobody_who_only_looks_leaves_a_trace(tmp_path: Path) -> None:
    visit("train")
    assert not (tmp_path / "jobs").exists()


def test_the_sweep_is_revealed_and_says_what_was_measured() -> None:
    at = visit("train")
    at.button(key="train_show").click().run()
    *_, sweep = alts(clean(at))
    for S in (1, 10, 100, 350):
        name = {350: "digits-rbc"}.get(S, f"digits-rbc-s{S}")
        rows = {(row["objective"], row["eps"]): row for row in recorded()[name]["metrics"]}
        assert (f"S = {S}: no attack {100 * rows[None, 0.0]['accuracy']:.0f} %, attack on the decision "
                f"{100 * rows['margin', 0.2]['accuracy']:.0f} %, attack on the training loss "
                f"{100 * rows['train', 0.2]['accuracy']:.0f} %") in sweep
    at.segmented_control(key="train_layer").set_value("paper").run()
    at.segmented_control(key="train_sweep_eps").set_value(0.1).run()
    assert alts(clean(at))[-1] != sweep
    assert "S also acts as a learning rate" in bodies(at)


CONTROLS: dict[str, tuple[dict[str, str], Any]] = {
    "S": ({"train_S": "50"}, lambda t: t.task.S == 50),
    "code": ({"train_code": "gray", "train_bits": "5"}, lambda t: (t.task.code, t.task.bits) == ("gray", 5)),
    "layer": ({"train_parametrisation": "paper"}, lambda t: t.task.parametrisation == "paper"),
    "tra": ({"train_task": "TRA"}, lambda t: t.task.name == "tra" and t.recipe.epochs == 20),
    "deepbe": ({"train_task": "DeepBE", "train_loss": "hinge"}, lambda t: t.task.loss_form == "hinge"),
    "int": ({"train_task": "INT", "train_alpha": "2", "train_beta": "8", "train_gap": "floor", "train_s0": "3"},
            lambda t: (t.task.alpha, t.task.beta, t.task.gap, t.task.s0, t.recipe.inset, t.recipe.lr, t.recipe.epochs)
            == (2, 8, "floor", 3, 0.4, 0.01, 50)),
    "adversarial": ({"train_defence": "adversarial", "train_eps": "0.1", "train_inner": "train",
                     "train_inner_steps": "3"},
                    lambda t: t.recipe.defence == Adversarial(eps=0.1, steps=3, objective="train")),
    "gaussian": ({"train_defence": "gaussian", "train_sigma": "0.3"},
                 lambda t: t.recipe.defence == GaussianNoise(sigma=0.3)),
    "uniform": ({"train_defence": "uniform", "train_eps": "0.3"}, lambda t: t.recipe.defence == UniformNoise(eps=0.3)),
    "size": ({"train_epochs": "3", "train_n_digits": "500"}, lambda t: (t.recipe.epochs, t.n) == (3, 500)),
    "more": ({"train_width": "8", "train_lr": "0.02", "train_batch": "64", "train_average": "0.9", "seed": "7"},
             lambda t: (t.width, t.recipe.lr, t.recipe.batch_size, t.recipe.average, t.recipe.seed)
             == (8, 0.02, 64, 0.9, 7)),
    "watch": ({"train_watch": "0.1"}, lambda t: t.watch.eps == 0.1),
    "contrast": ({"train_contrast": "true"}, lambda t: t.contrast == (0.3, 0.7)),
    "network": ({"train_arch": "resnet18"}, lambda t: (t.arch, t.width) == ("resnet18", 32)),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_a_link_sets_the_training_and_the_button_queues_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    still(monkeypatch)
    query, holds = CONTROLS[name]
    at = visit("train", **query)
    clean(at.button(key="train_start").click().run())
    [training] = queued()
    assert holds(training)
    assert shown(at) == jobs.scheduler().jobs(identity.folder_of(TOKENS["ann"]))[0].folder.name


def test_a_link_names_the_runs() -> None:
    at = visit("train", train_left="digits-int", train_right="digits-rbc-gn")
    assert (shown(at, "left"), shown(at)) == ("digits-int", "digits-rbc-gn")
    assert alts(at)[1].startswith("RBC (S = 350), on Gaussian noise")
    next(box for box in at.selectbox if box.label == "On the left").set_value("digits-tra").run()
    assert "train_left" not in clean(at).query_params
    assert at.query_params["train_right"] in ("digits-rbc-gn", ["digits-rbc-gn"])


def test_another_task_opens_with_its_own_recipe() -> None:
    at = visit("train")
    at.selectbox(key="train_task").set_value("int").run()
    assert at.slider(key="train_epochs").value == 50
    clean(at.selectbox(key="train_task").set_value("tra").run())
    assert at.slider(key="train_epochs").value == 20


@pytest.mark.parametrize(
    "query", [{"train_task": "gpt"}, {"train_S": "-1"}, {"train_epochs": "1e9"}, {"train_right": "../../etc"},
              {"train_lr": "fast"}, {"train_left": "digits-my-secret"}, {"data": "imagenet"}],
    ids=lambda q: next(iter(q)),
)
def test_nonsense_in_a_link_is_dropped(query: dict[str, str]) -> None:
    assert len(alts(visit("train", **query))) == 2


def test_a_training_from_click_to_attack() -> None:
    at = visit("train", **SMALL)
    at.text_input(key="train_name").set_value("First Try!").run()
    clean(at.button(key="train_start").click().run())
    assert "Training of my-first-try" in words(at)
    [job] = jobs.scheduler().jobs(identity.folder_of(TOKENS["ann"]))
    until(lambda: jobs.scheduler().state(job) == "done")
    clean(at.run())
    system = System.load(job.folder / "system.safetensors")
    accuracy = system.card["metrics"][0]["accuracy"]
    assert re.search(rf"\*\*my-first-try\*\* · of [\d,]+ test images {100 * accuracy:.1f} % correct", words(at))
    [event] = [event for event in job.events() if event["event"] == "epoch"]
    assert any(alt.startswith(f"my-first-try. After epoch 1: no attack {100 * event['accuracy']:.0f} %")
               for alt in alts(at))
    space: dict[str, Any] = {}
    torch.set_num_threads(1)
    with contextlib.chdir(job.folder), contextlib.redirect_stdout(io.StringIO()):
        exec(compile(snippet(at), "snippet", "exec"), space)
    assert [each.accuracy for each in space["epochs"]] == [pytest.approx(event["accuracy"])]
    assert space["epochs"][0].own_loss_accuracy == pytest.approx(event["own_loss_accuracy"])
    again = System.load(job.folder / "digits-my-first-try.safetensors")
    assert all(torch.equal(value, again.network.state_dict()[key])
               for key, value in system.network.state_dict().items()), "the snippet trains exactly the same system"
    assert "my-first-try" in visit("attack_lab").multiselect(key="systems").options
    assert "my-first-try" not in visit("attack_lab", "bob").multiselect(key="systems").options
    clean(at.button(key="attack digits-my-first-try").click().run())
    assert at.multiselect(key="systems").value == ["rbc", "my-first-try"]
    back = visit("train")
    box = next(box for box in back.selectbox if box.label == "On the right")
    clean(box.set_value(job.folder.name).run())
    assert shown(back) == job.folder.name
    clean(back.button(key="forget digits-my-first-try").click().run())
    assert "my-first-try" not in words(back)
    assert not job.folder.exists()


def test_stop_and_resume(monkeypatch: pytest.MonkeyPatch) -> None:
    at = visit("train", **SMALL | {"train_epochs": "100"})
    clean(at.button(key="train_start").click().run())
    [job] = jobs.scheduler().jobs(identity.folder_of(TOKENS["ann"]))
    name = job.folder.name
    until(lambda: any(event["event"] == "epoch" for event in job.events()))
    clean(at.button(key=f"stop {name}").click().run())
    until(lambda: jobs.scheduler().state(job) == "stopped")
    clean(at.run())
    assert "■ stopped" in words(at)
    before = sum(event["event"] == "epoch" for event in job.events())
    clean(at.button(key=f"resume {name}").click().run())
    until(lambda: sum(event["event"] == "epoch" for event in job.events()) > before)
    clean(at.button(key=f"stop {name}").click().run())
    until(lambda: jobs.scheduler().state(job) == "stopped")
    clean(at.run())
    clean(at.button(key=f"remove {name}").click().run())
    assert "Training of" not in words(at)


def test_what_waits_says_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    still(monkeypatch)
    at = visit("train", **SMALL)
    for _ in range(2):
        clean(at.button(key="train_start").click().run())
    assert [training.name for training in queued()] == ["digits-my-rbc-s350", "digits-my-rbc-s350-2"]
    text = [bar.proto.text for bar in at.main.get("progress")]
    assert text == ["next in line, 0 running", "1 before it, 0 running"]


def test_a_browser_that_clears_the_caches_ends_no_queue() -> None:
    first = jobs.scheduler()
    st.cache_resource.clear()
    assert jobs.scheduler() is first and not first.closed
    first.close()
    assert jobs.scheduler() is not first


def test_a_server_that_restarts_offers_to_go_on(tmp_path: Path) -> None:
    at = visit("train", **SMALL | {"train_epochs": "100"})
    clean(at.button(key="train_start").click().run())
    [job] = jobs.scheduler().jobs(identity.folder_of(TOKENS["ann"]))
    until(lambda: any(event["event"] == "epoch" for event in job.events()))
    jobs.scheduler().close()
    at = visit("train")
    assert "◌ interrupted" in words(at)
    clean(at.button(key=f"resume {job.folder.name}").click().run())
    until(lambda: jobs.scheduler().state(job) == "running")


def test_too_many_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    still(monkeypatch)
    monkeypatch.setattr(scheduler, "MAX_WAITING", 1)
    at = visit("train", **SMALL)
    for _ in range(2):
        clean(at.button(key="train_start").click().run())
    assert any("1 jobs running or waiting already" in sentence for sentence in sentences(at))
    assert len(queued()) == 1


def test_another_visitor_sees_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    still(monkeypatch)
    at = visit("train", **SMALL)
    clean(at.button(key="train_start").click().run())
    name = jobs.scheduler().jobs(identity.folder_of(TOKENS["ann"]))[0].folder.name
    other = visit("train", "bob", train_right=name)
    assert "Training of" not in words(other)
    assert all("my-rbc" not in option for box in other.selectbox for option in box.options)
    assert shown(other) == "digits-rbc"
    assert queued("bob") == []


def test_a_sweep_is_four_trainings_that_differ_in_s(monkeypatch: pytest.MonkeyPatch) -> None:
    still(monkeypatch)
    at = visit("train", train_task="INT", train_epochs="2")
    at.button(key="train_show").click().run()
    clean(at.button(key="train_sweep").click().run())
    result = queued()
    assert [training.task.S for training in result] == [1, 10, 100, 350]
    rest = [training.to_dict() | {"task": None, "name": None} for training in result]
    assert all(each == rest[0] for each in rest)


def test_ones_own_sweep_is_shown_once_it_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    at = visit("train", **SMALL)
    for S in (10, 100):
        at.number_input(key="train_S").set_value(S).run()
        clean(at.button(key="train_start").click().run())
    mine = jobs.scheduler().jobs(identity.folder_of(TOKENS["ann"]))
    until(lambda: all(jobs.scheduler().state(job) == "done" for job in mine))
    clean(at.button(key="train_show").click().run())
    assert any("The sweep is your own" in caption.value and "test images" in caption.value for caption in at.caption)
    assert alts(at)[-1].startswith("S = 10: ")
    lines = [line for line in words(at).splitlines() if " % correct" in line]
    cards = [own_systems.card_of(job.folder) for job in reversed(mine)]
    assert len(lines) == len(cards) == 2, "what the shelf says is of the test set, and of the card"
    for card in cards:
        clean_row, own_loss = figure(card, "clean"), figure(card, "pgd", "train", 0.2)
        assert clean_row and own_loss
        sentence = (f"of {clean_row['n']:,} test images {100 * clean_row['accuracy']:.1f} % correct; "
                    f"of {own_loss['n']:,} under an attack on the training loss {100 * own_loss['accuracy']:.0f} %")
        assert any(sentence in line for line in lines)


@pytest.mark.data
@pytest.mark.skipif(not data.available("mnist"), reason="MNIST is not under TASKLAB_DATA")
def test_mnist_has_its_recorded_runs_too(monkeypatch: pytest.MonkeyPatch) -> None:
    still(monkeypatch)
    at = visit("train", data="mnist")
    assert [alt.split(".")[0] for alt in alts(at)] == ["TRA", "RBC (S = 350)"]
    clean(at.button(key="train_start").click().run())
    [training] = queued()
    assert (training.data, training.n, training.name) == ("mnist", 5000, "mnist-my-rbc-s350")


def test_lecture_mode_shows_the_runs_alone() -> None:
    at = AppTest.from_file(str(APP), default_timeout=120)
    at.session_state["lecture"] = True
    clean(at.switch_page("app_pages/train.py").run())
    assert len(alts(at)) == 2
    assert all(button.key != "train_start" for button in at.button)


def test_words() -> None:
    for module in (training_controls, jobs):
        assert doctest.testmod(module).failed == 0
    assert jobs.duration(61) == "2 min"


def test_a_page_is_looked_after_for_a_while_after_a_job_s_end(monkeypatch: pytest.MonkeyPatch) -> None:
    view = SimpleNamespace(active=True, ended=0.0)
    monkeypatch.setattr(jobs, "mine", lambda kind=None: [view])
    assert jobs._pace("train") == 1
    view.active, view.ended = False, time.time()
    assert jobs._pace("train") is not None
    view.ended -= jobs.AFTERWARDS
    assert jobs._pace("train") is None


def test_a_training_run_of_one_s_own_is_in_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    at = visit("train", **SMALL)
    clean(at.button(key="train_start").click().run())
    (job,) = jobs.scheduler().jobs(identity.folder_of(TOKENS["ann"]))
    until(lambda: jobs.scheduler().state(job) == "done")
    name = job.folder.name
    assert at.query_params["train_right"] in (name, [name])
    assert shown(visit("train", **SMALL, train_right=name), "right") == name, "after a reload, too"
    other = visit("train", who="bob", **SMALL, train_right=name)
    assert any("The training run that the link names" in caption.value for caption in other.caption)
    assert other.query_params["train_right"] in (name, [name]), "a reload may find it"


@pytest.mark.parametrize("page", ["attack_lab", "outputs", "transfer", "draw", "feature_map"])
def test_a_link_to_a_system_that_is_not_here_says_so(page: str) -> None:
    at = visit(page, systems=["rbc", "somebody-s-own"], n="50", feature_map_kind="PCA")
    assert [warning.value.count("somebody-s-own") for warning in at.warning] == [1]
    assert not visit(page, systems=["rbc"], n="50", feature_map_kind="PCA").warning
