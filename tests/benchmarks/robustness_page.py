"""What was measured, as a page to read beside the systems and as plain values for anything that shows it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from tasklab.evaluation import Share, to_markdown
from tasklab.evaluation.worst_table import WorstRow, worst_markdown
from tests.benchmarks.rivals import AUTO, LONG, RAW, REPEATS, STAGES, STANDARD

SLACK, FIFTH = 0.2, 0.2
"""Points of accuracy by which a rival may be below the ensemble, and the share of AutoAttack's time it may take."""

CONTRAST = {
    "mnist-tra": ("as they are", "on the images"),
    "mnist-tra-contrast": ("stretched", "on the images"),
    "mnist-tra-at": ("as they are", "under attack"),
    "mnist-tra-at-contrast": ("stretched", "under attack"),
}
"""Systems that tell what the contrast does from what the training does."""


@dataclass(kw_only=True)
class Results:
    """Cells so far, and on how many images each table is."""

    n: int
    compared: int
    reported: int
    worst: list[WorstRow] = field(default_factory=list)
    across: list[dict[str, Any]] = field(default_factory=list)
    pairs: list[dict[str, Any]] = field(default_factory=list)
    comparison: list[dict[str, Any]] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)


def write(results: Results, about: dict[str, Any], folder: Path) -> None:
    """Write ``robustness.md`` and ``robustness.json``."""
    values = {
        "machine": about,
        "worst": [row.to_dict() for row in _sorted(results)],
        "across": sorted(results.across, key=_place),
        "pairs": results.pairs,
        "comparison": sorted(results.comparison, key=_place),
        "reports": sorted(results.reports, key=_place),
    }
    (folder / "robustness.json").write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "robustness.md").write_text(page(results, about), encoding="utf-8")


def page(results: Results, about: dict[str, Any]) -> str:
    """The page."""
    machine = ", ".join(f"{key} {value}" for key, value in about.items() if value is not None)
    lines = [
        "# How robust the shipped systems are",
        "",
        "Accuracies in % on the first test images of MNIST, Linf, with 95 % Wilson intervals. All are upper bounds: "
        "the worst case *found*. Written by `python -m tests.benchmarks.worst_case`; "
        "[the same as values](robustness.json); [the systems](README.md).",
        "",
        f"Measured with {machine}. Seconds are by the clock, on a machine that does other things as well, and in "
        "brackets of the processor, which is the fairer figure.",
    ]
    if results.worst:
        lines += ["", "## The worst case found", "", *_worst(results)]
    if result := _contrast(results):
        lines += ["", "## The training, or the contrast?", "", *result]
    if results.across:
        lines += ["", "## Across the whole test set", "", *_across(results)]
    if results.pairs:
        lines += ["", "## Adversarially trained, in pairs", "", *_pairs(results)]
    if results.comparison:
        lines += ["", "## Is the ensemble strong, and quick?", "", *_comparison(results)]
        lines += ["", "## What each attacker can see", "", *_sight(results)]
    if results.reports:
        lines += ["", "## Which check fires", "", *_reports(results)]
    return "\n".join(lines) + "\n"


def _worst(results: Results) -> list[str]:
    rows = _sorted(results)
    names = " ".join(dict.fromkeys(row.system for row in rows))
    radii = " ".join(f"{r:g}" for r in sorted({row.eps for row in rows}))
    return [
        f"n = {results.n}. *Training loss*: PGD-20 on the system's training loss, last iterate, as published, with the "
        "share of correct images on which its gradient was exactly 0 all the way; where that is large, the accuracy "
        "before it shows that the attack failed. *Worst case*: an image stands if no attack of the ensemble `standard`"
        " fooled it; None (no codeword) counts as fooled, and its share is given.",
        "",
        "    tasklab data mnist",
        f"    tasklab worst {names} --eps {radii} --preset standard --n {results.n}",
        "",
        worst_markdown(rows),
    ]


def _contrast(results: Results) -> list[str]:
    cells = {(row.system, row.eps): row.worst for row in results.worst}
    radii = sorted({row.eps for row in results.worst})
    if not all((name, r) in cells for name in CONTRAST for r in radii):
        return []
    table = [
        {"grey values": grey, "trained": trained}
        | {f"ε = {r:g}": cells[name, r].accuracy.percent() for r in radii}
        for name, (grey, trained) in CONTRAST.items()
    ]
    return [
        "Worst case found, in %, of four networks that answer with ten scores. Where grey values are *stretched*, "
        "those from 0.3 to 0.7 are drawn out from black to white before the network sees them, and beyond hardly a "
        "slope is left (`--contrast 0.3 0.7` in training): an attack of ε ≤ 0.3 can do little to a pixel that is black "
        "or white, and most of MNIST's are. The first two rows differ in nothing else, but for the release of torch "
        "that trained them; the last two in width and inner attack too, as their cards say.",
        "",
        to_markdown(pd.DataFrame(table)),
    ]


def _across(results: Results) -> list[str]:
    rows = sorted(results.across, key=_place)
    table = [
        {
            "system": row["system"], "ε": f"{row['eps']:g}", "n": str(row["n"]),
            "clean %": f"{100 * row['clean'] / row['n']:.2f}",
            "worst case found %": Share(row["standing"], row["n"]).percent(),
            "first half %": f"{100 * row['first_half'] / (row['n'] // 2):.1f}",
            "second half %": f"{100 * (row['standing'] - row['first_half']) / (row['n'] - row['n'] // 2):.1f}",
            "CPU s": f"{row['cpu_seconds']:.0f}",
        }
        for row in rows
    ]
    return [
        "MNIST's test images are not in random order: its first half, and so the first images in every other table "
        "here, is the harder one. Figures published for the whole set, such as those under AutoAttack on its authors' "
        "list (Croce & Hein 2020; ε = 0.3: Madry's network 88.5, TRADES' 92.8, CROWN-IBP's 94.0, the best 96.34), "
        "compare with these: each fifth image of the whole set.",
        "",
        f"    python -m tests.benchmarks.worst_case --n 0 --compare 0 --report 0 --systems "
        f"{' '.join(row['system'] for row in rows)}",
        "",
        to_markdown(pd.DataFrame(table)),
    ]


def _pairs(results: Results) -> list[str]:
    table = [
        {
            "first": row["first"], "second": row["second"], "ε": f"{row['eps']:g}",
            "both stand": str(row["both"]), "first alone": str(row["first_alone"]),
            "second alone": str(row["second_alone"]), "McNemar p": f"{row['p']:.2g}",
        }
        for row in results.pairs
    ]
    return [
        f"Which of the {results.n} images above stand in whose worst case. The two had the same network, recipe, "
        "epochs and seed, and an inner attack on the decision: what differs is the code, ten scores or four bits. One "
        "seed each: p speaks of these networks, not of all that could have been trained.",
        "",
        to_markdown(pd.DataFrame(table)),
    ]


def _comparison(results: Results) -> list[str]:
    rows = sorted(results.comparison, key=_place)
    strong = [row for row in rows if _behind(row) <= SLACK]
    quick = [row for row in rows if _ratio(row) <= FIFTH]
    weak = [f"{row['system']} at {row['eps']:g} (by {_behind(row):.1f})" for row in rows if _behind(row) > SLACK]
    table = []
    for row in rows:
        made = row["attackers"]
        ours = made[STANDARD]
        line = {"system": row["system"], "ε": f"{row['eps']:g}", "n": str(row["n"])}
        line["standard %"] = Share(ours["standing"], row["n"]).percent()
        for name in (AUTO, RAW, LONG):
            line[f"{name} %"] = _left(made[name], row["n"]) if name in made else "–"
        line["they alone broke"] = str(len(_missed(row)))
        line |= {f"{name}: CPU s": f"{made[name]['cpu_seconds']:.1f}" for name in (STANDARD, AUTO, LONG)}
        line["÷ AutoAttack"] = f"{_ratio(row):.2f}"
        table.append(line)
    outside = sum(one["outside"] for row in rows for one in row["attackers"].values())
    return [
        f"The first {results.compared} images (in blocks that count together where training was under attack or "
        "contrast is stretched), every attacker in one process and one thread, one after the other on the same images; "
        "whatever they say of themselves, an image is broken if the system itself, in float32, no longer reads its "
        "label in an image of the ball. *AutoAttack* is torchattacks' (APGD on cross-entropy, targeted APGD, targeted "
        "FAB, with the 10 steps each that torchattacks gives them, and Square with 5,000 queries) on the classes' "
        "scores with None as a further class, `system.as_logits()`; for TRA also on the network's own logits, in some "
        "cells on fewer images. *PGD-200 × 10* climbs the margin. The library's own attacks run the network the"
        " way that a probe finds quickest, which here is bfloat16; torchattacks runs the module it is given, in "
        "float32. Before the clock starts, 64 images go through the network once; what takes but a few seconds of the "
        f"processor is run {REPEATS} times, and the median counts. Times are of the processor: the "
        "runs took turns with other work. *They alone broke*: images that a rival fooled and the ensemble did not.",
        "",
        f"In {len(strong)} of {len(rows)} cells no rival leaves fewer images standing (by more than {SLACK:g} points); "
        f"the ensemble takes at most a fifth of AutoAttack's processor time in {len(quick)} of {len(rows)}. "
        f"{outside} images came back outside the ball."
        + (f" A rival leaves fewer of {', '.join(weak)}: there the ensemble is not strong enough." if weak else ""),
        "",
        f"    python -m tests.benchmarks.worst_case --n 0 --report 0 --compare {results.compared}",
        "",
        to_markdown(pd.DataFrame(table)),
    ]


def _sight(results: Results) -> list[str]:
    table = []
    for row in sorted(results.comparison, key=_place):
        left = row["attackers"][AUTO]["stages"]
        line = {"system": row["system"], "ε": f"{row['eps']:g}"}
        line |= {f"{name} flat %": f"{100 * share:.0f}" for name, share in row["zero_gradient"].items()}
        line |= {f"after {name}": str(count) for name, count in zip(STAGES, left, strict=True)}
        table.append(line)
    return [
        "The share of correct images on which what is climbed has a gradient of exactly 0 at the image: the training "
        "loss, AutoAttack's cross-entropy and its published ratios DLR and DLR towards the runner-up (on the classes' "
        "scores), and the margin. The first two scores of a correct image are its margin m and None's 0, and the third "
        "is often the runner-up's −m: there the published DLR is the constant −½. Then how many images AutoAttack's "
        "attacks left, one after the other; an attack with nothing to follow leaves them to the next.",
        "",
        to_markdown(pd.DataFrame(table)),
    ]


def _reports(results: Results) -> list[str]:
    rows = sorted(results.reports, key=_place)
    table = []
    for row in rows:
        line = {"system": row["system"], "ε": f"{row['eps']:g}", "claim %": f"{100 * row['accuracy']:.1f}",
                "worst %": f"{100 * row['lowest']:.1f}", "verdict": row["verdict"]}
        for check in row["checks"]:
            figure = "–" if check["figure"] is None else f"{100 * check['figure']:.1f}"
            line[check["name"]] = figure if check["level"] in ("pass", "not run") else f"**{figure}** {check['level']}"
        table.append(line)
    return [
        f"PGD-20 on the system's training loss, last iterate, as a claim, and the eight checks of `tasklab check` on "
        f"it, in % or points; n = {results.reported}. A check that fires is bold.",
        "",
        *(f"    tasklab check {row['system']} --eps {row['eps']:g} --n {results.reported}" for row in rows),
        "",
        to_markdown(pd.DataFrame(table)),
    ]


def _place(row: dict[str, Any]) -> tuple[str, float]:
    return row["system"], row["eps"]


def _sorted(results: Results) -> list[WorstRow]:
    return sorted(results.worst, key=lambda row: (row.system, row.eps))


def _missed(row: dict[str, Any]) -> set[int]:
    return {image for one in row["attackers"].values() for image in one["broke_what_standard_did_not"]}


def _behind(row: dict[str, Any]) -> float:
    """By how many points at most the ensemble's accuracy is above another's on the same images."""
    return max(100 * (one["ours"] - one["standing"]) / one["n"] for name, one in row["attackers"].items()
               if name != STANDARD)


def _left(one: dict[str, Any], n: int) -> str:
    """What an attacker leaves in percent, with n where it was on fewer images than others."""
    return f"{100 * one['standing'] / one['n']:.1f}" + f" (n = {one['n']})" * (one["n"] < n)


def _ratio(row: dict[str, Any]) -> float:
    return float(row["attackers"][STANDARD]["cpu_seconds"]) / float(row["attackers"][AUTO]["cpu_seconds"])
