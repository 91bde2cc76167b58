"""The caller's modes of torch change nothing: what is read and found in them is as it is without."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from callers_modes import MODES, differs, few, plane, state, systems

from tasklab.attacks import (
    APGD,
    CW,
    FAB,
    FGSM,
    PGD,
    HopSkipJump,
    Noise,
    Settings,
    Square,
    attack,
    stream,
    towards_features,
)
from tasklab.data import load
from tasklab.embedding import PCA, embed, read_features, read_outputs
from tasklab.evaluation import check_attack, evaluate, smallest, transfer, worst_case
from tasklab.experiments.plane import cross_section, plane_trajectory, regions
from tasklab.experiments.sweep import attack_radii
from tasklab.models.fast import PLAIN, Plan
from tasklab.modes import own_modes
from tasklab.system import new_system
from tasklab.tasks import RBC
from tasklab.training import Adversarial, Recipe, fit


def read() -> Any:
    x = few().x()
    return [(s.read(x), s.predict(x), s.margins(x), s.class_scores(x), s.features(x)) for s in systems().values()]


def made_of(*chosen: Settings, names: tuple[str, ...] = ("rbc", "int")) -> Callable[[], Any]:
    def found() -> Any:
        x, y = few().x(), few().labels
        results = [attack(systems()[name], x, y, each) for name in names for each in chosen]
        fields = ("images", "decoded", "fooled", "distance", "zero_gradient", "unmoved", "forwards", "backwards")
        return [[getattr(result, field) for field in fields] for result in results]

    return found


def climb_features() -> Any:
    x, y = load("digits").x(slice(200)), load("digits").labels[:200]
    objective = towards_features(systems()["rbc"], x, y)
    part = torch.zeros_like(few().labels)
    with own_modes():
        f = systems()["rbc"].features(few().x()).detach().requires_grad_()
        return torch.autograd.grad(objective(systems()["rbc"].task, f, few().labels, part).sum(), f)


def see_the_plane() -> Any:
    system, x, _ = plane()
    seen, cut = regions(system, side=20), cross_section(system, x[0], x[1], 0, n=30)
    parts = [getattr(seen, name) for name in ("decoded", "margin", "value", "gradient")]
    return parts, [getattr(cut, name) for name in ("distance", "decoded", "loss", "margin", "slope")], seen.flat_share


def follow() -> Any:
    system, x, y = plane()
    way = plane_trajectory(system, x[0], int(y[0]), PGD(eps=0.2, steps=4, random_start=False, keep="best"))
    return way.points, way.decoded, way.zero_gradient


def judge() -> Any:
    chosen = [FGSM(eps=0.1), PGD(eps=0.1, steps=3)]
    return [[row.decoded for row in evaluate(system, few(), chosen)] for system in systems().values()]


def measure_distances() -> Any:
    result = smallest(systems()["rbc"], few(), [PGD(eps=0.2, steps=4), Noise(eps=0.1, steps=3)])
    return result.values, result.found_by


def try_the_attack() -> Any:
    tests = [check_attack(systems()[name], few(), PGD(eps=0.1, steps=5, norm=norm), inner=20, draws=4)
             for name in ("tra", "int") for norm in ("linf", "l2")]
    return [(test.found, test.random, test.zero_gradient, test.left_out) for test in tests]


def carry_over() -> Any:
    result = transfer(systems(), systems(), few().x(), few().labels, PGD(eps=0.1, steps=3))
    return [(cell.decoded, cell.noise_fooled) for cell in (*result.cells.values(), result.union("rbc"))]


def look_for_the_worst() -> Any:
    chosen = [PGD(eps=0.1, steps=2), APGD(eps=0.1, steps=3), Square(eps=0.1, steps=3)]
    result = worst_case(systems()["rbc"], few(), 0.1, preset=chosen)
    return result.decoded, result.broken_by


def map_features() -> Any:
    features, outputs = (of(systems()["rbc"], few().x()) for of in (read_features, read_outputs))
    return features, outputs, embed(features, PCA()).positions


THINGS: dict[str, Callable[[], Any]] = {
    "read": read,
    "pgd": made_of(PGD(eps=0.1, steps=4, restarts=2), PGD(eps=0.5, steps=3, norm="l2", keep="best")),
    "pgd objectives": made_of(*(PGD(eps=0.1, steps=2, objective=name, plan=PLAIN) for name in
                                ("train", "bits", "soft_margin", "sum_bits", "towards_code", "dlr")), names=("rbc",)),
    "fgsm": made_of(FGSM(eps=0.1), FGSM(eps=0.1, objective="train"), names=("tra", "rbc", "deepbe", "int")),
    "apgd": made_of(APGD(eps=0.1, steps=6), APGD(eps=0.5, steps=6, norm="l2")),
    "square": made_of(Square(eps=0.1, steps=20), Square(eps=0.1, steps=5, tries=3)),
    "noise": made_of(*(Noise(eps=0.1, steps=3, norm=norm, kind=kind) for norm in ("linf", "l2")
                       for kind in ("uniform", "corner"))),
    "fab": made_of(FAB(steps=4), FAB(steps=4, norm="l2")),
    "cw": made_of(CW(steps=12, searches=2)),
    "hopskipjump": made_of(*(HopSkipJump(steps=1, samples=6, halvings=4, norm=norm) for norm in ("linf", "l2"))),
    "plans": made_of(PGD(eps=0.1, steps=3, plan=Plan(fold=True, channels_last=True)),
                     PGD(eps=0.1, steps=3, plan=Plan(precision="bfloat16"))),
    "radii": lambda: attack_radii(systems()["rbc"], few().x(0), few().labels[:1], PGD(eps=0.1, steps=3),
                                  (0.05, 0.1)).images,
    "features": climb_features,
    "regions": see_the_plane,
    "trail": follow,
    "evaluate": judge,
    "distances": measure_distances,
    "known examples": try_the_attack,
    "transfer": carry_over,
    "worst case": look_for_the_worst,
    "map": map_features,
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("thing", THINGS)
def test_it_is_the_same_in_any_mode(thing: str, mode: str) -> None:
    assert not differs(THINGS[thing], mode)


def test_an_attack_gives_the_mode_back_between_its_steps() -> None:
    x, y = few().x(), few().labels
    expected = attack(systems()["rbc"], x, y, PGD(eps=0.1, steps=4, keep="best", plan=PLAIN))
    for mode in MODES:
        steps = stream(systems()["rbc"], x, y, PGD(eps=0.1, steps=4, keep="best", plan=PLAIN))
        with MODES[mode]():
            next(steps), next(steps)
            assert torch.is_inference_mode_enabled() == (mode in ("inference_mode", "all"))
            assert torch.is_autocast_enabled("cpu") == (mode in ("autocast", "all"))
        ended: list[Any] = []

        def rest(steps: Any = steps, ended: list[Any] = ended) -> Any:
            ended.append((yield from steps))

        list(rest())
        assert torch.equal(ended[0].images, expected.images), mode


def test_a_training_against_an_attack_is_the_same_in_any_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here, since it attacks; how is chosen by the clock, which a test cannot rely on."""
    monkeypatch.setattr("tasklab.training.loop.probe", lambda network, x: PLAIN)

    def train() -> Any:
        system = new_system(RBC(), load("digits"), width=4, seed=0)
        recipe = Recipe(epochs=1, batch_size=30, average=0.5, defence=Adversarial(eps=0.1, steps=2))
        events = fit(system, load("digits").subset(90), recipe, validation=load("digits", "validation").subset(40))
        return [repr(dataclasses.replace(event, seconds=0.0)) for event in events], state(system.network)

    for mode in MODES:
        assert not differs(train, mode), mode
