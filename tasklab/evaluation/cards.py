"""Cards: the measurements that are kept with a system, and the same as a page to read."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import torch

from tasklab.attacks.presets import card_attacks
from tasklab.card import rebuilt
from tasklab.data import ImageSet
from tasklab.data.radii import eps_said
from tasklab.evaluation.robustness import Progress, Row, stream_rows
from tasklab.evaluation.statistics import wilson
from tasklab.evaluation.tables import to_markdown
from tasklab.system import System
from tasklab.text import in_markdown


def stream_measure(
    system: System,
    test: ImageSet,
    *,
    eps: Iterable[float],
    attacked: int = 1000,
    seed: int = 0,
    progress: Callable[[Progress], object] | None = None,
) -> Iterator[dict[str, Any]]:
    """The figures of a card: clean outcomes on the whole set, `card_attacks` on its first images.

    Args:
        system: what is measured.
        test: the test split.
        eps: radii in pixel units.
        attacked: how many images the attacks are run on.
        seed: of the random starts.
        progress: as in `evaluate`.

    Yields:
        One dict for each row as soon as it is known, shares with their 95 % Wilson intervals.
    """
    for row in stream_rows(system, test):
        yield _figures(row)
    few = test.subset(min(attacked, len(test)))
    for row in islice(stream_rows(system, few, card_attacks(eps, seed=seed), progress=progress), 1, None):
        yield _figures(row)


def circumstances() -> dict[str, Any]:
    """Versions and machine, for a card."""
    import torchvision

    from tasklab.version import __version__

    return {
        "versions": {
            "tasklab": __version__, "python": platform.python_version(), "torch": torch.__version__,
            "torchvision": torchvision.__version__,
        },
        "threads": torch.get_num_threads(),
    }


def figure(card: dict[str, Any], attack: str, objective: str | None = None, eps: float = 0.0) -> dict[str, Any] | None:
    """One row of a card's metrics.

    Args:
        card: of a system, as `tasklab.card` rebuilds it.
        attack, objective: the names in the row; the objective is None on clean images.
        eps: radius in pixel units; it is compared as it is printed, to four decimal places.

    Returns:
        A copy of the row; None where there is none.
    """
    for row in card.get("metrics", []):
        if (row["attack"], row["objective"]) == (attack, objective) and abs(row["eps"] - eps) <= 5e-5:
            return dict(row)
    return None


def card_markdown(card: dict[str, Any]) -> str:
    """A card as a page in Markdown: what the system is, how it was made and what was measured, as far as it is known.

    Args:
        card: of a system, whoever wrote it; `tasklab.card` decides which parts are shown.
    """
    import pandas as pd

    card = rebuilt(card)
    lines = [f"# {in_markdown(card.get('name', 'A system without a name'))}", "", *_made_of(card), *_made_how(card)]
    if "command" in card:
        lines += ["", "Made by", "", f"    {card['command']}"]
    metrics = card.get("metrics", [])
    if metrics:
        lines += [
            "",
            "Clean: all test images. Attacked: the first test images, Linf; shares in %, with 95 % Wilson intervals. "
            "*zero gradient* and *unmoved* are shares of the images that are classified correctly without an attack: "
            "those for which the attack never saw a gradient other than 0, and those which it returned unchanged. "
            "Where they are large, the accuracy beside them shows that the attack failed, not that the system "
            "withstood it.",
            "",
            to_markdown(pd.DataFrame([_reading(row) for row in metrics])),
        ]
    else:
        lines += ["", "Nothing was measured."]
    accuracies = []
    if "float32_accuracy" in card:
        accuracies.append(f"test accuracy with float32 weights {100 * card['float32_accuracy']:.2f} %")
    if (clean := figure(card, "clean")) is not None:
        accuracies.append(f"as stored {100 * clean['accuracy']:.2f} %")
    if "stored" in card:
        lines += ["", f"Stored as {card['stored']}" + (f"; {', '.join(accuracies)}" if accuracies else "") + "."]
    seeds = card.get("seeds")
    if isinstance(seeds, dict) and len(seeds) > 1:
        accuracy_by_seed = ", ".join(f"seed {in_markdown(seed)}: {100 * value:.2f} %" for seed, value in seeds.items())
        lines += ["", f"Clean test accuracy of the same recipe, float32: {accuracy_by_seed}."]
    return "\n".join(lines) + "\n"


def _made_of(card: dict[str, Any]) -> list[str]:
    """One line each about task, network and data."""
    lines = []
    if "task" in card:
        settings = {k: v for k, v in card["task"].items() if k not in ("task", "code") or isinstance(v, str)}
        lines.append(f"- task: {_listed(settings)}")
    if "network" in card:
        network = card["network"]
        settings = {k: network[k] for k in ("arch", "in_shape", "outputs", "width") if k in network}
        contrast = f", contrast {_escaped(network['contrast'])}" if network.get("contrast") else ""
        lines.append(f"- network: {_listed(settings)}{contrast}")
    dataset = card.get("data", {})
    counts = [f"{dataset[part]} {words}" for part, words in (("train", "training"), ("test", "test"))
              if part in dataset]
    if dataset:
        images = ", ".join(counts) + " images" * bool(counts)
        lines.append("- data: " + ", ".join(filter(None, [in_markdown(dataset.get("name", "of no name")), images])))
    return lines


def _made_how(card: dict[str, Any]) -> list[str]:
    """One line each about the start, the recipe, the defence, the epoch and the circumstances."""
    lines, defence = [], None
    if "name" in card.get("start", {}):
        lines.append(f"- started from: {in_markdown(card['start']['name'])}")
    if "recipe" in card:
        recipe = {k: v for k, v in card["recipe"].items() if k != "defence"}
        defence = card["recipe"].get("defence")
        lines += [f"- recipe: {_listed(recipe)}", f"- defence: {_listed(defence) if defence else 'none'}"]
    if "epoch" in card:
        of = f" of {card['recipe']['epochs']}" if "epochs" in card.get("recipe", {}) else ""
        attacked = " under attack" if defence and defence.get("defence") == "adversarial" else ""
        lines.append(f"- epoch kept: {card['epoch']}{of}, by validation accuracy{attacked}")
    threads = f" ({card['threads']} threads)" if "threads" in card else ""
    where = f"on {in_markdown(card['device'])}{threads}" if "device" in card else ""
    when = f"in {card['seconds']:.0f} s" if "seconds" in card else ""
    made = ", ".join(filter(None, [" ".join(filter(None, [when, where])), _listed(card.get("versions", {}))]))
    return [*lines, f"- made {made}"] if made else lines


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

    def part(count: int | None) -> str:
        return percent(None if count is None else count / n)

    ends = "" if row["low"] is None or row["high"] is None else f" [{100 * row['low']:.2f}, {100 * row['high']:.2f}]"
    return {
        "attack": in_markdown(row["attack"], 40) + (f"-{row['steps']}" if row["steps"] else ""),
        "objective": in_markdown(row["objective"] or "–", 40),
        "ε": eps_said(row["eps"]) if row["eps"] else "–",
        "correct": f"{100 * row['accuracy']:.2f}{ends}",
        "wrong": part(row["wrong"]),
        "None": part(row["abnormal"]),
        "zero gradient": percent(row["zero_gradient"]),
        "unmoved": percent(row["unmoved"]),
        "n": str(n),
        "flags": in_markdown(", ".join(row["flags"]) or "–", 80),
    }


def _listed(settings: dict[str, Any]) -> str:
    """Settings one after the other, without tables and long values."""
    return ", ".join(
        f"{in_markdown(key)} {_escaped(value)}"
        for key, value in settings.items()
        if value is not None and not isinstance(value, dict) and len(str(value)) <= 200
    )


def _escaped(value: Any) -> str:
    """Numbers as they are, everything else escaped."""
    numbers = all(isinstance(each, int | float) for each in (value if isinstance(value, list) else [value]))
    return str(value) if numbers else in_markdown(value, 80)


def catalogue_markdown(cards: list[dict[str, Any]]) -> str:
    """The metrics of all systems as one page in Markdown, with the attacks side by side.

    Args:
        cards: of the systems, as `card_markdown` takes them.
    """
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
    by_data: dict[str, list[dict[str, str]]] = {}
    for card in map(rebuilt, cards):
        by_data.setdefault(card.get("data", {}).get("name", "no data set named"), []).append(_line(card))
    for dataset, rows in by_data.items():
        lines += ["", f"## {in_markdown(dataset)}", "", to_markdown(pd.DataFrame(rows).fillna("–"))]
    return "\n".join(lines)


def _line(card: dict[str, Any]) -> dict[str, str]:
    name = card.get("name", "a system without a name")
    link = f"[{name}]({name}.md)" if re.fullmatch(r"[\w.-]+", name) else in_markdown(name)
    clean = figure(card, "clean")
    line = {"system": link, "clean": "–" if clean is None else f"{100 * clean['accuracy']:.2f}"}
    for row in card.get("metrics", []):
        if row["attack"] == "clean":
            continue
        value = f"{100 * row['accuracy']:.1f}"
        own = row["objective"] == "train"
        masked = "" if row["zero_gradient"] is None else f" ({100 * row['zero_gradient']:.0f})"
        aim = "training loss" if own else in_markdown(row["objective"] or row["attack"], 40)
        line[f"{aim} {eps_said(row['eps'])}"] = value + masked * own
    return line
