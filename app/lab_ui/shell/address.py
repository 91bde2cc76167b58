"""Parts of a page's address that no widget is bound to: they are read and written here, so that a link has them, too.

An address is read when its page is opened: by a link, a reload, or “back” and “forward” from another page. From then on
it only follows the session, because within a page the browser's history has no entries of its own.
"""

from __future__ import annotations

import streamlit as st

WRITTEN = "_address"
"""Key of the session state: the parameters that the present page has read and written."""


def open_page() -> None:
    """Forget what was written on another page: the parameters of this one are new."""
    st.session_state[WRITTEN] = set()


def is_new(name: str) -> bool:
    """Whether a page that has just been opened has this parameter in its address.

    Args:
        name: of the parameter.
    """
    return name not in st.session_state.setdefault(WRITTEN, set()) and name in st.query_params


def text(name: str) -> str | None:
    """The value of a parameter; None where the address does not have it."""
    return st.query_params.get(name)


def once(name: str) -> list[str]:
    """The values of a parameter that a widget is bound to, when its page has just been opened; later, none.

    Args:
        name: of the parameter.
    """
    values = [value for value in st.query_params.get_all(name) if value] if is_new(name) else []
    st.session_state[WRITTEN].add(name)
    return values


def write(name: str, value: str | None) -> None:
    """Write a parameter into the address.

    Args:
        name: of the parameter.
        value: its text; None to leave it out.
    """
    st.session_state.setdefault(WRITTEN, set()).add(name)
    if value is None:
        st.query_params.pop(name, None)
    elif st.query_params.get(name) != value:
        st.query_params[name] = value


def switch(name: str) -> bool:
    """A switch of the session state that the address has, too, as “true”; whether it is on now.

    Args:
        name: of the parameter, and key of the session state.
    """
    if is_new(name):
        st.session_state[name] = text(name) == "true"
    on = bool(st.session_state.get(name))
    write(name, "true" if on else None)
    return on


def place(name: str, key: str, count: int, usual: int) -> int:
    """A place in a row that the address has, too, counted from 1; its index.

    Args:
        name: of the parameter.
        key: of the session state, which has the index.
        count: how many places there are.
        usual: the index that the address leaves out; −1 where there may be none.
    """
    number = (text(name) or "")[:4]
    if is_new(name) and number.isdecimal():
        st.session_state[key] = int(number) - 1
    index = max(min(0, usual), min(int(st.session_state.get(key, usual)), count - 1))
    write(name, None if index == usual else str(index + 1))
    return index
