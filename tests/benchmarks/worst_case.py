"""How robust the shipped systems are, and whether the ensemble that says so is strong and quick: one results page.

    python -m tests.benchmarks.worst_case [--folder F] [--systems ...] [--eps ...] [--n 1000] [--compare 1000]

Five tables: the worst case that `tasklab worst --preset standard` finds; the same across the whole test set for systems
that withstand it; adversarially trained systems in pairs, image by image; the ensemble beside torchattacks' AutoAttack
and PGD-200 × 10 on the first images, with times; and which honesty check fires on whose training loss. Finished cells
are kept in the folder and read when asked for again, unless a system, an attack or an image has changed; the page is
written anew after each cell.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tasklab import data, zoo
from tasklab.attacks.presets import Entry, honesty_attacks, paper_pgd, worst_case_attacks
from tasklab.evaluation import mcnemar, stream_assessment, worst_case
from tasklab.evaluation.ensemble import digest
from tasklab.evaluation.worst_table import WorstRow, cell_folder, stream_worst_rows
from tasklab.system import System
from tests.benchmarks.attack_speed import machine
from tests.benchmarks.rivals import blind, compare, described, joined
from tests.benchmarks.robustness_page import Results, write

FOLDER = Path("runs/robustness")
EPS = (0.1, 0.2, 0.3)
REPORTED = ("mnist-int", "mnist-deepbe", "mnist-deepbe-hinge", "mnist-rbc", "mnist-tra-at")
REPORT_EPS = (0.1, 0.3)
PAIRS = (("mnist-tra-at", "mnist-rbc-at-margin"), ("mnist-tra-at-contrast", "mnist-rbc-at-contrast"))
"""Trained by one recipe, but for the task."""
ACROSS, ACROSS_EPS, STRIDE = ("mnist-tra-at-contrast", "mnist-rbc-at-contrast"), 0.3, 5
"""Attacked across the whole test set too, at this ε, on each fifth image."""

BLOCK = 50
"""Systems made to withstand attacks, which take longest, are compared in blocks of so many images: a comparison that
was interrupted goes on from them."""

LOGITS = 200
"""Blocks that begin before this image have AutoAttack on TRA's own logits too: it finds about as much there as on the
scores, and takes as long again."""


def kept(file: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the file holds, or else what is made and then held."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        made = json.dumps(make())
        file.with_suffix(".part").write_text(made, encoding="utf-8")
        file.with_suffix(".part").replace(file)
    return dict(json.loads(file.read_text(encoding="utf-8")))


def circumstances(threads: int) -> dict[str, Any]:
    """Of one cell: software, hardware, threads, and the load when it was measured."""
    return machine(threads)


def comparison(name: str, system: System, test: data.ImageSet, eps: float, folder: Path, block: int) -> dict[str, Any]:
    """One cell of the comparison, from blocks of so many images that are kept one by one."""
    from importlib.metadata import version

    def part(start: int, images: Tensor, labels: Tensor) -> dict[str, Any]:
        key = digest(system, images, labels, [(f"torchattacks {version('torchattacks')}", entry)
                                              for entry in worst_case_attacks(system.task, eps, "standard")])

        def make() -> dict[str, Any]:
            about = circumstances(torch.get_num_threads())
            return described(compare(system, images, labels, eps, on_logits=start < LOGITS)) | {"machine": about}

        return kept(folder / "compare" / f"{name}-{eps:g}-{key[:12]}.json", make)

    images, labels = test.x(), test.labels
    starts = range(0, len(images), block)
    parts = [part(*some) for some in zip(starts, images.split(block), labels.split(block), strict=True)]
    eyes = {what: share.value for what, share in blind(system, images, labels).items()}
    return {"system": name, "eps": eps} | joined(parts) | {"zero_gradient": eyes}


def report(name: str, system: System, test: data.ImageSet, eps: float, folder: Path) -> dict[str, Any]:
    """One line of the checks: every check on PGD-20 on the system's training loss, last iterate."""
    claim = paper_pgd(eps)
    attacks = honesty_attacks(claim)
    key = digest(system, test.x(), test.labels, [(settings.name, Entry(settings)) for settings in attacks])

    def make() -> dict[str, Any]:
        *_, last = stream_assessment(system, test, claim)
        return last.to_dict()

    return {"system": name} | kept(folder / "report" / f"{name}-{eps:g}-{key[:12]}.json", make)


def cell_of(row: WorstRow, folder: Path) -> Path:
    """Where a finished cell of the worst case is kept."""
    return cell_folder(folder / "worst", row.system, row.eps, row.digest)


def pair(first: WorstRow, second: WorstRow, test: data.ImageSet, folder: Path) -> dict[str, Any]:
    """Two finished cells of the worst case on the same images: who alone withstands how many, and McNemar's p."""
    standing = []
    for row in (first, second):
        result = worst_case(zoo.load(row.system), test, row.eps, folder=cell_of(row, folder))
        standing.append(result.decoded == result.labels)
    a, b = standing
    return {"first": first.system, "second": second.system, "eps": first.eps, "n": len(a), "both": int((a & b).sum()),
            "first_alone": int((a & ~b).sum()), "second_alone": int((b & ~a).sum()), "p": mcnemar(a, b)}


def halves(row: WorstRow, test: data.ImageSet, folder: Path) -> dict[str, Any]:
    """A finished cell, with what stands in the first and in the second half of its images."""
    result = worst_case(zoo.load(row.system), test, row.eps, folder=cell_of(row, folder))
    standing = result.decoded == result.labels
    middle = len(standing) // 2
    return {"system": row.system, "eps": row.eps, "n": len(standing), "clean": row.clean.correct,
            "standing": int(standing.sum()), "first_half": int(standing[:middle].sum()), "cpu_seconds": row.cpu}


def made_to_withstand(system: System) -> bool:
    """Whether most images will stand, so that every attacker takes all its time on them."""
    defence = system.card.get("recipe", {}).get("defence") or {}
    return defence.get("defence") == "adversarial" or bool(system.card.get("network", {}).get("contrast"))


def run(
    systems: Sequence[str], *, eps: Sequence[float], n: int, compared: int, reported: int, across: bool, folder: Path,
    tell: Callable[[Results], object],
) -> Results:
    """Measure, or read what has been measured, and tell the results after each cell."""
    results = Results(n=n, compared=compared, reported=reported)
    sets = {size: data.load("mnist", "test").subset(size) for size in {n, compared, reported} - {0}}
    for name in systems:
        system = zoo.load(name)
        if n:
            for row in stream_worst_rows({name: system}, sets[n], eps, folder=folder / "worst"):
                results.worst.append(row)
                tell(results)
        for r in eps if compared else ():
            block = BLOCK if made_to_withstand(system) else compared
            results.comparison.append(comparison(name, system, sets[compared], r, folder, block))
            tell(results)
        for r in REPORT_EPS if reported and name in REPORTED else ():
            results.reports.append(report(name, system, sets[reported], r, folder))
            tell(results)
        if across and name in ACROSS:
            spread = data.load("mnist", "test").subset(slice(None, None, STRIDE))
            for row in stream_worst_rows({name: system}, spread, [ACROSS_EPS], folder=folder / "worst"):
                results.across.append(halves(row, spread, folder))
                tell(results)
    cells = {(row.system, row.eps): row for row in results.worst}
    for first, second in PAIRS:
        for r in eps:
            if (first, r) in cells and (second, r) in cells:
                results.pairs.append(pair(cells[first, r], cells[second, r], sets[n], folder))
    tell(results)
    return results


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, measure what is missing, write the page after each cell."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.worst_case", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"of finished cells (default: {FOLDER})")
    parser.add_argument("--page", type=Path, default=zoo.folder(), help="where robustness.md and .json go")
    parser.add_argument("--systems", nargs="+", default=list(zoo.names("mnist")), help="(default: all on MNIST)")
    parser.add_argument("--eps", type=float, nargs="+", default=list(EPS), help="(default: 0.1 0.2 0.3)")
    parser.add_argument("--n", type=int, default=1000, help="images of the worst case; 0: none (default: 1000)")
    parser.add_argument("--compare", type=int, default=1000, help="of the comparison; 0: none (default: 1000)")
    parser.add_argument("--report", type=int, default=200, help="of the checks; 0: none (default: 200)")
    parser.add_argument("--across", action=argparse.BooleanOptionalAction, default=True,
                        help=f"each fifth test image at {ACROSS_EPS:g} for {' and '.join(ACROSS)} (default: yes)")
    parser.add_argument("--threads", type=int, default=1, help="(default: 1)")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    about = circumstances(given.threads) | {"load": None}

    def tell(results: Results) -> None:
        write(results, about, given.page)
        done = len(results.worst), len(results.comparison), len(results.reports)
        print(f"{done[0]} worst cases, {done[1]} comparisons, {done[2]} reports", flush=True)

    run(given.systems, eps=given.eps, n=given.n, compared=given.compare, reported=given.report, across=given.across,
        folder=given.folder, tell=tell)


if __name__ == "__main__":
    main()
