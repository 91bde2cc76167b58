"""What the projector shows of a room: the way in, the guesses, the wall of handwriting, and what attacks left of it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
import torch

from lab_ui.basics.words import AIMS, read, title
from lab_ui.panels.room_phone import question, spaced
from lab_ui.parts.thumbnails import chip, image_tag
from lab_ui.results import room_attacks
from lab_ui.results.room_attacks import Counts, Outcome
from lab_ui.shell import frame
from lab_ui.visitor import reach, rooms
from lab_ui.visitor.room import AIMS as IN_TURN
from lab_ui.visitor.room import SIDE, Drawing, Room
from tasklab.evaluation.robustness import MASKED
from tasklab.figures.live.sweep import how

POLL = 1.0
"""Seconds between two looks of the wall at the room."""

AS_DRAWN = "as drawn"
VIEW, READER = "room_view", "room_reader"


def way_in(room: Room) -> None:
    """Draw the QR code, the address and the code; where phones cannot reach the server, say what to do."""
    host = st.session_state.get("room_address", "").strip()
    base = reach.base(host if reach.answers(host) else None)
    if base is None:
        st.warning("No phone can reach this server. If it answers this machine alone, stop it, start it again with "
                   "`tasklab app --public`, and open a new room. If this machine's address in the network is not "
                   "known, type it under “Settings”. To try this room out, open [a phone's page]"
                   f"(room?join={room.code}) in another tab.")
        return
    import segno

    link = f"{base}/room?join={room.code}"
    code = segno.make(link, error="m", micro=False).png_data_uri(scale=1, border=3)
    words = base.partition("://")[2]
    st.html(f'<div class="lab-page room-in"><img src="{code}" alt="QR code of {link}"><p><b>{words}/room</b>'
            f'<span>Code</span><b class="room-code">{spaced(room.code)}</b></p></div>')


def live(room: Room) -> None:
    """Draw what follows by itself: on the left the way in, the guesses and the results, on the right the wall."""
    with st.container():
        _live(room.owner, room.code, room.situation)


@st.fragment(run_every=POLL)
def _live(owner: str, code: str, situation: tuple[object, ...]) -> None:
    room = rooms.store().mine(owner)
    if room is None or room.code != code or room.situation != situation:
        st.rerun()
    wall = room.wall()
    st.html(f'{STYLE}<div class="lab-page"><h1>Room {spaced(code)}</h1>'
            f'<p class="lab-lead">{lead(room, wall)}</p></div>')
    left, right = st.columns([4, 8], gap="medium")
    with left:
        if not room.outcomes:
            way_in(room)
        if room.aim is not None:
            st.html(votes(room, room.aim))
        if room.outcomes:
            st.html(table(room, wall))
    with right:
        reader = _attacked(room, wall) if room.outcomes else None
        if reader is None:
            st.html(tiles(wall, None, room.system))
    if reader is not None and room.aim is None:
        train, margin = (room.outcomes[aim].counts(reader, wall) for aim in IN_TURN)
        left.html(f'<p class="lab-note">{room_attacks.explanation(reader, train, margin)}</p>')


def _attacked(room: Room, wall: Sequence[Drawing]) -> str:
    """Draw the wall after an attack; the short name of the system that reads it."""
    views = [AS_DRAWN, *(AIMS[aim] for aim in room.outcomes)]
    latest = room.outcomes[IN_TURN[room.stage - 1]]
    readers: list[str] = list(latest.reads)
    with st.container(horizontal=True, gap="medium"):
        if st.session_state.get(VIEW) not in views:
            st.session_state[VIEW] = views[-1]
        view = st.segmented_control(
            "The wall shows", views, key=VIEW, required=True, wrap=True,
            format_func=lambda each: each if each == AS_DRAWN else f"aimed at {each}") or views[-1]
        if st.session_state.get(READER) not in readers:
            st.session_state[READER] = room.system if room.system in readers else readers[0]
        reader = st.segmented_control("as read by", readers, key=READER, required=True, format_func=title) or readers[0]
    outcome = next((room.outcomes[aim] for aim in room.outcomes if AIMS[aim] == view), None)
    st.html(tiles(wall, outcome or latest, reader, attacked=outcome is not None))
    if outcome is not None:
        counts = outcome.counts(reader, wall)
        zero = counts.zero / counts.before if counts.before else 0.0
        frame.badge(n=counts.n, aim=view, how=f"{how(outcome.settings)}, ε = {outcome.settings.eps:g}", zero=zero,
                    verdict="masked, as the attack had no gradient to follow" if zero > MASKED else None)
    return reader


def lead(room: Room, wall: Sequence[Drawing]) -> str:
    """The sentence above the wall; HTML without any text of a visitor."""
    if not room.outcomes:
        people = f"{len(room.people)} phone{'s' * (len(room.people) != 1)}"
        return f"<b>{len(wall)}</b> drawing{'s' * (len(wall) != 1)} on the wall, from {people}."
    last = list(room.outcomes)[-1]
    counts = room.outcomes[last].counts(room.system, wall)
    return f"Aimed at {AIMS[last]} of {title(room.system)}. {room_attacks.verdict(room.tally(last), counts)}"


def votes(room: Room, aim: str) -> str:
    """The question, and how often each answer was given; before they are revealed, only how many were given."""
    tally = room.tally(aim)
    total = sum(tally.values())
    head = f'<p class="room-ask">{question(room)}</p>'
    if aim not in room.revealed:
        return f'{head}<p class="room-ask"><b>{total}</b> guess{"es" * (total != 1)}, still hidden.</p>'
    bars = "".join(
        f'<li><span>{room_attacks.WORDS[share]}</span><i style="width:{45 * count / max(total, 1):.1f}%"></i>'
        f"<b>{count}</b></li>" for share, count in tally.items())
    return f'{head}<ul class="room-votes" aria-label="Guesses">{bars}</ul>'


def table(room: Room, wall: Sequence[Drawing]) -> str:
    """How many drawings each system classifies correctly before and after each attack."""
    keys = list(next(iter(room.outcomes.values())).reads)
    heads = "".join(f'<th scope="col">aimed at {AIMS[aim]}</th>' for aim in room.outcomes)
    rows = ""
    for key in keys:
        counts = [outcome.counts(key, wall) for outcome in room.outcomes.values()]
        cells = "".join(f"<td>{_of(each.after, each)}</td>" for each in counts)
        about = ' class="room-about"' if key == room.system else ""
        rows += f'<tr{about}><th scope="row">{title(key)}</th><td>{_of(counts[0].before, counts[0])}</td>{cells}</tr>'
    return (f'<table class="room-table"><caption>Drawings that are classified correctly</caption><thead><tr><td></td>'
            f'<th scope="col">{AS_DRAWN}</th>{heads}</tr></thead><tbody>{rows}</tbody></table>')


def _of(correct: int, counts: Counts) -> str:
    share = f"{100 * correct / counts.n:.0f} %" if counts.n else "–"
    return f"<b>{share}</b><br><small>{correct} of {counts.n}</small>"


def tiles(wall: Sequence[Drawing], outcome: Outcome | None, key: str, *, attacked: bool = True) -> str:
    """The wall: each drawing with its number and its digit, or with what a system reads before and after an attack.

    Args:
        wall: the drawings.
        outcome: of an attack; None before the first one.
        key: short name of the system that reads.
        attacked: whether to show the drawings after the attack, else as they were drawn.
    """
    size = "few" if len(wall) <= 12 else "some" if len(wall) <= 48 else "many"
    return f'<div class="lab-page room-wall room-{size}">' + "".join(
        _tile(drawing, outcome, key, attacked) for drawing in wall) + "</div>"


def _tile(drawing: Drawing, outcome: Outcome | None, key: str, attacked: bool) -> str:
    name = f"drawing {drawing.number}, {_a(drawing.label)}"
    if outcome is None:
        return _figure(drawing, drawing.pixels, name, str(drawing.label))
    each = outcome.reads[key][drawing.number]
    words = f"{name}, read as {read(each.before)}"
    if not attacked:
        return _figure(drawing, drawing.pixels, words, chip(each.before, drawing.label))
    words += f" before the attack and as {read(each.after)} after it"
    return _figure(drawing, each.pixels, words, f"{read(each.before)} → {chip(each.after, drawing.label)}")


def _figure(drawing: Drawing, pixels: bytes, alt: str, caption: str) -> str:
    """One tile; the number is what the teacher types to take it off."""
    return f"<figure>{_image(pixels, alt)}<small>{drawing.number}</small><figcaption>{caption}</figcaption></figure>"


def _a(digit: int) -> str:
    return f"an {digit}" if digit == 8 else f"a {digit}"


def _image(pixels: bytes, alt: str) -> str:
    x = torch.frombuffer(bytearray(pixels), dtype=torch.uint8).reshape(1, 1, SIDE, SIDE).float() / 255
    return image_tag(x, alt)


STYLE = """
<style>
.room-in { display: flex; flex-direction: column; gap: 0.5rem; }
.room-in img { max-width: min(22rem, 30vh); width: 100%; }
.room-in p { margin: 0; font-size: 1.15rem; overflow-wrap: anywhere; }
.room-in p span { display: block; font-size: 0.95rem; margin-top: 0.4rem; }
.room-in .room-code { font-size: 2.6rem; line-height: 1.1; letter-spacing: 0.06em; white-space: nowrap; }
.room-ask { font-size: 1.15rem; line-height: 1.35; margin: 0 0 0.3rem; max-width: 60rem; }
.room-votes { list-style: none; margin: 0 0 0.6rem; padding: 0; max-width: 36rem; }
.room-votes li { display: flex; gap: 0.6rem; align-items: center; margin: 0; padding: 0; line-height: 1.5; }
.room-votes span { flex: 0 0 7rem; text-align: right; }
.room-votes i { background: #1f78c8; height: 1.1rem; border-radius: 3px; min-width: 2px; }
.room-wall { display: grid; gap: 0.5rem; }
.room-wall .lab-chip { font-size: 1rem; padding: 0 0.35rem; }
.room-few { grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr)); }
.room-some { grid-template-columns: repeat(auto-fill, minmax(5.2rem, 1fr)); }
.room-many { grid-template-columns: repeat(auto-fill, minmax(4.6rem, 1fr)); gap: 0.3rem; }
.room-wall.room-many :is(figcaption, .lab-chip) { font-size: 0.85rem; padding: 0 0.15rem; }
.room-wall figure { margin: 0; max-width: 9rem; position: relative; }
.room-wall small { position: absolute; left: 0; top: 0; padding: 0 0.25rem; font-size: 0.75rem; color: #ffffff;
  background: #000000b0; border-radius: 4px 0 4px 0; }
.room-wall figcaption { white-space: nowrap; }
.room-table { border-collapse: collapse; margin: 0.2rem 0 0.6rem; }
.room-table caption { text-align: left; font-size: 1rem; caption-side: top; padding: 0; }
.room-table :is(th, td) { padding: 0.15rem 0.7rem 0.15rem 0; vertical-align: bottom; line-height: 1.2;
  text-align: left; font-weight: 400; border: 0; }
.room-table td { white-space: nowrap; }
.room-table td b { font-size: 1.4rem; }
.room-table .room-about th { font-weight: 700; }
</style>
"""
