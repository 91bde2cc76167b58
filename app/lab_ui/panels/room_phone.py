"""What a phone shows that takes part in a room: a pad, a guess, and what became of its drawing."""

from __future__ import annotations

import contextlib

import streamlit as st

from lab_ui.basics.refusal import Refused
from lab_ui.basics.style import style
from lab_ui.basics.words import AIMS, title
from lab_ui.parts.drawing_pad import Drawing as Strokes
from lab_ui.parts.drawing_pad import sending_pad
from lab_ui.results import room_attacks
from lab_ui.visitor import identity, rooms
from lab_ui.visitor.room import SHARES, Room
from tasklab.data import PictureError
from tasklab.text import in_markdown

POLL = 5.0
"""Seconds between two looks of a phone at the room."""

JOINED, NOTE = "room_joined", "room_note"


def phone(typed: str) -> None:
    """Draw the page of a phone.

    Args:
        typed: the code in the link, as anybody may have written it.
    """
    style()
    st.html(STYLE)
    code = rooms.plain(typed)
    been = st.session_state.get(JOINED) == code
    if been and rooms.store().still(code) is None:
        identity.forget_guest()
        st.html('<div class="lab-page"><h1>The room is closed</h1><p class="lab-lead">Your drawing and your guesses '
                "are deleted.</p></div>")
        return
    who = rooms.guest(identity.guest(), code)
    try:
        room = rooms.store().still(code) if been else rooms.store().find(code, st.context.ip_address)
        if room is None:
            st.rerun()
        room.join(who)
    except Refused as error:
        st.html('<div class="lab-page"><h1>Room</h1></div>')
        st.error(in_markdown(error))
        join_form()
        return
    st.session_state[JOINED] = code
    identity.remember_guest()
    st.html(f'<div class="lab-page"><h1>Room {spaced(code)}</h1></div>')
    with st.container():
        _taking_part(code, who, room.situation)


def join_form() -> None:
    """A field for a code, and a button."""
    with st.form("room_join", border=False):
        typed = st.text_input("Code of the room", key="room_typed", max_chars=20, placeholder="six letters and digits",
                              autocomplete="off")
        if st.form_submit_button("Join") and rooms.plain(typed):
            st.query_params["join"] = rooms.plain(typed)
            st.rerun()


def spaced(code: str) -> str:
    """A code in two groups.

    >>> spaced("ABCDEF")
    'ABC DEF'
    """
    return f"{code[:3]} {code[3:]}"


@st.fragment(run_every=POLL)
def _taking_part(code: str, who: str, situation: tuple[object, ...]) -> None:
    """The pad and the guess. All of it is drawn again now and then: the answer to a button can get lost on its way.

    That happens on a busy server, where Streamlit drops what a run has drawn if the next one is asked for at its end.
    """
    room = rooms.store().still(code)
    if room is None or room.situation != situation:
        st.rerun()
    _drawing(room, who)
    _guessing(room, who)


def _drawing(room: Room, who: str) -> None:
    """The pad while drawings are taken; afterwards, what became of the drawing."""
    mine, code = room.drawings.get(who), room.code
    if who in room.barred:
        st.info("The teacher has taken your drawing off the wall.")
    elif room.drawable:
        digit = st.pills("Draw this digit, or choose another one", range(10), default=int(who, 16) % 10,
                                     key="room_digit", required=True, wrap=True)
        sending_pad(f"Send my {digit}", lambda strokes: _send(code, who, strokes), token=room.round)
        note = st.session_state.pop(NOTE, None)
        if note:
            st.warning(in_markdown(note))
        words = ("Nobody asks for your name. Everything is deleted when the room is closed." if mine is None else
                 f"<b>✓ Your {mine.label} is on the wall: number {mine.number}.</b> Another drawing replaces it.")
        st.html(f'<p class="lab-note" role="status">{words}</p>')
    elif mine is not None and room.outcomes:
        for aim, outcome in room.outcomes.items():
            if (each := outcome.reads.get(room.system, {}).get(mine.number)) is not None:
                st.html(f'<p class="lab-note"><b>Aimed at {AIMS[aim]}.</b> '
                        f"{room_attacks.own_words(room.system, mine, each)}</p>")


def _send(code: str, who: str, strokes: Strokes | None) -> None:
    """Put a drawing on the wall; where it is refused, note why."""
    room, digit = rooms.store().still(code), st.session_state.get("room_digit")
    if room is None:
        return
    try:
        room.may_draw(who)
        if strokes is None or not isinstance(digit, int) or digit not in range(10):
            raise ValueError("This drawing cannot be shown. Clear the pad and draw again.")
        room.draw(who, digit, room_attacks.pixels_of(strokes))
    except PictureError:
        st.session_state[NOTE] = "There is nothing to see in this drawing. Clear the pad and draw again."
    except ValueError as error:
        st.session_state[NOTE] = str(error)


def _guessing(room: Room, who: str) -> None:
    """The guess about the next attack, and the results so far."""
    wall = room.wall()
    for aim, outcome in room.outcomes.items():
        sentence = room_attacks.verdict(room.tally(aim), outcome.counts(room.system, wall))
        st.html(f'<p class="lab-lead"><b>Aimed at {AIMS[aim]}.</b> {sentence}</p>')
    if room.attacking:
        st.html('<p class="lab-lead" role="status">The attack is running. Look at the wall.</p>')
    elif room.aim is not None and not room.voting:
        st.html('<p class="lab-lead" role="status">The guesses are shown on the wall. No more are taken.</p>')
    elif room.aim is not None:
        aim, key = room.aim, f"room_guess_{room.aim}_{room.round}"
        st.html(f'<p class="lab-lead">{question(room)}</p>')
        if key not in st.session_state and who in room.guesses[aim]:
            st.session_state[key] = room.guesses[aim][who]
        st.pills("Your guess", SHARES, key=key, required=True, wrap=True,
                             format_func=room_attacks.WORDS.__getitem__, on_change=_guess, args=(room.code, who, key))


def question(room: Room) -> str:
    """What is guessed next; HTML without any text of a visitor."""
    system = title(room.system)
    aimed = f"<b>aimed at {AIMS[room.aim or '']}</b> of {system}"
    first = f"An attack {aimed}" if room.aim == "train" else f"The same attack, now {aimed},"
    return (f"{first} may change every pixel by up to {100 * room.eps:g} % of the way from black to white. How many of "
            f"the drawings will {system} still classify correctly?")


def _guess(code: str, who: str, key: str) -> None:
    room = rooms.store().still(code)
    if room is not None:
        with contextlib.suppress(ValueError):  # it came too late, which the phone is about to see
            room.guess(who, st.session_state[key])


STYLE = """
<style>
[data-testid="stHeader"] { display: none; }
.stMainBlockContainer { padding: 0.8rem 1rem 2rem; max-width: 28rem; }
.lab-lead { font-size: 1.1rem; line-height: 1.35; margin: 0; }
.lab-lead b { white-space: normal; }
</style>
"""
