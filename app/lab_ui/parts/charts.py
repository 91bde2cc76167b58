"""Plotly figures on a page; in lecture mode they are as large as the type around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from tasklab.figures.style import enlarged

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

LECTURE = 1.4
"""How much larger a figure is in lecture mode."""


def plot(figure: Figure, *, key: str, alt: str, **settings: Any) -> None:
    """Draw a figure without a bar of tools.

    Args:
        figure: it is not changed.
        key: of the element.
        alt: description of the figure for those who do not see it.
        settings: further arguments of `st.plotly_chart`.
    """
    shown = enlarged(figure, LECTURE) if st.session_state.get("lecture") else figure
    st.plotly_chart(shown, key=key, alt=alt, config={"displayModeBar": False}, **settings)
