"""What pages and the command line must know of a task's settings, to ask for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How a setting is asked for; a field of a task holds it as ``field(default=…, metadata={"asked": Asked(…)})``.

    Attributes:
        title: above its control, such as ``"Margin S"``.
        help: one or two sentences for a person.
        kind: ``"number"``, ``"whole"`` or ``"text"``.
        low: the least number that the task takes, if there is one.
        above: whether a number has to be larger than ``low``.
        offered: the least and the largest number on a page, in steps of 1, where no ``choices`` are named.
        limits: the same for whole numbers, by the number of classes; the least is where the control opens.
        choices: words or numbers to choose from on a page; of words, the first is where the control opens.
        half: whether its control shares a row with another one.
        place: controls of a task come in this order.
        apart: a format that tells systems apart, such as ``"S = {:g}"``; empty where the setting is not named.
        key: a short word for links; by default the name of the setting.
        on_pages: False where pages leave the setting as it is.
    """

    title: str
    help: str
    kind: Literal["number", "whole", "text"] = "number"
    low: float | None = None
    above: bool = False
    offered: tuple[float, float] = (0.0, 100.0)
    limits: Callable[[int], tuple[int, int]] | None = None
    choices: tuple[Any, ...] = ()
    half: bool = False
    place: int = 0
    apart: str = ""
    key: str = ""
    on_pages: bool = True


@dataclass(frozen=True, kw_only=True)
class Typical:
    """What a training run of a task opens with on a page: as the shipped system of that task was trained."""

    epochs: int = 20
    lr: float = 0.003
    inset: float = 0.0


MARGIN = Asked(
    title="Margin S", low=0, offered=(0.0, 10_000.0), apart="S = {:g}",
    help="How far each bit has to be on its side of 0 before the loss lets go of it. The paper uses 350.",
)
BITS = Asked(
    title="Bits", kind="whole", low=1, half=True, place=2,
    limits=lambda classes: ((classes - 1).bit_length(), 2 * (classes - 1).bit_length()),
    help="How many bits an answer has. Four are enough for ten classes, seven for a hundred; more leave more codewords "
    "that mean None.",
)
CODE = Asked(
    title="Code", kind="text", choices=("binary", "gray"), half=True, place=3,
    help="Which codeword stands for which class. binary: the label's own bits. gray: neighbours differ in one bit.",
)
