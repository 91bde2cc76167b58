"""What pages and the command line have to know about a task's settings to ask people for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How people are asked for a setting: ``field(default=…, metadata={"asked": Asked(…)})`` in the task's class.

    Attributes:
        title: the words above its control, such as ``"Margin S"``.
        help: one or two sentences that explain it.
        kind: ``"number"``, ``"whole"`` or ``"text"``.
        low: the least number that the task takes, if there is one.
        above: whether a number has to be larger than ``low``.
        offered: the least and the largest number on a page, in steps of 1, where no ``choices`` are named.
        limits: the same for whole numbers, by the number of classes; the control starts at the least.
        choices: words or numbers to choose from on a page; with words, the control starts at the first.
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
    """The settings that a page proposes for a training run of a task; its shipped system was trained with them."""

    epochs: int = 20
    lr: float = 0.003
    inset: float = 0.0


MARGIN = Asked(
    title="Margin S", low=0, offered=(0.0, 10_000.0), apart="S = {:g}",
    help="How far each bit has to be on its side of 0 before its loss is 0. The paper uses 350.",
)
BITS = Asked(
    title="Bits", kind="whole", low=1, half=True, place=2,
    limits=lambda classes: ((classes - 1).bit_length(), 2 * (classes - 1).bit_length()),
    help="How many bits an answer has. Four are enough for ten classes, seven for a hundred; with more bits, "
    "more codewords mean None.",
)
CODE = Asked(
    title="Code", kind="text", choices=("binary", "gray"), half=True, place=3,
    help="Which codeword stands for which class. binary: the label's own bits. gray: neighbours differ in one bit.",
)
