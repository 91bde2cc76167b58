"""Small images and decoded labels as HTML. No text from a visitor or a file goes into it unescaped."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

from torch import Tensor

from lab_ui.basics.words import read
from tasklab import figures
from tasklab.figures.style import outcome_of


def image_tag(x: Tensor, alt: str) -> str:
    """An ``img`` of the pixels of one image ``(1, C, H, W)``; the browser enlarges them without blur."""
    source = base64.b64encode(figures.to_png(figures.picture(x))).decode()
    return f'<img src="data:image/png;base64,{source}" alt="{html.escape(alt)}">'


def chip(decoded: int, label: int, names: Sequence[str] | None = None) -> str:
    """A decoded label as HTML, with the colour and sign of its outcome.

    Args:
        decoded: the label that was read; -1 for None.
        label: the true class.
        names: names of the classes; numbers are shown without them.
    """
    outcome, look = outcome_of(decoded, label), figures.look_of(decoded, label)
    return f'<span class="lab-chip lab-{outcome}">{look.sign} {html.escape(read(decoded, names))}</span>'
