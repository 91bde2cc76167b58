"""Binary codes: one output per bit, whose sign decides the bit; all bits must agree with the codeword of a class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from tasklab.checks import as_number, as_whole, keep
from tasklab.codecs.base import TINY, Codec, Constants, check_code_size, check_num_classes
from tasklab.codecs.codes import Rows, gray_code, plain_code
from tasklab.modes import CPU


@dataclass(frozen=True, kw_only=True)
class Binary(Codec):
    """Bits on either side of a threshold; margin of class k: ``min_i s_ki · (z_i − threshold)``, ``s = 2·bit − 1``.

    A bit is 1 iff its output is *above* the threshold (equation 2), so an output on the threshold means 0.
    A pattern of bits that belongs to no class decodes to `ABNORMAL`: with 4 bits and 10 classes, six of the 16.

    Args:
        num_classes: C, at least 2.
        bits: B with ``2**B ≥ C``, up to `MAX_BITS`; by default the smallest.
        code: ``"binary"`` (the class number), ``"gray"``, or any 0/1 rows, one per class, all different.
        threshold: 0 for RBC, 0.5 for DeepBE.

    >>> import torch
    >>> codec = Binary(num_classes=10)
    >>> codec.encode(torch.tensor([9]))
    tensor([[1., 0., 0., 1.]])
    >>> codec.decode(torch.tensor([[350.0, -350.0, -350.0, 350.0], [1.0, 1.0, 1.0, 1.0]]))
    tensor([ 9, -1])
    """

    num_classes: int = 10
    bits: int | None = None
    code: str | Rows = "binary"
    threshold: float = 0.0

    def __post_init__(self) -> None:
        keep(self, num_classes=check_num_classes(self.num_classes))
        rows = _rows(self.num_classes, self.bits, self.code)
        threshold = as_number(self.threshold)
        if threshold is None or not math.isfinite(threshold):
            raise ValueError(f"expected a finite threshold, got {self.threshold!r}")
        keep(self, bits=len(rows[0]), threshold=float(threshold))
        if not isinstance(self.code, str):
            keep(self, code=rows)

    @property
    def width(self) -> int:
        """One output per bit."""
        assert self.bits is not None
        return self.bits

    @property
    def rows(self) -> Rows:
        """The code, one 0/1 row per class."""
        return _rows(self.num_classes, self.bits, self.code)

    @cached_property
    def _matrix(self) -> Constants:
        return Constants(lambda: torch.tensor(self.rows, dtype=torch.float32))

    @property
    def matrix(self) -> Tensor:
        """float32 ``(classes, bits)`` of 0 and 1."""
        return self._matrix.on(CPU)

    @cached_property
    def _signs(self) -> Constants:
        return Constants(lambda: 2 * self.matrix - 1)  # (classes, bits)

    def signs(self, y: Tensor) -> Tensor:
        """``2·bit − 1`` of each label: float32 ``(N, bits)`` of −1 and 1."""
        return self._signs.on(y.device)[self.check_labels(y)]

    def _encode(self, y: Tensor) -> Tensor:
        return self._matrix.on(y.device)[y]

    def _margins(self, z: Tensor) -> Tensor:
        side = z - self.threshold
        side = side - (side == 0).float() * TINY  # on the threshold a bit is 0
        return (self._signs.on(z.device) * side[:, None, :]).amin(dim=2)  # (N, classes, bits) -> (N, classes)

    def _terms(self, z: Tensor, y: Tensor) -> Tensor:
        return self._signs.on(y.device)[y] * (z - self.threshold)


_EXPECTED_CODE = "expected code 'binary', 'gray' or 0/1 rows"


def _rows(num_classes: int, bits: int | None, code: str | Rows) -> Rows:
    if bits is not None:
        count = as_whole(bits)
        if count is None or count < 1:
            raise ValueError(f"expected bits as a positive integer, got {bits!r}")
        bits = count
    needed = math.ceil(math.log2(num_classes))
    if isinstance(code, str):
        if code not in ("binary", "gray"):
            raise ValueError(f"{_EXPECTED_CODE}, got {code!r}; try code='binary'")
        if bits is not None and bits < needed:
            raise ValueError(
                f"expected at least {needed} bits for {num_classes} classes (2**bits ≥ classes), got {bits}; "
                f"try bits={needed}"
            )
        check_code_size(num_classes, bits or needed)
        return (plain_code if code == "binary" else gray_code)(num_classes, bits or needed)
    try:
        rows = tuple(tuple(int(b) if b in (0, 1) else -1 for b in row) for row in code)
    except TypeError:
        raise ValueError(f"{_EXPECTED_CODE}, got {code!r}; try code='binary'") from None
    if len(rows) != num_classes:
        raise ValueError(f"expected one code row per class ({num_classes}), got {len(rows)}")
    if len({len(row) for row in rows}) != 1 or not rows[0] or (bits is not None and len(rows[0]) != bits):
        length = f"length {bits}" if bits else "one length"
        raise ValueError(f"expected code rows of {length}, got lengths {sorted({len(r) for r in rows})}")
    check_code_size(num_classes, len(rows[0]))
    if any(b == -1 for row in rows for b in row):
        raise ValueError("expected code rows of 0 and 1, got another value; try (matrix > 0).int().tolist()")
    if len(set(rows)) != num_classes:
        first = next(k for k, row in enumerate(rows) if row in rows[:k])
        raise ValueError(
            f"expected distinct code rows, got class {first} with the row of class {rows.index(rows[first])}; "
            "try more bits, or hadamard_code(num_classes)"
        )
    return rows
