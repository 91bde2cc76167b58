"""What holds for every attack there is, whatever it does inside."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from attack_systems import SHAPE, TASKS, byte_images, centred, exact_perceptron, linear, sample
from test_callers_world import World, network
from torch import Tensor

from tasklab.attacks import APGD, CW, FAB, FGSM, PGD, HopSkipJump, Noise, Settings, Square, attack, stream
from tasklab.evaluation import evaluate, transfer
from tasklab.models.fast import PLAIN, Plan
from tasklab.system import System

ATTACKS: list[Settings] = [
    FGSM(eps=1 / 16),
    PGD(eps=1 / 16, steps=4),
    APGD(eps=1 / 16, steps=8),
    APGD(eps=1 / 2, steps=8, norm="l2", objective="bits", restarts=2),
    Square(eps=1 / 16, steps=60),
    Square(eps=1 / 16, steps=40, objective="bits", restarts=2),
    Noise(eps=1 / 2, steps=30),
    Noise(eps=1.0, steps=30, kind="corner", norm="l2", restarts=2),
    FAB(steps=6),
    FAB(steps=6, eps=1 / 16),
    FAB(steps=6, norm="l2", objective="margin"),
    CW(steps=30, searches=3, rate=0.1),
    HopSkipJump(steps=3, samples=20),
    HopSkipJump(steps=3, samples=20, norm="l2", eps=2.5),
]
EVERY = pytest.mark.parametrize("settings", ATTACKS, ids=lambda s: f"{s.name}-{s.norm}-{s.restarts}")


def problem(name: str, n: int = 12) -> tuple[System, Tensor, Tensor]:
    system, images = exact_perceptron(TASKS[name]), byte_images(200)
    labels = system.predict(images)
    kept = (labels >= 0).nonzero().squeeze(1)[:n]
    return system, images[kept], labels[kept]


@pytest.mark.parametrize("criterion", ["misclassified", "evaded"])
@pytest.mark.parametrize("name", TASKS)
@EVERY
def test_the_result_is_in_the_ball_in_the_box_and_as_it_says(settings: Settings, name: str, criterion: str) -> None:
    system, images, labels = problem(name)
    labels[0] = (labels[0] + 1) % 4  # one that is fooled as it comes
    settings = judged(settings, criterion)
    result = attack(system, images, labels, settings)
    away = (result.images.double() - images.double()).flatten(1)
    length = away.abs().amax(dim=1) if settings.norm == "linf" else away.norm(dim=1)
    assert float(length.max()) <= settings.eps + 2e-6
    assert float(result.images.min()) >= 0
    assert float(result.images.max()) <= 1
    decoded = system.predict(result.images)
    assert torch.equal(result.decoded, decoded)
    assert torch.equal(result.clean_decoded, system.predict(images))
    failed = decoded != labels
    assert torch.equal(result.fooled, failed if criterion == "misclassified" else failed & (decoded >= 0))
    assert torch.allclose(result.distance[result.fooled].double(), length[result.fooled], atol=1e-6)
    assert bool((result.distance[~result.fooled] == math.inf).all())
    assert torch.equal(result.unmoved, (result.images == images).flatten(1).all(dim=1))
    assert result.settings is settings
    if result.backwards == 0:
        assert not bool(result.zero_gradient.any()), "no gradient was asked for"


def judged(settings: Settings, criterion: str) -> Settings:
    """The same attack with another criterion, and an objective that leads there."""
    objective = settings.objective
    if criterion == "evaded" and objective == "bits":
        objective = "towards_code"
    return dataclasses.replace(settings, criterion=criterion, objective=objective) if is_free(settings) else (
        dataclasses.replace(settings, criterion=criterion)
    )


def is_free(settings: Settings) -> bool:
    """Whether its objective is the caller's choice."""
    return next(f for f in dataclasses.fields(settings) if f.name == "objective").init


@pytest.mark.parametrize("name", ["tra", "rbc", "int"])
@EVERY
def test_nothing_depends_on_batches_or_company(settings: Settings, name: str) -> None:
    system, images, labels = problem(name)
    whole = attack(system, images, labels, settings)
    assert bool(whole.fooled.any()), "a control: there is something to depend"
    again = attack(system, images, labels, settings)
    assert torch.equal(again.images, whole.images)
    small = attack(system, images, labels, settings, batch_size=5)
    rows = torch.tensor([7, 2, 10])
    alone = attack(system, images[rows], labels[rows], settings, indices=rows)
    for other, expected in ((small, torch.arange(len(images))), (alone, rows)):
        for field in ("clean_decoded", "fooled", "zero_gradient", "unmoved"):
            assert torch.equal(getattr(other, field), getattr(whole, field)[expected]), field
        if isinstance(settings, HopSkipJump):  # a label on the boundary hangs on the last bit
            both = whole.distance[expected][whole.fooled[expected]], other.distance[other.fooled]
            assert float((both[0].mean() / both[1].mean()).log().abs()) < 0.25
            continue
        differ = ((other.images - whole.images[expected]).abs() > 1e-5).flatten(1).any(dim=1)
        assert float(differ.float().mean()) < 0.2, "but for equals"


@pytest.mark.parametrize("plan", [PLAIN, Plan(fold=True, channels_last=True)], ids=["plain", "folded"])
@EVERY
def test_nothing_of_the_caller_s_changes(settings: Settings, plan: Plan) -> None:
    module = network()
    module[4][3].eval()
    module[0].weight.requires_grad_(False)
    images = torch.rand(10, 1, 4, 4, generator=torch.Generator().manual_seed(1)).requires_grad_()
    system = System(module, TASKS["tra"])
    labels = system.predict(images)
    world = World(module, images, labels)
    result = attack(system, images, labels, dataclasses.replace(settings, plan=plan))
    assert world.is_unchanged()
    assert result.plan == plan
    assert not result.images.requires_grad
    result.images.zero_()
    assert world.is_unchanged(), "the images found share nothing with those given"
    steps = stream(system, images, labels, settings)
    next(steps)
    steps.close()
    assert world.is_unchanged(), "nor where it is stopped"


@EVERY
def test_rows_are_counted_exactly(settings: Settings) -> None:
    images = torch.rand(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    system = centred(TASKS["tra"], images)
    labels = system.predict(images)
    seen: list[int] = []
    handle = system.network.register_forward_hook(lambda module, given, out: seen.append(len(out)))
    result = attack(system, images, labels, dataclasses.replace(settings, plan=PLAIN))
    handle.remove()
    assert result.forwards == sum(seen)
    assert result.backwards <= result.forwards


@EVERY
def test_an_empty_batch_and_one_that_is_wrong_already(settings: Settings) -> None:
    system = linear(TASKS["tra"])
    empty = attack(system, torch.zeros(0, *SHAPE), torch.zeros(0, dtype=torch.int64), settings)
    assert len(empty.images) == len(empty.distance) == empty.forwards == 0
    images, labels = sample(system, 6)
    wrong = attack(system, images, (labels + 1) % 4, settings)
    assert bool(wrong.fooled.all())
    assert torch.equal(wrong.distance == 0, wrong.unmoved)
    if not isinstance(settings, FGSM):
        assert bool(wrong.unmoved.all())


@EVERY
def test_steps_are_told_and_tables_made(settings: Settings) -> None:
    system, images, labels = problem("rbc")
    steps: list[int] = []
    result = attack(system, images, labels, settings, progress=lambda step: steps.append(step.index))
    assert steps == sorted(steps)
    assert steps[0] == 0
    assert steps[-1] <= settings.steps
    clean, row = evaluate(system, (images, labels), [settings])
    assert torch.equal(row.decoded, result.decoded)
    assert (row.attack, row.steps, row.eps) == (settings.name, settings.steps, settings.eps)
    assert row.outcomes.correct <= clean.outcomes.correct == 12
    summary = result.summary()
    assert summary["attack"] == settings.name
    assert summary["fooled"] == int(result.fooled.sum())
    moved = transfer({"rbc": system}, {"rbc": system}, images, labels, settings)
    assert moved.cells["rbc", "rbc"].rate().count == int((result.fooled & (result.clean_decoded == labels)).sum())


def test_settings_of_another_kind_are_refused() -> None:
    system, images, labels = problem("rbc")

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Idle(Settings):
        pass

    with pytest.raises(TypeError, match=r"expected the settings of an attack, such as PGD\(.*got Idle"):
        attack(system, images, labels, Idle(eps=0.1))
    with pytest.raises(TypeError, match="expected the settings of an attack, got dict; try PGD"):
        attack(system, images, labels, {"eps": 0.1})  # type: ignore[arg-type]
