"""One attack on one picture by several systems at many ε, worked out once and kept while it is asked for."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import reduce
from typing import TYPE_CHECKING, Any

import streamlit as st
from torch import Tensor

from lab_ui.basics.lab import Lab
from lab_ui.basics.refusal import Refused
from lab_ui.basics.waiting import awaited
from lab_ui.basics.words import HELP, aim_words, title
from lab_ui.visitor import catalogue
from tasklab.attacks import OBJECTIVES, Settings
from tasklab.attacks.building import ATTACKS
from tasklab.data.radii import eps_said
from tasklab.experiments.scenario import Scenario
from tasklab.experiments.sweep import Sweep, joined, sweep_each
from tasklab.experiments.trajectory import Trajectory, record_trajectory
from tasklab.figures.describing import with_article
from tasklab.figures.live.sweep import how
from tasklab.system import System
from tasklab.tasks import Task

if TYPE_CHECKING:
    import pandas as pd

TOGETHER = ("FGSM", "PGD")
"""Attacks that climb at many ε at once; the others are run for one ε after the other, when somebody asks."""

HANDS = min(4, os.cpu_count() or 1)
"""Systems that are attacked side by side."""

Found = dict[tuple[str, str], Sweep | str]
"""By system and objective: what was found, or the sentence that says why there is nothing."""

HASH: dict[Any, Any] = dict.fromkeys(ATTACKS.values(), repr)


def answers(
    scenario: Scenario, lab: Lab, stops: Sequence[float], *, progress: Callable[[float, str], object]
) -> Found:
    """Everything the page shows: each system under each objective at each ε.

    Args:
        scenario: what is asked.
        lab: the page.
        stops: ε beside 0 and the scenario's own.
        progress: called with the share done and with words, before each part.
    """
    return each(
        scenario, lambda name, aim: _check(scenario, name, lab.key(name), aim),
        lambda name, aims: _work(scenario, name, aims, tuple(stops)),
        lambda share, name, aim: progress(
            share, f"{title(lab.key(name))}, aimed at {aim_words(scenario.attack, aim)[0]}"),
    )


def each(
    scenario: Scenario, check: Callable[[str, str], object],
    work: Callable[[str, Sequence[str]], Callable[[], Sequence[Sweep]]],
    progress: Callable[[float, str, str], object] = lambda share, name, aim: None,
) -> Found:
    """What is made of each system under each objective, under several at once where the attack can.

    Args:
        scenario: the systems, the objectives and the attack.
        check: raises an error for a system and an objective that do not go together.
        work: what makes a sweep for each of a system's objectives; it runs beside others, and asks nothing of the page.
        progress: called with the share done, before each system and objective.
    """
    found: Found = {}
    aims = scenario.aims
    pairs = [(name, aim) for aim in aims for name in scenario.systems]
    groups = [(name, aims) for name in scenario.systems if aims]
    if scenario.attack not in TOGETHER:
        groups = [(name, (aim,)) for name, aim in pairs]
    hands = ThreadPoolExecutor(HANDS, "attack")
    at_work: list[tuple[str, list[str], Future[Sequence[Sweep]]]] = []
    try:
        for name, some in groups:
            good = []
            for aim in some:
                try:
                    check(name, aim)
                    good.append(aim)
                except (ValueError, OSError) as error:
                    found[name, aim] = str(error)
            try:
                made = work(name, good) if good else None
            except ValueError as error:
                found |= {(name, aim): str(error) for aim in good}
                continue
            if made is not None:
                at_work.append((name, good, hands.submit(made)))
        for place, (name, good, coming) in enumerate(at_work):
            progress(place / len(at_work), name, good[0])
            try:
                found |= {(name, aim): one for aim, one in zip(good, awaited(coming), strict=True)}
            except ValueError as error:
                found |= {(name, aim): str(error) for aim in good}
    finally:
        hands.shutdown(wait=False, cancel_futures=True)
    return {pair: found[pair] for pair in pairs}


def fine_key(scenario: Scenario) -> str:
    """What many ε were asked for: one attack on one picture, whatever the ε, the systems and the aims."""
    return repr(dataclasses.replace(scenario, eps=0.0, systems=(), objectives=()))


def way(scenario: Scenario, name: str, key: str, aim: str) -> Trajectory:
    """PGD's or FGSM's way at the present ε, for the player.

    Raises:
        ValueError: one sentence: why there is none.
    """
    _check(scenario, name, key, aim)
    return _way(name, catalogue.stamp(name), scenario.data, scenario.image, scenario.settings(aim), scenario.target)


def words(found: Found, lab: Lab) -> dict[str, Any]:
    """How a scene calls its systems, aims and classes: arguments of `scene_data`, its cells among them."""
    attacks = {aim: type(cell.settings).__name__ for (_, aim), cell in found.items() if isinstance(cell, Sweep)}
    return {
        "cells": {(lab.key(name), aim): cell for (name, aim), cell in found.items()},
        "titles": {lab.key(name): title(lab.key(name)) for name, _ in found},
        "aims": {aim: aim_words(attacks.get(aim, ""), aim) for _, aim in found},
        "names": lab.pictures.classes,
        "notes": {"margin": HELP["margin"], "the line above a row": HELP["badge"]},
    }


def table(found: Found) -> pd.DataFrame:
    """Every number of the page: one row for each system, aim and ε; label −1 is None."""
    import pandas as pd  # a quarter of a second, which the first page of a server need not wait

    rows = [
        {"system": name, "objective": aim, "eps": stop, "label": one.label, "decoded_before": one.clean_decoded,
         "decoded": int(one.decoded[k]), "margin_before": one.clean_margin, "margin": float(one.margins[k]),
         "fooled": bool(one.fooled[k]), "zero_gradient": bool(one.zero_gradient[k]), "unmoved": bool(one.unmoved[k])}
        for (name, aim), one in found.items() if isinstance(one, Sweep) for k, stop in enumerate(one.stops)
    ]
    return pd.DataFrame(rows)


def pin(scenario: Scenario, found: Found, lab: Lab) -> dict[str, Any]:
    """What is kept of a view to be compared with: what was read, at the ε of the moment."""
    rows, told = [], ""
    for (name, aim), one in found.items():
        if isinstance(one, Sweep):
            at, key = one.at(scenario.eps), lab.key(name)
            told, (aimed, _) = how(one.settings), aim_words(scenario.attack, aim)
            rows.append({"system": key, "aim": aim, "title": f"{title(key)}, {aimed}", "label": one.label,
                         "decoded": int(one.decoded[at]), "margin": float(one.margins[at])})
    label = lab.pictures.classes[int(lab.pictures.labels[scenario.image])]
    said = f"picture {scenario.image}, {with_article(label)} · {told} · {scenario.norm} · ε = {eps_said(scenario.eps)}"
    return {"words": said, "names": list(lab.pictures.classes), "rows": rows}


def check(scenario: Scenario, aim: str, task: Task, title: str) -> None:
    """A `Refused` with a way on, if a task does not have an aim, or an aim no target."""
    if aim in ("up", "down") and task.line is None:
        raise Refused(f"“{aim}” slides along INT's number line, and {title} has none. Try the decision margin instead.")
    if aim == "unclipped" and task.unclipped is None:
        raise Refused(f"“unclipped” lifts the margin S of RBC's loss, and {title} has none. Try the decision margin.")
    if scenario.target is not None and aim in OBJECTIVES and not OBJECTIVES[aim].targetable:
        raise Refused(f"“{aim}” cannot be aimed at a target class. Choose “any other” as target, or another aim.")


def _check(scenario: Scenario, name: str, key: str, aim: str) -> None:
    system = catalogue.system(name)
    check(scenario, aim, system.task, title(key))
    images = catalogue.test_set(scenario.data)
    if images is None or images.shape != system.network.spec.in_shape:  # type: ignore[union-attr]
        raise Refused(f"{title(key)} was not trained for pictures of this size.")
    if scenario.target is not None and scenario.target == int(images.labels[scenario.image]):
        raise Refused("The target is the picture's own class. Choose another target.")


def _work(
    scenario: Scenario, name: str, aims: Sequence[str], stops: tuple[float, ...]
) -> Callable[[], list[Sweep]]:
    settings = dataclasses.replace(scenario.settings(aims[0]), eps=0.0)  # results are kept for every ε alike
    missing = tuple(stop for stop in (0.0, scenario.eps) if stop not in stops)
    stamp, system, images = catalogue.stamp(name), catalogue.system(name), catalogue.test_set(scenario.data)
    assert images is not None
    x, y = images.x(scenario.image), images.labels[scenario.image : scenario.image + 1]

    def made() -> list[Sweep]:
        found = [_sweeps(name, stamp, scenario.data, scenario.image, settings, tuple(aims), scenario.target, part,
                         system, x, y) for part in (stops, missing) if part]
        return [reduce(joined, of_one) for of_one in zip(*found, strict=True)]

    return made


@st.cache_resource(max_entries=400, show_spinner=False, hash_funcs=HASH)
def _sweeps(
    name: str, stamp: str, dataset: str, index: int, settings: Settings, aims: tuple[str, ...], target: int | None,
    stops: tuple[float, ...], _system: System, _x: Tensor, _y: Tensor,
) -> list[Sweep]:
    """A sweep for each aim; shared, so never to be altered."""
    wanted = None if target is None else _y.new_tensor([target])
    return sweep_each(_system, _x, _y, settings, aims, stops, target=wanted)


@st.cache_resource(max_entries=200, show_spinner=False, hash_funcs=HASH)
def _way(name: str, stamp: str, dataset: str, index: int, settings: Settings, target: int | None) -> Trajectory:
    """A way of the player; shared, so never to be altered."""
    system, images = catalogue.system(name), catalogue.test_set(dataset)
    assert images is not None
    x, y = images.x(index), images.labels[index : index + 1]
    return record_trajectory(system, x, y, settings, target=None if target is None else y.new_tensor([target]))
