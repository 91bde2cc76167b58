"""What the commands say of odd files: a page, strict JSON, or one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from odd_files import forged, odd_cards, odd_files, system

from tasklab.cli import main

WEIGHTS = dict(system().network.state_dict())


def not_json(text: str) -> None:
    raise AssertionError(f"not JSON: {text}")


def asked(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    """The exit code and what was printed; a refusal is one sentence."""
    code = main([str(word) for word in words])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    if code:
        assert code == 1 and err.startswith("tasklab: ") and err.count("\n") == 1 and len(err) < 600, err
    return code, out


def test_show_prints_a_page_or_strict_json_or_says_why_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown, file = 0, tmp_path / "odd.safetensors"
    for text in odd_cards(60, seed=1):
        forged(file, text, WEIGHTS)
        code, page = asked(capsys, "show", file)
        again, plain = asked(capsys, "show", file, "--json")
        assert code == again
        if not code:
            shown += 1
            assert page.startswith("# ")
            json.loads(plain, parse_constant=not_json)
    assert shown > 8
    for content in odd_files(50, seed=1):
        file.write_bytes(content)
        asked(capsys, "show", file)


def test_evaluate_says_why_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "odd.safetensors"
    for text in odd_cards(30, seed=2):
        forged(file, text, WEIGHTS)
        asked(capsys, "evaluate", file, "--n", 20)
    for content in odd_files(30, seed=2):
        file.write_bytes(content)
        asked(capsys, "evaluate", file, "--n", 20)


def test_the_catalogue_shows_the_readable_and_names_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place, text in enumerate(odd_cards(60, seed=3)):
        forged(tmp_path / f"odd-{place}.safetensors", text, WEIGHTS)
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    system().save(tmp_path / "whole.safetensors")
    assert main(["list", "--catalogue", "--zoo", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert "[digits-rbc](digits-rbc.md)" in out and "![x](" not in out
    assert all(line.startswith("tasklab: left out ") and ": expected " in line for line in err.splitlines())
    assert "left out bad.safetensors" in err and "left out whole" not in err
    assert main(["list", "--zoo", str(tmp_path)]) == 0


@pytest.mark.parametrize(("words", "says"), [
    (["--width", str(10**9)], "up to 50,000,000 weights"),
    (["--width", str(10**30)], "expected whole numbers below"),
    (["--bits", "100000"], "bits up to 1,024"),
    (["--task", "deepbe", "--bits", "1025"], "bits up to 1,024"),
])
def test_sizes_are_refused_before_anything_is_trained(
    words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tasklab.training.fit", lambda *_, **__: pytest.fail("it was trained"))
    assert main(["train", "--data", "digits", "--epochs", "1", *words]) == 2
    assert says in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
