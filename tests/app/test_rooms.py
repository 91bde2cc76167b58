"""The rooms of a class: who may do what, how much of it, for how long, and that nothing of it stays."""

from __future__ import annotations

import contextlib
import doctest
import gc
import threading
import weakref
from collections.abc import Callable, Iterator

import pytest

from lab_ui.basics.refusal import Refused
from lab_ui.panels import room_phone
from lab_ui.results import room_attacks
from lab_ui.visitor import limits, reach, rooms
from lab_ui.visitor.room import AIMS, SIDE, Drawing, Room
from lab_ui.visitor.rooms import Rooms

INK = bytes(SIDE * SIDE)
TEACHER, OTHER = "teacher", "student"


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> Iterator[Rooms]:
    made = Rooms(clock)
    yield made
    for room in list(made._rooms.values()):
        made.close(room.owner)


def opened(store: Rooms, owner: str = TEACHER) -> Room:
    return store.create(owner, eps=0.2, system="rbc")


def full(store: Rooms, people: int = 3) -> Room:
    """A room in which everybody has drawn and guessed."""
    room = opened(store)
    for k in range(people):
        room.join(f"p{k}")
        room.draw(f"p{k}", k % 10, INK)
        room.guess(f"p{k}", 50)
    return room


def nothing(wall: tuple[Drawing, ...], aim: str, eps: float) -> dict[str, object]:
    return {"aim": aim, "n": len(wall), "eps": eps}


def test_codes_are_many_and_each_is_random() -> None:
    assert len(set(rooms.ALPHABET)) ** rooms.LENGTH > 500_000_000
    assert not set("0O1IL") & set(rooms.ALPHABET), "signs that look alike"
    codes = {rooms.new_code() for _ in range(2000)}
    assert len(codes) == 2000
    assert {sign for code in codes for sign in code} == set(rooms.ALPHABET)


def test_the_chance_to_guess_a_room_is_as_small_as_the_limits_say() -> None:
    tries = limits.MAX_WRONG_TOGETHER * 60 * limits.ROOM_HOURS / limits.WRONG_MINUTES
    chance = tries * limits.MAX_ROOMS / len(rooms.ALPHABET) ** rooms.LENGTH
    assert chance < 1 / 2000


def test_a_code_leads_into_its_room_however_it_is_typed(store: Rooms) -> None:
    room = opened(store)
    typed = f" {room.code[:3].lower()}-{room.code[3:]} "
    assert store.find(rooms.plain(typed), None) is room


def test_whoever_guesses_is_stopped_and_a_right_code_does_not_help_then(store: Rooms, clock: Clock) -> None:
    room = opened(store)
    for _ in range(limits.MAX_WRONG):
        with pytest.raises(Refused, match="no room"):
            store.find(rooms.new_code(), "10.0.0.66")
    with pytest.raises(Refused, match="Too many"):
        store.find(room.code, "10.0.0.66")
    assert store.find(room.code, "10.0.0.7") is room, "others are let in"
    clock.now += 60 * limits.WRONG_MINUTES
    room.seen = clock.now
    assert store.find(room.code, "10.0.0.66") is room, "and so is this one later"


def test_many_who_guess_together_are_stopped_together(store: Rooms) -> None:
    room = opened(store)
    for k in range(limits.MAX_WRONG_TOGETHER):
        with pytest.raises(Refused):
            store.find(rooms.new_code(), f"10.0.{k % 50}.1")
    with pytest.raises(Refused, match="Too many"):
        store.find(room.code, "10.9.9.9")


def test_phones_that_reload_an_old_link_do_not_shut_out_their_class(store: Rooms) -> None:
    old = opened(store).code
    room = opened(store)
    for _ in range(3 * limits.MAX_WRONG):
        with pytest.raises(Refused, match="no room"):
            store.find(old, "10.0.0.1")
    assert store.find(room.code, "10.0.0.1") is room


TEACHERS = {
    "reveal": lambda store, who: store.reveal(who),
    "attack": lambda store, who: store.attack(who, nothing),
    "settle": lambda store, who: store.settle(who, eps=0.1, system="tra"),
    "remove": lambda store, who: store.remove(who, 1),
    "restart": lambda store, who: store.restart(who),
    "close": lambda store, who: store.close(who),
}


@pytest.mark.parametrize("action", TEACHERS)
def test_the_teacher_alone_rules_the_room(action: str, store: Rooms) -> None:
    room = full(store)
    before = room.version
    with contextlib.suppress(Refused):
        TEACHERS[action](store, OTHER)
    assert room.version == before
    assert store.still(room.code) is room
    TEACHERS[action](store, TEACHER)
    assert room.version > before


def test_a_phone_has_one_drawing_and_one_guess(store: Rooms, clock: Clock) -> None:
    room = full(store, 2)
    clock.now += limits.DRAWING_PAUSE
    room.draw("p0", 7, INK)
    room.guess("p0", 100)
    assert [(each.number, each.label) for each in room.wall()] == [(1, 7), (2, 1)]
    assert room.tally("train") == {0: 0, 25: 0, 50: 1, 75: 0, 100: 1}


ODD: dict[str, Callable[[Room], object]] = {
    "a stranger draws": lambda room: room.draw("nobody", 1, INK),
    "a stranger guesses": lambda room: room.guess("nobody", 50),
    "two drawings at once": lambda room: room.draw("p0", 1, INK),
    "no digit": lambda room: room.draw("p1", 10, INK),
    "a text for a digit": lambda room: room.draw("p1", "<b>", INK),  # type: ignore[arg-type]
    "a drawing that is too large": lambda room: room.draw("p1", 1, INK + b"x"),
    "a guess of one's own": lambda room: room.guess("p1", 42),
    "a guess of another kind": lambda room: room.guess("p1", "<script>"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("odd", ODD)
def test_what_is_odd_is_refused_and_changes_nothing(odd: str, store: Rooms) -> None:
    room = full(store)
    before = room.wall(), room.tally("train"), room.version
    with pytest.raises(ValueError):
        ODD[odd](room)
    assert (room.wall(), room.tally("train"), room.version) == before


def test_thousands_of_joins_fill_a_room_and_no_more(store: Rooms) -> None:
    room = opened(store)
    for k in range(3000):
        if k < limits.MAX_PEOPLE:
            room.join(f"p{k}")
            room.join(f"p{k}")
        else:
            with pytest.raises(Refused, match="full"):
                room.join(f"p{k}")
    assert len(room.people) == limits.MAX_PEOPLE


def test_rooms_are_few_and_a_teacher_has_one(store: Rooms) -> None:
    first = opened(store, "t0")
    codes = [opened(store, f"t{k}").code for k in range(limits.MAX_ROOMS)]
    assert store.still(first.code) is None, "the second room of a teacher replaces the first"
    with pytest.raises(Refused, match="the most that this server takes"):
        opened(store, "one too many")
    store.close("t3")
    opened(store, "one too many")
    assert sum(store.still(code) is not None for code in codes) == limits.MAX_ROOMS - 1


def test_a_barred_phone_cannot_draw_again(store: Rooms, clock: Clock) -> None:
    room = full(store)
    store.remove(TEACHER, 2)
    clock.now += limits.DRAWING_PAUSE
    assert [each.number for each in room.wall()] == [1, 3]
    with pytest.raises(Refused, match="taken your drawing off"):
        room.draw("p1", 1, INK)
    store.restart(TEACHER)
    with pytest.raises(Refused, match="taken your drawing off"):
        room.draw("p1", 1, INK)


def test_a_round_goes_through_both_attacks(store: Rooms, clock: Clock) -> None:
    room = full(store)
    store.settle(TEACHER, eps=0.1, system="tra")
    seen = []

    def run(wall: tuple[Drawing, ...], aim: str, eps: float) -> dict[str, object]:
        seen.append((len(wall), aim, eps, room.drawable, room.voting))
        with pytest.raises(Refused):
            room.guess("p0", 0)
        with pytest.raises(Refused):
            store.attack(TEACHER, nothing)
        return {"aim": aim}

    store.attack(TEACHER, run)
    clock.now += limits.DRAWING_PAUSE
    with pytest.raises(Refused, match="no more are taken"):
        room.draw("p0", 1, INK)
    store.settle(TEACHER, eps=0.3, system="rbc")  # too late: the first attack is done
    room.guess("p0", 0)
    store.reveal(TEACHER)
    with pytest.raises(Refused, match="No more guesses"):
        room.guess("p1", 0)
    store.attack(TEACHER, run)
    assert seen == [(3, aim, 0.1, False, False) for aim in AIMS]
    assert [sum(room.tally(aim).values()) for aim in AIMS] == [3, 1]
    with pytest.raises(Refused):
        store.attack(TEACHER, run)
    store.restart(TEACHER)
    assert (room.wall(), room.stage, room.drawable, room.voting) == ((), 0, True, True)
    room.draw("p0", 1, INK)


def test_an_attack_that_fails_leaves_the_room_as_it_was(store: Rooms) -> None:
    room = full(store)

    def fail(*_: object) -> dict[str, object]:
        raise ValueError("no such system")

    with pytest.raises(ValueError, match="no such system"):
        store.attack(TEACHER, fail)
    assert (room.stage, room.attacking, room.voting) == (0, False, True)


@pytest.mark.parametrize("end", ["close", "restart"])
def test_an_attack_that_outlives_its_round_is_dropped(end: str, store: Rooms) -> None:
    room = full(store)

    def run(*_: object) -> dict[str, object]:
        thread = threading.Thread(target=getattr(store, end), args=(TEACHER,))
        thread.start()
        thread.join(10)
        assert not thread.is_alive(), "the teacher is not kept waiting by an attack"
        return {"late": True}

    store.attack(TEACHER, run)
    assert (room.outcomes, room.wall(), room.attacking) == ({}, (), False)


@pytest.mark.parametrize("end", ["closed", "too old", "left alone"])
def test_a_room_ends_and_nothing_is_left_of_it(end: str, store: Rooms, clock: Clock) -> None:
    room = full(store)
    store.attack(TEACHER, nothing)
    code, kept = room.code, [weakref.ref(each) for each in (room, *room.wall())]
    clock.now += 60 * limits.ROOM_IDLE - 1
    assert store.mine(TEACHER) is room, "its teacher has looked at it"
    if end == "closed":
        store.close(TEACHER)
    elif end == "left alone":
        clock.now += 60 * limits.ROOM_IDLE + 1
    else:
        for _ in range(int(3 * limits.ROOM_HOURS)):
            clock.now += 1200 - 1
            store.mine(TEACHER)
        clock.now += 60
    store.sweep()
    assert store.still(code) is None
    with pytest.raises(Refused):
        store.find(code, None)
    assert not any((room.people, room.drawings, room.barred, room.outcomes, *room.guesses.values(), room._sent))
    del room
    gc.collect()
    assert [each() for each in kept] == [None] * 4


def test_rooms_end_in_time_where_nobody_looks(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(rooms, "SWEEP", 0.01)
    store = Rooms(clock)
    room = full(store)
    clock.now += 3600 * limits.ROOM_HOURS + 1
    watching = [thread for thread in threading.enumerate() if thread.name == "rooms"]
    for thread in watching:
        thread.join(10)
    assert watching and not any(thread.is_alive() for thread in watching), "the thread ends with the last room"
    assert not room.drawings


def test_a_phone_is_another_one_in_each_room() -> None:
    assert rooms.guest("token", "ABCDEF") != rooms.guest("token", "ABCDEG")
    assert "token" not in rooms.guest("token", "ABCDEF")


@pytest.mark.parametrize(("url", "listens", "base"), [
    ("http://192.168.1.20:8501/room", "0.0.0.0", "http://192.168.1.20:8501"),
    ("https://hub.example.edu/user/ann/room", "localhost", "https://hub.example.edu/user/ann"),
    ("http://localhost:8501/room", "localhost", None),
    ("http://127.0.0.1:8501/", "127.0.0.1", None),
    ("http://localhost:8501/room", "0.0.0.0", "http://10.1.2.3:8501"),
])
def test_phones_get_an_address_that_they_can_reach(
    url: str, listens: str, base: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach.st, "context", type("Context", (), {"url": url}))
    options = {"server.address": listens, "server.port": 8501, "browser.serverAddress": "10.1.2.3"}
    monkeypatch.setattr(reach.config, "get_option", options.__getitem__)
    assert reach.base() == base
    if base is not None:
        assert reach.base("10.9.9.9") == base.replace("192.168.1.20", "10.9.9.9").replace(
            "hub.example.edu", "10.9.9.9:8501").replace("10.1.2.3", "10.9.9.9"), "the teacher knows better"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "<b>", "a b", "x/y", "evil.example", "", "-", "a" * 300])
def test_no_link_leads_where_the_server_does_not_answer(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from streamlit import config

    monkeypatch.setattr(config, "get_option", {"server.allowedHosts": ["localhost", "*.1"]}.__getitem__)
    assert not reach.answers(host)
    assert reach.answers("192.168.0.1")


def test_small_parts() -> None:
    for module in (rooms, reach, room_attacks, room_phone):
        assert doctest.testmod(module).failed == 0
