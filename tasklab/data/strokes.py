"""Digits as strokes of a pen: examples for the drawing pad, and drawing strokes as an image without one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tasklab.checks import as_whole

Stroke = tuple[tuple[float, float], ...]
"""Points ``(x, y)`` of one line in [0, 1], x to the right, y downwards."""


def digit_strokes(digit: int) -> tuple[Stroke, ...]:
    """The strokes with which a person would write a digit.

    Raises:
        ValueError: it is not a digit, 0 to 9.

    >>> [len(digit_strokes(digit)) for digit in (1, 4)]  # one stroke, two strokes
    [1, 2]
    """
    number = as_whole(digit)
    if number is None or number not in range(10):
        raise ValueError(f"expected a digit in 0..9, got {digit!r}")
    return _DIGITS[number]


def draw_strokes(strokes: Sequence[Stroke], *, side: int = 280, brush: float = 0.1) -> NDArray[np.uint8]:
    """Draw strokes in light ink on a black square, as on a drawing pad; `read_picture` converts the result.

    Args:
        strokes: lines of points in [0, 1].
        side: of the square, in pixels, from 8 to 2,048.
        brush: width of the pen, as a share of the side.

    Returns:
        uint8 ``(side, side)``.

    Raises:
        ValueError: side or brush is out of range.

    >>> from tasklab.data import read_picture
    >>> read_picture(draw_strokes(digit_strokes(7)), "digits").shape
    torch.Size([1, 1, 8, 8])
    """
    from PIL import Image, ImageDraw

    if not 8 <= side <= 2048:
        raise ValueError(f"expected side in 8..2048, got {side}; try 280")
    if not 0 < brush <= 0.5:
        raise ValueError(f"expected brush above 0 and up to 0.5 sides, got {brush}; try 0.1")
    fine = 2 * side  # drawn twice as large, then smoothed
    page = Image.new("L", (fine, fine))
    pen = ImageDraw.Draw(page)
    width = max(1, round(brush * fine))
    for stroke in strokes:
        points = [(x * fine, y * fine) for x, y in stroke]
        pen.line(points, fill=255, width=width, joint="curve")
        for x, y in points:  # round ends and corners
            pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=255)
    return np.asarray(page.resize((side, side), Image.Resampling.BOX), dtype=np.uint8)


def _arc(x: float, y: float, width: float, height: float, start: float, stop: float) -> Stroke:
    """Part of an ellipse around (x, y); degrees, 0 to the right, growing clockwise on the page."""
    count = max(2, round(abs(stop - start) / 10) + 1)
    turns = [math.radians(start + (stop - start) * i / (count - 1)) for i in range(count)]
    return tuple((round(x + width * math.cos(t), 4), round(y + height * math.sin(t), 4)) for t in turns)


_DIGITS: tuple[tuple[Stroke, ...], ...] = (
    (_arc(0.5, 0.5, 0.2, 0.34, -90, 270),),
    (((0.38, 0.3), (0.54, 0.15), (0.52, 0.85)),),
    ((*_arc(0.5, 0.33, 0.18, 0.18, -170, 40), (0.32, 0.83), (0.72, 0.82)),),
    ((*_arc(0.47, 0.32, 0.18, 0.16, -150, 90), *_arc(0.47, 0.66, 0.21, 0.18, -90, 150)),),
    (((0.42, 0.15), (0.28, 0.55), (0.74, 0.54)), ((0.62, 0.3), (0.57, 0.86))),
    (((0.7, 0.16), (0.38, 0.17), (0.35, 0.47), *_arc(0.48, 0.64, 0.2, 0.2, -120, 140)),),
    (((0.62, 0.14), (0.44, 0.35), (0.34, 0.54), *_arc(0.49, 0.66, 0.18, 0.19, 180, -180)),),
    (((0.3, 0.18), (0.7, 0.17), (0.45, 0.86)), ((0.38, 0.52), (0.68, 0.51))),
    ((*_arc(0.5, 0.32, 0.16, 0.16, 90, -270), *_arc(0.5, 0.67, 0.2, 0.19, -90, 270)),),
    ((*_arc(0.49, 0.34, 0.18, 0.18, 0, -360), (0.66, 0.55), (0.56, 0.86)),),
)
