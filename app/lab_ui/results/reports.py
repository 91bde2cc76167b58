"""Reports on robustness: finding the newest one, the names of its curves, and its checks as HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from lab_ui.basics.words import AIMS
from lab_ui.visitor import catalogue, jobs
from tasklab.data.radii import eps_said
from tasklab.evaluation.honesty import Assessment
from tasklab.evaluation.known_examples import AttackTest
from tasklab.evaluation.report import Report, ReportRow
from tasklab.evaluation.report_file import digest, kept_report, read_report
from tasklab.figures.report import LIGHTS, QUESTIONS, value_of

RESULT = "report.json"
SOURCES = ("tra", "deepbe")
"""Systems whose attacked images are shown to every other system: both have gradients to follow."""

CURVES = {
    "train": "training loss",
    "margin": "margin",
    "bits": "each bit",
    "towards_code": "another class",
    "transfer": "transfer",
    "noise": "noise",
    "worst": "worst case",
}
"""Curve of a report to its name on the page."""

CURVE_NOTES = {
    "train": "PGD, 20 steps on the system's training loss, keeping the last step, as in the paper's protocol.",
    "margin": "PGD, 40 steps on the distance to where the answer changes.",
    "bits": "PGD, 40 steps on each condition of the answer in turn (bits, interval ends, rivals); the best one counts.",
    "towards_code": "PGD, 20 steps towards each other class in turn. "
                    "Only another class counts as a success; None raises an alarm.",
    "transfer": "Images found against other systems are shown to this one; its own gradient is not used.",
    "noise": "The best of 20 random changes of ±ε. This is no attack.",
    "worst": "All of these together, image by image; None counts as broken. Still an upper bound.",
}

VERDICTS = {
    "pass": "● an honest number",
    "warn": "▲ read this number with care",
    "fail": "✕ do not trust this number",
    "not run": "○ this number was not checked",
}
"""Verdict of the checks on a claimed accuracy to the words beside the number."""

STYLE = """
<style>
.rob-claim { border: 1px solid #8a8a8a66; border-radius: 10px; padding: 0.7rem 1rem; }
.rob-claim[data-open="true"] { border: 3px solid currentColor; padding: calc(0.7rem - 2px) calc(1rem - 2px); }
.rob-claim h2 { font-size: 1.1rem; font-weight: 600; margin: 0; padding: 0; }
.rob-claim p { margin: 0.15rem 0; font-size: 0.95rem; line-height: 1.3; }
.rob-claim p.rob-number { font-size: 2.6rem; font-weight: 700; line-height: 1.1; margin: 0; }
.rob-number span { font-size: 1rem; font-weight: 400; }
.rob-light { display: inline-block; min-width: 5.2rem; text-align: center; border-radius: 6px; padding: 0.1rem 0.5rem;
  font-weight: 700; white-space: nowrap; }
.rob-pass { background: #0b5cad; color: #ffffff; }
.rob-warn { background: #f2d24b; color: #000000; }
.rob-fail { background: #f29a3d; color: #000000; }
.rob-not { background: #d4d4d4; color: #000000; }
.rob-lights > div { display: grid; grid-template-columns: 5.6rem 1fr; gap: 0 0.8rem; padding: 0.4rem 0;
  border-top: 1px solid #8a8a8a44; align-items: start; }
.rob-lights b, .rob-lights summary b { font-size: 1.05rem; }
.rob-lights p { margin: 0; font-size: 0.95rem; line-height: 1.3; }
.rob-lights summary { cursor: pointer; }
.rob-lights i { font-style: normal; font-size: 0.9rem; }
.rob-lights summary i { white-space: nowrap; }
</style>
"""


def report_of(name: str, asked: Sequence[jobs.JobView]) -> tuple[Report | None, str]:
    """The newest report on a system, if it was made of the file as it is now.

    Args:
        name: of the system.
        asked: the visitor's own report jobs, the newest first.

    Returns:
        The report, None where there is none; and where it is from, ``"yours"`` or ``"shipped"``.
    """
    file = catalogue.file(name)
    current = digest(file)
    for view in asked:
        path = view.folder / RESULT
        if view.state == "done" and path.is_file():
            report = _result(path, path.stat().st_mtime_ns)
            if report is not None and report.file == current:
                return report, "yours"
    return kept_report(name, file=file), "shipped"


def settings_of(dataset: str, name: str, n: int, seed: int) -> dict[str, Any]:
    """The settings of a job that makes a report on a system."""
    available, _ = catalogue.systems(dataset)
    sources = [f"{dataset}-{key}" for key in SOURCES if available.get(key) == f"{dataset}-{key}"]
    return {"system": name, "file": str(catalogue.file(name)), "data": dataset, "n": n, "seed": seed,
            "sources": sources}


def light(level: str) -> str:
    """The level of a check as HTML, with its sign, word and colour."""
    look = LIGHTS[level]  # type: ignore[index]
    return f'<span class="rob-light rob-{level.split()[0]}">{look.sign} {look.word}</span>'


def verdict(level: str) -> str:
    """The verdict of all checks on a number as HTML, with its sign, words and colour."""
    return f'<span class="rob-light rob-{level.split()[0]}">{VERDICTS[level]}</span>'


def claim(title: str, row: ReportRow, level: str, words: str, *, is_open: bool) -> str:
    """One claimed accuracy as HTML: the number with its interval, a sentence, and the level of its checks.

    Args:
        title: plain text.
        row: the claim's, of a report.
        level: verdict of the checks on it.
        words: how the number was measured.
        is_open: whether its checks are shown.
    """
    share = row.accuracy
    low, high = share.interval
    return (
        f'<div class="rob-claim" data-open="{str(is_open).lower()}"><h2>{html.escape(title)}</h2>'
        f'<p class="rob-number">{100 * share.value:.0f} % <span>[{100 * low:.0f}, {100 * high:.0f}]</span>'
        f"</p><p>{html.escape(words)}</p><p>{verdict(level)}</p></div>"
    )


def lights(assessment: Assessment, test: AttackTest | None) -> str:
    """All checks on a claim as HTML, the most serious first and unfolded.

    Args:
        assessment: the claim and its checks.
        test: result of the test whether the attack finds known adversarial examples; None where it was not made.
    """
    order = ("fail", "warn", "pass", "not run")
    lines = [(check.level, check.name, value_of(check), check.threshold, check.sentence)
             for check in assessment.checks]
    if test is not None:
        share = f"{test.found.count} of {test.found.n}"
        lines.append((test.verdict, "known examples", share, "fail: under 95 % found", test.sentence))
    lines.sort(key=lambda line: order.index(line[0]))
    return f'<div class="rob-lights">{"".join(_line(*line) for line in lines)}</div>'


def _line(level: str, name: str, value: str, threshold: str, sentence: str) -> str:
    head = f"<b>{html.escape(QUESTIONS.get(name, name))}</b> <i>{html.escape(value)}</i>"
    body = f"<p>{html.escape(_aim_in_words(sentence))}</p><p><i>{html.escape(threshold)}</i></p>"
    bad = level in ("fail", "warn")
    return f"<div>{light(level)}<details{' open' * bad}><summary>{head}</summary>{body}</details></div>"


def _aim_in_words(sentence: str) -> str:
    """The sentence of a check with the aim of an attack as the pages call it, not by its name in the library.

    >>> _aim_in_words("An attack aimed at bits breaks this many more images.")
    'An attack aimed at each bit in turn breaks this many more images.'
    """
    return re.sub(r"(?<=aimed at )\w+(?= breaks)", lambda name: AIMS.get(name[0], name[0]), sentence)


def badge_of(row: ReportRow, verdict: str | None = None) -> dict[str, Any]:
    """Arguments of `frame.badge` for a row of a report."""
    kinds = {"pgd": "PGD", "noise": "noise", "transfer": "transfer", "worst case": "all attacks together"}
    how = (f"{kinds.get(row.attack, row.attack)}, {row.steps} steps, {row.restarts} start{'s' * (row.restarts > 1)}, "
           f"ε = {eps_said(row.eps, number=True)}")
    aim = AIMS.get(str(row.objective), str(row.objective))
    return {"n": row.n, "aim": aim, "how": how, "zero": row.zero_gradient_share,
            "verdict": None if verdict is None else VERDICTS[verdict]}


def table_of(report: Report) -> Any:
    """A report's rows as a table for people: shares in percent, one line for each attack and ε."""
    import pandas as pd

    return pd.DataFrame([
        {
            "aimed at": CURVES.get(row.curve, row.curve), "ε": eps_said(row.eps),
            "correct %": 100 * row.accuracy.value, "wrong %": 100 * row.outcomes.error.value,
            "None %": 100 * row.outcomes.alarm.value, "95 % interval": row.accuracy.percent(0).split(" ", 1)[1],
            "R": row.stability, "gradient 0 %": _percent(row.zero_gradient_share),
            "unchanged %": _percent(row.unmoved_share), "n": row.n,
        }
        for row in report.rows
    ])


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


@lru_cache(maxsize=64)
def _result(path: Path, changed: int) -> Report | None:
    """A report from a file, read again only when it has changed; None where it cannot be read."""
    try:
        return read_report(path)
    except (OSError, ValueError):
        return None
