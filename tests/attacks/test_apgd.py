"""Auto-PGD: its schedule, its optimum on linear systems, and its strength beside the authors' code."""

from __future__ import annotations

import itertools

import pytest
import torch
import torchattacks
from attack_systems import TASKS, centred, conv_system, linear, lowest_terms, sample, terms
from torch import Tensor

from tasklab.attacks import APGD, OBJECTIVES, PGD, attack, stream
from tasklab.attacks.apgd import checkpoints
from tasklab.system import System
from tasklab.tasks import INT, RBC, TRA, Task

EPS = {"tra": 0.04, "rbc": 0.04, "deepbe": 0.04, "int": 0.015, "int-floor": 0.015}


def test_the_checkpoints_are_the_paper_s() -> None:
    p = [0.0, 0.22]
    while p[-1] < 1:
        p.append(p[-1] + max(p[-1] - p[-2] - 0.03, 0.06))
    for steps in (10, 20, 50, 100, 1000):
        result = checkpoints(steps)
        assert result[0] == 0
        assert all(abs(w - q * steps) < 1 + 1e-9 for w, q in zip(result, p, strict=False) if steps >= 50)
        assert result == sorted(set(result))
        assert result[-1] <= steps


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("name", TASKS)
def test_bits_finds_the_exact_worst_case(name: str, norm: str) -> None:
    system = linear(TASKS[name])
    images, labels = sample(system, 24)
    eps = EPS[name] * (1 if norm == "linf" else 4 if name == "tra" else 2)
    result = attack(system, images, labels, APGD(eps=eps, steps=20, norm=norm, objective="bits", keep="best"))  # type: ignore[arg-type]
    worst = lowest_terms(system, images, labels, eps, norm).amin(dim=1)
    assert torch.allclose(terms(system, result.images, labels).amin(dim=1), worst, atol=2e-3, rtol=0)
    clear = worst.abs() > 2e-3
    assert torch.equal(result.fooled[clear], (worst < 0)[clear])
    assert 0 < int(result.fooled.sum()) < 24
    away = (result.images - images).flatten(1)
    assert float((away.abs().amax(1) if norm == "linf" else away.norm(dim=1)).max()) <= eps + 1e-6


def test_towards_code_evades_wherever_a_class_can_be_reached() -> None:
    system = linear(TASKS["rbc"])
    images, labels = sample(system, 16)
    settings = APGD(eps=0.08, steps=30, objective="towards_code", criterion="evaded")
    first = next(stream(system, images, labels, settings))
    assert first.part.unique().tolist() == list(range(5)), "every other class in turn"
    result = attack(system, images, labels, settings)
    single = attack(system, images, labels, APGD(eps=0.08, steps=30, criterion="evaded"))
    assert int(result.fooled.sum()) >= int(single.fooled.sum()) > 0
    assert bool((result.decoded[result.fooled] >= 0).all())
    targets = (labels + 1) % 6
    aimed = attack(system, images, labels, APGD(eps=0.2, steps=30, targeted=True), targets=targets)
    assert torch.equal(aimed.fooled, aimed.decoded == targets)
    assert int(aimed.fooled.sum()) > 8


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(("loss", "ours"), [("ce", "train"), ("dlr", "dlr")])
def test_as_strong_as_torchattacks(loss: str, ours: str, norm: str) -> None:
    images = torch.rand(60, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    system = centred(TRA(num_classes=5), images)
    labels = system.predict(images)
    eps = 0.02 if norm == "linf" else 0.1
    theirs = torchattacks.APGD(system.network, norm="Linf" if norm == "linf" else "L2", eps=eps, steps=20, loss=loss)
    expected = system.predict(theirs(images, labels)) != labels
    result = attack(system, images, labels, APGD(eps=eps, steps=20, norm=norm, objective=ours))  # type: ignore[arg-type]
    assert 5 < int(expected.sum()) < 55, "a control: neither all nor nothing"
    assert int(result.fooled.sum()) >= int(expected.sum())


def test_a_large_first_step_is_halved_where_pgd_keeps_jumping() -> None:
    system = conv_system(RBC(S=1))
    images = torch.rand(30, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = system.predict(images).clamp_min(0)
    eps = 0.05
    events = list(stream(system, images, labels, APGD(eps=eps, steps=60, keep="best", random_start=False)))
    moves = torch.stack([(b.images - a.images).abs().flatten(1).amax(1) for a, b in itertools.pairwise(events)])
    assert float(moves[0].max()) == pytest.approx(eps), "two ε, cut to the ball"
    assert float(moves[-5:].mean()) < eps / 2

    def deepest(settings: PGD | APGD) -> Tensor:
        result = attack(system, images, labels, settings).images
        return -system.margins(result).detach().gather(1, labels[:, None]).squeeze(1)

    rough = deepest(PGD(eps=eps, steps=60, step_size=2 * eps, keep="best", random_start=False))
    fine = deepest(APGD(eps=eps, steps=60, keep="best", random_start=False))
    assert float(fine.mean()) >= float(rough.mean())


def test_more_is_refused() -> None:
    for wrong, says in (({"keep": "last"}, "expected keep among first, best"), ({"steps": 0}, "expected steps"),
                        ({"restarts": 2, "random_start": False}, "expected restarts=1 without random_start")):
        with pytest.raises(ValueError, match=says):
            APGD(eps=0.1, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected at least 3 classes"):
        attack(linear(RBC(num_classes=2)), torch.rand(2, 1, 4, 4), torch.tensor([0, 1]), APGD(eps=0.1, objective="dlr"))


def published(scores: Tensor, y: Tensor) -> Tensor:
    """The difference of logits ratio as its authors print it."""
    ranked = scores.sort(dim=1, descending=True).values
    own = scores.gather(1, y[:, None]).squeeze(1)
    rival = torch.where(own == ranked[:, 0], ranked[:, 1], ranked[:, 0])
    return -(own - rival) / (ranked[:, 0] - ranked[:, 2])


def dlr(task: Task, z: Tensor, y: Tensor) -> Tensor:
    return OBJECTIVES["dlr"](task, z, y, torch.zeros_like(y))


def test_dlr_is_a_rising_function_of_the_published_ratio_of_logits() -> None:
    task = TRA()
    z = torch.randn(200, 10, generator=torch.Generator().manual_seed(0))
    y = z.argmax(dim=1)
    r = -published(z, y)
    assert torch.allclose(dlr(task, z, y), -r / (1 + r), atol=1e-5)
    assert torch.allclose(dlr(task, 7 * z + 3, y), dlr(task, z, y), atol=1e-4)
    wrong = (y + 1) % 10
    assert bool((dlr(task, z, wrong) > 0).all())


@pytest.mark.parametrize("task", [TRA(), RBC(num_classes=16), INT(alpha=0)])
def test_dlr_has_a_gradient_where_the_published_divisor_has_none(task: Task) -> None:
    system = System(torch.nn.Identity(), task)
    z = (task.centre + 20 * torch.randn(100, task.width, generator=torch.Generator().manual_seed(1))).requires_grad_()
    y = task.codec.decode(z.detach())
    keep = y >= 0
    literal = published(system.class_scores(z), y.clamp_min(0))[keep]
    inner = torch.ones_like(literal, dtype=torch.bool)
    if isinstance(task, INT):
        inner = (y[keep] > 0) & (y[keep] < 9)  # a neighbour on either side
    assert torch.allclose(literal[inner], torch.tensor(-0.5), atol=1e-5), "a constant: it cannot be climbed"
    (slope,) = torch.autograd.grad(dlr(task, z, y.clamp_min(0))[keep][inner].sum(), z)
    assert float((slope[keep][inner].abs().amax(dim=1) > 1e-6).float().mean()) > 0.9


def test_results_do_not_depend_on_batches_and_are_counted() -> None:
    system = conv_system(RBC(S=1))
    images = torch.rand(12, 1, 8, 8, generator=torch.Generator().manual_seed(3))
    labels = system.predict(images).clamp_min(0)
    settings = APGD(eps=0.03, steps=12, objective="bits", keep="best", restarts=2)
    whole = attack(system, images, labels, settings)
    rows = 12 * 2 * 4
    assert (whole.forwards, whole.backwards) == (12 + rows * 13 + 12, rows * 12)
    small = attack(system, images, labels, settings, batch_size=5)
    assert torch.equal(whole.decoded, small.decoded)
    assert torch.allclose(whole.images, small.images, atol=1e-4)
    chosen = torch.tensor([7, 2])
    alone = attack(system, images[chosen], labels[chosen], settings, indices=chosen)
    assert torch.equal(alone.decoded, whole.decoded[chosen])
