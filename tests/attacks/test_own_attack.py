"""An attack in one file: once it is registered, every list has it, and it runs everywhere, with no other edit."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from lab_ui.basics.words import aim_words
from tasklab import data, zoo
from tasklab.attacks import ATTACKS, FGSM, PGD, Settings, attack, register
from tasklab.attacks.building import build
from tasklab.attacks.registry import choices, import_lines
from tasklab.cli import main
from tasklab.evaluation import evaluate, transfer
from tasklab.evaluation.known_examples import check_attack
from tasklab.experiments.scenario import Scenario
from tasklab.figures.live.sweep import how
from tasklab.system import System
from tests.app.live_parts import cells, refusals, shipped, snippet
from tests.app.visitors import clean, sentences, visit
from tests.app.visitors import patient as patient
from tests.cli.commands import commands
from tests.systems import small_zoo

SHIPPED = ["FGSM", "PGD", "APGD", "Square", "FAB", "CW", "HopSkipJump", "Noise"]


@pytest.fixture(autouse=True)
def momentum(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[Settings]]:
    """The attack, registered for one test; no systems but the small zoo, and no data but digits."""
    monkeypatch.setenv("TASKLAB_ZOO", str(small_zoo().folder))
    monkeypatch.setattr(zoo, "folder", lambda: tmp_path / "nothing shipped")
    monkeypatch.setenv("TASKLAB_DATA", str(tmp_path / "no data"))
    assert list(ATTACKS) == SHIPPED
    kind: type[Settings] = register(importlib.import_module("tests.attacks.momentum").Momentum)
    threads = torch.get_num_threads()
    yield kind
    torch.set_num_threads(threads)
    del ATTACKS["Momentum"]
    assert list(ATTACKS) == SHIPPED


@pytest.fixture
def digits() -> tuple[System, Tensor, Tensor]:
    images = data.load("digits", "test").subset(20)
    return zoo.load("digits-tra"), images.x(), images.labels


def test_every_list_has_it_at_its_end(momentum: type[Settings]) -> None:
    every = [*SHIPPED, "Momentum"]
    assert list(ATTACKS) == every
    offered = {name: action.choices for name, parser in commands() for action in parser._actions
               if action.dest == "attack"}
    assert offered.keys() >= {"attack", "evaluate", "transfer", "check-attack"}
    assert all(listed == [name.lower() for name in every] for listed in offered.values())
    assert Scenario.from_query({"attack": "Momentum"}).kind is momentum
    assert Scenario(attack="momentum").to_query() == {"attack": "Momentum"}
    assert visit("attack_lab", **small_zoo().query, steps="2").selectbox(key="attack").options == every


def test_it_attacks_and_is_evaluated(momentum: type[Settings], digits: tuple[System, Tensor, Tensor]) -> None:
    system, x, y = digits
    settings = momentum(eps=0.2, steps=5)
    result = attack(system, x, y, settings)
    assert torch.equal(result.decoded, system.predict(result.images))
    assert float((result.images - x).abs().max()) <= 0.2 + 1e-6
    assert int(result.fooled.sum()) >= int(attack(system, x, y, FGSM(eps=0.2)).fooled.sum()) > 0
    clean_row, attacked = evaluate(system, (x, y), [settings])
    assert attacked.attack == "momentum" and attacked.outcomes.accuracy.value < clean_row.outcomes.accuracy.value
    assert transfer({"one": system}, {"one": system}, x, y, settings)
    assert check_attack(system, (x[:4], y[:4]), settings, inner=20, draws=5).verdict in ("pass", "not run")


def test_what_it_cannot_have_is_settled_or_left_out(momentum: type[Settings]) -> None:
    assert choices("momentum", "norm") == ("linf",) and choices("momentum", "criterion") == ("misclassified",)
    built = build("momentum", {"eps": 0.1, "norm": "l2", "criterion": "evaded", "restarts": 3, "step_size": 0.1})
    assert built.settings == momentum(eps=0.1)
    assert [sentence.split()[1] for sentence in built.sentences] == ["has", "has", "has", "measures"]
    assert how(built.settings) == "Momentum, 20 steps"


def test_the_command_line_runs_it(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["attack", "digits-tra", "--attack", "momentum", "--n", "4", "--steps", "2", "--eps", "0.2"]
    assert main([*words, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["attack"], printed["n"], printed["decay"]) == ("momentum", 4, 1.0)
    assert main([*words, "--keep", "best"]) == 2
    assert "expected options that momentum has, got keep" in capsys.readouterr().err


def test_the_attack_lab_shows_it(momentum: type[Settings]) -> None:
    at = visit("attack_lab", **small_zoo().query, steps="2")
    assert momentum.note not in [caption.value for caption in at.sidebar.caption]
    clean(at.selectbox(key="attack").set_value("Momentum").run())
    assert momentum.note in [caption.value for caption in at.sidebar.caption]
    assert at.select_slider(key="steps").value == 10, "the stop of the slider that is nearest to quick_steps"
    keys = {widget.key for kind in (at.selectbox, at.segmented_control, at.number_input) for widget in kind}
    assert not keys & {"norm", "criterion", "restarts", "keep", "step"}
    scene = shipped(at, "scene")
    assert scene is not None and scene["how"] == "Momentum, 10 steps"
    assert cells(scene) and not refusals(scene)
    code = snippet(at)
    assert "from tests.attacks.momentum import Momentum" in code
    space: dict[str, Any] = {"print": lambda *words: None}
    exec(code, space)
    decoded = {(key, cell["key"]): cell["decoded"][scene["stops"].index(scene["eps"])] for key, cell in cells(scene)}
    assert {(aim, name.removeprefix("digits-")): label for (name, aim), label in space["decoded"].items()} == decoded


@pytest.mark.parametrize(("page", "query"), [
    ("outputs", {"systems": "tra", "n": "50"}), ("transfer", {"systems": ["tra", "rbc"], "n": "50"}),
    ("draw", {"systems": "tra"}),
])
def test_other_pages_show_it(page: str, query: dict[str, str | list[str]]) -> None:
    at = visit(page, **query, attack="Momentum", steps="2")
    at.session_state["take_away"] = True
    code = clean(at.run()).code[0].value
    assert "from tests.attacks.momentum import Momentum" in code and "Momentum(eps=0.2, steps=2" in code
    assert not any("expected" in sentence for sentence in sentences(at))


def test_a_name_belongs_to_one_attack_and_every_attack_has_a_note_and_a_loop(
    momentum: type[Settings], digits: tuple[System, Tensor, Tensor]
) -> None:
    with pytest.raises(ValueError, match="a name that no attack has, got 'pgd'"):
        register(type("pgd", (Settings,), {"note": "Another PGD."}))
    listed = list(ATTACKS)
    with pytest.raises(TypeError, match="expected a class under Settings, got"):
        register(type("Loose", (), {"note": "Not an attack."}))  # type: ignore[type-var]
    with pytest.raises(TypeError):
        register(type("Last", (PGD,), {"note": "Its rank is a word.", "rank": "last"}))
    assert list(ATTACKS) == listed, "what is refused is not listed"
    with pytest.raises(ValueError, match="expected a note, one sentence about Mute, got none"):
        register(type("Mute", (PGD,), {}))

    @dataclass(frozen=True, kw_only=True)
    class Idle(Settings):
        note: ClassVar[str] = "Does nothing."

    with pytest.raises(TypeError, match=r"got Idle, which has no loop; try @loop.register\(Idle\)"):
        attack(*digits, Idle(eps=0.1))
    assert register(momentum) is momentum, "a file may be read again"


def test_what_it_aims_at_is_named_whatever_it_is() -> None:
    assert aim_words("Momentum", "margin")[0] == "the decision margin"
    assert aim_words("Momentum", "my own") == ("“my own”", "")
    assert import_lines("Momentum", "attack") == [
        "from tasklab.attacks import attack", "from tests.attacks.momentum import Momentum",
    ]
