"""Mutated cards and files: one sentence each, or a card that every reader of cards can read."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from odd_files import PICTURE_LINK, forged, odd_cards, odd_files, system

from tasklab import card as schema
from tasklab import checkpoint, header, zoo
from tasklab.checkpoint import CheckpointError, read_tensors, write_tensors
from tasklab.evaluation.cards import card_markdown, catalogue_markdown, figure
from tasklab.system import System

CARDS, FILES = 300, 300
WEIGHTS = dict(system().network.state_dict())


def sentence(error: BaseException) -> str:
    message = str(error)
    assert type(error) is CheckpointError, repr(error)
    assert len(message) <= 400 and message.isprintable() and "expected" in message and "got" in message, message
    return message


def strict(value: object) -> None:
    json.dumps(value, allow_nan=False)
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def test_an_odd_card_is_refused_in_a_sentence_or_read_by_everything(tmp_path: Path) -> None:
    file, taken = tmp_path / "odd.safetensors", 0
    for text in odd_cards(CARDS):
        forged(file, text, WEIGHTS)
        try:
            result = System.load(file)
        except CheckpointError as error:
            sentence(error)
            with pytest.raises(CheckpointError):
                checkpoint.read_card(file)
            continue
        taken += 1
        strict(result.card)
        if taken % 3:
            continue
        assert result.card == checkpoint.read_card(file) == schema.rebuilt(result.card) | {
            "task": result.task.to_dict(), "network": result.card["network"]}
        page = card_markdown(result.card) + catalogue_markdown([result.card])
        assert "![x](" not in page and "\x1b" not in page and "<img" not in page
        figure(result.card, "pgd", "margin", 0.2)
        result.save(tmp_path / "again.safetensors", dtype=result.card["stored"])
        assert System.load(tmp_path / "again.safetensors").card == result.card
    assert CARDS / 5 < taken < CARDS, "some of each"


def test_an_odd_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    file, refused = tmp_path / "odd.safetensors", 0
    for content in odd_files(FILES):
        file.write_bytes(content)
        text = []
        for read in (System.load, checkpoint.read_card):
            try:
                read(file)
            except CheckpointError as error:
                text.append(sentence(error))
        assert len(text) in (0, 2)
        refused += bool(text)
        if not text:  # what was drawn happened to be what was there
            assert all(torch.equal(tensor, WEIGHTS[name]) for name, tensor in read_tensors(file)[0].items())
    assert refused > 0.95 * FILES


def test_every_flipped_bit_of_a_header_is_seen_by_show(tmp_path: Path) -> None:
    file, draw = tmp_path / "a.safetensors", random.Random(3)
    system().save(file)
    whole = file.read_bytes()
    (length,) = struct.unpack("<Q", whole[:8])
    for _ in range(500):
        content = bytearray(whole)
        content[draw.randrange(8 + length)] ^= 1 << draw.randrange(8)
        file.write_bytes(content)
        with pytest.raises(CheckpointError):
            checkpoint.read_card(file)


def test_what_a_card_lacks_is_lacking_everywhere(tmp_path: Path) -> None:
    bare = system()
    bare.card = {}
    bare.save(tmp_path / "bare.safetensors")
    assert zoo.names(where=tmp_path) == ("bare",)
    assert zoo.names("digits", where=tmp_path) == ()
    result = zoo.card("bare", where=tmp_path)
    assert sorted(result) == ["format", "network", "stored", "task"]
    assert "Nothing was measured." in card_markdown(result)
    assert "no data set named" in catalogue_markdown([result])
    with pytest.raises(CheckpointError, match="names its data set"):
        zoo.dataset_of("bare", where=tmp_path)


def test_one_bad_neighbour_does_not_hide_the_others(tmp_path: Path) -> None:
    system().save(tmp_path / "good.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    assert zoo.names("digits", where=tmp_path) == ("good",)


def test_a_file_that_does_not_read_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    looks: list[Any] = []
    monkeypatch.setattr(zoo, "read_card", lambda file, whole: looks.append(file) or checkpoint.read_card(file))
    for _ in range(3):
        with pytest.raises(CheckpointError):
            zoo.card("bad", where=tmp_path)
    assert len(looks) == 1


def test_the_callers_card_is_its_own(tmp_path: Path) -> None:
    system().save(tmp_path / "a.safetensors")
    zoo.card("a", where=tmp_path)["metrics"][0]["n"] = 7
    assert zoo.card("a", where=tmp_path)["metrics"][0]["n"] == 400


def test_a_part_that_is_wrong_goes_and_the_rest_stays() -> None:
    described = system().card | {"note": {"by": "me"}, "seconds": float("inf"), "threads": "many"}
    described["metrics"] = [*described["metrics"], described["metrics"][0] | {"eps": ""}]
    described["data"] = described["data"] | {"train": -1}
    result = schema.rebuilt(described)
    assert described.keys() - result.keys() == {"seconds", "threads", "metrics"}
    assert result["data"] == {"name": "digits", "test": 400}
    assert result["note"] == {"by": "me"}
    result["note"]["by"] = "you"
    assert described["note"] == {"by": "me"}


class TooEarly(AssertionError):
    """A header was parsed, or a tensor read, before its size was looked at."""


def no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def early(*_: object, **__: object) -> None:
        raise TooEarly

    monkeypatch.setattr(checkpoint.safetensors, "safe_open", early)
    monkeypatch.setattr(checkpoint, "build_network", early)


def test_a_long_header_is_refused_before_it_is_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = forged(tmp_path / "long", json.dumps({"format": 1, "list": [0] * 1000}), WEIGHTS)
    no_reading(monkeypatch)
    monkeypatch.setattr(header.json, "loads", lambda text: pytest.fail("it was parsed"))
    monkeypatch.setattr(checkpoint, "SYSTEM", header.Limits(header=2000, tensors=100))
    with pytest.raises(CheckpointError, match="and 2,000 are allowed"):
        System.load(file)


def test_many_tensors_are_refused_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = forged(tmp_path / "many", "{}", {f"t{k}": torch.zeros(1) for k in range(200)})
    no_reading(monkeypatch)
    monkeypatch.setattr(checkpoint, "SYSTEM", header.Limits(header=2**20, tensors=100))
    with pytest.raises(CheckpointError, match="200 tensors, and 100 are allowed"):
        System.load(file)


def test_tensors_that_do_not_fit_the_card_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = json.dumps(system().card | {"format": 1, "task": system().task.to_dict(),
                                       "network": system().network.spec.to_dict()})  # type: ignore[union-attr]
    files = [
        forged(tmp_path / "more", text, WEIGHTS | {PICTURE_LINK: torch.zeros(1)}),
        forged(tmp_path / "wide", text, WEIGHTS | {"head.linear.bias": torch.zeros(400)}),
        forged(tmp_path / "double", text, WEIGHTS | {"head.linear.bias": torch.zeros(4, dtype=torch.float64)}),
    ]
    no_reading(monkeypatch)
    for file in files:
        with pytest.raises(CheckpointError, match="weights that fit the card"):
            System.load(file)


def test_a_card_that_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    for note, says in (("x" * 600_000, "a card of up to"), ([[[[[[[[1]]]]]]]], "can be read again")):
        odd = system()
        odd.card["note"] = note
        with pytest.raises(ValueError, match=says):
            odd.save(tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_numbers_that_json_does_not_have_become_null(tmp_path: Path) -> None:
    odd = system()
    odd.card["note"] = {"loss": float("nan"), "most": [float("inf"), 1.5]}
    odd.save(tmp_path / "a")
    assert System.load(tmp_path / "a").card["note"] == {"loss": None, "most": [None, 1.5]}


def test_state_files_carry_a_digest_and_older_ones_are_taken(tmp_path: Path) -> None:
    tensors, file = {"a": torch.arange(6.0), "b": torch.tensor(3)}, tmp_path / "state"
    write_tensors(file, tensors, {"state": '{"step": 1}'})
    whole = file.read_bytes()
    again, metadata = read_tensors(file)
    assert metadata == {"state": '{"step": 1}'} and torch.equal(again["a"], tensors["a"])
    for bit in range(8 * len(whole)):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        file.write_bytes(content)
        try:
            _, metadata = read_tensors(file)
        except CheckpointError:
            continue
        assert "state" not in metadata, f"bit {bit} was not seen"
    safetensors.torch.save_file(tensors, file, {"state": "{}"})
    assert read_tensors(file)[1] == {"state": "{}"}
