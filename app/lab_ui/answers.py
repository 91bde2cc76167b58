"""One attack on one picture by one system, kept for as long as its settings are asked for."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st
from torch import Tensor

from lab_ui import shelf
from lab_ui.words import title
from tasklab.attacks import OBJECTIVES, Settings, attack
from tasklab.scenario import ATTACKS, Scenario
from tasklab.tasks import INT, RBC, Task


class Refused(ValueError):
    """A combination that means nothing, as one sentence for the person who asked for it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """What an attack did to one picture, before and after.

    Attributes:
        task: says what outputs mean.
        clean, attacked: the pictures ``(1, C, H, W)``.
        label: the true class.
        outputs: ``(K,)`` before and after.
        decoded: labels read before and after.
        margins: of the true class before and after.
    """

    task: Task
    clean: Tensor
    attacked: Tensor
    label: int
    outputs: tuple[Tensor, Tensor]
    decoded: tuple[int, int]
    margins: tuple[float, float]
    fooled: bool
    zero_gradient: bool
    unmoved: bool

    @property
    def broken(self) -> bool:
        """Whether the answer was right before and the attack succeeded."""
        return self.fooled and self.decoded[0] == self.label


def answer(scenario: Scenario, name: str, key: str, aim: str) -> Answer:
    """The answer of one cell of the page.

    Raises:
        ValueError: one sentence: a combination that means nothing, or a system that does not load.
    """
    system = shelf.system(name)
    check(scenario, aim, system.task, title(key))
    settings = scenario.settings(aim)
    images = shelf.test_set(scenario.data)
    if images is None or images.shape != system.network.spec.in_shape:
        raise Refused(f"{title(key)} was not trained for pictures of this size.")
    if scenario.target is not None and scenario.target == int(images.labels[scenario.image]):
        raise Refused("The target is the picture's own class. Choose another target.")
    return _answer(name, shelf.stamp(name), scenario.data, scenario.image, settings, scenario.target)


@st.cache_data(max_entries=2000, show_spinner=False, hash_funcs=dict.fromkeys(ATTACKS.values(), repr))
def _answer(name: str, stamp: str, dataset: str, index: int, settings: Settings, target: int | None) -> Answer:
    system, images = shelf.system(name), shelf.test_set(dataset)
    assert images is not None
    x, y = images.x(index), images.labels[index : index + 1]
    result = attack(system, x, y, settings, targets=None if target is None else y.new_tensor([target]))
    before, after = system.read(x), system.read(result.images)
    codec, label = system.task.codec, int(y)
    return Answer(
        task=system.task,
        clean=x,
        attacked=result.images,
        label=label,
        outputs=(before[0], after[0]),
        decoded=(int(result.clean_decoded), int(result.decoded)),
        margins=(float(codec.margins(before)[0, label]), float(codec.margins(after)[0, label])),
        fooled=bool(result.fooled),
        zero_gradient=bool(result.zero_gradient),
        unmoved=bool(result.unmoved),
    )


def check(scenario: Scenario, aim: str, task: Task, title: str) -> None:
    """A `Refused` with a way on, if a task does not have an aim, or an aim no target."""
    if aim in ("up", "down") and not isinstance(task, INT):
        raise Refused(f"“{aim}” slides along INT's number line, and {title} has none. Try the decision margin instead.")
    if aim == "unclipped" and not isinstance(task, RBC):
        raise Refused(f"“unclipped” lifts the margin S of RBC's loss, and {title} has none. Try the decision margin.")
    if scenario.target is not None and not OBJECTIVES[aim].targetable:
        raise Refused(f"“{aim}” cannot be aimed at a target class. Choose “any other” as target, or another aim.")
    if scenario.target is not None and scenario.attack in ("HopSkipJump", "Noise"):
        raise Refused(f"{scenario.attack} has no target. Choose “any other” as target, or another attack.")
