"""The page “Room”: a class draws on its phones and guesses what an attack leaves; one key attacks all its drawings."""

from __future__ import annotations

import streamlit as st

from lab_ui.basics.words import AIMS, title
from lab_ui.panels import room_wall
from lab_ui.panels.room_phone import join_form, phone
from lab_ui.results import room_attacks
from lab_ui.shell import frame
from lab_ui.visitor import identity, reach, rooms
from lab_ui.visitor.room import Room
from tasklab.data.info import radii_of
from tasklab.text import in_markdown

USUAL = radii_of(room_attacks.DATA)
ABOUT = "rbc"


def page() -> None:
    """The page of a phone where the link has a code; else that of a teacher."""
    if "join" in st.query_params:
        phone(st.query_params["join"])
        return
    frame.open_page("room", bar=())
    owner = identity.visitor()
    room = rooms.store().mine(owner)
    if room is None or owner is None:
        _reception()
        return
    identity.remember()
    _buttons(room)
    room_wall.live(room)


def _reception() -> None:
    """What somebody sees who has no room: a button to open one, and a field to join one."""
    frame.headline("Room", "A class draws digits on its phones and guesses how many of them an attack leaves "
                           "classified correctly. Then a single key attacks the whole wall.")
    left, right = st.columns(2, gap="large")
    with left, st.container(border=True):
        st.markdown("**For the teacher.** A room lives in the memory of this server alone. Nobody is asked for a name, "
                    "and nothing is kept after the room is closed.")
        systems = room_attacks.available()
        if not systems:
            st.info("The systems of MNIST are not on this machine, so there is nothing to attack.")
        elif st.button("Open a room", key="room_open", type="primary"):
            try:
                rooms.store().create(identity.new_visitor(), eps=USUAL.usual,
                                   system=ABOUT if ABOUT in systems else next(iter(systems)))
            except ValueError as error:
                st.error(in_markdown(error))
            else:
                st.rerun()
    with right, st.container(border=True):
        st.markdown("**For everybody else.** Scan the code on the wall, or type it here.")
        join_form()


def _buttons(room: Room) -> None:
    """The teacher's buttons, in the order in which they are used."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if room.aim is not None:
            if st.button(f"Attack, aimed at {AIMS[room.aim]}", key="room_attack", type="primary", shortcut="A"):
                _attack(room)
            if room.aim not in room.revealed and st.button(
                    "Show the guesses", key="room_reveal", shortcut="V",
                    help="Shows all guesses on the wall. After that, no more guesses are taken."):
                rooms.store().reveal(room.owner)
                st.rerun()
        with st.popover("Settings"):
            _settings(room)
        with st.popover("Start again"):
            st.markdown("All drawings and guesses are deleted. The code stays, and the phones can draw again.")
            st.button("Empty the wall", key="room_restart", on_click=rooms.store().restart, args=(room.owner,))
        with st.popover("Close the room"):
            st.markdown("Everything in the room is deleted, and its code no longer works.")
            st.button("Delete everything", key="room_close", on_click=rooms.store().close, args=(room.owner,))


def _attack(room: Room) -> None:
    wall = room.wall()
    if not wall:
        st.info("Nothing is drawn yet.")
        return
    with st.spinner(f"{len(wall)} drawing{'s' * (len(wall) > 1)} under attack …"):
        try:
            rooms.store().attack(room.owner, room_attacks.attacked)
        except ValueError as error:
            st.error(in_markdown(error))
            return
    st.session_state.pop(room_wall.VIEW, None)
    st.rerun()


def _settings(room: Room) -> None:
    """What the guesses are about, a drawing to take off the wall, and the address of this machine."""
    if room.drawable:
        systems = list(room_attacks.available())
        system = st.selectbox("The guesses are about", systems, systems.index(room.system), key="room_system",
                              format_func=title, help="Four systems are attacked; the room guesses about this one.")
        eps = st.select_slider("ε, the size of the change", USUAL.paper, room.eps, key="room_eps",
                               help="How much any pixel may change (0 is black, 1 is white). A larger ε allows "
                                    "larger changes.")
        rooms.store().settle(room.owner, eps=eps, system=system)
    number = st.number_input("Take a drawing off the wall", 1, None, None, placeholder="its number", key="room_number",
                             help="Removes an unsuitable drawing. Its phone cannot send another one.")
    if number is not None and st.button("Take it off", key="room_remove"):
        rooms.store().remove(room.owner, number)
        st.rerun()
    address = st.text_input("Address of this machine for the phones", key="room_address", max_chars=253,
                            placeholder=reach.own_address() or "such as 192.168.1.20",
                            help="Needed only if the address beside the code does not work.")
    if address and not reach.answers(address.strip()):
        st.warning("The server does not answer at this address. Type the machine's address in the network, or start "
                   "the server with `--server.allowedHosts` and this name.")


page()
