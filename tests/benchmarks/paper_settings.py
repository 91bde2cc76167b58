"""Which of the settings that the paper leaves open come closest to the rows that it published for TRA.

    python -m tests.benchmarks.paper_settings [--systems cifar10-efficientnet-tra ...] [--n 200]

A fitted TRA hides nothing, so its rows tell how hard the published attacks really tried. The page gives, for each
choice of PGD's steps, its start and the unit in which ε counts, what FGSM and PGD leave, and how far that is from the
published row on average.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from tasklab import zoo
from tasklab.data import load
from tasklab.evaluation.tables import to_markdown
from tasklab.paper.cells import answer
from tasklab.paper.grid import METHODS, Cell, Scale
from tasklab.paper.protocol import PUBLISHED_KINDS, PaperProtocol, questions
from tasklab.paper.published import CLEAN, COLUMNS, PUBLISHED

SYSTEMS = {"cifar10-efficientnet-tra": "efficientnet_b0"}
"""Shipped systems of TRA, and their networks, which are the paper's."""

PROTOCOLS = [
    PaperProtocol(steps=steps, random_start=start, normalised=normalised)
    for normalised in (False, True) for steps, start in ((5, True), (10, False), (20, True))
]
COLUMNS_ATTACKED = [column for column in COLUMNS if column != CLEAN]


def rows(name: str, n: int) -> list[dict[str, str]]:
    """The published row of a system, then one row for each protocol."""
    system = zoo.load(name)
    cell = Cell(data=zoo.dataset_of(name), arch=SYSTEMS[name], method=METHODS["tra"], scale=Scale(attacked=n))
    test = load(cell.data, "test")
    published = [PUBLISHED[cell.data, cell.arch, "TRA", column].percent for column in COLUMNS_ATTACKED]
    lines = [_line(name, "published", published, None)]
    for protocol in PROTOCOLS:
        asked = [each for each in questions(cell, protocol, PUBLISHED_KINDS) if each.kind != "clean"]
        result = [100 * answer(question, system, test).outcomes.accuracy.value for question in asked]
        start = "random start" if protocol.random_start else "from the image"
        unit = "normalised units" if protocol.normalised else "pixels"
        lines.append(_line(name, f"ε in {unit}, PGD-{protocol.steps} {start}", result, published))
    return lines


def _line(name: str, how: str, result: Sequence[float], published: Sequence[float] | None) -> dict[str, str]:
    far = "–" if published is None else (
        f"{sum(abs(a - b) for a, b in zip(result, published, strict=True)) / len(result):.1f}")
    return {"system": name, "settings": how} | {
        str(column): f"{value:.1f}" for column, value in zip(COLUMNS_ATTACKED, result, strict=True)
    } | {"mean distance": far}


def page(lines: Sequence[dict[str, str]], systems: Sequence[str], n: int) -> str:
    """The page."""
    return "\n".join([
        "# Settings that the paper leaves open",
        "",
        f"Accuracies in % of shipped TRA systems under FGSM and PGD on their training loss, on the first {n} test "
        "images, at the paper's three intensities, beside the published rows of the same network. The paper does not "
        "say in which unit ε counts: in pixels of [0, 1], or in units of the normalised images, where a pixel moves "
        "by ε times the standard deviation of the data set. *Mean distance*: to the published row, in points.",
        "",
        f"Written by `python -m tests.benchmarks.paper_settings --systems {' '.join(systems)} --n {n}`.",
        "",
        to_markdown(pd.DataFrame(lines)),
    ]) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=list(SYSTEMS))
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--page", type=Path, default=zoo.folder() / "paper_settings.md")
    args = parser.parse_args(arguments)
    lines = [line for name in args.systems for line in rows(name, args.n)]
    args.page.write_text(page(lines, args.systems, args.n), encoding="utf-8")


if __name__ == "__main__":
    main()
