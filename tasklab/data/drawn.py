"""Sample digits of 28×28 that need no download: drawn with the strokes of the drawing pad, in many handwritings."""

from __future__ import annotations

import math

import numpy as np
import torch

from tasklab.checks import check_whole
from tasklab.data.imageset import ImageSet
from tasklab.data.info import DATASETS
from tasklab.data.pictures import read_picture
from tasklab.data.strokes import Stroke, digit_strokes, draw_strokes
from tasklab.modes import own_modes

TURN = 12.0
"""The largest angle by which a digit is turned, in degrees."""
SLANT, STRETCH = 0.25, 0.2
"""How far a digit is slanted and how much its width is stretched at most, as shares of its height and its width."""
WOBBLE = 0.03
"""How far each of two waves bends the strokes at most, as a share of the side of the page."""
BRUSH = (0.06, 0.11)
"""The widths of the thinnest and the thickest pen, as shares of the side of the page."""


def by_hand(digit: int, seed: int) -> tuple[tuple[Stroke, ...], float]:
    """The strokes of a digit in one handwriting, and the width of its pen.

    Args:
        digit: 0 to 9.
        seed: of the handwriting, which turns, slants, stretches and bends the strokes a little.

    Returns:
        Lines of points in [0, 1], and the width of the pen as a share of the side of the page.

    Raises:
        ValueError: it is not a digit.
    """
    rng = np.random.RandomState(1000 * seed + digit)
    turn, slant, wide = (rng.uniform(-most, most) for most in (math.radians(TURN), SLANT, STRETCH))
    turned = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    shape = turned @ np.array([[1 + wide, slant], [0, 1]])  # (2, 2)
    phases, sizes = rng.uniform(0, 2 * math.pi, (2, 2)), rng.uniform(0, WOBBLE, (2, 2))
    strokes = []
    for stroke in digit_strokes(digit):
        points = (np.array(stroke) - 0.5) @ shape.T  # (points, 2)
        waves = np.sin(points[:, ::-1, None] * [6.0, 11.0] + phases)  # (points, axes, waves)
        moved = np.clip(0.5 + 0.8 * (points + (sizes * waves).sum(axis=2)), 0, 1)
        strokes.append(tuple((round(float(x), 4), round(float(y), 4)) for x, y in moved))
    return tuple(strokes), float(rng.uniform(*BRUSH))


@own_modes()
def drawn_digits(n: int = 300, *, seed: int = 0) -> ImageSet:
    """Drawn digits in MNIST's format, which the shipped MNIST systems can classify, without any file or download.

    Each is drawn with the strokes of `digit_strokes` in a handwriting of `by_hand`, and converted as every drawing is.
    They are neater than real handwriting, so accuracy on them does not show how well a system classifies that.

    Args:
        n: number of images; their labels are 0, 1, …, 9, 0, 1, and so on.
        seed: of the handwritings.

    Returns:
        An `ImageSet` of shape ``(1, 28, 28)``, named "mnist" after its format, split "drawn".

    Raises:
        ValueError: n is less than 1.

    >>> drawn_digits(20)
    ImageSet('mnist', 'drawn', 20 of shape (1, 28, 28), on cpu)
    """
    n, seed = check_whole("n", n, low=1), check_whole("seed", seed, low=0)
    images = []
    for index in range(n):
        strokes, brush = by_hand(index % 10, 10_000 * seed + index // 10)
        x = read_picture(draw_strokes(strokes, brush=brush), "mnist", dark_ink=False)
        images.append((255 * x).round().to(torch.uint8))
    info = DATASETS["mnist"]
    return ImageSet(name="mnist", split="drawn", images=torch.cat(images), labels=torch.arange(n) % 10,
                    classes=info.classes, mean=info.mean, std=info.std)
