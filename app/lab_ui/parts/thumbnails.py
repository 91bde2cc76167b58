"""Small pictures and readings as HTML, made of our own pixels and words only."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

from torch import Tensor

from lab_ui.basics.words import read
from tasklab import figures
from tasklab.figures.style import outcome_of


def image_tag(x: Tensor, alt: str) -> str:
    """An ``img`` of the very pixels of one image; the browser enlarges them without blur."""
    source = base64.b64encode(figures.to_png(figures.picture(x))).decode()
    return f'<img src="data:image/png;base64,{source}" alt="{html.escape(alt)}">'


def chip(decoded: int, label: int, names: Sequence[str] | None = None) -> str:
    """What was read, with colour and sign; ``names`` are those of the classes."""
    outcome, look = outcome_of(decoded, label), figures.look_of(decoded, label)
    return f'<span class="lab-chip lab-{outcome}">{look.sign} {html.escape(read(decoded, names))}</span>'
