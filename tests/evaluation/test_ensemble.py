"""The worst case found is the exact one where that is known, and never milder than any of its parts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tasklab.attacks import PGD, Noise, Square, attack
from tasklab.attacks.presets import PRESETS, Entry, worst_case_attacks
from tasklab.evaluation.ensemble import (
    ALREADY,
    STANDING,
    _nearest,
    stream_worst_case,
    worst_case,
)
from tasklab.system import System
from tasklab.tasks import INT, RBC, TRA, DeepBE, Task
from tests.evaluation.linear_systems import EAST, NORTH, grey_images, linear

X = grey_images(60)
EPS = 0.05
OWN = (Noise(eps=EPS, steps=3), PGD(eps=EPS, steps=5), PGD(eps=EPS, steps=5, objective="bits"))


def labels_of(system: System) -> torch.Tensor:
    return system.predict(X).clamp(min=0)


def small(task: Task) -> System:
    """Two random layers, for each task."""
    torch.manual_seed(0)
    head = torch.nn.Linear(8, task.width)
    with torch.no_grad():
        head.weight.mul_(60.0 if isinstance(task, INT) else 1.0)
        head.bias.fill_(98.0 if isinstance(task, INT) else 0.0)
    return System(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 8), torch.nn.ReLU(), head), task)


def test_exact_on_a_linear_system() -> None:
    system = linear(EAST)
    y = labels_of(system)
    result = worst_case(system, (X, y), EPS, preset="quick")
    distance = (X.flatten(1) - 0.5).matmul(torch.tensor(EAST)).abs() / 2  # |w·(x − ½)| / ‖w‖₁
    clear = (distance - EPS).abs() > 1e-4
    standing = result.broken_by == STANDING
    assert torch.equal(standing[clear], (distance > EPS)[clear])
    assert result.outcomes.correct == int(standing.sum())


@pytest.mark.parametrize("task", [TRA(num_classes=3), RBC(num_classes=3, S=1), INT(num_classes=3)])
@pytest.mark.parametrize("criterion", ["misclassified", "evaded"])
def test_never_milder_than_its_parts_and_true_to_its_word(task: Task, criterion: str) -> None:
    system = small(task)
    y = labels_of(system)
    preset = [entry.settings for entry in worst_case_attacks(task, EPS, "quick", criterion=criterion)]  # type: ignore[arg-type]
    result = worst_case(system, (X, y), EPS, preset=preset, criterion=criterion)
    for settings in preset:
        alone = attack(system, X, y, settings)
        assert not bool((alone.fooled & (result.broken_by == STANDING)).any())
    assert torch.equal(system.predict(result.images), result.decoded)
    assert float((result.images - X).abs().max()) <= EPS + 1e-6
    broken = result.broken_by >= 0
    assert sum(stage.broken for stage in result.stages) == int(broken.sum())
    assert result.stages[0].tried == int((result.broken_by != ALREADY).sum())
    for before, after in zip(result.stages, result.stages[1:], strict=False):
        assert after.tried == before.tried - before.broken, "each next attack on the survivors alone"


def test_the_costliest_go_to_those_who_came_nearest() -> None:
    system = linear(EAST)
    y = labels_of(system)
    shares = [Entry(PGD(eps=EPS, steps=5)), Entry(PGD(eps=EPS, steps=50), share=0.1)]
    result = worst_case(system, (X, y), EPS, preset=shares)
    distance = (X.flatten(1) - 0.5).matmul(torch.tensor(EAST)).abs() / 2
    standing = (distance > EPS + 1e-4).sum()
    assert result.stages[1].tried == 6 < int(standing), "a tenth of the sixty images"
    close = torch.rand(60, generator=torch.Generator().manual_seed(1))
    left = torch.arange(60) % 2 == 0
    chosen = _nearest(close, left, 0.1)
    assert len(chosen) == 6 and bool(left[chosen].all())
    assert float(close[chosen].min()) >= float(close[left].sort(descending=True).values[5])
    assert _nearest(close, left, 0.9).tolist() == left.nonzero().squeeze(1).tolist(), "fewer stand: all of them"
    with pytest.raises(ValueError, match="expected share"):
        Entry(PGD(eps=EPS), share=0.0)


@pytest.mark.parametrize("task", [TRA(), RBC(), INT(), DeepBE()])
def test_every_preset_looks_with_a_gradient_and_without(task: Task) -> None:
    for preset in PRESETS:
        attacks = [entry.settings for entry in worst_case_attacks(task, 0.1, preset)]
        objectives = {settings.to_dict()["objective"] for settings in attacks}
        assert any(isinstance(settings, Noise) for settings in attacks)
        assert preset == "quick" or any(isinstance(settings, Square) for settings in attacks)
        assert "bits" in objectives
        assert ("train" in objectives) == isinstance(task, TRA), "the training loss, where it is never flat"


def test_one_seed_one_result_whatever_the_batch() -> None:
    system = small(RBC(num_classes=3, S=1))
    y = labels_of(system)
    one = worst_case(system, (X, y), EPS, preset=OWN)
    other = worst_case(system, (X, y), EPS, preset=OWN, batch_size=7)
    assert torch.equal(one.broken_by, other.broken_by)
    assert torch.allclose(one.images, other.images, atol=1e-6)


def test_an_interrupted_one_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    system = small(RBC(num_classes=3, S=1))
    data = (X, labels_of(system))
    whole = worst_case(system, data, EPS, preset=OWN)
    begun = stream_worst_case(system, data, EPS, preset=OWN, folder=tmp_path)
    next(begun)
    begun.close()
    stages = [stage for stage, _ in stream_worst_case(system, data, EPS, preset=OWN, folder=tmp_path)]
    again = worst_case(system, data, EPS, preset=OWN, folder=tmp_path)
    assert [stage.index for stage in stages] == [0, 1, 2]
    assert torch.equal(again.broken_by, whole.broken_by) and torch.equal(again.images, whole.images)


def test_a_folder_of_another_worst_case_is_refused(tmp_path: Path) -> None:
    system = small(RBC(num_classes=3, S=1))
    data = (X, labels_of(system))
    worst_case(system, data, EPS, preset=OWN[:1], folder=tmp_path)
    with pytest.raises(ValueError, match="got another"):
        worst_case(system, data, EPS, preset=OWN[1:], folder=tmp_path)
    (tmp_path / "worst_case.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="try a new folder"):
        worst_case(system, data, EPS, preset=OWN[:1], folder=tmp_path)


def test_images_of_another_system_are_tried_first() -> None:
    victim = linear(EAST)
    data = (X, labels_of(victim))
    alike = worst_case(victim, data, EPS, preset=OWN[:1], sources={"twin": linear(EAST), "other": linear(NORTH)})
    assert [stage.name for stage in alike.stages] == ["transfer from twin", "transfer from other", "noise-3"]
    assert alike.stages[0].broken > 0, "what fools a twin fools the system"
    assert alike.stages[1].broken == 0, "a perturbation of other pixels does not"


def test_presets_grow_and_attacks_of_another_ball_are_refused() -> None:
    sizes = [len(worst_case_attacks(TRA(), 0.1, preset)) for preset in PRESETS]
    assert sizes == sorted(sizes)
    with pytest.raises(ValueError, match="expected preset among"):
        worst_case_attacks(TRA(), 0.1, "nonsense")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"expected attacks with eps=0\.2"):
        worst_case(linear(EAST), (X, labels_of(linear(EAST))), 0.2, preset=OWN)


def test_no_images_and_all_wrong() -> None:
    system = linear(EAST)
    nothing = worst_case(system, (X[:0], labels_of(system)[:0]), EPS, preset=OWN)
    assert nothing.outcomes.n == 0
    wrong = worst_case(system, (X, 1 - labels_of(system)), EPS, preset=OWN)
    assert bool((wrong.broken_by == ALREADY).all()) and torch.equal(wrong.images, X)
