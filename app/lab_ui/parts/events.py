"""The values that components and charts in the browser send to Python."""

from __future__ import annotations

from typing import Any

import streamlit as st


def sent_value(key: str, name: str) -> Any:
    """A value that a component or a chart has sent, for use in its callback.

    Args:
        key: of the component.
        name: of the value.

    Returns:
        The value; None where the page has been left in the meantime, or nothing was sent.
    """
    state = st.session_state.get(key)
    return None if state is None else state.get(name)
