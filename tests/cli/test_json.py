"""What a command prints as JSON is JSON, whatever it found: no NaN, no infinity."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tasklab.cli import main
from tests.cli.commands import commands, misreading, small

WITH_JSON = [name for name, parser in commands() if "--json" in parser._option_string_actions]
MORE = {
    "attack fab without an end": ["--attack", "fab", "--eps", "inf"],
    "evaluate in full": ["--full", "--sources", "digits-tra"],
    "distance to another class": ["--criterion", "evaded"],
    "worst as a table": ["--table"],
    "list of cards": ["--catalogue"],
}
"""Further options by the command's name and what they are for."""


def strictly(text: str) -> Any:
    """The value, if it is JSON and nothing more."""
    def refuse(word: str) -> NoReturn:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


def printed(words: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    assert main([*words, "--json"]) == 0
    return strictly(capsys.readouterr().out)


@pytest.mark.parametrize("name", WITH_JSON)
def test_what_is_printed_is_strict_json(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed([*name.split(), *small("digits-tra", tmp_path)[name]], capsys)
    for file in [*tmp_path.rglob("*.json"), *tmp_path.rglob("*.jsonl")]:
        for text in file.read_text(encoding="utf-8").splitlines() if file.suffix == ".jsonl" else [
                file.read_text(encoding="utf-8")]:
            strictly(text)


@pytest.mark.parametrize(
    "name", ["attack", "evaluate", "check", "check-attack", "compare", "distance", "worst", "transfer"]
)
def test_so_it_is_where_nothing_was_read_correctly(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = printed([name, *small(misreading(tmp_path), tmp_path)[name]], capsys)
    if name == "attack":
        assert result["zero_gradient_share"] is None and result["accuracy"] == 0


@pytest.mark.parametrize("what", MORE)
def test_so_it_is_with_further_options(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = what.split()[0]
    assert printed([name, *small("digits-int", tmp_path)[name], *MORE[what]], capsys)


def test_a_report_is_strict_json_where_nothing_was_read_correctly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(misreading(tmp_path)).rename(tmp_path / "digits-lost.safetensors")
    monkeypatch.setenv("TASKLAB_ZOO", str(tmp_path))
    words = small("", tmp_path)["report"]
    assert main(["report", "digits-lost", *words[1:]]) == 0
    kept = strictly((tmp_path / "reports.json").read_text(encoding="utf-8"))
    assert kept["digits-lost"]["clean"]["correct"] == 0
