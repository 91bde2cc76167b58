"""Where an adversarial example is known to be there, an attack that works finds it, and one that does not is seen."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache

import pytest
import torch
from torch import Tensor, nn

from tasklab import data, zoo
from tasklab.attacks import APGD, FGSM, PGD, Square, attack, towards_features
from tasklab.cli import main
from tasklab.evaluation import check_attack
from tasklab.evaluation.known_examples import AttackTest, _readout, stream_check_attack
from tasklab.evaluation.robustness import Progress
from tasklab.evaluation.statistics import Share
from tasklab.system import System
from tasklab.tasks import ECOC, INT, RBC, TRA, DeepBE, Task

N, EPS = 8, 0.1
SYSTEMS = ("digits-tra", "digits-tra-at", "digits-deepbe", "digits-deepbe-hinge", "digits-int", "digits-rbc")
MASKED = ("digits-deepbe-hinge", "digits-int", "digits-rbc")


@lru_cache(maxsize=40)
def found(name: str, settings: PGD, n: int = N) -> AttackTest:
    return check_attack(zoo.load(name), data.load("digits", "test").subset(n), settings, draws=60)


@pytest.mark.parametrize("name", SYSTEMS)
def test_pgd_on_the_margin_finds_what_is_there_on_every_task(name: str) -> None:
    test = found(name, PGD(eps=EPS))
    assert test.verdict == "pass" and test.found.value == 1
    assert test.found.n + test.left_out == N and test.found.n >= 6
    assert test.zero_gradient.count == 0
    assert test.random.value <= 0.4, "the test is hard: chance does not do it"


@pytest.mark.parametrize("name", SYSTEMS)
def test_an_attack_that_hardly_moves_finds_nothing(name: str) -> None:
    test = found(name, PGD(eps=EPS, steps=1, step_size=0.001, random_start=False))
    assert test.verdict == "fail" and test.found.count == 0
    assert "no evidence of robustness" in test.sentence


@pytest.mark.parametrize("name", MASKED)
def test_the_own_loss_of_a_masked_system_fails_as_it_does_on_the_system(name: str) -> None:
    test = found(name, PGD(eps=EPS, objective="train", keep="last"))
    assert test.verdict == "fail"
    assert test.found.count + test.zero_gradient.count == test.found.n, "it misses exactly those without a gradient"
    assert "saw no gradient" in test.sentence


def test_the_own_loss_of_a_softmax_passes() -> None:
    assert found("digits-tra", PGD(eps=EPS, objective="train", keep="last")).verdict == "pass"


def test_a_two_sided_loss_misleads_where_a_bit_overshoots() -> None:
    """DeepBE's loss as regression rises when a correct bit goes too far: PGD walks away from the boundary."""
    shipped = zoo.load("digits-deepbe")
    system = System(shipped.network, DeepBE(loss_form="mse"))
    images = data.load("digits", "test").subset(N)
    own = check_attack(system, images, PGD(eps=EPS, objective="train", keep="last"), draws=10)
    assert own.zero_gradient.count == 0
    assert own.verdict == "fail", "no gradient is zero, and still the attack is led astray: this test sees it"


@pytest.mark.parametrize("settings", [APGD(eps=EPS, steps=20), Square(eps=EPS, steps=1000), PGD(eps=0.8, norm="l2"),
                                      PGD(eps=EPS, objective="bits", criterion="evaded")], ids=lambda s: s.name)
def test_other_attacks_the_other_norm_and_the_other_criterion(settings: PGD) -> None:
    assert found("digits-rbc", settings, 4).verdict in ("pass", "warn")


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("name", ["digits-tra", "digits-int", "digits-rbc"])
def test_the_adversarial_example_is_really_there(name: str, norm: str) -> None:
    """The readout answers 0 inside, as far from losing as the system itself, and 1 somewhere on the surface."""
    system = zoo.load(name)
    x, y = data.load("digits", "test").subset(1).x(), data.load("digits", "test").labels[:1]
    own = float(system.margins(x)[0, y])
    settings = PGD(eps=EPS if norm == "linf" else 0.8, norm=norm, steps=40)  # type: ignore[arg-type]
    readout = _readout(system, x, own, settings, 0, 400, 0.5, 256)
    assert readout is not None
    assert float(readout.margins(x)[0, 0]) == pytest.approx(own, rel=1e-3)
    assert int(readout.predict(x)) == 0
    result = attack(readout, x, torch.tensor([0]), settings)
    assert int(result.decoded) == 1
    away = (result.images - x).flatten()
    assert float(away.abs().max() if norm == "linf" else away.norm()) <= settings.eps * (1 + 1e-5)


@pytest.mark.parametrize("task", [TRA(), DeepBE(), DeepBE(loss_form="bce", bits=6), INT(), INT(gap="floor"), RBC(S=7),
                                  ECOC(),
                                  RBC(S=1, code=tuple(tuple(int(i == j) for j in range(10)) for i in range(10)))],
                         ids=lambda t: f"{t.name}-{t.width}")
def test_a_task_of_two_classes_keeps_its_kind_and_its_scale(task: Task) -> None:
    two = task.two_class()
    assert type(two) is type(task) and two.num_classes == 2
    u = torch.tensor([-3.0, -0.5, 0.25, 4.0])
    z = two.two_class_outputs(u)
    assert torch.allclose(two.codec.margins(z)[:, 0], -u, atol=1e-3)
    assert two.codec.decode(z).tolist() == [0, 0, 1, 1]
    if isinstance(task, RBC):
        zero = torch.zeros(2, dtype=torch.int64)
        assert two.loss(two.two_class_outputs(torch.tensor([-1.01, -0.99]) * float(task.S)), zero).gt(0).tolist() == [
            False, True,
        ]


class _Rounded(nn.Module):
    """Features rounded to a grid: a trunk without a gradient."""

    def forward(self, x: Tensor) -> Tensor:
        return (3 * x.flatten(1)).round()


def test_a_trunk_that_kills_the_gradient_fails_whatever_is_climbed() -> None:
    trunk = _Rounded()
    layer = nn.Linear(16, 4)
    system = System(nn.Sequential(trunk, layer), RBC(S=1, num_classes=10), features=trunk)
    x = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    y = system.predict(x)
    test = check_attack(system, (x[y >= 0], y[y >= 0]), PGD(eps=0.3, random_start=False), inner=100)
    assert test.verdict in ("fail", "not run")
    assert test.zero_gradient.count == test.found.n


def test_the_same_seed_the_same_test_and_the_batch_size_does_not_matter() -> None:
    system, images = zoo.load("digits-rbc"), data.load("digits", "test").subset(3)
    settings = PGD(eps=EPS, steps=2)
    first, second = (check_attack(system, images, settings, inner=100, draws=20, batch_size=b) for b in (256, 7))
    assert first == second
    other = check_attack(system, images, replace(settings, seed=5), inner=100, draws=20)
    assert other.settings.seed == 5


def test_images_that_are_misread_are_left_out_and_progress_is_told() -> None:
    system, images = zoo.load("digits-tra"), data.load("digits", "test").subset(3)
    wrong = (images.x(), (images.labels + 1) % 10)
    content: list[Progress] = []
    (test,) = stream_check_attack(system, wrong, PGD(eps=EPS), inner=20, progress=content.append)
    assert test.verdict == "not run" and test.left_out == 3 and "No image could be tested" in test.sentence
    assert [event.index for event in content] == [0, 1, 2]


def test_no_images_are_a_test_that_was_not_run() -> None:
    system, images = zoo.load("digits-tra"), data.load("digits", "test").subset(0)
    test = check_attack(system, images, PGD(eps=EPS), inner=20)
    assert test.verdict == "not run" and (test.found.n, test.left_out) == (0, 0)
    json.dumps(test.to_dict(), allow_nan=False)


def made_up(count: int, lucky: int) -> AttackTest:
    return AttackTest(settings=PGD(eps=EPS), found=Share(count, 20), random=Share(lucky, 20),
                      zero_gradient=Share(0, 20), draws=200, left_out=0)


@pytest.mark.parametrize(("count", "lucky", "verdict"), [(20, 0, "pass"), (19, 10, "pass"), (20, 11, "warn"),
                                                         (18, 0, "fail"), (18, 18, "fail")])
def test_the_verdict(count: int, lucky: int, verdict: str) -> None:
    test = made_up(count, lucky)
    assert test.verdict == verdict and test.to_dict()["verdict"] == verdict
    assert str(count) in test.sentence and str(lucky) in test.sentence


def test_what_cannot_be_tested_is_refused() -> None:
    system, images = zoo.load("digits-tra"), data.load("digits", "test").subset(2)
    for settings in (PGD(eps=0.0), PGD(eps=EPS, targeted=True)):
        with pytest.raises(ValueError, match="expected untargeted settings with a finite eps"):
            check_attack(system, images, settings)
    for more in ({"closeness": 0.0}, {"closeness": 1.0}, {"inner": 0}, {"draws": 0}):
        with pytest.raises(ValueError, match="try closeness"):
            check_attack(system, images, PGD(eps=EPS), **more)
    objective = towards_features(system, images.x().repeat(5, 1, 1, 1), torch.arange(10))
    with pytest.raises(ValueError, match="objective on outputs"):
        check_attack(system, images, PGD(eps=EPS, objective=objective))
    plain = System(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), TRA())
    x = images.x()
    with pytest.raises(TypeError, match="features"):
        check_attack(plain, (x, plain.predict(x)), PGD(eps=EPS))


def test_fgsm_is_no_attack_that_finds_everything() -> None:
    assert found("digits-rbc", FGSM(eps=EPS)).found.value < 1


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--n", "4", "--inner", "200", "--draws", "20"]
    assert main(["check-attack", "digits-rbc", "--objective", "margin", *options]) == 0
    assert "PASS" in capsys.readouterr().out
    assert main(["check-attack", "digits-rbc", "--objective", "train", *options, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "fail"
    assert main(["check-attack", "digits-rbc", "--eps", "0"]) == 1
    assert "finite eps" in capsys.readouterr().err
