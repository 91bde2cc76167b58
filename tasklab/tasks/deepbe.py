"""DeepBE: bits around 0.5, fitted by one of three losses."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Literal

from torch import Tensor

from tasklab import losses
from tasklab.tasks.base import register
from tasklab.tasks.bits import Bits
from tasklab.tasks.drawing import Gauges
from tasklab.tasks.settings import Asked, Typical


@register
@dataclass(frozen=True, kw_only=True)
class DeepBE(Bits):
    """Bits around 0.5 (Li et al. 2016), fitted by ``loss_form``: ``"hinge"`` (the paper's), ``"mse"`` or ``"bce"``.

    Under ``"hinge"`` every correct example has exactly zero loss: it is RBC with S = 0 around 0.5.
    """

    name: ClassVar[str] = "deepbe"
    title: ClassVar[str] = "DeepBE"
    long_name: ClassVar[str] = "deep binary encoding"
    summary: ClassVar[str] = "The network answers in bits around 0.5."
    rank: ClassVar[int] = 1
    typical: ClassVar[Typical] = Typical(epochs=30)
    threshold: ClassVar[float] = 0.5

    loss_form: Literal["hinge", "mse", "bce"] = field(default="hinge", metadata={"asked": Asked(
        title="Loss", kind="text", choices=("mse", "hinge", "bce"), key="loss", apart="{}",
        help="How DeepBE's bits are fitted. mse: squared distance to 0 and 1. hinge: the paper's form, exactly 0 for "
        "every image classified correctly. bce: cross-entropy of each bit.",
    )})

    def __post_init__(self) -> None:
        if self.loss_form not in ("hinge", "mse", "bce"):
            raise ValueError(f"expected loss_form 'hinge', 'mse' or 'bce', got {self.loss_form!r}")
        super().__post_init__()

    @property
    def _natural(self) -> tuple[float, float]:
        return 1.0, self.threshold

    def _loss(self, z: Tensor, codewords: Tensor) -> Tensor:
        if self.loss_form == "mse":
            return losses.bit_squared_error(z, codewords)
        if self.loss_form == "bce":
            return losses.bit_cross_entropy(z, codewords, threshold=self.threshold)
        return losses.bit_hinge(z, codewords, threshold=self.threshold)

    @property
    def rail(self) -> float:
        """Half the distance between 0 and 1."""
        return 0.5

    @property
    def answers(self) -> str:
        """The number of bits."""
        return f"{self.width} bits around 0.5"

    @cached_property
    def gauges(self) -> Gauges:
        """Rails stand at 0 and 1."""
        return Gauges(threshold=self.threshold, rail=self.rail, rows=self.codec.rows, loss=self.loss_form)
