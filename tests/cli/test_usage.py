"""Whatever is wrong with the command line itself is said in one sentence, with exit code 2, before any work."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from tasklab.cli import main
from tasklab.cli.training import RECIPE_SETTINGS, RECIPE_WORDS
from tasklab.training import Recipe
from tests.cli.commands import commands, small

NOT_A_NUMBER = ("nonsense", "", "nan", "1/0", "1e999", "-inf", "9" * 5000, "１/٠", "0x10")
NO_NAME = ("", "../../up", "/up", "a/b", "a\\b", ".hidden", "-x", "a\nb", "con", "n" * 300, "漢" * 90, "nul.txt", "a ")
READ_ONLY = {"--root", "--sources"}
"""Folders and systems that are only read: whether they are there is not a matter of the command line."""

OPTIONS = [(name, action) for name, parser in commands() for action in parser._actions
           if action.option_strings and action.nargs != 0 and not {*action.option_strings} & READ_ONLY]


def told(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int | str | None, str]:
    """The exit code, and what was said."""
    try:
        code: int | str | None = main(words)
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    assert not captured.out
    return code, captured.err


def nonsense(action: argparse.Action, file: Path) -> tuple[str, ...]:
    """Values that the option cannot have."""
    if "--name" in action.option_strings:
        return NO_NAME
    if action.type is Path:
        return (str(file), str(file / "below"))
    if action.type in (None, str) or action.choices:
        return ("nonsense", "")
    return NOT_A_NUMBER


@pytest.mark.parametrize(("name", "action"), OPTIONS, ids=lambda each: each if isinstance(each, str) else each.dest)
def test_a_value_that_makes_no_sense_is_refused(
    name: str, action: argparse.Action, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "file"
    file.write_text("in the way", encoding="utf-8")
    words = [*name.split(), *small("digits-tra", tmp_path).get(name, ())]
    if name in ("train", "sweep"):
        words += ["--defence", "adversarial"]
    for value in nonsense(action, file):
        given = [value] * (action.nargs if isinstance(action.nargs, int) else 1)
        text = [f"{action.option_strings[0]}={value}"] if len(given) == 1 else [action.option_strings[0], *given]
        code, err = told([*words, *text], capsys)
        assert code == 2, (value[:20], err)
        assert err.startswith("tasklab") and len(err.splitlines()) == 1 and len(err) < 1000
    assert not list(tmp_path.rglob("*.safetensors")), "nothing was trained"


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["attack", "digits-rbc", "--n", "0"], "≥ 1, got '0'"),
        (["check-attack", "digits-rbc", "--n", "0", "--json"], "≥ 1, got '0'"),
        (["worst", "digits-rbc", "--n", "-3"], "≥ 1, got '-3'"),
        (["attack", "digits-rbc", "--objective", "nonsense"], "expected an objective among"),
        (["attack", "digits-rbc", "--eps", "-1"], "≥ 0"),
        (["attack", "digits-rbc", "--eps", "inf"], "eps as a finite number"),
        (["attack", "digits-rbc", "--attack", "fgsm", "--steps", "3"], "expected options that fgsm has, got steps"),
        (["train", "--data", "nonsense"], "digits"),
        (["train", "--task", "nonsense"], "tra, deepbe, int, rbc"),
        (["train", "--task", "tra", "--S", "3"], "expected settings of tra"),
        (["train", "--task", "rbc", "--bits", "2"], "try bits=4"),
        (["train", "--lr", "-1"], "≥ 0"),
        (["train", "--eps", "0.1", "nan"], "got 'nan'"),
        (["train", "--attacked", "0"], "≥ 1"),
        (["train", "--seeds", "0"], "≥ 1"),
        (["train", "--width", "0"], "≥ 1"),
        (["train", "--name", "../../up"], "with a separator"),
        (["worst", "digits-rbc", "--preset", "nonsense"], "expected --preset among"),
        (["check", "digits-rbc", "--attack", "fgsm"], "expected --attack pgd"),
        (["train", "--nonsense"], "unrecognized"),
    ],
)
def test_what_is_wrong_in_itself_is_said(
    words: list[str], what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, err = told(words, capsys)
    assert code == 2 and what in err and len(err.splitlines()) == 1


def test_a_place_that_cannot_be_written_to_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(*_: object, **__: object) -> None:
        raise AssertionError("training began")

    monkeypatch.setattr("tasklab.training.fit", work)
    (tmp_path / "mine.safetensors").mkdir()
    (tmp_path / "yours.md").mkdir()
    words = ["train", "--run", str(tmp_path / "run")]
    for place, name in ((tmp_path, "mine"), (tmp_path, "yours"), (Path("/proc/nowhere"), "theirs")):
        code, err = told([*words, "--to", str(place), "--name", name], capsys)
        assert code == 2 and err.startswith("tasklab: expected"), err


def test_a_radius_beyond_a_pixels_range_gets_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["attack", "digits-tra", "--n", "2", "--steps", "2", "--eps", "8"]) == 0
    assert capsys.readouterr().err == ("tasklab: warning: eps=8 is more than a pixel's whole range, [0, 1]; "
                                       "try 8/255 for 8 of 255 levels\n")


def test_help_names_the_defaults_of_the_recipe() -> None:
    assert set(RECIPE_WORDS) == set(RECIPE_SETTINGS)
    for name, words in RECIPE_WORDS.items():
        default = words.rpartition("(default: ")[2].rstrip(")")
        assert default == str(getattr(Recipe(), name)), name
