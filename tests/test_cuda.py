"""On a GPU: the same attacks, worst cases and training runs as on a CPU, and everything stays where it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from tasklab import data, zoo
from tasklab.attacks import APGD, CW, FAB, FGSM, PGD, HopSkipJump, Noise, Settings, Square, attack
from tasklab.evaluation import evaluate, worst_case
from tasklab.models.fast import PLAIN
from tasklab.system import System, new_system
from tasklab.tasks import make_task
from tasklab.training import Adversarial, EpochEvent, Recipe, Run, StepEvent, fit

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

N, EPS = 60, 0.1
NAMES = ("digits-tra", "digits-deepbe", "digits-int", "digits-rbc")
ATTACKS: list[Settings] = [
    FGSM(eps=EPS, objective="margin", plan=PLAIN),
    PGD(eps=EPS, steps=10, restarts=2, objective="bits", plan=PLAIN),
    PGD(eps=1.0, steps=10, norm="l2", objective="margin", plan=PLAIN),
    APGD(eps=EPS, steps=20, objective="soft_margin", plan=PLAIN),
    Square(eps=EPS, steps=100, tries=2, objective="margin", plan=PLAIN),
    Noise(eps=EPS, steps=20, kind="corner", plan=PLAIN),
    FAB(steps=10, plan=PLAIN),
    CW(steps=30, searches=2, rate=0.1, plan=PLAIN),
    HopSkipJump(steps=3, samples=20, plan=PLAIN),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("settings", ATTACKS, ids=lambda s: f"{s.name}-{s.norm}")
def test_an_attack_finds_what_it_finds_on_a_cpu(settings: Settings, name: str) -> None:
    test = data.load("digits", "test").subset(N)
    there, here = zoo.load(name).to("cuda"), zoo.load(name)
    result = attack(there, test.x().cuda(), test.labels.cuda(), settings)
    expected = attack(here, test.x(), test.labels, settings)
    assert all(t.is_cuda for t in (result.images, result.decoded, result.fooled, result.distance, result.zero_gradient))
    assert torch.equal(result.decoded, there.predict(result.images))
    away = (result.images.cpu() - test.x()).flatten(1)
    length = away.abs().amax(dim=1) if settings.norm == "linf" else away.norm(dim=1)
    assert bool((length <= settings.eps + 2e-6).all())
    differ = int((result.fooled.cpu() != expected.fooled).sum())  # the order of sums turns a gradient's sign
    assert differ <= 0.1 * N


@pytest.mark.parametrize("name", NAMES)
def test_the_worst_case_is_as_on_a_cpu(name: str) -> None:
    test = data.load("digits", "test").subset(N)
    result = worst_case(zoo.load(name).to("cuda"), (test.x().cuda(), test.labels.cuda()), EPS)
    expected = worst_case(zoo.load(name), test, EPS)
    assert result.images.is_cuda
    assert abs(result.outcomes.correct - expected.outcomes.correct) <= 3


def test_a_set_follows_its_system() -> None:
    test = data.load("digits", "test").subset(N)
    there, here = zoo.load("digits-rbc").to("cuda"), zoo.load("digits-rbc")
    (clean,), (expected,) = evaluate(there, test), evaluate(here, test)
    assert clean.outcomes == expected.outcomes


RECIPES = {
    "plain": Recipe(epochs=8, batch_size=64, lr=5e-3),
    "bfloat16": Recipe(epochs=8, batch_size=64, lr=5e-3, precision="bfloat16", flip=False, crop=1),
    "adversarial": Recipe(epochs=8, batch_size=64, lr=5e-3, average=0.9, defence=Adversarial(eps=0.05, steps=3)),
}


@pytest.mark.parametrize("task", ["tra", "rbc"])
@pytest.mark.parametrize("kind", RECIPES)
def test_a_system_trained_there_reads_digits_here(kind: str, task: str, tmp_path: Path) -> None:
    train, validation = data.load("digits", "train"), data.load("digits", "validation")
    system = new_system(make_task(task, num_classes=10), train, width=16, seed=0).to("cuda")
    events = list(fit(system, train, RECIPES[kind], validation=validation, run=tmp_path))
    last = events[-1]
    assert isinstance(last, EpochEvent)
    assert last.accuracy > 0.85
    system.save(tmp_path / "it.safetensors")
    x = validation.x()
    there, here = system.predict(x.cuda()).cpu(), System.load(tmp_path / "it.safetensors").predict(x)
    assert float((there == here).float().mean()) > 0.98


def test_a_run_stopped_there_goes_on_where_it_was(tmp_path: Path) -> None:
    train, validation = data.load("digits", "train").subset(256), data.load("digits", "validation")
    recipe = Recipe(epochs=2, batch_size=64)

    def system() -> System:
        return new_system(make_task("rbc", num_classes=10), train, width=8, seed=0).to("cuda")

    events = fit(system(), train, recipe, validation=validation, run=tmp_path)
    for event in events:
        if isinstance(event, StepEvent) and event.step == 3:
            events.close()
    resumed = system()
    again = list(fit(resumed, train, recipe, validation=validation, run=tmp_path))
    assert [e.step for e in again if isinstance(e, StepEvent)] == [4, 5, 6, 7, 8]
    assert len(Run(tmp_path).events()) == 2
    assert all(p.is_cuda for p in resumed.network.parameters())


def test_training_and_attacks_leave_the_random_state_of_the_gpu() -> None:
    before = torch.cuda.get_rng_state()
    train = data.load("digits", "train").subset(64)
    system = new_system(make_task("tra", num_classes=10), train, width=8, seed=0).to("cuda")
    system.network.trunk.append(nn.Dropout(0.5))
    list(fit(system, train, Recipe(epochs=1, batch_size=32)))
    attack(system, train.x().cuda(), train.labels.cuda(), PGD(eps=0.1, steps=3, restarts=2))
    assert torch.equal(before, torch.cuda.get_rng_state())
