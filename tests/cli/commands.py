"""What tests know of all commands: the grammar itself, and words with which each does a small piece of work."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch

from tasklab import data, zoo
from tasklab.cli import parser
from tasklab.console import Parser

TINY = ["--data", "digits", "--n", "400", "--width", "8", "--batch-size", "40", "--attacked", "20", "--epochs", "1"]


SERVING = ("app",)
"""Commands that go on until they are stopped; `tests/browser/test_installed_browser.py` starts them."""

Command = tuple[str, argparse.ArgumentParser]


def commands(top: argparse.ArgumentParser | None = None, path: str = "") -> Iterator[Command]:
    """Every command with its parser; those that only lead to others are left out."""
    top = parser() if top is None else top
    assert isinstance(top, Parser)
    top.complete()
    inner = [action for action in top._actions if isinstance(action, argparse._SubParsersAction)]
    if not inner:
        yield path.strip(), top
    for action in inner:
        for name, each in action.choices.items():
            yield from commands(each, f"{path} {name}")


def small(system: str, folder: Path) -> dict[str, list[str]]:
    """By command, words after it with which it does a little; a command without an entry is one that nobody tests."""
    few = ["--n", "4", "--steps", "2"]
    return {
        "data": [],
        "train": [*TINY, "--eps", "0.2", "--to", str(folder), "--run", str(folder / "run")],
        "sweep": [*TINY, "--vary", "S=1,100", "--eps", "0.2", "--to", str(folder / "sweep")],
        "attack": [system, *few, "--pictures", str(folder / "pictures")],
        "evaluate": [system, *few, "--eps", "0.1"],
        "check": [system, *few, "--queries", "3"],
        "check-attack": [system, *few, "--inner", "10", "--draws", "3"],
        "compare": [system, "digits-tra", *few],
        "distance": [system, *few],
        "report": ["digits-tra", "--n", "2", "--eps", "0.1", "--claim", "0.1", "--queries", "2", "--to", str(folder)],
        "worst": [system, "--n", "4", "--run", str(folder / "worst")],
        "transfer": [system, "digits-tra", *few],
        "show": [system],
        "list": [],
        "notebooks list": [],
        "notebooks build": ["03", "--to", str(folder / "notebooks")],
        "notebooks claims": ["13"],
        "notebooks words": [],
        "paper": ["table1", "--quick", "--show", "--to", str(folder / "paper")],
    }


def misreading(folder: Path) -> str:
    """The file of a system that reads the first digits of the test set, all of them, as others than they are."""
    system = zoo.load("digits-tra")
    last = [part for part in system.network.modules() if isinstance(part, torch.nn.Linear)][-1]
    with torch.no_grad():
        last.weight.copy_(last.weight.roll(1, 0))
        if last.bias is not None:
            last.bias.copy_(last.bias.roll(1, 0))
    few = data.load("digits", "test").subset(4)
    assert not bool((system.predict(few.x()) == few.labels).any())
    file = folder / "misreading.safetensors"
    system.save(file)
    return str(file)
