"""Small parts of pages as HTML: pictures, decoded labels, headings. No text from a visitor or a file goes into them."""

from __future__ import annotations

import base64
import html

from torch import Tensor

from lab_ui.basics.words import read
from tasklab import figures
from tasklab.experiments.scenario import Scenario
from tasklab.figures.style import outcome_of


def image_tag(x: Tensor | None, alt: str, pixels: figures.pictures.Pixels | None = None) -> str:
    """An ``img`` of the pixels of an image; the browser enlarges them without blur."""
    pixels = figures.picture(x) if pixels is None else pixels
    source = base64.b64encode(figures.to_png(pixels)).decode()
    return f'<img src="data:image/png;base64,{source}" alt="{html.escape(alt)}">'


def chip(decoded: int, label: int) -> str:
    """A decoded label as HTML, with the colour, sign and word of its outcome."""
    outcome, look = outcome_of(decoded, label), figures.look_of(decoded, label)
    word = "" if outcome == "abnormal" else f" · {look.word}"
    return f'<span class="lab-chip lab-{outcome}">{look.sign} reads {read(decoded)}{word}</span>'


def cell_heading(name: str, task_words: str) -> str:
    """The heading of a system's cell: its name, and how it answers."""
    return f'<div class="lab-head"><h3>{html.escape(name)}</h3><p>{html.escape(task_words)}</p></div>'


def how(scenario: Scenario) -> str:
    """The attack of a scenario in a few words: its name, steps and starts."""
    if scenario.attack == "FGSM":
        return "FGSM, 1 step"
    starts = scenario.restarts if scenario.random_start and scenario.attack in ("PGD", "APGD") else 1
    return f"{scenario.attack}, {scenario.steps} steps, {starts} start{'s' * (starts > 1)}"
