"""Transfer between systems: each threat is attacked once and cached; also the images of one cell as HTML."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from lab_ui.basics.words import read, title
from lab_ui.parts.thumbnails import chip, image_tag
from lab_ui.results.batch_attacks import is_slow_on_many
from lab_ui.results.growing import Part, Progress, Seen, Stage, begin, stages
from lab_ui.results.picture_attacks import HASH, at_stage
from lab_ui.visitor import catalogue
from tasklab.attacks import Settings
from tasklab.attacks.objectives import as_objective
from tasklab.data import ImageSet
from tasklab.evaluation import TransferResult, transfer
from tasklab.evaluation.transfer_matrix import find_threat
from tasklab.evaluation.transfer_result import OTHERS, Cell, Threat
from tasklab.experiments.scenario import Scenario
from tasklab.figures.describing import with_article
from tasklab.system import System

Key = tuple[tuple[str, str], ...]
"""Systems by name, each with its cache key (`catalogue.stamp`)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Matrix:
    """The rates for one objective, and why rows are missing.

    Attributes:
        result: None where no threat could be attacked.
        troubles: a sentence for each system that was left out.
    """

    result: TransferResult | None
    troubles: tuple[str, ...]


def start(scenario: Scenario, objectives: Sequence[str]) -> tuple[Seen, dict[str, Matrix]]:
    """Attack each system under each objective in the background, and show the attacked images to every other.

    Args:
        scenario: data set, systems, attack and number of images.
        objectives: what the attacks climb.

    Returns:
        How far the work is, and the matrix of each objective, for those that are there already.
    """
    parts, troubles, identity = list[Part](), dict[str, list[str]](), list[object]()
    victims, threats = list[tuple[str, str]](), dict[str, list[tuple[str, str]]]()
    for name in scenario.systems:
        try:
            catalogue.system(name)
            victims.append((name, catalogue.stamp(name)))
        except (ValueError, OSError) as error:
            troubles.setdefault("", []).append(f"{error}")
    test = _first(scenario.data, scenario.n)
    settings = {objective: dataclasses.replace(scenario, target=None).settings(objective) for objective in objectives}
    for objective in objectives:
        threats[objective], troubles[objective] = [], list(troubles.get("", ()))
        for name, stamp in victims:
            try:
                as_objective(settings[objective].objective).check(catalogue.system(name).task)
            except ValueError:
                troubles[objective].append(f"{_called(scenario, name)} cannot be attacked with this aim. Only images "
                                           "found against others are shown to it.")
                continue
            threats[objective].append((name, stamp))
            identity.append((objective, stamp, repr(settings[objective])))
            parts.append(Part(keys=((objective, name),), make=_making(
                (name, stamp, scenario.data, scenario.n), settings[objective], catalogue.system(name), test)))
    seen = begin("transfer", repr((identity, scenario.data, scenario.n)), scenario.attack, parts,
                 stages(scenario, slow=is_slow_on_many(scenario)))
    matrices = {}
    for objective in objectives:
        made = {name: seen.results.get((objective, name)) for name, _ in threats[objective]}
        if any(result is None for result in made.values()):
            break
        sentences = [*troubles[objective], *(
            f"{_called(scenario, name)} was not attacked: {result.rstrip('.')}. Only images found against others are "
            "shown to it."
            for name, result in made.items() if isinstance(result, str))]
        attacked = {name: result for name, result in made.items() if isinstance(result, Threat)}
        stamps = tuple((name, stamp) for name, stamp in threats[objective] if name in attacked)
        at = next(iter(attacked.values())).result.settings if attacked else None
        result = _result(stamps, tuple(victims), scenario.data, scenario.n, at, attacked) if at is not None else None
        matrices[objective] = Matrix(result=result, troubles=tuple(sentences))
    return seen, matrices


def _called(scenario: Scenario, name: str) -> str:
    return title(name.removeprefix(f"{scenario.data}-"))


def _making(
    arguments: tuple[str, str, str, int], settings: Settings, system: System, test: ImageSet
) -> Callable[[Stage, Progress], list[Threat]]:
    """A function that attacks one system at a stage."""
    return lambda stage, progress: [
        _threat(*arguments, at_stage(settings, stage, settings.eps), system, test, progress)]


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=HASH)
def _threat(
    name: str, stamp: str, dataset: str, n: int, settings: Settings, _system: System, _test: ImageSet,
    _progress: Progress,
) -> Threat:
    return find_threat(name, _system, _test.x(), _test.labels, settings, progress=_progress)


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs=HASH)
def _result(
    threats: Key, victims: Key, dataset: str, n: int, settings: Settings, _attacked: Mapping[str, Threat]
) -> TransferResult:
    test = _first(dataset, n)
    return transfer(_attacked, {name: catalogue.system(name) for name, _ in victims}, test.x(), test.labels, settings)


def _first(dataset: str, n: int) -> ImageSet:
    test = catalogue.test_set(dataset)
    assert test is not None
    return test.subset(min(n, len(test)))


def is_there(result: TransferResult, threat: str, victim: str) -> bool:
    """Whether the matrix has this cell."""
    return any(name != victim for name in result.threats) if threat == OTHERS else (threat, victim) in result.cells


def cell_of(result: TransferResult, threat: str, victim: str) -> Cell:
    """One cell of the matrix; also of the row in which all other threats count union."""
    return result.union(victim) if threat == OTHERS else result.cells[threat, victim]


def gallery(scenario: Scenario, test: ImageSet, cell: Cell, indices: Sequence[int]) -> str:
    """Images before and after the attack as HTML; each is a link to the attack lab.

    Args:
        scenario: the links are made from it.
        test: the clean images.
        cell: the images that the victim was shown, and the labels that it read.
        indices: of the images to show.
    """
    parts = []
    for i in indices:
        link = dataclasses.replace(scenario, image=i, systems=_both(cell)).link("attack_lab", base=".")
        parts.append(
            f'<a class="moved" href="{html.escape(link)}" target="_self" title="Image {i} in the attack lab">'
            f"<span>{image_tag(test.x(i), f'image {i}, {with_article(test.classes[int(test.labels[i])])}')}"
            f"{image_tag(cell.images[i : i + 1], 'the same, attacked')}</span>"
            f"{_words(cell, i, int(test.labels[i]), test.classes)}</a>"
        )
    return f'{STYLE}<div class="lab-page moved-pictures">{"".join(parts)}</div>'


def _words(cell: Cell, i: int, label: int, names: Sequence[str]) -> str:
    """The labels read before and after, and whether the image was changed at all."""
    before, after = int(cell.before[i]), int(cell.decoded[i])
    unmoved = '<span class="moved-still">unchanged</span>' if bool(cell.unmoved[i]) else ""
    return f'<span class="moved-words">{read(before, names)} → {chip(after, label, names=names)}</span>{unmoved}'


def _both(cell: Cell) -> tuple[str, ...]:
    """Threat and victim of a cell, or the victim alone where there is no other system to name."""
    return (cell.victim,) if cell.threat in (OTHERS, cell.victim) else (cell.threat, cell.victim)


STYLE = """
<style>
.moved-pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(6.6rem, 1fr)); gap: 0.8rem 0.9rem; }
a.moved { color: inherit !important; text-decoration: none; display: flex; flex-direction: column; gap: 0.2rem; }
a.moved > span:first-child { display: flex; gap: 3px; }
a.moved img { min-width: 0; flex: 1 1 0; width: 50%; }
a.moved:hover .moved-words, a.moved:focus .moved-words { text-decoration: underline; }
.moved-words { font-size: 1.05rem; }
.moved-words .lab-chip { font-size: 1.05rem; padding: 0 0.4rem; }
.moved-still { font-size: 0.9rem; }
</style>
"""
