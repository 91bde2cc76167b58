"""The room page: a teacher and phones play a round, hostile phones are refused, and nothing is left of it."""

from __future__ import annotations

import dataclasses
import gc
import re
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
import torch
from streamlit.testing.v1 import AppTest

from lab_ui.panels import room_wall
from lab_ui.parts import drawing_pad
from lab_ui.results import drawn_picture, room_attacks
from lab_ui.results.room_attacks import Counts
from lab_ui.visitor import identity, limits, rooms
from lab_ui.visitor.room import AIMS, Drawing, Room
from tasklab.attacks import attack
from tasklab.data import digit_strokes
from tests.app.visitors import clean, sentences, visit


@pytest.fixture(autouse=True)
def _own_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Rooms of one test alone, no data sets, the shipped systems, and a browser that sends what a test tells it to."""
    monkeypatch.setenv("TASKLAB_JOBS", str(tmp_path / "jobs"))
    monkeypatch.setenv("TASKLAB_DATA", str(tmp_path / "no data"))
    monkeypatch.delenv("TASKLAB_ZOO", raising=False)
    monkeypatch.setattr(rooms, "_STORE", rooms.Rooms())
    monkeypatch.setattr(limits, "DRAWING_PAUSE", 0.0)
    mount, sent = drawing_pad._pad, []

    def pad(**settings: Any) -> Any:
        shown = mount(**settings)
        if "phone_sends" in st.session_state and "on_sent_change" in settings:
            sent[:] = [st.session_state.pop("phone_sends")]
            settings["on_sent_change"]()
            sent.clear()
        return shown

    monkeypatch.setattr(drawing_pad, "_pad", pad)
    monkeypatch.setattr(drawing_pad, "sent_value", lambda key, name: sent[0] if sent else None)
    threads = torch.get_num_threads()
    yield
    for room in list(rooms.store()._rooms.values()):
        rooms.store().close(room.owner)
    torch.set_num_threads(threads)


def opened() -> tuple[AppTest, Room]:
    teacher = visit("room")
    clean(teacher.button(key="room_open").click().run())
    (room,) = rooms.store()._rooms.values()
    return teacher, room


def phone(room: Room, digit: int, guess: int | None = None) -> AppTest:
    """A phone that has drawn a digit, and perhaps guessed."""
    at = visit("room", "bob", join=room.code)
    clean(at.pills(key="room_digit").set_value(digit).run())
    send(at, digit_strokes(digit))
    return at if guess is None else guessed(at, room, guess)


def send(at: AppTest, strokes: Any, **more: Any) -> AppTest:
    at.session_state["phone_sends"] = {"token": 0, "brush": 0.1, "strokes": strokes} | more
    return clean(clean(at.run()).run())


def guessed(at: AppTest, room: Room, share: int) -> AppTest:
    return clean(at.pills(key=f"room_guess_{room.aim}_{room.round}").set_value(share).run())


def text(at: AppTest) -> str:
    bodies = [e.proto.body for e in at.main.get("html")]
    return re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]+>", " ", " ".join(bodies), flags=re.DOTALL))


def test_a_class_plays_a_round() -> None:
    teacher, room = opened()
    phones = [phone(room, 3, 50), phone(room, 7, 50), phone(room, 4, 0)]
    assert "3 drawings on the wall, from 3 phones" in text(clean(teacher.run()))
    assert "3 guesses, still hidden" in text(teacher) and "three quarters" not in text(teacher)
    clean(teacher.button(key="room_reveal").click().run())
    assert re.search(r"none 1 a quarter 0 half 2 three quarters 0 all 0", text(teacher))
    assert "No more are taken" in text(clean(phones[0].run()))
    clean(teacher.button(key="room_attack").click().run())
    assert "The room said half (2 of 3 guesses); it was 100 % (3 of 3 drawings)" in text(teacher), "RBC's loss is flat"
    for at, digit in zip(phones, (3, 7, 4), strict=True):
        clean(at.run())
        assert f"RBC read your {digit} as {digit}, and the attack changed no pixel of it" in text(at)
        assert not at.get("bidi_component") or "Send my" not in str(at.get("bidi_component"))
    guessed(phones[0], room, 100)
    clean(teacher.button(key="room_attack").click().run())
    assert "The room said all (the only guess); it was 0 % (0 of 3 drawings)" in text(teacher)
    assert "the gradient was exactly 0 on all 3 drawings that RBC had classified correctly" in text(teacher)
    assert "it was 0 % (0 of 3 drawings)" in text(clean(phones[1].run()))
    clean(teacher.button(key="room_restart").click().run())
    assert "0 drawings on the wall" in text(teacher)
    assert "Nobody asks for your name" in text(clean(phones[0].run())), "the phones stay, and draw again"


def test_the_numbers_are_the_library_s() -> None:
    _, room = opened()
    for digit in range(10):
        phone(room, digit)
    wall = room.wall()
    x = torch.cat([drawn_picture.rendered(drawing_pad.Drawing(strokes=digit_strokes(each.label)), "mnist")
                   for each in wall])
    y = torch.tensor([each.label for each in wall])
    for aim in AIMS:
        rooms.store().attack(room.owner, room_attacks.attacked)
        outcome = room.outcomes[aim]
        for key, name in room_attacks.available().items():
            result = attack(room_attacks.catalogue.system(name), x, y, outcome.settings)
            correct = result.clean_decoded == y
            assert outcome.counts(key, wall) == Counts(
                n=10, before=int(correct.sum()), after=int((result.decoded == y).sum()),
                zero=int(result.zero_gradient[correct].sum()), unmoved=int(result.unmoved[correct].sum()))
    assert list(room.outcomes["margin"].reads) == list(room_attacks.KEYS)
    page = room_wall.table(room, wall)
    for key in room_attacks.KEYS:
        for outcome in room.outcomes.values():
            assert f"{outcome.counts(key, wall).after} of 10" in page
    rooms.store().remove(room.owner, 3)
    assert room.outcomes["margin"].counts("tra", room.wall()).n == 9, "what is off the wall does not count"


@pytest.mark.parametrize(("train", "margin", "must", "never"), [
    ((8, 8, 8, 8), (8, 0, 0, 0), "all 8 drawings", "had a gradient on every"),
    ((8, 5, 3, 2), (8, 0, 1, 0), "3 of the 8 drawings", "all 8"),
    ((8, 0, 0, 0), (8, 0, 0, 0), "had a gradient on every drawing", "exactly 0"),
    ((0, 0, 0, 0), (0, 0, 0, 0), "classified no drawing correctly", "gradient"),
])
def test_the_explanation_says_what_was_counted(
    train: tuple[int, ...], margin: tuple[int, ...], must: str, never: str
) -> None:
    counts = [Counts(n=9, **dict(zip(("before", "after", "zero", "unmoved"), each, strict=True)))
              for each in (train, margin)]
    words = room_attacks.explanation("rbc", *counts)
    assert must in words and never not in words


@pytest.mark.parametrize(("tally", "words"), [
    ({}, "Nobody guessed; it was <b>25 %</b> (1 of 4 drawings)"),
    ({0: 1, 25: 0, 50: 0}, "The room said <b>none</b> (the only guess)"),
    ({0: 2, 25: 0, 50: 2, 100: 2}, "divided between <b>none, half and all</b> (2 guesses each)"),
])
def test_the_verdict_says_what_the_room_said(tally: dict[int, int], words: str) -> None:
    assert words in room_attacks.verdict(tally, Counts(n=4, before=4, after=1, zero=0, unmoved=0))


HOSTILE: dict[str, dict[str, Any]] = {
    "text": {"strokes": "<script>alert(1)</script>"}, "out of the pad": {"strokes": [[[2, 2]]]},
    "no number": {"strokes": [[[0.1, float("nan")]]]}, "too many points": {"strokes": [[[0.5, 0.5]] * 5000]},
    "too wide a pen": {"brush": 9}, "nothing": {"strokes": []}, "all ink": {"brush": 0.5, "strokes": [
        [[x / 20, y / 20] for x in range(21) for y in range(21)]]},
}


@pytest.mark.parametrize("words", HOSTILE)
def test_what_is_no_drawing_is_refused_in_a_sentence(words: str) -> None:
    _, room = opened()
    at = visit("room", "bob", join=room.code)
    send(at, **{"strokes": digit_strokes(1)} | HOSTILE[words])
    assert room.wall() == ()
    at.session_state["phone_sends"] = {"token": 0, "brush": 0.1, "strokes": digit_strokes(1)} | HOSTILE[words]
    at.run()
    assert sentences(clean(at)) and all(len(each) < 120 for each in sentences(at))
    send(at, digit_strokes(1))
    assert len(room.wall()) == 1, "and there is a way on"


@pytest.mark.parametrize("code", ["WRONGX", "<b>x</b>", "../..", "A" * 5000, "%00"])
def test_a_wrong_code_leads_nowhere(code: str) -> None:
    _, room = opened()
    at = visit("room", "bob", join=code)
    assert any("no room with this code" in each for each in sentences(at))
    assert not room.people and not at.pills
    at.text_input(key="room_typed").set_value(f" {room.code.lower()} ")
    clean(at.button[-1].click().run())
    assert len(room.people) == 1 and at.pills, "and the right one can be typed there"


def test_a_phone_finds_no_button_of_the_teacher_and_cannot_reach_the_room_by_the_teacher_s_link() -> None:
    _, room = opened()
    at = phone(room, 2)
    assert not at.button
    del at.query_params["join"]
    clean(at.run())
    assert [button.key for button in at.button if button.key and button.key.startswith("room_")] == ["room_open"]
    assert "drawing" not in text(at)
    clean(at.button(key="room_open").click().run())
    assert rooms.store().still(room.code) is room, "a room of one's own does not touch another's"


def test_a_reload_is_the_same_phone_and_the_same_teacher() -> None:
    _, room = opened()
    at = phone(room, 2, 50)
    again = AppTest.from_file(str(Path(__file__).parents[2] / "app" / "streamlit_app.py"), default_timeout=120)
    again.session_state[identity.GUEST_KEPT] = at.session_state[identity.GUEST_KEPT]  # as its cookie says
    again.query_params["join"] = room.code
    again.switch_page("app_pages/room.py")
    clean(again.run())
    assert "Your 2 is on the wall" in text(again)
    guessed(again, room, 100)
    assert sum(room.tally("train").values()) == len(room.people) == 1
    assert room.code in re.sub(r"\W", "", text(visit("room")))


def test_nothing_is_left_of_a_room_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawn_picture, "_drawn", None)  # the cache of the page “Draw” must not be used
    teacher, room = opened()
    phones = [phone(room, 3, 50), phone(room, 7)]
    clean(teacher.button(key="room_attack").click().run())
    clean(phones[0].run())
    kept = [weakref.ref(each) for each in (
        room, *room.wall(), *room.outcomes.values(),
        *(each for reads in room.outcomes["train"].reads.values() for each in reads.values()))]
    clean(teacher.button(key="room_close").click().run())
    assert teacher.button(key="room_open")
    for at in phones:
        clean(at.run())
        assert "The room is closed" in text(at) and not at.pills
    code = room.code
    del room
    gc.collect()
    assert [each() for each in kept if each() is not None] == []
    assert any("no room with this code" in each for each in sentences(visit("room", "bob", join=code)))


def test_clearing_streamlit_s_caches_does_not_close_a_room() -> None:
    """Any browser can ask the server for that."""
    _, room = opened()
    st.cache_resource.clear()
    st.cache_data.clear()
    assert rooms.store().still(room.code) is room


def test_without_the_systems_the_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_attacks, "available", dict)
    at = visit("room")
    assert any("systems of MNIST are not on this machine" in each for each in sentences(at))


def test_no_text_of_a_phone_is_shown() -> None:
    """All that a phone can hand over are numbers."""
    assert {field.name: field.type for field in dataclasses.fields(Drawing)} == {
        "number": "int", "label": "int", "pixels": "bytes"}
