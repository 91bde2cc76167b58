"""ECOC: error-correcting output codes, bits whose nearest codeword is the label."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Literal

from torch import Tensor

from tasklab import losses
from tasklab.checks import as_number, keep
from tasklab.codecs import NearestCodeword
from tasklab.codecs.codes import Rows
from tasklab.tasks.base import Task, register
from tasklab.tasks.drawing import Gauges
from tasklab.tasks.settings import BITS, CODE, MARGIN, Asked


@register
@dataclass(frozen=True, kw_only=True)
class ECOC(Task):
    """Error-correcting output codes (Dietterich & Bakiri 1995): more bits than needed, the nearest codeword wins.

    A system with this task never answers None. Training pushes every bit to its side of 0 with the loss ``loss_form``:

    - ``"hinge"``: ``‖relu(S − s·z)‖²``, the loss of RBC;
    - ``"logistic"``: ``S²·Σ log(1 + exp(−s_i z_i / S))``, logistic regression of each bit, in units of S.
    """

    name: ClassVar[str] = "ecoc"
    title: ClassVar[str] = "ECOC"
    long_name: ClassVar[str] = "error-correcting output codes"
    summary: ClassVar[str] = "The network answers in more bits than it needs, and the nearest codeword is the label."
    rank: ClassVar[int] = 4
    margin_name: ClassVar[str] = "margin over the nearest rival"

    bits: int | None = field(default=None, metadata={"asked": dataclasses.replace(BITS, on_pages=False)})
    code: str | Rows = field(default="hadamard", metadata={"asked": dataclasses.replace(
        CODE, choices=("hadamard", "random", "binary", "gray"), key="codewords",
        help="Which codeword stands for which class. hadamard: any two differ in half of the bits. random: the best of "
        "many random codes. binary, gray: no more bits than needed, so no wrong bit is corrected.",
    )})
    S: float = field(default=350.0, metadata={"asked": MARGIN})
    loss_form: Literal["hinge", "logistic"] = field(default="hinge", metadata={"asked": Asked(
        title="Loss", kind="text", choices=("hinge", "logistic"), half=True, place=4, key="bit_loss",
        help="How the bits are fitted. hinge: until each has the margin S, as in RBC. logistic: each by logistic "
        "regression, whose loss never reaches 0.",
    )})

    def __post_init__(self) -> None:
        size = as_number(self.S)
        if size is None or not 0 < size < math.inf:
            raise ValueError(f"expected S as a finite number above 0 (the margin of a bit), got {self.S!r}; try S=350")
        if self.loss_form not in ("hinge", "logistic"):
            raise ValueError(f"expected loss_form 'hinge' or 'logistic', got {self.loss_form!r}")
        keep(self, S=float(size))
        super().__post_init__()
        keep(self, bits=self.codec.bits, code=self.codec.code)

    @cached_property
    def codec(self) -> NearestCodeword:
        """Codewords of bits, of which the nearest one wins."""
        return NearestCodeword(num_classes=self.num_classes, bits=self.bits, code=self.code)

    @property
    def _natural(self) -> tuple[float, float]:
        return self.S, 0.0

    def _loss(self, z: Tensor, codewords: Tensor) -> Tensor:
        if self.loss_form == "logistic":
            return self.S**2 * losses.bit_cross_entropy(z.float() / self.S, codewords, threshold=0.0)
        return losses.bit_hinge(z, codewords, margin=self.S)

    def targets(self, y: Tensor) -> Tensor:
        """Each bit at its margin."""
        return self.S * (2 * self.codec.encode(y) - 1)

    @property
    def answers(self) -> str:
        """The number of bits, how far apart the codewords are, and the margin."""
        return f"{self.width} bits, codewords {self.codec.distance} apart, S = {self.S:g}"

    @cached_property
    def gauges(self) -> Gauges:
        """Rails stand at ±S."""
        return Gauges(threshold=0.0, rail=self.S, rows=self.codec.rows, margin=self.S, loss=self.loss_form)

    @property
    def unclipped(self) -> ECOC | None:
        """The hinge with S' = 10·S; the logistic loss stops at no margin."""
        return dataclasses.replace(self, S=10 * self.S) if self.loss_form == "hinge" else None

    def two_class(self) -> ECOC:
        """One bit."""
        return dataclasses.replace(self, num_classes=2, bits=1, code="hadamard")

    def two_class_outputs(self, u: Tensor) -> Tensor:
        """The one bit at u."""
        return u[:, None]
