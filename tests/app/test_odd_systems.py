"""Odd systems brought to the app, or lying where it keeps them: a sentence each, no page breaks, all can be removed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from odd_files import PICTURE_LINK, forged, odd_cards, odd_files, system
from visitors import TOKENS, clean, own_jobs, sentences, visit

from lab_ui.basics.refusal import Refused
from lab_ui.panels import training_runs
from lab_ui.results import reports
from lab_ui.visitor import catalogue, identity, own_systems
from tasklab.evaluation.cards import card_markdown, figure
from tasklab.jobs import Job
from tasklab.jobs.training import Training

WEIGHTS = dict(system().network.state_dict())


@pytest.fixture(autouse=True)
def _own_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with own_jobs(monkeypatch, tmp_path / "jobs"):
        yield


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the systems lie that a visitor brought."""
    monkeypatch.setattr(identity, "_token", lambda: TOKENS["ann"])
    result = tmp_path / "jobs" / identity.folder_of(TOKENS["ann"]) / "systems"
    result.mkdir(parents=True)
    return result


def text_of(**parts: object) -> str:
    whole = system()
    return json.dumps(whole.card | {"format": 1, "task": whole.task.to_dict(),
                                    "network": whole.network.spec.to_dict()} | parts)  # type: ignore[union-attr]


def test_what_is_brought_is_taken_whole_or_refused_in_a_sentence(place: Path, tmp_path: Path) -> None:
    contents = [forged(tmp_path / "odd", text, WEIGHTS).read_bytes() for text in odd_cards(150, seed=4)]
    taken, refusals = 0, list[str]()
    for content in [*contents, *odd_files(100, seed=4)]:
        try:
            name = own_systems.bring(content, PICTURE_LINK + "x" * 300)
        except Refused as error:
            refusals.append(str(error))
            continue
        taken += 1
        assert catalogue.NAME.fullmatch(name)
        assert catalogue.systems("digits")[0][name.removeprefix("digits-")] == name
        card = catalogue.card(name)
        assert card["data"]["name"] == "digits" and card["name"] == name
        figure(card, "pgd", "margin", 0.2)
        card_markdown(card)
        assert catalogue.system(name).task.num_classes == 10
        assert reports.report_of(name, []) == (None, "shipped")
        own_systems.remove_brought(name)
    assert taken > 20 and own_systems.files() == {}
    for words in refusals:
        assert words.startswith("This is not a whole system: expected ") and words.isprintable() and len(words) < 450


def test_pages_survive_what_lies_there_and_all_of_it_can_be_removed(place: Path) -> None:
    odd = {
        "eps": text_of(metrics=[{"attack": "clean", "n": 4, "accuracy": 0.5, "eps": ""}]),
        "bare": json.dumps({key: json.loads(text_of())[key] for key in ("format", "task", "network")}),
        "deep": text_of()[:-1] + ', "deep": ' + "[" * 700 + "]" * 700 + "}",
    }
    files = [forged(place / f"digits-my-{name}.safetensors", text, WEIGHTS) for name, text in odd.items()]
    for name, content in (("empty", b""), ("text", b"hello" * 9), ("half", files[0].read_bytes()[:-99])):
        files.append(place / f"digits-my-{name}.safetensors")
        files[-1].write_bytes(content)
    at = visit("train")
    spoken = " ".join(each.value for each in at.markdown)
    assert "**my-eps** · not measured" in spoken
    assert "**my-deep** · cannot be read" in spoken
    assert sum("is damaged and was left out" in sentence for sentence in sentences(at)) == 4
    assert "my-deep" not in catalogue.systems("digits")[0]
    robust = visit("robust", robust_system="my-eps")
    words = " ".join(each.value for each in robust.get("html"))
    assert "The robustness of <b>my-eps</b> has not been measured yet." in words
    clean(visit("attack_lab", systems=["my-eps", "my-bare"]))
    for file in files:
        clean(at.button(key=f"forget {file.stem}").click().run())
        assert not file.exists()
    assert own_systems.files() == {}


def test_what_a_job_made_can_be_removed_though_it_cannot_be_read(place: Path) -> None:
    folder = place.parent / "jobs" / "20200101abc"
    job = Job.create(folder, "train", Training(name="digits-my-broken").to_dict())
    (folder / own_systems.RESULT).write_bytes(b"not a system")
    job.end("done", "Done.")
    assert list(own_systems.files("digits")) == ["digits-my-broken"]
    assert training_runs.own_runs("digits")[folder.name].metrics == ()
    at = visit("train")
    clean(at.button(key="forget digits-my-broken").click().run())
    assert not folder.exists()


def test_what_is_left_of_a_job_that_does_not_read_can_be_removed(place: Path) -> None:
    folder = place.parent / "jobs" / "20200101abc"
    Job.create(folder, "train", Training().to_dict()).end("done", "Done.")
    forged(folder / own_systems.RESULT, text_of(name="digits-my-orphan"), WEIGHTS)
    (folder / "job.json").write_bytes(b"")
    assert list(own_systems.files("digits")) == ["digits-my-orphan"]
    at = visit("train")
    clean(at.button(key="forget digits-my-orphan").click().run())
    assert own_systems.files() == {}


def test_the_name_of_a_tensor_is_no_picture(place: Path, tmp_path: Path) -> None:
    content = forged(tmp_path / "odd", text_of(), WEIGHTS | {PICTURE_LINK: torch.zeros(1)}).read_bytes()
    at = visit("train")
    at.session_state["_said"] = _refusal(content)
    [notice] = [sentence for sentence in sentences(clean(at.run())) if "whole system" in sentence]
    assert "\\[x\\]" in notice and "\\<img" in notice
    assert not any(part in notice for part in ("![", "://", "\x1b"))


def _refusal(content: bytes) -> str:
    with pytest.raises(Refused) as refused:
        own_systems.bring(content, "odd.safetensors")
    return str(refused.value)


def test_a_file_with_an_odd_name_is_left_out_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd, good = "digits-![x](http:__e.org) <b>7", "digits-good"
    for name in (odd, good):
        system().save(tmp_path / "zoo" / f"{name}.safetensors")
    monkeypatch.setenv("TASKLAB_ZOO", str(tmp_path / "zoo"))
    at = visit("robust", robust_system="good")
    [notice] = [sentence for sentence in sentences(at) if "was left out" in sentence]
    assert "![" not in notice and "\\<b\\>" in notice
    assert "good" in at.selectbox(key="robust_system").options
    assert not any("[x]" in option for option in at.selectbox(key="robust_system").options)
