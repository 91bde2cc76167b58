"""Small images and decoded labels as HTML. No text from a visitor or a file goes into it unescaped."""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from lab_ui.basics.words import read
from tasklab import figures
from tasklab.figures.style import outcome_of


def image_tag(x: Tensor, alt: str) -> str:
    """An ``img`` of the pixels of one image ``(1, C, H, W)``; the browser enlarges them without blur."""
    source = base64.b64encode(figures.to_png(figures.picture(x))).decode()
    return f'<img src="data:image/png;base64,{source}" alt="{html.escape(alt)}">'


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Many small images in one, row by row.

    Attributes:
        source: the whole as a ``data:`` address.
        columns: number of images in a row.
        width: of one image, in pixels.
        height: of one image, in pixels.
    """

    source: str
    columns: int
    width: int
    height: int


def sheet(images: Tensor) -> Sheet:
    """One image of many: photographs as JPEG, in whose blocks of 8 pixels no two of them meet, all others as PNG.

    Args:
        images: float ``(N, C, H, W)`` in [0, 1], at least one.
    """
    from PIL import Image

    n, channels, height, width = images.shape
    columns = math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    pixels = np.zeros((rows * height, columns * width, channels), np.uint8)
    for index, each in enumerate((images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()):
        top, left = index // columns * height, index % columns * width
        pixels[top : top + height, left : left + width] = each
    if channels == 1:
        kind, made = "png", figures.to_png(pixels[..., 0])
    else:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, format="JPEG", quality=90, subsampling=0)
        kind, made = "jpeg", file.getvalue()
    return Sheet(source=f"data:image/{kind};base64,{base64.b64encode(made).decode()}", columns=columns, width=width,
                 height=height)


def chip(decoded: int, label: int, names: Sequence[str] | None = None) -> str:
    """A decoded label as HTML, with the colour and sign of its outcome.

    Args:
        decoded: the label that was read; -1 for None.
        label: the true class.
        names: names of the classes; numbers are shown without them.
    """
    outcome, look = outcome_of(decoded, label), figures.look_of(decoded, label)
    return f'<span class="lab-chip lab-{outcome}">{look.sign} {html.escape(read(decoded, names))}</span>'
