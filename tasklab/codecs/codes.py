"""Code matrices: one 0/1 row per class, most significant bit first."""

from __future__ import annotations

import math

import torch

from tasklab.checks import check_whole

Rows = tuple[tuple[int, ...], ...]

DRAWS = 200
"""How many random codes `random_code` chooses from."""


def plain_code(num_classes: int, bits: int) -> Rows:
    """The class number in binary, as in the paper.

    >>> plain_code(3, 2)
    ((0, 0), (0, 1), (1, 0))
    """
    num_classes, bits = check_whole("num_classes", num_classes, low=1), check_whole("bits", bits, low=1)
    return tuple(tuple(k >> i & 1 for i in reversed(range(bits))) for k in range(num_classes))


def gray_code(num_classes: int, bits: int) -> Rows:
    """The reflected binary code (Gray 1953): neighbouring classes differ in exactly one bit.

    >>> gray_code(4, 2)
    ((0, 0), (0, 1), (1, 1), (1, 0))
    """
    num_classes, bits = check_whole("num_classes", num_classes, low=1), check_whole("bits", bits, low=1)
    return tuple(tuple((k ^ k >> 1) >> i & 1 for i in reversed(range(bits))) for k in range(num_classes))


def hadamard_code(num_classes: int) -> Rows:
    """Rows of Sylvester's Hadamard matrix without its constant column: any two differ in half of the bits or more.

    The number of bits is one less than the next power of two at or above ``num_classes``.

    >>> hadamard_code(4)
    ((0, 0, 0), (1, 0, 1), (0, 1, 1), (1, 1, 0))
    """
    num_classes = check_whole("num_classes", num_classes, low=1)
    order = 2 ** math.ceil(math.log2(max(num_classes, 2)))
    return tuple(tuple((k & i).bit_count() % 2 for i in range(1, order)) for k in range(num_classes))


def row_distance(rows: Rows) -> int:
    """The smallest number of bits in which two rows differ (Hamming); 0 where two are equal.

    >>> row_distance(((0, 0, 0), (1, 0, 1), (0, 1, 1)))
    2
    """
    signs = 2 * torch.tensor(rows, dtype=torch.float32, device="cpu") - 1
    agreeing = signs @ signs.T  # B − 2·distance
    agreeing.fill_diagonal_(-signs.shape[1])
    return int((signs.shape[1] - agreeing.max()) / 2)


def random_code(num_classes: int, bits: int, seed: int = 0) -> Rows:
    """An error-correcting output code (Dietterich & Bakiri 1995): of `DRAWS` random ones, that of largest row distance.

    Raises:
        ValueError: no draw had distinct rows, or an argument is not an integer or is too small.
    """
    num_classes, bits = check_whole("num_classes", num_classes, low=2), check_whole("bits", bits, low=1)
    generator = torch.Generator().manual_seed(check_whole("seed", seed, low=0))
    best: tuple[int, Rows] | None = None
    for _ in range(DRAWS):
        drawn = torch.randint(0, 2, (num_classes, bits), generator=generator, device="cpu").tolist()
        rows = tuple(tuple(row) for row in drawn)
        distance = row_distance(rows)
        if distance > 0 and (best is None or distance > best[0]):
            best = (distance, rows)
    if best is None:
        raise ValueError(f"expected distinct rows, got none in {DRAWS} draws of {num_classes} × {bits}; try more bits")
    return best[1]
