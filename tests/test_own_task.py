"""A task in one file: once registered, it is trained, attacked, evaluated, described and drawn, with no other edit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from tasklab import data, zoo
from tasklab.attacks import OBJECTIVES, PGD, attack
from tasklab.checks import keep
from tasklab.codecs import Codec
from tasklab.evaluation import evaluate, transfer
from tasklab.evaluation.cards import card_markdown
from tasklab.evaluation.ensemble import worst_case
from tasklab.experiments.sweep import sweep
from tasklab.figures import outputs_figure, read_decisions
from tasklab.figures.describing import describe_outputs
from tasklab.figures.live.sweep import scene_html
from tasklab.jobs.training import Training
from tasklab.system import System, new_system
from tasklab.tasks import TASKS, Asked, Task, make_task, register
from tasklab.training import Recipe, fit


@dataclass(frozen=True, kw_only=True)
class Directions(Codec):
    """Classes as directions in the plane: the one with the smallest angle to the two outputs wins, far enough out."""

    num_classes: int
    radius: float

    @property
    def width(self) -> int:
        """Two outputs."""
        return 2

    def _points(self, z: Tensor) -> Tensor:
        turns = 2 * torch.pi * torch.arange(self.num_classes, device=z.device) / self.num_classes
        return torch.stack([turns.cos(), turns.sin()], dim=1)

    def _encode(self, y: Tensor) -> Tensor:
        return self._points(y)[y]

    def _along(self, z: Tensor) -> Tensor:
        return (z[:, None, :] * self._points(z)).sum(dim=2)  # (N, classes)

    def _margins(self, z: Tensor) -> Tensor:
        along = self._along(z)
        others = torch.stack([along[:, [j for j in range(self.num_classes) if j != k]].amax(dim=1)
                              for k in range(self.num_classes)], dim=1)
        return torch.minimum(along - others, along - self.radius)

    def _terms(self, z: Tensor, y: Tensor) -> Tensor:
        along = self._along(z)
        own = along.gather(1, y[:, None])
        rivals = torch.arange(self.num_classes - 1, device=z.device).expand(len(y), -1)
        rivals = rivals + (rivals >= y[:, None])
        return torch.cat([own - along.gather(1, rivals), own - self.radius], dim=1)


@dataclass(frozen=True, kw_only=True)
class Compass(Task):
    """Each class is a direction, and an output near the middle means none."""

    name: ClassVar[str] = "compass"
    radius: float = field(default=0.5, metadata={"asked": Asked(
        title="Radius", help="Nearer to the middle, an output means None.", low=0, apart="r = {:g}",
    )})

    def __post_init__(self) -> None:
        super().__post_init__()
        keep(self, radius=float(self.radius))

    @cached_property
    def codec(self) -> Directions:
        """Directions."""
        return Directions(num_classes=self.num_classes, radius=self.radius)

    def _loss(self, z: Tensor, codewords: Tensor) -> Tensor:
        return (z - 4 * codewords).square().sum(dim=1)


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    register(Compass)
    yield
    del TASKS["compass"]


@pytest.fixture(scope="module")
def trained() -> System:
    train = data.load("digits", "train").subset(300)
    system = new_system(Compass(), train, width=8, seed=0)
    for _event in fit(system, train, Recipe(epochs=6, batch_size=32, lr=0.01, seed=0)):
        pass
    return system


@pytest.fixture(scope="module")
def test() -> tuple[Tensor, Tensor]:
    images = data.load("digits", "test").subset(20)
    return images.x(), images.labels


def test_it_is_made_by_name_and_comes_back_from_a_file(trained: System, tmp_path: Path) -> None:
    assert make_task("compass", radius=2) == Compass(radius=2.0)
    assert list(TASKS)[-1] == "compass" and Compass.title == "COMPASS"
    assert Compass.summary == "Each class is a direction, and an output near the middle means none."
    trained.save(tmp_path / "digits-compass.safetensors")
    assert zoo.load("digits-compass", where=tmp_path).task == trained.task


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_attacks_it_or_says_why_not(
    trained: System, test: tuple[Tensor, Tensor], objective: str
) -> None:
    settings = PGD(eps=0.2, steps=3, objective=objective)
    if objective in ("up", "down", "unclipped"):
        with pytest.raises(ValueError, match=f"expected task .* for objectives? .*{objective}.*, got compass"):
            attack(trained, *test, settings)
        return
    result = attack(trained, *test, settings)
    assert torch.equal(result.decoded, trained.predict(result.images))
    assert result.accuracy < float((trained.predict(test[0]) == test[1]).float().mean())


def test_it_is_evaluated_and_attacks_are_carried_over(trained: System, test: tuple[Tensor, Tensor]) -> None:
    clean, attacked = evaluate(trained, test, [PGD(eps=0.1, steps=3)])
    assert clean.outcomes.accuracy.value > attacked.outcomes.accuracy.value
    assert worst_case(trained, test, 0.2, preset="quick").outcomes.accuracy.value < 0.5
    assert transfer({"own": trained}, {"other": trained}, *test, PGD(eps=0.2, steps=3))


def test_it_is_described_and_drawn(trained: System, test: tuple[Tensor, Tensor]) -> None:
    x, y = test
    z, after = trained.read(x), trained.read(attack(trained, x, y, PGD(eps=0.2, steps=3)).images)
    label = int(y[0])
    assert describe_outputs(trained.task, z[0], after[0], label=label).startswith("One bar per class, the largest wins")
    figure = outputs_figure(trained.task, z[0], after[0], label=label)
    assert list(figure.data[0].y) == pytest.approx(trained.task.codec.margins(after[:1])[0].tolist(), abs=1e-5)
    reading = read_decisions(trained.task, z, after, y)
    assert reading.before == pytest.approx(trained.task.codec.margins(z).gather(1, y[:, None])[:, 0].numpy())
    result = sweep(trained, x[:1], y[:1], PGD(eps=0, steps=3, random_start=False), (0.0, 0.1))
    assert "2 outputs, 10 classes" in scene_html({("own", "margin"): result})


def test_the_command_line_jobs_and_cards_know_it(trained: System) -> None:
    from tasklab.cli import parser

    args = parser().parse_args(["train", "--task", "compass", "--radius", "2"])
    assert (args.task, args.radius) == ("compass", 2)
    with pytest.raises(SystemExit):
        parser().parse_args(["train", "--task", "compass", "--radius", "-1"])
    job = Training(task=Compass(radius=2.0))
    assert Training.from_dict(job.to_dict()) == job and "--radius 2.0" in job.command()
    assert "task compass" in card_markdown({"name": "own", "task": trained.task.to_dict()})


def test_a_name_belongs_to_one_task() -> None:
    with pytest.raises(ValueError, match="a name that no task has, got 'rbc'"):
        register(type("Other", (Compass,), {"name": "rbc"}))
