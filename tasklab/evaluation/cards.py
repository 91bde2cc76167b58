"""Cards: what was measured of a system, kept with it, and the same as a page to read."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable
from typing import Any

import torch

from tasklab.attacks import PGD
from tasklab.data import ImageSet
from tasklab.data.radii import eps_said
from tasklab.evaluation.robustness import Progress, Row, evaluate
from tasklab.evaluation.statistics import wilson
from tasklab.evaluation.tables import to_markdown
from tasklab.system import System


def probes(eps: Iterable[float], *, seed: int = 0) -> list[PGD]:
    """The attacks of every card, at each ε: PGD-20 on the own loss as published, PGD-40 on the margin and on its terms.

    The terms (``bits``) are climbed one by one: an interval's two ends pull in opposite directions, and their minimum
    alone turns back halfway.
    """
    attacks = []
    for r in eps:
        attacks.append(PGD(eps=r, steps=20, objective="train", keep="last", seed=seed))
        attacks.append(PGD(eps=r, steps=40, objective="margin", seed=seed))
        attacks.append(PGD(eps=r, steps=40, objective="bits", seed=seed))
    return attacks


def measure(
    system: System,
    test: ImageSet,
    *,
    eps: Iterable[float],
    attacked: int = 1000,
    seed: int = 0,
    progress: Callable[[Progress], object] | None = None,
) -> list[dict[str, Any]]:
    """The figures of a card: clean outcomes on the whole set, `probes` on its first images.

    Args:
        system: what is measured.
        test: the test split.
        eps: radii in pixel units.
        attacked: how many images the attacks are run on.
        seed: of the random starts.
        progress: as in `evaluate`.

    Returns:
        One dict for each row, shares with their 95 % Wilson intervals.
    """
    clean = evaluate(system, test)
    rows = evaluate(system, test.subset(min(attacked, len(test))), probes(eps, seed=seed), progress=progress)
    return [_figures(row) for row in [*clean, *rows[1:]]]


def circumstances() -> dict[str, Any]:
    """Versions and machine, for a card."""
    import torchvision

    from tasklab import __version__

    return {
        "versions": {
            "tasklab": __version__, "python": platform.python_version(), "torch": torch.__version__,
            "torchvision": torchvision.__version__,
        },
        "threads": torch.get_num_threads(),
    }


def figure(card: dict[str, Any], attack: str, objective: str | None = None, eps: float = 0.0) -> dict[str, Any] | None:
    """One row of a card's metrics, or None; ε is compared as it is printed, to four places."""
    for row in card.get("metrics", []):
        if (row["attack"], row["objective"]) == (attack, objective) and abs(row["eps"] - eps) <= 5e-5:
            return dict(row)
    return None


def card_markdown(card: dict[str, Any]) -> str:
    """A card as a page: what it is, how it was made, what was measured."""
    import pandas as pd

    recipe = {k: v for k, v in card["recipe"].items() if k != "defence"}
    defence = card["recipe"].get("defence")
    settings = {k: v for k, v in card["task"].items() if k not in ("task", "code") or isinstance(v, str)}
    lines = [
        f"# {card['name']}",
        "",
        f"- task: {_listed(settings)}",
        f"- network: {_listed({k: card['network'][k] for k in ('arch', 'in_shape', 'outputs', 'width', 'stairs')})}"
        + (f", contrast {list(card['network']['contrast'])}" if card["network"].get("contrast") else ""),
        f"- data: {card['data']['name']}, {card['data']['train']} training, {card['data']['test']} test images",
        f"- recipe: {_listed(recipe)}",
        f"- defence: {_listed(defence) if defence else 'none'}",
        f"- epoch kept: {card['epoch']} of {card['recipe']['epochs']}, by validation accuracy"
        + (" under attack" if defence and defence["defence"] == "adversarial" else ""),
        f"- made in {card['seconds']:.0f} s on {card['device']} ({card['threads']} threads), "
        + _listed(card["versions"]),
        "",
        "Made by",
        "",
        f"    {card['command']}",
        "",
        "Clean: all test images. Attacked: the first test images, Linf; shares in %, with 95 % Wilson intervals. "
        "*zero gradient* and *unmoved* are shares of the correct images for which the attack never saw a gradient "
        "other than 0, and which it gave back as they were: where they are large, the accuracy beside them is the "
        "attack's failure.",
        "",
        to_markdown(pd.DataFrame([_reading(row) for row in card["metrics"]])),
        "",
        f"Stored as {card['stored']}; test accuracy with float32 weights {100 * card['float32_accuracy']:.2f} %, "
        f"as stored {100 * card['metrics'][0]['accuracy']:.2f} %.",
    ]
    if len(card.get("seeds", {})) > 1:
        seeds = ", ".join(f"seed {seed}: {100 * value:.2f} %" for seed, value in card["seeds"].items())
        lines += ["", f"Clean test accuracy of the same recipe, float32: {seeds}."]
    return "\n".join(lines) + "\n"


def _figures(row: Row) -> dict[str, Any]:
    result = row.outcomes
    low, high = wilson(result.correct, result.n)
    return {
        "attack": row.attack, "objective": row.objective, "norm": row.norm, "eps": row.eps, "steps": row.steps,
        "restarts": row.restarts, "n": result.n, "correct": result.correct, "wrong": result.wrong,
        "abnormal": result.abnormal, "accuracy": result.accuracy.value, "low": low, "high": high,
        "zero_gradient": None if row.zero_gradient is None else row.zero_gradient.value,
        "unmoved": None if row.unmoved is None else row.unmoved.value,
        "flags": list(row.flags),
    }


def _reading(row: dict[str, Any]) -> dict[str, str]:
    n = row["n"]

    def percent(share: float | None) -> str:
        return "–" if share is None else f"{100 * share:.1f}"

    return {
        "attack": row["attack"] + (f"-{row['steps']}" if row["steps"] else ""),
        "objective": row["objective"] or "–",
        "ε": eps_said(row["eps"]) if row["eps"] else "–",
        "correct": f"{100 * row['accuracy']:.2f} [{100 * row['low']:.2f}, {100 * row['high']:.2f}]",
        "wrong": percent(row["wrong"] / n),
        "None": percent(row["abnormal"] / n),
        "zero gradient": percent(row["zero_gradient"]),
        "unmoved": percent(row["unmoved"]),
        "n": str(n),
        "flags": ", ".join(row["flags"]) or "–",
    }


def _listed(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items() if value is not None)




def catalogue_markdown(cards: list[dict[str, Any]]) -> str:
    """Every system's figures on one page, the attacks side by side."""
    import pandas as pd

    lines = [
        "# The shipped systems",
        "",
        "Accuracies in %, from each system's card (which names n, intervals, recipe and the command that made it): "
        "clean on the whole test set; under PGD-20 on the system's own training loss, as published, with the share of "
        "correct images whose gradient was exactly 0 in brackets; under PGD-40 on the margin, and on each of its terms "
        "in turn (bits, interval ends, rivals). Where the bracket is large, the number before it says that the attack "
        "had nothing to follow, not that the system withstood it. All are upper bounds on the accuracy in the worst "
        "case.",
        "",
        "Written by `tasklab list --catalogue`.",
    ]
    for dataset in dict.fromkeys(card["data"]["name"] for card in cards):
        rows = [_line(card) for card in cards if card["data"]["name"] == dataset]
        lines += ["", f"## {dataset}", "", to_markdown(pd.DataFrame(rows).fillna("–"))]
    return "\n".join(lines)


def _line(card: dict[str, Any]) -> dict[str, str]:
    line = {"system": f"[{card['name']}]({card['name']}.md)", "clean": f"{100 * card['metrics'][0]['accuracy']:.2f}"}
    for row in card["metrics"][1:]:
        value = f"{100 * row['accuracy']:.1f}"
        own = row["objective"] == "train"
        line[f"{'own loss' if own else row['objective']} {eps_said(row['eps'])}"] = (
            f"{value} ({100 * row['zero_gradient']:.0f})" if own else value
        )
    return line
