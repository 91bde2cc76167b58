"""Small parts of pages as HTML: headings, attacks in a few words. No text from a visitor or a file goes into them."""

from __future__ import annotations

import html

from tasklab.experiments.scenario import Scenario


def cell_heading(name: str, task_words: str) -> str:
    """The heading of a system's cell: its name, and how it answers."""
    return f'<div class="lab-head"><h3>{html.escape(name)}</h3><p>{html.escape(task_words)}</p></div>'


def how(scenario: Scenario) -> str:
    """The attack of a scenario in a few words: its name, steps and starts."""
    if scenario.attack == "FGSM":
        return "FGSM, 1 step"
    starts = scenario.restarts if scenario.random_start and scenario.attack in ("PGD", "APGD") else 1
    return f"{scenario.attack}, {scenario.steps} steps, {starts} start{'s' * (starts > 1)}"
