"""One attack on one picture by one system, kept for as long as its settings are asked for."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st
from torch import Tensor

from lab_ui import shelf
from lab_ui.setup import Refused, Setup, check
from lab_ui.words import title
from tasklab.attacks import FGSM, PGD, attack
from tasklab.tasks import Task


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


def answer(setup: Setup, name: str, key: str, aim: str) -> Answer:
    """The answer of one cell of the page.

    Raises:
        ValueError: one sentence: a combination that means nothing, or a system that does not load.
    """
    settings = setup.settings(aim)
    system = shelf.system(name)
    check(aim, system.task, title(key))
    images = shelf.test_set(setup.dataset)
    if images is None or images.shape != system.network.spec.in_shape:
        raise Refused(f"{title(key)} was not trained for pictures of this size.")
    if setup.target is not None and setup.target == int(images.labels[setup.image]):
        raise Refused("The target is the picture's own class. Choose another target.")
    return _answer(name, shelf.stamp(name), setup.dataset, setup.image, settings, setup.target)


@st.cache_data(max_entries=2000, show_spinner=False, hash_funcs={PGD: repr, FGSM: repr})
def _answer(name: str, stamp: str, dataset: str, index: int, settings: PGD, target: int | None) -> Answer:
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
