"""Parts of a page's address that no widget is bound to: they are read and written here, so that a link has them, too.

An address is read when its page is opened: by a link, a reload, or “back” and “forward” from another page. From then on
it only follows the session, because within a page the browser's history has no entries of its own. An address that the
history brings back is whole: what it leaves out has its usual value, whatever was chosen on another page since.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

WRITTEN = "_address"
"""Key of the session state: the parameters that the present page has read and written."""
RESTORED = "_address_restored"
"""Key of the session state: whether the history brought the address of the present page back."""


def open_page() -> None:
    """Forget what was written on another page: the parameters of this one are new."""
    st.session_state[WRITTEN] = set()
    st.session_state[RESTORED] = getattr(get_script_run_ctx(), "is_history_navigation", False)


def is_new(name: str) -> bool:
    """Whether a page that has just been opened has this parameter in its address.

    Args:
        name: of the parameter.
    """
    return name not in st.session_state.setdefault(WRITTEN, set()) and name in st.query_params


def opening(name: str) -> list[str] | None:
    """The values of a parameter in the address with which the page was just opened.

    Args:
        name: of the parameter.

    Returns:
        None where the address says nothing about it; an empty list where that means its usual value.
    """
    if name in st.session_state.setdefault(WRITTEN, set()):
        return None
    values: list[str] = st.query_params.get_all(name)
    return values if values or st.session_state.get(RESTORED) else None


def text(name: str) -> str | None:
    """The value of a parameter; None where the address does not have it."""
    return st.query_params.get(name)


def write(name: str, value: str | Sequence[str] | None) -> None:
    """Write a parameter into the address.

    Args:
        name: of the parameter.
        value: its text, or several of them; None to leave it out.
    """
    st.session_state.setdefault(WRITTEN, set()).add(name)
    values = [] if value is None else [value] if isinstance(value, str) else list(value)
    if not values:
        st.query_params.pop(name, None)
    elif st.query_params.get_all(name) != values:
        st.query_params[name] = values


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
