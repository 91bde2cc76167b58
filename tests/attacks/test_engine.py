"""What holds for every attack: the ball, the box, and results that depend on nothing they should not depend on."""

from __future__ import annotations

import pytest
import torch
from attack_systems import SHAPE, TASKS, byte_images, exact_perceptron, linear, sample
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tasklab.attacks import FGSM, PGD, AttackResult, attack, engine, success_margin
from tasklab.system import System
from tasklab.tasks import RBC, Task

TASK_NAMES = st.sampled_from(sorted(TASKS))


@settings(max_examples=60)
@given(
    name=TASK_NAMES,
    eps=st.floats(0, 1.5),
    steps=st.integers(1, 5),
    step_size=st.one_of(st.none(), st.floats(0, 3)),
    norm=st.sampled_from(["linf", "l2"]),
    restarts=st.integers(1, 3),
    objective=st.sampled_from(["train", "margin", "bits", "soft_margin", "sum_bits", "towards_code"]),
    criterion=st.sampled_from(["misclassified", "evaded"]),
    keep=st.sampled_from(["first", "best", "last"]),
    seed=st.integers(0, 2**63 - 1),
)
def test_the_result_is_in_the_ball_in_the_box_and_as_it_says(
    name: str, eps: float, steps: int, restarts: int, seed: int, **rest: object
) -> None:
    system = exact_perceptron(TASKS[name])
    images, labels = byte_images(6), torch.arange(6) % 4
    result = attack(system, images, labels, PGD(eps=eps, steps=steps, restarts=restarts, seed=seed, **rest))  # type: ignore[arg-type]
    away = (result.images.double() - images.double()).flatten(1)
    length = away.abs().amax(dim=1) if rest["norm"] == "linf" else away.norm(dim=1)
    assert float(length.max()) <= eps + 2e-6
    assert float(result.images.min()) >= 0
    assert float(result.images.max()) <= 1
    decoded = system.predict(result.images)
    assert torch.equal(result.decoded, decoded)
    assert torch.equal(result.clean_decoded, system.predict(images))
    failed = decoded != labels
    assert torch.equal(result.fooled, failed if rest["criterion"] == "misclassified" else failed & (decoded >= 0))
    assert torch.equal(result.unmoved, (result.images == images).flatten(1).all(dim=1))
    assert torch.equal(result.labels, labels)
    assert result.accuracy == float((decoded == labels).float().mean())


def run(task: Task, settings: PGD, rows: Tensor | slice = slice(None), **how: object) -> AttackResult:
    system = exact_perceptron(task)
    images = byte_images(30)
    labels = (system.predict(images) + (torch.arange(30) % 5 == 0)).clamp(0, task.num_classes - 1)
    return attack(system, images[rows], labels[rows], settings, **how)  # type: ignore[arg-type]


def assert_same(a: AttackResult, b: AttackResult, rows: Tensor | slice = slice(None)) -> None:
    """The same in every verdict, and in the images but for equals: a pixel without gradient keeps its random start."""
    for name in ("clean_decoded", "fooled", "decoded", "zero_gradient", "unmoved"):
        assert torch.equal(getattr(a, name), getattr(b, name)[rows]), name
    differ = ((a.images - b.images[rows]).abs() > 1e-6).flatten(1).any(dim=1)
    assert float(differ.float().mean()) < 0.1


SETTINGS = [
    PGD(eps=1 / 32, steps=4, restarts=2, objective="bits"),
    PGD(eps=1 / 32, steps=4, objective="margin", keep="best", seed=5),
    PGD(eps=1 / 4, steps=4, norm="l2", keep="last"),
    PGD(eps=1 / 32, steps=4, objective="towards_code", criterion="evaded"),
    FGSM(eps=1 / 32, objective="train"),
]


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("chosen", SETTINGS, ids=lambda s: f"{s.name}-{s.norm}-{s.objective}-{s.keep}")
def test_nothing_depends_on_batches_groups_or_company(
    name: str, chosen: PGD, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = TASKS[name]
    whole = run(task, chosen)
    assert int(whole.fooled.sum()) > 0, "a control: there is something to depend"
    for batch_size in (1, 7):
        assert_same(run(task, chosen, batch_size=batch_size), whole)
    rows = torch.tensor([3, 17, 5, 29])
    alone = run(task, chosen, rows, indices=rows)
    assert_same(alone, whole, rows)
    monkeypatch.setattr(engine, "GROUP_ROWS", 11)
    assert_same(run(task, chosen), whole)
    monkeypatch.setattr(engine, "GROUP_ROWS", 1)
    assert_same(run(task, chosen, slice(0, 5), batch_size=2), run(task, chosen, slice(0, 5)))


def test_a_seed_fixes_the_result_and_another_changes_it() -> None:
    for norm in ("linf", "l2"):
        once, again, other = (run(RBC(S=2), PGD(eps=0.02, norm=norm, keep="last", seed=s)) for s in (1, 1, 2))
        assert torch.equal(once.images, again.images)
        assert not torch.equal(once.images, other.images)
        still = run(RBC(S=2), PGD(eps=0.02, norm=norm, keep="last", seed=1, random_start=False))
        assert not torch.equal(once.images, still.images)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_random_starts_fill_the_ball_and_differ_by_example_and_restart(norm: str) -> None:
    system = linear(TASKS["tra"])
    images = torch.full((300, *SHAPE), 0.5)
    settings = PGD(eps=0.2, steps=1, norm=norm, restarts=2, keep="last")
    start = next(engine.stream(system, images, torch.zeros(300, dtype=torch.int64), settings))
    away = (start.images - 0.5).flatten(1)  # (600, 16)
    assert len(torch.unique(away, dim=0)) == 600
    assert torch.equal(start.example, torch.arange(300).repeat_interleave(2))
    assert torch.equal(start.restart, torch.arange(2).repeat(300))
    if norm == "linf":
        assert 0.19 < float(away.abs().max()) <= 0.2
        assert float((away.abs() < 0.1).float().mean()) == pytest.approx(0.5, abs=0.03)
    else:
        length = away.norm(dim=1)
        assert float(length.max()) <= 0.2 + 1e-6
        inside = float((length < 0.2 * 0.5 ** (1 / 16)).float().mean())  # half of the volume
        assert inside == pytest.approx(0.5, abs=0.08)
    assert float(away.mean().abs()) < 0.01


@pytest.mark.parametrize("name", TASKS)
def test_more_restarts_never_find_less(name: str) -> None:
    task = TASKS[name]
    system, images = exact_perceptron(task), byte_images(30)

    def near(restarts: int) -> Tensor:
        result = run(task, PGD(eps=1 / 64, steps=2, step_size=1 / 512, restarts=restarts, keep="best"))
        return success_margin("misclassified", system.margins(result.images).detach(), result.labels)

    few, many = near(1), near(6)
    assert len(images) == len(few)
    assert bool((many >= few - 1e-6).all())
    assert bool((many > few + 1e-6).any())


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("criterion", ["misclassified", "evaded"])
def test_first_and_best_fool_the_same_and_last_no_more(name: str, criterion: str) -> None:
    task = TASKS[name]
    kept = {
        keep: run(task, PGD(eps=1 / 32, steps=6, step_size=1 / 16, keep=keep, criterion=criterion))  # type: ignore[arg-type]
        for keep in ("first", "best", "last")
    }
    assert torch.equal(kept["first"].fooled, kept["best"].fooled)
    assert bool((kept["best"].fooled | ~kept["last"].fooled).all())
    assert kept["first"].backwards <= kept["best"].backwards == kept["last"].backwards
    system = exact_perceptron(task)

    def near(keep: str) -> Tensor:
        return success_margin(criterion, system.margins(kept[keep].images).detach(), kept[keep].labels)  # type: ignore[arg-type]

    assert bool((near("best") >= near("last") - 1e-6).all())
    assert bool((near("best") >= near("first") - 1e-6).all())


def test_an_empty_batch_gives_an_empty_result() -> None:
    for name, task in TASKS.items():
        system = linear(task)
        nothing = torch.zeros(0, *SHAPE), torch.zeros(0, dtype=torch.int64)
        for chosen in (FGSM(eps=0.1), PGD(eps=0.1, norm="l2", restarts=2), PGD(eps=0.1, targeted=True)):
            targets = nothing[1] if chosen.targeted else None
            result = attack(system, *nothing, chosen, targets=targets)
            assert result.images.shape == (0, *SHAPE), name
            assert len(result.fooled) == len(result.decoded) == len(result.zero_gradient) == len(result.unmoved) == 0
            assert (result.forwards, result.backwards) == (0, 0)
            assert result.summary()["n"] == 0
            assert result.summary()["accuracy"] is None


def test_where_all_is_wrong_already_nothing_is_attacked() -> None:
    system = linear(TASKS["tra"])
    images, labels = sample(system, 10)
    result = attack(system, images, (labels + 1) % 4, PGD(eps=0.1))
    assert bool(result.fooled.all())
    assert bool(result.unmoved.all())
    assert not bool(result.zero_gradient.any())
    assert result.backwards == 0
    assert result.accuracy == 0
    assert result.share(result.unmoved) != result.share(result.unmoved), "nan: no image was correct"
    best = attack(system, images, (labels + 1) % 4, PGD(eps=0.1, keep="best"))
    assert bool(best.fooled.all())
    assert best.backwards == 10 * 20


def test_an_attack_within_no_grad_or_inference_mode_is_the_same() -> None:
    settings = PGD(eps=1 / 32, steps=4, objective="bits")
    usual = run(TASKS["rbc"], settings)
    assert bool(usual.fooled.any())
    with torch.no_grad():
        assert_same(run(TASKS["rbc"], settings), usual)
    system = exact_perceptron(TASKS["rbc"])
    with torch.inference_mode():
        assert_same(attack(system, byte_images(30), usual.labels.clone(), settings), usual)


def test_a_summary_says_what_was_done() -> None:
    system: System = linear(TASKS["rbc"])
    images, labels = sample(system, 10)
    result = attack(system, images, labels, PGD(eps=0.05, objective="bits", seed=3))
    summary = result.summary()
    assert (summary["attack"], summary["eps"], summary["seed"], summary["objective"]) == ("pgd", 0.05, 3, "bits")
    assert summary["step_size"] == pytest.approx(2.5 * 0.05 / 20)
    assert summary["clean_accuracy"] == 1
    assert summary["accuracy"] == pytest.approx(1 - summary["fooled"] / 10)
    assert summary["plan"] == {"fold": False, "channels_last": False, "precision": "float32"} or (
        summary["plan"] == "auto"
    )
