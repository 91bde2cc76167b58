"""An attack in shards of images is the attack on all of them, bit for bit: alone, in a worst case, and as jobs."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tasklab import data, strict_json, zoo
from tasklab.attacks import APGD, FAB, PGD, AttackResult, Noise, Settings, Square, attack, engine
from tasklab.attacks.presets import Entry, distance_attacks
from tasklab.evaluation.ensemble import stream_worst_case, worst_case
from tasklab.evaluation.reporting import TransferSources, report_attacks, stream_report
from tasklab.evaluation.robustness import evaluate
from tasklab.evaluation.shards import NotMade, join, shards
from tasklab.jobs import Job
from tasklab.jobs.attacking import Sharded, attack_of
from tasklab.jobs.executing import InTurn
from tasklab.models.fast import PLAIN
from tasklab.system import System

EPS = 0.1
ATTACKS = (PGD(eps=EPS, steps=4), PGD(eps=EPS, steps=3, objective="bits", restarts=2),
           APGD(eps=EPS, steps=5, objective="margin"), Square(eps=EPS, steps=6), Noise(eps=EPS, steps=3))
ENSEMBLE = [Entry(ATTACKS[0]), Entry(ATTACKS[1]), Entry(ATTACKS[3], share=0.25)]
"""The last one depends on how near all images came to falling."""


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "GROUP_ROWS", 16)


@pytest.fixture(scope="module")
def digits() -> tuple[System, Tensor, Tensor]:
    few = data.load("digits", "test").subset(50)
    return zoo.load("digits-rbc"), few.x(), few.labels


def in_shards(
    system: System, images: Tensor, labels: Tensor, settings: Settings, *, indices: Tensor | None = None, **more: Any
) -> AttackResult:
    indices = torch.arange(len(labels)) if indices is None else indices
    parts = shards(len(labels), settings, system)
    assert len(parts) > 1 or len(labels) <= 16
    return join([attack(system, images[part], labels[part], settings, indices=indices[part], **more)
                 for part in reversed(parts)][::-1])


def same(one: Any, two: Any, left_out: tuple[str, ...] = ("seconds", "settings", "stages")) -> bool:
    names = [field.name for field in dataclasses.fields(one) if field.name not in left_out]
    values = [(getattr(one, name), getattr(two, name)) for name in names]
    return all(torch.equal(a, b) if isinstance(a, Tensor) else a == b for a, b in values)


@pytest.mark.parametrize("settings", ATTACKS, ids=lambda each: each.name)
def test_joined_shards_are_the_whole(settings: Settings, digits: tuple[System, Tensor, Tensor]) -> None:
    settings = dataclasses.replace(settings, plan=PLAIN)
    whole = attack(*digits, settings)
    assert same(whole, in_shards(*digits, settings))
    parts = shards(50, settings, digits[0])
    wrong = join([attack(digits[0], digits[1][part], digits[2][part], settings) for part in parts])
    assert not same(whole, wrong), "with other indices the randomness is another: the comparison would notice"


def test_no_images_are_one_empty_shard(digits: tuple[System, Tensor, Tensor]) -> None:
    system, images, labels = digits
    assert len(in_shards(system, images[:0], labels[:0], ATTACKS[0]).labels) == 0


@pytest.mark.parametrize("how", ["here", "as jobs"])
def test_a_worst_case_in_shards_is_the_same_image_by_image(
    how: str, digits: tuple[System, Tensor, Tensor], tmp_path: Path
) -> None:
    attacking: Callable[..., AttackResult] = in_shards if how == "here" else Sharded(InTurn(), tmp_path / "shards")
    system, images, labels = digits
    whole = worst_case(system, (images, labels), EPS, preset=ENSEMBLE)
    parted = worst_case(system, (images, labels), EPS, preset=ENSEMBLE, attacking=attacking)
    assert same(whole, parted)
    assert [(stage.tried, stage.broken) for stage in whole.stages] == [
        (stage.tried, stage.broken) for stage in parted.stages]
    assert whole.outcomes.correct < int((system.predict(images) == labels).sum())


def test_shards_as_jobs_are_kept_and_one_that_fails_is_not_tried_again(
    digits: tuple[System, Tensor, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, images, labels = digits
    begun: list[str] = []

    def follow(assignments: Any, events: Any) -> None:
        begun.extend(event["name"] for event in events if event["event"] == "begin")

    here = Sharded(InTurn(), tmp_path, follow=follow)
    here.make_all([(system, images, labels, ATTACKS[:2])])
    assert len(begun) == 4 + 25, "four groups of 16 images, and 25 of two images with eight candidates each"
    rows = evaluate(system, (images, labels), ATTACKS[:2], attacking=here)
    assert len(begun) == 29 and all(map(same, rows, evaluate(system, (images, labels), ATTACKS[:2])))
    job = Job(tmp_path / begun[0])
    job.end("failed", "Its worker died 3 times; the end of its log: lost.")
    (job.folder / "input.safetensors").unlink()
    again = Sharded(InTurn(), tmp_path, follow=follow)
    for _ in range(2):
        with pytest.raises(NotMade, match="expected every shard"):
            list(stream_worst_case(system, (images, labels), EPS, preset=ENSEMBLE[:1], attacking=again))
    assert begun[29:] == begun[:1], "once, and the others are there"
    again.clear()
    assert not tmp_path.exists()


def test_a_report_in_shards_is_the_same_and_systems_share_what_was_found_against_others(
    digits: tuple[System, Tensor, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "GROUP_ROWS", 64)
    few, source = data.load("digits", "test").subset(10), zoo.load("digits-tra")
    begun: list[str] = []

    def follow(assignments: Any, events: Any) -> None:
        begun.extend(event["name"] for event in events if event["event"] == "begin")

    made = Sharded(InTurn(), tmp_path / "shards", follow=follow)
    asked: dict[str, Any] = {"eps": (EPS,), "claim_eps": 0.2, "queries": 5}
    shared = TransferSources({"digits-tra": source}, few, attacking=made)
    made.make_all([
        (digits[0], few.x(), few.labels, [each for _, each in report_attacks((EPS, 0.2), 0.2, queries=5)]),
        (source, few.x(), few.labels, [shared.settings(eps) for eps in (EPS, 0.2)])])
    ahead = len(begun)
    *_, parted = stream_report(digits[0], few, sources=shared, attacking=made, **asked)
    *_, whole = stream_report(digits[0], few, sources=TransferSources({"digits-tra": source}, few), **asked)
    assert parted.report is not None and whole.report is not None
    assert dataclasses.replace(parted.report, seconds=0.0) == dataclasses.replace(whole.report, seconds=0.0)
    ladder = {settings.to_dict()["eps"] for settings in distance_attacks(reach=data.DATASETS["digits"].radii.most)}
    later = [Job(tmp_path / "shards" / name).settings["attack"]["eps"] for name in begun[ahead:]]
    assert ahead and set(later) <= ladder, "only the distances wait for what was found before"
    before = len(begun)
    assert len(shared.threats(EPS)) == len(shared.threats(0.2)) == 1 and len(begun) == before


@pytest.mark.parametrize("settings", [*ATTACKS, FAB(eps=math.inf)], ids=lambda each: each.name)
def test_an_attack_is_known_by_its_plain_values(settings: Settings) -> None:
    plain = dataclasses.replace(settings, plan=PLAIN).to_dict()
    assert attack_of(json.loads(strict_json.dumps(plain))).to_dict() == plain
    with pytest.raises(ValueError, match="expected"):
        attack_of(plain | {"breadth": 3})
