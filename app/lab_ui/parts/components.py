"""Small parts of pages: headings, and attacks in a few words. HTML made of our own numbers and words only."""

from __future__ import annotations

import html

from tasklab.experiments.scenario import Scenario


def cell_heading(name: str, task_words: str) -> str:
    """The head of a cell."""
    return f'<div class="lab-head"><h3>{html.escape(name)}</h3><p>{html.escape(task_words)}</p></div>'


def how(scenario: Scenario) -> str:
    """An attack in a few words."""
    if scenario.attack == "FGSM":
        return "FGSM, 1 step"
    starts = scenario.restarts if scenario.random_start and scenario.attack in ("PGD", "APGD") else 1
    return f"{scenario.attack}, {scenario.steps} steps, {starts} start{'s' * (starts > 1)}"
