"""When an attack has succeeded."""

from __future__ import annotations

import pytest
import torch
from attack_systems import TASKS, linear, sample

from tasklab.attacks import FGSM, PGD, attack, succeeded, success_margin
from tasklab.codecs import ABNORMAL
from tasklab.tasks import INT, RBC, TRA

LABELS = torch.tensor([3, 3, 3, 3])
DECODED = torch.tensor([3, 5, ABNORMAL, 0])


def test_none_is_misclassified_but_has_not_evaded() -> None:
    assert succeeded("misclassified", DECODED, LABELS).tolist() == [False, True, True, True]
    assert succeeded("evaded", DECODED, LABELS).tolist() == [False, True, False, True]
    for criterion in ("misclassified", "evaded"):
        assert succeeded(criterion, DECODED, LABELS, torch.tensor([5, 5, 5, 3])).tolist() == [False, True, False, False]


@pytest.mark.parametrize("task", [*TASKS.values(), RBC(), INT()])
def test_closeness_is_positive_exactly_for_a_success_ties_included(task: TRA) -> None:
    generator = torch.Generator().manual_seed(0)
    z = task.centre + torch.randint(-3, 4, (400, task.width), generator=generator) * max(1.0, task.unit / 8)
    z[:5] = torch.tensor([torch.nan, torch.inf, -torch.inf, 0, 0])[:, None]
    y, targets = torch.randint(0, task.num_classes, (2, 400), generator=generator)
    decoded, margins = task.codec.decode(z), task.codec.margins(z)
    for criterion in ("misclassified", "evaded"):
        close = success_margin(criterion, margins, y)
        assert torch.equal(close > 0, succeeded(criterion, decoded, y))
        targeted = success_margin(criterion, margins, y, targets)
        assert torch.equal(targeted > 0, succeeded(criterion, decoded, y, targets))
    assert bool((margins[5:] == 0).any()) or not isinstance(task, TRA), "a control: ties are among them"


@pytest.mark.parametrize("name", ["rbc", "int"])
def test_pushing_to_none_fools_but_does_not_evade(name: str) -> None:
    system = linear(TASKS[name])
    images, labels = sample(system, 40)
    eps = 0.03 if name == "rbc" else 0.006
    broken = attack(system, images, labels, PGD(eps=eps, objective="bits"))
    evaded = attack(system, images, labels, PGD(eps=eps, objective="towards_code", criterion="evaded"))
    assert bool((broken.fooled | ~evaded.fooled).all())
    assert int(broken.fooled.sum()) > int(evaded.fooled.sum())
    assert bool((broken.decoded[broken.fooled] == ABNORMAL).any())
    assert bool((evaded.decoded[evaded.fooled] != ABNORMAL).all())
    alarms = attack(system, images, labels, PGD(eps=eps, objective="bits", criterion="evaded"))
    assert int(alarms.fooled.sum()) <= int(evaded.fooled.sum())


def test_an_abnormal_image_is_still_attacked_where_it_must_evade() -> None:
    system = linear(TASKS["rbc"])
    images = torch.rand(300, 1, 4, 4, generator=torch.Generator().manual_seed(3)) * 0.4 + 0.3
    images = images[system.predict(images) == ABNORMAL][:10]
    labels = torch.zeros(len(images), dtype=torch.int64)
    assert len(images) == 10
    assert attack(system, images, labels, PGD(eps=0.2)).backwards == 0
    evaded = attack(system, images, labels, PGD(eps=0.2, objective="towards_code", criterion="evaded"))
    assert evaded.backwards > 0
    assert bool(evaded.fooled.any())


def test_fgsm_is_one_whole_step() -> None:
    fgsm = FGSM(eps=0.1)
    assert (fgsm.steps, fgsm.effective_step_size, fgsm.random_start) == (1, 0.1, False)
    assert (fgsm.restarts, fgsm.keep) == (1, "last")
    assert fgsm.name == "fgsm"
    assert fgsm.to_dict()["step_size"] == 0.1
    with pytest.raises(TypeError):
        FGSM(eps=0.1, steps=3)  # type: ignore[call-arg]
    system = linear(TASKS["tra"])
    images, labels = sample(system, 8)
    one = attack(system, images, labels, fgsm)
    same = attack(system, images, labels, PGD(eps=0.1, steps=1, step_size=0.1, random_start=False, keep="last"))
    assert torch.equal(one.images, same.images)
    assert torch.allclose((one.images - images).abs().amax(dim=(1, 2, 3)), torch.tensor(0.1))


def test_settings_are_frozen_and_say_everything() -> None:
    settings = PGD(eps=0.1)
    with pytest.raises(AttributeError):
        settings.eps = 0.2  # type: ignore[misc]
    for word in ("eps=0.1", "steps=20", "objective='margin'", "criterion='misclassified'", "seed=0", "keep='first'"):
        assert word in repr(settings)
    assert settings.effective_step_size == 2.5 * 0.1 / 20
    assert hash(settings) == hash(PGD(eps=0.1))
