"""What a live part of a page says to Python."""

from __future__ import annotations

from typing import Any

import streamlit as st


def word_from(key: str, name: str) -> Any:
    """The value that a component or a chart sends, for its callback; None where its page has been left meanwhile.

    Args:
        key: of the component.
        name: of the value.
    """
    state = st.session_state.get(key)
    return None if state is None else state.get(name)
