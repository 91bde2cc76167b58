"""One attack on one image against several systems at many ε, computed once and cached."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import TYPE_CHECKING, Any

import streamlit as st
from torch import Tensor

from lab_ui.basics.lab import Lab
from lab_ui.basics.refusal import Refused
from lab_ui.basics.waiting import awaited
from lab_ui.basics.words import HELP, aimed, title
from lab_ui.results.growing import Part, Progress, Seen, Stage, begin, pending, stages, steps_of
from lab_ui.visitor import catalogue
from tasklab.attacks import ATTACKS, OBJECTIVES, PGD, Settings
from tasklab.attacks.building import changed
from tasklab.attacks.registry import fields_of, import_lines
from tasklab.data import DATASETS, ImageSet
from tasklab.data.radii import eps_said
from tasklab.experiments.ground import SPANNED_BY, Ground, finer_ground
from tasklab.experiments.ground import ground as make_ground
from tasklab.experiments.scenario import Scenario
from tasklab.experiments.sweep import Sweep, joined, sweep_each
from tasklab.experiments.trajectory import Trajectory, record_trajectory
from tasklab.figures.describing import with_article
from tasklab.figures.live.sweep import how
from tasklab.system import System
from tasklab.tasks import Task

if TYPE_CHECKING:
    import pandas as pd

QUICK_PIXELS = 10_000
"""Number of pixels × steps that small networks get through in a moment."""

COARSE = 11
"""Cells along each side of the plane under an image, as it is shown at first."""

Sweeps = dict[tuple[str, str], Sweep | str]
"""System and objective to the sweep over ε, or to the sentence that says why there is none."""


class _ByRepr(Mapping[Any, Any]):
    """The classes of the settings of all attacks registered by now, each with ``repr``."""

    def __getitem__(self, kind: Any) -> Any:
        return repr

    def __iter__(self) -> Iterator[Any]:
        return iter(ATTACKS.values())

    def __len__(self) -> int:
        return len(ATTACKS)


HASH: Any = _ByRepr()
"""How Streamlit's caches hash the settings of an attack."""


def start_sweeps(
    scenario: Scenario, lab: Lab, stops: Sequence[float] | None, finer: Sequence[float] = ()
) -> tuple[Seen, Sweeps]:
    """Attack the scenario's image: each system under each objective at each ε.

    Args:
        scenario: image, systems, attack, objectives and ε.
        lab: values of the scenario bar.
        stops: the ε that are made first, beside 0 and the scenario's own; with None, all are made at once.
        finer: all ε that are made at the end.

    Returns:
        How far the work is, and what it has found so far; see `for_each_pair`.
    """
    return for_each_pair(
        lab.slug, scenario, lambda name, aim: _check(scenario, name, lab.key(name), aim),
        lambda name, aims: _sweep_job(scenario, name, aims),
        stops=(None if stops is None else tuple(stops), tuple(finer)),
        key=str(scenario.image),
    )


def for_each_pair(
    slug: str, scenario: Scenario, check: Callable[[str, str], object],
    prepare: Callable[[str, Sequence[str]], Callable[[Stage, Progress], Sequence[Sweep]]], *,
    stops: tuple[tuple[float, ...] | None, tuple[float, ...]], key: str,
) -> tuple[Seen, Sweeps]:
    """A sweep for each system and objective, for several objectives in one batch where the attack can do so.

    Args:
        slug: of the page.
        scenario: the systems, the objectives and the attack.
        check: called with a system and an objective; raises an error where they do not go together.
        prepare: called with a system and objectives; returns a function that makes a sweep for each of them at a stage.
            That function runs on another thread, so it must not use the page.
        stops: values of ε that are made first, or None where nothing is to be made before the whole; and all of them.
        key: identifies the image.

    Returns:
        How far the work is, and for each system and objective the sweep, the sentence that says why there is none, or
        `growing.PENDING` where it is not there yet.
    """
    refused: Sweeps = {}
    pairs = [(name, aim) for aim in scenario.aims for name in scenario.systems]
    groups = [(name, scenario.aims) for name in scenario.systems if scenario.aims]
    together = scenario.kind.takes_eps_per_example
    if not together:
        groups = [(name, (aim,)) for name, aim in pairs]
    parts, stamps = [], []
    for name, group in groups:
        allowed = []
        for aim in group:
            try:
                check(name, aim)
                allowed.append(aim)
            except (ValueError, OSError) as error:
                refused[name, aim] = str(error)
        try:
            make = prepare(name, allowed) if allowed else None
        except ValueError as error:
            refused |= {(name, aim): str(error) for aim in allowed}
            continue
        if make is not None:
            parts.append(Part(keys=tuple((name, aim) for aim in allowed), make=make))
            stamps.append(catalogue.stamp(name))
    few, many = stops

    def attacks_at(values: Sequence[float]) -> int:
        return len({*values, scenario.eps} - {0.0}) or 1

    plan: tuple[Stage, ...] = ()
    if few is not None:
        plan = stages(scenario, slow=begins_with_few(scenario), attacks=1 if together else attacks_at(few), stops=few)
    if many:
        plan += (Stage(steps=steps_of(scenario), attacks=1 if together else attacks_at(many), stops=many),)
    identity = repr((dataclasses.replace(scenario, image=0), key, stops, stamps))
    seen = begin(slug, identity, scenario.attack, parts, plan, quick=not begins_with_few(scenario))
    return seen, {pair: refused.get(pair, cell) for pair, cell in pending(pairs, seen.results).items()}


def is_slow(scenario: Scenario) -> bool:
    """Whether the attack takes seconds; more values of ε are then made only on a click."""
    return not scenario.kind.takes_eps_per_example or any(catalogue.is_large(name) for name in scenario.systems)


def begins_with_few(scenario: Scenario) -> bool:
    """Whether the attack takes longer than a moment, so that it begins with few steps."""
    return is_slow(scenario) or math.prod(DATASETS[scenario.data].shape) * steps_of(scenario) > QUICK_PIXELS


def fine_key(scenario: Scenario) -> str:
    """A key for one attack on one image, the same for every ε, system and objective; many ε are requested for it."""
    return repr(dataclasses.replace(scenario, eps=0.0, systems=(), objectives=()))


def trajectory(scenario: Scenario, name: str, key: str, aim: str) -> Trajectory:
    """The steps of PGD or FGSM at the present ε, for the player.

    Args:
        scenario: image, attack and ε.
        name: of the system.
        key: its short name.
        aim: the objective.

    Raises:
        ValueError: one sentence that says why there is none.
    """
    _check(scenario, name, key, aim)
    return _trajectory(name, catalogue.stamp(name), scenario.data, scenario.image, scenario.settings(aim),
                       scenario.target)


def ground(scenario: Scenario, name: str, key: str, *, side: int) -> Ground:
    """The plane under the image that the attacks on the margin and on the training loss span.

    Args:
        scenario: image, PGD or FGSM, and ε; its objectives do not matter.
        name: of the system.
        key: its short name.
        side: cells along each side.

    Raises:
        ValueError: one sentence that says why there is none.
    """
    for aim in SPANNED_BY:
        _check(scenario, name, key, aim)
    stamp, system, images = catalogue.stamp(name), catalogue.system(name), catalogue.test_set(scenario.data)
    assert images is not None
    settings = scenario.settings("margin")
    assert isinstance(settings, PGD)
    x, y = images.x(scenario.image), images.labels[scenario.image : scenario.image + 1]
    pool = ThreadPoolExecutor(1, "attack")
    try:
        return awaited(pool.submit(_ground, name, stamp, scenario.data, scenario.image, settings, scenario.target, side,
                                   system, x, y))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def fine_side(images: ImageSet) -> int:
    """Cells along each side of the plane once it is worked out further: more where images are small."""
    return 55 if max(images.shape) <= 8 else 33


def ground_key(scenario: Scenario, name: str) -> str:
    """A key for the plane of one system; more places are requested for it."""
    return repr(dataclasses.replace(scenario, systems=(name,), objectives=()))


def ground_code(scenario: Scenario, name: str, *, side: int) -> str:
    """Python that makes the plane with the library alone; the arguments are those of `ground`."""
    target = "" if scenario.target is None else f", target=torch.tensor([{scenario.target}])"
    arguments = scenario.arguments('"margin"')
    index = scenario.image
    return "\n".join([
        *(["import torch", ""] if target else []),
        "from tasklab import data, zoo",
        *import_lines(scenario.kind),
        "from tasklab.experiments.ground import ground",
        "from tasklab.figures.ground import describe_ground, ground_figure",
        "",
        f'test = data.load("{scenario.data}", "test")',
        f"x, y = test.x({index}), test.labels[{index}:{index + 1}]  # one image, one label",
        "",
        f"settings = {scenario.attack}({arguments})",
        f'seen = ground(zoo.load("{name}"), x, y, settings, side={side}{target})',
        "ends = {path.objective: path.end for path in seen.paths}  # -1 is None",
        "flat_share = seen.flat_share  # of what is read as the label, where the training loss is exactly flat",
        f'print(describe_ground("{name}", seen, test.classes))',
        "# ground_figure(seen, classes=test.classes).show()",
    ])


def scene_arguments(scenario: Scenario, sweeps: Sweeps, lab: Lab) -> dict[str, Any]:
    """Arguments of `scene_data` and `scene_html`: the sweeps, and the names of systems, objectives and classes."""
    return {
        "cells": {(lab.key(name), aim): cell for (name, aim), cell in sweeps.items()},
        "titles": {lab.key(name): title(lab.key(name)) for name, _ in sweeps},
        "aims": {aim: aimed(scenario, aim) for _, aim in sweeps},
        "names": lab.pictures.classes,
        "notes": {"margin": HELP["margin"], "the line above a row": HELP["badge"]},
    }


def table(sweeps: Sweeps) -> pd.DataFrame:
    """All numbers of the page: one row for each system, objective and ε; label −1 is None."""
    import pandas as pd  # here, because it takes a quarter of a second that the first page need not wait

    rows = [
        {"system": name, "objective": aim, "eps": stop, "label": sweep.label, "decoded_before": sweep.clean_decoded,
         "decoded": int(sweep.decoded[k]), "margin_before": sweep.clean_margin, "margin": float(sweep.margins[k]),
         "fooled": bool(sweep.fooled[k]), "zero_gradient": bool(sweep.zero_gradient[k]),
         "unmoved": bool(sweep.unmoved[k])}
        for (name, aim), sweep in sweeps.items() if isinstance(sweep, Sweep) for k, stop in enumerate(sweep.stops)
    ]
    return pd.DataFrame(rows)


def pin(scenario: Scenario, sweeps: Sweeps, lab: Lab) -> dict[str, Any]:
    """The present view as plain data, to be compared with a later one: the labels read at the present ε."""
    rows, attacked_by = [], ""
    for (name, aim), sweep in sweeps.items():
        if isinstance(sweep, Sweep):
            index, key = sweep.at(scenario.eps), lab.key(name)
            attacked_by, (words, _) = how(sweep.settings), aimed(scenario, aim)
            rows.append({"system": key, "aim": aim, "title": f"{title(key)}, {words}", "label": sweep.label,
                         "decoded": int(sweep.decoded[index]), "margin": float(sweep.margins[index])})
    label = lab.pictures.classes[int(lab.pictures.labels[scenario.image])]
    words = (f"image {scenario.image}, {with_article(label)} · {attacked_by} · {scenario.norm} · "
             f"ε = {eps_said(scenario.eps)}")
    return {"words": words, "names": list(lab.pictures.classes), "rows": rows}


def check(scenario: Scenario, aim: str, task: Task, title: str) -> None:
    """Check that a task has an objective, and that the objective can have the scenario's target.

    Raises:
        Refused: it has not; the sentence says what to try instead.
    """
    if aim in ("up", "down") and task.line is None:
        raise Refused(f"“{aim}” slides along INT's number line, and {title} has none. Try the decision margin instead.")
    if aim == "unclipped" and task.unclipped is None:
        raise Refused(f"“unclipped” lifts the margin S of RBC's loss, and {title} has none. Try the decision margin.")
    if scenario.target is not None and aim in OBJECTIVES and not OBJECTIVES[aim].targetable:
        raise Refused(f"“{aim}” cannot be aimed at a target class. Choose “any other” as target, or another aim.")


def _check(scenario: Scenario, name: str, key: str, aim: str) -> None:
    """`check`, and whether the system takes such images and the target is not the image's own class."""
    system = catalogue.system(name)
    check(scenario, aim, system.task, title(key))
    images = catalogue.test_set(scenario.data)
    if images is None or images.shape != system.network.spec.in_shape:  # type: ignore[union-attr]
        raise Refused(f"{title(key)} was not trained for images of this size.")
    if scenario.target is not None and scenario.target == int(images.labels[scenario.image]):
        raise Refused("The target is the image's own class. Choose another target.")


def _sweep_job(scenario: Scenario, name: str, aims: Sequence[str]) -> Callable[[Stage, Progress], list[Sweep]]:
    """A function that makes a sweep for each objective, to be run on another thread."""
    settings = scenario.settings(aims[0])
    stamp, system, images = catalogue.stamp(name), catalogue.system(name), catalogue.test_set(scenario.data)
    assert images is not None
    x, y = images.x(scenario.image), images.labels[scenario.image : scenario.image + 1]

    def make(stage: Stage, progress: Progress) -> list[Sweep]:
        own = tuple(sorted({0.0, scenario.eps}))  # the same in every stage, so that the cache has it in the later ones
        missing = () if set(own) <= set(stage.stops) else own
        parts = [_sweeps(name=name, stamp=stamp, dataset=scenario.data, index=scenario.image, aims=tuple(aims),
                         settings=at_stage(settings, stage), target=scenario.target, stops=part, _system=system, _x=x,
                         _y=y, _progress=progress) for part in (stage.stops, missing) if part]
        return [reduce(joined, sweeps) for sweeps in zip(*parts, strict=True)]

    return make


def at_stage(settings: Settings, stage: Stage, eps: float = 0.0) -> Settings:
    """An attack with the steps of a stage; by default with ε = 0, for one cache entry whatever the scenario's ε."""
    steps = {"steps": stage.steps} if "steps" in fields_of(type(settings)) else {}
    return changed(settings, eps=eps, **steps)


@st.cache_resource(max_entries=400, show_spinner=False, hash_funcs=HASH)
def _sweeps(  # by keyword, since for each positional argument Streamlit works out the signature anew
    *, name: str, stamp: str, dataset: str, index: int, settings: Settings, aims: tuple[str, ...], target: int | None,
    stops: tuple[float, ...], _system: System, _x: Tensor, _y: Tensor, _progress: Progress,
) -> list[Sweep]:
    """A sweep for each objective; shared by all visitors, so they must not be changed."""
    target_label = None if target is None else _y.new_tensor([target])
    return sweep_each(_system, _x, _y, settings, aims, stops, target=target_label, progress=_progress)


@st.cache_resource(max_entries=200, show_spinner=False, hash_funcs=HASH)
def _trajectory(name: str, stamp: str, dataset: str, index: int, settings: Settings, target: int | None) -> Trajectory:
    """The steps for the player; shared by all visitors, so they must not be changed."""
    system, images = catalogue.system(name), catalogue.test_set(dataset)
    assert images is not None
    x, y = images.x(index), images.labels[index : index + 1]
    return record_trajectory(system, x, y, settings, target=None if target is None else y.new_tensor([target]))


@st.cache_resource(max_entries=100, show_spinner=False, hash_funcs=HASH)
def _ground(
    name: str, stamp: str, dataset: str, index: int, settings: PGD, target: int | None, side: int, _system: System,
    _x: Tensor, _y: Tensor,
) -> Ground:
    """The plane under an image; shared by all visitors, so it must not be changed."""
    if side > COARSE:
        coarse: Ground = _ground(name, stamp, dataset, index, settings, target, COARSE, _system, _x, _y)
        return finer_ground(_system, coarse, side=side)
    return make_ground(_system, _x, _y, settings, side=side, target=None if target is None else _y.new_tensor([target]))
