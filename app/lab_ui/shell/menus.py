"""Menus that show an option by its long name; the session state and a page's address have the short one.

Streamlit's own binding of a widget to the address writes what is shown. A long name in an address would be hard to
read, and a link would be lost as soon as a word of the name is changed. So these menus read and write the address
themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import streamlit as st

from lab_ui.basics.words import title
from lab_ui.shell import address


def named(keys: Iterable[str]) -> dict[str, str]:
    """Systems as menus show them: the short name of each to its title, as on cards.

    Where two would look alike, the short name is added.

    >>> named(["tra", "rbc-s100", "my-own"])
    {'tra': 'TRA', 'rbc-s100': 'RBC, S = 100', 'my-own': 'my-own'}
    >>> named(["rbc", "RBC"])
    {'rbc': 'RBC (rbc)', 'RBC': 'RBC (RBC)'}
    """
    titles = {key: title(key) for key in keys}
    alike = list(titles.values())
    return {key: f"{words} ({key})" if alike.count(words) > 1 else words for key, words in titles.items()}


def one(draw: Callable[..., Any], label: str, options: Mapping[str, str], usual: str, *, key: str, **look: Any) -> str:
    """Draw a menu of which one option is chosen; its short name.

    Args:
        draw: `st.selectbox` or `st.segmented_control`, of the page or of a container.
        label: of the menu.
        options: short name to the words that are shown.
        usual: the option to begin with, and to go back to where the chosen one is no longer there; the address leaves
            it out.
        key: of the session state, and name of the parameter.
        look: further arguments of ``draw``.
    """
    before = st.session_state.get(key)
    if (in_address := address.opening(key)) is not None:
        before = next((each for each in in_address if each in options), usual)
    st.session_state[key] = before if before in options else usual  # see `several`
    chosen: str = draw(label, list(options), key=key, format_func=lambda option: options.get(option, option),
                       persist_state="session", **look)
    address.write(key, None if chosen == usual else chosen)
    return chosen


def several(label: str, options: Mapping[str, str], usual: Sequence[str], *, key: str, **look: Any) -> list[str]:
    """Draw a menu of which any number of options is chosen; their short names.

    Args:
        label: of the menu.
        options: short name to the words that are shown.
        usual: the options to begin with, and to go back to where none of the chosen ones is there any more; the address
            leaves them out.
        key: of the session state, and name of the parameter.
        look: further arguments of `st.multiselect`.
    """
    before = st.session_state.get(key, usual)
    if (in_address := address.opening(key)) is not None:
        before = [each for each in in_address if each] if in_address else usual
    kept = list(dict.fromkeys(each for each in before if each in options))
    # In every run, as Streamlit tells the browser a value only in the run in which it is set; the messages of that run
    # are lost if another one interrupts it, and the browser would begin with nothing chosen.
    st.session_state[key] = kept if kept or not before else list(usual)
    chosen: list[str] = st.multiselect(label, list(options), key=key, persist_state="session",
                                       format_func=lambda option: options.get(option, option), **look)
    address.write(key, None if chosen == list(usual) else chosen or [""])
    return chosen
