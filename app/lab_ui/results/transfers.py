"""Transfer between systems: each threat is attacked once and cached; also the pictures of one cell as HTML."""

from __future__ import annotations

import dataclasses
import html
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from lab_ui.basics.waiting import give_way
from lab_ui.basics.words import read, title
from lab_ui.parts.thumbnails import chip, image_tag
from lab_ui.results.picture_attacks import HASH
from lab_ui.visitor import catalogue
from tasklab.attacks import Settings
from tasklab.attacks.objectives import as_objective
from tasklab.data import ImageSet
from tasklab.evaluation import TransferResult, transfer
from tasklab.evaluation.transfer_matrix import find_threat
from tasklab.evaluation.transfer_result import OTHERS, Cell, Threat
from tasklab.experiments.scenario import Scenario
from tasklab.figures.describing import with_article

Key = tuple[tuple[str, str], ...]
"""Systems by name, each with its cache key (`catalogue.stamp`)."""

PATIENCE = 0.4
"""Seconds after which a progress bar is shown."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Matrix:
    """The rates for one objective, and why rows are missing.

    Attributes:
        result: None where no threat could be attacked.
        troubles: a sentence for each system that was left out.
    """

    result: TransferResult | None
    troubles: tuple[str, ...]


def find(scenario: Scenario, objective: str, progress: Callable[[float, str], object]) -> Matrix:
    """Attack each system, and show the attacked pictures to every other.

    Args:
        scenario: data set, systems, attack and number of pictures.
        objective: what the attacks climb.
        progress: called with the share done, 0 to 1, and a sentence, where it takes long.
    """
    settings = dataclasses.replace(scenario, target=None).settings(objective)
    threats, victims, troubles = list[tuple[str, str]](), list[tuple[str, str]](), list[str]()
    begun = time.perf_counter()
    for index, name in enumerate(scenario.systems):
        called = title(name.removeprefix(f"{scenario.data}-"))
        if time.perf_counter() - begun > PATIENCE:
            progress(index / len(scenario.systems), f"Attacking {called}, {index + 1} of {len(scenario.systems)} …")
        try:
            entry = name, catalogue.stamp(name)
            catalogue.system(name)
        except (ValueError, OSError) as error:
            troubles.append(f"{error}")
            continue
        victims.append(entry)
        try:
            as_objective(settings.objective).check(catalogue.system(name).task)
        except ValueError:
            troubles.append(f"{called} cannot be attacked with this aim. It is shown what was found against others.")
            continue
        try:
            _threat(*entry, scenario.data, scenario.n, settings)
        except ValueError as error:
            troubles.append(f"{called} was not attacked: {error}. It is shown what others found.")
            continue
        threats.append(entry)
    result = _result(tuple(threats), tuple(victims), scenario.data, scenario.n, settings) if threats else None
    return Matrix(result=result, troubles=tuple(troubles))


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=HASH)
def _threat(name: str, stamp: str, dataset: str, n: int, settings: Settings) -> Threat:
    test = _first(dataset, n)
    return find_threat(name, catalogue.system(name), test.x(), test.labels, settings, progress=lambda _: give_way())


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs=HASH)
def _result(threats: Key, victims: Key, dataset: str, n: int, settings: Settings) -> TransferResult:
    test = _first(dataset, n)
    attacked = {name: _threat(name, stamp, dataset, n, settings) for name, stamp in threats}
    return transfer(attacked, {name: catalogue.system(name) for name, _ in victims}, test.x(), test.labels, settings)


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
    """Pictures before and after the attack as HTML; each is a link to the attack lab.

    Args:
        scenario: the links are made from it.
        test: the clean pictures.
        cell: the pictures that the victim was shown, and the labels that it read.
        indices: of the pictures to show.
    """
    parts = []
    for i in indices:
        link = dataclasses.replace(scenario, image=i, systems=_both(cell)).link("attack_lab", base=".")
        parts.append(
            f'<a class="moved" href="{html.escape(link)}" target="_self" title="Picture {i} in the attack lab">'
            f"<span>{image_tag(test.x(i), f'picture {i}, {with_article(test.classes[int(test.labels[i])])}')}"
            f"{image_tag(cell.images[i : i + 1], 'the same, attacked')}</span>"
            f"{_words(cell, i, int(test.labels[i]), test.classes)}</a>"
        )
    return f'{STYLE}<div class="lab-page moved-pictures">{"".join(parts)}</div>'


def _words(cell: Cell, i: int, label: int, names: Sequence[str]) -> str:
    """The labels read before and after, and whether the picture was changed at all."""
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
